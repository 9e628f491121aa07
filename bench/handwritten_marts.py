"""The second half of the hand-written script: from its Parquet files to the marts, in one DuckDB file."""

import hashlib
import hmac
import secrets
from pathlib import Path

import duckdb

CURRENCY, REPORTING = "EUR", "USD"

COMPLETED = "FILTER (WHERE status_value = 'Completed')"
PENDING = "FILTER (WHERE status_value = 'Pending')"
FAILED = "FILTER (WHERE status_value = 'Failed')"
MONEY = ", ".join(
    f"coalesce(sum({source}) {rows}, 0) AS {prefix}{name}"
    for prefix, source in (("", "total_amount"), ("reporting_", "reporting_amount"))
    for name, rows in (
        ("revenue", COMPLETED),
        ("gross_amount", ""),
        ("pending_amount", PENDING),
        ("failed_amount", FAILED),
    )
)
ROLLED_UP = ", ".join(
    f"sum({prefix}{name}) AS {prefix}{name}"
    for prefix in ("", "reporting_")
    for name in ("revenue", "gross_amount", "pending_amount", "failed_amount")
)

MARTS = {
    "day_rates": f"""
        SELECT day, rate, rate_day FROM (SELECT DISTINCT _event_day AS day FROM accepted_transactions) days
        ASOF LEFT JOIN (SELECT day AS rate_day, rate FROM latest_fx_rates WHERE currency = '{CURRENCY}') rates
            ON rates.rate_day <= days.day""",
    "dim_customers": """
        SELECT region, pseudonym AS customer_key, gender, (year(birth_date) // 10 * 10)::INTEGER AS birth_decade, area
        FROM latest_customers JOIN pseudonyms ON identifier = customer_id""",
    "dim_products": f"""
        SELECT region, product_id, name, category_id, category_name, base_price, '{CURRENCY}' AS currency, unit, weight,
            created_at FROM latest_products""",
    "dim_products_history": f"""
        SELECT region, product_id, _day AS valid_from, lead(_day) OVER product AS valid_to,
            valid_to IS NULL AS is_current, category_id, category_name, base_price, '{CURRENCY}' AS currency
        FROM (SELECT *, lag((category_id, category_name, base_price)) OVER (PARTITION BY product_id ORDER BY _day)
                  IS NOT DISTINCT FROM (category_id, category_name, base_price) AS is_same
              FROM (FROM accepted_products
                    QUALIFY row_number() OVER (PARTITION BY product_id, _day ORDER BY _slot DESC, _line DESC) = 1))
        WHERE NOT is_same WINDOW product AS (PARTITION BY product_id ORDER BY _day)""",
    "fct_transactions": f"""
        SELECT region, transaction_id, _event_day AS day, ordered_at, branch_name AS branch, branch_id,
            pseudonym AS customer_key, product_id, status_value, status, quantity, price, total_amount,
            '{CURRENCY}' AS currency, (total_amount::DECIMAL(28, 2) * rate)::DECIMAL(38, 10) AS reporting_amount,
            '{REPORTING}' AS reporting_currency, rate AS fx_rate, rate_day AS fx_rate_day,
            rate_day < day_rates.day AS fx_is_carried
        FROM accepted_transactions ANTI JOIN superseded_transactions USING (_slot, _line)
        JOIN pseudonyms ON identifier = customer_id JOIN day_rates ON day_rates.day = _event_day""",
    "fct_conversations": """
        SELECT region, conversation_id, _event_day AS day, inserted_at, customer.pseudonym AS customer_key,
            author.pseudonym AS author_key, message_id, type, page_id, has_phone, is_hidden, is_removed, like_count
        FROM latest_conversations JOIN pseudonyms customer ON customer.identifier = customer_id
        JOIN pseudonyms author ON author.identifier = from_id""",
    # Distinct counts by grouping twice: three count(DISTINCT) beside sums take half as long again.
    "branch_performance_daily": f"""
        SELECT * FROM (
            SELECT region, branch, day, currency, reporting_currency, count(*) AS transactions,
                count(*) {COMPLETED} AS completed_transactions, count(*) {PENDING} AS pending_transactions,
                count(*) {FAILED} AS failed_transactions, coalesce(sum(quantity) {COMPLETED}, 0)::BIGINT AS units,
                {MONEY}, bool_or(fx_is_carried) AS fx_is_carried
            FROM fct_transactions GROUP BY ALL)
        JOIN (SELECT branch, day, count(*) AS customers, count(*) FILTER (first_day <= day) AS conversing_customers
              FROM (SELECT DISTINCT branch, day, customer_key FROM fct_transactions)
              LEFT JOIN (SELECT customer_key, min(day) AS first_day FROM fct_conversations GROUP BY ALL)
                  USING (customer_key)
              GROUP BY ALL) USING (branch, day)
        JOIN (SELECT branch, day, count(*) AS products
              FROM (SELECT DISTINCT branch, day, product_id FROM fct_transactions) GROUP BY ALL) USING (branch, day)""",
    "branch_performance": f"""
        SELECT *, rank() OVER (ORDER BY revenue DESC) AS revenue_rank,
            rank() OVER (ORDER BY customers DESC) AS customers_rank, rank() OVER (ORDER BY units DESC) AS units_rank,
            rank() OVER (ORDER BY transactions DESC) AS transactions_rank
        FROM (SELECT region, branch, currency, reporting_currency, min(day) AS first_day, max(day) AS last_day,
                count(*) AS active_days, sum(transactions)::BIGINT AS transactions,
                sum(completed_transactions)::BIGINT AS completed_transactions,
                sum(pending_transactions)::BIGINT AS pending_transactions,
                sum(failed_transactions)::BIGINT AS failed_transactions, sum(units)::BIGINT AS units,
                sum((units = least_units)::INTEGER)::BIGINT AS days_with_fewest_units, {ROLLED_UP}
              FROM (SELECT *, min(units) OVER (PARTITION BY day) AS least_units FROM branch_performance_daily)
              GROUP BY ALL)
        JOIN (SELECT branch, count(*) AS customers, count(talker) AS conversing_customers
              FROM (SELECT DISTINCT branch, customer_key FROM fct_transactions)
              LEFT JOIN (SELECT DISTINCT customer_key, true AS talker FROM fct_conversations) USING (customer_key)
              GROUP BY ALL) USING (branch)
        JOIN (SELECT branch, count(*) AS products FROM (SELECT DISTINCT branch, product_id FROM fct_transactions)
              GROUP BY ALL) USING (branch)""",
    "dim_branches": """
        SELECT region, branch, list_sort(list(DISTINCT branch_id)) AS branch_ids, count(DISTINCT branch_id) AS ids,
            min(day) AS first_day, max(day) AS last_day FROM fct_transactions GROUP BY ALL""",
    "customer_distribution": f"""
        SELECT region, branch, coalesce(area, 'unknown') AS area, count(*) AS customers,
            sum(sales.transactions)::BIGINT AS transactions, sum(sales.revenue) AS revenue, currency
        FROM (SELECT region, branch, currency, customer_key, count(*) AS transactions,
                  coalesce(sum(total_amount) {COMPLETED}, 0) AS revenue FROM fct_transactions GROUP BY ALL) sales
        LEFT JOIN dim_customers USING (region, customer_key) GROUP BY ALL""",
    "product_performance": f"""
        SELECT sold.*, name, category_name, rank() OVER (ORDER BY revenue DESC) AS revenue_rank,
            rank() OVER (ORDER BY units DESC) AS units_rank
        FROM (SELECT region, product_id, currency, reporting_currency, count(*) AS transactions,
                coalesce(sum(quantity) {COMPLETED}, 0)::BIGINT AS units,
                coalesce(sum(total_amount) {COMPLETED}, 0) AS revenue,
                sum(reporting_amount) {COMPLETED} AS reporting_revenue, count(DISTINCT branch) AS branches,
                min(day) AS first_day, max(day) AS last_day FROM fct_transactions GROUP BY ALL) sold
        LEFT JOIN dim_products USING (region, product_id)""",
    "branch_activity_gap": """
        SELECT *, customer_share - transaction_share AS activity_gap, customers >= median(customers) OVER ()
            AND transactions_per_customer < median(transactions_per_customer) OVER () AS has_gap
        FROM (SELECT region, branch, customers, transactions, transactions / customers AS transactions_per_customer,
                customers / sum(customers) OVER () AS customer_share,
                transactions / sum(transactions) OVER () AS transaction_share FROM branch_performance)""",
    "conversation_sales": """
        SELECT region, transaction_id, customer_key, product_id, branch AS branch_name, day AS created_date,
            status_value, total_amount, price,
            round(total_amount::DECIMAL(28, 2) * price, 2)::DECIMAL(38, 2) AS total_value,
            (total_amount::DOUBLE * price::DOUBLE)::VARCHAR::DECIMAL(18, 2) AS total_value_original, currency,
            conversations
        FROM fct_transactions
        JOIN (SELECT customer_key, count(*) AS conversations FROM fct_conversations GROUP BY ALL)
            USING (customer_key)""",
}


def build_marts(output: Path) -> None:
    """Build every mart from the Parquet files below `output`."""
    database = duckdb.connect(output / "warehouse.duckdb", config={"storage_compatibility_version": "v1.4.0"})
    database.execute("SET TimeZone = 'UTC'; SET preserve_insertion_order = false")
    keys = {"transactions": "transaction_id", "customers": "customer_id", "products": "product_id",
            "conversations": "conversation_id", "fx_rates": "currency, day"}  # fmt: skip
    for table, key in keys.items():
        latest_of(database, output, table, key)
    pseudonymise(database)
    for name, query in MARTS.items():
        database.execute(f"CREATE TABLE {name} AS {query}")
    database.close()


def latest_of(database: duckdb.DuckDBPyConnection, output: Path, table: str, key: str) -> None:
    """Views of a table's accepted rows and of the latest of each key. Only keys that repeat are ranked."""
    database.execute(f"""
        CREATE TEMP VIEW accepted_{table} AS
            SELECT _region AS region, * EXCLUDE (_region, _raw, _rules, _warnings, _key)
            FROM '{output}/{table}/*.parquet' WHERE len(_rules) = 0;
        CREATE TEMP TABLE superseded_{table} AS
            SELECT _slot, _line FROM accepted_{table}
            SEMI JOIN (SELECT {key} FROM accepted_{table} GROUP BY ALL HAVING count(*) > 1) USING ({key})
            QUALIFY row_number() OVER (
                PARTITION BY {key} ORDER BY _day DESC, _received_at DESC, _slot DESC, _line DESC) > 1;
        CREATE TEMP VIEW latest_{table} AS FROM accepted_{table} ANTI JOIN superseded_{table} USING (_slot, _line)""")


def pseudonymise(database: duckdb.DuckDBPyConnection) -> None:
    """A pseudonym for every person who is named anywhere: keyed, so that nobody without the key can tell who it is."""
    key = secrets.token_bytes(32)
    people = (
        database.execute("""
        SELECT customer_id FROM accepted_transactions UNION SELECT customer_id FROM accepted_customers
        UNION SELECT unnest([customer_id, from_id]) FROM accepted_conversations""")
        .arrow()
        .read_all()
    )
    hashed = [hmac.digest(key, p.encode(), hashlib.sha256).hex()[:32] for p in people.column(0).to_pylist()]
    named = people.rename_columns(["identifier"]).append_column("pseudonym", [hashed])
    database.register("named", named)
    database.execute("CREATE TEMP TABLE pseudonyms AS SELECT identifier, pseudonym FROM named")
