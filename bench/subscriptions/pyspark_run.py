"""The same job in PySpark on this machine's cores: `from_json`, `explode`, `groupBy`, Parquet.

As the analysis that these metrics continue was written, it judges nothing: it is for a clean delivery, and has less to
do than the others. With `validated` it also judges every element and keeps what it rejects.

    python -m bench.subscriptions.pyspark_run DELIVERY AS_OF OUTPUT [validated]
"""

import os
import sys
from datetime import date
from pathlib import Path

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as f

from bench.phases import include, report, started
from bench.subscriptions.pyspark_metrics import build_metrics
from bench.subscriptions.pyspark_validated import judged
from bench.subscriptions.twice import twice

STORES = "store_id string, installHistory string, subscriptionHistory string"
INTERVALS = "array<struct<toNow boolean, startType string, fromDate timestamp, endType string, toDate timestamp>>"
PERIODS = "array<struct<price decimal(18,2), planName string, fromDate timestamp, toDate timestamp>>"


SMALL, QUICKLY = 100_000_000, "-XX:TieredStopAtLevel=1"
"""Up to this many bytes Java does best not to optimise what it compiles: half the time at 1,000 stores."""


def session(delivery: Path) -> SparkSession:
    """A session on all cores, set for a delivery of this size."""
    settings = {
        "spark.driver.memory": "3g",
        "spark.driver.extraJavaOptions": QUICKLY if delivery.stat().st_size < SMALL else "",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": f"{2 * (os.cpu_count() or 1)}",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "ERROR",
    }
    return SparkSession.builder.master("local[*]").config(map=settings).getOrCreate()


def elements(stores: DataFrame, column: str, schema: str) -> DataFrame:
    """A row for every element of a column, unjudged."""
    found = stores.select("store_id", f.posexplode(f.from_json(column, schema)).alias("position", "element"))
    return found.select("store_id", "position", "element.*", day("fromDate", "first_day"), day("toDate", "last_day"))


def day(column: str, name: str) -> Column:
    """The day of an element's time."""
    return f.to_date(f"element.{column}").alias(name)


def run(spark: SparkSession, delivery: Path, as_of: date, output: Path, *, is_validated: bool = False) -> None:
    """CSV to metrics."""
    stores = spark.read.csv(f"{delivery}", schema=STORES, header=True, escape='"')
    if is_validated:
        intervals, periods = judged(stores, output / "silver")
    else:
        intervals = elements(stores, "installHistory", INTERVALS)
        periods = elements(stores, "subscriptionHistory", PERIODS)
    for name, metric in build_metrics(intervals, periods, as_of).items():
        metric.write.parquet(f"{output}/gold/{name}.parquet")
    spark.catalog.clearCache()


def end(spark: SparkSession) -> None:
    """End the session and its JVM, so that what it used is known."""
    gateway = spark.sparkContext._gateway
    spark.stop()
    gateway.shutdown()
    gateway.proc.stdin.close()
    gateway.proc.wait()


def main(delivery: str, as_of: str, output: str, *options: str) -> None:
    """The measured job, and once more in the session that is warm by then."""
    spark, is_validated = session(Path(delivery)), "validated" in options
    include(spark.sparkContext._gateway.proc.pid)
    started()
    day = date.fromisoformat(as_of)
    twice(lambda folder: run(spark, Path(delivery), day, folder, is_validated=is_validated), Path(output))
    report({})
    end(spark)


if __name__ == "__main__":
    main(*sys.argv[1:])
