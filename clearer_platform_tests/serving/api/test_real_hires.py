"""The three files of the hiring service, sent in batches and read as reports: the known answers for 2021."""

import csv
import io

from clearer_platform import gold
from clearer_platform.sources.batches.sealing import collect
from clearer_platform_tests import flow

TABLES = ("departments", "jobs", "hired_employees")


def test_the_sample_comes_to_its_known_figures(make_api, real_data):
    api = make_api()
    (api.platform.settings.home / "mx" / "warehouse.duckdb").unlink()
    for table in TABLES:
        lines = (real_data / "hiring" / f"{table}.csv").read_bytes().splitlines(keepends=True)
        for at in range(0, len(lines), 1000):
            batch = b"".join(lines[at : at + 1000])
            sent = api.post(f"/v1/migrate/{table}", content=batch, headers={"Content-Type": "text/csv"})
            assert sent.status_code == 201, sent.text
    summary = api.get("/v1/batches/summary?table=hired_employees").json()
    assert (summary["rows"], summary["invalid"], summary["written"]) == (1999, 70, 1929)
    for table in TABLES:
        collect(api.platform, "mx", table)
    flow.bring_up(api.platform, "mx")
    gold.build(api.platform, "mx")
    assert {batch["status"] for batch in api.get("/v1/batches").json()["batches"]} == {"published"}
    rows = api.get("/v1/reports/hires-by-quarter?year=2021", role="junior_analyst").json()
    assert len(rows) == 933
    assert [sum(row[quarter] for row in rows) for quarter in ("q1", "q2", "q3", "q4")] == [249, 454, 453, 487]
    assert rows == sorted(rows, key=lambda row: (row["department"].encode(), row["job"].encode()))
    above = api.get("/v1/reports/departments-above-mean?year=2021&format=csv", role="junior_analyst").text
    assert list(csv.reader(io.StringIO(above))) == [
        ["id", "department", "hired"],
        ["8", "Support", "216"],
        ["5", "Engineering", "205"],
        ["6", "Human Resources", "201"],
        ["7", "Services", "200"],
        ["4", "Business Development", "185"],
        ["3", "Research and Development", "148"],
        ["9", "Marketing", "142"],
    ]
