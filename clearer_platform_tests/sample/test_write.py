"""What is written where: the same for the same seed, only what is new, and nothing over somebody's own registry."""

from pathlib import Path

import pytest

from clearer_platform import sample, sources
from clearer_platform.platform import Platform
from clearer_platform.sample.dirt import HABITS, KINDS
from clearer_platform.sample.elements import ELEMENT_KINDS
from clearer_platform.sample.incidents import INCIDENTS, STRAYS
from clearer_platform.sample.mark import read_mark
from clearer_platform.sample.rows import Elements
from clearer_platform.sample.write import open_platform


def snapshot(home: Path) -> dict[str, bytes]:
    return {str(path.relative_to(home)): path.read_bytes() for path in sorted(home.rglob("*")) if path.is_file()}


def deliveries(home: Path) -> dict[str, bytes]:
    """All but what every sample has of its own: the port and the secret of its API."""
    return {name: data for name, data in snapshot(home).items() if name not in ("regions.toml", "sample.json")}


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        sample.write(tmp_path / name, days=3, seed=seed, per_day=20)
        sample.second_wave(tmp_path / name)
    a, b, c = (deliveries(tmp_path / name) for name in "abc")
    assert a == b
    assert a.keys() == c.keys()
    assert a != c


def test_the_second_wave_changes_what_it_should_and_writing_again_does_not_undo_it(tmp_path: Path) -> None:
    sample.write(tmp_path, per_day=20)
    before = snapshot(tmp_path)
    names = {path.name for path in sample.second_wave(tmp_path)}
    after = snapshot(tmp_path)
    changed = {Path(name).name for name in before if after[name] != before[name]}
    added = {Path(name).name for name in after.keys() - before.keys()}
    assert changed == {
        "verkauf_2024-10-29.csv",
        "uriage_2024-10-30.csv.gz",
        "products-2024-11-02.csv",
        "fx_2024-11-04.csv",
        "conversations-2024-11-03.jsonl",
    }
    assert added == {"giao_dich_2024-10-31.csv", "orders-2024-11-05-late.csv", "departments-2024-10-29.csv"}
    assert names == changed | added
    assert sample.write(tmp_path, per_day=20) == []
    assert snapshot(tmp_path) == after


def test_every_file_but_the_strays_is_a_delivery(home: Path, platform: Platform, truth: sample.Truth) -> None:
    first = {(f.region, f.table, f.day, f.name) for f in truth.files if f.wave == 1}
    strays = []
    landed = set()
    for region in platform.registry.regions:
        arrivals, others = sources.landed(platform, region)
        landed |= {(a.region, a.table, a.day, a.path.name) for a in arrivals}
        strays += [(s.region, s.path) for s in others]
    has_api = {(r.name, t) for r in platform.registry.regions.values() for t in r.tables if r.http_source(t)}
    assert has_api == {("us", "conversations")}
    assert landed == {found for found in first if found[:2] not in has_api}
    served = {("us", "conversations", path.name) for path in home.rglob("served/conversations/*")}
    assert served == {(r, t, name) for r, t, _, name in first if (r, t) in has_api}
    assert {(r, p.parent.name, p.name) for r, p in strays} == {(r, *p.split("/")) for r, p, _ in STRAYS}


def test_what_is_due_is_delivered_but_for_what_never_comes(platform: Platform, truth: sample.Truth) -> None:
    days = sorted({file.day for file in truth.files})
    due = {(r.name, t, d) for r in platform.registry.regions.values() for t in r.tables for d in days if r.is_due(t, d)}
    missing = due - {(file.region, file.table, file.day) for file in truth.files}
    never = {(i.region, i.table, days[i.day]) for i in INCIDENTS if i.befall.__name__ == "never_comes"}
    assert missing == never
    assert len(days) == 14


def test_the_default_sample_has_every_kind_of_dirt(platform: Platform) -> None:
    files = sample.plan(platform, sample.Size())
    found = {(file.table, row.broken) for file in files for row in file.rows}
    clean = {file.table: row for file in files for row in file.rows if not row.broken}
    csv = platform.region("eu").csv
    missing = [kind.name for kind in KINDS if (kind.table, kind.spoil(clean[kind.table], csv).broken) not in found]
    assert missing == []
    listed = (KINDS, ELEMENT_KINDS, HABITS, INCIDENTS, STRAYS)
    assert len(sample.dirt_list()) == sum(map(len, listed))


def test_the_default_sample_has_every_kind_of_broken_element(platform: Platform) -> None:
    arrays = [
        value
        for file in sample.plan(platform, sample.Size())
        for row in file.rows
        for value in row.values.values()
        if isinstance(value, Elements)
    ]
    broken = {rule for array in arrays for element in array.items for rule in element.broken}
    assert len(broken) == len(ELEMENT_KINDS) - 1
    assert any(array.is_cut for array in arrays)


def test_broken_rules_are_rules_that_the_contracts_have(platform: Platform) -> None:
    texts = ("missing", "not_a_decimal", "not_a_integer", "not_a_boolean", "not_a_timestamp", "not_a_date")
    times = ("nonexistent_local_time", "ambiguous_local_time")
    for file in sample.plan(platform, sample.Size()):
        contract = platform.contract(file.table)
        known = {"record.malformed", "record.undecodable"}
        for column in contract.columns:
            known |= {f"{column.name}.{rule}" for rule in (*texts, *times, *(check.name for check in column.checks))}
        assert {rule for row in file.rows for rule in row.broken} <= known


def test_a_home_with_another_registry_or_size_is_left_alone(tmp_path: Path) -> None:
    with pytest.raises(sample.SampleError, match="holds no sample"):
        sample.second_wave(tmp_path)
    (tmp_path / "regions.toml").write_text("# mine\n")
    with pytest.raises(sample.SampleError, match="not the sample's registry"):
        sample.write(tmp_path)
    assert snapshot(tmp_path) == {"regions.toml": b"# mine\n"}
    (tmp_path / "regions.toml").unlink()
    (tmp_path / "sample.json").write_text("{}")
    with pytest.raises(sample.SampleError, match="cannot be read"):
        sample.second_wave(tmp_path)
    other = tmp_path / "other"
    sample.write(other, days=1, per_day=5)
    with pytest.raises(sample.SampleError, match="another size"):
        sample.write(other, days=2, per_day=5)


def test_the_registry_says_where_the_api_of_this_sample_is_and_how_long_it_lasts(tmp_path: Path) -> None:
    homes = [tmp_path / "a", tmp_path / "b"]
    for home, days in zip(homes, (3, 5), strict=True):
        sample.write(home, days=days, per_day=5)
    sources = [open_platform(home).region("us").http_source("conversations") for home in homes]
    assert [str(source.last) for source in sources if source] == ["2024-10-26", "2024-10-28"]
    assert len({source.url for source in sources if source}) == 2
    marks = [read_mark(home) for home in homes]
    assert [source.url for source in sources if source] == [
        f"http://127.0.0.1:{m.port}/us/conversations" for m in marks
    ]
    assert (homes[0] / "sample.json").stat().st_mode & 0o077 == 0, "it holds a secret"
