"""The planted flaky tests are found on the sample, with their rates, and nothing else is called flaky."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kotaci.analysis.flakes import (
    CALLED_FLAKY,
    FIXED,
    FLAKY,
    MAYBE_FIXED,
    NO_LOG,
    OUTAGE,
    Flake,
    Flakiness,
    assess_flakes,
)
from kotaci.analysis.flakes.judging import passes_needed
from kotaci.facts import History, read_history
from kotaci.pages.flaky import TABLES
from kotaci.places import sample_folder

TRUTHS = {
    truth["id"]: truth for truth in json.loads((sample_folder() / "truths.json").read_text(encoding="utf-8"))["truths"]
}


@pytest.fixture(scope="module")
def history(sample: Path) -> History:
    return read_history(sample, tables=TABLES)


@pytest.fixture(scope="module")
def flakiness(history: History) -> Flakiness:
    return assess_flakes(**{name: history[name] for name in TABLES}, as_of=history.as_of)


def flake_of(flakiness: Flakiness, truth: str) -> Flake:
    where = TRUTHS[truth]["where"]
    (flake,) = [one for one in flakiness.tests if one.job == where["job"] and _is_meant(one, where)]
    return flake


def _is_meant(flake: Flake, where: dict[str, Any]) -> bool:
    return flake.test == where["test"] if "test" in where else flake.test.startswith(where["module"])


def expired_runs() -> int:
    return len(TRUTHS["expired-logs"]["run_ids"])


def test_nothing_else_is_called_flaky(flakiness: Flakiness) -> None:
    planted = {flake_of(flakiness, truth).id for truth in ("race-env", "race-path", "rare-flake", "retry-hidden")}
    assert {flake.id for flake in flakiness.tests} == planted
    assert flakiness.n_unproved == len(TRUTHS["regression"]["where"]["tests"])
    assert {finding.subject.split(" ")[-1] for finding in flakiness.findings} == {
        flake.test for flake in flakiness.of(*CALLED_FLAKY)
    }


@pytest.mark.parametrize("truth", ["race-path", "rare-flake"])
def test_rates_are_those_planted(flakiness: Flakiness, history: History, truth: str) -> None:
    """Only first attempts are counted in a rate; with the re-runs, all but the runs with expired logs are known."""
    judged, planted = flake_of(flakiness, truth).judged, TRUTHS[truth]
    assert judged.status == FLAKY
    assert judged.n_failed == len(planted["run_ids"])
    # Where another binary failed before it, cargo test did not reach it.
    stopped = judged_away(history, planted["where"])
    assert judged.n_executions == planted["expected"]["n_executions"] - expired_runs() - stopped
    assert judged.n < judged.n_executions
    assert judged.low <= len(planted["run_ids"]) / planted["expected"]["n_executions"] <= judged.high


def judged_away(history: History, where: dict[str, Any]) -> int:
    """Return how many jobs that ran name tests, but not this one."""
    jobs, rosters, names = history["jobs"], history["rosters"], history["roster_names"]
    mine = jobs[(jobs["job_base"] == where["job"]) & jobs["outcome"].isin(["success", "failure"])]
    holding = set(names.loc[[where["test"] in text.split("\n") for text in names["names"]], "roster_id"])
    listed = set(rosters["job_id"]) & set(mine["job_id"])
    return len(listed - set(rosters.loc[rosters["roster_id"].isin(holding), "job_id"]))


def test_the_fixed_race_is_maybe_fixed(flakiness: Flakiness, history: History) -> None:
    """26 passes came since; 28 would be needed, so more is not claimed, though the commit says that it is mended."""
    judged, planted = flake_of(flakiness, "race-env").judged, TRUTHS["race-env"]
    assert judged.n_failed == len(planted["run_ids"])
    assert (judged.status, judged.passes_since, judged.passes_needed) == (MAYBE_FIXED, 26, 28)
    before = judged.n - judged.passes_since
    assert judged.passes_needed == passes_needed(n_failed=8, n=before, chance=0.05)
    assert judged.low <= len(planted["run_ids"]) / planted["expected"]["n_executions"] <= judged.high
    assert flakiness.of(FIXED) == []


def test_what_the_retries_hide(flakiness: Flakiness) -> None:
    flake, planted = flake_of(flakiness, "retry-hidden"), TRUTHS["retry-hidden"]
    assert (flake.status, flake.is_hidden) == (FLAKY, True)
    assert flake.judged.n_retried == flake.judged.n_failed == planted["expected"]["n_jobs"]
    assert flake.cost.n_red == 0


def test_every_re_run_is_charged_once(flakiness: Flakiness) -> None:
    """15 runs were run again, one of them after being cancelled: 14 after a failure, and all of those went green."""
    jobs, tests = sum(job.cost.n_reruns for job in flakiness.jobs), flakiness.cost.n_reruns
    assert jobs + tests == len(TRUTHS["reruns"]["run_ids"]) - len(TRUTHS["cancelled-by-hand"]["run_ids"])
    assert all(one.odds.n == one.odds.n_green for one in [*flakiness.tests, *flakiness.jobs])


def test_jobs_without_a_tests_name_are_the_outage_and_the_lost_runner(flakiness: Flakiness) -> None:
    told = {job.job: (job.status, job.n_failed) for job in flakiness.jobs}
    assert told == {"lint": (OUTAGE, 3), "tests": (NO_LOG, 1)}


def test_what_meets_by_chance_is_no_cluster(flakiness: Flakiness) -> None:
    assert list(flakiness.clusters) == []
