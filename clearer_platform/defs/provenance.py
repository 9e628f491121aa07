"""What a reported partition was made from, as Dagster notes it: by this it knows which partitions are stale.

Dagster notes it by itself for what a step returns, but not for partitions that are reported one by one.
"""

from collections.abc import Collection, Mapping

import dagster as dg

VERSION, GIVEN, CODE = "dagster/data_version", "dagster/data_version_is_user_provided", "dagster/code_version"
INPUT_VERSION, INPUT_EVENT = "dagster/input_data_version", "dagster/input_event_pointer"
NEVER = ("INITIAL", "NULL")
"""Version and event of an input of which nothing has ever been reported."""


class Provenance:
    """The newest version and event of every asset that another one is made from, read once until it is told of anew."""

    def __init__(self, instance: dg.DagsterInstance, parents: Mapping[dg.AssetKey, Collection[dg.AssetKey]]) -> None:
        self._instance, self._parents = instance, parents
        self._newest: dict[dg.AssetKey, tuple[str, str]] = {}

    def tags(self, key: dg.AssetKey, version: str, code_version: str) -> dict[str, str]:
        """The tags of a materialisation of `key`, which is about to be reported."""
        self._newest.pop(key, None)
        found = {VERSION: version, GIVEN: "true"}
        if not code_version:
            return found
        found[CODE] = code_version
        for parent in self._parents.get(key, ()):
            if parent not in self._newest:
                self._newest[parent] = self._read(parent)
            made_from, event = self._newest[parent]
            found[f"{INPUT_VERSION}/{parent.to_user_string()}"] = made_from
            found[f"{INPUT_EVENT}/{parent.to_user_string()}"] = event
        return found

    def _read(self, key: dg.AssetKey) -> tuple[str, str]:
        records = self._instance.fetch_materializations(key, limit=1).records
        if not records or not (made := records[0].asset_materialization):
            return NEVER
        return (made.tags or {}).get(VERSION, NEVER[0]), str(records[0].storage_id)
