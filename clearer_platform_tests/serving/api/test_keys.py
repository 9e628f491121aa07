"""API keys: kept as hashes, told apart in constant time, worthless once revoked."""

import hashlib
import hmac
import json
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from clearer_platform.errors import ClearerError, StorageError, UnknownName
from clearer_platform.serving.api.keys import TOKEN, Keys
from clearer_platform_tests.serving.api.conftest import problem


@pytest.fixture
def keys(tmp_path):
    return Keys(tmp_path)


def test_what_is_kept_is_a_hash_that_only_the_owner_can_read(keys):
    key, token = keys.create("junior_engineer", "eu", "loader")
    text = keys.path.read_text()
    assert token not in text
    assert token.split("_", 2)[2] not in text
    assert json.loads(text)["keys"][0]["sha256"] == hashlib.sha256(token.encode()).hexdigest()
    assert stat.S_IMODE(keys.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(keys.path.parent.stat().st_mode) == 0o700
    assert key.sha256 not in repr(key)


def test_a_token_proves_one_key(keys):
    made = [keys.create("junior_engineer", region) for region in ("eu", "us", "eu")]
    assert len({token for _, token in made}) == 3
    for key, token in made:
        assert keys.known(token) == key
    (key, token), (other, _), _ = made
    for wrong in ("", "x", token[:-1], token + "x", token.upper(), token.replace(key.id, other.id), "Ü" * 64, "\0"):
        assert keys.known(wrong) is None
    assert keys.claimed(token.replace(key.id, other.id)) == other.id
    assert keys.claimed(f"clearer_{'0' * 12}_{'A' * 43}") is None, "the log repeats nothing that a client made up"


def test_a_token_has_256_bits_that_nobody_chose(keys):
    found = TOKEN.fullmatch(keys.create("r", "eu")[1])
    assert len(found[2]) * 6 >= 256


@pytest.mark.parametrize("is_known", [True, False])
def test_tokens_are_compared_in_constant_time(keys, is_known, monkeypatch):
    """Also where there is no such key, so that the time does not tell which there are."""
    _, token = keys.create("r", "eu")
    asked = []
    monkeypatch.setattr(hmac, "compare_digest", lambda a, b: asked.append((a, b)) or a == b)
    right = token if is_known else f"clearer_{'0' * 12}_{'A' * 43}"
    assert (keys.known(right) is not None) is is_known
    assert [len(side) for side in asked[0]] == [64, 64]
    assert asked[0][0] == hashlib.sha256(right.encode()).hexdigest()


def test_revoking(keys):
    key, _ = keys.create("r", "eu")
    assert keys.revoke(key.id).revoked_at
    with pytest.raises(ClearerError, match="revoked already"):
        keys.revoke(key.id)
    with pytest.raises(UnknownName, match="API key"):
        keys.revoke("nope")


def test_keys_that_are_made_at_once_are_all_kept(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda n: Keys(tmp_path).create("r", "eu", f"{n}")[0].id, range(24)))
    assert sorted(key.id for key in Keys(tmp_path).all()) == sorted(made)


def test_a_damaged_file_is_no_way_in(keys):
    _, token = keys.create("r", "eu")
    keys.path.write_text('{"keys": [{"id": ')
    with pytest.raises(StorageError, match="damaged"):
        keys.known(token)


def test_the_service_knows_at_once_of_keys_made_and_revoked(api):
    keys = Keys(api.platform.settings.home)
    key, token = keys.create("junior_analyst", "mx")
    header = {"Authorization": f"Bearer {token}"}
    assert api.get("/v1/tables", role=None, headers=header).status_code == 200
    assert api.get("/v1/tables", role=None, headers={"Authorization": f"bearer {token}"}).status_code == 200
    keys.revoke(key.id)
    problem(api.get("/v1/tables", role=None, headers=header), 401, "no-valid-key")


def test_no_valid_key_is_one_answer_whatever_is_wrong(api):
    keys = Keys(api.platform.settings.home)
    gone, no_region = keys.create("conqueror", "mx")[1], keys.create("junior_analyst", "atlantis")[1]
    revoked, token = keys.create("junior_analyst", "mx")
    keys.revoke(revoked.id)
    good = api.token("junior_analyst")
    said = set()
    for header in (
        *({"Authorization": f"Bearer {each}"} for each in (gone, no_region, token, good[:-1] + "_", "", "x y", "é")),
        {"Authorization": f"Basic {good}"},
        {"Authorization": good},
        {"X-API-Key": good},
        {},
    ):
        encoded = {name: value.encode("latin-1") for name, value in header.items()}
        answer = api.get("/v1/tables", role=None, headers=encoded)
        problem(answer, 401, "no-valid-key")
        assert answer.headers["www-authenticate"] == "Bearer"
        said.add(answer.text)
    assert len(said) == 1
    problem(api.get(f"/v1/tables?key={good}", role=None), 401, "no-valid-key")
