"""The daemon as tests see it: a program with an environment, a log, exit codes
and control tables. Nothing here reads its memory or trusts its word about data.
"""
import os
import signal
import subprocess
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))


def program():
    return os.environ.get("DATAFLOW") or os.path.join(
        TOP, "build", "dbaops-dataflow")


def sanitizer_environment():
    """A finding ends the process with a code that no test expects."""
    return {"ASAN_OPTIONS": "exitcode=99:detect_leaks=1",
            "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
            "TSAN_OPTIONS": "exitcode=98:halt_on_error=0:suppressions=" +
                            os.path.join(TOP, "tests/support/tsan.supp"),
            "LSAN_OPTIONS": "exitcode=97"}


def clean_environment(extra):
    env = {k: v for k, v in os.environ.items()
           if not k.startswith(("DEST_", "DATAFLOW_"))}
    env.update(sanitizer_environment())
    env.update(extra)
    return env


def run(*arguments, env=None, cwd=None, timeout=30, stdin=""):
    """Run the program to its end; a CompletedProcess with texts."""
    return subprocess.run([program(), *arguments], cwd=cwd or "/",
                          env=clean_environment(env or {}), input=stdin,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=timeout, check=False)


class Key:
    """A key file, and what is encrypted with it."""

    def __init__(self, file):
        self.file = str(file)
        done = run("encrypt", "--new-key", "--key-file", self.file)
        assert done.returncode == 0, done.stderr

    def line(self):
        with open(self.file, encoding="ascii") as file:
            return file.read().splitlines()[1]

    def encrypt(self, secret):
        done = run("encrypt", "--key-file", self.file, stdin=secret)
        assert done.returncode == 0, done.stderr
        return done.stdout.rstrip("\n")


def wait_for(condition, timeout=30, interval=0.05, what="it"):
    """Until `condition()` is true; its value. AssertionError after `timeout`."""
    deadline = time.monotonic() + timeout * slowness()
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not happen within {timeout} s")
        time.sleep(interval)


def slowness():
    """How much longer things may take under a sanitizer."""
    return 4 if os.environ.get("DATAFLOW_SANITIZE") else 1


class Daemon:
    """A running `dbaops-dataflow run`, its log in a file."""

    def __init__(self, env, arguments=(), cwd=None):
        self.env = clean_environment(env)
        self.arguments = list(arguments)
        self.cwd = cwd or "/"
        self.log_file = tempfile.NamedTemporaryFile(
            prefix="dataflow-log-", mode="w+", delete=False)
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            [program(), "run", *self.arguments], cwd=self.cwd, env=self.env,
            stdin=subprocess.DEVNULL, stdout=self.log_file,
            stderr=self.log_file)
        return self

    def log(self):
        with open(self.log_file.name, encoding="utf-8") as file:
            return file.read()

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def is_frozen(self):
        """By SIGSTOP, with all of its threads: one that is in the middle of a
        call of the system ends that first, and may lock something by it."""
        folder = f"/proc/{self.process.pid}/task"
        try:
            for thread in os.listdir(folder):
                with open(f"{folder}/{thread}/stat", encoding="ascii") as file:
                    if file.read().rsplit(")", 1)[1].split()[0] != "T":
                        return False
        except (FileNotFoundError, ProcessLookupError):
            return False  # one has just ended
        return True

    def peak_mib(self):
        with open(f"/proc/{self.process.pid}/status",
                  encoding="ascii") as file:
            for line in file:
                if line.startswith("VmHWM"):
                    return int(line.split()[1]) / 1024
        raise AssertionError("no peak memory")

    def open_sockets(self):
        """Connections as the daemon has them; a server may not know yet that
        one was closed."""
        count, folder = 0, f"/proc/{self.process.pid}/fd"
        for name in os.listdir(folder):
            try:
                count += os.readlink(f"{folder}/{name}").startswith("socket:")
            except FileNotFoundError:
                pass
        return count

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self, timeout=10):
        """SIGTERM; the exit code, and how many seconds it took."""
        if not self.is_running():
            return (self.process.returncode if self.process else None), 0
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(timeout * slowness())
        except subprocess.TimeoutExpired:
            code = None
        if code is None:  # outside, or what came before would not be shown
            self.process.kill()
            self.process.wait()
            raise AssertionError("it did not stop:\n" + self.log())
        return code, time.monotonic() - began

    def kill(self):
        if self.is_running():
            self.process.kill()
            self.process.wait()

    def close(self):
        """For fixtures: stop, and complain about crashes and sanitizers."""
        try:
            code, _ = self.stop()
            log = self.log()
            # One that has not begun yet is ended by the signal itself.
            fine = (0, None, -signal.SIGKILL,
                    -signal.SIGTERM if not log else 0)
            assert code in fine, f"it ended with {code}:\n{log}"
            for word in ("AddressSanitizer", "runtime error:",
                         "LeakSanitizer", "ThreadSanitizer"):
                assert word not in log, log
        finally:
            self.kill()
            self.log_file.close()
            os.unlink(self.log_file.name)
