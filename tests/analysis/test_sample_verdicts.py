"""The bundled sample: every planted truth comes out with its verdict, and nothing else is called flaky."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from kotaci.analysis.failures import TABLES, Group, Triage, assess_failures
from kotaci.facts import History, read_history
from kotaci.places import sample_folder

TRUTHS = {
    truth["id"]: truth for truth in json.loads((sample_folder() / "truths.json").read_text(encoding="utf-8"))["truths"]
}
FLAKY = ("race-env", "race-path", "rare-flake")


@pytest.fixture(scope="module")
def history(sample: Path) -> History:
    return read_history(sample, tables=TABLES)


@pytest.fixture(scope="module")
def triage(history: History) -> Triage:
    return assess_failures(history.tables, default_branch=history.default_branch, as_of=history.as_of)


@pytest.fixture(scope="module")
def judged(history: History, triage: Triage) -> pd.DataFrame:
    """Verdicts beside the jobs they are of."""
    keys = ["run_id", "attempt", "job_id"]
    return triage.judged.merge(history["jobs"][[*keys, "workflow", "job", "job_base"]], on=keys)


def of(judged: pd.DataFrame, truth: Mapping[str, Any]) -> pd.DataFrame:
    """Return the verdicts of the jobs that a truth names: in its runs, of its job."""
    runs = pd.MultiIndex.from_tuples([tuple(run) for run in truth["run_ids"]])
    mine = judged[pd.MultiIndex.from_frame(judged[["run_id", "attempt"]]).isin(runs)]
    job = truth["where"].get("job")
    return mine if job is None else mine[(mine["job"] == job) | (mine["job_base"] == job)]


def group_of(triage: Triage, name: str) -> Group:
    """Return the one group whose headline names that test."""
    (found,) = [group for group in triage.groups if name in " ".join(group.tests)]
    return found


def test_every_failed_or_cancelled_job_has_one_verdict(history: History, triage: Triage) -> None:
    red = history["jobs"]["outcome"].isin(["failure", "cancelled"])
    assert len(triage.judged) == int(red.sum())
    assert not triage.judged.duplicated(["run_id", "attempt", "job_id"]).any()


@pytest.mark.parametrize("name", FLAKY)
def test_a_flaky_test_is_one_group_that_is_flaky(triage: Triage, judged: pd.DataFrame, name: str) -> None:
    """Each failure that was run again is proved; the others stay undecided, and the group has the proof."""
    truth = TRUTHS[name]
    group = group_of(triage, truth["where"]["test"])
    assert (group.verdict, group.runs) == (truth["expected"]["verdict"], {run_id for run_id, _ in truth["run_ids"]})
    again = {run_id for run_id, _ in TRUTHS["reruns"]["run_ids"]}
    verdicts = dict(zip(of(judged, truth)["run_id"], of(judged, truth)["verdict"], strict=True))
    assert verdicts == {run_id: "flaky" if run_id in again else "undecided" for run_id, _ in truth["run_ids"]}


def test_nothing_else_is_called_flaky(judged: pd.DataFrame, triage: Triage) -> None:
    planted = {tuple(run) for name in FLAKY for run in TRUTHS[name]["run_ids"]}
    flaky = judged[judged["verdict"].str.startswith("flaky")]
    assert set(zip(flaky["run_id"], flaky["attempt"], strict=True)) <= planted
    assert {group.job for group in triage.groups if group.verdict == "flaky"} == {"coverage", "integration"}


def test_retries_that_hide_a_flaky_test_are_told_though_the_jobs_are_green(triage: Triage) -> None:
    truth = TRUTHS["retry-hidden"]
    (row,) = triage.retried.to_dict("records")
    assert row["test"].startswith(truth["where"]["module"])
    assert (row["job_base"], row["n_jobs"], row["n_green"]) == (
        truth["where"]["job"],
        *[truth["expected"]["n_jobs"]] * 2,
    )


def test_the_regression_is_found_with_its_commit_though_it_was_mended(triage: Triage, judged: pd.DataFrame) -> None:
    """On develop it is a regression; the pull requests that were merged with it failed already there."""
    truth = TRUTHS["regression"]
    group = group_of(triage, truth["where"]["tests"][0])
    assert (group.verdict, group.has_interval, len(group.tests)) == ("regression", True, 2)
    assert truth["where"]["commit"] in {one.sha for one in group.culprits}
    assert Counter(of(judged, truth)["verdict"]) == {"regression": 3, "already failing": 6}
    first = judged.loc[judged["verdict"] == "regression", "run_id"].unique().tolist()
    assert set(judged.loc[judged["verdict"] == "already failing", "evidence_run_id"]) == set(first)
    assert "crates/kvstore-core/src/table.rs" in group.files


def test_one_outage_is_the_infrastructure_and_one_group_though_its_re_runs_passed(
    triage: Triage, judged: pd.DataFrame
) -> None:
    """Re-runs prove that the commits were not to blame. So does the burst; and it tells what was: three branches that
    share nothing fell within two hours, with everything that ran in between."""
    truth = TRUTHS["outage"]
    mine = of(judged, truth)
    assert set(mine["verdict"]) == {truth["expected"]["verdict"]}
    assert all("3 unrelated branches" in proof and "attempt 2 of this run passed" in proof for proof in mine["proof"])
    (group,) = [one for one in triage.groups if one.verdict == "infrastructure" and one.job == "lint"]
    assert (sorted(group.branches), group.odds.n_green) == (truth["expected"]["branches"], 3)


@pytest.mark.parametrize(
    "name", ["oom", "timeout", "lost-runner", "superseded", "cancelled-by-hand", "masked-strict-lints"]
)
def test_every_other_truth_has_its_verdict(judged: pd.DataFrame, name: str) -> None:
    truth = TRUTHS[name]
    mine = of(judged, truth)
    if name in {"superseded", "cancelled-by-hand"}:
        mine = mine[mine["job_base"] != "strict-lints"]
    assert set(mine["verdict"]) == {truth["expected"]["verdict"]}


def test_gates_are_a_consequence_of_a_job_that_failed(judged: pd.DataFrame) -> None:
    gates = judged[judged["job_base"] == "gate"]
    assert set(gates["verdict"]) == {"consequence"}
    bad = set(judged.loc[~judged["verdict"].isin(["consequence", "masked"]), "job_id"])
    assert set(gates["evidence_job_id"]) <= bad


def test_undecided_is_what_nobody_ran_again(judged: pd.DataFrame) -> None:
    """Mistakes of pull requests, one failure of the nightly, and flakes that were not run again."""
    undecided = judged[judged["verdict"] == "undecided"]
    assert set(undecided["job_base"]) == {"lint", "stress", "coverage", "integration"}
    assert set(undecided["proof"]) == {"no other run of this commit passed"}


@pytest.mark.parametrize("name", ["lost-target", "lost-feature"])
def test_tests_that_no_longer_run_are_named_with_the_commit_that_did_it(triage: Triage, name: str) -> None:
    truth = TRUTHS[name]
    (lost,) = [one for one in triage.lost if truth["where"]["commit"] in {culprit.sha for culprit in one.culprits}]
    assert set(truth["expected"]["tests"]) <= set(lost.names)
    assert truth["where"]["job"] in lost.jobs
    (finding,) = [one for one in triage.findings if one.id == f"lost-tests:{lost.id}"]
    since = f"no longer run since {truth['where']['commit'][:7]} of {lost.since_at:%d %b %Y}"
    assert since in finding.claim
    assert len(triage.lost) == 2
