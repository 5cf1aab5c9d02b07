"""The scripts etc/least-privilege-postgresql-*.sql, run as a DBA would run them:
with the lines between the rulers changed, by psql, as a superuser."""
import os

from support import dataflow

PASSWORD = "Least-pass-42"


def literal(value):
    return "NULL" if value is None else "'" + value.replace("'", "''") + "'"


def script(side, login, rows, **variables):
    """Its text; `rows` are those of its list of tables."""
    path = os.path.join(dataflow.TOP, "etc",
                        f"least-privilege-postgresql-{side}.sql")
    with open(path, encoding="utf-8") as file:
        head, ruler, rest = file.read().partition(
            "----------------------------------------------------- nothing")
    assert ruler, path
    settings = {"login": login, "password": PASSWORD, **variables}
    lines, skipping = [], False
    for line in head.splitlines():
        words = line.split()
        if words[:1] == ["\\set"] and words[1] in settings:
            line = f"\\set {words[1]} '{settings.pop(words[1])}'"
        if skipping:
            skipping = not line.endswith(";")
            continue
        lines.append(line)
        if line == "VALUES":
            lines.append(", ".join(
                "(" + ", ".join(map(literal, row)) + ")" for row in rows)
                + ";")
            skipping = True
    assert not settings, f"{path} does not know {list(settings)}"
    return "\n".join(lines) + "\n" + ruler + rest


def destination(server, database, login, tables, swap):
    text = script("destination", login, tables, may_swap=int(swap))
    for _ in range(2):  # running it again changes nothing
        server.psql(text, database)


def source(server, database, login, tables, **variables):
    """The lines that psql prints: the tables that are not published."""
    text = script("source", login, tables, **variables)
    first, again = [
        [line for line in server.psql(text, database).splitlines()
         if "NOTICE" not in line] for _ in range(2)]
    assert again == first
    return first
