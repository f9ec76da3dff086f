"""What an attempt's logs and JUnit reports tell of tests, to rows of `tests`, `rosters`, `roster_names`, `test_times`.

A list of names is kept once by its content, however many jobs ran it, and durations only of the slowest tests of a
job, so that a million green jobs stay small.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kotaci.logs.results import Suite, TestReport, TestResult

Key = tuple[str, int, int]

N_SLOWEST = 20
"""So many tests of a job stand in `test_times`."""


def to_test_rows(
    key: Key, by_job: Mapping[int, TestReport], reports: Sequence[TestReport] = (), *, only_job: int | None = None
) -> dict[str, list[tuple[Any, ...]]]:
    """Return rows of `tests`, `rosters`, `roster_names` and `test_times` of one attempt.

    `by_job` is what each job's log tells. A report counts only for what no log of the attempt told, and stands under
    `only_job`, the one job that ran, or under none: nothing in an artifact says which job made it. Durations are those
    of logs where any log tells some, else those of reports.
    """
    rows: dict[str, list[tuple[Any, ...]]] = {name: [] for name in ("tests", "rosters", "roster_names", "test_times")}
    names: dict[str, str] = {}
    for job_id, report in by_job.items():
        rows["tests"] += [_test_row(key, job_id, result) for result in report.results]
        rows["rosters"] += _roster_rows(key, job_id, report.suites, names)
        rows["test_times"] += _time_rows(key, job_id, report.suites)
    results, suites = _untold(by_job.values(), reports)
    rows["tests"] += [_test_row(key, only_job, result) for result in results]
    rows["rosters"] += _roster_rows(key, only_job, suites, names)
    if not rows["test_times"]:
        rows["test_times"] += _time_rows(key, only_job, [suite for report in reports for suite in report.suites])
    rows["roster_names"] = [(key[0], roster_id, text) for roster_id, text in names.items()]
    return rows


def _test_row(key: Key, job_id: int | None, result: TestResult) -> tuple[Any, ...]:
    return (
        *key,
        job_id,
        result.suite or result.framework,
        result.test,
        result.outcome,
        result.message,
        result.location,
        result.line or None,
        result.wall_s,
    )


def _roster_rows(key: Key, job_id: int | None, suites: Iterable[Suite], names: dict[str, str]) -> list[tuple[Any, ...]]:
    """Return one row a suite; a suite that ran several times in the job is one, with all names that ran."""
    held: dict[str, list[Suite]] = {}
    for suite in suites:
        held.setdefault(suite.suite or suite.framework, []).append(suite)
    rows = []
    for name, runs in held.items():
        ran = sorted({test for run in runs for test in run.names})
        if all(run.names or run.n_ran == 0 for run in runs):
            n_tests: int | None = len(ran)
        else:
            ran, n_tests = [], _n_told(runs)
        roster_id = None
        if ran:
            text = "\n".join(ran)
            roster_id = hashlib.blake2b(text.encode(), digest_size=12).hexdigest()
            names[roster_id] = text
        rows.append((*key, job_id, name, roster_id, n_tests))
    return rows


def _time_rows(key: Key, job_id: int | None, suites: Iterable[Suite]) -> list[tuple[Any, ...]]:
    times = [
        (suite.suite or suite.framework, name, wall_s)
        for suite in suites
        for name, wall_s in zip(suite.names, suite.times, strict=False)
        if wall_s is not None
    ]
    all_s = math.fsum(wall_s for *_, wall_s in times)
    slowest = sorted(times, key=lambda time: (-time[2], time))[:N_SLOWEST]
    return [(*key, job_id, *time, rank, len(times), all_s) for rank, time in enumerate(slowest, start=1)]


def _n_told(runs: Sequence[Suite]) -> int | None:
    """Return what was counted without names: a named suite that ran again ran the same tests, others add up."""
    counts = [run.n_ran for run in runs if run.n_ran is not None]
    if not counts:
        return None
    return max(counts) if runs[0].suite else sum(counts)


def _untold(logs: Iterable[TestReport], reports: Sequence[TestReport]) -> tuple[list[TestResult], list[Suite]]:
    """Return what only reports tell.

    Logs and reports spell names differently, so the last two parts of a name decide; and where a log counted tests
    without naming their suite, a report's suites may be those.
    """
    told = list(logs)
    known = {_ending(result.test) for log in told for result in log.results}
    results = {
        (result.suite, result.test): result
        for report in reports
        for result in report.results
        if _ending(result.test) not in known
    }
    suites = [suite for log in told for suite in log.suites if suite.n_ran]
    if any(not suite.suite for suite in suites):
        return list(results.values()), []
    held = {suite.suite for suite in suites}
    return list(results.values()), [suite for report in reports for suite in report.suites if suite.suite not in held]


_PARTS = re.compile(r"[\s›>:#./\\$()]+")


def _ending(test: str) -> tuple[str, ...]:
    return tuple([part for part in _PARTS.split(test) if part and part != "py"][-2:])
