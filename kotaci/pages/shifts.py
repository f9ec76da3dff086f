"""What `build_time` shows of jobs and steps that became slower or faster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from kotaci.analysis.durations import Shifts
from kotaci.config import Landmark
from kotaci.model import compare_url, plural
from kotaci.pages.opening import to_marks
from kotaci.report import charts, words
from kotaci.report.blocks import Block, Col, note, table
from kotaci.report.inline import link, sentence, stacked

MOST_DRAWN = 4


def shifts_figure(shifts: Shifts, *, dates: Sequence[Landmark] = ()) -> Block:
    """Return the series of the newest shifts, else those that take most time, each run as a dot; `dates` are marked."""
    chosen = shifts.groups if len(shifts.groups) else shifts.series
    rows = chosen[["workflow", "job", "step"]].drop_duplicates().head(MOST_DRAWN)
    parts = []
    for row in rows.itertuples(index=False):
        points = shifts.points_of(row.workflow, row.job, row.step)
        name = " / ".join(part for part in (row.workflow, row.job, row.step) if part)
        parts.append(points.assign(series=name, value=points["wall_s"] / 60, level=points["level_s"] / 60))
    n = len(shifts.groups)
    return charts.plot_series(
        pd.concat(parts) if parts else pd.DataFrame(),
        title=f"{plural(n, 'shift')} in {plural(shifts.n_series, 'series', 'series')}"
        if n
        else f"No shift in {plural(shifts.n_series, 'series', 'series')}",
        marks=to_marks(dates),
        none="No job passed often enough on the default branch to tell a shift.",
    )


def shifts_table(shifts: Shifts, *, repo: str) -> Block:
    """Return one row a place where one or several series shifted, with what they share.

    The commit is the likeliest; it leads to all that may be it.
    """
    groups = shifts.groups
    return table(
        groups.assign(
            where=[
                stacked(
                    " / ".join(part for part in (row.workflow, row.job, row.step) if part),
                    f"{plural(row.n_series, 'series', 'series')} of {plural(row.n_jobs, 'job')}; {row.shared}",
                )
                for row in groups.itertuples()
            ],
            change=[
                stacked(_percent(row), f"{words.duration(row.before_s)} → {words.duration(row.after_s)}")
                for row in groups.itertuples()
            ],
            since=[
                stacked(
                    words.day(row.at),
                    link(row.sha[:7] or words.MISSING, compare_url(repo, row.good_sha, row.last_sha)),
                )
                for row in groups.itertuples()
            ],
            state=groups["is_over"].map({True: "over", False: "stands"}),
            price=[words.signed(minutes) for minutes in groups["minutes_per_week"]],
        ),
        [
            Col("where"),
            Col("change", "change [95 %]", kind="stacked"),
            Col("since", kind="stacked"),
            Col("state", kind="badge"),
            Col("price", "minutes a week"),
        ],
        more="more shifts",
        none="No shift found.",
    )


def _percent(row: Any) -> str:
    change, low, high = (words.signed(100 * (ratio - 1)) for ratio in (row.ratio, row.low, row.high))
    return f"{change} % [{low}, {high}]"


def shifts_note(shifts: Shifts) -> Block:
    """Return what was looked at, and how small a change would have been seen."""
    told = shifts.series["detectable"].dropna()
    least = (
        sentence(
            " In the {n} that take most time a change of {low} to {high} would have been found in four cases of five.",
            n=len(told),
            low=words.percent(told.min()),
            high=words.percent(told.max()),
        )
        if len(told)
        else ""
    )
    return note(
        sentence(
            "Looked at: {series} of jobs and steps that passed on the default branch; {few} with too few runs and "
            "{brief} too short to matter were left out.{least}",
            series=plural(shifts.n_series, "series", "series"),
            few=f"{shifts.n_too_few:,}",
            brief=f"{shifts.n_brief:,}",
            least=least,
        )
    )
