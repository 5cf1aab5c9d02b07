#!/usr/bin/python3
"""Runs a program of this folder against a SQL Server.

    with_server.py PROGRAM [ARGUMENT …]

The server is the one that DATAFLOW_TEST_SQLSERVER names; without that it is the
stand-in, build/tdsd or $TDSD, started for the program's life on a free port.
"""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))

from support.tdsd import Tdsd  # noqa: E402


def run(command, environment):
    return subprocess.run(command, env=dict(os.environ, **environment),
                          stdin=subprocess.DEVNULL, check=False).returncode


def main():
    command = sys.argv[1:]
    if not command:
        print(__doc__)
        return 2
    if os.environ.get("DATAFLOW_TEST_SQLSERVER"):
        return run(command, {})
    with Tdsd() as tdsd:
        return run(command, {
            "DATAFLOW_TEST_SQLSERVER": f"{tdsd.host},{tdsd.port}",
            "DATAFLOW_TEST_USER": tdsd.user,
            "DATAFLOW_TEST_PASSWORD": tdsd.password})


if __name__ == "__main__":
    sys.exit(main())
