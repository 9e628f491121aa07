"""The rehearsal before runs are forked: it goes well for every table, and nobody sees anything of it."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from clearer_platform.defs import alive, rehearsal
from clearer_platform.defs.runs import RunOutcome, materialize
from clearer_platform.platform import Platform


def files(home: Path) -> set[str]:
    return {f"{path.relative_to(home)}" for path in home.rglob("*") if path.is_file() and "dbt" not in path.parts}


def test_it_goes_well_and_leaves_nothing(
    make_platform: Callable[..., Platform], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    outcomes: list[RunOutcome] = []

    def remembered(*asked: object) -> list[RunOutcome]:
        outcomes.extend(materialize(*asked))  # type: ignore[arg-type]
        return outcomes

    monkeypatch.setattr(rehearsal, "materialize", remembered)
    platform = make_platform()
    before = files(platform.settings.home)
    rehearsal.rehearse(platform.settings)
    (outcome,) = outcomes
    assert outcome.success and outcome.published == (rehearsal.DAY,)
    assert files(platform.settings.home) == before
    assert not alive._held
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_project_that_cannot_be_used_is_told_and_no_more(
    platform: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    platform.settings.registry_path.write_text("[regions.eu]\n")
    rehearsal.rehearse(platform.settings)
    assert "runs will take longer to begin" in caplog.text
