from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from clearer_platform.errors import RegistryError, UnknownName
from clearer_platform.platform import Platform
from clearer_platform.regions import load_registry
from clearer_platform.regions.layout import quoted, unquoted

SMALL = '[regions.eu]\ntimezone = "Europe/Berlin"\ncurrency = "EUR"\nroot = "eu"\n'


def registry_file(folder: Path, text: str | bytes) -> Path:
    path = folder / "regions.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "declares no region"),
        ("regions = 3", "declares no region"),
        ("[regions.eu", "not valid TOML"),
        (b'[regions.eu]\nroot = "\xff"', "not UTF-8"),
        (SMALL.replace("Berlin", "Atlantis"), "regions.eu.timezone"),
        (SMALL.replace("Europe/Berlin", "localtime"), "unknown timezone 'localtime'"),
        (SMALL + '[regions.eu.tables.sales]\ntimezone = "Mars"', r"regions.eu.tables.sales.timezone.*'Mars'"),
        (SMALL.replace('"EUR"', '"euro"'), "regions.eu.currency"),
        (SMALL.replace("root", "rood"), "regions.eu.rood"),
        (SMALL.replace("regions.eu", "regions.EU"), "lower-case"),
        (SMALL.replace("regions.eu", "regions.global"), "not 'global'"),
        (SMALL + '[regions.eu.csv]\nencoding = "klingon"', "unknown encoding 'klingon'"),
        (SMALL + '[regions.eu.csv]\ndecimal = ","\nthousands = ","', "decimal and the thousands sign are the same"),
        (SMALL + '[regions.eu.csv]\ndatetime = "%Q"', "strptime directives"),
        (SMALL + '[regions.eu.csv]\ndate = "%d.%m."', "'%d.%m.' has no year"),
        (SMALL + '[regions.eu.csv]\ndatetime = "%H:%M"', "has no year and no month and no day"),
        (SMALL + '[regions.eu.csv]\ndatetime = "%Y-%m-%d %I:%M"', "needs a %p"),
        (SMALL + '[regions.eu.csv]\ndate = "%Y-%m-%d %"', "strptime directives"),
        (SMALL + '[regions.eu.csv]\ndelimiter = "\\n"', "neither the delimiter nor the quote"),
        (SMALL + '[regions.eu.csv]\nquote = "\\r"', "neither the delimiter nor the quote"),
        (SMALL + '[regions.eu.csv]\ntrue = ["0"]', "'0' means true as well as false"),
        (SMALL + '[regions.eu.tables.sales]\ncsv = { delimiter = ";;" }', "delimiter"),
        (SMALL + '[regions.eu.tables.sales]\ndays = ["someday"]', "days"),
        (SMALL + 'leaves = "everything"', "regions.eu.leaves"),
        (SMALL + "start = 0001-01-01", r"regions.eu.start: 0001-01-01 is not in the calendar \(1970-01-01 to 2069"),
        (SMALL + "start = 2070-01-01", "regions.eu.start: 2070-01-01 is not in the calendar"),
        (SMALL + 'cutoff = "late"', "regions.eu.cutoff"),
        (SMALL + "cutoff = 6", "written as 06:00:00"),
        (SMALL + "[regions.eu.tables.sales.batches]\nsize = 0", "greater than or equal to 1"),
        (SMALL + "[regions.eu.tables.sales.batches]\nsize = 1001", "less than or equal to 1000"),
        (SMALL + '[regions.eu.tables.sales.batches]\non_invalid = "ignore"', "on_invalid"),
        (SMALL + 'queue = "https://sqs.eu-central-1.amazonaws.com/1/q"', "root is none"),
        (SMALL.replace('"eu"', '"s3://eu"') + 'queue = "eu-landing"', "regions.eu.queue.url"),
        (SMALL.replace('"eu"', '"s3://eu"') + 'queue = "https://me:pw@sqs.example.com/1/q"', "address of a queue"),
    ],
)
def test_a_registry_that_cannot_be_names_the_entry_and_the_reason(tmp_path, text, said):
    with pytest.raises(RegistryError, match=said) as error:
        load_registry(registry_file(tmp_path, text))
    assert "regions.toml" in str(error.value)


def test_no_registry_says_what_to_do(tmp_path):
    with pytest.raises(RegistryError, match="clearer sample"):
        load_registry(tmp_path / "regions.toml")


def test_a_table_s_format_is_the_region_s_with_its_own_differences(tmp_path):
    text = SMALL + '[regions.eu.csv]\ndelimiter = ";"\n[regions.eu.tables.sales]\ncsv = { decimal = "," }\n'
    region = load_registry(registry_file(tmp_path, text)).region("eu")
    source = region.source("sales")
    assert (source.csv.delimiter, source.csv.decimal, source.csv.quote) == (";", ",", '"')
    assert source.timezone == "Europe/Berlin"


def test_a_source_s_fingerprint_moves_with_what_decides_about_rows_only(tmp_path):
    def fingerprint(text: str) -> str:
        return load_registry(registry_file(tmp_path, text)).region("eu").source("sales").fingerprint

    base = SMALL + "[regions.eu.tables.sales]\n"
    assert fingerprint(base) == fingerprint(base.replace('root = "eu"', 'root = "moved"\ncutoff = 09:00:00'))
    assert fingerprint(base) != fingerprint(base.replace("Berlin", "Paris"))
    assert fingerprint(base) != fingerprint(base + 'columns = { sold_at = "Datum" }')
    assert fingerprint(base) != fingerprint(base.replace('root = "eu"', 'root = "eu"\nfold = "later"'))


def test_today_and_due_days_follow_the_region(platform: Platform):
    eu, us = platform.region("eu"), platform.region("us")
    instant = datetime(2024, 3, 10, 23, 30, tzinfo=UTC)
    assert (eu.today(instant), us.today(instant)) == (date(2024, 3, 11), date(2024, 3, 10))
    assert eu.is_due("fx_rates", date(2024, 3, 8)) and not eu.is_due("fx_rates", date(2024, 3, 9))
    assert not eu.is_due("customers", date(2024, 2, 29))


def test_unknown_names_list_the_known(platform: Platform):
    with pytest.raises(UnknownName, match="known: eu, us"):
        platform.region("mars")
    with pytest.raises(UnknownName, match="table of region us 'products'"):
        platform.region("us").source("products")
    with pytest.raises(UnknownName, match="transactions"):
        platform.contract("nothing")


def test_a_mapping_to_a_column_that_no_contract_has_is_refused(make_platform):
    wrong = SMALL + '[regions.eu.tables.customers]\ncolumns = { customer_nam = "Name" }\n'
    with pytest.raises(UnknownName, match=r"customer_nam.*\n.*customer_name"):
        make_platform(wrong)


@pytest.mark.parametrize(
    "columns",
    ['transaction_id = "id", ordered_at = "id"', 'transaction_id = "ordered_at"', 'customer_id = "quantity"'],
)
def test_two_columns_are_never_read_from_one(make_platform, columns):
    with pytest.raises(RegistryError, match=r"regions\.eu\.tables\.transactions\.columns: .* and .* the same column"):
        make_platform(f"{SMALL}[regions.eu.tables.transactions]\ncolumns = {{ {columns} }}\n")


def test_two_columns_may_change_their_names(make_platform):
    columns = 'transaction_id = "ordered_at", ordered_at = "transaction_id"'
    assert make_platform(f"{SMALL}[regions.eu.tables.transactions]\ncolumns = {{ {columns} }}\n")


US = '[regions.us]\ntimezone = "UTC"\ncurrency = "USD"\n'


@pytest.mark.parametrize(
    "text",
    [
        f'{SMALL}{US}root = "eu"',
        f'{SMALL}{US}root = "./x/../eu/"',
        f'{SMALL}{US}root = "eu/us"',
        f'{SMALL}{US}root = "eu/work/us"',
        f'{SMALL}{US}root = "linked"',
        f'{SMALL}work = "w"\n{US}root = "us"\nwork = "w"',
        f'{US}root = "global"',
        f'{US}root = "."',
        f'{US}root = "memory://a/us"\n[regions.eu]\nroot = "memory://a"\ntimezone = "UTC"\ncurrency = "EUR"\n',
        f'root = "memory://a"\n{US}root = "memory://a/"',
    ],
)
def test_no_root_is_or_lies_in_another(make_platform, tmp_path, text):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "linked").symlink_to("eu")
    with pytest.raises(RegistryError, match="the same, or one lies in the other"):
        make_platform(text)


def test_roots_may_lie_beside_each_other(make_platform):
    beside = [f'[regions.{name}]\ntimezone = "UTC"\ncurrency = "EUR"\nroot = "{name}"\n' for name in ("eu", "eu_2")]
    remote = SMALL.replace("regions.eu", "regions.us").replace('"eu"', '"memory://eu"')
    assert make_platform("".join([*beside, remote]))
    assert make_platform(f'{SMALL}work = "local/eu"\n{US}root = "us"\nwork = "local/us"\n')


def test_a_root_of_no_file_system(make_platform):
    with pytest.raises(RegistryError, match="eu: there can be no root 'nope://eu'"):
        make_platform(SMALL.replace('"eu"', '"nope://eu"'))


def test_a_byte_order_mark_is_taken_off(tmp_path):
    assert load_registry(registry_file(tmp_path, f"\ufeff{SMALL}")).region("eu")


def test_slot_names_survive_the_file_system():
    for name in ("a.csv", "Ünïcode 2024.csv", "../../etc/passwd", "a%2Fb", "x:y*?.csv"):
        assert "/" not in quoted(name)
        assert unquoted(quoted(name)) == name


def test_a_table_goes_through_in_batches_where_it_is_said(tmp_path: Path) -> None:
    text = SMALL.replace('"eu"', '"s3://eu"') + 'queue = "https://sqs.example.com/1/q"\n'
    text += "[regions.eu.tables.sales]\nbatches = { size = 7 }\n[regions.eu.tables.rates]\n"
    region = load_registry(registry_file(tmp_path, text)).region("eu")
    sales = region.batches("sales")
    assert sales and (sales.size, sales.on_invalid) == (7, "reject_rows")
    assert region.batches("rates") is None and region.batches("nothing") is None
    assert region.queue and (region.queue.url, region.queue.endpoint) == (
        "https://sqs.example.com/1/q",
        "https://sqs.example.com",
    )


def test_what_is_a_whole_picture_cannot_come_in_batches(make_platform: Callable[..., Platform]) -> None:
    with pytest.raises(RegistryError, match=r"tables\.stores\.batches: a delivery of stores is the whole picture"):
        make_platform(SMALL + "[regions.eu.tables.stores]\nbatches = {}\n")
