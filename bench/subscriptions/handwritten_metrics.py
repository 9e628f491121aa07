"""The second half of the hand-written script: from the judged elements to the six metric tables.

Accepted intervals do not overlap, and each knows on which day the store's next one begins: what it touches, and what it
leaves open, needs no further look at its neighbours.
"""

VIEWS = """
    CREATE TEMP VIEW intervals AS
    SELECT _line, store_id, from_date::DATE AS first_day, to_date::DATE AS last_day, start_type, end_type,
        least(coalesce(to_date::DATE, DATE '{as_of}'), DATE '{as_of}') AS until,
        CASE WHEN next_day <= DATE '{as_of}' THEN next_day END AS next_begun,
        coalesce(next_begun > last_day + 1, false) AS has_gap_behind
    FROM install_intervals WHERE _rules IS NULL;

    CREATE TEMP VIEW periods AS
    SELECT _line, position, from_date, from_date::DATE AS first_day, to_date::DATE AS last_day, price
    FROM subscription_periods WHERE _rules IS NULL;

    CREATE TEMP TABLE lifespans AS
    SELECT store_id, min(first_day) AS first_day, max(until) AS last_day,
        sum(until - first_day + coalesce(next_begun <> last_day, true)::INTEGER)::BIGINT AS active_days,
        max(coalesce(last_day, DATE '{as_of}')) - min(first_day) AS lifespan_days_original,
        count(*) FILTER (has_gap_behind) AS gaps,
        bool_or(coalesce(last_day > DATE '{as_of}', true)) AS is_installed
    FROM intervals WHERE first_day <= DATE '{as_of}' GROUP BY store_id;
"""

METRICS = {
    "store_lifespan": "FROM lifespans",
    "store_lifespan_original": "SELECT store_id, lifespan_days_original AS lifespan_days FROM lifespans",
    "revenue_by_day": """
        WITH changes AS (
            SELECT first_day AS day, count(*) AS started, sum(price) AS revenue, started AS number, revenue AS price
            FROM periods WHERE first_day <= DATE '{as_of}' GROUP BY day
            UNION ALL
            SELECT last_day, 0, 0, -count(*), -sum(price)
            FROM periods WHERE last_day <= DATE '{as_of}' GROUP BY last_day
        )
        SELECT day, coalesce(sum(started), 0)::BIGINT AS subscriptions_started, coalesce(sum(revenue), 0) AS revenue,
            (sum(sum(number)) OVER so_far)::BIGINT AS subscriptions, sum(sum(price)) OVER so_far AS recurring_revenue
        FROM (SELECT unnest(generate_series(min(day), DATE '{as_of}', INTERVAL 1 DAY))::DATE AS day FROM changes)
        LEFT JOIN changes USING (day) GROUP BY day WINDOW so_far AS (ORDER BY day)""",
    "revenue_by_day_original": """
        SELECT first.first_day AS day, sum(first.price) AS revenue
        FROM (SELECT arg_min(periods, (from_date, position)) AS first FROM periods GROUP BY _line)
        GROUP BY day""",
    "activity_by_day": """
        WITH moves AS (
            SELECT first_day AS day, count(*) AS arrived, 0 AS returned, 0 AS churned FROM lifespans GROUP BY day
            UNION ALL
            SELECT next_begun, 0, count(*), 0 FROM intervals WHERE has_gap_behind GROUP BY next_begun
            UNION ALL
            SELECT last_day, 0, 0, count(*) FROM intervals
            WHERE last_day <= DATE '{as_of}' AND (next_begun IS NULL OR has_gap_behind) GROUP BY last_day
        ), reasons AS (
            SELECT day, count(DISTINCT _line) FILTER (reason = 'CUSTOMER_REACTIVATED') AS reactivated,
                count(DISTINCT _line) FILTER (reason = 'CUSTOMER_REOPENED') AS reopened,
                count(DISTINCT _line) FILTER (reason = 'CUSTOMER_CANCELLED') AS cancelled,
                count(DISTINCT _line) FILTER (reason = 'CUSTOMER_CLOSED') AS closed
            FROM (SELECT _line, first_day AS day, start_type AS reason FROM intervals WHERE start_type IS NOT NULL
                  UNION ALL SELECT _line, last_day, end_type FROM intervals WHERE end_type IS NOT NULL)
            WHERE day <= DATE '{as_of}' GROUP BY day
        ), daily AS (
            SELECT day, coalesce(sum(arrived), 0)::BIGINT AS new_stores,
                coalesce(sum(returned), 0)::BIGINT AS returned_stores,
                coalesce(sum(churned), 0)::BIGINT AS churned_stores
            FROM (SELECT unnest(generate_series(min(day), DATE '{as_of}', INTERVAL 1 DAY))::DATE AS day FROM moves)
            LEFT JOIN moves USING (day) GROUP BY day
        )
        SELECT day,
            (sum(new_stores + returned_stores - churned_stores) OVER so_far + churned_stores)::BIGINT AS active_stores,
            new_stores, returned_stores, churned_stores, coalesce(reactivated, 0) AS reactivated_stores,
            coalesce(reopened, 0) AS reopened_stores, coalesce(cancelled, 0) AS cancelled_stores,
            coalesce(closed, 0) AS closed_stores
        FROM daily LEFT JOIN reasons USING (day) WINDOW so_far AS (ORDER BY day)""",
    "activity_by_day_original": """
        SELECT first_day AS day, count(*) FILTER (is_open) AS active, count(*) FILTER (is_closed) AS new,
            count(*) FILTER (is_cancelled) AS uninstalls
        FROM (SELECT _line, first_day, bool_or(last_day IS NULL) AS is_open, bool_or(last_day IS NOT NULL) AS is_closed,
                  coalesce(bool_or(end_type = 'CUSTOMER_CANCELLED'), false) AS is_cancelled
              FROM intervals GROUP BY _line, first_day)
        GROUP BY day""",
}
