"""Decoding: what becomes of bytes before anything looks for records."""

import gzip
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearer_platform.silver import decode as module
from clearer_platform.silver.decode import decode
from clearer_platform.silver.outcome import Refusal
from clearer_platform.silver.records import is_utf8

LIMIT = 10**9


def text(tmp_path: Path, data: bytes, encoding: str = "utf-8", suffix: str = ".data", limit: int = LIMIT) -> bytes:
    source = tmp_path / f"d{suffix}"
    source.write_bytes(data)
    return decode(source, encoding, tmp_path / "copy", limit).path.read_bytes()


def test_a_plain_file_is_read_where_it_is(tmp_path: Path) -> None:
    source = tmp_path / "d.data"
    source.write_bytes("a,é\n1,2\n".encode())
    found = decode(source, "UTF8", tmp_path / "copy", LIMIT)
    assert found.path == source and not found.is_copy and not (tmp_path / "copy").exists()


def test_line_ends_across_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 3)
    assert text(tmp_path, b"ab\r\ncd\r\n\r\nef\rg\r\n\r") == b"ab\ncd\n\nef\rg\n\r"
    assert text(tmp_path, b"ab\rcd\r\ref\r") == b"ab\ncd\n\nef\n"


def test_a_mark_across_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 4)
    assert text(tmp_path, "\ufeffäb\n".encode("utf-16-le"), "utf-16") == "äb\n".encode()
    assert text(tmp_path, "\ufeffäb\n".encode()) == "äb\n".encode()


@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\ufeff")),
    st.sampled_from(["utf-16", "utf-32", "gb18030"]),
)
def test_text_survives(tmp_path_factory: pytest.TempPathFactory, value: str, encoding: str) -> None:
    folder = tmp_path_factory.getbasetemp()
    if not value.encode(encoding).startswith((b"\x1f\x8b", b"\x28\xb5\x2f\xfd")):
        assert text(folder, value.encode(encoding), encoding) == value.encode()


@given(st.binary(max_size=60), st.sampled_from(["shift_jis", "cp1252", "euc_jp", "gb18030", "utf-16-le", "big5"]))
def test_a_bad_byte_never_becomes_text_nor_takes_a_line_end(
    tmp_path_factory: pytest.TempPathFactory, junk: bytes, encoding: str
) -> None:
    """Either the codec takes the bytes, or the result is not UTF-8; the next line is untouched in both cases."""
    folder = tmp_path_factory.getbasetemp()
    width = len("\n".encode(encoding))
    junk = junk[: len(junk) // width * width]
    data = "a\n".encode(encoding) + junk + "\nz\n".encode(encoding)
    try:
        is_text = bool(data.decode(encoding)) or True
    except UnicodeDecodeError:
        is_text = False
    found = text(folder, data, encoding)
    assert is_utf8(found) == is_text
    assert found.startswith(b"a") and (found.endswith(b"z\n") or width == 2)


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_a_bomb_is_refused_while_it_is_opened(tmp_path: Path, suffix: str) -> None:
    zeros = b"0" * 50_000_000
    data = gzip.compress(zeros) if suffix == ".gz" else pa.compress(zeros, "zstd", asbytes=True)
    with pytest.raises(Refusal) as e:
        text(tmp_path, data, suffix=f".data{suffix}", limit=10_000_000)
    assert e.value.problem.rule == "delivery.too_large"
    assert (tmp_path / "copy").stat().st_size <= 10_000_000 + 2 * module.BLOCK


def test_how_far_a_truncated_file_could_be_read(tmp_path: Path) -> None:
    whole = b"".join(b"%d,some text,%d\n" % (i, i * 7919 % 1000) for i in range(100_000))
    data = gzip.compress(whole)
    with pytest.raises(Refusal) as e:
        text(tmp_path, data[: len(data) // 2], suffix=".data.gz")
    problem = e.value.problem
    assert problem.line is not None and 20_000 < problem.line < 80_000
    assert f"(line {problem.line:,})" in problem.message
