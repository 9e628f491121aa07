"""Departments, jobs and the people hired into them: delivered when there is news, and not always in the order of sense.

A department is founded within the sample; people are hired into it the day before its file comes. Another one is never
delivered at all: who is hired into it waits for ever.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from zoneinfo import ZoneInfo

from clearer_platform.sample.rows import Row
from clearer_platform.sample.world import HiringWorld, World

HISTORY = 900
"""Days before the sample's first one in which those of the first delivery were hired."""
FOUNDED = 5
"""The day of the sample, from 0, on which the second-last department is delivered."""
NEWS = (2, FOUNDED - 1, 8, 11)
"""Days on which those hired since are delivered."""
NEWLY_HIRED = 30
SHARE_OF_NEW = 0.2  # of the people hired since, those in a department that is not there yet


def deliveries(
    hiring: HiringWorld, world: World, zone: ZoneInfo, days: Sequence[date], rng: Random
) -> dict[str, dict[date, list[Row]]]:
    """What each day's delivery of each table holds."""
    names = [Row({"id": n, "department": name}) for n, name in enumerate(hiring.departments, 1)]
    jobs = [Row({"id": n, "job": name}) for n, name in enumerate(hiring.jobs, 1)]
    departments = {days[0]: names[:-2], **{day: [names[-2]] for day in days[FOUNDED : FOUNDED + 1]}}
    known = len(names) - 2
    hires = {days[0]: [_hire(n, days[0], HISTORY, known, world, zone, rng) for n in range(1, hiring.hires + 1)]}
    number = hiring.hires + 1
    for place in [n for n in NEWS if n < len(days)]:
        news = [_hire(number + n, days[place], 3, known, world, zone, rng) for n in range(NEWLY_HIRED)]
        number += NEWLY_HIRED
        if place >= FOUNDED - 1:
            unknown = known + 1 if place == FOUNDED - 1 else known + 2
            news = [row.but(department_id=unknown) if rng.random() < SHARE_OF_NEW else row for row in news]
        hires[days[place]] = news
    return {"departments": departments, "jobs": {days[0]: jobs}, "hired_employees": hires}


def _hire(number: int, before: date, days: int, departments: int, world: World, zone: ZoneInfo, rng: Random) -> Row:
    """Somebody who was hired within so many days before a day."""
    day = before - timedelta(days=rng.randint(1, days))
    moment = datetime.combine(day, time(rng.randint(7, 18), rng.randrange(60), rng.randrange(60)), zone)
    given, family = rng.choice((*world.female, *world.male)), rng.choice(world.family)
    assert world.hiring is not None
    return Row(
        {
            "id": number,
            "name": world.name_order.format(given=given, family=family),
            "datetime": moment.astimezone(UTC),
            # The first ones hire more than the others.
            "department_id": 1 + int(rng.triangular(0, departments, 0)),
            "job_id": rng.randint(1, len(world.hiring.jobs)),
        }
    )
