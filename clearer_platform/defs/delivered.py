"""Specs of delivered tables, derived from their contracts: bronze and silver assets and the checks on silver."""

import inspect
import sys
from pathlib import Path

import dagster as dg

from clearer_platform.contracts import Column, Contract
from clearer_platform.defs.names import BRONZE, SILVER, asset_key, group, region_days
from clearer_platform.platform import Platform

GATES = {
    "reconciliation": "Every record delivered is accepted or rejected, counted independently; the file could be read.",
    "rejection_share": "The share of rejected records is within the contract's limit.",
    "keys": "No delivery was refused for missing, malformed or repeated keys.",
    "domain_rules": "No delivery was refused for values that break the contract's rules.",
}
"""What stops a delivery; it looks at the delivery and its contract alone."""

HISTORY = {
    "volume": "The day has about as many records as such days usually have.",
    "drift": "The delivery has exactly the contract's columns.",
    "references": "Every parent that an accepted row names exists in the region.",
}
"""What is worth a warning; it never stops a delivery."""

RECEIVING_VERSION = "1"


def table_specs(platform: Platform) -> list[dg.AssetSpec]:
    """The bronze asset of every contract that is delivered for, and the silver asset of every contract."""
    return [
        make(platform, contract)
        for contract in platform.contracts.values()
        for make in ((_silver,) if contract.nested else (_bronze, _silver))
    ]


def table_checks(platform: Platform) -> list[dg.AssetCheckSpec]:
    """The checks on every silver asset."""
    days = region_days(platform.registry)
    return [
        dg.AssetCheckSpec(
            name,
            asset=asset_key(SILVER, contract.name),
            description=text,
            blocking=name in GATES,
            partitions_def=days,
        )
        for contract in platform.contracts.values()
        for name, text in {**GATES, **HISTORY}.items()
    ]


def _bronze(platform: Platform, contract: Contract) -> dg.AssetSpec:
    return dg.AssetSpec(
        asset_key(BRONZE, contract.name),
        description=f"Deliveries exactly as they arrived. {contract.description}",
        group_name=group(BRONZE, contract.domain),
        kinds=_ways_in(platform, contract),
        owners=list(contract.owners),
        tags=_tags(contract),
        code_version=RECEIVING_VERSION,
        metadata=_facts(platform, contract),
        partitions_def=region_days(platform.registry),
        skippable=True,
    )


def _ways_in(platform: Platform, contract: Contract) -> set[str]:
    """How the table comes in: as files, and from an API or a database server where a region's entry names one."""
    regions = [r for r in platform.registry.regions.values() if contract.name in r.tables]
    servers = {server.backend for region in regions if (server := region.sql_source(contract.name))}
    api = {"api", "json"} if any(region.http_source(contract.name) for region in regions) else set()
    return {"file", "csv"} | api | servers


def _silver(platform: Platform, contract: Contract) -> dg.AssetSpec:
    upstream, rows = asset_key(BRONZE, contract.name), "record"
    if contract.nested:
        upstream = asset_key(SILVER, contract.nested.parent)
        rows = f"element in {contract.nested.column} of the accepted records of {contract.nested.parent}"
    return dg.AssetSpec(
        asset_key(SILVER, contract.name),
        deps=[upstream],
        description=f"Every {rows}, typed and judged by the contract. {contract.description}",
        group_name=group(SILVER, contract.domain),
        kinds={"parquet", "pandera", "duckdb"},
        owners=list(contract.owners),
        tags=_tags(contract),
        code_version=contract.fingerprint[:16],
        metadata={**_facts(platform, contract), "dagster/column_schema": column_schema(contract)},
        partitions_def=region_days(platform.registry),
        skippable=True,
    )


def column_schema(contract: Contract) -> dg.TableSchema:
    """The contract's columns, as the UI shows them."""
    return dg.TableSchema(columns=[_column(contract, column) for column in contract.columns])


def _column(contract: Contract, column: Column) -> dg.TableColumn:
    return dg.TableColumn(
        column.name,
        str(column.dtype),
        column.description,
        constraints=dg.TableColumnConstraints(
            nullable=column.nullable,
            unique=contract.key == (column.name,),
            other=[str(check.name) for check in column.checks],
        ),
        tags={"personal": column.personal.value} if column.personal else {},
    )


def _tags(contract: Contract) -> dict[str, str]:
    personal = "yes" if contract.personal() else "no"
    return {"domain": contract.domain, "personal_data": personal, **contract.tags}


def _facts(platform: Platform, contract: Contract) -> dict[str, object]:
    regions = [name for name in platform.registry.regions if contract.name in platform.tables(name)]
    nested = {"nested_in": f"{contract.nested.parent}.{contract.nested.column}"} if contract.nested else {}
    return {
        "delivered_by": ", ".join(regions) or "no region",
        **nested,
        "key": ", ".join(contract.key),
        "load_mode": contract.load_mode.value,
        "max_rejected": contract.max_rejected,
        "dagster/code_references": _source(contract),
    }


def _source(contract: Contract) -> dg.CodeReferencesMetadataValue:
    """Where the contract's model is written."""
    path = Path(sys.modules[contract.model.__module__].__file__ or "")
    try:
        line = inspect.getsourcelines(contract.model)[1]
    except (OSError, TypeError):
        line = 1
    reference = dg.LocalFileCodeReference(file_path=str(path), line_number=line, label=f"contract {contract.name}")
    return dg.CodeReferencesMetadataValue(code_references=[reference])
