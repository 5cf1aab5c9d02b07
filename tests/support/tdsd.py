"""The stand-in server, build/tdsd or $TDSD, as a process of its own."""
import os
import re
import selectors
import shutil
import signal
import subprocess
import tempfile
import time

from support.dataflow import TOP, sanitizer_environment, slowness
from support.ports import free_port

FINDINGS = ("AddressSanitizer", "runtime error:", "LeakSanitizer",
            "ThreadSanitizer")


def program():
    return os.environ.get("TDSD") or os.path.join(TOP, "build", "tdsd")


def make_certificate(folder, name="localhost"):
    """A self-made certificate: the paths of certificate and key."""
    cert, key = os.path.join(folder, "cert.pem"), os.path.join(folder,
                                                               "key.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days",
         "30", "-subj", f"/CN={name}", "-addext",
         f"subjectAltName=DNS:{name},IP:127.0.0.1", "-keyout", key, "-out",
         cert], check=True, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL)
    return cert, key


class Tdsd:
    """One stand-in. start() again after stop() or kill() is a restart: same
    folder, password and port unless it is told others."""

    def __init__(self):
        self.process = None
        self.host = "127.0.0.1"
        self.port = 0
        self.user = "sa"
        self.password = None
        self.data_dir = None
        self.tls = None
        self._own_dir = None
        self._log = None

    def start(self, data_dir=None, password=None, port=0, tls=None,
              arguments=()):
        """`tls` is (certificate, key), PEM files. Without `data_dir` the data
        is in a temporary folder that goes with close()."""
        assert not self.is_running(), "it runs already"
        self.data_dir = data_dir or self.data_dir
        if not self.data_dir:
            self.data_dir = self._own_dir = tempfile.mkdtemp(prefix="tdsd-")
        self.password = password or self.password or "Secret-pass-42"
        self.tls = tls or self.tls
        command = [program(), "--data", str(self.data_dir),
                   "--user", self.user, *arguments]
        if self.tls:
            command += ["--tls-cert", self.tls[0], "--tls-key", self.tls[1]]
        if not self._log:
            self._log = tempfile.TemporaryFile("w+", errors="replace")
        env = dict(os.environ, TDSD_PASSWORD=self.password,
                   **sanitizer_environment())
        port = port or self.port
        for left in reversed(range(5)):
            self.process = subprocess.Popen(
                [*command, "--port", str(port or free_port())], env=env,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=self._log)
            try:
                self._read_port()
                return self
            except AssertionError:  # a free port may be taken meanwhile
                if port or not left:
                    raise

    def _read_port(self):
        line, deadline = b"", time.monotonic() + 20 * slowness()
        with selectors.DefaultSelector() as ready:
            ready.register(self.process.stdout, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                got = b""
                if ready.select(max(0, deadline - time.monotonic())):
                    got = self.process.stdout.readline()
                if not got:
                    self.kill()
                    raise AssertionError("tdsd did not start:\n" + self.log())
                line += got
        found = re.match(rb"listening on (.*):(\d+)\s*$", line)
        assert found, f"tdsd said {line!r}"
        self.host, self.port = found.group(1).decode(), int(found.group(2))

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def log(self):
        """What it wrote to standard error, over all its starts."""
        self._log.seek(0)
        return self._log.read()

    def kill(self):
        """As kill -9 does; the data stays for the next start()."""
        if self.is_running():
            self.process.kill()
        if self.process:
            self.process.wait()
            self.process.stdout.close()
            self.process = None

    def pause(self):
        """Stop answering without closing anything; resume() goes on."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def stop(self, timeout=10):
        """SIGTERM. AssertionError when it crashed before or now, did not
        stop, or a sanitizer found something."""
        if self.process:
            self.process.terminate()
            try:
                code = self.process.wait(timeout * slowness())
            except subprocess.TimeoutExpired:
                code = "no end"
            self.kill()
            assert code == 0, f"tdsd ended with {code}:\n{self.log()}"
        if self._log:
            log = self.log()
            assert not any(word in log for word in FINDINGS), log

    def restart(self):
        self.stop()
        return self.start()

    def close(self):
        """stop(), and remove what start() made."""
        try:
            self.stop()
        finally:
            if self._log:
                self._log.close()
                self._log = None
            if self._own_dir:
                shutil.rmtree(self._own_dir, ignore_errors=True)
                self._own_dir = self.data_dir = None

    def __enter__(self):
        return self if self.is_running() else self.start()

    def __exit__(self, *_):
        self.close()
