"""`dbaops-dataflow encrypt`: a secret that nobody sees becomes a text that
everybody may."""
import os
import pty
import re
import select
import signal
import subprocess
import termios
import time

import pytest

from support import dataflow

SECRET = "Pl4nted ;'\"}{=${env:HOME} ä"
FORM = r"enc:v1:[0-9a-f]{8}:[A-Za-z0-9_-]{38,}"


@pytest.fixture
def key(tmp_path):
    return dataflow.Key(tmp_path / "key")


def encrypt(key, stdin, **environment):
    return dataflow.run("encrypt", "--key-file", key.file, stdin=stdin,
                        env=environment)


# ------------------------------------------------------------------- the key

def test_a_new_key(tmp_path):
    """For this user alone, and never over another one."""
    file = tmp_path / "key"
    old = os.umask(0)
    try:
        done = dataflow.run("encrypt", "--new-key", "--key-file", str(file))
    finally:
        os.umask(old)
    assert done.returncode == 0 and not done.stderr
    assert file.stat().st_mode & 0o7777 == 0o600
    text = file.read_text()
    name = re.match(r"# key ([0-9a-f]{8}) ", text).group(1)
    assert f"Key {name} is in file '{file}'" in done.stdout
    assert text.splitlines()[1] not in done.stdout
    done = dataflow.run("encrypt", "--new-key", "--key-file", str(file))
    assert done.returncode == 1 and not done.stdout
    assert "File exists" in done.stderr and str(file) in done.stderr
    assert file.read_text() == text


def test_two_keys_are_different(tmp_path):
    keys = {dataflow.Key(tmp_path / str(n)).line() for n in range(20)}
    assert len(keys) == 20


def test_a_key_of_openssl(tmp_path):
    """Which is 32 random bytes in Base64 as well."""
    file = tmp_path / "key"
    line = subprocess.run(["openssl", "rand", "-base64", "32"], text=True,
                          stdout=subprocess.PIPE, check=True).stdout
    file.write_text(line)
    file.chmod(0o600)
    done = dataflow.run("encrypt", "--key-file", str(file), stdin="x")
    assert re.fullmatch(FORM + "\n", done.stdout), done.stderr


def test_where_the_key_is(key, tmp_path):
    """The option, the environment, the configuration file, in this order."""
    conf = tmp_path / "my.conf"
    conf.write_text(f"key_file = {key.file}\n")
    bad = {"DATAFLOW_KEY_FILE": "/no/such/key"}
    name = encrypt(key, "x").stdout[:16]
    for arguments, env in (
            (["--config", str(conf)], {}),
            ([], {"DATAFLOW_KEY_FILE": key.file}),
            (["--key-file", key.file], bad)):
        done = dataflow.run("encrypt", *arguments, env=env, stdin="x")
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(name)
    done = dataflow.run("encrypt", "--config", str(conf), env=bad, stdin="x")
    assert done.returncode == 1 and "'/no/such/key'" in done.stderr


# ------------------------------------------------------------ secrets by pipe

@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_by_pipe(key, end):
    done = encrypt(key, SECRET + end)
    assert done.returncode == 0 and not done.stderr
    assert re.fullmatch(FORM + "\n", done.stdout)
    assert done.stdout != encrypt(key, SECRET).stdout


@pytest.mark.parametrize("given, said", [
    ("", "no secret"), ("\n", "no secret"), ("\r\n", "no secret"),
    ("a\nb", "more than one line"), ("a\n\n", "more than one line"),
    ("a\0b", "NUL"), ("x" * 4098, "longer than 4096"),
    ("x" * 100000, "longer than 4096")])
def test_what_is_no_secret(key, given, said):
    done = encrypt(key, given)
    assert done.returncode == 1 and not done.stdout
    assert said in done.stderr and "xx" not in done.stderr


def test_never_as_an_argument(key):
    """Neither taken, nor repeated where a log may keep it."""
    done = dataflow.run("encrypt", "Pl4nted", "--key-file", key.file)
    assert done.returncode == 2 and not done.stdout
    assert "list of processes" in done.stderr
    assert "Pl4nted" not in done.stderr


def test_no_control_tables_are_needed(key):
    done = encrypt(key, "x", DEST_SERVER="127.0.0.1,1", DEST_USER="x")
    assert done.returncode == 0, done.stderr


# ------------------------------------------------------- secrets by a terminal

class Terminal:
    """`encrypt` on a terminal, whose stdout goes elsewhere."""

    def __init__(self, key):
        try:
            self.master, slave = pty.openpty()
        except OSError as error:
            pytest.skip(f"this machine has no terminals: {error}")
        self.slave = slave
        self.process = subprocess.Popen(
            [dataflow.program(), "encrypt", "--key-file", key.file],
            env=dataflow.clean_environment({}), stdin=slave,
            stdout=subprocess.PIPE, stderr=slave, text=True)
        self.shown = b""

    def wait(self, text, seconds=20):
        deadline = time.monotonic() + seconds * dataflow.slowness()
        while text not in self.shown.decode():
            assert time.monotonic() < deadline, self.shown
            if select.select([self.master], [], [], 0.1)[0]:
                self.shown += os.read(self.master, 65536)

    def type(self, text):
        os.write(self.master, text.encode())

    def echoes(self):
        """What a later program would be shown."""
        return bool(termios.tcgetattr(self.slave)[3] & termios.ECHO)

    def end(self):
        code = self.process.wait(20 * dataflow.slowness())
        output = self.process.stdout.read()
        echoes = self.echoes()
        os.close(self.slave)
        while True:
            try:
                more = os.read(self.master, 65536)
            except OSError:
                break
            if not more:
                break
            self.shown += more
        os.close(self.master)
        assert echoes
        return code, output, self.shown.decode()


def test_on_a_terminal(key):
    terminal = Terminal(key)
    terminal.wait("Secret: ")
    assert not terminal.echoes()
    terminal.type(SECRET + "\n")
    terminal.wait("Again: ")
    terminal.type(SECRET + "\n")
    code, output, shown = terminal.end()
    assert code == 0 and re.fullmatch(FORM + "\n", output), shown
    assert "Pl4nted" not in shown


def test_a_slip_of_the_finger(key):
    terminal = Terminal(key)
    terminal.wait("Secret: ")
    terminal.type("Pl4nted\n")
    terminal.wait("Again: ")
    terminal.type("Pl4ntde\n")
    code, output, shown = terminal.end()
    assert code == 1 and not output
    assert "not the same" in shown and "Pl4nt" not in shown


def test_ctrl_c(key):
    """The terminal shows again what is typed."""
    terminal = Terminal(key)
    terminal.wait("Secret: ")
    terminal.type("Pl4nted")
    terminal.process.send_signal(signal.SIGINT)
    code, output, shown = terminal.end()
    assert code == 1 and not output
    assert "interrupted" in shown and "Pl4nted" not in shown
