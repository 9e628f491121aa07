"""Text of others in markdown: it is read back as it was, whatever signs are in it."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from clearer_platform.defs import markdown

GITHUB = MarkdownIt("commonmark").enable(["table", "strikethrough"])
ANY = st.text(st.characters(exclude_categories=["C", "Z"]) | st.sampled_from("|*_`<>[]()\\~&#-+!.1a "), max_size=12)


def shown(text: object) -> list[str]:
    """What a reader sees of each cell or list item."""
    parts = [token.children or [] for token in GITHUB.parse(str(text)) if token.type == "inline"]
    assert {child.type for children in parts for child in children} <= {"text", "text_special"}
    return ["".join(child.content for child in children) for children in parts]


@given(st.lists(st.tuples(ANY, ANY), max_size=3))
@example([("its name does not end in .csv[.gz|.zst]", "2024-10-24 08:00")])
@example([("_region", "`a|b`")])
@example([("__0_", "a_b__c")])
def test_a_table_shows_what_it_was_given(rows: list[tuple[str, str]]) -> None:
    text = markdown.table(["a", "b"], rows).value
    assert shown(text) == ["a", "b", *(cell.strip() for row in rows for cell in row)]


@pytest.mark.parametrize("item", ["ve|rk*a*uf_2024.csv", "`a`", "*a* _b_ [c](d)", "<b>&amp;</b>", "C:\\new"])
def test_a_list_shows_what_it_was_given(item: str) -> None:
    assert shown(markdown.bullets([item, "b"]).value) == [item, "b"]


def test_a_value_stays_on_its_line() -> None:
    assert [markdown.text(value) for value in ("a\nb", "a\r\n\u2028b", None, 1.5)] == ["a b", "a  b", "", "1.5"]
