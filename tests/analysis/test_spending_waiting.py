"""Slack by job, and jobs that nobody waits for."""

from __future__ import annotations

from kotaci.analysis.spending import WaitingOptions, nobody_waits, slack_by_job
from kotaci.analysis.timing import Network, to_network
from tests.analysis.pipelines import Tables

NEEDS = {"build": [], "test": ["build"], "lint": [], "docs": []}


def network(*seconds: dict[str, int], **told: dict[str, object]) -> Network:
    """Return runs in which each job takes so many seconds, without a queue."""
    tables = Tables()
    for drawn in seconds:
        tables.add(NEEDS, {key: [(0, wall)] for key, wall in drawn.items()}, **told)
    frames = tables.frames()
    return to_network(frames["runs"], frames["jobs"], frames["workflow_jobs"], frames["commits"])


USUAL = {"build": 60, "test": 120, "lint": 30, "docs": 170}


def test_slack_is_what_a_job_could_take_longer() -> None:
    table = slack_by_job(network(USUAL, USUAL | {"lint": 200})).set_index("job_key")
    assert table["slack_s"].to_dict() == {"docs": 20, "test": 10, "build": 10, "lint": 75}
    assert table["least_slack_s"].to_dict() == {"docs": 10, "test": 0, "build": 0, "lint": 0}
    assert table["n_critical"].to_dict() == {"docs": 0, "test": 1, "build": 1, "lint": 1}
    assert table["is_needed"].to_dict() == {"docs": False, "test": False, "build": True, "lint": False}
    assert table["minutes"].round(2).to_dict() == {"docs": 5.67, "test": 4, "build": 2, "lint": 3.83}
    assert set(table["n"]) == {2}


def test_nobody_waits_for_what_is_off_the_path_and_not_needed() -> None:
    runs = network(*[USUAL] * 19, USUAL | {"lint": 200})
    assert nobody_waits(runs)["job_key"].tolist() == ["docs", "lint"]
    assert nobody_waits(runs, options=WaitingOptions(critical_share=0))["job_key"].tolist() == ["docs"]
    assert nobody_waits(runs, options=WaitingOptions(min_attempts=21)).empty


def test_a_job_that_fails_alone_is_told_so() -> None:
    red = {"outcome": "failure"}
    both = network(USUAL, run_told=red, lint=red, docs=red)
    one = network(USUAL, USUAL, run_told=red, lint=red, docs=red | {"is_downstream": True})
    columns = ["n_failed", "n_failed_alone"]
    assert slack_by_job(both).set_index("job_key").loc["lint", columns].tolist() == [1, 0]
    assert slack_by_job(one).set_index("job_key").loc["lint", columns].tolist() == [2, 2]


def test_a_job_that_may_fail_is_never_the_reason() -> None:
    red = {"outcome": "failure"}
    tables = Tables()
    tables.add(NEEDS, {key: [(0, wall)] for key, wall in USUAL.items()}, docs=red)
    tables.add(NEEDS, {key: [(0, wall)] for key, wall in USUAL.items()}, run_told=red, docs=red, lint=red)
    frames = tables.frames()
    found = to_network(frames["runs"], frames["jobs"], frames["workflow_jobs"], frames["commits"])
    told = slack_by_job(found).set_index("job_key")[["n_failed", "n_failed_alone"]]
    assert told.loc[["docs", "lint"]].to_numpy().tolist() == [[2, 0], [1, 1]]


def test_a_leg_that_has_slack_does_not_free_its_job() -> None:
    tables = Tables()
    tables.add({"test": [], "lint": []}, {"test": [(0, 10), (0, 100)], "lint": [(5, 20)]})
    frames = tables.frames()
    table = slack_by_job(to_network(frames["runs"], frames["jobs"], frames["workflow_jobs"], frames["commits"]))
    assert table[["job_key", "n", "n_critical", "slack_s"]].to_numpy().tolist() == [
        ["test", 1, 1, 0],
        ["lint", 1, 0, 75],
    ]


def test_without_runs_there_is_nothing_to_tell() -> None:
    assert nobody_waits(network()).empty
