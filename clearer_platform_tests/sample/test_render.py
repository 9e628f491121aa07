"""Every file reads back, by the csv module and the region's codec, as the rows that it was made from."""

import csv
import gzip
import io
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from clearer_platform import sample
from clearer_platform.platform import Platform
from clearer_platform.regions import TableSource
from clearer_platform.sample import render
from clearer_platform.sample.rows import Element, Elements, File, Impossible, WallTime
from clearer_platform.sample.truth import FileTruth


def text_of(platform: Platform, file: File) -> str:
    data = sample.content(platform, file)
    data = gzip.decompress(data) if file.name.endswith(".gz") else data
    return data.decode(platform.source(file.region, file.table).csv.encoding, "surrogateescape")


def records(platform: Platform, file: File) -> list[tuple[int, list[str]]]:
    """Header and records of a file, each with the physical line on which it starts. One that it lacks is on 0."""
    source = platform.region(file.region).source(file.table)
    reader = csv.reader(io.StringIO(text_of(platform, file), newline=""), delimiter=source.csv.delimiter)
    found, line = [] if source.csv.header else [(0, [c.name for c in platform.contract(file.table).columns])], 1
    for record in reader:
        found.append((line, record))
        line = reader.line_num + 1
    return found


def read_back(text: str, like: object, source: TableSource) -> object:
    """A cell as a value of the kind of `like`."""
    form = source.csv
    if text in form.nulls:
        return None
    if isinstance(like, bool):
        return {form.true[0]: True, form.false[0]: False}[text]
    if isinstance(like, Decimal):
        return Decimal(
            text.replace(form.thousands, "").replace(form.decimal, ".")
            if form.thousands
            else text.replace(form.decimal, ".")
        )
    if isinstance(like, int):
        return int(text)
    if isinstance(like, datetime):
        return datetime.strptime(text, form.datetime)
    if isinstance(like, date):
        return datetime.strptime(text, form.date).date()
    return text


def written(value: object, source: TableSource) -> object:
    """What a canonical value should read back as: instants as local times."""
    if isinstance(value, datetime):
        return value.astimezone(ZoneInfo(source.timezone)).replace(tzinfo=None)
    return value.local if isinstance(value, WallTime) else value


def whole(truth: sample.Truth) -> list[FileTruth]:
    """Every version of every delimited file but the truncated one."""
    versions = [v for versions in truth.versions.values() for v in versions]
    return [v for v in versions if not v.file.truncated and not v.file.is_json_lines]


def test_every_clean_row_reads_back_as_it_was_made(platform: Platform, truth: sample.Truth) -> None:
    compared = 0
    for file in (v.file for v in whole(truth)):
        source = platform.region(file.region).source(file.table)
        (_, header), *rest = records(platform, file)
        back = {name: column for column, name in source.columns.items()}
        columns = [back.get(name, name) for name in header]
        assert len(rest) == len(file.rows)
        for (_, cells), row in zip(rest, file.rows, strict=True):
            if not row.broken:
                values = {c: v for c, v in zip(columns, cells, strict=True) if c not in file.extra}
                for column, text in values.items():
                    if isinstance(array := row.values[column], Elements):
                        check_array(platform, file, column, text, array)
                        continue
                    like = written(array, source)
                    assert read_back(text, like, source) == like, (file.name, column)
                compared += 1
    assert compared > 3000


def check_array(platform: Platform, file: File, column: str, text: str, array: Elements) -> None:
    """The text is the array: each object has the element's values under the names that the region gives them."""
    child = next(c for c in platform.children(file.table) if c.nested and c.nested.column == column)
    source = platform.source(file.region, child.name)
    if array.is_cut:
        with pytest.raises(json.JSONDecodeError):
            json.loads(text)
        return
    for found, element in zip(json.loads(text, parse_float=Decimal), array.items, strict=True):
        assert found == {source.columns.get(n, n): as_json(v, source) for n, v in element.values.items()}


def as_json(value: object, source: TableSource) -> object:
    """What stands in JSON for a canonical value: moments as the region writes local times."""
    local = written(value, source)
    return local.strftime(source.csv.datetime) if isinstance(local, datetime) else local


def test_a_moment_in_an_array_is_a_local_time(platform: Platform) -> None:
    source = platform.source("us", "install_intervals")
    array = Elements((Element({"to_now": False, "from_date": datetime(2024, 10, 30, 4, tzinfo=UTC), "to_date": None}),))
    assert render.array_text(array, source) == '[{"toNow":false,"fromDate":"2024-10-30 00:00:00.000000","toDate":null}]'


def test_rejected_records_start_on_the_lines_that_the_truth_names(platform: Platform, truth: sample.Truth) -> None:
    multi_line = 0
    for version in whole(truth):
        lines = [line for line, _ in records(platform, version.file)][1:]
        broken = {line for line, row in zip(lines, version.file.rows, strict=True) if row.broken}
        assert broken <= set(version.rejected) <= set(lines)
        multi_line += lines != list(range(version.file.has_header + 1, len(lines) + version.file.has_header + 1))
    assert multi_line > 10, "messages with line breaks should shift lines"


@pytest.mark.parametrize(
    ("region", "table", "start"),
    [
        ("eu", "transactions", "Belegnummer;Bestellzeit;".encode("cp1252")),
        ("eu", "fx_rates", b"currency,day,rate\r\n"),
        ("us", "transactions", b"\xef\xbb\xbfOrder ID,Order Time,"),
        ("jp", "transactions", b"\x1f\x8b"),
        ("vn", "transactions", "Mã giao dịch\tThời gian đặt\t".encode()),
    ],
)
def test_each_region_writes_its_own_format(
    platform: Platform, truth: sample.Truth, region: str, table: str, start: bytes
) -> None:
    file = next(v.file for v in whole(truth) if (v.file.region, v.file.table) == (region, table))
    assert sample.content(platform, file).startswith(start)


def test_texts_are_in_the_legacy_encodings(platform: Platform, truth: sample.Truth) -> None:
    def raw(region: str, table: str) -> bytes:
        file = next(f for f in truth.files if (f.region, f.table, f.wave) == (region, table, 1))
        data = sample.content(platform, file)
        return gzip.decompress(data) if file.name.endswith(".gz") else data

    assert b"M\xfcnchen" in raw("eu", "transactions")  # ü in cp1252
    assert b"\x80 Aktion" in raw("eu", "products")  # the euro sign, which Latin-1 does not have
    assert b"\x90V\x8fh\x93X" in raw("jp", "transactions")  # 新宿店
    assert b"\x83\x5c\x83t\x83@" in raw("jp", "products")  # ソファ, whose first sign ends in the byte of a backslash
    assert b'"1,299.00"' in raw("us", "products")
    assert b"7.490.000" in raw("vn", "products")


def test_dirty_cells_are_what_they_claim(platform: Platform, truth: sample.Truth) -> None:
    seen = set()
    for version in whole(truth):
        source = platform.region(version.file.region).source(version.file.table)
        (_, header), *rest = records(platform, version.file)
        for (_, cells), row in zip(rest, version.file.rows, strict=True):
            if "record.malformed" in row.broken:
                assert len(cells) == len(header) + row.surplus != len(header)
                seen.add("malformed")
            if "record.undecodable" in row.broken:
                with pytest.raises(UnicodeEncodeError):
                    "".join(cells).encode(source.csv.encoding)
                seen.add("undecodable")
            for column in (c for c, v in row.values.items() if isinstance(v, Impossible)):
                text = cells[header.index(source.columns[column])]
                form = source.csv.datetime if isinstance(row.values[column].like, datetime) else source.csv.date  # type: ignore[union-attr]
                with pytest.raises(ValueError, match="day is out of range"):
                    datetime.strptime(text, form)
                seen.add("impossible")
    assert seen == {"malformed", "undecodable", "impossible"}


def test_the_truncated_archive_cannot_be_read(platform: Platform, truth: sample.Truth) -> None:
    (file,) = [v.file for versions in truth.versions.values() for v in versions if v.file.truncated]
    with pytest.raises(EOFError):
        gzip.decompress(sample.content(platform, file))


def test_what_the_api_serves_reads_back_as_it_was_made(platform: Platform, truth: sample.Truth) -> None:
    compared, kinds = 0, set()
    for file in (v.file for versions in truth.versions.values() for v in versions if v.file.is_json_lines):
        source = platform.region(file.region).source(file.table)
        lines = sample.content(platform, file).decode("utf-8", "surrogateescape").splitlines()
        assert len(lines) == len(file.rows)
        for line, row in zip(lines, file.rows, strict=True):
            for column, value in json.loads(line).items():
                made = row.values[column]
                if isinstance(made, datetime):
                    assert isinstance(value, str)
                    value = datetime.strptime(value, source.csv.datetime).replace(tzinfo=UTC)
                assert (value, type(value)) == (made, type(made)), (file.name, column)
                kinds.add(type(value))
            compared += 1
    assert compared > 50
    assert kinds == {str, int, bool, datetime, type(None)}
