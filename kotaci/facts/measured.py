"""Cargo's timings and files of benchmarks in an attempt's artifacts, to rows of `unit_times` and `benchmarks`."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Any

from kotaci.facts.artifacts import Found, Uploaders
from kotaci.logs.benchmarks import BenchmarkEntry
from kotaci.logs.cargo_timings import TimedUnit, find_critical_path

Key = tuple[str, int, int]

N_SLOWEST = 40
"""So many units of a build stand in `unit_times`, beside those on its critical path."""


def to_unit_time_rows(
    key: Key, timings: Sequence[Found[Sequence[TimedUnit]]], uploaders: Uploaders
) -> list[tuple[Any, ...]]:
    """Return the slowest units of each build, and all on its critical path; cargo writes each report twice.

    A report that came with a restored `target` from an earlier run cannot be told from one of this run.
    """
    builds = {(one.artifact_id, tuple(one.told)): one for one in timings if one.told}
    return [row for (_, units), one in builds.items() for row in _build_rows(key, uploaders.job_of(one), one, units)]


def _build_rows(
    key: Key, job_id: int | None, one: Found[Sequence[TimedUnit]], units: Sequence[TimedUnit]
) -> list[tuple[Any, ...]]:
    own = {step.unit: step.own_s for step in find_critical_path(units)}
    build_s = max(unit.end_s for unit in units)
    slowest = sorted(units, key=lambda unit: -unit.wall_s)
    return [
        (
            *key,
            job_id,
            one.artifact_id,
            one.artifact,
            one.file,
            unit.unit,
            unit.version,
            unit.mode,
            unit.target,
            unit.start_s,
            unit.wall_s,
            unit in own,
            own.get(unit),
            build_s,
        )
        for place, unit in enumerate(slowest)
        if place < N_SLOWEST or unit in own
    ]


def to_benchmark_rows(
    key: Key,
    files: Sequence[Found[Sequence[BenchmarkEntry]]],
    uploaders: Uploaders,
    *,
    head_sha: str,
    printed: Set[str],
) -> list[tuple[Any, ...]]:
    """Return the results of files in the form of github-action-benchmark that no log of the attempt printed.

    Of a file that holds a history only the last entry of each suite that was made at `head_sha` counts; its results
    are named `SUITE: NAME`, as one file may hold a name in several.
    """
    rows = []
    for one in files:
        job_id = uploaders.job_of(one)
        entries = {entry.suite: entry for entry in one.told if not entry.suite or entry.commit_sha == head_sha != ""}
        for suite, entry in entries.items():
            rows += [
                (
                    *key,
                    job_id,
                    None,
                    "github-action-benchmark",
                    f"{suite}: {told.name}" if suite else told.name,
                    told.value,
                    told.unit,
                    told.low,
                    told.high,
                    told.is_smaller_better,
                )
                for told in entry.benchmarks
                if told.name not in printed
            ]
    return rows
