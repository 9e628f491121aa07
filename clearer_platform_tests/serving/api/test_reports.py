"""Reports and tables as JSON and CSV, on gold written by hand."""

import csv
import io

import pytest

from clearer_platform.serving.api.answers import negotiated
from clearer_platform_tests.serving.api.conftest import problem

QUARTERS = "/v1/reports/hires-by-quarter"
MEAN = "/v1/reports/departments-above-mean"


def rows_of(response):
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/csv")
    return list(csv.reader(io.StringIO(response.text)))


def test_hires_by_quarter_are_those_of_the_year_in_order(api):
    found = api.get(f"{QUARTERS}?year=2021").json()
    assert found == [
        {"department": "Legal", "job": '-Ähm, "so"', "q1": 0, "q2": 0, "q3": 0, "q4": 4},
        {"department": "Sales", "job": "=cmd|'/c calc'!A0", "q1": 0, "q2": 3, "q3": 0, "q4": 0},
        {"department": "Sales", "job": "Clerk", "q1": 1, "q2": 0, "q3": 2, "q4": 0},
    ]


def test_departments_above_the_mean_come_by_hires_then_id(api):
    found = api.get(f"{MEAN}?year=2021").json()
    assert [(row["id"], row["hired"]) for row in found] == [(7, 8), (3, 5), (9, 5)]
    assert api.get(f"{MEAN}?year=2020").json() == [{"id": 1, "department": "Old", "hired": 99}]


@pytest.mark.parametrize("path", [QUARTERS, MEAN])
def test_a_year_of_which_there_is_nothing_is_empty(api, path):
    assert api.get(f"{path}?year=1999").json() == []
    assert len(rows_of(api.get(f"{path}?year=9999&format=csv"))) == 1


@pytest.mark.parametrize("query", ["", "?year=", "?year=x", "?year=0", "?year=10000", "?year=2021.5", "?year=1e3"])
def test_a_year_that_is_none(api, query):
    errors = problem(api.get(QUARTERS + query), 422, "invalid-request")["errors"]
    assert [error["where"] for error in errors] == ["query.year"]


def test_csv_runs_no_formula_and_json_says_what_is_there(api):
    """The apostrophe is for spreadsheets; only texts that would be run get one."""
    by_format = rows_of(api.get(f"{QUARTERS}?year=2021&format=csv"))
    assert by_format == [
        ["department", "job", "q1", "q2", "q3", "q4"],
        ["Legal", '\'-Ähm, "so"', "0", "0", "0", "4"],
        ["Sales", "'=cmd|'/c calc'!A0", "0", "3", "0", "0"],
        ["Sales", "Clerk", "1", "0", "2", "0"],
    ]
    assert rows_of(api.get(f"{QUARTERS}?year=2021", headers={"Accept": "text/csv"})) == by_format
    assert rows_of(api.get(f"{MEAN}?year=2021&format=csv"))[1] == ["7", "'@Home", "8"]


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("*/*", "application/json"),
        ("", None),
        ("text/csv", "text/csv"),
        ("text/*", "text/csv"),
        ("application/json, text/csv", "application/json"),
        ("application/json;q=0.5, text/csv", "text/csv"),
        ("text/csv;q=0, */*;q=0.1", "application/json"),
        ("application/json;q=0, */*", "text/csv"),
        ("application/xml", None),
        ("text/csv;q=x", None),
        ("TEXT/CSV ; Q=1", "text/csv"),
        (";,;q=,", None),
    ],
)
def test_negotiation(accept, chosen):
    assert negotiated(accept) == chosen


def test_what_cannot_be_accepted(api):
    problem(api.get(f"{QUARTERS}?year=2021", headers={"Accept": "application/xml"}), 406, "not-acceptable")
    assert api.get(f"{QUARTERS}?year=2021&format=json", headers={"Accept": "application/xml"}).status_code == 200


def test_a_region_without_gold_says_so_and_names_no_path(api):
    details = problem(api.get(f"{QUARTERS}?year=2021", region="us"), 404, "not-built")
    assert "clearer materialize" in details["hint"]
    assert str(api.platform.settings.home) not in str(details)


def test_a_table_is_read_part_by_part(api):
    found, path = [], "/v1/tables/branch_performance?limit=2"
    while path:
        answer = api.get(path)
        found += answer.json()["rows"]
        path = answer.links["next"]["url"] if answer.json()["more"] else None
    assert "next" not in answer.links
    assert [row["branch_name"] for row in found] == ["b0", "b1", "b2", "b3", "b4"]
    revenue = ["0.00000000", "0.14285714", "0.28571429", "0.42857143", "0.57142857"]
    assert [row["revenue"] for row in found] == revenue, "no digit is lost in a float, and zero is not 0E-8"


def test_csv_says_where_the_rest_is(api):
    first = api.get("/v1/tables/branch_performance?limit=4&format=csv")
    last = api.get(first.links["next"]["url"])
    assert [len(rows_of(first)), len(rows_of(last))] == [1 + 4, 1 + 1]
    assert "next" not in last.links


def test_negative_numbers_stay_numbers_in_csv(api):
    rows = rows_of(api.get("/v1/tables/branch_performance?format=csv&limit=1"))
    assert rows == [["region", "branch_name", "revenue", "change"], ["mx", "b0", "0.00000000", "-3"]]


def test_a_table_has_limits(make_api):
    api = make_api(api_max_rows=2)
    assert api.get("/v1/tables/branch_performance?limit=2").status_code == 200
    assert "2 rows" in problem(api.get("/v1/tables/branch_performance?limit=3"), 422, "invalid-request")["detail"]
    for query in ("limit=0", "offset=-1", "offset=99999999999999999999", "from=yesterday"):
        problem(api.get(f"/v1/tables/branch_performance?{query}"), 422, "invalid-request")
    said = problem(api.get("/v1/tables/branch_performance?from=2024-01-01"), 409, "refused")["detail"]
    assert "has no day" in said


def test_tables_say_what_the_key_may_do(api):
    def listed(role, region="mx"):
        return {
            (t["layer"], t["name"]): t["operations"] for t in api.get("/v1/tables", role=role, region=region).json()
        }

    engineer, analyst = listed("senior_engineer"), listed("junior_analyst")
    assert engineer["silver", "jobs"] == ["write", "follow", "back_up", "restore"]
    assert engineer["gold", "branch_performance"] == ["read", "back_up", "restore"]
    assert {layer for layer, _ in analyst} == {"gold"}
    assert ("silver", "transactions") not in engineer, "mx does not deliver it"
    assert ("gold", "dim_customers") not in listed("junior_analyst", "eu"), "a row a person"
    assert listed("senior_analyst", "eu")["gold", "dim_customers"] == ["read"], "eu lets pseudonyms leave"
    assert ("gold", "dim_customers") not in listed("senior_analyst", "us"), "us does not"
    assert listed("senior_scientist", "eu")["gold", "fct_transactions"] == ["back_up"], "nothing says that it may leave"
