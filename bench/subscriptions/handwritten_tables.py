"""What the hand-written script knows of the two tables of elements: columns, types, rules."""

from dataclasses import dataclass

ID = r"^[^\s](?:.*[^\s])?$"
DAY = (
    "[12][0-9]{3}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    "|02-(?:0[1-9]|1[0-9]|2[0-8]))"
)
"""A day that there was, so that no cast can fail; the 29th of February is left to the careful way."""
TIME = rf'"{DAY} (?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{{6}}"'
EARLIEST = "TIMESTAMP '1970-01-01'"
WORD, PRICE = r'"[^"\\\x00-\x1f]*"', r"-?(?:0|[1-9][0-9]{0,5})\.[0-9]{1,2}"
KINDS = {
    # type: (what a text is not that is none, what a text of the type looks like; a cast alone would take more)
    "TIMESTAMP": ("timestamp", r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{1,6}"),
    "DECIMAL(18,2)": ("decimal", r"-?[0-9]+(?:\.[0-9]{1,2})?"),
    "BOOLEAN": ("boolean", "true|false"),
}


@dataclass(frozen=True)
class Field:
    """A column of an element: its key, how it stands in good JSON, its type, and what its value fulfils."""

    name: str
    key: str
    json: str
    type: str = "VARCHAR"
    check: str = ""
    holds: str = ""
    null: bool = False

    @property
    def kind(self) -> str:
        """What a text is not that is no value of the type; empty where anything is one."""
        return KINDS[self.type][0] if self.type in KINDS else ""

    @property
    def value(self) -> str:
        """SQL for the value of its text (`t_<name>`), NULL where the text is none."""
        if self.type not in KINDS:
            return f"t_{self.name}"
        shape = KINDS[self.type][1]
        return f"CASE WHEN regexp_full_match(t_{self.name}, '{shape}') THEN try_cast(t_{self.name} AS {self.type}) END"


def one_of(name: str, key: str, *values: str) -> Field:
    """A text that is one of these, if there is any."""
    return Field(
        name, key, f"{WORD}|null", check="isin", holds=f"{name} IN ({', '.join(map(repr, values))})", null=True
    )


@dataclass(frozen=True)
class Table:
    """A table whose rows are the elements in the stores' column `column`."""

    name: str
    column: str
    fields: tuple[Field, ...]
    checks: dict[str, str]
    """What a row fulfils, by rule."""
    is_spanning: bool = False
    """Whether no two rows of a store may share a day, but for that on which one ends and the next begins."""

    @property
    def sound(self) -> str:
        """A pattern of arrays whose elements have exactly these keys, in this order, with values of their types."""
        element = r"\{" + ",".join(f'"{f.key}":(?:{f.json})' for f in self.fields) + r"\}"
        return rf"\[(?:{element}(?:,{element})*)?\]"

    @property
    def structure(self) -> str:
        """What `from_json` makes of a sound array."""
        return "[{" + ",".join(f'"{f.key}":"{f.type}"' for f in self.fields) + "}]"

    @property
    def breaches(self) -> dict[str, str]:
        """By rule, what is true of a typed row that breaks it, where the value alone tells."""
        checked = {f"{f.name}.{f.check}": f"NOT ({f.holds})" for f in self.fields if f.check}
        return checked | {rule: f"NOT ({holds})" for rule, holds in self.checks.items()}


INTERVALS = Table(
    "install_intervals",
    "install_history",
    (
        Field("to_now", "toNow", "true|false", "BOOLEAN"),
        one_of("start_type", "startType", "CUSTOMER_REACTIVATED", "CUSTOMER_REOPENED"),
        Field("from_date", "fromDate", TIME, "TIMESTAMP", "greater_than_or_equal_to", f"from_date >= {EARLIEST}"),
        one_of("end_type", "endType", "CUSTOMER_CANCELLED", "CUSTOMER_CLOSED"),
        Field("to_date", "toDate", f"{TIME}|null", "TIMESTAMP", null=True),
    ),
    {
        "record.ends_after_it_starts": "to_date >= from_date",
        "record.open_exactly_when_installed": "to_now = (to_date IS NULL)",
    },
    is_spanning=True,
)
PERIODS = Table(
    "subscription_periods",
    "subscription_history",
    (
        Field("price", "price", PRICE, "DECIMAL(18,2)", "greater_than_or_equal_to", "price >= 0"),
        Field("plan_name", "planName", WORD, check="str_matches", holds=f"regexp_matches(plan_name, '{ID}')"),
        Field("from_date", "fromDate", TIME, "TIMESTAMP", "greater_than_or_equal_to", f"from_date >= {EARLIEST}"),
        Field("to_date", "toDate", f"{TIME}|null", "TIMESTAMP", null=True),
        Field("billing_on_date", "billingOnDate", f"{TIME}|null", "TIMESTAMP", null=True),
    ),
    {"record.ends_after_it_starts": "to_date >= from_date"},
)
