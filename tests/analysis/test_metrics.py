"""The six figures: values, intervals, and a trend only where it can be told."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import pandas as pd

from kotaci.analysis.metrics import METRIC_COLUMNS, measure_metrics
from tests.analysis.frames import at, run, runs

FLOW = ".github/workflows/ci.yml"


def measured(rows: Iterable[dict[str, Any]], **told: Any) -> pd.DataFrame:
    frames = {
        "test_seconds": pd.DataFrame({"workflow": [], "at": [], "seconds": []}),
        "restores": pd.DataFrame({"workflow": [], "at": [], "is_exact": []}),
        "peaks": pd.DataFrame({"workflow": [], "at": [], "share": []}),
        "red_by_flakes": frozenset[int](),
    }
    return measure_metrics(runs=runs(list(rows)), min_runs=5, **(frames | told))


def one(table: pd.DataFrame, metric: str) -> dict[str, Any]:
    return table[table["metric"] == metric].to_dict("records")[0]


def series(column: str, early: Any, late: Any, *, n: int = 10) -> pd.DataFrame:
    return pd.DataFrame(
        {"workflow": FLOW, "at": [pd.Timestamp(at(hour)) for hour in range(2 * n)], column: [early] * n + [late] * n}
    )


def test_build_time_that_grew_is_worse_by_its_ratio() -> None:
    told = one(measured(run(n, wall=(600 if n < 10 else 900) + n) for n in range(20)), "build time")
    assert told["subject"] == "ci.yml"
    assert told["n"] == 20
    assert told["trend"] == "worse"
    assert 0.45 < told["change_low"] < told["change"] < told["change_high"] < 0.55
    assert told["notebook"] == "build_time"


def test_failure_rate_that_fell_is_better() -> None:
    told = one(measured(run(n, "failure" if n < 10 else "success") for n in range(20)), "failures")
    assert (told["value"], told["trend"]) == (0.5, "better")
    assert told["low"] < 0.5 < told["high"]


def test_cache_hits_that_fell_are_worse() -> None:
    told = one(measured([run(1)], restores=series("is_exact", True, False)), "cache hits")
    assert (told["value"], told["trend"]) == (0.5, "worse")


def test_test_time_and_memory_have_their_rows() -> None:
    told = measured([run(1)], test_seconds=series("seconds", 30.0, 30.5), peaks=series("share", 0.4, 0.9))
    assert one(told, "test time")["value"] == 30.25
    assert one(told, "memory at its peak")["trend"] == "worse"
    assert math.isclose(one(told, "memory at its peak")["change"], 0.5)


def test_runs_made_red_by_flaky_tests_are_counted_once_each() -> None:
    told = one(
        measured([*(run(n) for n in range(18)), run(18, "failure"), run(19, "failure")], red_by_flakes={18, 77}),
        "red by flaky tests",
    )
    assert told["value"] == 1 / 20


def test_few_runs_have_a_value_and_no_trend() -> None:
    told = measured([run(n) for n in range(6)])
    assert set(told["trend"]) == {"too few runs"}
    assert one(told, "failures")["value"] == 0


def test_no_runs_give_no_rows() -> None:
    assert measured([]).empty
    assert list(measured([]).columns) == METRIC_COLUMNS


def test_long_histories_are_thinned_not_multiplied_out() -> None:
    told = one(measured(run(n, wall=600 + n % 7) for n in range(6000)), "build time")
    assert told["trend"] == "none told"
