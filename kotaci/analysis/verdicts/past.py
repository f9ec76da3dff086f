"""What is known of jobs and of those beside them, indexed for the questions that the ladder asks."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from kotaci.model import BAD_OUTCOMES, DECIDED_OUTCOMES, Outcome

Key = tuple[int, int, int]
"""run_id, attempt, job_id"""

PULLS = frozenset({"pull_request", "pull_request_target"})


@dataclass(frozen=True, slots=True)
class Job:
    """A job with what its run, its log and its tests say; times in seconds since 1970, nan where not known."""

    repo: str
    run_id: int
    attempt: int
    job_id: int
    workflow: str
    name: str
    base: str
    outcome: str
    failed_step: str
    exit_code: int | None
    at: float
    end: float
    wall_s: float
    runner: str
    labels: str
    is_downstream: bool | None
    log_state: str
    event: str
    branch: str
    pull: int | None
    sha: str
    run_outcome: str
    n_failed_jobs: int | None
    merge: str
    """`HEAD into BASE` of a pull request's merge commit, as its log prints it; empty where not known"""
    error: str
    signature: str
    cause: str
    cause_confidence: float
    tests: frozenset[str]

    @property
    def key(self) -> Key:
        return self.run_id, self.attempt, self.job_id

    @property
    def place(self) -> tuple[str, str]:
        return self.workflow, self.name

    @property
    def is_bad(self) -> bool:
        return self.outcome in BAD_OUTCOMES

    @property
    def has_passed(self) -> bool:
        return self.outcome == Outcome.SUCCESS

    @property
    def is_pull(self) -> bool:
        return self.event in PULLS

    @property
    def code(self) -> str:
        """What was checked out, comparable between runs; empty where that is not known.

        A push and a pull request of one commit are not the same code: the second checks out a merge.
        """
        return self.merge if self.is_pull else self.sha

    @property
    def base_sha(self) -> str:
        """Commit of the base branch that a pull request was merged with; empty where not known."""
        return self.merge.partition(" into ")[2]

    @property
    def day(self) -> str:
        return "an unknown day" if math.isnan(self.at) else f"{datetime.fromtimestamp(self.at, UTC):%d %b %Y}"


def are_alike(one: Job, other: Job) -> bool:
    """Tell whether two jobs failed alike: a failed test in common, else the same signature; unknown is never alike."""
    if one.tests and other.tests:
        return not one.tests.isdisjoint(other.tests)
    return one.signature != "" and one.signature == other.signature


class Timeline:
    """Jobs in the order of their start, asked for those before a moment or between two; timeless ones left out."""

    def __init__(self, jobs: Iterable[Job]) -> None:
        self.jobs = sorted((job for job in jobs if not math.isnan(job.at)), key=lambda job: (job.at, job.attempt))
        self._moments = [job.at for job in self.jobs]

    def before(self, moment: float) -> Iterator[Job]:
        """Yield the jobs that started before the moment, newest first."""
        return (self.jobs[place] for place in range(bisect_left(self._moments, moment) - 1, -1, -1))

    def between(self, low: float, high: float) -> Sequence[Job]:
        """Return the jobs that started after `low` and before `high`."""
        return self.jobs[bisect_right(self._moments, low) : bisect_left(self._moments, high)]

    def near(self, moment: float, *, reach: float, most: int) -> Sequence[Job]:
        """Return the jobs at most `reach` seconds away, and at most so many on each side."""
        here = bisect_left(self._moments, moment)
        low = max(bisect_left(self._moments, moment - reach), here - most)
        return self.jobs[low : min(bisect_right(self._moments, moment + reach), here + most)]


@dataclass(frozen=True)
class Past:
    """Jobs that passed, failed or were cancelled, by what is asked for."""

    default_branch: str
    by_attempt: Mapping[tuple[int, int], Sequence[Job]]
    by_base: Mapping[tuple[str, str], Timeline]
    """what passed or failed, by workflow and job without its leg"""
    on_base: Mapping[tuple[str, str], Timeline]
    """what passed or failed on the base branch itself, by workflow and job"""
    passes_of_run: Mapping[tuple[int, str], Sequence[Job]]
    passes_of_sha: Mapping[tuple[str, str, str], Sequence[Job]]
    last_green: Mapping[Key, Job]
    """the last pass before each suspect: on its branch, else by the same event, else on the base branch"""
    telling: Mapping[tuple[str, str], Job]
    """the newest failure of each workflow and job that tells whether it may fail: in a green run, or alone in a red"""
    suspects: Sequence[Job]
    """the failed and the cancelled ones, oldest first"""
    messages: Mapping[Key, Sequence[str]]
    """what annotations say of the suspects"""

    def is_on_base(self, job: Job) -> bool:
        """Tell whether the job is of the base branch itself, not of a pull request."""
        return _is_on(job, self.default_branch)

    def siblings(self, job: Job) -> list[Job]:
        """Return the other jobs of the attempt."""
        return [other for other in self.by_attempt.get((job.run_id, job.attempt), ()) if other.key != job.key]


def _is_on(job: Job, branch: str) -> bool:
    return job.branch == branch != "" and not job.is_pull


_JOB_COLUMNS = [
    "repo", "run_id", "attempt", "job_id", "workflow", "job", "job_base", "outcome", "failed_step", "exit_code",
    "started_at", "ended_at", "wall_s", "runner", "labels", "is_downstream", "log_state", "created_at",
]  # fmt: skip
_RUN_COLUMNS = ["event", "branch", "pr_number", "head_sha", "outcome", "n_failed_jobs"]
_FAILURE_COLUMNS = ["error", "signature", "cause", "cause_confidence"]
_ATTEMPT = ["run_id", "attempt"]
_KEY = [*_ATTEMPT, "job_id"]


def read_past(
    runs: pd.DataFrame,
    jobs: pd.DataFrame,
    failures: pd.DataFrame,
    setups: pd.DataFrame,
    annotations: pd.DataFrame,
    tests: pd.DataFrame,
    *,
    default_branch: str,
) -> Past:
    """Return the past of every job that ever failed or was cancelled, and of the attempts in which one did."""
    bad = jobs["outcome"].isin(BAD_OUTCOMES | {Outcome.CANCELLED})
    names = pd.MultiIndex.from_frame(jobs.loc[bad, ["workflow", "job_base"]].drop_duplicates())
    beside = pd.MultiIndex.from_frame(jobs.loc[bad, _ATTEMPT].drop_duplicates())
    asked = pd.MultiIndex.from_frame(jobs[["workflow", "job_base"]]).isin(names)
    asked |= pd.MultiIndex.from_frame(jobs[_ATTEMPT]).isin(beside)
    known = jobs["outcome"].isin(DECIDED_OUTCOMES | {Outcome.CANCELLED})
    rows = jobs.loc[asked & known, _JOB_COLUMNS].merge(
        runs[[*_ATTEMPT, *_RUN_COLUMNS]].rename(columns={"outcome": "run_outcome"}), on=_ATTEMPT, how="left"
    )
    rows = rows.merge(failures[[*_KEY, *_FAILURE_COLUMNS]], on=_KEY, how="left")
    merges = setups[setups["item"] == "merge_commit"].drop_duplicates("run_id").set_index("run_id")["name"]
    failed = tests.loc[tests["outcome"] == "failed", [*_KEY, "suite", "test"]]
    tests_of: dict[Key, set[str]] = defaultdict(set)
    for run_id, attempt, job_id, suite, test in failed.itertuples(index=False, name=None):
        tests_of[run_id, attempt, job_id].add(test_id(suite, test))
    all_jobs = sorted(_to_jobs(rows, merges.to_dict(), tests_of), key=lambda job: (_or(job.at, math.inf), job.attempt))
    said: dict[Key, list[str]] = defaultdict(list)
    for run_id, attempt, job_id, message in annotations[[*_KEY, "message"]].itertuples(index=False, name=None):
        said[run_id, attempt, job_id].append("" if pd.isna(message) else str(message))
    decided = [job for job in all_jobs if job.is_bad or job.has_passed]
    passed = [job for job in decided if job.has_passed]
    return Past(
        default_branch=default_branch,
        by_attempt=_by(all_jobs, lambda job: (job.run_id, job.attempt)),
        by_base=_timelines(decided, lambda job: (job.workflow, job.base)),
        on_base=_timelines([job for job in decided if _is_on(job, default_branch)], lambda job: job.place),
        passes_of_run=_by(passed, lambda job: (job.run_id, job.name)),
        passes_of_sha=_by([job for job in passed if job.sha], lambda job: (*job.place, job.sha)),
        last_green=_last_greens(all_jobs, default_branch),
        telling={job.place: job for job in decided if job.is_bad and _tells(job)},
        suspects=[job for job in all_jobs if not job.has_passed],
        messages=said,
    )


def _by(jobs: Iterable[Job], name: Callable[[Job], Any]) -> dict[Any, list[Job]]:
    found: dict[Any, list[Job]] = defaultdict(list)
    for job in jobs:
        found[name(job)].append(job)
    return dict(found)


def _timelines(jobs: Iterable[Job], name: Callable[[Job], Any]) -> dict[Any, Timeline]:
    return {key: Timeline(found) for key, found in _by(jobs, name).items()}


def _tells(job: Job) -> bool:
    return job.run_outcome == Outcome.SUCCESS or job.n_failed_jobs == 1


def _last_greens(jobs: Iterable[Job], default_branch: str) -> dict[Key, Job]:
    """Return the last pass before each failed or cancelled job; `jobs` are in the order of their start."""
    newest: dict[tuple[str, ...], Job] = {}
    found: dict[Key, Job] = {}
    for job in jobs:
        mine, alike, base = (*job.place, job.event, job.branch), (*job.place, job.event), job.place
        if not job.has_passed:
            green = newest.get(mine) or newest.get(alike) or newest.get(base)
            if green is not None:
                found[job.key] = green
            continue
        newest[mine] = newest[alike] = job
        if _is_on(job, default_branch):
            newest[base] = job
    return found


def test_id(suite: Any, test: Any) -> str:
    """Return the one name of a test: the framework's, after the binary, crate or file that holds it."""
    return f"{suite}::{test}" if isinstance(suite, str) and suite else str(test)


def _to_jobs(rows: pd.DataFrame, merges: Mapping[Any, str], tests: Mapping[Key, set[str]]) -> Iterable[Job]:
    start = _seconds(rows["started_at"].fillna(rows["created_at"]))
    texts = {
        name: rows[name].astype(object).where(rows[name].notna(), "").tolist()
        for name in ("failed_step", "runner", "labels", "log_state", "event", "branch", "head_sha", "run_outcome",
                     "error", "signature", "cause")
    }  # fmt: skip
    numbers = {name: rows[name].tolist() for name in ("exit_code", "pr_number", "n_failed_jobs", "is_downstream")}
    ends, walls = _seconds(rows["ended_at"]), rows["wall_s"].astype(float).tolist()
    sure = rows["cause_confidence"].astype(float).tolist()
    plain = rows[["repo", "run_id", "attempt", "job_id", "workflow", "job", "job_base", "outcome"]]
    for place, (repo, run_id, attempt, job_id, workflow, name, base, outcome) in enumerate(
        plain.itertuples(index=False, name=None)
    ):
        told = {key: _known(values[place]) for key, values in numbers.items()}
        text = {key: values[place] for key, values in texts.items()}
        yield Job(
            repo=repo, run_id=run_id, attempt=attempt, job_id=job_id, workflow=workflow, name=name, base=base,
            outcome=outcome, failed_step=text["failed_step"], exit_code=told["exit_code"], at=start[place],
            end=ends[place], wall_s=walls[place], runner=text["runner"], labels=text["labels"],
            is_downstream=told["is_downstream"], log_state=text["log_state"], event=text["event"],
            branch=text["branch"], pull=told["pr_number"], sha=text["head_sha"], run_outcome=text["run_outcome"],
            n_failed_jobs=told["n_failed_jobs"], merge=merges.get(run_id, ""), error=text["error"],
            signature=text["signature"], cause=text["cause"], cause_confidence=_or(sure[place], 0.0),
            tests=frozenset(tests.get((run_id, attempt, job_id), ())),
        )  # fmt: skip


def _seconds(moments: pd.Series) -> list[float]:
    stamps = moments.astype("datetime64[us, UTC]").astype("int64").astype(float) / 1e6
    return list(stamps.where(moments.notna(), math.nan))


def _known(value: Any) -> Any:
    return None if pd.isna(value) else value


def _or(value: float, other: float) -> float:
    return other if math.isnan(value) else value
