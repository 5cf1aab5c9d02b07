"""FreeTDS's command-line clients, as a DBA would call them."""
import os
import subprocess


class ClientError(Exception):
    """What the client printed."""


def tsql(server, script, show=False):
    """Run a script with GO lines; its output."""
    host, port = server.address.split(",")
    done = subprocess.run(
        ["tsql", "-H", host, "-p", port, "-U", server.user, "-P",
         server.password, "-o", "q"], input=script + "\nEXIT\n", text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        env=dict(os.environ, TDSVER="7.4"))
    if "Msg " in done.stdout or "(severity" in done.stdout:
        raise ClientError(f"tsql said: {done.stdout.strip()}")
    if show:
        print(done.stdout)
    return done.stdout


def _run(arguments, folder, **servers):
    """A client that finds the servers by the names given here."""
    conf = os.path.join(folder, "freetds.conf")
    with open(conf, "w", encoding="utf-8") as out:
        for name, server in servers.items():
            host, port = server.address.split(",")
            out.write(f"[{name}]\nhost = {host}\nport = {port}\n"
                      "tds version = 7.4\nclient charset = UTF-8\n")
    done = subprocess.run(arguments, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False,
                          env=dict(os.environ, FREETDSCONF=conf))
    if done.returncode:
        raise ClientError(f"{arguments[0]}: {done.stdout.strip()}")


def freebcp(server, what, direction, file, batch=None):
    """Table or query `what` from or to a text file; `direction` is in, out or
    queryout."""
    _run(["freebcp", what, direction, file, "-S", "server", "-U", server.user,
          "-P", server.password, "-c", "-t", "|", "-r", "\\n",
          *(["-b", str(batch)] if batch else [])],
         os.path.dirname(file), server=server)


def datacopy(source, source_table, dest, dest_table, folder, batch):
    """Append a table, (database, "schema.table"), to another."""
    def place(name, server, table):
        return f"{name}/{server.user}/{server.password}/{table[0]}/{table[1]}"
    _run(["datacopy", "-a", "-b", str(batch),
          "-S", place("source", source, source_table),
          "-D", place("dest", dest, dest_table)],
         folder, source=source, dest=dest)
