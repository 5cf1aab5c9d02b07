"""A real PostgreSQL server for tests, in a temporary folder.

PostgreSQL refuses to run as root: then it runs as the user 'nobody', or as
$DATAFLOW_TEST_PGUSER. Its programs are looked for where Debian puts them, or in
$DATAFLOW_TEST_PGBIN.
"""
import glob
import os
import pwd
import re
import shutil
import subprocess
import tempfile
import time

from support.ports import free_port

PASSWORD = "Secret-pass-42"
SETTINGS = {
    "wal_level": "logical", "max_wal_senders": 20, "max_replication_slots": 20,
    "max_connections": 60, "fsync": "off",
    "full_page_writes": "off", "shared_buffers": "64MB",
    "listen_addresses": "127.0.0.1", "logging_collector": "off",
    "timezone": "Europe/Berlin", "datestyle": "sql, dmy",
    "intervalstyle": "iso_8601", "log_line_prefix": "%m [%p] ",
}


def folder_of_programs():
    """Where initdb and postgres are, or None."""
    named = os.environ.get("DATAFLOW_TEST_PGBIN")
    found = [named] if named else sorted(
        glob.glob("/usr/lib/postgresql/*/bin"),
        key=lambda path: float(path.split("/")[4]), reverse=True)
    for folder in found:
        if os.path.exists(os.path.join(folder, "initdb")):
            return folder
    return None


def why_not():
    """Why no server can be started here; None: it can."""
    if not folder_of_programs():
        return "PostgreSQL's server is not installed (apt: postgresql)"
    if os.geteuid() == 0 and not shutil.which("setpriv"):
        return "PostgreSQL does not run as root, and there is no setpriv"
    return None


def skip_unless_installed():
    """For a module of tests: pytest says why they are left out."""
    import pytest
    reason = why_not()
    if reason:
        pytest.skip(reason, allow_module_level=True)


class Postgresql:
    """One server. start() again after stop() is a restart: same data, port."""

    def __init__(self, **settings):
        self.bin = folder_of_programs()
        self.host, self.port = "127.0.0.1", 0
        self.user, self.password = "postgres", PASSWORD
        self.settings = dict(SETTINGS, **settings)
        self.process = None
        self.folder = None

    def _command(self, program, *arguments):
        command = [os.path.join(self.bin, program), *map(str, arguments)]
        if os.geteuid() != 0:
            return command
        user = pwd.getpwnam(os.environ.get("DATAFLOW_TEST_PGUSER", "nobody"))
        return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}",
                "--clear-groups", *command]

    @property
    def data(self):
        return os.path.join(self.folder, "data")

    def _make(self):
        self.folder = tempfile.mkdtemp(prefix="dataflow-pg-")
        os.chmod(self.folder, 0o755)
        os.mkdir(self.data, 0o700)
        secret = os.path.join(self.folder, "password")
        with open(secret, "w", encoding="utf-8") as file:
            file.write(self.password + "\n")
        if os.geteuid() == 0:
            user = pwd.getpwnam(
                os.environ.get("DATAFLOW_TEST_PGUSER", "nobody"))
            for path in (self.folder, self.data, secret):
                os.chown(path, user.pw_uid, user.pw_gid)
        done = subprocess.run(
            self._command("initdb", "-D", self.data, "-U", self.user,
                          "-A", "scram-sha-256", f"--pwfile={secret}",
                          "-E", "UTF8", "--locale=C.UTF-8", "-N"),
            cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, check=False)
        assert done.returncode == 0, done.stdout
        with open(os.path.join(self.data, "pg_hba.conf"), "a",
                  encoding="utf-8") as file:
            file.write("host replication all 127.0.0.1/32 scram-sha-256\n")

    def start(self, port=0, **settings):
        assert not self.is_running(), "it runs already"
        if not self.folder:
            self._make()
        self.settings.update(settings)
        for _ in range(5):
            self.port = port or self.port or free_port()
            if self._try_to_start():
                return self
            self.port = 0
        raise AssertionError("PostgreSQL did not start:\n" + self.log())

    def _try_to_start(self):
        options = [word for name, value in self.settings.items()
                   for word in ("-c", f"{name}={value}")]
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.process = subprocess.Popen(
                self._command("postgres", "-D", self.data, "-p", self.port,
                              "-k", self.folder, *options),
                cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log)
        for _ in range(600):
            if self.process.poll() is not None:
                return False
            done = subprocess.run(
                [os.path.join(self.bin, "pg_isready"), "-q", "-h", self.host,
                 "-p", str(self.port)], check=False)
            if done.returncode == 0:
                return True
            time.sleep(0.05)
        self.kill()
        return False

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def log(self):
        with open(os.path.join(self.folder, "log"), encoding="utf-8",
                  errors="replace") as file:
            return file.read()

    def signal_all(self, mode):
        """As pg_ctl stop -m MODE, and wait."""
        if self.process:
            subprocess.run(
                self._command("pg_ctl", "stop", "-D", self.data, "-m", mode,
                              "-w", "-t", 60),
                cwd=self.folder, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, check=False)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None

    def stop(self):
        self.signal_all("fast")

    def kill(self):
        """As a crash: nothing is written out."""
        self.signal_all("immediate")

    def restart(self, **settings):
        self.stop()
        return self.start(**settings)

    def copy_data(self, folder):
        """What a standby would have by now, its slots with it."""
        connection = self.connect()
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_backup_start('copy', true)")
                subprocess.run(["cp", "-a", self.data, folder], check=False)
                cursor.execute("SELECT labelfile FROM pg_backup_stop()")
                label, = cursor.fetchone()
        finally:
            connection.close()
        subprocess.run(["cp", "-a", self.data + "/pg_wal/.",
                        folder + "/pg_wal"], check=True)
        with open(folder + "/backup_label", "w", encoding="ascii") as file:
            file.write(label)
        owner = os.stat(folder)
        os.chown(file.name, owner.st_uid, owner.st_gid)
        os.remove(folder + "/postmaster.pid")

    def take_data(self, folder):
        """The server, which is down, is the one that has that from now on."""
        shutil.rmtree(self.data)
        os.rename(folder, self.data)

    def promote(self):
        """It is down. It begins as a standby, and ends that at once."""
        with open(self.data + "/standby.signal", "w", encoding="ascii"):
            pass
        self.start(restore_command="false")
        done = subprocess.run(
            self._command("pg_ctl", "promote", "-D", self.data, "-w"),
            cwd=self.folder, stdout=subprocess.PIPE, text=True, check=False)
        assert done.returncode == 0, done.stdout + self.log()

    def close(self):
        self.kill()
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder = None

    def __enter__(self):
        return self if self.is_running() else self.start()

    def __exit__(self, *_):
        self.close()

    # ------------------------------------------------------------- clients

    def connection_string(self, database=None, **more):
        """What a DBA writes into connection_string."""
        parts = {"server": f"{self.host},{self.port}", "user id": self.user,
                 "password": self.password, **more}
        if database:
            parts["database"] = database
        return ";".join(f"{key}={value}" for key, value in parts.items())

    def connect(self, database="postgres", **options):
        import psycopg2
        connection = psycopg2.connect(
            host=self.host, port=self.port, dbname=database,
            user=options.pop("user", self.user),
            password=options.pop("password", self.password), **options)
        connection.autocommit = True
        return connection

    def query(self, sql, database="postgres", parameters=None):
        connection = self.connect(database)
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql, parameters)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def psql(self, sql, database="postgres"):
        """A script by psql; its rows, unaligned."""
        done = subprocess.run(
            [os.path.join(self.bin, "psql"), "-X", "-q", "-A", "-t", "-v",
             "ON_ERROR_STOP=1", "-h", self.host, "-p", str(self.port), "-U",
             self.user, "-d", database], input=sql, text=True,
            env=dict(os.environ, PGPASSWORD=self.password),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def version(self):
        done = subprocess.run([os.path.join(self.bin, "postgres"),
                               "--version"], stdout=subprocess.PIPE,
                              text=True, check=True)
        return int(re.search(r"(\d+)", done.stdout).group(1))
