"""What `clearer check` looks at, part after part; what needs a part that failed is left out."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, TypeVar

from clearer_platform.cli.output import plural, progress
from clearer_platform.errors import ClearerError, StorageError

if TYPE_CHECKING:
    from clearer_platform.gold import Model
    from clearer_platform.platform import Platform
    from clearer_platform.settings import Settings

T = TypeVar("T")

PREFIX = "CLEARER_"
LIKE = 0.85
"""How alike two names are, of which one is likely the other misspelt."""
NAMED = 5
"""Deliveries that are named of those that are damaged."""


@dataclass(frozen=True)
class Finding:
    """What one part of the check came to."""

    what: str
    detail: str = ""
    error: str | None = None
    warning: str | None = None
    """What is in order, but will not work as things are."""
    hint: str | None = None


def run_checks(*, deliveries: bool = False) -> Iterator[Finding]:
    """Every part's finding, in order; if asked for, with that on all `deliveries` there are."""
    settings, finding = _tried("settings", _settings)
    yield replace(finding, warning=_misspelt()) if settings else finding
    if settings is None:
        return
    yield _tried("registry", lambda: _registry(settings))[1]
    yield _tried("contracts", lambda: _contracts(settings))[1]
    platform, finding = _tried("registry and contracts together", lambda: _platform(settings))
    yield finding
    if platform is not None:
        yield _secrets(platform)
        yield _tried("queues", lambda: _queues(platform))[1]
        models, finding = _tried("dbt project", lambda: _dbt(platform))
        yield finding
        yield _tried("targets", lambda: _targets(platform, models))[1]
        yield _tried("roles", lambda: _roles(platform, models))[1]
        yield _tried("asset definitions", lambda: _definitions(platform))[1]
        if deliveries:
            yield _tried("deliveries", lambda: _deliveries(platform))[1]


def _tried(what: str, part: Callable[[], tuple[T, str]]) -> tuple[T | None, Finding]:
    """What a part comes to, and the finding: its detail, or what is wrong with it."""
    try:
        found, detail = part()
        return found, Finding(what, detail)
    except ClearerError as e:
        return None, Finding(what, error=e.message, hint=e.hint)
    except Exception as e:  # A contract module or a dbt project is somebody's code: whatever it raises is the finding.
        return None, Finding(what, error=f"{type(e).__name__}: {e}")


def _settings() -> "tuple[Settings, str]":
    from clearer_platform.serving.opening import open_settings

    settings = open_settings()
    return settings, f"home {settings.home}, {settings.warehouse} warehouse"


def _misspelt() -> str | None:
    """Variables that look like a setting and are none: what they say is not done. (Secrets have names of their own.)"""
    from clearer_platform.settings import Settings

    names = [f"{PREFIX}{name.upper()}" for name in Settings.model_fields]
    likely = {
        name: get_close_matches(name, names, n=1, cutoff=LIKE)
        for name in sorted(os.environ)
        if name.startswith(PREFIX) and name not in names
    }
    meant = [f"{name} is no setting; did you mean {found[0]}?" for name, found in likely.items() if found]
    return "; ".join(meant) or None


def _registry(settings: "Settings") -> tuple[None, str]:
    from clearer_platform.regions import load_registry

    registry = load_registry(settings.registry_path)
    for region in registry.regions:
        registry.holidays(region)
    return (
        None,
        f"{plural(len(registry.regions), 'region')} ({', '.join(registry.regions)}) in {settings.registry_path}",
    )


def _contracts(settings: "Settings") -> tuple[None, str]:
    from clearer_platform.contracts import load_contracts
    from clearer_platform.silver import accepted_columns
    from clearer_platform.silver.rules import compiled

    contracts = load_contracts(settings.contract_modules)
    for contract in contracts.values():
        accepted_columns(contract)
        compiled(contract)
    return None, f"{len(contracts)} ({', '.join(sorted(contracts))})"


def _platform(settings: "Settings") -> "tuple[Platform, str]":
    from clearer_platform.platform import Platform

    platform = Platform.open(settings)
    delivered = sum(len(region.tables) for region in platform.registry.regions.values())
    nested = sum(len(platform.tables(region)) for region in platform.registry.regions) - delivered
    inner = f", {nested} nested in them" if nested else ""
    return platform, f"{plural(delivered, 'table')} delivered by the regions{inner}"


def _secrets(platform: "Platform") -> Finding:
    """Whether every secret that a source wants is set; whoever only looks at the platform needs none."""
    from clearer_platform.sample import environment

    tables = [(region, table) for region in platform.registry.regions.values() for table in region.tables]
    apis = [source for region, table in tables if (source := region.http_source(table))]
    servers = [server for region, table in tables if (server := region.sql_source(table))]
    known = {**os.environ, **environment(platform.settings.home)}
    names = {*(api.token_env for api in apis), *(server.password_env for server in servers)}
    absent = sorted(name for name in names if name and not known.get(name))
    warning = f"not set in this environment: {', '.join(absent)}" if absent else None
    read = f"{plural(len(apis), 'table')} read from APIs, {len(servers)} from database servers"
    return Finding("Sources", read, warning=warning)


def _queues(platform: "Platform") -> tuple[None, str]:
    from clearer_platform.sources import notices

    named = [name for name, region in platform.registry.regions.items() if region.queue]
    for region in named:
        notices.check(platform, region)
    return None, f"{plural(len(named), 'bucket')} that tell of what lands"


def _dbt(platform: "Platform") -> "tuple[tuple[Model, ...], str]":
    from clearer_platform import gold

    models = gold.models(platform)
    return models, f"{plural(len(models), 'model')}, {plural(sum(len(m.tests) for m in models), 'test')}"


def _roles(platform: "Platform", models: "tuple[Model, ...] | None") -> tuple[None, str]:
    """The declaration by itself and, where gold's models could be read, against the tables that there are."""
    from clearer_platform.governance import load_roles

    path = platform.settings.roles_file
    roles = load_roles(path)
    if models is not None:
        known = {f"{model.layer}.{model.alias}" for model in models} | {f"silver.{name}" for name in platform.contracts}
        roles.check_tables(known, path)
    return None, f"{len(roles.roles)} ({', '.join(roles.roles)}) in {path}"


def _targets(platform: "Platform", models: "tuple[Model, ...] | None") -> tuple[None, str]:
    """Whether what targets name is there and may leave; nothing is connected to."""
    from clearer_platform.serving import publishing

    targets = platform.registry.targets.values()
    tables = [name for target in targets if models is not None for name in publishing.possible(platform, target)]
    return None, f"{plural(len(targets), 'target')} of publishing, {plural(len(tables), 'table')}"


def _deliveries(platform: "Platform") -> tuple[None, str]:
    """Whether bronze has the bytes of all that was ever delivered, superseded deliveries included."""
    from clearer_platform import bronze

    found = [
        delivery
        for region, entry in platform.registry.regions.items()
        for table in entry.tables
        for slot in bronze.slots(platform.layout(region), table)
        for delivery in slot.deliveries
    ]
    damaged = []
    with progress("hashing deliveries") as advance:
        for done, delivery in enumerate(found, 1):
            if not bronze.is_intact(delivery):
                damaged.append(delivery)
            advance(done, len(found))
    if damaged:
        named = "; ".join(f"{delivery} ({delivery.content})" for delivery in damaged[:NAMED])
        more = f"; and {len(damaged) - NAMED:,} more" if len(damaged) > NAMED else ""
        raise StorageError(
            f"{len(damaged):,} of {len(found):,} are no longer what was delivered: {named}{more}",
            hint="restore them from a backup of the region's root; the newest of a slot can be delivered again instead",
        )
    size = sum(delivery.manifest.size for delivery in found)
    return None, f"{len(found):,} of {size:,} bytes, which hash to what was delivered"


def _definitions(platform: "Platform") -> tuple[None, str]:
    from clearer_platform.defs import runs

    return None, f"{plural(runs.loadable(platform), 'asset')} by region and day"
