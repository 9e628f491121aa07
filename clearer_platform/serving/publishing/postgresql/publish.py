"""One publication to PostgreSQL: what is new in it, written, compared with gold, recorded and committed as one."""

import time
from collections.abc import Collection, Sequence
from itertools import groupby

from clearer_platform.regions import DatabaseTarget
from clearer_platform.serving.publishing.buckets import Buckets, from_json
from clearer_platform.serving.publishing.postgresql import rows, shape
from clearer_platform.serving.publishing.postgresql.session import RECORDS, Session, lock, transaction
from clearer_platform.serving.publishing.publication import Advance, Part, Published, check


def recorded(target: DatabaseTarget) -> dict[tuple[str, str], str]:
    """Record -> fingerprint of what is there."""
    with transaction(target) as session:
        return _recorded(session)


def publish(target: DatabaseTarget, parts: Sequence[Part], *, force: bool, advance: Advance) -> list[Published]:
    """Publish `parts` in one transaction; what is recorded under the same fingerprint is left as it is."""
    with transaction(target) as session:
        lock(session)
        shape.create_records(session)
        there = {} if force else _recorded(session)
        done: list[Published] = []
        for _, of_table in groupby(sorted(parts, key=lambda part: part.record), key=lambda part: part.table.name):
            every = list(of_table)
            advance(target.name, every[0].table.name, len(done), len(parts))
            new = [part for part in every if there.get(part.record) != part.fingerprint]
            done += [
                Published(target.name, *part.name, part.figures.rows, is_new=False) for part in every if part not in new
            ]
            if new:
                done += _publish_table(session, target, new, force=force)
        return done


def _publish_table(session: Session, target: DatabaseTarget, parts: list[Part], *, force: bool) -> list[Published]:
    """Write parts of one table."""
    table = parts[0].table
    is_as_before = shape.shaped(session, table) and not force
    done = [_publish_part(session, target, part, trusts=is_as_before) for part in parts]
    shape.hold(session, table)
    return done


def _publish_part(session: Session, target: DatabaseTarget, part: Part, *, trusts: bool) -> Published:
    """Write one part; `trusts` what is recorded of its buckets."""
    started = time.perf_counter()
    keep, now, staged = target.mode == "upsert", part.gold.buckets(part.table), None
    some = _differing(session, part, now) if trusts and now and not keep else None
    if some and not some.names:
        written = rows.Written()
    elif rows.is_empty(session, part):
        rows.copy(session, session.name(part.table.name), part)
        written = rows.Written(added=part.figures.rows)
    else:
        staged = rows.stage(session, part, some)
        written = rows.merge(session, part, staged, some, keep=keep)
    found = rows.found(session, part, staged if keep else None)
    check(target, part, found, is_whole=some is None)
    # In mode upsert the target holds rows beside them: buckets would not say what is there.
    _record(session, part, None if keep else now)
    seconds, counts = time.perf_counter() - started, (written.added, written.changed, written.removed)
    return Published(target.name, *part.name, part.figures.rows, *counts, seconds=seconds, figures=found)


def _differing(session: Session, part: Part, now: Buckets) -> rows.Some | None:
    """The buckets whose rows are not those that were published; None where any may differ."""
    sql = f"SELECT buckets FROM {session.name(RECORDS)} WHERE table_name = %s AND region = %s"
    names = now.differing(from_json(session.value(sql, *part.record)))
    return None if names is None else rows.Some(now.division, names)


def _recorded(session: Session) -> dict[tuple[str, str], str]:
    """What is recorded of tables that are there: one may have been dropped by hand."""
    if not session.exists(RECORDS):
        return {}
    found = session.execute(f"SELECT table_name, region, fingerprint FROM {session.name(RECORDS)}").fetchall()
    present: Collection[str] = {name for name in {row[0] for row in found} if session.exists(name)}
    return {(table, region): fingerprint for table, region, fingerprint in found if table in present}


def _record(session: Session, part: Part, now: Buckets | None) -> None:
    """Write down what was published."""
    session.execute(
        f'INSERT INTO {session.name(RECORDS)} (table_name, region, fingerprint, "rows", published_at, buckets)'
        " VALUES (%s, %s, %s, %s, now(), %s) ON CONFLICT (table_name, region) DO UPDATE SET fingerprint ="
        ' excluded.fingerprint, "rows" = excluded."rows", published_at = excluded.published_at,'
        " buckets = excluded.buckets",
        *part.record,
        part.fingerprint,
        part.figures.rows,
        now.to_json() if now else None,
    )
