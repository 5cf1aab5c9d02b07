"""Whole tables, compared by an independent client."""


def rows(server, database, table, order=None):
    """Every row of a table, as python-tds returns them, sorted."""
    found = server.query(f"SELECT * FROM {table}" +
                         (f" ORDER BY {order}" if order else ""), database)
    return found if order else sorted(found, key=repr)


def differences(source, source_table, dest, dest_table, most=5):
    """What one table has and the other has not; [] when they are equal.

    A table is (server, database, "schema.table").
    """
    left = rows(source, source_table[0], source_table[1])
    right = rows(dest, dest_table[0], dest_table[1])
    if left == right:
        return []
    missing = [r for r in left if r not in set(right)] \
        if len(left) < 20000 else ["…"]
    extra = [r for r in right if r not in set(left)] \
        if len(right) < 20000 else ["…"]
    return [f"{len(left)} rows in the source, {len(right)} in the destination"
            ] + [f"missing {r}" for r in missing[:most]] + \
        [f"extra {r}" for r in extra[:most]]
