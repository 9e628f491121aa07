"""What a user would write: SQLAlchemy and pandas, read, computed and written in one go.

python -m bench.softcart.pandas_run SHOP_URL WAREHOUSE_URL
"""

import sys

import pandas as pd
from sqlalchemy import create_engine

from bench.phases import phase, report, started
from clearer_platform.sample.softcart import TABLE


def main(shop: str, warehouse: str) -> None:
    """The measured job."""
    started()
    with phase("read"):
        sales = pd.read_sql(f"SELECT * FROM {TABLE}", create_engine(shop))
    with phase("compute"):
        sales["total_price"] = sales["price"] * sales["quantity"]
        sales["date_key"] = sales["timestamp"].dt.strftime("%Y%m%d").astype(int)
    with phase("write"), create_engine(warehouse).begin() as connection:
        sales.to_sql("by_pandas", connection, if_exists="replace", index=False, chunksize=10_000)
    report({})


if __name__ == "__main__":
    main(*sys.argv[1:])
