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
    return describe(left, right, most)


def describe(left, right, most=5):
    """What one list of sorted rows has and the other has not; [] when they are
    equal."""
    if left == right:
        return []
    here, there = set(map(repr, left)), set(map(repr, right))
    missing = [r for r in left if repr(r) not in there]
    extra = [r for r in right if repr(r) not in here]
    return [f"{len(left)} rows in the source, {len(right)} in the destination",
            *[f"missing {r}"[:900] for r in missing[:most]],
            *[f"extra {r}"[:900] for r in extra[:most]]]
