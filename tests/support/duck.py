"""Readers that nobody here wrote: DuckDB and pyarrow of etc/packages.peers, in a
process of their own."""
import json
import os
import subprocess

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
PEERS = os.environ.get("DATAFLOW_PEERS") or os.path.join(TOP, "build/peers")
PYTHON = os.path.join(PEERS, "bin/python")


def why_not():
    """Why they cannot be used here; None: they can."""
    done = subprocess.run([PYTHON, "-c", "import duckdb, pyarrow"],
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          check=False) if os.access(PYTHON, os.X_OK) else None
    if not done or done.returncode:
        return "duckdb and pyarrow are not installed (sh etc/install-packages)"
    return None


def skip_unless_installed():
    """For a module of tests: pytest says why they are left out."""
    import pytest
    reason = why_not()
    if reason:
        pytest.skip(reason, allow_module_level=True)


class Error(Exception):
    """What the reader said."""


class Duck:
    """A DuckDB that forgets nothing until close()."""

    def __init__(self):
        self.process = subprocess.Popen(
            [PYTHON, os.path.join(TOP, "tests/support/duck_server.py")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def _ask(self, **request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "the readers' process ended"
        answer = json.loads(line)
        if "error" in answer:
            raise Error(answer["error"])
        return answer

    def query(self, sql):
        """Rows as tuples; what JSON cannot hold is text, see plain() there."""
        return [tuple(row) for row in self._ask(sql=sql)["rows"]]

    def names(self, sql):
        return self._ask(sql=sql)["names"]

    def parquet(self, path):
        """What pyarrow says of a file: names, types, rows, values, pairs."""
        return self._ask(parquet=path)

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
