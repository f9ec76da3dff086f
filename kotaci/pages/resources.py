"""What a report shows of processors, memory and disk: recordings of `kotaci watch`, and limits that jobs met."""

from __future__ import annotations

from typing import Any

import pandas as pd

from kotaci.analysis.resources import GB, MANY, Resources
from kotaci.model import plural
from kotaci.report import charts, words
from kotaci.report.blocks import Block, Col, note, stack, table
from kotaci.report.inline import Inline, stacked

TABLES = ("runs", "jobs", "failures", "annotations", "usages", "usage_samples")
"""The tables that the analysis reads."""

_NONE = (
    "Cannot be told: no recording in this window. A step run as kotaci watch -- COMMAND leaves one; upload it as an "
    "artifact named kotaci-watch-JOB."
)

_KINDS = {
    "out-of-memory": "out of memory",
    "disk-full": "disk full",
    "disk-warned": "warned: disk almost full",
    "runner-lost": "runner lost",
}


def resources_section(resources: Resources) -> Block:
    """Return the recordings as a sentence, a table and a figure; how to record where there is none."""
    told = resources_note(resources)
    return told if resources.recordings.empty else stack(told, resources_table(resources), resources_figure(resources))


def resources_note(resources: Resources) -> Block:
    """Return how much was recorded, in a sentence; how to record where nothing was."""
    shown = resources.recordings
    if shown.empty:
        return note(Inline.of(_NONE))
    n_cut, n_lone = int(shown["n_cut"].sum()), int(shown.loc[~shown["has_job"].astype(bool), "n"].sum())
    n_jobs = len(shown.drop_duplicates(["workflow", "job"]))
    told = [
        f"{plural(resources.n_recordings, 'recording')} of {plural(n_jobs, 'job')}.",
        f"{n_lone:,} in artifacts that name no job." if n_lone else "",
        f"{n_cut:,} broke off: the watcher was killed." if n_cut else "",
        f"Shares are of the machine; the highest is the 95th percentile from {MANY} recordings on.",
    ]
    return note(Inline.of(" ".join(filter(None, told))))


def resources_table(resources: Resources) -> Block:
    """Return one row a job and recorded command: how many processors it kept busy, how much memory and disk it took."""
    shown = resources.recordings
    rows = shown.to_dict("records")
    return table(
        shown.assign(
            place=[_stacked(f"{row['workflow']} / {row['job']}", row["command"]) for row in rows],
            cores=[_stacked(_cores(row), f"machine {words.percent(row['busy_share'])} busy") for row in rows],
            memory=[_stacked(_memory(row), f"median {words.percent(row['memory_share'])}") for row in rows],
            disk=[
                _stacked(f"{_gigabytes(row['min_free_bytes'])} left", f"{_gigabytes(row['written_bytes'])} written")
                for row in rows
            ],
        ),
        [
            Col("place", "job and command", kind="stacked"),
            Col("n", "recordings", kind="number"),
            Col("wall_s", "median time", kind="duration"),
            Col("cores", "cores used", kind="stacked"),
            Col("memory", "memory, highest", kind="stacked"),
            Col("disk", "disk", kind="stacked"),
        ],
        more="more recorded commands",
        none=_NONE,
    )


def _stacked(first: str, second: str) -> Inline:
    return stacked(words.one_line(first, width=60), words.one_line(second, width=60))


def _cores(row: dict[Any, Any]) -> str:
    return f"{words.number(row['mean_cores'])} of {words.number(row['n_cores'])}"


def _memory(row: dict[Any, Any]) -> str:
    return f"{words.percent(row['memory_high_share'])} of {_gigabytes(row['memory_bytes'])}"


def _gigabytes(size: float) -> str:
    return words.MISSING if words.is_missing(size) else f"{words.number(size / GB)} GB"


def resources_figure(resources: Resources, *, job: str = "") -> Block:
    """Return processors and memory over the time of one recording: of that job, else of what took most time.

    Of several recordings it is the one of median duration.
    """
    shown = resources.recordings
    chosen = shown[shown["job"] == job] if job else shown
    if chosen.empty:
        return note(Inline.of(_NONE if shown.empty else f"Cannot be told: no recording of {job}."))
    first = chosen.iloc[0]
    (one,) = _of(resources.medians, first).to_dict("records")
    return charts.plot_usage(
        _of(resources.samples, first),
        n_cores=int(one["n_cores"]),
        memory_bytes=one["memory_bytes"],
        title=f"{first['job']}: {_cores(one)} cores used on average, at most {words.percent(one['memory_share'])} of "
        "memory in use.",
        what=f"one recording (n = {first['n']:,}) of {words.day(one['started_at'])}",
        none="Cannot be told: the command ended before the first look.",
    )


def _of(frame: pd.DataFrame, row: pd.Series[Any]) -> pd.DataFrame:
    return frame[(frame[["workflow", "job", "file"]] == row[["workflow", "job", "file"]]).all(axis=1)]


def pressures_table(resources: Resources) -> Block:
    """Return one row a job and limit that it met: out of memory, disk full or almost full, runner lost."""
    shown = resources.pressures
    return table(
        shown.assign(
            what=shown["kind"].map(_KINDS),
            place=shown["workflow"] + " / " + shown["job"],
            met=[f"{row['n_jobs']:,} of {row['n_ran']:,}" for row in shown.to_dict("records")],
        ),
        [
            Col("what", "limit"),
            Col("place", "job"),
            Col("met", "executions"),
            Col("share", "share [95 %]", kind="interval", n="n_ran"),
            Col("minutes", "minutes they took", kind="minutes"),
            Col("last_at", "last", kind="day"),
        ],
        more="more jobs",
        none="No log and no warning in this window tells that memory or disk ran out, or that a runner was lost.",
    )
