"""Specs of gold and global models, derived from the dbt project through `gold.models`, and their dbt tests as checks.

A model with a day is partitioned like what is delivered; every other model of a region is one partition a region;
global models are whole. A day's upstream is what has days: a model that reads a whole table is shown as reading the
silver tables that make it, so that one run takes a region's days from delivery to gold, and whole models roll up after.
"""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import dagster as dg

from clearer_platform.defs.names import GLOBAL, GOLD, SILVER, asset_key, check_name, group, region_days, regions
from clearer_platform.gold import Model
from clearer_platform.platform import Platform

OWNERS = ["team:data-platform"]


def key_of(model: Model) -> dg.AssetKey:
    """The asset key of a model."""
    return asset_key(model.layer, model.alias)


def has_days(model: Model) -> bool:
    """Whether the model is partitioned by region and day."""
    return model.layer == GOLD and model.day_column is not None


class Marts:
    """The models of a platform as assets, and what each is made from. A table macro is no asset: it holds nothing."""

    def __init__(self, platform: Platform, models: Iterable[Model]) -> None:
        self.platform = platform
        self.models: Mapping[str, Model] = {m.name: m for m in models if m.materialized != "table_function"}

    @property
    def days(self) -> list[Model]:
        """Models partitioned by region and day."""
        return [model for model in self.models.values() if has_days(model)]

    @property
    def wholes(self) -> list[Model]:
        """Models of a region that are one partition a region."""
        return [m for m in self.models.values() if m.layer == GOLD and not has_days(m)]

    @property
    def globals(self) -> list[Model]:
        """Models across regions."""
        return [model for model in self.models.values() if model.layer == GLOBAL]

    def tables(self, model: Model) -> set[str]:
        """Every delivered table that the model is made from, through whatever other models."""
        found = set(model.depends_on_tables)
        for name in model.depends_on_models:
            if name in self.models:
                found |= self.tables(self.models[name])
        return found

    def parents(self) -> dict[dg.AssetKey, set[dg.AssetKey]]:
        """The assets that stand directly before each model."""
        return {key_of(model): self._upstream(model) for model in self.models.values()}

    def code_version(self, model: Model) -> str:
        """Changes with the model's SQL and with what its YAML says."""
        sql = self._file(model)
        texts = [path.read_bytes() for path in (sql, sql.with_suffix(".yml")) if path.exists()]
        return hashlib.sha256(b"\0".join(texts)).hexdigest()[:16]

    def specs(self, models: Iterable[Model]) -> list[dg.AssetSpec]:
        """The assets of `models`."""
        return [self._spec(model) for model in models]

    def checks(self, models: Iterable[Model]) -> list[dg.AssetCheckSpec]:
        """The dbt tests of `models`. They run before anything is published, so none has to block."""
        return [
            dg.AssetCheckSpec(
                check_name(test),
                asset=key_of(model),
                description=f"dbt test {test} ({severity})",
                partitions_def=self._partitions(model),
            )
            for model in models
            for test, severity in model.tests
        ]

    def _spec(self, model: Model) -> dg.AssetSpec:
        return dg.AssetSpec(
            key_of(model),
            deps=[
                dg.AssetDep(key, partition_mapping=self._mapping(model, key)) for key in sorted(self._upstream(model))
            ],
            description=model.description,
            group_name=group(model.layer, str(model.meta.get("domain", "ecommerce"))),
            kinds={"dbt", "duckdb"},
            owners=list(model.meta.get("owners", OWNERS)),
            # What spans regions was made of what they let leave.
            tags={} if model.layer == GLOBAL else {"leaves": str(model.leaves or "never")},
            code_version=self.code_version(model),
            metadata=self._facts(model),
            partitions_def=self._partitions(model),
            skippable=True,
        )

    def _facts(self, model: Model) -> dict[str, object]:
        columns = [dg.TableColumn(name, type_, description) for name, type_, description in model.columns]
        path = self._file(model)
        reference = dg.LocalFileCodeReference(file_path=str(path), line_number=1, label=f"dbt model {model.name}")
        return {
            "dagster/column_schema": dg.TableSchema(columns=columns),
            "dagster/table_name": f"{model.layer}.{model.alias}",
            "dagster/code_references": dg.CodeReferencesMetadataValue(code_references=[reference]),
            "dbt_model": model.name,
        }

    def _file(self, model: Model) -> Path:
        return Path(self.platform.settings.dbt_project).resolve() / model.path

    def _partitions(self, model: Model) -> dg.PartitionsDefinition | None:
        if model.layer == GLOBAL:
            return None
        return region_days(self.platform.registry) if has_days(model) else regions(self.platform.registry)

    def _upstream(self, model: Model) -> set[dg.AssetKey]:
        """The assets that stand directly before the model."""
        found = {asset_key(SILVER, table) for table in model.depends_on_tables}
        for name in model.depends_on_models:
            parent = self.models.get(name)
            if parent is None:
                continue
            if has_days(model) and not has_days(parent):
                found |= {asset_key(SILVER, table) for table in self.tables(parent)}
            else:
                found.add(key_of(parent))
        return found

    def _mapping(self, model: Model, upstream: dg.AssetKey) -> dg.PartitionMapping | None:
        """How partitions of `upstream` make those of `model`; None where Dagster's own rule is meant."""
        parent = {key_of(m): m for m in self.models.values()}.get(upstream)
        days_before = parent is None or has_days(parent)
        if model.layer == GLOBAL:
            return dg.AllPartitionMapping() if parent is None or parent.layer == GOLD else None
        if has_days(model) or not days_before:
            return dg.IdentityPartitionMapping()
        return dg.MultiToSingleDimensionPartitionMapping(partition_dimension_name="region")
