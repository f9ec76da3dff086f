"""Alerts and shifts of benchmarks, for stories whose answer the eye sees."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kotaci.analysis.benchmarks import NOISE, STANDS, UNTOLD, Benchmarking, assess_benchmarks
from kotaci.tables import BENCHMARKS, COMMITS, SETUPS
from tests.builders import SEEDED

from .frames import KEYS, Row, frame, job, jobs, run, runs, setup

BENCH = "bench"


def sha(place: int) -> str:
    return f"{place:04x}".ljust(40, "0")


def result(of: Row, value: float, **told: Any) -> Row:
    """Return what a job printed of one benchmark: fib, so many ns."""
    return {**{key: of[key] for key in KEYS}, "line": 20, "tool": "libtest", "name": "fib", "value": value,
            "unit": "ns", "low": value * 0.9, "high": value * 1.1, "is_smaller_better": True} | told  # fmt: skip


def benched(place: int, **told: Any) -> Row:
    """Return the job `bench` of the run of that place, of a commit of its own."""
    return job(run(place, **({"head_sha": sha(place)} | told)), name=BENCH)


def assessed(
    of_jobs: Sequence[Row], results: Sequence[Row], *, of_runs: Sequence[Row] = (), setups: Sequence[Row] = ()
) -> Benchmarking:
    """Return what these results tell; each job lies in a run of its own."""
    shown = of_runs or [run(row["run_id"], head_sha=sha(row["run_id"]), attempt=row["attempt"]) for row in of_jobs]
    return assess_benchmarks(
        runs=runs(shown),
        jobs=jobs(of_jobs),
        benchmarks=frame(BENCHMARKS, results),
        setups=frame(SETUPS, setups),
        commits=frame(COMMITS, []),
        default_branch="main",
    )


def series(values: Sequence[float], **told: Any) -> Benchmarking:
    """Return what a benchmark tells that had these values, a run an hour, each of its own commit."""
    of_jobs = [benched(place) for place in range(1, len(values) + 1)]
    return assessed(of_jobs, [result(row, value, **told) for row, value in zip(of_jobs, values, strict=True)])


def noisy(n: int, *, level: float = 1000, cv: float = 0.01, seed: int = 1) -> list[float]:
    return list(level * np.random.default_rng(seed).lognormal(0, cv, n))


def test_a_quiet_benchmark_tells_nothing() -> None:
    told = series(noisy(60))
    assert told.alerts.empty
    assert not told.findings
    (row,) = told.series.to_dict("records")
    assert (row["name"], row["n"], row["n_alerts"], row["n_shifts"]) == ("fib", 60, 0, 0)
    assert row["noise"] == pytest.approx(0.01, abs=0.005)


def test_one_slow_result_is_an_alert_and_noise() -> None:
    values = noisy(60)
    values[30] *= 1.5
    told = series(values)
    (alert,) = told.alerts.to_dict("records")
    assert (alert["head_sha"], alert["previous_sha"], alert["verdict"]) == (sha(31), sha(30), NOISE)
    assert alert["ratio"] == pytest.approx(1.5, rel=0.05)
    assert told.n_of(NOISE) == 1


def test_a_step_is_an_alert_that_stands_and_a_finding_with_its_commits() -> None:
    told = series(noisy(30) + noisy(30, level=1200, seed=2))
    (alert,) = told.alerts.to_dict("records")
    assert (alert["head_sha"], alert["verdict"]) == (sha(31), STANDS)
    (finding,) = told.findings
    assert (finding.kind, finding.subject, finding.verdict) == ("benchmark-shift", "ci.yml / bench", "is worse")
    assert "fib by +2" in finding.claim
    (shift,) = told.shifts.to_dict("records")
    assert finding.evidence[0].url.endswith(f"/compare/{shift['good_sha']}...{shift['last_sha']}")
    assert shift["good_sha"] < sha(31) <= shift["last_sha"] < sha(34)
    assert (shift["is_worse"], shift["is_standing"], shift["n_alerts"]) == (True, True, 1)
    assert shift["low"] < 1.2 < shift["high"]


def test_a_step_below_the_threshold_is_missed_by_the_alerts() -> None:
    told = series(noisy(30) + noisy(30, level=1080, seed=2))
    assert told.alerts.empty
    assert told.series["n_missed"].tolist() == [1]
    assert [finding.kind for finding in told.findings] == ["benchmark-shift"]


def test_a_step_that_was_mended_is_over() -> None:
    (finding,) = series(noisy(20) + noisy(20, level=1300, seed=2) + noisy(20, seed=3)).findings
    assert (finding.verdict, finding.severity.name) == ("was worse", "LOW")


def test_a_second_loss_leaves_the_first_standing() -> None:
    told = series(noisy(20) + noisy(20, level=1300, seed=2) + noisy(20, level=1700, seed=3))
    assert told.shifts["is_standing"].tolist() == [True, True]


def test_more_of_a_rate_is_better() -> None:
    told = series(noisy(30) + noisy(30, level=700, seed=2), unit="ops/s", is_smaller_better=False)
    (alert,) = told.alerts.to_dict("records")
    assert alert["ratio"] == pytest.approx(1 / 0.7, rel=0.05)
    assert "-30%" in told.findings[0].claim
    assert series(noisy(30) + noisy(30, level=1400, seed=2), unit="ops/s", is_smaller_better=False).alerts.empty


def test_where_nobody_knows_which_way_is_better_there_is_no_alert() -> None:
    told = series(noisy(30) + noisy(30, level=1500, seed=2), unit="widgets", is_smaller_better=None)
    assert told.alerts.empty
    assert not told.findings
    assert told.shifts["is_worse"].isna().all()


def test_the_newest_results_cannot_be_told_yet() -> None:
    told = series([*noisy(20), 1500.0, 1500.0])
    (alert,) = told.alerts.to_dict("records")
    assert (alert["head_sha"], alert["verdict"]) == (sha(21), UNTOLD)


def test_a_result_is_compared_with_the_last_one_of_another_commit() -> None:
    of_runs = [run(place, head_sha=sha(min(place, 2))) for place in (1, 2, 3)]
    of_jobs = [job(row, name=BENCH) for row in of_runs]
    again = job(run(3, attempt=2), name=BENCH, job_id=900)
    values = [(of_jobs[0], 100.0), (of_jobs[1], 105.0), (of_jobs[2], 120.0), (again, 900.0)]
    told = assessed([*of_jobs, again], [result(*pair) for pair in values], of_runs=[*of_runs, run(3, attempt=2)])
    assert told.results["previous"].tolist()[1:] == [100.0, 100.0]
    assert told.alerts["ratio"].tolist() == [1.2]


def test_other_branches_count_only_where_the_default_branch_has_none() -> None:
    of_runs = [run(place, branch="main" if place % 2 else "topic", head_sha=sha(place)) for place in range(1, 9)]
    of_jobs = [job(row, name=BENCH) for row in of_runs]
    both = [result(row, 100.0 * row["run_id"]) for row in of_jobs]
    topic = [result(row, 1.0, name="topical") for row in of_jobs if row["run_id"] % 2 == 0]
    told = assessed(of_jobs, [*both, *topic], of_runs=of_runs)
    assert told.series.set_index("name")["n"].to_dict() == {"fib": 4, "topical": 4}
    assert told.results.loc[told.results["name"] == "fib", "run_id"].tolist() == [1, 3, 5, 7]


def test_a_name_that_a_job_prints_twice_counts_once() -> None:
    row = benched(1)
    told = assessed([row], [result(row, 1.0, line=30), result(row, 2.0, line=20)])
    assert told.results["value"].tolist() == [2.0]


def test_benchmarks_that_slow_down_together_are_one_finding_that_names_what_changed() -> None:
    of_jobs = [benched(place) for place in range(1, 61)]
    results = [
        result(row, value * (1.5 if name == "b" and row["run_id"] > 30 else 1), name=name)
        for name, seed in (("a", 1), ("b", 2))
        for row, value in zip(of_jobs, noisy(30, seed=seed) + noisy(30, level=1200, seed=seed + 2), strict=True)
    ]
    tools = [setup(row, "tool", "rustc", "1.95" if row["run_id"] <= 30 else "1.96") for row in of_jobs]
    (finding,) = assessed(of_jobs, results, setups=tools).findings
    assert finding.claim.index("b by +8") < finding.claim.index("a by +")
    assert finding.claim.endswith("; there rustc 1.95 → 1.96")


def test_alerts_that_are_mostly_noise_are_a_finding() -> None:
    values = noisy(80)
    for place in range(10, 70, 10):
        values[place] *= 1.4
    (finding,) = series(values).findings
    assert (finding.kind, finding.n) == ("noisy-alerts", 6)
    assert finding.claim.startswith("6 of 6 alerts at 110% of the result before are noise")


def test_nothing_to_tell() -> None:
    told = assessed([], [])
    assert [len(table) for table in (told.results, told.alerts, told.shifts, told.series)] == [0, 0, 0, 0]
    assert not told.findings


VALUES = st.lists(st.sampled_from([0.0, 1.0, 50.0, 99.0, 100.0, 110.0, 111.0]), max_size=25)


@settings(SEEDED, max_examples=8)
@given(st.lists(VALUES, min_size=1, max_size=5), st.booleans())
def test_alerts_are_those_of_github_action_benchmark(lists: list[list[float]], is_smaller_better: bool) -> None:
    of_jobs = [benched(place + 1) for place in range(max(map(len, lists)))]
    results = [
        result(row, value, name=f"b{number}", is_smaller_better=is_smaller_better)
        for number, values in enumerate(lists)
        for row, value in zip(of_jobs, values, strict=False)
    ]
    expected = set()
    for number, values in enumerate(lists):
        for place in range(1, len(values)):
            worse, better = values[place], values[place - 1]
            if not is_smaller_better:
                worse, better = better, worse
            ratio = 1.0 if worse == better == 0 else math.inf if better == 0 else worse / better
            if ratio > 1.1:
                expected.add((f"b{number}", sha(place + 1)))
    told = assessed(of_jobs, results)
    assert set(zip(told.alerts["name"], told.alerts["head_sha"], strict=True)) == expected
    assert set(told.alerts["verdict"]) <= {STANDS, NOISE, UNTOLD}
    assert sum(told.series["n_alerts"]) == len(expected)
