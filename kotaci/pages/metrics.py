"""What `ci_health` shows of the six figures that CI is steered by."""

from __future__ import annotations

from typing import Any

import pandas as pd

from kotaci.report import words
from kotaci.report.blocks import Block, Col, table
from kotaci.report.inline import Inline, stacked, to_notebook

_TONES = {"worse": "bad", "better": "good"}


def metric_table(metrics: pd.DataFrame) -> Block:
    """Return one row a figure and workflow: its value, its trend, n, and the notebook that explains it."""
    rows = list(metrics.itertuples())
    return table(
        metrics.assign(
            name=[stacked(row.metric, row.subject) for row in rows],
            told=[_value(row) for row in rows],
            moved=[_change(row) for row in rows],
            more=[to_notebook(row.notebook) for row in rows],
        ),
        [
            Col("name", "figure", kind="stacked"),
            Col("told", "value [95 %]", kind="stacked"),
            Col("n", kind="number"),
            Col("trend", kind="badge", tones=_TONES),
            Col("moved", "second half against first", kind="stacked"),
            Col("more", "explained by"),
        ],
        limit=30,
        none="No figure without runs.",
    )


def _value(row: Any) -> Inline:
    if row.kind == "seconds":
        return stacked(words.duration(row.value), f"[{words.duration(row.low)}, {words.duration(row.high)}]")
    return stacked(words.percent(row.value), f"[{words.percent(row.low)}, {words.percent(row.high)}]")


def _change(row: Any) -> Inline | str:
    if words.is_missing(row.change_low):
        return words.MISSING
    unit = "%" if row.kind == "seconds" else "points"
    change, low, high = (words.signed(100 * value) for value in (row.change, row.change_low, row.change_high))
    return stacked(f"{change} {unit}", f"[{low}, {high}]")
