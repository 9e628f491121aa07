"""Batches over HTTP: what comes in is what the body says, within bounds; what does not fit leaves nothing behind."""

import gzip
import json
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from clearer_platform_tests.serving.api.conftest import problem

URL = "/v1/migrate/departments"
CSV = {"Content-Type": "text/csv"}
JSON = {"Content-Type": "application/json"}
ROWS = [{"id": 1, "department": "Sales"}, {"id": 2, "department": "=1+1"}]


@pytest.fixture(scope="module")
def api(tmp_path_factory, prepared_dbt):
    """A service whose batches are this module's own; its limits are small."""
    from clearer_platform_tests.serving.api.conftest import opened

    limits = {"api_max_body_bytes": 40_000, "api_max_unpacked_bytes": 100_000, "api_max_field_chars": 1000}
    yield from opened(tmp_path_factory.mktemp("batches") / "home", prepared_dbt, **limits)


def count(api):
    """How many batches there are."""
    return api.get("/v1/batches/summary").json()["batches"]


@pytest.fixture
def nothing_comes_of_it(api):
    """Whatever the test does, no batch is there afterwards that was not there before."""
    before = count(api)
    yield
    assert count(api) == before


def test_json_is_written_and_followed(api):
    answer = api.post(URL, json=ROWS)
    assert answer.status_code == 201
    log = answer.json()
    assert (log["table"], log["region"], log["form"]) == ("departments", "mx", "json")
    assert (log["rows"], log["valid"], log["invalid"], log["written"]) == (2, 2, 0, 2)
    assert (log["decision"], log["status"], log["invalid_rows"]) == ("accepted", "received", [])
    assert log["client"] == api.token("senior_engineer").split("_")[1]
    assert not {"key_hash", "origin"} & set(log)
    assert api.get(answer.headers["location"]).json() == log


@pytest.mark.parametrize(
    ("headers", "query", "body", "rows"),
    [
        (CSV, "", "1,Sales\r\n2,Legal\r\n", 2),
        ({"Content-Type": "text/csv; header=absent"}, "", "1,Sales\n", 1),
        ({"Content-Type": 'text/csv; charset="UTF-8"; header=present'}, "", "id,department\n1,Sales\n", 1),
        (CSV, "?header=present", "department,id\nSales,1\n", 1),
        ({"Content-Type": "text/csv; header=present"}, "?header=present", "id,department\n1,Sales\n", 1),
        (CSV, "", "id,department\n1,Sales\n", 2),
    ],
)
def test_a_header_is_there_where_it_is_said_to_be(api, headers, query, body, rows):
    """The last one sends a header without saying so: it is a row, and an invalid one."""
    log = api.post(URL + query, content=body, headers=headers).json()
    assert (log["rows"], log["form"]) == (rows, "csv")
    assert log["invalid"] == (1 if rows == 2 and "id" in body else 0)


def test_invalid_rows_are_named_without_their_values(api):
    body = "1,Sales\nsecret,Legal\n3,\n4,Law\n"
    rejected = api.post(URL, content=body, headers=CSV)
    log = rejected.json()
    assert (log["decision"], log["valid"], log["written"]) == ("accepted", 2, 2)
    assert [(row["line"], row["column"]) for row in log["invalid_rows"]] == [(2, "id"), (3, "department")]
    assert "secret" not in rejected.text
    whole = api.post(f"{URL}?on_invalid=reject_batch", content=body, headers=CSV).json()
    assert (whole["decision"], whole["valid"], whole["written"]) == ("rejected", 2, 0)


def test_a_key_that_comes_again_is_answered_as_the_first_time(api):
    headers = {"Idempotency-Key": "first"}
    first = api.post(URL, json=ROWS, headers=headers)
    before = count(api)
    again = api.post(URL, json=ROWS, headers=headers)
    assert (first.status_code, again.status_code) == (201, 200)
    assert (again.json(), again.headers["location"]) == (first.json(), first.headers["location"])
    problem(api.post(URL, json=ROWS[:1], headers=headers), 422, "idempotency-key-reused")
    assert count(api) == before
    for key in ("", " ", "a b", "x" * 256, "ä".encode("latin-1")):
        problem(api.post(URL, json=ROWS, headers={"Idempotency-Key": key}), 422, "invalid-request")


def test_the_same_key_at_once_is_one_batch(api):
    before = count(api)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: api.post(URL, json=ROWS, headers={"Idempotency-Key": "race"}), range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert count(api) == before + 1


@pytest.mark.usefixtures("nothing_comes_of_it")
class TestRefused:
    """What is refused as a whole."""

    @pytest.mark.parametrize(
        ("body", "status", "kind"),
        [
            (b"[]", 422, "refused-batch"),
            (json.dumps([{"id": 1, "department": "S"}] * 1001).encode(), 413, "too-many-rows"),
            (b'[{"id": 1, "department": "S", "boss": "x"}]', 422, "refused-batch"),
            (b'[{"id": 1, "department": "S", "": "x"}]', 422, "refused-batch"),
            (b'{"id": 1}', 400, "malformed-batch"),
            (b"[1]", 400, "malformed-batch"),
            (b"[{]", 400, "malformed-batch"),
            (b"", 400, "malformed-batch"),
            (b"\xff\xfe", 400, "malformed-batch"),
            (b"[" * 20_000, 400, "malformed-batch"),
            (b'[{"id": ' + b"[" * 9000 + b"]" * 9000 + b"}]", 400, "malformed-batch"),
            (b'[{"id": NaN, "department": "S"}]', 400, "malformed-batch"),
            (b'[{"id": 1, "department": "' + b"x" * 1001 + b'"}]', 413, "field-too-large"),
            (b'[{"id": 1, "' + b"x" * 1001 + b'": 1}]', 413, "field-too-large"),
            (b'[{"id": 1, "department": ["' + b"x" * 1001 + b'"]}]', 413, "field-too-large"),
        ],
        ids=lambda value: None if isinstance(value, bytes) else str(value),
    )
    def test_json(self, api, body, status, kind):
        problem(api.post(URL, content=body, headers=JSON), status, kind)

    @pytest.mark.parametrize(
        ("body", "query", "status", "kind"),
        [
            ("", "", 422, "refused-batch"),
            ("\r\n\r\n", "", 422, "refused-batch"),
            ("id,department\n", "?header=present", 422, "refused-batch"),
            ("id,boss\n1,x\n", "?header=present", 422, "refused-batch"),
            ("department\nx\n", "?header=present", 422, "refused-batch"),
            ("1,Sales\n" * 1001, "", 413, "too-many-rows"),
            ("1," + "x" * 1001 + "\n", "", 413, "field-too-large"),
            ('1,"' + "x\n" * 501 + '"\n', "", 413, "field-too-large"),
        ],
    )
    def test_csv(self, api, body, query, status, kind):
        problem(api.post(URL + query, content=body, headers=CSV), status, kind)

    @pytest.mark.parametrize(
        ("content_type", "query", "status", "kind"),
        [
            (None, "", 415, "unsupported-media-type"),
            ("application/xml", "", 415, "unsupported-media-type"),
            ("multipart/form-data; boundary=x", "", 415, "unsupported-media-type"),
            ("text/plain", "", 415, "unsupported-media-type"),
            ("text/csv; charset=cp1252", "", 415, "unsupported-media-type"),
            ("text/csv; header=maybe", "", 422, "invalid-request"),
            ("text/csv; header=present", "?header=absent", 422, "invalid-request"),
            ("text/csv", "?header=guess", 422, "invalid-request"),
            ("application/json", "?header=present", 422, "invalid-request"),
            ("application/json", "?on_invalid=ignore", 422, "invalid-request"),
        ],
    )
    def test_media_types(self, api, content_type, query, status, kind):
        headers = {"Content-Type": content_type} if content_type else {}
        problem(api.post(URL + query, content=b"1,Sales\n", headers=headers), status, kind)

    @pytest.mark.parametrize("table", ["transactions", "nowhere", "hires_by_quarter"])
    def test_tables_that_the_region_does_not_deliver(self, api, table):
        known = problem(api.post(f"/v1/migrate/{table}", json=ROWS), 404, "unknown-name")["hint"]
        assert known == "known: departments, hired_employees, jobs"


def packed(body, **options):
    return {"content": gzip.compress(body), "headers": {**JSON, "Content-Encoding": "gzip", **options}}


def test_a_packed_body_is_unpacked(api):
    body = json.dumps(ROWS).encode()
    assert api.post(URL, **packed(body)).json()["rows"] == 2
    in_two = gzip.compress(body[:10]) + gzip.compress(body[10:])
    headers = {**JSON, "Content-Encoding": "GZIP"}
    assert api.post(URL, content=in_two, headers=headers).json()["rows"] == 2


@pytest.mark.usefixtures("nothing_comes_of_it")
class TestPacked:
    """Bodies that are not what they are said to be, or far more."""

    def test_a_bomb_is_refused_before_it_is_unpacked(self, api, monkeypatch):
        """1 GB of blanks in a megabyte would not pass; 30 MB in 30 kB is stopped after the 100 kB that are allowed."""
        produced = []
        real = zlib.decompressobj

        def watched(*arguments):
            member = real(*arguments)

            class Watched:
                def decompress(self, data, most):
                    produced.append(part := member.decompress(data, most))
                    return part

                def __getattr__(self, name):
                    return getattr(member, name)

            return Watched()

        monkeypatch.setattr(zlib, "decompressobj", watched)
        problem(api.post(URL, **packed(b" " * 30_000_000)), 413, "body-too-large")
        assert sum(map(len, produced)) <= 100_001

    def test_many_members_are_one_body(self, api):
        bomb = gzip.compress(b" " * 60_000) * 2
        answer = api.post(URL, content=bomb, headers={**JSON, "Content-Encoding": "gzip"})
        problem(answer, 413, "body-too-large")

    @pytest.mark.parametrize(
        "damage", [lambda b: b[:-1], lambda b: b + b"x", lambda b: b[:-5] + b"?" + b[-4:], bytes.upper]
    )
    def test_damage(self, api, damage):
        body = damage(gzip.compress(json.dumps(ROWS).encode()))
        problem(api.post(URL, content=body, headers={**JSON, "Content-Encoding": "gzip"}), 400, "damaged-body")

    @pytest.mark.parametrize("encoding", ["br", "zstd", "deflate", "gzip, gzip", "zip"])
    def test_other_encodings(self, api, encoding):
        answer = api.post(URL, content=b"[]", headers={**JSON, "Content-Encoding": encoding})
        problem(answer, 415, "unsupported-encoding")
        assert answer.headers["accept-encoding"] == "gzip"

    def test_an_empty_body_is_nothing_packed(self, api):
        problem(api.post(URL, content=b"", headers={**JSON, "Content-Encoding": "gzip"}), 400, "damaged-body")

    def test_a_body_that_is_too_large(self, api):
        problem(api.post(URL, content=b" " * 40_001, headers=JSON), 413, "body-too-large")
        problem(api.post(URL, content=iter([b" " * 30_000] * 2), headers=JSON), 413, "body-too-large")


def test_batches_are_listed_in_their_order_and_part_by_part(make_api):
    api = make_api()
    made = [
        api.post(f"/v1/migrate/{table}", json=[{"id": 1, name: "x"}]).json()["id"]
        for table, name in [("departments", "department"), ("jobs", "job"), ("departments", "department")]
    ]
    assert [batch["id"] for batch in api.get("/v1/batches").json()["batches"]] == made
    first = api.get("/v1/batches?limit=2").json()
    rest = api.get(f"/v1/batches?limit=2&after={first['after']}").json()
    assert [batch["id"] for batch in first["batches"] + rest["batches"]] == made
    assert rest["after"] is None
    assert [batch["id"] for batch in api.get("/v1/batches?table=jobs").json()["batches"]] == made[1:2]
    assert api.get("/v1/batches?status=published").json() == {"batches": [], "after": None}
    summary = api.get("/v1/batches/summary?table=departments").json()
    assert (summary["batches"], summary["rows"], summary["written"]) == (2, 2, 2)
    assert api.get("/v1/batches", region="eu").json()["batches"] == [], "another region's key sees nothing of them"
    problem(api.get(f"/v1/batches/{made[0]}", region="eu"), 404, "unknown-name")
    problem(api.get("/v1/batches?after=nope"), 404, "unknown-name")


def test_a_role_that_may_follow_some_tables_sees_no_others(make_api, tmp_path):
    roles = tmp_path / "roles.toml"
    declared = '[roles.{}]\ndescription = "x"\n[[roles.{}.grants]]\nmay = ["{}"]\non = ["silver.{}"]\n'
    roles.write_text(
        declared.format("clerk", "clerk", "follow", "jobs") + declared.format("boss", "boss", "write", "*")
    )
    api = make_api(roles_file=roles)
    ids = {
        table: api.post(f"/v1/migrate/{table}", role="boss", json=[{"id": 1, column: "x"}]).json()["id"]
        for table, column in (("departments", "department"), ("jobs", "job"))
    }
    assert [b["id"] for b in api.get("/v1/batches", role="clerk").json()["batches"]] == [ids["jobs"]]
    assert api.get(f"/v1/batches/{ids['jobs']}", role="clerk").status_code == 200
    problem(api.get(f"/v1/batches/{ids['departments']}", role="clerk"), 403, "not-allowed")
    problem(api.get("/v1/batches?table=departments", role="clerk"), 403, "not-allowed")
    assert "table=" in problem(api.get("/v1/batches/summary", role="clerk"), 403, "not-allowed")["hint"]
    assert api.get("/v1/batches/summary?table=jobs", role="clerk").json()["batches"] == 1
