"""What exactly travels: tokens that a client's result does not show."""
import pytest

from clients import Client
from relay import Relay, messages, payload, settle

ROW, NBCROW = b"\xd1", b"\xd2"
SEVEN = b"\x04\x07\0\0\0"  # an int that may be NULL, with its length


def reply(server, version, sql):
    """The last message of a session, as the server sent it."""
    with Relay(server) as relay:
        with Client(relay.endpoint(), tds_version=version) as client:
            client.rows(sql)
            settle()
            return payload(messages(relay.received())[-1])


@pytest.fixture(scope="module")
def table(server, database):
    with Client(server, database) as client:
        client.run("CREATE TABLE wire (a int NULL, b int NULL, c int NULL)")
        client.run("INSERT INTO wire VALUES (7, NULL, 7)")
    return f"{database}.dbo.wire"


@pytest.mark.standin
@pytest.mark.parametrize("version", [0x730B0003, 0x74000004])
def test_nbcrow(server, table, version):
    """From 7.3 on NULLs are bits in front of the row, not empty values."""
    data = reply(server, version, f"SELECT a, b, c FROM {table}")
    assert NBCROW + b"\x02" + SEVEN + SEVEN in data
    assert ROW + SEVEN not in data


@pytest.mark.standin
@pytest.mark.parametrize("version", [0x71000001, 0x72090002])
def test_row_with_nulls_for_older_clients(server, table, version):
    data = reply(server, version, f"SELECT a, b, c FROM {table}")
    assert ROW + SEVEN + b"\0" + SEVEN in data
    assert NBCROW + b"\x02" not in data


def test_a_row_without_nulls_is_a_row(server, table):
    data = reply(server, 0x74000004, f"SELECT a, c FROM {table}")
    assert ROW + SEVEN + SEVEN in data


def test_nine_columns_need_two_bytes_of_bits(server, table):
    data = reply(server, 0x74000004,
                 f"SELECT b, b, b, b, b, b, b, b, b, a FROM {table}")
    assert NBCROW + b"\xff\x01" + SEVEN in data
