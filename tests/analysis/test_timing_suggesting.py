"""What the runs suggest: planted faults are found, and ranked as an event-by-event scheduler ranks them."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pandas as pd
import pytest

from kotaci.analysis.caching import assess_caching
from kotaci.analysis.timing import (
    STRATEGIES,
    SUGGESTING,
    CacheHits,
    CancelSuperseded,
    Faster,
    Merge,
    RemoveNeed,
    Split,
    Suggestion,
    Suggestions,
    TimeOut,
    TimingOptions,
    suggest_scenarios,
    to_misses,
    to_network,
)
from kotaci.facts import read_history
from kotaci.sample import open_sample
from kotaci.tables import UNITS
from tests.analysis.frames import CI, KEYS, frame, unit
from tests.analysis.pipelines import Graph, Legs, Tables
from tests.analysis.test_timing_replay import played

OPTIONS = replace(SUGGESTING, timing=TimingOptions(n_resamples=200))
GRAPH: Graph = {"lint": [], "style": [], "test": ["lint"], "report": ["test"], "gate": ["report", "style"]}
INSTALL_S, MISS_S, SETUP_S = 40, 150, 10
N_RUNS = 30


def suggested(tables: Tables, **told: Any) -> Suggestions:
    frames = tables.frames()
    network = to_network(frames["runs"], frames["jobs"], frames["workflow_jobs"], frames["commits"])
    return suggest_scenarios(network, steps=frames["steps"], options=OPTIONS, **told)


@pytest.fixture(scope="module")
def planted() -> tuple[Sequence[Legs], Sequence[bool], Suggestions]:
    dice, tables = random.Random(2), Tables()  # noqa: S311  (repeatable on purpose)
    runs: list[Legs] = []
    has_missed = [number % 3 == 0 for number in range(N_RUNS)]
    misses = []
    for number in range(N_RUNS):
        is_hung = number in {4, 11, 15, 19, 22, 25, 27}
        missed = MISS_S if has_missed[number] else 0
        legs = {
            "lint": [(3, dice.randint(60, 90))],
            "style": [(3, dice.randint(20, 30))],
            "test": [(3, dice.randint(400, 440) + missed)],
            "report": [(3, 3600 if is_hung else dice.randint(90, 110))],
            "gate": [(3, 5)],
        }
        runs.append(legs)
        told = {
            "event": "pull_request",
            "pr_number": number // 2,
            "created_at": tables.runs[-1]["created_at"] + timedelta(seconds=200) if number % 2 else None,
        }
        told = {name: value for name, value in told.items() if value}
        tables.add(
            GRAPH,
            legs,
            run_told=told | ({"started_at": told["created_at"]} if "created_at" in told else {}),
            gate={"condition": "always()"},
            report={"outcome": "cancelled" if is_hung else "success", "runner": "r", "has_timeout": False},
        )
        test = next(job for job in tables.jobs[-len(GRAPH) :] if job["job"] == "test")
        tables.step(test, "Set up job", SETUP_S)
        tables.step(test, "Install protoc", INSTALL_S, number=2)
        if missed:
            misses.append({key: test[key] for key in KEYS} | {"cost_s": 150.0, "low_s": 140.0, "high_s": 160.0})
    return runs, has_missed, suggested(tables, misses=pd.DataFrame(misses))


def saved(runs: Sequence[Legs], change: Callable[[int, Legs], tuple[Graph, Legs]]) -> float:
    return sum(played(GRAPH, legs) - played(*change(number, legs)) for number, legs in enumerate(runs))


def longer(legs: Legs, key: str, by: float) -> Legs:
    return {**legs, key: [(q, d + by) for q, d in legs[key]]}  # type: ignore[dict-item]


def test_ranked_as_played(planted: tuple[Sequence[Legs], Sequence[bool], Suggestions]) -> None:
    runs, has_missed, found = planted
    expected = {
        RemoveNeed(CI, "test", "lint"): saved(runs, lambda _, legs: ({**GRAPH, "test": []}, legs)),
        RemoveNeed(CI, "report", "test"): saved(runs, lambda _, legs: ({**GRAPH, "report": []}, legs)),
        Faster(CI, "test", 100, "Install protoc"): saved(
            runs, lambda _, legs: (GRAPH, longer(legs, "test", -INSTALL_S))
        ),
        CacheHits(CI, "test"): saved(
            runs, lambda number, legs: (GRAPH, longer(legs, "test", -MISS_S * has_missed[number]))
        ),
        TimeOut(CI, "report", 5): saved(
            runs, lambda _, legs: (GRAPH, {**legs, "report": [(3, min(300, legs["report"][0][1]))]})
        ),
    }  # fmt: skip
    rows = [row for row in found.rows if row.rank and row.how == "replayed" and row.scenario in expected]
    assert {row.scenario for row in rows} == set(expected)
    told = [-row.effect.n * row.effect.mean_s for row in rows if row.effect]
    assert told == pytest.approx(sorted(expected.values(), reverse=True))
    assert told == pytest.approx([expected[row.scenario] for row in rows if row.scenario])
    assert [row.rank for row in found.rows if row.rank] == list(range(1, len(rows) + 3))


def only(found: Suggestions, kind: type) -> Suggestion:
    return next(row for row in found.rows if isinstance(row.scenario, kind))


def test_what_is_estimated_comes_after_what_was_replayed(
    planted: tuple[Sequence[Legs], Sequence[bool], Suggestions],
) -> None:
    hows = [row.how for row in planted[2].rows if row.rank]
    assert hows == sorted(hows, key=lambda how: how == "estimated")
    split = only(planted[2], Split)
    assert (split.scenario, split.verdict) == (Split(CI, "test", 2, SETUP_S + INSTALL_S), "saves time, costs minutes")
    assert "what is compiled is not in the logs" in split.basis


def test_superseded_runs_are_measured(planted: tuple[Sequence[Legs], Sequence[bool], Suggestions]) -> None:
    row = only(planted[2], CancelSuperseded)
    assert (row.how, row.verdict) == ("measured", "saves")
    assert row.effect
    assert row.effect.mean_s == 0 > row.effect.minutes_high


def test_gates_are_refused_with_the_reason_and_not_lost(
    planted: tuple[Sequence[Legs], Sequence[bool], Suggestions],
) -> None:
    refused = [(row.title, row.basis) for row in planted[2].rows if row.verdict == "refused"]
    assert refused == [
        (
            "Let gate start without waiting for report",
            "gate needs report: cannot be dropped: the job has an `if`",
        )
    ]


def test_merge_that_makes_every_run_longer_is_not_recommended(
    planted: tuple[Sequence[Legs], Sequence[bool], Suggestions],
) -> None:
    row = only(planted[2], Merge)
    assert (row.scenario, row.verdict, row.rank) == (
        Merge(CI, ("lint", "style"), 0.0),
        "not worth it",
        None,
    )


def test_every_strategy_has_a_row(planted: tuple[Sequence[Legs], Sequence[bool], Suggestions]) -> None:
    for found in (planted[2], suggested(Tables())):
        assert {row.strategy for row in found.rows} - {""} == set(STRATEGIES)
    assert {row.verdict for row in suggested(Tables()).rows} == {"not measurable"}


def test_table_has_a_row_each(planted: tuple[Sequence[Legs], Sequence[bool], Suggestions]) -> None:
    table = planted[2].to_table()
    assert table["title"].tolist() == [row.title for row in planted[2].rows]
    assert table.loc[0, "rank"] == 1
    assert table.loc[table["verdict"] == "refused", "n"].isna().all()


def test_what_luck_may_have_made_is_not_ranked() -> None:
    tables = Tables()
    for number in range(20):
        slow = {"outcome": "cancelled", "runner": "r"} if not number else {}
        tables.add({"test": []}, {"test": [(0, 3600 if slow else 60)]}, test=slow)
    rows = [row for row in suggested(tables).rows if isinstance(row.scenario, TimeOut)]
    assert [(row.verdict, row.rank) for row in rows] == [("cannot be told", None)]


def test_most_that_are_ranked() -> None:
    tables = Tables()
    graph = {f"j{place}": [f"j{place - 1}"] if place else [] for place in range(9)}
    for _ in range(8):
        tables.add(graph, {key: [(1, 130)] for key in graph})
    frames = tables.frames()
    network = to_network(frames["runs"], frames["jobs"], frames["workflow_jobs"], frames["commits"])
    found = suggest_scenarios(network, steps=frames["steps"], options=replace(OPTIONS, most=3))
    assert [row.rank for row in found.rows if row.rank] == [1, 2, 3]


def test_jobs_of_a_called_workflow_are_refused_with_the_reason() -> None:
    tables = Tables()
    for _ in range(8):
        tables.add({"lint": [], "call": ["lint"]}, {"lint": [(1, 60)], "call": [(1, 900)]}, call={"uses": "./x.yml"})
    assert {type(row.scenario): row.basis for row in suggested(tables).rows if row.verdict == "refused"} == {
        Split: "the order of the jobs inside a called workflow is not known",
        RemoveNeed: "call needs lint: cannot be dropped: the job calls another workflow",
    }


def test_compiling_is_repeated_by_each_half_and_bounds_what_a_compiler_cache_saves() -> None:
    tables, units = Tables(), []
    for number in range(8):
        tables.add({"test": []}, {"test": [(0, 400)]})
        units += [unit(tables.jobs[number], name, wall_s=100) for name in ("serde", "regex")]
    found = suggested(tables, units=frame(UNITS, units))
    split, compiling = only(found, Split), only(found, Faster)
    assert split.scenario == Split(CI, "test", 2, 200.0)
    assert (compiling.scenario, compiling.how) == (Faster(CI, "test", 50.0), "estimated")
    pruning = next(row for row in found.rows if row.strategy == "dependency pruning")
    assert "200 s on all of them, median of 8 jobs" in pruning.basis


def test_sample_tells_what_was_planted() -> None:
    caching_tables = ("runs", "jobs", "cache_events", "units", "setups", "caches", "compiler_caches")
    with open_sample() as store:
        history = read_history(store, tables=(*caching_tables, "steps", "workflow_jobs", "commits"))
    network = to_network(history["runs"], history["jobs"], history["workflow_jobs"], history["commits"])
    caching = assess_caching(**{name: history[name] for name in caching_tables})
    found = suggest_scenarios(
        network,
        steps=history["steps"],
        units=history["units"],
        misses=to_misses(caching.events),
        commits=history["commits"],
        options=OPTIONS,
    )
    ranked = [row.scenario for row in found.rows if row.rank]
    assert ranked[:2] == [RemoveNeed(CI, "coverage", "tests"), RemoveNeed(CI, "tests", "lint")]
    assert CacheHits(CI, "tests") in ranked
    assert {row.title for row in found.rows if row.verdict == "refused"} == {
        f"Let gate start without waiting for {need}" for need in ("coverage", "lint", "tests")
    }
    assert only(found, TimeOut).verdict == "cannot be told"
