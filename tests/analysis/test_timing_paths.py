"""The critical path: against every way through the graph, and what cannot be told."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest

from kotaci.analysis.timing import Network, Paths, critical_paths, to_network
from kotaci.facts import History, read_history
from tests.analysis.frames import Row
from tests.analysis.pipelines import Graph, Legs, Tables, random_graph

N_GRAPHS = 1000


def network(tables: Tables) -> Network:
    frames = tables.frames()
    return to_network(frames["runs"], frames["jobs"], frames["workflow_jobs"], frames["commits"])


def ways(needs: Graph, key: str) -> Iterator[list[str]]:
    """Yield every way from a job that waits for none to this one."""
    if not needs[key]:
        yield [key]
    for need in needs[key]:
        yield from ([*way, key] for way in ways(needs, need))


def longest(needs: Graph, legs: Legs) -> int:
    return max(sum(max(map(sum, legs[key])) for key in way) for last in needs for way in ways(needs, last))


@pytest.fixture(scope="module")
def generated() -> tuple[list[tuple[Graph, Legs]], Paths]:
    dice, tables = random.Random(7), Tables()  # noqa: S311  (repeatable on purpose)
    graphs = [random_graph(dice) for _ in range(N_GRAPHS)]
    for needs, legs in graphs:
        tables.add(needs, legs)
    return graphs, critical_paths(network(tables))


def test_wall_is_the_longest_of_all_ways(generated: tuple[list[tuple[Graph, Legs]], Paths]) -> None:
    graphs, paths = generated
    assert paths.attempts["wall_s"].tolist() == [longest(needs, legs) for needs, legs in graphs]


def test_path_is_a_way_without_slack_and_as_long_as_the_wall(
    generated: tuple[list[tuple[Graph, Legs]], Paths],
) -> None:
    graphs, paths = generated
    length = (paths.critical["queue_s"] + paths.critical["run_s"]).groupby(paths.critical["place"]).sum()
    assert length.tolist() == paths.attempts["wall_s"].tolist()
    slack = paths.jobs.set_index("job_id")["slack_s"]
    assert slack.min() == 0
    assert (slack.loc[paths.critical["job_id"]] == 0).all()
    for place, steps in paths.critical.groupby("place"):
        assert steps["job_key"].tolist() in list(ways(graphs[int(str(place))][0], steps["job_key"].iloc[-1]))


def test_slack_is_what_a_job_may_take_longer(generated: tuple[list[tuple[Graph, Legs]], Paths]) -> None:
    graphs, paths = generated
    for place, mine in paths.jobs[paths.jobs["place"] < 50].groupby("place"):
        needs, legs = graphs[int(str(place))]
        wall = longest(needs, legs)
        for key, leg, slack in mine[["job_key", "leg", "slack_s"]].itertuples(index=False, name=None):
            for extra in (0, 1):
                slower = [list(leg_) for leg_ in legs[key]]
                slower[int(leg or 0)][1] += int(slack) + extra
                assert longest(needs, {**legs, key: [(q, d) for q, d in slower]}) == wall + extra


def test_path_as_it_happened_is_the_critical_one_without_extra_waiting(
    generated: tuple[list[tuple[Graph, Legs]], Paths],
) -> None:
    _, paths = generated
    pd.testing.assert_frame_equal(paths.happened, paths.critical)


CHAIN: Graph = {"build": [], "lint": [], "test": ["build"], "gate": ["test", "lint"]}
TIMES: Legs = {"build": [(5, 100)], "lint": [(5, 30)], "test": [(10, 200), (10, 50)], "gate": [(1, 4)]}


def moved(told: Row, seconds: float) -> Row:
    """Return the job that much later."""
    times = ("created_at", "started_at", "ended_at")
    return dict(told) | {name: told[name] + timedelta(seconds=seconds) for name in times}


def test_skipped_job_takes_no_time_and_passes_on_the_wait() -> None:
    tables = Tables()
    tables.add(CHAIN, {**TIMES, "test": [(0, 0)]}, test={"outcome": "skipped"})
    paths = critical_paths(network(tables))
    assert paths.attempts["wall_s"].tolist() == [110]
    assert paths.critical["job_key"].tolist() == ["build", "gate"]


def test_cancelled_job_ends_when_it_ended_and_one_never_started_only_waited() -> None:
    tables = Tables()
    tables.add(CHAIN, TIMES, test={"outcome": "cancelled"}, gate={"outcome": "cancelled", "started_at": None})
    paths = critical_paths(network(tables))
    assert paths.attempts["wall_s"].tolist() == [105 + 210 + 5]
    assert paths.critical[["queue_s", "run_s"]].iloc[-1].tolist() == [5, 0]


def test_job_carried_over_into_a_rerun_takes_no_time() -> None:
    tables = Tables()
    tables.add(CHAIN, TIMES)
    tables.jobs[0] = moved(tables.jobs[0], -7200)
    paths = critical_paths(network(tables))
    first = paths.jobs.set_index("job_id").loc[tables.jobs[0]["job_id"]]
    assert (first["run_s"], first["ef_s"]) == (0, 0)
    assert first["job_key"] not in paths.critical["job_key"].tolist()


def test_extra_waiting_is_told_and_the_path_as_it_happened_goes_over_it() -> None:
    tables = Tables()
    tables.add(CHAIN, TIMES)
    held = next(place for place, told in enumerate(tables.jobs) if told["job"] == "lint")
    lint = tables.jobs[held]
    tables.jobs[held] = moved(lint, 280)
    paths = critical_paths(network(tables))
    assert paths.jobs.set_index("job_key").loc["lint", "held_s"] == 280
    assert paths.critical["job_key"].tolist() == ["build", "test", "gate"]
    tables.jobs[held] = moved(lint, 281)
    paths = critical_paths(network(tables))
    assert paths.critical["job_key"].tolist() == ["build", "test", "gate"]
    assert paths.happened["job_key"].tolist() == ["lint", "gate"]


def test_jobs_of_a_called_workflow_have_the_key_of_their_caller() -> None:
    tables = Tables()
    tables.add(CHAIN, TIMES, lint={"uses": "./.github/workflows/lint.yml", "job": "lint / inner (1)"})
    assert critical_paths(network(tables)).jobs["job_key"].value_counts()["lint"] == 1


def test_called_job_that_waited_inside_the_call_keeps_the_length_of_the_run() -> None:
    tables = Tables()
    tables.add(
        {"build": [], "call": ["build"]}, {"build": [(5, 100)], "call": [(5, 60), (65, 200)]}, call={"uses": "x"}
    )
    critical = critical_paths(network(tables)).critical
    assert critical[["job_key", "is_called", "queue_s", "run_s"]].to_numpy().tolist() == [
        ["build", False, 5, 100],
        ["call", True, 65, 200],
    ]


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"job": "stranger", "job_base": "stranger"}, "a job cannot be told in the workflow file"),
        ({"ended_at": None}, "a job has no start or no end"),
        ({"needs": "nobody"}, "a job that another needs is not recorded"),
        ({"needs": "gate"}, "the needs go round in a circle"),
    ],
)
def test_unknown_needs_are_left_out_with_the_reason(told: dict[str, str], reason: str) -> None:
    tables = Tables()
    tables.add(CHAIN, TIMES, build=told)
    tables.add(CHAIN, TIMES)
    found = network(tables)
    assert found.left_out() == {reason: 1}
    assert critical_paths(found).attempts["wall_s"].tolist() == [320]


def test_without_a_workflow_file_or_jobs_nothing_is_told() -> None:
    tables = Tables()
    tables.add(CHAIN, TIMES)
    tables.add(CHAIN, TIMES)
    tables.commits.pop()
    tables.jobs = [told for told in tables.jobs if told["run_id"] == 2]
    found = network(tables)
    assert found.left_out() == {
        "no job is recorded": 1,
        "the workflow file at its commit is not known": 1,
    }
    paths = critical_paths(found)
    assert [len(part) for part in (paths.attempts, paths.jobs, paths.critical, paths.happened)] == [0] * 4


def test_no_runs_at_all() -> None:
    assert len(critical_paths(network(Tables())).attempts) == 0


@pytest.fixture(scope="module")
def history(sample: Path) -> History:
    tables = ("runs", "jobs", "workflow_jobs", "commits")
    return read_history(sample, tables=tables)


def test_sample_is_explained_by_its_needs(history: History) -> None:
    found = to_network(history["runs"], history["jobs"], history["workflow_jobs"], history["commits"])
    attempts = critical_paths(found).attempts
    assert found.left_out() == {}
    assert len(attempts) == len(history["runs"])
    assert (attempts["wall_s"] - attempts["recorded_s"]).abs().max() <= 1
