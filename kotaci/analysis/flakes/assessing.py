"""Joins it all: each flaky test and each restless job with its rate, history, cost and odds, and findings."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from kotaci.analysis.coverage import SINGLE_ATTEMPT_SOURCES
from kotaci.analysis.flakes.costs import Cost, charge, newest_open, rerun_odds, to_attempts
from kotaci.analysis.flakes.executions import allowed_to_fail, each_test
from kotaci.analysis.flakes.findings import to_finding, to_job_finding
from kotaci.analysis.flakes.judging import (
    FIXED,
    FLAKY,
    MAYBE_FIXED,
    NOT_PROVED,
    SUSPECTED,
    Judgement,
    judge,
    may_be_flaky,
    with_regressions,
)
from kotaci.analysis.flakes.options import DEFAULTS, FlakeOptions
from kotaci.analysis.flakes.records import (
    CALLED_FLAKY,
    NO_LOG,
    OUTAGE,
    PASSED_AGAIN,
    Flake,
    Flakiness,
    GridCell,
    RestlessJob,
)
from kotaci.analysis.flakes.together import find_clusters
from kotaci.analysis.statistics import wilson
from kotaci.model import (
    BAD_OUTCOMES,
    DECIDED_OUTCOMES,
    Link,
    Outcome,
    job_url,
    short_workflow,
)

_KEY = ["run_id", "attempt", "job_id"]


def assess_flakes(
    runs: pd.DataFrame,
    jobs: pd.DataFrame,
    tests: pd.DataFrame,
    rosters: pd.DataFrame,
    roster_names: pd.DataFrame,
    setups: pd.DataFrame,
    failures: pd.DataFrame,
    *,
    as_of: datetime | None,
    options: FlakeOptions = DEFAULTS,
) -> Flakiness:
    """Return which tests of the tables are flaky, suspected or fixed, and which jobs flake without a test's name."""
    executions = each_test(runs, jobs, tests, rosters, roster_names, setups, many_at_once=options.many_at_once)
    commits = _commits(runs, rosters, n=options.grid_commits)
    cases = {_id(*subject): _look_at(part, runs, commits, options=options) for subject, part in executions}
    red = red_jobs(runs, jobs, rosters, [case.bad for case in cases.values()])
    attempts = to_attempts(runs, jobs)
    costs = charge(_blamed(cases, red), attempts, investigation_minutes=options.investigation_minutes)
    known = sorted(
        (
            _to_flake(one, case, case.judged, attempts, costs.get(one, Cost()), as_of=as_of, options=options)
            for one, case in cases.items()
            if case.judged is not None
        ),
        key=_dearest,
    )
    restless = [
        _to_restless(part, jobs, attempts, failures, costs, as_of=as_of, options=options)
        for _, part in red[red["is_proved"]].groupby(["workflow", "job_base"], sort=True)
    ]
    first = runs[(runs["attempt"] == 1) & runs["outcome"].isin(DECIDED_OUTCOMES)]
    begin = runs["started_at"].min()
    days = (pd.Timestamp(as_of) - begin).total_seconds() / 86400 if as_of is not None and pd.notna(begin) else 0.0
    return Flakiness(
        tests=known,
        jobs=sorted(restless, key=lambda one: (-one.cost.people_minutes, -one.cost.machine_minutes, one.id)),
        clusters=find_clusters(
            {flake.id: _failing_runs(cases[flake.id].bad) for flake in known},
            fewest_runs=options.cluster_runs,
            largest_distance=options.cluster_distance,
        ),
        commits=commits["head_sha"].tolist(),
        commit_days=(commits["at"].min(), commits["at"].max()) if len(commits) else None,
        findings=[
            *(to_finding(flake, days=days, options=options) for flake in known if flake.status in CALLED_FLAKY),
            *(to_job_finding(job, days=days, options=options) for job in restless if job.status == PASSED_AGAIN),
        ],
        n_runs=len(first),
        n_red=int(first["outcome"].isin(BAD_OUTCOMES).sum()),
        red_by_tests=frozenset(
            run for flake in known if flake.status != SUSPECTED for run in _red_runs(cases[flake.id].bad)
        ),
        n_unproved=len(cases) - len(known),
        n_untold_jobs=int((red["is_of_tests"] & red["is_logless"]).sum()),
        sees_reruns=runs.empty or not bool(runs["source"].isin(SINGLE_ATTEMPT_SOURCES).all()),
        as_of=as_of,
        options=options,
    )


@dataclass(frozen=True)
class _Case:
    """What is kept of one test: its failures and retries, and, where it is more than `not proved`, the rest."""

    bad: pd.DataFrame
    judged: Judgement | None = None
    cells: Sequence[GridCell] = ()


def _look_at(part: pd.DataFrame, runs: pd.DataFrame, commits: pd.DataFrame, *, options: FlakeOptions) -> _Case:
    if not may_be_flaky(part, options=options):
        return _Case(part[part["outcome"] != "passed"])
    marked = with_regressions(part, options=options)
    bad, judged = marked[marked["outcome"] != "passed"], judge(marked, runs, options=options)
    if judged.status == NOT_PROVED:
        return _Case(bad)
    return _Case(bad, judged, _cells(bad, set(part["head_sha"].unique()), commits, str(runs["repo"].iloc[0])))


def _id(workflow: str, job: str, suite: str = "", test: str = "") -> str:
    words = (short_workflow(workflow), job, suite, test)
    name = "-".join(re.findall(r"[a-z0-9]+", " ".join(words[1:]).lower()))[:80]
    return f"{name}-{hashlib.blake2b(chr(0).join(words).encode(), digest_size=4).hexdigest()}"


def _dearest(flake: Flake) -> tuple[int, float, float, int, str]:
    order = (FLAKY, MAYBE_FIXED, SUSPECTED, FIXED)
    cost = flake.cost
    return (order.index(flake.status), -cost.people_minutes, -cost.machine_minutes, -flake.judged.n_failed, flake.id)


def _failing_runs(bad: pd.DataFrame) -> frozenset[int]:
    return frozenset(bad.loc[~bad["is_regression"], "run_id"])


def _red_runs(bad: pd.DataFrame) -> frozenset[int]:
    """Return the runs whose first attempt is red with this test failed in it."""
    failed = bad[(bad["outcome"] == "failed") & ~bad["is_regression"] & (bad["attempt"] == 1)]
    return frozenset(failed.loc[failed["run_outcome"].isin(BAD_OUTCOMES), "run_id"])


def red_jobs(
    runs: pd.DataFrame, jobs: pd.DataFrame, rosters: pd.DataFrame, bad: Sequence[pd.DataFrame]
) -> pd.DataFrame:
    """Return the jobs that made a run red: failed, not for want of another job, and not allowed to fail.

    Beside the columns of `jobs`: is_told (a test of `bad` failed in it), is_proved (none did, and the same job
    passed in a later attempt of its run), is_of_tests (jobs of its name list tests), is_logless, branch.
    """
    red = jobs[jobs["outcome"].isin(BAD_OUTCOMES) & ~jobs["is_downstream"].fillna(False).astype(bool)]
    red = red[~pd.MultiIndex.from_frame(red[["workflow", "job"]]).isin(allowed_to_fail(runs, jobs))]
    failed = [part.loc[part["outcome"] == "failed", _KEY] for part in bad]
    told = pd.MultiIndex.from_frame(pd.concat(failed)) if failed else []
    is_told = pd.MultiIndex.from_frame(red[_KEY]).isin(told)
    green = jobs[jobs["outcome"] == Outcome.SUCCESS].groupby(["run_id", "job"])["attempt"].max()
    later = green.reindex(pd.MultiIndex.from_frame(red[["run_id", "job"]])).to_numpy(dtype=float, na_value=-1)
    listing = jobs.merge(rosters[_KEY].drop_duplicates(), on=_KEY)[["workflow", "job_base"]].drop_duplicates()
    about = runs[["run_id", "attempt", "branch", "pr_number"]]
    red = red.assign(
        is_told=is_told,
        is_proved=~is_told & (later > red["attempt"].to_numpy(dtype=float)),
        is_of_tests=pd.MultiIndex.from_frame(red[["workflow", "job_base"]]).isin(pd.MultiIndex.from_frame(listing)),
        is_logless=(red["log_state"] != "present").fillna(True),
    ).merge(about, on=["run_id", "attempt"], how="left")
    branch = red["branch"].where(red["branch"] != "", "pull " + red["pr_number"].astype("str"))
    return red.assign(branch=branch.fillna("")).sort_values(["started_at", "job_id"], ignore_index=True)


def _blamed(cases: Mapping[str, _Case], red: pd.DataFrame) -> Iterator[tuple[int, int, str]]:
    """Yield (run_id, attempt, subject) of what made an attempt red; a regression bears its share too."""
    is_red = pd.MultiIndex.from_frame(red[_KEY])
    for one, case in cases.items():
        failed = case.bad[(case.bad["outcome"] == "failed") & pd.MultiIndex.from_frame(case.bad[_KEY]).isin(is_red)]
        for row in failed[["run_id", "attempt", "is_regression"]].itertuples(index=False):
            yield row.run_id, row.attempt, f"{one} (regression)" if row.is_regression else one
    untold = red[~red["is_told"]]
    for row in untold[["run_id", "attempt", "workflow", "job_base", "is_proved"]].itertuples(index=False):
        one = _id(row.workflow, row.job_base)
        yield row.run_id, row.attempt, one if row.is_proved else f"{one} (not proved)"


def _commits(runs: pd.DataFrame, rosters: pd.DataFrame, *, n: int) -> pd.DataFrame:
    """Return the newest n commits on which tests ran: head_sha, at (when they first did), oldest first."""
    ran = pd.MultiIndex.from_frame(rosters[["run_id", "attempt"]].drop_duplicates())
    mine = runs[pd.MultiIndex.from_frame(runs[["run_id", "attempt"]]).isin(ran)]
    first = mine.groupby("head_sha", sort=False)["started_at"].min().rename("at").reset_index()
    return first.sort_values(["at", "head_sha"], kind="stable").tail(n)


def _to_flake(
    one: str,
    case: _Case,
    judged: Judgement,
    attempts: pd.DataFrame,
    cost: Cost,
    *,
    as_of: datetime | None,
    options: FlakeOptions,
) -> Flake:
    bad = case.bad
    newest_first = bad.iloc[::-1]
    failed = bad[(bad["outcome"] == "failed") & ~bad["is_regression"] & bad["job_outcome"].isin(BAD_OUTCOMES)]
    red = list(zip(failed["run_id"], failed["attempt"], strict=True))
    repo = str(attempts["repo"].iloc[0])
    messages = [text for text in newest_first["message"] if isinstance(text, str) and text]
    locations = [text for text in newest_first["location"] if isinstance(text, str) and text]
    newest = newest_first.iloc[0]
    return Flake(
        id=one,
        workflow=short_workflow(newest["workflow"]),
        job=newest["job_base"],
        suite=newest["suite"],
        test=newest["test"],
        judged=judged,
        cost=cost,
        odds=rerun_odds(red, attempts),
        open_run=newest_open(red, attempts, as_of=as_of, rerun_days=options.rerun_days),
        message=messages[0] if messages else "",
        location=locations[0] if locations else "",
        cells=case.cells,
        evidence=[
            Link(f"{row['at']:%d %b %Y %H:%M}", job_url(repo, row["run_id"], row["job_id"]))
            for row in newest_first.head(options.evidence_links).to_dict("records")
        ],
    )


def _cells(bad: pd.DataFrame, ran: AbstractSet[str], commits: pd.DataFrame, repo: str) -> list[GridCell]:
    """Return a cell for each of the commits: `bad` are the failures and retries, `ran` the commits on which it ran."""
    # Plain lists: a frame for each of sixty commits would take longer than all the rest.
    by_commit: dict[str, list[tuple[str, str, int, int]]] = {}
    columns = (bad[name] for name in ("head_sha", "outcome", "proof", "run_id", "job_id"))
    for sha, *row in zip(*columns, strict=True):
        by_commit.setdefault(sha, []).append(tuple(row))
    cells = []
    for sha, at in zip(commits["head_sha"], commits["at"], strict=True):
        where = f"{at:%d %b %Y}, {sha[:7]}"
        mine = by_commit.get(sha, [])
        failed = [row for row in mine if row[0] == "failed"]
        if failed:
            is_over = all(proof for _, proof, _, _ in failed)
            word, said = ("rerun", "failed, and passed when run again") if is_over else ("failed", "failed")
        elif mine:
            word, said = "retried", "failed, and passed when its runner tried again"
        else:
            word, said = ("ok", "passed") if sha in ran else ("none", "not run")
        _, _, run_id, job_id = (failed or mine or [("", "", 0, 0)])[0]
        cells.append(GridCell(word, f"{where}: {said}", job_url(repo, run_id, job_id)))
    return cells


def _to_restless(
    part: pd.DataFrame,
    jobs: pd.DataFrame,
    attempts: pd.DataFrame,
    failures: pd.DataFrame,
    costs: Mapping[str, Cost],
    *,
    as_of: datetime | None,
    options: FlakeOptions,
) -> RestlessJob:
    newest = part.iloc[-1]
    mine = jobs[(jobs["workflow"] == newest["workflow"]) & (jobs["job_base"] == newest["job_base"])]
    n = int(((mine["attempt"] == 1) & mine["outcome"].isin(DECIDED_OUTCOMES)).sum())
    x = int((part["attempt"] == 1).sum())
    low, high = wilson(x, n)
    red = list(zip(part["run_id"], part["attempt"], strict=True))
    told = part[_KEY].merge(failures, on=_KEY, how="inner")
    span = (part["started_at"].max() - part["started_at"].min()).total_seconds() / 3600
    n_branches = int(part["branch"].nunique())
    status = PASSED_AGAIN
    if part["is_logless"].all():
        status = NO_LOG
    elif n_branches >= 2 and span <= options.outage_hours:
        status = OUTAGE
    one = _id(newest["workflow"], newest["job_base"])
    return RestlessJob(
        id=one,
        workflow=short_workflow(newest["workflow"]),
        job=newest["job_base"],
        status=status,
        n=n,
        n_failed=x,
        low=low,
        high=high,
        n_branches_hit=n_branches,
        first_at=part["started_at"].min(),
        last_at=part["started_at"].max(),
        headline=_last_said(told["headline"]),
        cause=_last_said(told["cause"]),
        cost=costs.get(one, Cost()),
        odds=rerun_odds(red, attempts),
        open_run=newest_open(red, attempts, as_of=as_of, rerun_days=options.rerun_days),
        evidence=[
            Link(f"{row['started_at']:%d %b %Y %H:%M}", job_url(row["repo"], row["run_id"], row["job_id"]))
            for row in part.iloc[::-1].head(options.evidence_links).to_dict("records")
        ],
    )


def _last_said(texts: pd.Series) -> str:
    said = [text for text in texts if isinstance(text, str) and text]
    return said[-1] if said else ""
