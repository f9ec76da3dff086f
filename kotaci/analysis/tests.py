"""What ran: tests that stopped running though everything stayed green, and steps that ran none.

A green run says that what ran passed; it does not say what ran. So the lists of tests are followed along the default
branch: a count that falls from one green job to the next and stays lower is a loss, unless its tests turn up in
another job or suite at the same time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any

import pandas as pd

from kotaci.analysis.verdicts.past import PULLS
from kotaci.model import Outcome


@dataclass(frozen=True)
class LossOptions:
    """When tests count as lost.

    `min_lost`: how far the count must fall. `min_runs_after`: green runs with the lower count, up to the end of the
    data. `min_runs_before`: so many green runs before, or all there are, must have had more: a count that swings back
    and forth (path filters, tests by the hour) is no loss.
    """

    min_lost: int = 1
    min_runs_after: int = 2
    min_runs_before: int = 3


@dataclass(frozen=True)
class Sight:
    """One green job in which tests ran, or no longer did: its run, commit, and when the run was made."""

    run_id: int
    attempt: int
    job_id: int
    sha: str
    at: datetime


@dataclass(frozen=True)
class Loss:
    """Tests that stopped running between two green runs, `last_with` and `first_without`, and never came back.

    `names` are those that vanished, where the framework prints names; `moved_to` tells where others of them turned up,
    as `job: suite`. The commit that did it is in what `first_without` has and `last_with` has not.
    """

    workflow: str
    job: str
    leg: str
    suite: str
    names: tuple[str, ...]
    n_before: int
    n_after: int
    last_with: Sight
    first_without: Sight
    moved_to: tuple[str, ...] = ()
    n_runs_after: int = 0

    @property
    def n_lost(self) -> int:
        """Return how many tests were lost: their names, or how far the count fell."""
        return len(self.names) or self.n_before - self.n_after


@dataclass(frozen=True)
class EmptyStep:
    """A step of a green job that ran no test, up to the end of the data: in how many runs, and since when."""

    workflow: str
    job: str
    leg: str
    suite: str
    n_runs: int
    since: Sight
    last: Sight


@dataclass(frozen=True)
class Ran:
    """What was found: losses, tests that only moved, empty steps; how many series of green jobs were followed, and
    how many jobs with tests never ran green on the default branch, of which nothing can be told."""

    losses: tuple[Loss, ...]
    moves: tuple[Loss, ...]
    empty_steps: tuple[EmptyStep, ...]
    n_series: int
    n_jobs_unseen: int
    options: LossOptions


JobKey = tuple[str, str, str]


@dataclass(frozen=True)
class _Seen:
    """One green job on the line: by suite how many tests ran and the id of their list (empty: no names)."""

    place: int
    sight: Sight
    suites: Mapping[str, tuple[int, str]]


@dataclass
class _Line:
    """The green jobs of the default branch in the order of their runs, by job, and the lists of names by id."""

    jobs: Mapping[JobKey, Sequence[_Seen]]
    names: Mapping[str, str]
    _sets: dict[str, frozenset[str]] = field(default_factory=dict)

    def names_of(self, roster_id: str) -> frozenset[str]:
        """Return the names of a list; none where it is not known."""
        if roster_id not in self._sets:
            text = self.names.get(roster_id, "")
            self._sets[roster_id] = frozenset(text.split("\n")) if text else frozenset()
        return self._sets[roster_id]

    @cached_property
    def series(self) -> dict[tuple[JobKey, str], list[tuple[int, int, str]]]:
        """Return by job and suite: place of the run, tests that ran, id of their list; only where the suite ran."""
        found: dict[tuple[JobKey, str], list[tuple[int, int, str]]] = {}
        for key, jobs in self.jobs.items():
            for seen in jobs:
                for suite, (n, roster_id) in seen.suites.items():
                    found.setdefault((key, suite), []).append((seen.place, n, roster_id))
        return found

    def new_elsewhere(self, names: frozenset[str], besides: tuple[JobKey, str], place: int) -> dict[str, set[str]]:
        """Return by `job: suite` which of the names ran there from that run on, and never before."""
        found: dict[str, set[str]] = {}
        for (key, suite), rows in self.series.items():
            if (key, suite) == besides:
                continue
            ids = {roster_id for at, _, roster_id in rows if at >= place and roster_id}
            new = set(names & frozenset().union(*map(self.names_of, ids)))
            if new:
                ids = {roster_id for at, _, roster_id in rows if at < place and roster_id}
                new -= frozenset().union(*map(self.names_of, ids))
            if new:
                found.setdefault(f"{key[1]}: {suite}", set()).update(new)
        return found

    def anywhere(self, names: frozenset[str], besides: JobKey, place: int) -> set[str]:
        """Return which of the names ran in any other job from that run on."""
        ids = {
            roster_id
            for (key, _), rows in self.series.items()
            if key != besides
            for at, _, roster_id in rows
            if at >= place and roster_id
        }
        return set(names & frozenset().union(*map(self.names_of, ids)))


def lost_tests(
    runs: pd.DataFrame,
    jobs: pd.DataFrame,
    rosters: pd.DataFrame,
    roster_names: pd.DataFrame,
    *,
    default_branch: str,
    options: LossOptions | None = None,
) -> Ran:
    """Return the tests that stopped running on the default branch, those that moved, and steps that ran none.

    Only green jobs with a log count, in the order in which their runs were made; pull requests are left out, since
    each stands on another base. A job that is gone from its workflow loses the tests that no other job runs. Misleads
    where tests are chosen by path, hour or input (see `LossOptions`), and where a test was renamed while others were
    added: then the count does not fall. Where a framework prints no names only the count is followed.
    """
    chosen = options or LossOptions()
    line = _line(runs, jobs, rosters, roster_names, default_branch=default_branch)
    found: list[Loss] = []
    for key, seen in line.jobs.items():
        for suite in dict.fromkeys(suite for one in seen for suite in one.suites):
            found += _falls(line, key, suite, seen, chosen)
        found += _gone_with_job(line, key, seen, chosen)
    order = sorted(found, key=lambda loss: (loss.first_without.at, loss.workflow, loss.job, loss.leg, loss.suite))
    tested = jobs.merge(rosters[["run_id", "attempt", "job_id"]].drop_duplicates(), on=["run_id", "attempt", "job_id"])
    known = set(tested[["workflow", "job_base", "leg"]].itertuples(index=False, name=None))
    return Ran(
        losses=tuple(loss for loss in order if loss.n_lost and (loss.names or not loss.moved_to)),
        moves=tuple(loss for loss in order if loss.moved_to and not loss.names),
        empty_steps=tuple(_empty_steps(line, chosen)),
        n_series=len(line.series),
        n_jobs_unseen=len(known - set(line.jobs)),
        options=chosen,
    )


def _line(
    runs: pd.DataFrame, jobs: pd.DataFrame, rosters: pd.DataFrame, roster_names: pd.DataFrame, *, default_branch: str
) -> _Line:
    is_on_line = (runs["branch"] == default_branch) & (default_branch != "") & ~runs["event"].isin(PULLS)
    mine = runs.loc[is_on_line, ["run_id", "attempt", "head_sha", "created_at"]]
    mine = mine.sort_values(["created_at", "run_id", "attempt"], kind="stable")
    is_seen = (jobs["outcome"] == Outcome.SUCCESS) & jobs["n_log_lines"].notna()
    kept = jobs.loc[is_seen.fillna(False), ["run_id", "attempt", "job_id", "workflow", "job_base", "leg"]]
    by_job: dict[tuple[int, int, int], dict[str, tuple[int, str]]] = {}
    told = rosters[rosters["job_id"].notna() & rosters["n_tests"].notna()]
    columns = ["run_id", "attempt", "job_id", "suite", "n_tests", "roster_id"]
    for run_id, attempt, job_id, suite, n, roster_id in told[columns].itertuples(index=False):
        held = by_job.setdefault((run_id, attempt, job_id), {})
        held[suite] = (int(n), "" if pd.isna(roster_id) else roster_id)
    with_tests = _keys_of_jobs(kept, by_job)
    found: dict[JobKey, list[_Seen]] = {}
    places = {ref: place for place, ref in enumerate(mine[["run_id", "attempt"]].itertuples(index=False, name=None))}
    merged = mine.merge(kept, on=["run_id", "attempt"])
    for row in merged.itertuples(index=False):
        key = (row.workflow, row.job_base, row.leg)
        if key in with_tests:
            sight = Sight(int(row.run_id), int(row.attempt), int(row.job_id), row.head_sha, row.created_at)
            suites = by_job.get((row.run_id, row.attempt, row.job_id), {})
            found.setdefault(key, []).append(_Seen(places[row.run_id, row.attempt], sight, suites))
    names = dict(zip(roster_names["roster_id"], roster_names["names"], strict=True))
    return _Line(found, names)


def _keys_of_jobs(jobs: pd.DataFrame, by_job: Mapping[tuple[int, int, int], Any]) -> set[JobKey]:
    """Return the jobs in which some test ever ran; others are not looked at."""
    return {
        (row.workflow, row.job_base, row.leg)
        for row in jobs.itertuples(index=False)
        if (row.run_id, row.attempt, row.job_id) in by_job
    }


def _falls(line: _Line, key: JobKey, suite: str, seen: Sequence[_Seen], options: LossOptions) -> Iterable[Loss]:
    """Yield each fall of the suite's count that stayed."""
    counts = [one.suites.get(suite, (0, ""))[0] for one in seen]
    most_after = _most_from(counts)
    for place in range(1, len(seen)):
        n_before, n_after = counts[place - 1], counts[place]
        earlier = counts[max(0, place - options.min_runs_before) : place]
        stays = most_after[place] < n_before and len(seen) - place >= options.min_runs_after
        if n_before - n_after < options.min_lost or not stays or min(earlier) <= most_after[place]:
            continue
        last_with, first, last = seen[place - 1], seen[place], seen[-1]
        held, kept, now = (line.names_of(one.suites.get(suite, (0, ""))[1]) for one in (last_with, first, last))
        is_named = bool(held) and (bool(kept) or not n_after)
        gone = held - kept - now if is_named else frozenset()
        if is_named and not gone:
            continue
        loss = Loss(
            *(*key, suite, tuple(sorted(gone)), n_before, n_after),
            last_with=last_with.sight,
            first_without=first.sight,
            n_runs_after=len(seen) - place,
        )
        if regrouped := _regrouped(suite, last_with, first):
            yield replace(loss, names=(), moved_to=tuple(f"{key[1]}: {other}" for other in regrouped))
        else:
            yield _less_moved(loss, line.new_elsewhere(gone, (key, suite), first.place))


def _regrouped(suite: str, before: _Seen, after: _Seen) -> list[str]:
    """Return the suites that took the place of one that is gone: new ones, in a job that ran no fewer tests in all.

    Only where the one or the others print no names, so names cannot decide: a runner was told to say more, or less.
    """
    if suite in after.suites:
        return []
    new = [name for name in after.suites if name not in before.suites]
    is_unnamed = not before.suites[suite][1] or any(not after.suites[name][1] for name in new)
    n_before, n_after = (sum(n for n, _ in one.suites.values()) for one in (before, after))
    return new if is_unnamed and n_after >= n_before else []


def _most_from(counts: Sequence[int]) -> list[int]:
    """Return for each place the largest count from there to the end."""
    most, found = 0, []
    for count in reversed(counts):
        most = max(most, count)
        found.append(most)
    return found[::-1]


def _less_moved(loss: Loss, elsewhere: Mapping[str, set[str]]) -> Loss:
    """Return the loss without the names that turned up elsewhere."""
    moved = set().union(*elsewhere.values())
    names = tuple(name for name in loss.names if name not in moved)
    return replace(loss, names=names, moved_to=tuple(sorted(elsewhere)))


def _gone_with_job(line: _Line, key: JobKey, seen: Sequence[_Seen], options: LossOptions) -> Iterable[Loss]:
    """Yield what was lost with a job that is gone from later green runs of its workflow."""
    last = seen[-1]
    others = sorted(
        (one for other, jobs in line.jobs.items() if other[0] == key[0] and other != key for one in jobs),
        key=lambda one: one.place,
    )
    after = [one for one in others if one.place > last.place]
    places = sorted({one.place for one in after})
    before = [jobs for other, jobs in line.jobs.items() if other[0] == key[0] and other != key]
    was_beside = any(one.place <= last.place for jobs in before for one in jobs)
    if len(places) < options.min_runs_after or not was_beside:
        return
    for suite, (n, roster_id) in last.suites.items():
        names = line.names_of(roster_id)
        elsewhere = line.new_elsewhere(names, (key, suite), last.place + 1)
        left = names - line.anywhere(names, key, last.place + 1)
        if n >= options.min_lost and left:
            yield Loss(
                *(*key, suite, tuple(sorted(left)), n, 0),
                last_with=last.sight,
                first_without=after[0].sight,
                moved_to=tuple(sorted(elsewhere)),
                n_runs_after=len(places),
            )


_FRAMEWORKS = {"nextest", "pytest", "unittest", "jest", "vitest", "mocha", "testng", "gradle", "junit"}
"""Names that stand for a suite where a framework says only that it ran nothing; surefire says so of every module
without tests, so not it."""


def _empty_steps(line: _Line, options: LossOptions) -> Iterable[EmptyStep]:
    """Yield steps that ran nothing: where a framework says so, or where every suite of the job is empty.

    One empty suite among others says nothing: a binary without tests is run like any other.
    """
    for key, seen in line.jobs.items():
        for suite in dict.fromkeys(suite for one in seen for suite in one.suites):
            empty = 0
            for one in reversed(seen):
                if suite not in one.suites or not _is_empty(one, suite):
                    break
                empty += 1
            if empty >= options.min_runs_after:
                yield EmptyStep(*(*key, suite, empty), since=seen[-empty].sight, last=seen[-1].sight)


def _is_empty(seen: _Seen, suite: str) -> bool:
    if seen.suites[suite][0]:
        return False
    return suite in _FRAMEWORKS or not any(n for n, _ in seen.suites.values())
