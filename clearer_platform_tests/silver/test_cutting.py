"""Cutting: what a piece is taken for when it is judged is what it was cut as, whatever stands in the file."""

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from clearer_platform.contracts.hiring import DEPARTMENTS
from clearer_platform.errors import DeliveryError
from clearer_platform.regions import CsvFormat, TableSource
from clearer_platform.silver import segments
from clearer_platform.silver.cutting import landed
from clearer_platform.sources.batches import Batch
from clearer_platform.sources.batches.reading import read

TEXTS = st.text(st.sampled_from('ab,"\n\r\0é'), max_size=40)
LINES = ("1,a", '2,"b"', '3,"c\nd"', '"4","e ""f"""', "5", "6,g,h", '7,"i', "", 'j"k,l')
ROWS = st.lists(st.sampled_from(LINES), max_size=12).map("\n".join)


def source(header: bool) -> TableSource:
    about = {"region": "hr", "table": "departments", "timezone": "UTC", "fold": "earlier", "gap": "reject"}
    return TableSource(**about, csv=CsvFormat(header=header), columns={})  # type: ignore[arg-type]


@settings(max_examples=200, deadline=None)
@given(text=TEXTS | ROWS, header=st.booleans(), size=st.integers(1, 5), done=st.integers(0, 4))
def test_every_record_is_in_one_piece_and_judged_as_it_was_cut(
    tmp_path_factory, text: str, header: bool, size: int, done: int
) -> None:
    file = Path(tmp_path_factory.getbasetemp()) / "cut.data"
    body = "1,a\n" + text if not header else "id,department\n" + text
    file.write_bytes(body.encode())
    about = source(header)
    with landed(file, "cut.csv", DEPARTMENTS, about, 10**6) as found:
        assert not file.exists()
        every = [found.records.slice(found.buffer, i) for i in range(len(found.records))]
        pieces = list(found.pieces(size, done))
    assert [line for piece in pieces for line in piece.lines] == found.records.lines[done:].tolist()
    assert [len(piece.lines) for piece in pieces[:-1]] == [size] * (len(pieces) - 1)
    judged = []
    for piece in pieces:
        incoming = read(Batch(piece.content, "csv", header=True), DEPARTMENTS, about)
        assert incoming.columns == ("id", "department")
        part, _ = segments.index(incoming.content, [incoming.lines], ",", '"', 2)
        assert len(part) == len(piece.lines)
        judged += [part.slice(incoming.content, i) for i in range(len(part))]
    assert judged == every[done:]


def test_a_refused_file_leaves_no_copy(tmp_path: Path) -> None:
    file = tmp_path / "bad.data"
    file.write_bytes(b"\xff\xfe1\x00")
    try:
        with landed(file, "bad.csv", DEPARTMENTS, source(False), 100):
            raise AssertionError("it is no text in UTF-8")
    except DeliveryError as e:
        assert "UTF-16 byte-order mark" in e.message
    assert list(tmp_path.iterdir()) == [file]
