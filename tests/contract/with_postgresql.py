#!/usr/bin/python3
"""Runs a program of this folder against a PostgreSQL server.

    with_postgresql.py PROGRAM [ARGUMENT …]

The server is the one that DATAFLOW_TEST_POSTGRESQL names; without that one is
started for the program's life. Without PostgreSQL nothing is run, and it says
so.
"""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))

from support import postgresql  # noqa: E402


def run(command, environment):
    return subprocess.run(command, env=dict(os.environ, **environment),
                          stdin=subprocess.DEVNULL, check=False).returncode


def main():
    command = sys.argv[1:]
    if not command:
        print(__doc__)
        return 2
    if os.environ.get("DATAFLOW_TEST_POSTGRESQL"):
        return run(command, {})
    reason = postgresql.why_not()
    if reason:
        print(f"skipped: {reason}")
        return 77
    with postgresql.Postgresql() as server:
        return run(command, {
            "DATAFLOW_TEST_POSTGRESQL": f"{server.host},{server.port}",
            "DATAFLOW_TEST_PGLOGIN": server.user,
            "DATAFLOW_TEST_PGPASSWORD": server.password})


if __name__ == "__main__":
    sys.exit(main())
