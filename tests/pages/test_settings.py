"""What a configuration changes in the pages: base branch, thresholds, owners, dates."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from kotaci.analysis.failures import Triage, assess_failures
from kotaci.analysis.health import Health, assess_health
from kotaci.config import Config, Landmark, Owners, read_config
from kotaci.facts import History
from kotaci.pages import health as health_page
from kotaci.pages import triage as triage_page
from kotaci.pages.opening import data_behind, open_history
from kotaci.store import open_store
from tests.builders import AT, REPO, api_batch, write_all

TOLD = """
base_branch = "release"
[thresholds.ci_health]
min_runs = 2
[[date]]
on = 2026-03-02
text = "<b>nextest</b>"
"""


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A folder with a store of six runs in six hours, the last of which failed."""
    with open_store(tmp_path / "store", create=True) as held:
        words = ["success"] * 5 + ["failure"]
        write_all(
            held,
            *(
                api_batch(n, at=AT + timedelta(hours=n), conclusion=word, sha=f"{n:040x}")
                for n, word in enumerate(words, start=1)
            ),
        )
    return tmp_path / "store"


def opened(store: Path, config: str = "", repo: str = "") -> tuple[History, Config]:
    return open_history(store=str(store), repo=repo, since="", until="", config=config, tables=triage_page.TABLES)


def judged(history: History, settings: Config) -> tuple[Health, Triage]:
    runs, jobs, base = history["runs"], history["jobs"], history.default_branch
    health = assess_health(runs, jobs, as_of=history.as_of, default_branch=base, options=settings.health)
    triage = assess_failures(history.tables, default_branch=base, as_of=history.as_of, options=settings.triage)
    return health, triage


def test_the_base_branch_is_the_default_branch(store: Path, tmp_path: Path) -> None:
    (tmp_path / "kotaci.toml").write_text(TOLD)
    history, settings = opened(store)
    assert (history.default_branch, settings) == ("main", Config())
    assert [finding.kind for finding in judged(history, settings)[0].findings] == ["red-now"]
    history, settings = opened(store, str(tmp_path / "kotaci.toml"))
    assert (history.default_branch, history.branch_is_told) == ("release", True)
    health, triage = judged(history, settings)
    assert health.findings == []
    assert triage.groups[0].status.word == "not run since"


def test_the_environment_names_the_repository_of_several(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_store(store) as held:
        write_all(held, api_batch(1, repo="example/other"))
    monkeypatch.setenv("KOTACI_REPO", "example/other")
    assert opened(store)[0].repo == "example/other"
    assert opened(store, repo=REPO)[0].repo == REPO


def test_owners_stand_beside_what_is_theirs(store: Path) -> None:
    owners = Owners(workflows=(("ci.yml", "@octo-org/ci"),), jobs=(("te*", "@octocat <b>"),))
    health, triage = judged(*opened(store))
    assert "@&#8203;octo-org/ci" in health_page.workflow_table(health, owners=owners).markdown
    assert "owner" not in health_page.workflow_table(health).markdown
    card = triage_page.group_cards(triage, parts=("now",), owners=owners)
    assert "owner @&#8203;octocat" in card.markdown
    assert "octocat &lt;b&gt;" in card.html
    assert "owner" not in triage_page.group_cards(triage, parts=("now",)).markdown


def test_the_data_tells_the_configuration_and_the_dates_in_its_window(store: Path) -> None:
    history, _ = opened(store)
    health, _ = judged(history, Config())
    quiet = data_behind(history, options=health.options).markdown
    assert "Configuration" not in quiet
    assert "Dates" not in quiet
    settings = read_config(TOLD, source="the store")
    told = data_behind(history, options=settings.health, settings=settings)
    assert "it sets `base_branch`, `date`, `thresholds.ci_health.min_runs`." in told.markdown
    assert "Dates: 2 Mar 2026: " in told.markdown
    assert "<b>nextest" not in told.html
    outside = Config(dates=(Landmark(date(2026, 3, 3), "after"),), source="the store")
    assert "Dates" not in data_behind(history, options=health.options, settings=outside).markdown
