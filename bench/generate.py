"""What the benchmark reads: a region's deliveries of 30 days, made by DuckDB. The same seed, the same bytes.

Of the transactions about 0.3 % break a rule (each in a way of its own), 2 % repeat a key of the same or an earlier day
with another status, 1 % come a day late, and a few fall into an hour that does not exist or exists twice.
"""

import json
import shutil
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb

ZONE = "Europe/Berlin"
START = date(2024, 3, 10)  # the 22nd day, 31 March, lacks the hour from 02:00
GAP_HOUR = "TIMESTAMP '2024-03-31 02:00:00'"
FOLD_HOUR = "TIMESTAMP '2023-10-29 02:00:00'"
REPEATED = 50  # every 50th row corrects an earlier transaction
VERSION = 2
BRANCHES = (
    "Aachen Bonn Bremen Dresden Essen Frankfurt Hamburg Hannover Jena Kassel Kiel Leipzig Mainz Ulm Trier Rostock "
    "Berlin|Mitte Berlin|West Köln,|Dom Köln,|Süd München Nürnberg Würzburg Zwickau"
)
HEADERS = {
    "transactions": "transaction_id,ordered_at,branch_id,branch_name,customer_id,total_amount,status,status_value,"
    "product_id,price,quantity",
    "customers": "customer_id,customer_name,gender,birth_date,area,email",
    "products": "product_id,name,category_id,category_name,base_price,unit,weight,created_at",
    "conversations": "conversation_id,from_id,from_name,from_email,message_id,message,type,inserted_at,has_phone,"
    "phone_info,is_hidden,is_removed,like_count,page_id,customer_id",
    "fx_rates": "currency,day,rate",
}


@dataclass(frozen=True)
class Size:
    """How much to make; everything else follows from the number of transaction rows."""

    rows: int = 10_000_000
    days: int = 30
    seed: int = 7

    @property
    def customers(self) -> int:
        """Number of customers."""
        return max(50, self.rows // 100)

    @property
    def products(self) -> int:
        """Number of products."""
        return max(20, min(5_000, self.rows // 200))

    @property
    def conversations(self) -> int:
        """Conversations a day."""
        return max(5, self.rows // 200 // self.days)


def generate(work: Path, size: Size) -> Path:
    """The folder below `work` with the deliveries (`<table>/<table>-<day>.csv`), made unless it is there already."""
    folder = work / f"data-{size.rows}-{size.days}-{size.seed}"
    stamp = json.dumps({**asdict(size), "version": VERSION})
    marker = folder / "made.json"
    if marker.exists() and marker.read_text() == stamp:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    with duckdb.connect() as connection:
        for table in HEADERS:
            (folder / table).mkdir(parents=True)
        for number in range(size.days):
            _write_day(connection, folder, size, number)
    marker.write_text(stamp)
    return folder


def days(size: Size) -> list[date]:
    """The business days of the deliveries."""
    return [START + timedelta(days=n) for n in range(size.days)]


def _write_day(connection: duckdb.DuckDBPyConnection, folder: Path, size: Size, number: int) -> None:
    day = START + timedelta(days=number)
    queries = {
        "transactions": _transactions(size, number),
        "customers": _customers(size, number),
        "conversations": _conversations(size, number),
    }
    if number % 10 == 0:
        queries["products"] = _products(size, number)
    if number == 0 or day.weekday() < 5:
        queries["fx_rates"] = _fx_rates(number)
    for table, query in queries.items():
        # A line is one text, so that a row may also be broken: a quoting writer could not write those.
        options = "FORMAT csv, HEADER false, QUOTE '', DELIMITER '\x01'"
        body = f"SELECT '{HEADERS[table]}' AS line UNION ALL ({query})"
        connection.execute(f"COPY ({body}) TO '{folder}/{table}/{table}-{day}.csv' ({options})")


def _transactions(size: Size, number: int) -> str:
    """One day's rows: new transactions, and between them corrections of earlier ones."""
    rows = size.rows // size.days + (number < size.rows % size.days)
    new = size.rows // size.days
    names = ", ".join(f"'{name.replace('|', ' ')}'" for name in BRANCHES.split())
    seed = size.seed
    return f"""
    WITH numbered AS (
        SELECT r, hash(r + {number * 100_000_000}, {seed}) AS chance, r % {REPEATED} = {REPEATED - 1} AS corrects,
            (CASE WHEN corrects THEN chance % ({number + 1} * {new})
             ELSE {number * new} + r END)::BIGINT AS tx
        FROM range({rows}) t(r)
    ), hashed AS (
        SELECT *, hash(tx, {seed + 1}) AS a, hash(tx, {seed + 2}) AS b, hash(tx, {seed + 3}) AS c,
            (chance // 1000 % 100000)::INTEGER AS dirt, (tx // {new}) AS tx_day
        FROM numbered
    ), timed AS (
        SELECT *, TIMESTAMP '{START}' + to_days((tx_day - (a % 100 = 0)::INTEGER)::INTEGER)
            + to_seconds((a // 100 % 86400)::INTEGER) AS uniform
        FROM hashed
    ), valued AS (
        SELECT *,
            CASE WHEN b % 5000 = 0 THEN {FOLD_HOUR} + to_seconds((a % 3600)::INTEGER)
                 WHEN date_trunc('hour', uniform) = {GAP_HOUR} AND b % 20 <> 0 THEN uniform + INTERVAL 1 HOUR
                 ELSE uniform END AS ordered_at,
            (b // 5000 % {len(BRANCHES.split())})::INTEGER AS branch,
            least(c % {size.customers}, c // 1000000 % {size.customers}) AS customer,
            (a // 8640000 % 50000 + 100)::DECIMAL(18, 2) / 100 AS price,
            (c // 7 % {size.products}) AS product,
            1 + (c // 3 % 5) AS quantity,
            (CASE WHEN corrects THEN 1 + chance // 13 % 2 ELSE a // 31 % 3 END)::INTEGER AS state
        FROM timed
    )
    SELECT concat_ws(',',
        CASE WHEN dirt BETWEEN 70 AND 99 THEN '' ELSE 'T' || lpad(tx::VARCHAR, 8, '0') END,
        CASE WHEN dirt BETWEEN 190 AND 209 THEN '2024-02-30 10:00:00' ELSE ordered_at::VARCHAR END,
        'B' || lpad((branch + (a % 97 = 0)::INTEGER)::VARCHAR, 2, '0'),
        CASE WHEN contains(([{names}])[branch + 1], ',') THEN '"' || ([{names}])[branch + 1] || '"'
             ELSE ([{names}])[branch + 1] END,
        CASE WHEN dirt BETWEEN 250 AND 269 THEN ' ' ELSE '' END
            || CASE WHEN c % 1000 = 1 THEN 'X' ELSE 'C' END || lpad(customer::VARCHAR, 6, '0'),
        CASE WHEN dirt BETWEEN 210 AND 229 THEN 'n/a' WHEN dirt BETWEEN 100 AND 129 THEN '-' ELSE '' END
            || CASE WHEN dirt BETWEEN 210 AND 229 THEN ''
                    ELSE (price * quantity)::DECIMAL(18, 2)::VARCHAR
                        || CASE WHEN dirt BETWEEN 130 AND 159 THEN '5' ELSE '' END END,
        (a // 37 % 4)::VARCHAR,
        CASE WHEN dirt BETWEEN 160 AND 189 THEN 'Refunded' ELSE (['Pending', 'Completed', 'Failed'])[state + 1] END,
        CASE WHEN dirt BETWEEN 230 AND 249 THEN '' ELSE 'P' || lpad(product::VARCHAR, 4, '0') END,
        CASE WHEN dirt < 40 THEN NULL WHEN dirt >= 290 AND dirt < 300 THEN '1e3'
             ELSE price::DECIMAL(18, 2)::VARCHAR END,
        CASE WHEN dirt < 40 THEN NULL WHEN dirt BETWEEN 210 AND 229 OR dirt BETWEEN 270 AND 289 THEN '0'
             ELSE quantity::VARCHAR END,
        CASE WHEN dirt BETWEEN 40 AND 69 THEN 'surplus' END) AS line
    FROM valued ORDER BY r"""


def _customers(size: Size, number: int) -> str:
    """All customers on the first day, then each day a few whose area changed."""
    some = "" if number == 0 else f"WHERE hash(i, {size.seed + number}) % 200 = 0"
    return f"""
    SELECT concat_ws(',', 'C' || lpad(i::VARCHAR, 6, '0'), 'Name ' || i, (['True', 'False'])[i % 2 + 1],
        (DATE '1950-01-01' + (hash(i, 1) % 20000)::INTEGER)::VARCHAR,
        (['North', 'South', 'East', 'West'])[(hash(i, {number}) % 4)::INTEGER + 1],
        CASE WHEN hash(i, 2) % 500 = 0 THEN 'no address' ELSE 'c' || i || '@example.com' END)
    FROM range({size.customers}) t(i) {some} ORDER BY i"""


def _products(size: Size, number: int) -> str:
    """All products on the first day, and a tenth of them at a new price every ten days."""
    some = "" if number == 0 else f"WHERE i % 10 = {number // 10}"
    return f"""
    SELECT concat_ws(',', 'P' || lpad(i::VARCHAR, 4, '0'), 'Product ' || i, 'K' || i % 20, 'Category ' || i % 20,
        ((hash(i, {number}) % 50000 + 100)::DECIMAL(18, 2) / 100)::DECIMAL(18, 2)::VARCHAR,
        (['kg', 'piece', 'liter'])[i % 3 + 1], ((i % 5000)::DECIMAL(12, 3) / 1000)::DECIMAL(12, 3)::VARCHAR,
        '2024-01-01 08:00:00')
    FROM range({size.products}) t(i) {some} ORDER BY i"""


def _conversations(size: Size, number: int) -> str:
    day = START + timedelta(days=number)
    first = number * size.conversations
    return f"""
    SELECT concat_ws(',', 'V' || i, 'A' || i % 1000, 'Name ' || i % 1000, 'a' || i % 1000 || '@example.com', 'M' || i,
        '"Where is my order, please?"', (['RATING', 'COMMENT', 'INBOX'])[i % 3 + 1],
        (TIMESTAMP '{day} 03:00:00' + to_seconds((hash(i, 3) % 75000)::INTEGER))::VARCHAR,
        (['true', 'false'])[(i % 2 + 1)], CASE WHEN i % 2 = 0 THEN '[''+4915112345678'']' ELSE '[None]' END,
        'false', 'false', (i % 9)::VARCHAR, 'G' || i % 10,
        'C' || lpad((hash(i, 4) % {size.customers})::VARCHAR, 6, '0'))
    FROM range({first}, {first + size.conversations}) t(i) ORDER BY i"""


def _fx_rates(number: int) -> str:
    """Rates of the weekdays (a weekend takes the last known ones), and at first those that held long before."""
    days = [START + timedelta(days=number)] + ([date(2023, 10, 2)] if number == 0 else [])
    rates = f"('EUR', '{1 + number / 1000:.8f}'), ('JPY', '{0.0066 + number / 1e6:.8f}'), ('USD', '1.00000000')"
    listed = ", ".join(f"('{day}')" for day in days)
    return (
        f"SELECT concat_ws(',', currency, day, rate) FROM (VALUES {rates}) r(currency, rate), (VALUES {listed}) d(day)"
    )
