"""The clients: python-tds and pymssql in this process, FreeTDS' programs."""
import os
import re
import subprocess
import tempfile
from dataclasses import dataclass

import pytds

from support.dataflow import slowness


@dataclass
class Server:
    host: str
    port: int
    user: str
    password: str
    tdsd: object = None  # support.tdsd.Tdsd, None for a real server


@dataclass
class Error:
    """What an error said."""
    number: int
    severity: int
    state: int
    line: int
    procedure: str
    text: str


class Client:
    """A connection of python-tds in autocommit mode."""

    def __init__(self, server, database="master", user=None, password=None,
                 **options):
        self.server, self.database = server, database
        if server.tdsd is not None and not server.tdsd.is_running():
            raise AssertionError("tdsd is gone:\n" + server.tdsd.log())
        self.connection = pytds.connect(
            server.host, port=server.port, database=database,
            user=user or server.user, autocommit=True,
            password=server.password if password is None else password,
            login_timeout=20, disable_connect_retry=True,
            timeout=options.pop("timeout", 60 * slowness()), **options)
        self.cursor = self.connection.cursor()
        # it would log in again and run the statement once more
        self.cursor._exec_with_retry = lambda run: run()
        self.connection._open = self._lost

    def is_open(self):
        tds = self.connection._conn
        return tds is not None and tds.is_connected()

    @staticmethod
    def _lost(*_, **__):
        raise pytds.tds_base.ClosedConnectionError()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        try:
            self.connection.close()
        except (pytds.Error, OSError):
            pass

    def results(self, sql, params=None):
        """Every result set: lists of rows."""
        self.cursor.execute(sql, params or ())
        sets = []
        while True:
            if self.cursor.description:
                sets.append([tuple(row) for row in self.cursor.fetchall()])
            if not self.cursor.nextset():
                return sets

    def rows(self, sql, params=None):
        sets = self.results(sql, params)
        assert len(sets) == 1, f"{len(sets)} result sets"
        return sets[0]

    def row(self, sql, params=None):
        rows = self.rows(sql, params)
        assert len(rows) == 1, rows
        return rows[0]

    def value(self, sql, params=None):
        row = self.row(sql, params)
        assert len(row) == 1, row
        return row[0]

    def column(self, sql, params=None):
        return [row[0] for row in self.rows(sql, params)]

    def run(self, sql, params=None):
        """For its effect; several statements or batches (GO) at once."""
        for batch in re.split(r"(?mi)^\s*GO\s*$", sql):
            if batch.strip():
                self.results(batch, params)

    def fails(self, sql, params=None):
        """Its error; AssertionError when it does not fail."""
        try:
            sets = self.results(sql, params)
        except pytds.DatabaseError as e:
            return Error(e.number, e.severity, e.state, e.line,
                         e.procname, e.text)
        raise AssertionError(f"no error, but {sets}")

    def number(self, sql, params=None):
        return self.fails(sql, params).number

    def types(self, sql):
        """The first result's columns: (name, type code)."""
        self.cursor.execute(sql)
        found = [(d[0], d[1]) for d in self.cursor.description]
        self.cursor.fetchall()
        return found


def run_program(command, text=None, timeout=60, env=None):
    done = subprocess.run(command, input=text, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True,
                          timeout=timeout * slowness(), check=False,
                          env=dict(os.environ, LC_ALL="C.UTF-8",
                                   **(env or {})))
    return done.returncode, done.stdout


def tsql(server, sql, version=None, database=None, user=None, password=None):
    """What `tsql` prints: values with tabs between, then "(n rows affected)"
    is left out; messages as "Msg n (severity s, state t) …"."""
    command = ["tsql", "-o", "q", "-H", server.host, "-p", str(server.port),
               "-U", user or server.user, "-P", password or server.password]
    if database:
        command += ["-D", database]
    env = {"TDSVER": version} if version else {}
    _, out = run_program(command, sql.rstrip() + "\ngo\nexit\n", env=env)
    return re.sub(r"(?m)^(locale .*|using default .*|Default database .*|"
                  r"Setting .*)\n", "", out)


def freetds_conf(server, **settings):
    """A private freetds.conf with a section `srv`: (environment, its path)."""
    handle, path = tempfile.mkstemp(prefix="freetds-", suffix=".conf")
    values = {"host": server.host, "port": server.port,
              "tds version": "7.4", "client charset": "UTF-8", **settings}
    with os.fdopen(handle, "w") as file:
        file.write("[srv]\n" + "".join(f"\t{k.replace('_', ' ')} = {v}\n"
                                       for k, v in values.items()))
    return {"FREETDSCONF": path, "FREETDS": path}, path


def program(server, name, *arguments, text=None, **settings):
    """A program of FreeTDS with -S -U -P given: (exit code, output)."""
    env, path = freetds_conf(server, **settings)
    try:
        return run_program([name, *arguments, "-S", "srv", "-U", server.user,
                            "-P", server.password], text, env=env)
    finally:
        os.unlink(path)
