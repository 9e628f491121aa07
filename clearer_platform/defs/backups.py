"""Backups on a schedule: an asset for each table that the settings name, one partition a region."""

import dagster as dg

from clearer_platform.defs.marts import Marts, has_days, key_of
from clearer_platform.defs.names import GOLD, SILVER, asset_key, group, regions
from clearer_platform.defs.reporting import Events, Run, Trouble
from clearer_platform.errors import ClearerError, UnknownName
from clearer_platform.platform import Platform
from clearer_platform.serving import backups
from clearer_platform.serving.backups import Backup

BACKUPS = "backups"
FORMAT_VERSION = "1"
OWNERS = ["team:data-platform"]


def backup_specs(platform: Platform, marts: Marts) -> list[dg.AssetSpec]:
    """The assets. Raises UnknownName for a table in the settings that no region has."""
    return [_spec(platform, marts, table) for table in platform.settings.backup_tables]


def backup_keys(platform: Platform) -> list[dg.AssetKey]:
    """The keys of the assets."""
    return [asset_key(BACKUPS, table) for table in platform.settings.backup_tables]


def backed_up(platform: Platform, region: str) -> list[str]:
    """The tables in the settings that a region has."""
    return [table for table in platform.settings.backup_tables if backups.is_possible(platform, region, table)]


def back_up(context: dg.AssetExecutionContext, run: Run) -> Events:
    """Back each table up, and remove its oldest backups; a table that fails stops no other."""
    for region in context.partition_keys:
        tables = [
            table for table in backed_up(run.platform, region) if run.reporter.selected(asset_key(BACKUPS, table))
        ]
        for number, table in enumerate(tables):
            run.progress(region, f"back up {table}", number, len(tables))
            try:
                made = backups.create(run.platform, region, table)
                removed = backups.prune(run.platform, region, table, run.platform.settings.backup_keep)
            except ClearerError as e:
                trouble = Trouble(BACKUPS, region, None, table, e.message, e.hint, may_pass=e.may_pass)
                run.reporter.troubles.append(trouble)
                continue
            metadata = _facts(run.platform, made, len(removed))
            yield run.reporter.published(asset_key(BACKUPS, table), region, metadata, made.sha256[:32])


def _spec(platform: Platform, marts: Marts, table: str) -> dg.AssetSpec:
    upstream, mapping = _made_of(platform, marts, table)
    return dg.AssetSpec(
        asset_key(BACKUPS, table),
        deps=[dg.AssetDep(upstream, partition_mapping=mapping)],
        description=f"What {table} says, as an Avro file in each region's own root; `clearer restore` brings it back.",
        group_name=group(BACKUPS, "tables"),
        kinds={"avro", "file"},
        owners=OWNERS,
        code_version=FORMAT_VERSION,
        partitions_def=regions(platform.registry),
        skippable=True,
    )


def _made_of(platform: Platform, marts: Marts, table: str) -> tuple[dg.AssetKey, dg.PartitionMapping]:
    """The asset that is backed up, and how its partitions make a region's backup."""
    by_day = dg.MultiToSingleDimensionPartitionMapping(partition_dimension_name="region")
    if any(table in region.tables for region in platform.registry.regions.values()):
        return asset_key(SILVER, table), by_day
    models = {model.alias: model for model in marts.models.values() if model.layer == GOLD}
    if table not in models:
        known = {name for region in platform.registry.regions for name in backups.possible(platform, region)}
        raise UnknownName("table in CLEARER_BACKUP_TABLES", table, sorted(known))
    return key_of(models[table]), by_day if has_days(models[table]) else dg.IdentityPartitionMapping()


def _facts(platform: Platform, made: Backup, removed: int) -> dict[str, object]:
    """What the UI shows of a backup; its place is told within the region's root."""
    root = platform.layout(made.region).root
    return {
        "dagster/partition_row_count": made.rows,
        "bytes": made.bytes,
        "sha256": made.sha256,
        "backup": made.id,
        "file": str(made.file).removeprefix(f"{root}/"),
        "old_backups_removed": removed,
    }
