"""What-if: against a scheduler that plays the runs event by event, and what is refused."""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Callable
from typing import Any

import pytest

from kotaci.analysis.timing import AddNeed, Faster, Network, RemoveNeed, Scenario, Split, TimeOut, replay, to_network
from kotaci.model import BadInput
from tests.analysis.frames import CI
from tests.analysis.pipelines import Graph, Legs, Tables, random_graph


def network(tables: Tables) -> Network:
    frames = tables.frames()
    return to_network(frames["runs"], frames["jobs"], frames["workflow_jobs"], frames["commits"])


def played(needs: Graph, legs: Any) -> float:
    """Play the run: whenever a leg ends, start what has been waiting for nothing else."""
    open_legs = {key: len(legs[key]) for key in needs}
    waiting = {key: set(wanted) for key, wanted in needs.items()}
    events: list[tuple[float, str]] = []
    now = 0.0

    def start_ready() -> None:
        for key in [key for key, wanted in waiting.items() if not wanted]:
            del waiting[key]
            for q, d in legs[key]:
                heapq.heappush(events, (now + q + d, key))

    start_ready()
    while events:
        now, ended = heapq.heappop(events)
        open_legs[ended] -= 1
        if not open_legs[ended]:
            for wanted in waiting.values():
                wanted.discard(ended)
        start_ready()
    return now


def with_durations(legs: Legs, key: str, new: Callable[[float], float]) -> dict[str, list[tuple[float, float]]]:
    return {k: [(q, new(d) if k == key else d) for q, d in of] for k, of in legs.items()}


CASES: list[tuple[Scenario, Callable[[float], float]]] = [
    (Faster(CI, "j1", 40), lambda d: d * 0.6),
    (Split(CI, "j1", 3, 60), lambda d: min(d, 60) + max(0, d - 60) / 3),
    (TimeOut(CI, "j1", 5), lambda d: min(d, 300)),
]


@pytest.fixture(scope="module")
def generated() -> tuple[list[tuple[Graph, Legs]], Tables, Network]:
    dice, tables = random.Random(11), Tables()  # noqa: S311  (repeatable on purpose)
    graphs = [random_graph(dice) for _ in range(300)]
    for needs, legs in graphs:
        tables.add(needs, legs, j1={"outcome": "failure"})
    return graphs, tables, network(tables)


@pytest.mark.parametrize(("scenario", "new"), CASES, ids=lambda case: type(case).__name__)
def test_durations_are_replayed(
    generated: tuple[list[tuple[Graph, Legs]], Tables, Network],
    scenario: Scenario,
    new: Callable[[float], float],
) -> None:
    graphs, tables, found = generated
    effect = replay(found, scenario, steps=tables.frames()["steps"])
    mine = [(needs, legs) for needs, legs in graphs if "j1" in needs]
    assert effect.n == len(mine)
    assert effect.left_out == {"its workflow file has no such job or edge": len(graphs) - len(mine)}
    assert effect.attempts["before_s"].tolist() == [played(needs, legs) for needs, legs in mine]
    expected = [played(needs, with_durations(legs, "j1", new)) for needs, legs in mine]
    assert effect.attempts["after_s"].tolist() == pytest.approx(expected)
    copies = scenario.parts if isinstance(scenario, Split) else 1
    minutes = [
        copies * max(1, math.ceil(new(d) / 60)) - max(1, math.ceil(d / 60)) for _, legs in mine for _, d in legs["j1"]
    ]
    days = (tables.runs[-1]["started_at"] - tables.runs[0]["started_at"]).total_seconds() / 86400
    assert effect.minutes_month == pytest.approx(sum(minutes) / days * 30)
    assert effect.low_s <= effect.median_s <= effect.high_s
    assert effect.minutes_low <= effect.minutes_month <= effect.minutes_high


def test_edges_are_replayed(generated: tuple[list[tuple[Graph, Legs]], Tables, Network]) -> None:
    graphs, tables, found = generated
    steps = tables.frames()["steps"]
    cut = [({**g, "j2": [n for n in g["j2"] if n != "j1"]}, legs) for g, legs in graphs if "j1" in g.get("j2", ())]
    effect = replay(found, RemoveNeed(CI, "j2", "j1"), steps=steps)
    assert effect.attempts["after_s"].tolist() == [played(*case) for case in cut]
    more = [({**g, "j3": [*g["j3"], "j0"]}, legs) for g, legs in graphs if "j3" in g]
    effect = replay(found, AddNeed(CI, "j3", "j0"), steps=steps)
    assert effect.attempts["after_s"].tolist() == [played(*case) for case in more]


CHAIN: Graph = {"build": [], "test": ["build"], "extra": ["test"]}
TIMES: Legs = {"build": [(5, 100)], "test": [(10, 200)], "extra": [(1, 300)]}


@pytest.mark.parametrize(
    ("scenario", "told", "problem"),
    [
        (AddNeed(CI, "build", "extra"), {}, "build needs extra: would go round in a circle"),
        (AddNeed(CI, "test", "test"), {}, "test needs test: would go round in a circle"),
        (RemoveNeed(CI, "extra", "build"), {}, "extra needs build: is no edge"),
        (
            RemoveNeed(CI, "extra", "test"),
            {"condition": "always()"},
            "extra needs test: cannot be dropped: the job has",
        ),
        (RemoveNeed(CI, "extra", "test"), {"uses": "./x.yml"}, "extra needs test: cannot be dropped: the job"),
        (Faster(CI, "nobody", 5), {}, "nobody: is no job"),
        (Faster(CI, "test", 5, step="nothing"), {}, "nothing: is no step"),
    ],
)
def test_what_cannot_be_is_refused(scenario: Scenario, told: dict[str, str], problem: str) -> None:
    tables = Tables()
    tables.add(CHAIN, TIMES, extra=told)
    with pytest.raises(BadInput, match=problem):
        replay(network(tables), scenario, steps=tables.frames()["steps"])


def test_job_that_downloads_artifacts_keeps_its_needs() -> None:
    tables = Tables()
    tables.add(CHAIN, TIMES)
    tables.step(tables.jobs[2], "Run actions/download-artifact@v4", 3)
    with pytest.raises(BadInput, match="downloads artifacts"):
        replay(network(tables), RemoveNeed(CI, "extra", "test"), steps=tables.frames()["steps"])


def test_step_that_is_gone_saves_its_time() -> None:
    tables = Tables()
    tables.add(CHAIN, TIMES)
    tables.step(tables.jobs[1], "Install nextest", 30)
    effect = replay(network(tables), Faster(CI, "test", 100, step="Install nextest"), steps=tables.frames()["steps"])
    assert (effect.median_s, effect.n) == (-30, 1)
    assert math.isnan(effect.minutes_month)


def test_what_cannot_be_told_is_left_out() -> None:
    tables = Tables()
    tables.add(CHAIN, TIMES)
    tables.add(CHAIN, {**TIMES, "extra": [(0, 0)]}, extra={"outcome": "skipped"})
    found, steps = network(tables), tables.frames()["steps"]
    assert replay(found, RemoveNeed(CI, "extra", "test"), steps=steps).left_out == {
        "the job was skipped, and would have run": 1
    }
    assert replay(found, TimeOut(CI, "test", 1), steps=steps).left_out == {"the job passed after the limit": 2}


@pytest.mark.parametrize(
    "wrong",
    [lambda: Faster(CI, "a", 101), lambda: Split(CI, "a", 1, 0), lambda: TimeOut(CI, "a", 0)],
)
def test_scenarios_without_meaning_are_refused(wrong: Callable[[], Scenario]) -> None:
    with pytest.raises(BadInput):
        wrong()


def test_same_seed_same_interval(generated: tuple[list[tuple[Graph, Legs]], Tables, Network]) -> None:
    _, tables, found = generated
    effects = [replay(found, CASES[0][0], steps=tables.frames()["steps"]) for _ in range(2)]
    assert effects[0].low_s == effects[1].low_s
    assert effects[0].minutes_high == effects[1].minutes_high
