"""What the HTTP source takes from a server's answers, and that nothing is lost or doubled: one promise a test."""

import gzip
import tracemalloc
from pathlib import Path

import pytest

from clearer_platform.bronze import history
from clearer_platform.errors import Busy
from clearer_platform.platform import Platform
from clearer_platform.sources.http import fetch
from clearer_platform_tests.sources.faulty_api import Answer
from clearer_platform_tests.sources.service import DAY, body, listed


@pytest.mark.parametrize(
    ("served", "path", "lines"),
    [
        ('[{"a":1.50},{"a":12345678901234567890123}]', "", ['{"a":1.50}', '{"a":12345678901234567890123}']),
        ('\ufeff [ {"a" : 1} , [2], "x", null ]\n', "", ['{"a" : 1}', "[2]", '"x"', "null"]),
        ('{"items": [\n  {\n    "a": "b  c",\r\n    "d": [1,\n 2]\n  }\n]}', "items", ['{"a": "b  c","d": [1,2]}']),
        ('{"d": {"x": [0], "r": {"s": [{"k": 1, "k": 2}]}}, "r": 1}', "d.r.s", ['{"k": 1, "k": 2}']),
        ('{"d": [{"t": "\\u00e9\\n\\u0000é"}]}', "d", ['{"t": "\\u00e9\\n\\u0000é"}']),
        ('{"d": [{"n": NaN, "e": 1E+5}]}', "d", ['{"n": NaN, "e": 1E+5}']),
        ('{"d": [{"t": "]}, {"}]}', "d", ['{"t": "]}, {"}']),
        ('{"d": [1' + "0" * 5000 + "]}", "d", ["1" + "0" * 5000]),
        ('{"d": []}', "d", []),
        ("[{},{}]", "", ["{}", "{}"]),
    ],
)  # fmt: skip
def test_records_are_taken_exactly_as_served(api, served, path, lines):
    api.serve(body(served), records=path)
    assert api.text() == "".join(f"{line}\n" for line in lines)


def test_a_byte_that_is_no_text_comes_through(api):
    api.serve(body(b'[{"a": "\xff\xc3"}]'))
    assert api.fetch().delivery.content.read_bytes() == b'{"a": "\xff\xc3"}\n'


@pytest.mark.parametrize(
    "served",
    ["", "[1", "[1]]", '{"items": [1}', '{"data": []}', '{"items": {}}', '{"items": null}', "[1]", '{"items": [1]} x',
     '{"items": ["two\nlines"]}', "[" * 100_000],
)  # fmt: skip
def test_what_is_no_page_is_refused(api, served):
    service = api.serve(body(served), records="items", attempts=2)
    assert "us conversations 2024-03-31: the answer " in api.refused()
    assert len(service.paths) == 2
    assert not api.platform.layout("us").bronze("conversations").exists()


@pytest.mark.parametrize("kind", ["text/html", "text/csv", "image/png"])
def test_what_says_it_is_something_else_is_refused(api, kind):
    api.serve(lambda n, query: Answer(b"[]", kind), attempts=2)
    assert f"the answer is {kind}, not json" in api.refused()


def test_a_window_that_is_too_large_is_refused(api):
    service = api.serve(
        lambda n, query: listed("x" * 400, n, next=str(n)), records="items", style="cursor", next="next", max_bytes=1000
    )
    assert "max_bytes" in api.refused()
    assert len(service.paths) == 3


def test_an_answer_that_unpacks_to_too_much_is_refused_before_it_fills_the_memory(api):
    packed = gzip.compress(b"[" + b" " * 100_000_000 + b"]")
    api.serve(lambda n, query: Answer(packed, "application/json", headers={"Content-Encoding": "gzip"}), max_bytes=1000)
    tracemalloc.start()
    try:
        assert "max_bytes" in api.refused()
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_the_same_window_again_is_no_news_and_another_replaces_it(api):
    served = [[1], [1], [1, 2]]
    api.serve(lambda n, query: listed(*served[n]), records="items")
    assert [api.fetch().is_new for _ in served] == [True, False, True]
    assert api.text and len(history(api.platform.layout("us"), "conversations", DAY, f"conversations-{DAY}.jsonl")) == 2


def test_csv_pages_are_joined_under_one_header(api, make_platform):
    pages = ['id;text\r\n1;"ä\r\nb"\r\n2;""""\r\n', "id;text\r\n3;x\r\n", "id;text\r\n"]
    service = api.serve(
        lambda n, query: Answer(pages[int(query["page"]) - 1].encode("cp1252"), "text/csv"), style="page", format="csv"
    )
    written = (api.platform.settings.home / "regions.toml").read_text()
    api.platform = make_platform(written + '\n[regions.us.csv]\nencoding = "cp1252"\ndelimiter = ";"\n')
    assert api.fetch().delivery.content.read_bytes().decode("cp1252") == 'id;text\n1;"ä\r\nb"\n2;""""\n3;x\n'
    assert [q["page"] for q in service.queries] == ["1", "2", "3"] * 2
    pages[1] = "text;id\r\nx;3\r\n"
    assert "header is another" in api.refused()


# Nothing lost, nothing doubled


def test_a_shift_to_and_fro_in_each_pass_does_not_deceive(api):
    """A record comes after page 1 and goes after page 2, in two passes alike: d is on no page that is asked for."""
    calm, shifted = list("abcdef"), list("xabcdef")

    def respond(n, query):
        state = shifted if query["page"] == "2" and n < 8 else calm
        at = 2 * int(query["page"]) - 2
        return listed(*state[at : at + 2])

    api.serve(respond, records="items", style="page", attempts=5)
    assert api.text() == "".join(f'"{c}"\n' for c in calm)


def test_as_many_going_as_coming_does_not_deceive_the_total(api):
    def respond(n, query):
        state = list("abcd") if n == 0 else list("bcde")
        at = 2 * int(query["page"]) - 2
        return listed(*state[at : at + 2], total=4)

    api.serve(respond, records="items", style="page", total="total")
    assert api.text() == "".join(f'"{c}"\n' for c in "bcde")


def test_a_record_that_is_truly_on_two_pages_is_taken_once(api):
    pages = [["a", "b"], ["b", "c"], []]
    service = api.serve(lambda n, query: listed(*pages[int(query["page"]) - 1]), records="items", style="page")
    assert api.text() == '"a"\n"b"\n"c"\n'
    assert len(service.paths) == 9


def test_records_alike_in_one_answer_are_the_servers_own(api):
    api.serve(lambda n, query: listed("a", "a"), records="items")
    assert api.text() == '"a"\n"a"\n'


@pytest.mark.parametrize(("total", "lines"), [(2, None), (3, 3), (4, 3), (5, None)])
def test_the_stated_total_must_come(api, total, lines):
    pages = {"": ("a", "b"), "1": ("b", "c")}

    def respond(n, query):
        at = query.get("after", "")
        return listed(*pages[at], total=total, **({"next": 1} if at == "" else {}))

    api.serve(respond, records="items", style="cursor", cursor="after", next="next", total="total", attempts=2)
    if lines is None:
        assert f"{total} were stated" in api.refused()
    else:
        assert api.fetch().delivery.manifest.record_count == lines


def test_cursors_that_go_round_are_noticed(api):
    after = {"": "1", "1": "2", "2": "1"}
    service = api.serve(
        lambda n, query: listed(n, next=after[query.get("cursor", "")]), records="items", style="cursor", next="next"
    )
    assert "cursor a second time" in api.refused()
    assert len(service.paths) == 2 + 5


def test_a_server_that_knows_no_pages_is_noticed(api):
    service = api.serve(lambda n, query: listed("a", "b"), records="items", style="page", attempts=3)
    assert "page before once more (page 2" in api.refused()
    assert len(service.paths) == 1 + 3


def test_an_older_reading_is_never_received_after_a_newer_one(api, make_platform):
    api.serve(body("[]"))
    with api.platform.layout("us").lock("http-conversations"):
        settings = api.platform.settings.model_copy(update={"lock_timeout": 0})
        with pytest.raises(Busy):
            fetch(Platform(settings, api.platform.registry, api.platform.contracts), "us", "conversations", DAY)


def test_what_a_killed_reader_left_is_neither_read_nor_kept(api):
    api.serve(body("[1]"))
    left: Path = api.platform.layout("us").work / "http" / ".partial-conversations"
    left.parent.mkdir(parents=True)
    left.write_text("a longer half of something")
    assert api.text() == "1\n"
    assert [p.name for p in left.parent.iterdir()] == ["conversations.json"]
