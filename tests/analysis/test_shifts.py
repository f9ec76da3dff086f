"""Every job and step of a history: one place is one finding, caches are told, chance is not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kotaci.analysis.durations import DurationOptions, Shifts, assess_shifts
from kotaci.analysis.durations.together import CANNOT_BE_TOLD
from kotaci.facts import read_history
from kotaci.model import Severity
from kotaci.sample import open_sample
from kotaci.tables import CACHE_EVENTS, COMMITS, JOBS, RUNS, SETUPS, STEPS, TABLES
from tests.analysis.frames import Row, frame, job, restore, run

QUICK = DurationOptions(n_detectable=0)
TOLD = ("runs", "jobs", "steps", "setups", "commits", "cache_events")


def noisy(levels: Sequence[float], *, seed: int) -> list[float]:
    """Return durations around those levels, with a noise of 8 %."""
    return list(np.array(levels) * np.random.default_rng(seed).lognormal(0, 0.08, len(levels)))


def history(jobs: dict[str, Sequence[float]], **told: object) -> list[tuple[Row, list[Row]]]:
    """Return runs, each with a job of each name that takes so long; their head commits count up."""
    n = len(next(iter(jobs.values())))
    made = []
    for place in range(n):
        of = run(place + 1, head_sha=f"{place:040x}", **told)
        mine = [
            job(of, name=name, wall=values[place], job_id=of["run_id"] * 100 + number)
            for number, (name, values) in enumerate(jobs.items())
        ]
        made.append((of, mine))
    return made


def step(of: Row, name: str, wall: float, *, number: int = 1) -> Row:
    keys = {key: of[key] for key in ("repo", "run_id", "attempt", "job_id")}
    return keys | {"step_number": number, "step": name, "outcome": "success", "wall_s": wall}


def assess(
    made: Iterable[tuple[Row, list[Row]]],
    *,
    steps: Iterable[Row] = (),
    restores: Iterable[Row] = (),
    options: DurationOptions = QUICK,
) -> Shifts:
    told = list(made)
    return assess_shifts(
        runs=frame(RUNS, [of for of, _ in told]),
        jobs=frame(JOBS, [one for _, mine in told for one in mine]),
        steps=frame(STEPS, steps),
        setups=frame(SETUPS, []),
        commits=frame(COMMITS, []),
        cache_events=frame(CACHE_EVENTS, restores),
        default_branch="main",
        options=options,
    )


def test_jobs_and_their_step_that_shift_at_one_place_are_one_finding() -> None:
    levels = [300.0] * 30 + [450.0] * 30
    build, lint = noisy(levels, seed=1), noisy(levels, seed=2)
    made = history({"build": build, "lint": lint, "docs": noisy([100.0] * 60, seed=3)})
    steps = [
        row
        for (_, (of, *_)), wall in zip(made, build, strict=True)
        for row in (step(of, "Compile", wall - 40), step(of, "Check out", 1, number=2))
    ]
    told = assess(made, steps=steps)
    (finding,) = told.findings
    assert finding.kind == "slower"
    assert finding.verdict == "is slower"
    assert "so is another job" in finding.claim
    assert CANNOT_BE_TOLD in finding.claim
    (group,) = told.groups.to_dict("records")
    assert (group["n_jobs"], group["n_series"]) == (2, 3)
    assert group["low"] < 1.5 < group["high"]
    assert int(group["first_sha"], 16) <= 30 <= int(group["last_sha"], 16)
    assert set(told.shifts["group"]) == {group["group"]}
    assert set(zip(told.shifts["job"], told.shifts["step"], strict=True)) == {
        ("build", ""),
        ("build", "Compile"),
        ("lint", ""),
    }
    assert (told.n_series, told.n_brief, told.n_too_few) == (4, 1, 0)


def test_the_step_that_has_most_of_a_jobs_shift_is_named() -> None:
    values = noisy([300.0] * 30 + [450.0] * 30, seed=1)
    made = history({"build": values})
    told = assess(made, steps=[step(of, "Compile", wall - 40) for (_, (of,)), wall in zip(made, values, strict=True)])
    assert told.groups["step"].to_list() == ["Compile"]
    assert told.findings[0].subject == "ci.yml / build / Compile"
    assert "most of it in the step Compile" in told.findings[0].claim


def test_the_price_is_that_of_all_branches_a_week() -> None:
    made = history({"build": noisy([300.0] * 30 + [600.0] * 30, seed=1)})
    (alone,) = assess(made).groups["minutes_per_week"]
    assert alone == pytest.approx(300 / 60 * 30, rel=0.15)
    pulls = history({"build": noisy([600.0] * 30, seed=2)}, event="pull_request", branch="topic")
    late = [
        (
            dict(of) | {"run_id": of["run_id"] + 100, "started_at": of["started_at"] + pd.Timedelta(hours=30)},
            [dict(one) | {"run_id": of["run_id"] + 100, "job_id": one["job_id"] + 10_000} for one in mine],
        )
        for of, mine in pulls
    ]
    (both,) = assess([*made, *late]).groups["minutes_per_week"]
    assert both == pytest.approx(2 * alone, rel=0.1)


def test_a_level_that_came_back_is_over_and_its_return_is_no_finding() -> None:
    told = assess(history({"build": noisy([300.0] * 25 + [600.0] * 25 + [300.0] * 25, seed=1)}))
    (finding,) = told.findings
    assert finding.verdict.startswith("was slower until")
    assert finding.severity == Severity.LOW
    assert told.groups["is_recovery"].to_list() == [True, False]
    levels = told.points_of("ci.yml", "build")["level_s"]
    assert levels.nunique() == 3
    assert levels.iloc[40] == pytest.approx(600, rel=0.1)


def cold(*, n_hits: int, n_misses: int, ratio: float = 2.5) -> tuple[list[tuple[Row, list[Row]]], list[Row]]:
    """Return runs of two jobs whose caches hit, then miss with a new key in every run, and their restores."""
    levels = [100.0] * n_hits + [100.0 * ratio] * n_misses
    made = history({"build": noisy(levels, seed=1), "lint": noisy(levels, seed=2)})
    restores = [
        restore(of, "exact" if place < n_hits else "miss", "key" if place < n_hits else f"key-{place}")
        for place, (_, mine) in enumerate(made)
        for of in mine
    ]
    return made, restores


def test_a_cold_cache_is_one_finding_that_says_so() -> None:
    made, restores = cold(n_hits=30, n_misses=10)
    told = assess(made, restores=restores)
    (finding,) = told.findings
    assert finding.kind == "cold-cache-slower"
    assert "the cache key is new in every run, the cache went cold" in finding.claim
    assert told.shifts["is_by_cache"].all()
    assert told.shifts["sha"].to_list() == [f"{30:040x}"] * 2


def test_a_cache_that_changes_no_duration_is_no_finding() -> None:
    made, restores = cold(n_hits=30, n_misses=10, ratio=1.0)
    assert not assess(made, restores=restores).findings


def test_misses_here_and_there_are_no_finding() -> None:
    missed = [place % 6 == 0 for place in range(60)]
    made = history({"build": noisy([200.0 if miss else 100.0 for miss in missed], seed=1)})
    restores = [restore(of, "miss" if miss else "exact", "key") for (_, (of,)), miss in zip(made, missed, strict=True)]
    assert not assess(made, restores=restores).findings


def test_many_unchanged_series_bring_no_flood() -> None:
    made = history({f"job {number}": noisy([100.0] * 60, seed=number) for number in range(60)})
    told = assess(made)
    assert told.n_series == 60
    assert len(told.findings) <= 1


def test_only_first_attempts_that_passed_on_the_default_branch_count() -> None:
    values = noisy([100.0] * 40, seed=1)
    made = history({"build": values})
    others = [
        *history({"build": [900.0] * 20}, branch="topic"),
        *history({"build": [900.0] * 20}, event="pull_request"),
        *history({"build": [900.0] * 20}, attempt=2),
        *history({"build": [900.0] * 20}, event="schedule"),
    ]
    moved = [
        (dict(of) | {"run_id": 1000 + n}, [dict(one) | {"run_id": 1000 + n, "job_id": 1000 + n} for one in mine])
        for n, (of, mine) in enumerate(others)
    ]
    failed = [(of, [dict(one) | {"outcome": "failure", "wall_s": 900.0} for one in mine]) for of, mine in made[:10]]
    told = assess([*failed, *made[10:], *moved])
    assert told.points["wall_s"].to_list() == values[10:]
    assert told.series["event"].to_list() == ["push"]
    assert told.n_runs == 40


def test_a_change_of_a_second_is_counted_not_told() -> None:
    made = history({"build": noisy([5.0] * 30 + [6.5] * 30, seed=1)})
    told = assess(made)
    assert (len(told.findings), told.n_small) == (0, 1)
    assert len(assess(made, options=replace(QUICK, min_change_s=1)).findings) == 1


def test_empty_tables_have_the_same_columns() -> None:
    full = assess(history({"build": noisy([300.0] * 30 + [450.0] * 30, seed=1)}))
    empty = assess_shifts(**{name: frame(TABLES[name], []) for name in TOLD}, default_branch="main")
    for name in ("series", "shifts", "groups", "points"):
        assert list(getattr(empty, name)) == list(getattr(full, name))
    assert not empty.findings
    assert empty.n_series == 0


def test_what_could_be_found_is_told_of_the_longest_series() -> None:
    made = history({"build": noisy([300.0] * 40, seed=1), "lint": noisy([30.0] * 40, seed=2)})
    told = assess(made, options=DurationOptions(n_detectable=1))
    assert told.series["job"].to_list() == ["build", "lint"]
    assert told.series["detectable"].notna().to_list() == [True, False]
    assert 0.05 <= told.series["detectable"].iloc[0] <= 0.3


def test_of_the_sample_the_planted_gain_and_the_cold_cache_are_told_and_nothing_else(
    tmp_path: Path,
) -> None:
    held = read_history(open_sample(tmp_path / "store"), tables=TOLD)
    told = assess_shifts(**{name: held[name] for name in TOLD}, default_branch=held.default_branch, options=QUICK)
    gain, lost = sorted(told.findings, key=lambda finding: finding.kind, reverse=True)
    assert (gain.kind, lost.kind) == ("faster", "cold-cache-slower")
    by_id = told.groups.set_index("finding")
    assert (by_id.loc[[gain.id, lost.id], "n_jobs"] == 3).all()
    assert (by_id.loc[[gain.id, lost.id], "step"] == "Unit tests").all()
    assert by_id.loc[lost.id, "sha"] == "6ae85a9ec9fff75a2e12a9976fb4c03aa0eb5324"
    assert by_id.loc[gain.id, "low"] < 0.33 < by_id.loc[gain.id, "high"]
