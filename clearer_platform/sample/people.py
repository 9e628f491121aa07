"""Customers and what they write: who is there from the start, who joins, who moves, and their messages."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

from clearer_platform.sample.rows import Row
from clearer_platform.sample.times import order_time
from clearer_platform.sample.world import World

AREAS = ("North", "South", "East", "West")
BASE = 520
JOINING, MOVING = 12, 6
MESSAGES = 0.09  # for each transaction of the day


def customers(world: World, days: Sequence[date], rng: Random) -> dict[date, list[Row]]:
    """The rows of each day's delivery: everybody on the first day, then those who joined and those who moved."""
    known: dict[str, Row] = {}
    found: dict[date, list[Row]] = {}
    for index, day in enumerate(days):
        moving = [] if index == 0 else [_moved(known[i], world, rng) for i in rng.sample(sorted(known), MOVING)]
        number = round(BASE * world.volume) if index == 0 else rng.randint(JOINING - 4, JOINING + 4)
        joining = [_person(world, len(known) + n, day, rng) for n in range(number)]
        found[day] = joining + moving
        known.update({str(row.values["customer_id"]): row for row in found[day]})
    return found


def _person(world: World, number: int, day: date, rng: Random) -> Row:
    gender = rng.choice(("female", "male"))
    given = rng.choice(world.female if gender == "female" else world.male)
    number += 10_000
    age = timedelta(days=int(rng.triangular(18, 86, 36) * 365.25))
    return Row(
        {
            "customer_id": f"C{number}",
            "customer_name": world.name_order.format(given=given, family=rng.choice(world.family)),
            "gender": world.genders[gender] if rng.random() > 0.02 else None,
            "birth_date": day - age,
            "area": rng.choices(AREAS, (4, 3, 2, 1.5))[0],
            "email": world.mail.format(number=number) if rng.random() > 0.04 else None,
            "phone": world.phone.format(number=rng.randrange(1000)),
            "address": _address(world, rng),
            "is_deleted": False,
        }
    )


def _address(world: World, rng: Random) -> str:
    postcode, city = rng.choice(world.cities)
    return world.address.format(
        street=rng.choice(world.streets), house=rng.randint(1, 120), postcode=postcode, city=city
    )


def _moved(row: Row, world: World, rng: Random) -> Row:
    return row.but(area=rng.choice(AREAS), address=_address(world, rng))


def conversations(
    world: World, zone: ZoneInfo, days: Sequence[date], people: dict[date, list[Row]], volume: float, rng: Random
) -> dict[date, list[Row]]:
    """The messages of each day, by customers known by then."""
    known: dict[str, Row] = {}
    found: dict[date, list[Row]] = {}
    for day in days:
        known.update({str(row.values["customer_id"]): row for row in people[day]})
        ids = sorted(known)
        number = round(volume * world.volume * MESSAGES * rng.uniform(0.8, 1.2))
        written = sorted(order_time(day, zone, world.hours, rng) for _ in range(number))
        found[day] = [
            _message(world, f"{day:%y%m%d}{n:03d}", at, known[rng.choice(ids)], rng) for n, at in enumerate(written)
        ]
    return found


def _message(world: World, stamp: str, at: datetime, writer: Row, rng: Random) -> Row:
    kind = rng.choice(sorted(world.messages))
    phone = world.phone.format(number=rng.randrange(1000)) if rng.random() < 0.3 else None
    contradicts = rng.random() < 0.1
    return Row(
        {
            "conversation_id": f"conv_{stamp}",
            "from_id": f"user_{writer.values['customer_id']}",
            "from_name": writer.values["customer_name"],
            "from_email": writer.values["email"],
            "message_id": f"msg_{stamp}" if rng.random() > 0.03 else "msg_0",
            "message": rng.choice(world.messages[kind]),
            "type": kind,
            "inserted_at": at,
            "has_phone": (phone is not None) != contradicts,
            "phone_info": f"['{phone}']" if phone else "[None]",
            "is_hidden": rng.random() < 0.05,
            "is_removed": rng.random() < 0.02,
            "like_count": int(rng.expovariate(0.2)),
            "page_id": f"page_{rng.randint(1, 9)}",
            "customer_id": writer.values["customer_id"],
            "is_deleted": False,
        }
    )
