"""The platform as one value: settings, registry and contracts, read once and handed to whatever needs them."""

from dataclasses import dataclass
from functools import cached_property

from clearer_platform.contracts import Contract, load_contracts
from clearer_platform.errors import UnknownName
from clearer_platform.regions import Layout, Region, Registry, TableSource, load_registry
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
        for region in platform.registry.regions.values():
            for table, entry in region.tables.items():
                contract = platform.contract(table)
                for column in entry.columns:
                    if column not in {c.name for c in contract.columns}:
                        raise UnknownName(
                            f"column in regions.{region.name}.tables.{table}.columns",
                            column,
                            [c.name for c in contract.columns],
                        )
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
        return layout_of("global", registry.root, None, registry.options, settings.home, settings.lock_timeout)
