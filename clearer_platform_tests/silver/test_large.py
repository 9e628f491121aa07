"""Files larger than the pieces in which the engine reads them in parallel."""

import csv
import io
import random

import pytest

from clearer_platform.silver import exact, records, validate
from clearer_platform_tests.silver.judging import TEXTS, Region


@pytest.fixture(scope="module")
def rows() -> list[list[str]]:
    """Rows of which many hold quotes and line ends, in text that looks like records of its own."""
    rng = random.Random(7)
    traps = ['x,y,z\n1,2,3\n"', '\n"a","b","c"\n', 'he said ""no"",\n\n', "plain", 'a "quoted" word', "\n,,\n" * 5]
    filler = "lorem ipsum " * 12
    return [[f"{i}", rng.choice(traps) * rng.randint(1, 4) + filler, rng.choice(traps)] for i in range(60_000)]


def written(rows: list[list[str]]) -> str:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\n").writerows([["a", "b", "c"], *rows])
    return buffer.getvalue()


def test_quoted_line_ends_over_many_pieces(tmp_path, rows) -> None:
    """A reader that starts in the middle of a quoted field must not take it for records."""
    text = written(rows)
    assert len(text) > 12_000_000
    judged = Region(tmp_path, TEXTS, csv={"nulls": []}).judge(text)
    assert (judged.outcome.accepted, judged.outcome.rejected) == (len(rows), 0)
    assert [[row["a"], row["b"], row["c"]] for row in judged.rows] == rows
    assert judged.rows[-1]["_line"] == text[: text.rindex("\n59999,")].count("\n") + 2


def test_the_engine_finds_its_pieces_wrong_and_starts_over(tmp_path, rows, monkeypatch) -> None:
    monkeypatch.setattr(validate, "PARALLEL_BYTES", 10**12)
    judged = Region(tmp_path, TEXTS, csv={"nulls": []}).judge(written(rows))
    assert (judged.outcome.accepted, judged.outcome.rejected) == (len(rows), 0)


def test_one_bad_quote_in_a_large_file(tmp_path, rows) -> None:
    """The exact path: only the bad record is rejected, and every other one is where it was."""
    lines = written(rows)
    at = lines.index("\n30000,") + 1
    judged = Region(tmp_path, TEXTS, csv={"nulls": []}).judge(lines[:at] + 'bad,"quote" here,\n' + lines[at:])
    assert judged.broken == {lines[:at].count("\n") + 1: ["record.malformed"]}
    assert [[row["a"], row["b"], row["c"]] for row in judged.accepted] == rows


def test_both_ways_of_finding_records_agree(rows) -> None:
    buffer = written(rows).encode()
    fast = records.index(buffer, ",", '"')
    slow, good = exact.index(buffer, ",", '"', 3)
    assert fast is not None and good.all()
    assert records.has_fields(buffer, fast, ",", 3).all()
    for name in ("starts", "ends", "lines"):
        assert (getattr(fast, name) == getattr(slow, name)).all()
    assert (fast.is_multiline, slow.is_multiline) == (True, True)
