"""The failure explorer on the sample: what its list, its card and its log show for what is chosen."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kotaci.analysis.failures import Triage, assess_failures
from kotaci.config import Config
from kotaci.facts import History, read_history
from kotaci.lab.exploring import Explorer
from kotaci.model import Verdict
from kotaci.pages import triage as shown
from kotaci.pages.jobs import failed_jobs, jobs_of, narrowed, narrowed_triage


@pytest.fixture(scope="module")
def history(sample: Path) -> History:
    return read_history(sample, tables=shown.TABLES)


@pytest.fixture(scope="module")
def triage(history: History) -> Triage:
    found = assess_failures(shown.clustered(history), default_branch=history.default_branch, as_of=history.as_of)
    return shown.explained(found, history)


@pytest.fixture
def explorer(history: History, triage: Triage) -> Explorer:
    made = Explorer()
    made.show(history, triage, Config())
    return made


def labels(explorer: Explorer) -> list[str]:
    return [label for label, _ in explorer.list.options]


def test_the_most_urgent_group_is_open_with_its_card_and_its_log(explorer: Explorer, triage: Triage) -> None:
    assert len(labels(explorer)) == len(triage.groups)
    assert f"{len(triage.groups)} of {len(triage.groups)} groups." in explorer.said.value
    first = triage.groups[0]
    assert first.job in labels(explorer)[0]
    assert 'class="k-card"' in explorer.card.value
    assert explorer.card.value.count("<article") == 1
    assert 'class="k-strip"' in explorer.card.value
    assert len(explorer.job.options) == first.n_jobs
    (hit,) = first.hits
    assert re.search(rf'class="[^"]*k-hit k-target" data-n="{hit}"', explorer.log.pane.value)


def test_every_group_has_a_card_and_its_jobs(explorer: Explorer, history: History, triage: Triage) -> None:
    failed = failed_jobs(history, triage)
    assert len(failed) == triage.n_failed_jobs
    for place, group in enumerate(triage.groups):
        explorer.list.value = place
        assert explorer.card.value.count("<article") == 1
        mine = jobs_of(group, failed)
        assert tuple(mine.iloc[0][["run_id", "attempt", "job_id"]]) == group.newest
        assert len(mine) >= group.n_jobs


def test_the_verdict_and_words_filter(explorer: Explorer, triage: Triage) -> None:
    n_flaky = sum(group.verdict == Verdict.FLAKY for group in triage.groups)
    explorer.verdict.value = Verdict.FLAKY
    assert f"{n_flaky} of {len(triage.groups)} groups." in explorer.said.value
    assert all(label.startswith("flaky · ") for label in labels(explorer))
    explorer.verdict.value = "all"
    explorer.filter.value = "STRICT-lints ci.yml"
    assert labels(explorer)
    assert all("strict-lints" in label for label in labels(explorer))
    explorer.filter.value = "no such words"
    assert labels(explorer) == []
    assert "No failure is chosen." in explorer.card.value
    assert explorer.log.pane.value == ""
    assert explorer.job.disabled


def test_the_list_is_sorted_as_asked(explorer: Explorer, triage: Triage) -> None:
    explorer.sort.value = "most runs"
    order = [place for _, place in explorer.list.options]
    counts = [triage.groups[place].n_runs for place in order]
    assert counts == sorted(counts, reverse=True)
    explorer.sort.value = "newest"
    newest = [triage.groups[place].last_at for _, place in explorer.list.options]
    assert newest == sorted(newest, reverse=True)


def test_job_by_job(explorer: Explorer, triage: Triage) -> None:
    explorer.kind.value = "jobs"
    assert len(labels(explorer)) == triage.n_failed_jobs
    assert sum(int(re.findall(r"\((\d+)\)", label)[0]) for label, _ in explorer.verdict.options[1:]) == len(
        labels(explorer)
    )
    for place in range(0, triage.n_failed_jobs, 9):
        explorer.list.value = place
        assert explorer.card.value.count("<article") == 1
        assert len(explorer.job.options) == 1
    explorer.kind.value = "groups"
    assert len(labels(explorer)) == len(triage.groups)


def test_another_job_of_the_group_shows_its_own_log(explorer: Explorer) -> None:
    before = explorer.log.title.value
    explorer.job.value = 1
    assert explorer.log.title.value != before
    assert "k-hit" in explorer.log.pane.value


def test_a_part_of_the_history(history: History, triage: Triage) -> None:
    part = narrowed(history, workflow=".github/workflows/ci.yml", branch=history.default_branch)
    assert set(part["runs"]["branch"]) == {history.default_branch}
    assert set(part["jobs"]["run_id"]) <= set(part["runs"]["run_id"])
    told = narrowed_triage(triage, part, workflow=".github/workflows/ci.yml")
    assert 0 < len(told.groups) < len(triage.groups)
    assert {group.workflow for group in told.groups} == {"ci.yml"}
    assert len(failed_jobs(part, told)) == told.n_failed_jobs < triage.n_failed_jobs
    whole = narrowed(history)
    assert [len(frame) for frame in whole.tables.values()] == [len(frame) for frame in history.tables.values()]
    assert narrowed_triage(triage, whole).n_failed_jobs == triage.n_failed_jobs


def test_an_empty_history(history: History, triage: Triage) -> None:
    nothing = narrowed(history, branch="no-such-branch")
    made = Explorer()
    made.show(nothing, narrowed_triage(triage, nothing), Config())
    assert labels(made) == []
    assert "0 of 0 groups." in made.said.value
