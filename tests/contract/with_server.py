#!/usr/bin/python3
"""Runs a program of this folder against a SQL Server.

    with_server.py PROGRAM [ARGUMENT …]

The server is the one that DATAFLOW_TEST_SQLSERVER names; without that it is the
stand-in, build/tdsd or $TDSD, started for the program's life on a free port.
"""
import os
import shutil
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
PASSWORD = "Contract.1"


def run(command, environment):
    return subprocess.run(command, env=dict(os.environ, **environment),
                          stdin=subprocess.DEVNULL, check=False).returncode


def with_stand_in(command):
    tdsd = os.environ.get("TDSD") or os.path.join(TOP, "build", "tdsd")
    folder = tempfile.mkdtemp(prefix="dataflow-contract-")
    server = subprocess.Popen(
        [tdsd, "--data", folder, "--port", "0", "--user", "sa", "--password",
         PASSWORD], stdout=subprocess.PIPE, text=True)
    try:
        line = server.stdout.readline()
        if not line.startswith("listening on "):
            print(f"{tdsd} said '{line.strip()}'", file=sys.stderr)
            return 1
        host, port = line.split()[-1].rsplit(":", 1)
        return run(command, {"DATAFLOW_TEST_SQLSERVER": f"{host},{port}",
                             "DATAFLOW_TEST_USER": "sa",
                             "DATAFLOW_TEST_PASSWORD": PASSWORD})
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        shutil.rmtree(folder, ignore_errors=True)


def main():
    command = sys.argv[1:]
    if not command:
        print(__doc__)
        return 2
    if os.environ.get("DATAFLOW_TEST_SQLSERVER"):
        return run(command, {})
    return with_stand_in(command)


if __name__ == "__main__":
    sys.exit(main())
