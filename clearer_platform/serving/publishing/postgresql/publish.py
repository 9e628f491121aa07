"""One publication to PostgreSQL: what is new in it, written, compared with gold, recorded and committed as one."""

import time
from collections.abc import Collection, Sequence
from itertools import groupby

from clearer_platform.regions import DatabaseTarget
from clearer_platform.serving.publishing.postgresql import rows, shape
from clearer_platform.serving.publishing.postgresql.session import RECORDS, Session, lock, transaction
from clearer_platform.serving.publishing.publication import Advance, Part, Published, check
from clearer_platform.silver.sql import identifier


def recorded(target: DatabaseTarget) -> dict[tuple[str, str], str]:
    """(table, region) -> fingerprint of what is there."""
    with transaction(target) as session:
        return _recorded(session)


def publish(target: DatabaseTarget, parts: Sequence[Part], *, force: bool, advance: Advance) -> list[Published]:
    """Publish `parts` in one transaction; what is recorded under the same fingerprint is left as it is."""
    with transaction(target) as session:
        lock(session)
        shape.create_records(session)
        there = {} if force else _recorded(session)
        done: list[Published] = []
        for _, of_table in groupby(sorted(parts, key=lambda part: part.name), key=lambda part: part.table.name):
            every = list(of_table)
            advance(target.name, every[0].table.name, len(done), len(parts))
            new = [part for part in every if there.get(part.name) != part.fingerprint]
            done += [
                Published(target.name, *part.name, part.figures.rows, is_new=False) for part in every if part not in new
            ]
            if new:
                done += _publish_table(session, target, new)
        return done


def _publish_table(session: Session, target: DatabaseTarget, parts: list[Part]) -> list[Published]:
    """Write one table of some regions."""
    started = time.perf_counter()
    table, regions, keep = parts[0].table, [part.gold.region for part in parts], target.mode == "upsert"
    if shape.shaped(session, table):
        staged = None
        rows.copy(session, session.name(table.name), parts)
        written = rows.Written({part.gold.region: part.figures.rows for part in parts}, {}, {})
    else:
        staged = rows.stage(session, parts)
        written = rows.merge(session, parts, staged, keep=keep)
    shape.hold(session, table)
    found = rows.found(session, table, regions, staged if keep else None)
    for part in parts:
        check(target, part, found[part.gold.region])
    _record(session, parts)
    seconds = (time.perf_counter() - started) / len(parts)
    return [
        Published(
            target.name,
            *part.name,
            rows=part.figures.rows,
            added=written.added.get(part.gold.region, 0),
            changed=written.changed.get(part.gold.region, 0),
            removed=written.removed.get(part.gold.region, 0),
            seconds=seconds,
            figures=found[part.gold.region],
        )
        for part in parts
    ]


def _recorded(session: Session) -> dict[tuple[str, str], str]:
    """What is recorded of tables that are there: one may have been dropped by hand."""
    if not session.exists(RECORDS):
        return {}
    found = session.execute(f"SELECT table_name, region, fingerprint FROM {session.name(RECORDS)}").fetchall()
    present: Collection[str] = {name for name in {row[0] for row in found} if session.exists(name)}
    return {(table, region): fingerprint for table, region, fingerprint in found if table in present}


def _record(session: Session, parts: Sequence[Part]) -> None:
    """Write down what was published."""
    session.cursor.executemany(
        f"INSERT INTO {session.name(RECORDS)} (table_name, region, fingerprint, {identifier('rows')}, published_at)"
        " VALUES (%s, %s, %s, %s, now()) ON CONFLICT (table_name, region) DO UPDATE SET fingerprint ="
        ' excluded.fingerprint, "rows" = excluded."rows", published_at = excluded.published_at'.encode(),
        [(*part.name, part.fingerprint, part.figures.rows) for part in parts],
    )
