"""What the registry may say of the calendar: its years for all regions, and each region's holidays and fiscal year."""

import re
from collections import defaultdict
from collections.abc import Mapping
from datetime import date
from importlib.metadata import version
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from clearer_platform.errors import RegistryError

MOST_YEARS = 500
ANY_YEAR = 2001
"""A year without a leap day: a fiscal year starts on a day that every year has."""


def _iso(day: Any) -> Any:
    """`day` as a date where it is text; pydantic alone would take one in digits for seconds."""
    return date.fromisoformat(day) if isinstance(day, str) else day


def _code(text: str) -> str:
    if not re.fullmatch(r"[A-Z]{2,3}(-.+)?", text):
        raise ValueError(f"{text!r} is no country such as DE, nor a part of one such as DE-BY")
    return text


def _first_of_year(text: str) -> str:
    if not re.fullmatch(r"\d\d-\d\d", text) or int(text[3:]) > 28:
        raise ValueError(f"{text!r} is no month and day that every month has, such as 04-01")
    date.fromisoformat(f"{ANY_YEAR}-{text}")
    return text


IsoDate = Annotated[date, BeforeValidator(_iso)]
HolidayCode = Annotated[str, AfterValidator(_code)]
FirstOfYear = Annotated[str, AfterValidator(_first_of_year)]


class Calendar(BaseModel):
    """The days that the calendar has: whole years."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    first: IsoDate = Field(default=date(1970, 1, 1), description="First day, a 1 January.")
    last: IsoDate = Field(default=date(2069, 12, 31), description="Last day, a 31 December.")

    @model_validator(mode="after")
    def _whole_years(self) -> "Calendar":
        if (self.first.month, self.first.day, self.last.month, self.last.day) != (1, 1, 12, 31):
            raise ValueError("it has whole years: first is a 1 January and last a 31 December")
        if not 0 <= self.last.year - self.first.year < MOST_YEARS:
            raise ValueError(f"last comes after first, and at most {MOST_YEARS} years are between them")
        return self

    def __contains__(self, day: date) -> bool:
        return self.first <= day <= self.last


def library(code: str | None) -> str | None:
    """The version of the library that knows the holidays of `code`, if they are asked for."""
    return version("holidays") if code else None


def holidays(calendar: Calendar, code: str | None, own: Mapping[date, str]) -> dict[date, str]:
    """Day -> name of every holiday within the calendar, in order: those of `code` and a region's `own`.

    A country's begin where the library's knowledge does (Germany's in 1990). Names are in its own language; several of
    one day are joined by "; ". A holiday that is made up for on another day stands on both. Raises RegistryError for a
    country, or a part of one, that is not known, with those that are.
    """
    found: dict[date, list[str]] = defaultdict(list)
    for day, name in [*(_public(calendar, code) if code else {}).items(), *own.items()]:
        found[day].append(name)
    return {day: "; ".join(dict.fromkeys(names)) for day, names in sorted(found.items())}


def _public(calendar: Calendar, code: str) -> Mapping[date, str]:
    import holidays as library  # Takes as long to import as all else of the registry, and only a first build asks.

    country, _, part = code.partition("-")
    known = library.list_supported_countries()
    if country not in known:
        names = ", ".join(sorted(library.list_supported_countries(include_aliases=False)))
        raise RegistryError(f"holidays {code!r}: unknown country {country!r}", hint=f"known: {names}")
    if part and part not in known[country]:
        names = ", ".join(sorted(known[country])) or "none"
        raise RegistryError(f"holidays {code!r}: {country} has no part {part!r}", hint=f"known: {names}")
    years = range(calendar.first.year, calendar.last.year + 1)
    # Without a language it takes that of the machine, and gold would depend on where it is built.
    language = library.country_holidays(country).default_language
    found = library.country_holidays(country, subdiv=part or None, years=years, expand=False, language=language)
    return {day: name for day, name in found.items() if day in calendar}
