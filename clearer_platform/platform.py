"""The platform as one value: settings, registry and contracts, read once and handed to whatever needs them."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import ibis.expr.datatypes as dt

from clearer_platform.contracts import Contract, LoadMode, load_contracts
from clearer_platform.errors import ContractError, RegistryError, UnknownName
from clearer_platform.regions import GLOBAL, Layout, Region, Registry, TableSource, load_registry
from clearer_platform.regions.layout import layout_of
from clearer_platform.settings import Settings


@dataclass(frozen=True)
class Platform:
    """What stands above the flow of data: nothing in here changes while the process lives."""

    settings: Settings
    registry: Registry
    contracts: dict[str, Contract]

    @classmethod
    def open(cls, settings: Settings | None = None) -> "Platform":
        """The platform that the settings describe. Raises RegistryError or ContractError."""
        settings = settings or Settings()
        platform = cls(settings, load_registry(settings.registry_path), load_contracts(settings.contract_modules))
        _check_roots(platform)
        for contract in platform.contracts.values():
            _check_nesting(platform, contract)
            _check_references(platform, contract)
        for region in platform.registry.regions.values():
            for table in region.tables:
                _check_entry(platform, region, table)
        return platform

    def region(self, name: str) -> Region:
        """The region called `name`. Raises UnknownName."""
        return self.registry.region(name)

    def contract(self, table: str) -> Contract:
        """The contract of `table`. Raises UnknownName."""
        if table not in self.contracts:
            raise UnknownName("table", table, list(self.contracts))
        return self.contracts[table]

    def delivered(self, table: str) -> str:
        """The table that is delivered where `table` is: itself, or the one in whose records it is nested."""
        nested = self.contract(table).nested
        return nested.parent if nested else table

    def children(self, table: str) -> tuple[Contract, ...]:
        """The contracts of the tables that are nested in the records of `table`."""
        return tuple(c for c in self.contracts.values() if c.nested and c.nested.parent == table)

    def family(self, table: str) -> tuple[Contract, ...]:
        """The contracts of all tables that a delivery of `table` fills: those nested in it, and then its own."""
        return (*self.children(table), self.contract(table))

    def tables(self, region: str) -> list[str]:
        """The tables of which a region has rows: each that it delivers, followed by those nested in it."""
        return [
            name
            for table in self.region(region).tables
            for name in (table, *(child.name for child in self.children(table)))
        ]

    def source(self, region: str, table: str) -> TableSource:
        """How `table` is read in `region`. Raises UnknownName."""
        delivered = self.region(region).source(self.delivered(table))
        return delivered.of_nested(table) if self.contract(table).nested else delivered

    def layout(self, region: str) -> Layout:
        """Where the region called `region` keeps its data. Raises UnknownName."""
        entry = self.region(region)
        return layout_of(
            entry.name, entry.root, entry.work, entry.options, self.settings.home, self.settings.lock_timeout
        )

    @cached_property
    def global_layout(self) -> Layout:
        """Where cross-region data is kept."""
        registry, settings = self.registry, self.settings
        return layout_of(GLOBAL, registry.root, None, registry.options, settings.home, settings.lock_timeout)


def _check_roots(platform: Platform) -> None:
    """Raise RegistryError for a root within another: two would take each other's data for their own."""
    layouts = [platform.global_layout, *(platform.layout(region) for region in platform.registry.regions)]
    places = sorted((place, n) for n, layout in enumerate(layouts) for place in layout.places)
    outer, owner = places[0]
    for place, n in places:
        if not place.startswith(outer):
            outer, owner = place, n
        elif n != owner:
            one, other = layouts[owner], layouts[n]
            raise RegistryError(
                f"the roots of {one.name} ({one.root}) and {other.name} ({other.root}), or their work folders, are the "
                "same, or one lies in the other",
                hint="give each region, and what is built across them, a folder or bucket of its own",
            )


def _check_nesting(platform: Platform, contract: Contract) -> None:
    """Raise ContractError for a nested table that does not fit the one that it is nested in."""
    if contract.nested is None:
        return
    name, column = contract.nested.parent, contract.nested.column
    parent = platform.contracts.get(name)
    if parent is None or parent.nested or parent.shared:
        raise ContractError(
            f"contract {contract.name}: it is nested in {name!r}, which is no table that a region delivers for itself"
        )
    columns = {c.name: c for c in parent.columns}
    if column not in columns or not isinstance(columns[column].dtype, dt.String):
        raise ContractError(f"contract {contract.name}: {name} has no text column {column!r} to be nested in")
    if set(contract.personal()) - set(parent.key) and not columns[column].personal:
        raise ContractError(f"contract {contract.name}: it holds personal data, and so does {name}.{column}: say so")
    ours, theirs = (
        {c.name: (c.dtype, c.personal) for c in some.columns if c.name in parent.key} for some in (contract, parent)
    )
    if contract.key[:-1] != parent.key or ours != theirs or contract.load_mode is not parent.load_mode:
        raise ContractError(
            f"contract {contract.name}: it has the key columns of {name} ({', '.join(parent.key)}), with the same "
            f"types and kinds of personal data, and the same load mode ({parent.load_mode})"
        )


def _check_references(platform: Platform, contract: Contract) -> None:
    """Raise ContractError for a reference that does not fit the table that it names."""
    for reference in contract.references:
        parent, where = platform.contracts.get(reference.table), f"contract {contract.name}: {reference.name}"
        if parent is None:
            raise ContractError(f"{where}: there is no such table")
        ours = [contract.column(name).dtype for name in reference.columns]
        if ours != [parent.column(name).dtype for name in parent.key]:
            key = ", ".join(parent.key)
            raise ContractError(f"{where}: its columns differ from the key ({key}) in number or type")
        if reference.waits:
            _check_awaited(platform, contract, parent, where)


def _check_awaited(platform: Platform, contract: Contract, parent: Contract, where: str) -> None:
    """Raise ContractError for a parent that rows cannot wait for."""
    if contract.nested or parent.nested or platform.children(contract.name):
        raise ContractError(f"{where}: records with elements and the elements neither wait nor are waited for")
    if contract.shared and not parent.shared:
        raise ContractError(f"{where}: what one region delivers for all cannot wait for what each has of its own")
    if contract.name in _waited_for(platform, parent.name):
        raise ContractError(f"{where}: the rows would wait for each other")


def _waited_for(platform: Platform, table: str) -> set[str]:
    """`table`, and all that its rows wait for."""
    found, open_ = set[str](), [table]
    while open_:
        name = open_.pop()
        if name in platform.contracts and name not in found:
            found.add(name)
            open_ += [reference.table for reference in platform.contracts[name].awaited]
    return found


def _check_entry(platform: Platform, region: Region, table: str) -> None:
    """Raise for names in a region's entry of a table that its contracts do not have."""
    contract, entry = platform.contract(table), region.tables[table]
    where = f"regions.{region.name}.tables"
    if contract.nested:
        parent = contract.nested.parent
        raise RegistryError(
            f"{where}.{table}: its rows come in the deliveries of {parent}, in which they are nested",
            hint=f"deliver {parent}; how the elements are written goes into {where}.{parent}.nested.{table}",
        )
    if entry.batches and contract.load_mode is LoadMode.FULL:
        raise RegistryError(
            f"{where}.{table}.batches: a delivery of {table} is the whole picture, and no part of it can come alone",
            hint="leave batches out: its landing files are deliveries then",
        )
    _check_columns(f"{where}.{table}.columns", entry.columns, contract)
    children = {child.name: child for child in platform.children(table)}
    for name, columns in entry.nested.items():
        if name not in children:
            raise UnknownName(f"table in {where}.{table}.nested", name, list(children))
        _check_columns(f"{where}.{table}.nested.{name}", columns, children[name])


def _check_columns(where: str, columns: Mapping[str, str], contract: Contract) -> None:
    """Raise for a column that is not delivered (a nested table's key is where its element stands), or not alone."""
    known = [c.name for c in contract.columns if not (contract.nested and c.name in contract.key)]
    for column in columns:
        if column not in known:
            raise UnknownName(f"column in {where}", column, known)
    by_header = defaultdict[str, list[str]](list)
    for column in known:
        by_header[columns.get(column, column)].append(column)
    for header, readers in by_header.items():
        if len(readers) > 1:
            raise RegistryError(
                f"{where}: {' and '.join(readers)} would be read from the same column of the file, {header!r}",
                hint="name another for one of them; a column that is not named here is read from that of its own name",
            )
