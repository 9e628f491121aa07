"""What must come out, worked out in plain Python from the rows that were made: nothing of the platform is asked.

It knows which rows break which rule because it broke them, which version of a slot counts because it made the versions,
and the time zones from `zoneinfo`. The tests compare silver and gold with it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from zoneinfo import ZoneInfo

from clearer_platform.contracts import Contract
from clearer_platform.platform import Platform
from clearer_platform.regions import TableSource
from clearer_platform.sample.rows import Elements, File, Row, WallTime
from clearer_platform.sample.times import is_ambiguous, is_nonexistent

Slot = tuple[str, str, date, str]
Key = tuple[object, ...]


@dataclass(frozen=True)
class FileTruth:
    """What is true of one version of a file."""

    file: File
    rejected: dict[int, tuple[str, ...]]
    """Physical line -> the rules that its record breaks, sorted."""
    notes: Counter[str]
    """Notes on accepted rows about local times, `column.fold_earlier` and the like."""

    @property
    def delivered(self) -> int:
        """Number of records in the file."""
        return len(self.file.rows)

    @property
    def accepted(self) -> int:
        """Number of records that break no rule."""
        return self.delivered - len(self.rejected)

    def elements(self, contract: Contract) -> tuple[int, dict[tuple[int, int | None], tuple[str, ...]]]:
        """Of a nested table: how many elements the accepted records have, and the rules that those rejected break.

        They stand by line and position; an array that breaks off is one element without a position.
        """
        assert contract.nested is not None
        column, number = contract.nested.column, 0
        broken: dict[tuple[int, int | None], tuple[str, ...]] = {}
        for line, row in zip(_lines(self.file), self.file.rows, strict=True):
            array = row.values[column]
            assert isinstance(array, Elements)
            if line in self.rejected:
                continue
            number += 1 if array.is_cut else len(array.items)
            if array.is_cut:
                broken[line, None] = (f"{column}.malformed",)
            else:
                broken |= {(line, n): e.broken for n, e in enumerate(array.items, 1) if e.broken}
        return number, broken

    @property
    def share(self) -> float:
        """Share of the records that break a rule."""
        return len(self.rejected) / self.delivered if self.rejected else 0.0

    @property
    def rules(self) -> Counter[str]:
        """How many records break each rule."""
        return Counter(rule for rules in self.rejected.values() for rule in rules)


@dataclass
class BranchDay:
    """The figures of one branch on one local day, in the region's currency; counts are of all statuses but `units`."""

    revenue: Decimal = Decimal(0)
    pending: Decimal = Decimal(0)
    failed: Decimal = Decimal(0)
    statuses: Counter[str] = field(default_factory=Counter)
    customers: set[str] = field(default_factory=set)
    products: set[str] = field(default_factory=set)
    units: int = 0
    """Sum of the quantities of completed transactions."""
    conversing: set[str] = field(default_factory=set)
    """Those of its customers who have a conversation by then."""

    @property
    def gross(self) -> Decimal:
        """The amounts of all statuses."""
        return self.revenue + self.pending + self.failed

    @property
    def transactions(self) -> int:
        """Number of transactions of any status."""
        return self.statuses.total()

    def add(self, row: Row) -> None:
        """Count a transaction."""
        values = row.values
        amount, status, quantity = values["total_amount"], str(values["status_value"]), values["quantity"]
        assert isinstance(amount, Decimal) and isinstance(quantity, int)
        place = {"Completed": "revenue", "Pending": "pending", "Failed": "failed"}[status]
        setattr(self, place, getattr(self, place) + amount)
        self.statuses[status] += 1
        self.customers.add(str(values["customer_id"]))
        self.products.add(str(values["product_id"]))
        self.units += quantity if status == "Completed" else 0


class Truth:
    """What is true once the first `waves` waves have been delivered and materialised, one after the other."""

    def __init__(self, platform: Platform, files: Iterable[File], waves: int = 2) -> None:
        self.platform = platform
        self.files = [file for file in files if file.wave <= waves]

    @cached_property
    def versions(self) -> dict[Slot, list[FileTruth]]:
        """Every version of every slot, the newest first."""
        found: dict[Slot, list[FileTruth]] = defaultdict(list)
        for file in sorted(self.files, key=lambda f: -f.wave):
            found[file.slot].append(_file_truth(file, self._source(file.region, file.table)))
        return dict(found)

    @cached_property
    def published(self) -> dict[Slot, FileTruth]:
        """The version of each slot that counts: the newest that was not refused as a whole."""
        good = {slot: [v for v in versions if not v.file.refused] for slot, versions in self.versions.items()}
        return {slot: versions[0] for slot, versions in good.items() if versions}

    @property
    def refused(self) -> list[FileTruth]:
        """Versions that were refused as a whole."""
        return [v for versions in self.versions.values() for v in versions if v.file.refused]

    def latest(self, region: str, table: str) -> dict[Key, Row]:
        """The row that counts for each key: the last by business day, then wave, then line; deleted keys are gone."""
        contract = self.platform.contract(table)
        slots = [v.file for slot, v in self.published.items() if slot[:2] == (region, table)]
        latest: dict[Key, Row] = {}
        for file in sorted(slots, key=lambda f: (f.day, f.wave)):
            rejected = self.published[file.slot].rejected
            for line, row in zip(_lines(file), file.rows, strict=True):
                if line not in rejected:
                    latest[_key(contract, row)] = row
        return {key: row for key, row in latest.items() if row.values.get("is_deleted") is not True}

    def held_back(self, region: str, table: str) -> dict[Key, list[str]]:
        """The keys of `table` whose rows wait, each with the parents that nobody delivered: the names of references."""
        found: dict[Key, list[str]] = defaultdict(list)
        for reference in self.platform.contract(table).awaited:
            there = self.latest(region, reference.table)
            for key, row in self.latest(region, table).items():
                if tuple(row.values[column] for column in reference.columns) not in there:
                    found[key].append(reference.name)
        return dict(found)

    def branch_days(self, region: str) -> dict[tuple[str, date], BranchDay]:
        """The figures of every branch and local day."""
        zone = self.platform.region(region).zone
        found: dict[tuple[str, date], BranchDay] = defaultdict(BranchDay)
        for row in self.latest(region, "transactions").values():
            found[str(row.values["branch_name"]), _local_day(row, "ordered_at", zone)].add(row)
        first: dict[str, date] = {}
        for row in self.latest(region, "conversations").values():
            day, customer = _local_day(row, "inserted_at", zone), str(row.values["customer_id"])
            first[customer] = min(day, first.get(customer, day))
        for (_, day), figures in found.items():
            figures.conversing = {customer for customer in figures.customers if first.get(customer, date.max) <= day}
        return dict(found)

    def rate(self, currency: str, day: date) -> Decimal | None:
        """What one unit was worth in the reporting currency: the rate of the day, or the last one before it."""
        if currency == self.platform.registry.reporting_currency:
            return Decimal(1)
        known = {key[1]: row.values["rate"] for key, row in self._rates.items() if key[0] == currency}
        last = max((d for d in known if isinstance(d, date) and d <= day), default=None)
        rate = known[last] if last else None
        assert rate is None or isinstance(rate, Decimal)
        return rate

    @cached_property
    def _rates(self) -> dict[Key, Row]:
        regions = {slot[0] for slot in self.published if slot[1] == "fx_rates"}
        return {key: row for region in sorted(regions) for key, row in self.latest(region, "fx_rates").items()}

    def _source(self, region: str, table: str) -> TableSource:
        return self.platform.region(region).source(table)


def _local_day(row: Row, column: str, zone: ZoneInfo) -> date:
    at = row.values[column]
    assert isinstance(at, datetime)
    return at.astimezone(zone).date()


def _key(contract: Contract, row: Row) -> Key:
    return tuple(row.values[column] for column in contract.key)


def _lines(file: File) -> Sequence[int]:
    """The physical line on which each record starts; line 1 is the header where the file has one."""
    if file.is_json_lines:
        return range(1, len(file.rows) + 1)
    lines, line = [], 2 if file.has_header else 1
    for row in file.rows:
        lines.append(line)
        line += 1 + sum(value.count("\n") for value in row.values.values() if isinstance(value, str))
    return lines


def _file_truth(file: File, source: TableSource) -> FileTruth:
    rejected: dict[int, tuple[str, ...]] = {}
    notes: Counter[str] = Counter()
    for line, row in zip(_lines(file), file.rows, strict=True):
        rules, noted = _times(row, source)
        if broken := {*row.broken, *(rules if not row.broken else ())}:
            rejected[line] = tuple(sorted(broken))
        else:
            notes.update(noted)
    return FileTruth(file, rejected, notes)


def _times(row: Row, source: TableSource) -> tuple[list[str], list[str]]:
    """The rules broken, and the notes made, by local times that exist twice or not at all."""
    zone = ZoneInfo(source.timezone)
    rules: list[str] = []
    notes: list[str] = []
    for column, value in row.values.items():
        if isinstance(value, datetime | WallTime):
            local = value.local if isinstance(value, WallTime) else value.astimezone(zone).replace(tzinfo=None, fold=0)
            if is_ambiguous(local, zone):
                (rules if source.fold == "reject" else notes).append(
                    f"{column}.ambiguous_local_time" if source.fold == "reject" else f"{column}.fold_{source.fold}"
                )
            elif is_nonexistent(local, zone):
                (rules if source.gap == "reject" else notes).append(
                    f"{column}.nonexistent_local_time" if source.gap == "reject" else f"{column}.gap_{source.gap}"
                )
    return rules, notes
