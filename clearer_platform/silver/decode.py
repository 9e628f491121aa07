"""Bytes as delivered -> a local UTF-8 file with LF line ends and no byte-order mark.

Decompression happens here and never in the engine, which accepts the readable part of a truncated file without a word.
A byte that is not text in its encoding stays an invalid byte, so that only its own record is rejected.
"""

import codecs
import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from clearer_platform.silver.outcome import Refusal

BLOCK = 1 << 22
UNDECODABLE = 0xFF
"""Never part of UTF-8 text: in a re-encoded file it marks an undecodable byte, whose value follows in hex."""
MARKS = {codecs.BOM_UTF8: "UTF-8", codecs.BOM_UTF16_LE: "UTF-16", codecs.BOM_UTF16_BE: "UTF-16"}
MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}


@dataclass(frozen=True)
class Text:
    """A delivery's text in a local file."""

    path: Path
    is_copy: bool
    """Whether `path` was written here (and is to be removed); False where the delivery itself can be read."""
    is_reencoded: bool
    """Whether undecodable bytes were marked by UNDECODABLE."""
    encoding: str


def decode(source: Path, encoding: str, copy: Path, limit: int, *, is_exact: bool = False) -> Text:
    """The text of the file `source`; written to `copy` unless it can be read where it is.

    One that `is_exact` is taken as it stands: its carriage returns are part of values.

    Raises Refusal for what cannot be decompressed, is in another encoding, or has more than `limit` bytes.
    """
    codec = codecs.lookup(encoding).name
    is_utf8 = codec in ("utf-8", "utf-8-sig")
    if is_exact:
        if source.stat().st_size > limit:
            raise _too_large(limit)
        return Text(source, is_copy=False, is_reencoded=False, encoding=encoding)
    if is_utf8 and source.suffix == ".data" and not _must_change(source, limit):
        return Text(source, is_copy=False, is_reencoded=False, encoding=encoding)
    copy.parent.mkdir(parents=True, exist_ok=True)
    blocks = _bounded(_decompressed(source), limit)
    blocks = _without_mark(blocks, codec) if is_utf8 else _reencoded(_first_looked_at(blocks, codec), codec)
    _write(copy, blocks)
    return Text(copy, is_copy=True, is_reencoded=not is_utf8, encoding=encoding)


def _must_change(source: Path, limit: int) -> bool:
    """Whether a plain UTF-8 file has a byte-order mark or carriage returns."""
    if source.stat().st_size > limit:
        raise _too_large(limit)
    with source.open("rb") as f:
        first = block = f.read(BLOCK)
        _refuse_foreign(first, "utf-8")
        if first.startswith(codecs.BOM_UTF8):
            return True
        while block:
            if b"\r" in block:
                return True
            block = f.read(BLOCK)
    return False


def _decompressed(source: Path) -> Iterator[bytes]:
    """The blocks of a file, decompressed by its name. Raises Refusal that says how far it could be read."""
    kind = {".gz": "gzip", ".zst": "zstd"}.get(source.suffix, "")
    if kind and not source.stat().st_size:
        raise Refusal("truncated", f"not a {kind} file: it has no bytes", line=1)
    read, lines = 0, 0
    try:
        with _opened(source, kind) as f:
            # One read at a time, so that what stands before the damage is seen and counted.
            take = getattr(f, "read1", f.read)
            while block := take(BLOCK):
                read, lines = read + len(block), lines + block.count(b"\n")
                yield block
    except (EOFError, OSError, zlib.error) as e:
        if not kind:
            raise
        reason = "ends early" if isinstance(e, EOFError) or "runcated" in str(e) else "is damaged"
        raise Refusal(
            "truncated" if reason == "ends early" else "damaged",
            f"the {kind} data {reason} after {read:,} readable bytes (line {lines + 1:,}); nothing of it is used",
            line=lines + 1,
        ) from e


def _opened(source: Path, kind: str) -> BinaryIO:
    if kind == "gzip":
        return gzip.open(source, "rb")  # type: ignore[return-value]
    if kind == "zstd":
        return pa.CompressedInputStream(pa.OSFile(str(source)), "zstd")  # type: ignore[no-any-return]
    return source.open("rb")


def _bounded(blocks: Iterator[bytes], limit: int) -> Iterator[bytes]:
    """The same blocks, but no more than `limit` bytes of them: a small file can hold any number of bytes."""
    size = 0
    for block in blocks:
        size += len(block)
        if size > limit:
            raise _too_large(limit)
        yield block


def _too_large(limit: int) -> Refusal:
    return Refusal("too_large", f"more than {limit:,} bytes uncompressed (CLEARER_MAX_DELIVERY_BYTES)")


def _first_looked_at(blocks: Iterator[bytes], codec: str) -> Iterator[bytes]:
    first = next(blocks, b"")
    _refuse_foreign(first, codec)
    yield first
    yield from blocks


def _refuse_foreign(first: bytes, codec: str) -> None:
    """Refuse a file whose first bytes say that it is something else than text in `codec`."""
    for magic, kind in MAGIC.items():
        if first.startswith(magic):
            raise Refusal("undecodable", f"{kind} data in a file that is not named so; name it .gz or .zst", line=1)
    if codec.startswith(("utf-16", "utf-32")):
        return
    for mark, name in MARKS.items():
        if first.startswith(mark) and not (name == "UTF-8" and codec.startswith("utf-8")):
            raise Refusal("undecodable", f"a {name} byte-order mark in a file that should be {codec}", line=1)


def _without_mark(blocks: Iterator[bytes], codec: str) -> Iterator[bytes]:
    first = next(blocks, b"")
    _refuse_foreign(first, codec)
    yield first.removeprefix(codecs.BOM_UTF8)
    yield from blocks


def _reencoded(blocks: Iterator[bytes], codec: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(codec)("clearer.marked")
    is_first = True
    for block in blocks:
        text = decoder.decode(block)
        yield _encoded(text.removeprefix("\ufeff") if is_first else text)
        is_first = is_first and not text
    yield _encoded(decoder.decode(b"", final=True))


def _encoded(text: str) -> bytes:
    """UTF-8; what the decoder marked becomes an invalid byte and two hex digits."""
    return text.encode("utf-8", "clearer.marked")


def _marked(error: UnicodeError) -> tuple[str | bytes, int]:
    """Error handler: decodes a bad byte to a lone surrogate, and encodes that as UNDECODABLE and the byte in hex."""
    if isinstance(error, UnicodeDecodeError):
        undecodable = error.object[error.start : error.end]
        # A codec may report ASCII bytes as part of a bad sequence; a line end among them must stay one.
        return "".join(chr(0xDC00 + b) if b != 0x0A else "\udc0a\n" for b in undecodable), error.end
    assert isinstance(error, UnicodeEncodeError)
    marks = (ord(c) for c in error.object[error.start : error.end])
    return b"".join(b"%c%02x" % (UNDECODABLE, mark & 0xFF) for mark in marks), error.end


codecs.register_error("clearer.marked", _marked)


def _write(copy: Path, blocks: Iterator[bytes]) -> None:
    """Write the blocks with LF for every CRLF, and for every CR where the file has no LF at all."""
    feeds = returns = 0
    with copy.open("wb") as f:
        held = b""
        for block in blocks:
            block = held + block
            held = b"\r" if block.endswith(b"\r") else b""
            block = block[: len(block) - len(held)].replace(b"\r\n", b"\n")
            feeds, returns = feeds + block.count(b"\n"), returns + block.count(b"\r")
            f.write(block)
        f.write(held)
    if not feeds and (returns or held):
        _returns_to_feeds(copy)


def _returns_to_feeds(path: Path) -> None:
    with path.open("r+b") as f:
        while block := f.read(BLOCK):
            f.seek(-len(block), 1)
            f.write(block.replace(b"\r", b"\n"))
