"""Pseudonyms: HMAC-SHA256 under a key of the region's own."""

import hashlib
import hmac
import stat
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pytest
from upath import UPath

from clearer_platform.errors import StorageError, Unreachable
from clearer_platform.governance.pseudonyms import Pseudonyms, expression
from clearer_platform.regions import Layout

IDENTIFIERS = ["1", "", "customer-1", "Müller, Jürgen", "東京", "🦜" * 50, "it's", "a" * 200]


@pytest.mark.parametrize("key", [b"k" * 16, b"k" * 64, b"k" * 65, bytes(range(256))])
def test_sql_equals_the_standard_library(key: bytes) -> None:
    """Short, block-sized and longer keys; any text."""
    pseudonyms = Pseudonyms(key)
    expected = [hmac.new(key, text.encode(), hashlib.sha256).hexdigest()[:32] for text in IDENTIFIERS]
    assert [uuid.UUID(pseudonyms(text)).hex for text in IDENTIFIERS] == expected
    with duckdb.connect() as connection:
        query = f"select {expression('i')}::varchar from (select unnest($texts) as i)"
        rows = connection.execute(query, {"texts": IDENTIFIERS, **pseudonyms.parameters}).fetchall()
    assert [text for (text,) in rows] == [pseudonyms(text) for text in IDENTIFIERS]


def test_the_key_is_made_once_and_is_the_owners_alone(tmp_path: Path) -> None:
    layout = Layout("eu", tmp_path, tmp_path / "work")
    with ThreadPoolExecutor(8) as pool:
        made = {pseudonyms.key for pseudonyms in pool.map(lambda _: Pseudonyms.of(layout), range(16))}
    assert len(made) == 1
    path = layout.secrets / "pseudonym.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(path.read_bytes()) >= 32
    assert [p.name for p in layout.secrets.iterdir()] == ["pseudonym.key"]


def test_regions_have_keys_of_their_own(tmp_path: Path) -> None:
    eu, us = (Pseudonyms.of(Layout(name, tmp_path / name, tmp_path / name / "work")) for name in ("eu", "us"))
    assert eu("1") != us("1")
    assert eu.key_id != us.key_id
    assert eu.key.decode() not in repr(eu)


def test_the_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLEARER_PSEUDONYM_KEY_EU", "from the secret store")
    layout = Layout("eu", tmp_path, tmp_path / "work")
    assert Pseudonyms.of(layout).key == b"from the secret store"
    assert not layout.secrets.exists()


def test_a_weak_key_is_refused(tmp_path: Path) -> None:
    layout = Layout("eu", tmp_path, tmp_path / "work")
    layout.secrets.mkdir(parents=True)
    (layout.secrets / "pseudonym.key").write_bytes(b"")
    with pytest.raises(StorageError, match="fewer than 16 bytes"):
        Pseudonyms.of(layout)


def test_a_key_that_is_lost_is_not_replaced_by_another(tmp_path: Path) -> None:
    layout = Layout("eu", tmp_path, tmp_path / "work")
    before = Pseudonyms.of(layout).key
    (layout.secrets / "pseudonym.key").unlink()
    Path(layout.warehouse).touch()
    with pytest.raises(StorageError, match=r"gold has been built.*pseudonym\.key.*CLEARER_PSEUDONYM_KEY_EU") as raised:
        Pseudonyms.of(layout)
    assert f"remove {layout.warehouse}" in (raised.value.hint or "")
    Path(layout.warehouse).unlink()
    assert Pseudonyms.of(layout).key != before


def test_a_server_that_does_not_say_whether_gold_was_built_is_an_error_and_no_new_key(tmp_path: Path) -> None:
    nobody = {
        "key": "x",
        "secret": "y",
        "endpoint_url": "http://127.0.0.1:9",
        "config_kwargs": {"retries": {"max_attempts": 1}},
    }
    layout = Layout("eu", UPath("s3://bucket/eu", **nobody), tmp_path / "work")
    with pytest.raises(Unreachable, match="cannot look at s3://bucket/eu/warehouse"):
        Pseudonyms.of(layout)
    assert not layout.secrets.exists()
