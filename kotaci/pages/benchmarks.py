"""What `build_time` shows of benchmarks: their alerts, and what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from kotaci.analysis.benchmarks import NOISE, SERIES, STANDS, UNTOLD, Benchmarking
from kotaci.config import Landmark
from kotaci.model import compare_url, plural
from kotaci.pages.opening import to_marks
from kotaci.report import charts, words
from kotaci.report.blocks import Block, Col, stack, table
from kotaci.report.charts import AlertMark
from kotaci.report.inline import link, stacked

ANALYSED = ("runs", "jobs", "benchmarks", "setups", "commits")
"""The tables that the analysis reads."""

MOST_DRAWN = 4

_ALERTS = {
    STANDS: AlertMark("^", is_filled=True),
    NOISE: AlertMark("^", is_filled=False),
    UNTOLD: AlertMark("s", False),
}
_COUNTS = {STANDS: "n_shift", NOISE: "n_noise", UNTOLD: "n_untold"}
_SCALES = ((1e9, "s"), (1e6, "ms"), (1e3, "µs"))
_NONE = "Cannot be told: no log in this window holds a result of libtest or criterion."


def benchmark_section(benchmarking: Benchmarking, *, dates: Sequence[Landmark] = ()) -> Block:
    """Return the benchmarks as a table and a figure; one sentence where there is none."""
    shown = benchmark_table(benchmarking)
    return shown if benchmarking.results.empty else stack(shown, benchmark_figure(benchmarking, dates=dates))


def benchmark_table(benchmarking: Benchmarking) -> Block:
    """Return one row a benchmark: its noise, its alerts and what they are, and its newest shift."""
    shown = _weighed(benchmarking)
    newest = benchmarking.shifts.drop_duplicates(SERIES)
    shifts = {tuple(row[name] for name in SERIES): row for row in newest.to_dict("records")}
    rows = [(row, shifts.get(tuple(row[name] for name in SERIES))) for row in shown.to_dict("records")]
    return table(
        shown.assign(
            place=[stacked(row["name"], f"{row['workflow']} / {row['job']}, {row['tool']}") for row, _ in rows],
            last_value=[
                stacked(_amount(row["last"], row["unit"]), f"noise ± {words.percent(row['noise'])}") for row, _ in rows
            ],
            alerts=[_alerts(row) for row, _ in rows],
            shift=[words.MISSING if shift is None else _shift(shift) for _, shift in rows],
        ),
        [
            Col("place", "benchmark", kind="stacked"),
            Col("n", "results", kind="number"),
            Col("last_value", "last", kind="stacked"),
            Col("alerts", f"alerts at {benchmarking.options.alert_ratio:.0%}", kind="stacked"),
            Col("shift", "newest shift [95 %]", kind="stacked"),
        ],
        more="more benchmarks",
        none=_NONE,
    )  # fmt: skip


def benchmark_figure(benchmarking: Benchmarking, *, dates: Sequence[Landmark] = ()) -> Block:
    """Return the results of the benchmarks with most to tell, each as a dot, alerts marked; `dates` are drawn in it."""
    drawn = _weighed(benchmarking).head(MOST_DRAWN)
    points = [_points(benchmarking, row) for row in drawn.to_dict("records")]
    told = [f"{benchmarking.n_of(kind):,} {kind}" for kind in _ALERTS if benchmarking.n_of(kind)]
    n = len(benchmarking.alerts)
    of = f"{plural(len(benchmarking.results), 'result')} of {plural(len(benchmarking.series), 'benchmark')}"
    return charts.plot_results(
        pd.concat(points, ignore_index=True) if points else pd.DataFrame(),
        title=f"{plural(n, 'alert')} in {of}: {', '.join(told)}." if n else f"No alert in {of}.",
        alerts=_ALERTS,
        marks=to_marks(dates),
        none=_NONE,
    )


def _weighed(benchmarking: Benchmarking) -> pd.DataFrame:
    """Return the series, those that are worse now first, then those with most alerts and most results."""
    standing = benchmarking.shifts[benchmarking.shifts["is_standing"].astype(bool)]
    keys = pd.MultiIndex.from_frame(standing[SERIES])
    series = benchmarking.series
    is_worse = pd.MultiIndex.from_frame(series[SERIES]).isin(keys)
    ordered = series.assign(is_worse=is_worse).sort_values(
        ["is_worse", "n_alerts", "n"], ascending=False, kind="stable", ignore_index=True
    )
    return ordered.drop(columns="is_worse")


def _points(benchmarking: Benchmarking, row: dict[Any, Any]) -> pd.DataFrame:
    results = benchmarking.results
    is_it = pd.Series(True, index=results.index)
    for name in SERIES:
        is_it &= results[name] == row[name]
    mine = results[is_it]
    scale, unit = _scale(float(mine["value"].median()), row["unit"])
    return mine.assign(
        series=f"{row['name']}, {unit}, {row['job']}",
        value=mine["value"] / scale,
        level=mine["level"] / scale,
        alert=mine["verdict"],
    )


def _alerts(row: dict[Any, Any]) -> Any:
    told = [f"{row[column]:,} {kind}" for kind, column in _COUNTS.items() if row[column]]
    if row["is_smaller_better"] is None:
        return stacked(words.MISSING, "not known which way is better")
    return stacked(f"{row['n_alerts']:,}", ", ".join(told)) if told else "0"


def _shift(shift: dict[Any, Any]) -> Any:
    change = f"{100 * (shift['ratio'] - 1):+.0f} % [{100 * (shift['low'] - 1):+.0f}, {100 * (shift['high'] - 1):+.0f}]"
    how = {True: "worse", False: "better"}.get(shift["is_worse"], "")
    levels = f"{_amount(shift['before'], shift['unit'])} → {_amount(shift['after'], shift['unit'])}"
    commits = compare_url(shift["repo"], shift["good_sha"], shift["last_sha"])
    return stacked(link(f"{change} {how}".strip(), commits), f"{levels}, {words.day(shift['last_at'])}")


def _scale(value: float, unit: str) -> tuple[float, str]:
    if unit != "ns":
        return 1.0, unit
    return next(((scale, name) for scale, name in _SCALES if abs(value) >= scale), (1.0, "ns"))


def _amount(value: float, unit: str) -> str:
    scale, name = _scale(value, unit)
    return f"{words.number(value / scale, digits=2)} {name}".strip()
