"""Caches that always hit, cancelled and skipped runs, merged jobs, other runners: each against plain loops."""

from __future__ import annotations

import math
import random
from datetime import timedelta
from typing import Any

import pandas as pd
import pytest

from kotaci.analysis.caching import assess_caching
from kotaci.analysis.timing import (
    CacheHits,
    CancelSuperseded,
    Effect,
    Merge,
    Network,
    OtherRunner,
    Scenario,
    SkipPaths,
    TimingOptions,
    replay,
    to_misses,
    to_network,
)
from kotaci.analysis.timing.skipping import to_pattern
from kotaci.model import BadInput
from kotaci.tables import CACHE_EVENTS, CACHES, COMPILER_CACHES, SETUPS, UNITS
from tests.analysis.frames import CI, Row, commit, frame, restore
from tests.analysis.pipelines import Graph, Legs, Tables
from tests.analysis.test_timing_replay import played

OPTIONS = TimingOptions(n_resamples=50)
GRAPH: Graph = {"build": [], "lint": [], "docs": [], "test": ["build", "lint"]}


def network(tables: Tables) -> Network:
    frames = tables.frames()
    return to_network(frames["runs"], frames["jobs"], frames["workflow_jobs"], frames["commits"])


def effect(tables: Tables, scenario: Scenario, **told: Any) -> Effect:
    return replay(network(tables), scenario, steps=tables.frames()["steps"], options=OPTIONS, **told)


def minutes(seconds: float) -> int:
    return max(1, math.ceil(seconds / 60))


def months(tables: Tables) -> float:
    first, last = tables.runs[0]["started_at"], tables.runs[-1]["started_at"]
    return 30 / ((last - first).total_seconds() / 86400)


@pytest.fixture(scope="module")
def generated() -> tuple[list[Legs], Tables]:
    dice, tables = random.Random(5), Tables()  # noqa: S311  (repeatable on purpose)
    runs = [{key: [(dice.randint(0, 60), dice.randint(0, 600))] for key in GRAPH} for _ in range(40)]
    for legs in runs:
        tables.add(GRAPH, legs)
    return runs, tables


def jobs_of(tables: Tables, key: str) -> list[Row]:
    return [job for job in tables.jobs if job["job_base"] == key]


def test_misses_are_taken_off_the_jobs_that_had_them(generated: tuple[list[Legs], Tables]) -> None:
    runs, tables = generated
    misses = pd.DataFrame(
        [
            {**{key: job[key] for key in ("repo", "run_id", "attempt", "job_id")},
             "cost_s": 100.0, "low_s": 80.0, "high_s": 130.0}
            for job in jobs_of(tables, "build")[::2]
        ]
    )  # fmt: skip
    found = effect(tables, CacheHits(CI, "build"), misses=misses)

    def after(cost: float) -> list[float]:
        return [
            played(GRAPH, {**legs, "build": [(q, max(0, d - cost)) for q, d in legs["build"]]} if not at % 2 else legs)
            for at, legs in enumerate(runs)
        ]

    assert found.attempts["after_s"].tolist() == after(100)
    means = {cost: sum(after(cost)) / 40 - found.attempts["before_s"].mean() for cost in (80, 100, 130)}
    assert found.mean_s == pytest.approx(means[100])
    assert found.mean_low_s < means[130] < means[100] < means[80] < found.mean_high_s


def test_misses_without_a_cost_and_jobs_that_failed_are_not_replayed() -> None:
    tables = Tables()
    for outcome in ("success", "success", "failure"):
        tables.add(GRAPH, {**{key: [(0, 30)] for key in GRAPH}, "build": [(0, 300)]}, build={"outcome": outcome})
    rows = [{key: job[key] for key in ("repo", "run_id", "attempt", "job_id")} for job in jobs_of(tables, "build")]
    misses = pd.DataFrame(rows).assign(cost_s=[math.nan, 50, 50], low_s=[math.nan, 40, 40], high_s=[math.nan, 60, 60])
    found = effect(tables, CacheHits(CI, "build"), misses=misses)
    assert found.left_out == {"what a miss costs this job cannot be told": 1}
    assert found.attempts["change_s"].tolist() == [-50, 0]
    with pytest.raises(BadInput, match="cannot be replayed without `misses`"):
        effect(tables, CacheHits(CI, "build"))


def test_misses_are_measured_leg_by_leg() -> None:
    tables = Tables()
    events = []
    for number, result in enumerate(("exact", "exact", "miss", "miss")):
        slow = 200 if result == "miss" else 0
        tables.add({"test": []}, {"test": [(0, 100 + slow), (0, 500 + number)]})
        events += [
            restore(tables.jobs[-2], result, f"k-{number:08x}"),
            restore(tables.jobs[-1], "miss", f"k-{number:08x}"),
        ]
    frames = tables.frames()
    told = assess_caching(
        runs=frames["runs"],
        jobs=frames["jobs"],
        cache_events=frame(CACHE_EVENTS, events),
        units=frame(UNITS, []),
        setups=frame(SETUPS, []),
        caches=frame(CACHES, []),
        compiler_caches=frame(COMPILER_CACHES, []),
    )
    misses = to_misses(told.events).set_index("job_id")["cost_s"]
    costs = [misses.get(job["job_id"]) for job in tables.jobs]
    assert costs[:4:2] == [None, None]
    assert costs[4::2] == [200, 200]
    assert all(math.isnan(cost) for cost in costs[1::2])
    assert to_misses(told.events.iloc[:0]).empty


def test_superseded_runs_end_when_the_newer_one_comes() -> None:
    dice, tables = random.Random(8), Tables()  # noqa: S311  (repeatable on purpose)
    for number in range(60):
        told = {
            "event": dice.choice(["push", "pull_request", "pull_request"]),
            "pr_number": dice.choice([1, 2]),
            "created_at": tables.runs[-1]["created_at"] + timedelta(minutes=dice.randint(1, 9)) if number else None,
        }
        if told["created_at"]:
            told["started_at"] = told["created_at"]
        else:
            del told["created_at"]
        tables.add(GRAPH, {key: [(dice.randint(0, 60), dice.randint(0, 900))] for key in GRAPH}, run_told=told)
    again = tables.add(GRAPH, {key: [(0, 900)] for key in GRAPH}, again=tables.runs[0])
    found = effect(tables, CancelSuperseded(CI, "pull_request"))
    saved = 0
    for run in tables.runs[:-1]:
        newer = [
            other["created_at"]
            for other in tables.runs[:-1]
            if other["created_at"] > run["created_at"]
            and other["event"] == run["event"] == "pull_request"
            and other["pr_number"] == run["pr_number"]
        ]
        for job in tables.jobs:
            if newer and job["run_id"] == run["run_id"] and job["attempt"] == run["attempt"]:
                took = (job["ended_at"] - job["started_at"]).total_seconds()
                left = (min(newer) - job["started_at"]).total_seconds()
                saved += minutes(took) - (0 if left <= 0 else min(minutes(took), minutes(left)))
    assert saved > 100
    assert again["attempt"] == 2
    assert found.minutes_month == pytest.approx(-saved * months(tables))
    assert (found.median_s, found.mean_s) == (0, 0)
    assert found.left_out == {"another event started it": sum(run["event"] == "push" for run in tables.runs)}


def test_merged_jobs_run_one_after_another_with_one_set_up(generated: tuple[list[Legs], Tables]) -> None:
    runs, tables = generated
    found = effect(tables, Merge(CI, ("lint", "docs"), 20))
    merged = [
        {**legs, "lint": [(legs["lint"][0][0], legs["lint"][0][1] + max(0, legs["docs"][0][1] - 20))]} for legs in runs
    ]
    without = {key: needs for key, needs in GRAPH.items() if key != "docs"}
    assert found.attempts["after_s"].tolist() == [played(without, legs) for legs in merged]
    saved = sum(
        minutes(legs["lint"][0][1]) + minutes(legs["docs"][0][1]) - minutes(one["lint"][0][1])
        for legs, one in zip(runs, merged, strict=True)
    )
    assert found.minutes_month == pytest.approx(-saved * months(tables))


@pytest.mark.parametrize(
    ("jobs", "legs", "told", "why"),
    [
        (("lint", "test"), {}, {}, "they wait for different jobs"),
        (("lint", "docs"), {}, {"runs_on": "macos-15"}, "they run on different runners"),
        (("lint", "docs"), {}, {"condition": "always()"}, "the job has an `if`"),
        (("lint", "docs"), {"docs": [(0, 9), (0, 9)]}, {}, "a job has several legs"),
    ],
)
def test_jobs_that_differ_are_not_merged(jobs: tuple[str, ...], legs: Legs, told: dict[str, str], why: str) -> None:
    tables = Tables()
    tables.add(GRAPH, {key: legs.get(key, [(0, 60)]) for key in GRAPH}, docs=told)
    with pytest.raises(BadInput, match=why):
        effect(tables, Merge(CI, jobs, 0))


def test_other_runner_has_its_speed_and_its_price(generated: tuple[list[Legs], Tables]) -> None:
    runs, tables = generated
    found = effect(tables, OtherRunner(CI, "build", 50, 0.022), prices={"ubuntu-24.04": 0.006})
    half = [{**legs, "build": [(q, d / 2) for q, d in legs["build"]]} for legs in runs]
    assert found.attempts["after_s"].tolist() == [played(GRAPH, legs) for legs in half]
    dollars = sum(
        0.022 * minutes(legs["build"][0][1] / 2) - 0.006 * minutes(legs["build"][0][1]) for legs in runs
    ) * months(tables)
    assert found.dollars_month == pytest.approx(dollars)
    assert effect(tables, OtherRunner(CI, "build", 50, 0.022)).dollars_month is None


HISTORY = (
    ("b1", "src/lib.rs", "push", "main"),
    ("b2", "README.md", "", ""),
    ("b3", "docs/a/b.md", "push", "main"),
    ("b4", "src/lib.rs", "", ""),
    ("b5", "docs/c.md", "push", "main"),
    ("p1", "docs/d.md", "", ""),
    ("p2", "README.md", "pull_request", "words"),
    ("p3", "src/main.rs", "pull_request", "words"),
    ("p4", "README.md", "pull_request", "words"),
    ("n1", "README.md", "schedule", "main"),
    ("x1", None, "push", "main"),
)


def test_runs_that_change_only_such_files_are_gone() -> None:
    tables, before = Tables(), ""
    commits = []
    for sha, files, event, branch in HISTORY:
        parents = [before] if before else []
        commits.append(commit(sha, *parents, tree="tree", files=files, n_files=None if files is None else 1))
        before = sha
        if event:
            told = {"event": event, "branch": branch, "base_branch": "main" if event == "pull_request" else ""}
            tables.add(GRAPH, {key: [(0, 60)] for key in GRAPH}, run_told=told)
            tables.runs[-1] = {**tables.runs[-1], "head_sha": sha}
    tables.declared = [{**row, "workflows_tree": "tree"} for row in tables.declared[:4]]
    tables.commits = commits
    frames = tables.frames()
    found = effect(tables, SkipPaths(CI, ("docs/**", "*.md")), commits=frames["commits"])
    assert found.attempts["after_s"].tolist() == [120, 0, 120, 0, 120, 120, 120]
    assert found.left_out == {"the files of its commits are not known": 1}
    assert found.minutes_month == pytest.approx(-2 * 4 * months(tables)) or math.isnan(found.minutes_month)


@pytest.mark.parametrize(
    ("pattern", "path", "does_match"),
    [
        ("*.md", "README.md", True),
        ("*.md", "docs/README.md", False),
        ("**.md", "docs/README.md", True),
        ("**/README.md", "README.md", True),
        ("**/README.md", "a/b/README.md", True),
        ("docs/**", "docs/a/b.txt", True),
        ("docs/*", "docs/a/b.txt", False),
        ("docs/**", "docs", False),
        ("a.b", "axb", False),
    ],
)
def test_patterns_match_as_github_says(pattern: str, path: str, does_match: bool) -> None:
    assert bool(to_pattern([pattern]).fullmatch(path)) is does_match


@pytest.mark.parametrize(
    "scenario",
    [
        lambda: SkipPaths(CI, ()),
        lambda: SkipPaths(CI, ("!a",)),
        lambda: Merge(CI, ("a", "a"), 1),
        lambda: OtherRunner(CI, "a", 100, 1),
    ],
)
def test_changes_without_meaning_are_refused(scenario: Any) -> None:
    with pytest.raises(BadInput):
        scenario()


def test_unknown_workflow_is_refused() -> None:
    with pytest.raises(BadInput, match="has no runs here"):
        effect(Tables(), CancelSuperseded("none.yml", "push"))
