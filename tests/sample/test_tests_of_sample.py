"""What ran in the bundled sample: the losses that truths.json tells and no other, and the retries that hide."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from kotaci.analysis.tests import Ran, lost_tests
from kotaci.facts import History, read_history

TRUTHS = Path(__file__).parents[2] / "kotaci" / "sample" / "truths.json"
TABLES = ("runs", "jobs", "tests", "rosters", "roster_names", "commits")


@pytest.fixture(scope="module")
def history(sample: Path) -> History:
    return read_history(sample, since="all", tables=TABLES)


@pytest.fixture(scope="module")
def found(history: History) -> Ran:
    names = ("runs", "jobs", "rosters", "roster_names")
    return lost_tests(*(history[name] for name in names), default_branch=history.default_branch)


def truths(kind: str) -> list[Mapping[str, Any]]:
    told = json.loads(TRUTHS.read_text(encoding="utf-8"))["truths"]
    return [truth for truth in told if truth["kind"] == kind]


@pytest.mark.parametrize("truth", truths("lost_tests"), ids=lambda truth: truth["id"])
def test_lost_tests_are_found_with_their_names_and_their_commit(
    truth: Mapping[str, Any], found: Ran, history: History
) -> None:
    where = truth["where"]
    commits = history["commits"].set_index("commit_sha")
    mine = [
        loss
        for loss in found.losses
        if loss.job == where["job"] and set(loss.names) <= set(where["tests"]) and loss.workflow == where["workflow"]
    ]
    assert mine
    for loss in mine:
        assert list(loss.names) == where["tests"]
        assert loss.n_lost == truth["expected"]["n_lost"]
        assert loss.first_without.sha == where["commit"]
        assert commits.loc[where["commit"], "parents"] == loss.last_with.sha


def test_nothing_else_is_lost_than_what_those_commits_lost(found: Ran) -> None:
    commits = {truth["where"]["commit"] for truth in truths("lost_tests")}
    assert {loss.first_without.sha for loss in found.losses} == commits
    # What else the switched-off feature took: its doctest, and the same tests in the coverage job.
    others = {(loss.job, loss.suite, loss.n_lost) for loss in found.losses if loss.suite != "protocol"}
    assert others == {
        ("tests", "kvstore-log", 8),
        ("tests", "Doc-tests kvstore_log", 1),
        ("coverage", "kvstore_log", 8),
    }
    assert (found.moves, found.empty_steps) == ((), ())


def test_retries_that_hide_in_green_jobs_are_in_the_tables(history: History) -> None:
    (truth,) = truths("retry_hidden")
    flaky = history["tests"][history["tests"]["outcome"] == "flaky"]
    jobs = flaky.merge(history["jobs"], on=["repo", "run_id", "attempt", "job_id"], suffixes=("", "_of_job"))
    assert len(jobs) == truth["expected"]["n_jobs"]
    assert set(jobs["outcome_of_job"]) == {truth["expected"]["job_conclusion"]}
    assert set(map(tuple, truth["run_ids"])) == set(jobs[["run_id", "attempt"]].itertuples(index=False, name=None))
    assert flaky["test"].str.startswith(truth["where"]["module"]).all()


@pytest.mark.parametrize("kind", ["race_env", "race_path", "rare_flake", "regression"])
def test_failed_tests_are_in_the_tables_under_their_names(kind: str, history: History) -> None:
    (truth,) = truths(kind)
    wanted = truth["where"].get("tests") or [truth["where"]["test"]]
    failed = history["tests"][history["tests"]["outcome"] == "failed"]
    mine = failed[failed["test"].isin(wanted)]
    runs = set(mine[["run_id", "attempt"]].itertuples(index=False, name=None))
    assert runs == set(map(tuple, truth["run_ids"]))
    assert set(mine["test"]) == set(wanted)
    assert mine["log_line"].notna().all()
    assert (mine["message"] != "").all()
