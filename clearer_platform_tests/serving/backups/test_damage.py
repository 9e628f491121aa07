"""No byte of a backup changes unseen, and nothing is replaced by one that is not whole."""

import random
from pathlib import Path

import pytest

from clearer_platform import bronze
from clearer_platform.errors import BackupError
from clearer_platform.serving import backups
from clearer_platform_tests.gold.silver_files import put
from clearer_platform_tests.serving.backups.conftest import DAY, Clock
from clearer_platform_tests.serving.backups.kinds import EVERY


@pytest.fixture
def made(kinds):
    put(kinds, "eu", "facts", DAY, [{"key": "a", "value": 1}])
    return backups.create(kinds, "eu", "facts")


def manifest_of(made: backups.Backup) -> Path:
    return Path(made.file).with_suffix(".json").with_name(f"{made.id}.json")


def flipped(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1 << at % 8
    path.write_bytes(data)


def assert_refused(platform, made: backups.Backup) -> None:
    with pytest.raises(BackupError, match="damaged"):
        backups.restore(platform, "eu", made.id, made.table)
    assert bronze.slots(platform.layout("eu"), made.table) == []


def test_every_flipped_byte_is_found(kinds, made):
    for path in (Path(made.file), manifest_of(made)):
        whole = path.read_bytes()
        for at in range(len(whole)):
            flipped(path, at)
            assert_refused(kinds, made)
            path.write_bytes(whole)
    assert backups.verify(kinds, "eu", made.id) == made


def test_flipped_bytes_of_a_larger_one_are_found(kinds):
    rows = [{"key": f"k{n}", "note": "ä" * (n % 50), "amount": f"{n}.25", "at": Clock().at} for n in range(3000)]
    put(kinds, "eu", EVERY, DAY, rows)
    made = backups.create(kinds, "eu", EVERY)
    path = Path(made.file)
    whole = path.read_bytes()
    for at in random.Random(5).sample(range(len(whole)), 60):
        flipped(path, at)
        assert_refused(kinds, made)
        path.write_bytes(whole)


def test_what_is_cut_off_longer_or_gone_is_found(kinds, made):
    path = Path(made.file)
    whole = path.read_bytes()
    for other in (whole[:-1], whole + b"\n", b""):
        path.write_bytes(other)
        assert_refused(kinds, made)
    path.unlink()
    with pytest.raises(Exception, match="not there"):
        backups.restore(kinds, "eu", made.id, "facts")


def test_a_damaged_manifest_is_named_and_one_that_was_renamed_is_damaged(kinds, made):
    manifest = manifest_of(made)
    other = f"{made.id[:-1]}{'0' if made.id[-1] != '0' else '1'}"
    manifest.rename(manifest.with_name(f"{other}.json"))
    assert backups.listed(kinds, "eu") == []
    assert backups.damaged(kinds, "eu") == [other]


def test_a_file_that_agrees_with_its_manifest_but_not_with_its_rows_is_found(kinds, made, monkeypatch):
    """As a faulty writer would make it: the manifest counts another number of rows."""
    wrong = made.manifest.model_copy(update={"rows": 2})
    folder = Path(made.file).parent
    (folder / f"{wrong.id}.json").write_bytes(wrong.text)
    (folder / f"{wrong.id}.avro").write_bytes(Path(made.file).read_bytes())
    with pytest.raises(BackupError, match="its rows are not those"):
        backups.verify(kinds, "eu", wrong.id)
    with pytest.raises(BackupError, match="its rows are not those"):
        backups.restore(kinds, "eu", wrong.id, "facts")


def test_the_newest_good_one_is_never_removed(kinds, clock):
    put(kinds, "eu", "facts", DAY, [{"key": "a", "value": 1}])
    made = [backups.create(kinds, "eu", "facts", clock=clock) for _ in range(4)]
    assert [b.id for b in backups.listed(kinds, "eu", "facts")] == [b.id for b in reversed(made)]
    flipped(Path(made[3].file), 40)
    flipped(Path(made[2].file), 40)
    gone = backups.prune(kinds, "eu", "facts", 1)
    assert {b.id for b in gone} == {made[0].id, made[2].id}
    assert [b.id for b in backups.listed(kinds, "eu", "facts")] == [made[3].id, made[1].id]
    assert sorted(p.name for p in Path(made[1].file).parent.iterdir()) == sorted(
        f"{b.id}{suffix}" for b in (made[1], made[3]) for suffix in (".avro", ".json")
    )
    assert backups.prune(kinds, "eu", "facts", 2) == []
