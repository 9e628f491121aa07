"""Tables for spreadsheets: a text that a spreadsheet would run as a formula is given out as plain text.

This is done to what is exported and never to what is kept: whoever reads the same rows as JSON gets them as they are.
"""

import pyarrow as pa
import pyarrow.compute as pc

FORMULA = "^[\\s\\x00]*[=+\\-@＝＋－＠]|^[\\t\\r\\n]"
"""How a text begins that a spreadsheet takes for a formula, also after blanks and in full width."""


def defused(table: pa.Table) -> pa.Table:
    """`table` with an apostrophe before every text that begins like a formula. Numbers are no texts: -5 stays -5."""
    for place, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type) and _is_text(field.type.value_type):
            column = table.column(place).cast(field.type.value_type)
        elif _is_text(field.type):
            column = table.column(place)
        else:
            continue
        marked = pc.binary_join_element_wise(pa.scalar("'", column.type), column, pa.scalar("", column.type))
        safe = pc.if_else(pc.match_substring_regex(column, FORMULA), marked, column)
        table = table.set_column(place, field.name, safe)
    return table


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
