"""The third count of records: it owes nothing to silver, and it notices when silver has lost one."""

import gzip
from dataclasses import replace
from datetime import date
from io import BytesIO

import pyarrow.parquet as pq
import pytest

from clearer_platform import silver
from clearer_platform.bronze import receive
from clearer_platform.regions import CsvFormat
from clearer_platform.serving.reconciliation import balances, count_records
from clearer_platform_tests import flow
from clearer_platform_tests.serving.conftest import DAY, SALES


def delivered(platform, data: bytes, name: str = "a-2024-04-01.csv"):
    return receive(platform.layout("eu"), "transactions", DAY, name, BytesIO(data), origin="test").delivery


@pytest.mark.parametrize(
    ("data", "form", "count"),
    [
        (b"", {}, 0),
        (b"a,b\n", {}, 0),
        (b"a,b\n1,2\n\n3,4", {}, 2),
        (b'a,b\n1,"x\ny"\n3,4\n', {}, 2),
        (b'a,b\n1,"x""y"\n', {}, 1),
        (b"a,b\r\n1,2\r\n", {}, 1),
        (b"a;b\n\xe4;1\n", {"delimiter": ";", "encoding": "cp1252"}, 1),
        (b"\xef\xbb\xbfa,b\n1,2\n", {"encoding": "utf-8-sig"}, 1),
        (b"1,2\n", {"header": False}, 1),
        (b'a,b\n1,"2\n3,4\n', {}, None),
        (b'a,b\n1,"2"x\n', {}, None),
    ],
)
def test_count(platform, data, form, count):
    assert count_records(delivered(platform, data), CsvFormat(**form)) == count


def test_count_in_an_archive_and_in_half_of_one(platform):
    packed = gzip.compress(b"a,b\n" + b"1,2\n" * 1000)
    assert count_records(delivered(platform, packed, "a.csv.gz"), CsvFormat()) == 1000
    assert count_records(delivered(platform, packed[:-9], "b.csv.gz"), CsvFormat()) is None


def test_the_balance_holds_and_a_lost_record_is_noticed(platform):
    flow.deliver(platform, "eu", "transactions", SALES, DAY)
    flow.deliver(platform, "eu", "transactions", "no;columns\n1;2\n", DAY, "other-2024-04-01.csv")
    flow.bring_up(platform, "eu")
    balance = next(b for b in balances(platform, ["eu"]) if b.table == "transactions")
    assert (balance.files, balance.counted, balance.accepted, balance.rejected, balance.refused) == (1, 8, 7, 1, 1)
    assert balance.is_balanced
    (state,) = (s for s in silver.states(platform, "eu", "transactions") if s.published)
    path = platform.layout("eu").silver_file("transactions", date(2024, 4, 1), state.slot.name)
    table = pq.read_table(path)
    pq.write_table(table.slice(1), path)
    lost = next(b for b in balances(platform, ["eu"]) if b.table == "transactions")
    assert not lost.is_balanced
    assert not replace(balance, rejected=0).is_balanced
