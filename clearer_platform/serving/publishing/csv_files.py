"""Publishing as CSV for bulk loaders: `<root>/<region>/<table>.csv`, each file replaced as a whole.

What is built across regions lies in the folder `global`, which is no region's.

A header, RFC 4180, UTF-8. Texts are always quoted, so that "" is empty text, spaces stay, and what stands where there
is no value (`null`, by default nothing) is told apart from any text. Instants are in UTC, booleans 1 and 0.
`<root>/<region>/publication.json`, which comes last, says what the files hold. There is no transaction over files: a
loader that must have all of one state compares their sha256 with it.
"""

import hashlib
import json
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from upath import UPath

from clearer_platform.errors import PublishError
from clearer_platform.platform import Platform
from clearer_platform.regions import GLOBAL, FolderTarget
from clearer_platform.regions.layout import layout_of
from clearer_platform.serving.publishing.publication import Advance, Part, Published, check
from clearer_platform.serving.publishing.tables import Column, Table
from clearer_platform.silver.sql import identifier, literal
from clearer_platform.storage import aside, clear_leftovers, publish_bytes, publish_file, reported

MANIFEST = "publication.json"
INSTANT, TIME = "%Y-%m-%d %H:%M:%S.%f", "%H:%M:%S"
Place = UPath | Path


def recorded(platform: Platform, target: FolderTarget) -> dict[tuple[str, str], str]:
    """Record -> fingerprint of what is there."""
    return {
        (table, scope): said["fingerprint"]
        for scope in (*platform.registry.regions_of(target), GLOBAL)
        for table, said in _manifest(root(platform, target) / scope).items()
    }


def publish(
    platform: Platform, target: FolderTarget, parts: Sequence[Part], *, force: bool, advance: Advance
) -> list[Published]:
    """Write the files of `parts`; what is recorded under the same fingerprint is left as it is.

    All are written and counted before the first one is put in place.
    """
    place, done = root(platform, target), list[Published]()
    with platform.global_layout.lock(f"publishing-{target.name}"):
        for scope in dict.fromkeys(part.gold.scope for part in parts):
            folder = place / scope
            before = _manifest(folder)
            every = [part for part in parts if part.gold.scope == scope]
            new = [part for part in every if force or not _is_there(folder, before, part)]
            done += [Published(target.name, *p.name, p.figures.rows, is_new=False) for p in every if p not in new]
            written: dict[str, Path] = {}
            try:
                for part in new:
                    advance(target.name, part.table.name, len(done), len(parts))
                    started = time.perf_counter()
                    written[part.table.name] = _write(target, part)
                    before[part.table.name] = _described(part, written[part.table.name])
                    done.append(_published(target, part, time.perf_counter() - started))
                for part in new:
                    _put(target, folder, part.table, written[part.table.name])
                if new:
                    publish_bytes(json.dumps(before, indent=2).encode(), folder / MANIFEST)
            finally:
                for path in written.values():
                    path.unlink(missing_ok=True)
    return done


def root(platform: Platform, target: FolderTarget) -> Place:
    """Where the target's files are."""
    home = platform.settings.home
    return layout_of(target.name, target.root, None, target.options, home, platform.settings.lock_timeout).root


def _write(target: FolderTarget, part: Part) -> Path:
    """A file in the folder of its gold, to be put in place. Raises PublishError where it does not equal gold."""
    work = part.gold.work / target.name / part.table.name
    clear_leftovers(work)  # of publishers that were killed: the target's lock is ours
    work.mkdir(parents=True, exist_ok=True)
    path = aside(work / f"{part.table.name}.csv")
    texts = ", ".join(identifier(column.name) for column in part.table.columns if _is_text(column))
    options = f"HEADER true, NULLSTR {literal(target.null)}, FORCE_QUOTE ({texts})"
    select = ", ".join(f"{_written(column)} AS {identifier(column.name)}" for column in part.table.columns)
    blocks = part.gold.csv(part.table, select=select, options=options)
    with reported("write", path), closing(blocks), path.open("wb") as file:
        file.writelines(blocks)
    check(target, part, part.gold.figures_of_csv(part.table, path, target.null))
    return path


def _put(target: FolderTarget, folder: Place, table: Table, path: Path) -> None:
    if target.scripts:
        from clearer_platform.serving.publishing.db2 import scripts

        for suffix, text in scripts(target, table, folder.name).items():
            publish_bytes(text.encode(), folder / f"{table.name}{suffix}")
    publish_file(path, folder / f"{table.name}.csv")


def _is_text(column: Column) -> bool:
    return column.kind in ("text", "uuid", "json")


def _written(column: Column) -> str:
    name = identifier(column.name)
    if column.kind in ("instant", "timestamp"):
        return f"strftime({name}, {literal(INSTANT)})"
    if column.kind == "time":
        return f"strftime({name}, {literal(TIME)})"
    return f"{name}::INTEGER" if column.kind == "boolean" else name


def _described(part: Part, path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "file": f"{part.table.name}.csv",
        "rows": part.figures.rows,
        "sha256": digest,
        "fingerprint": part.fingerprint,
        "published_at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
    }


def _published(target: FolderTarget, part: Part, seconds: float) -> Published:
    return Published(
        target.name, *part.name, part.figures.rows, added=part.figures.rows, seconds=seconds, figures=part.figures
    )


def _is_there(folder: Place, manifest: dict[str, Any], part: Part) -> bool:
    said = manifest.get(part.table.name)
    if not said or said["fingerprint"] != part.fingerprint:
        return False
    with reported("look at", folder):
        return bool((folder / f"{part.table.name}.csv").exists())


def _manifest(folder: Place) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        with reported("read", path):
            if not path.exists():
                return {}
            found = json.loads(path.read_text("utf-8"))
            return found if isinstance(found, dict) else {}
    except ValueError as e:
        raise PublishError(f"{path} is damaged", hint="remove it: everything is published anew") from e
