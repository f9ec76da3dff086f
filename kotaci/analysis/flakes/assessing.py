"""Joins it all: each flaky test and each restless job with its rate, history, cost and odds, and findings."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from kotaci.analysis.changes import reruns_to_see
from kotaci.analysis.flakes.costs import Cost, Odds, charge, newest_open, rerun_odds, to_attempts
from kotaci.analysis.flakes.executions import allowed_to_fail, each_test
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
from kotaci.analysis.flakes.together import Cluster, find_clusters
from kotaci.analysis.statistics import wilson
from kotaci.model import (
    BAD_OUTCOMES,
    DECIDED_OUTCOMES,
    Certainty,
    Finding,
    Link,
    Outcome,
    Price,
    Severity,
    job_url,
    plural,
    short_workflow,
)

_KEY = ["run_id", "attempt", "job_id"]
CALLED_FLAKY = (FLAKY, MAYBE_FIXED)


@dataclass(frozen=True)
class GridCell:
    """One test on one commit: ok, failed, rerun (passed when run again), retried (by its runner) or none (not run)."""

    outcome: str
    title: str
    url: str = ""


@dataclass(frozen=True)
class Flake:
    """One test: where it runs, what is known of it, what it costs, and how running again went."""

    id: str
    workflow: str
    job: str
    suite: str
    test: str
    judged: Judgement
    cost: Cost
    odds: Odds
    open_run: int | None
    message: str
    location: str
    cells: Sequence[GridCell]
    evidence: Sequence[Link]

    @property
    def status(self) -> str:
        """flaky, maybe fixed, fixed, suspected or not proved."""
        return self.judged.status

    @property
    def is_hidden(self) -> bool:
        """Whether only the runner's own retry tells of it: it never made a run red."""
        return self.judged.n_proved > 0 and self.cost.n_red == 0


@dataclass(frozen=True)
class RestlessJob:
    """A job that failed, passed on the same commit when run again, and whose log names no test.

    n: first attempts that passed or failed; n_failed: of these, the ones meant here.
    """

    id: str
    workflow: str
    job: str
    status: str
    n: int
    n_failed: int
    low: float
    high: float
    n_branches_hit: int
    first_at: pd.Timestamp
    last_at: pd.Timestamp
    headline: str
    cause: str
    cost: Cost
    odds: Odds
    open_run: int | None
    evidence: Sequence[Link]


OUTAGE = "outage"
NO_LOG = "no log"
PASSED_AGAIN = "passed when run again"


@dataclass(frozen=True)
class Flakiness:
    """The answer: tests by status, the dearest first; restless jobs; what fails together; the grid's commits.

    n_runs: first attempts that passed or failed; n_red of them failed, n_red_by_tests with a test in it that is flaky
    or was; days: length of the window; n_unproved: tests that failed without anything that speaks for flakiness;
    n_untold_jobs: failed jobs whose tests no log tells.
    """

    tests: Sequence[Flake]
    jobs: Sequence[RestlessJob]
    clusters: Sequence[Cluster]
    commits: Sequence[str]
    commit_days: tuple[pd.Timestamp, pd.Timestamp] | None
    findings: Sequence[Finding]
    n_runs: int
    n_red: int
    n_red_by_tests: int
    n_unproved: int
    n_untold_jobs: int
    days: float
    as_of: datetime | None
    options: FlakeOptions

    def of(self, *statuses: str) -> list[Flake]:
        """Return the tests of these statuses, in order."""
        return [flake for flake in self.tests if flake.status in statuses]

    @property
    def cost(self) -> Cost:
        """What flaky tests cost together over the window, fixed ones too; suspected ones and jobs are not in it."""
        return sum((flake.cost for flake in self.of(FLAKY, MAYBE_FIXED, FIXED)), start=Cost())


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
            *(_to_finding(flake, days=days, options=options) for flake in known if flake.status in CALLED_FLAKY),
            *(_to_job_finding(job, days=days, options=options) for job in restless if job.status == PASSED_AGAIN),
        ],
        n_runs=len(first),
        n_red=int(first["outcome"].isin(BAD_OUTCOMES).sum()),
        n_red_by_tests=len(
            {run for flake in known if flake.status != SUSPECTED for run in _red_runs(cases[flake.id].bad)}
        ),
        n_unproved=len(cases) - len(known),
        n_untold_jobs=int((red["is_of_tests"] & red["is_logless"]).sum()),
        days=days,
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


def rerun_command(run_id: int, *, repo: str) -> str:
    """Return the command of GitHub's own tool that runs the failed jobs of a run again."""
    return f"gh run rerun {run_id} --failed --repo {repo}"


def _to_finding(flake: Flake, *, days: float, options: FlakeOptions) -> Finding:
    judged, cost = flake.judged, flake.cost
    hits = f"on {plural(judged.n_commits_hit, 'commit')} of {plural(judged.n_branches_hit, 'branch', 'branches')}"
    rate = (
        f", {judged.rate:.1%} [{judged.low:.1%}, {judged.high:.1%}]"
        if judged.n >= options.min_runs
        else ", too few for a rate"
    )
    severity = Severity.LOW
    if flake.status == FLAKY and cost.n_red:
        severity = Severity.HIGH if judged.low > options.high_rate and judged.n >= options.min_runs else Severity.MEDIUM
    hidden = "; its runner's retry hides it in green runs" if flake.is_hidden else ""
    return Finding(
        id=f"flaky-test:{flake.id}",
        kind="flaky-test",
        subject=f"{flake.suite} {flake.test}".strip(),
        claim=f"failed {judged.n_failed} of the {plural(judged.n, 'time')} that it ran in "
        f"{flake.workflow} / {flake.job}{rate}, {hits}{hidden}; since then it passed {judged.passes_since} of the "
        f"{plural(judged.passes_needed, 'time')} in a row that would tell that it is fixed",
        verdict=flake.status,
        certainty=Certainty.PROVED,
        severity=severity,
        n=judged.n,
        method=f"{plural(judged.n_proved, 'failure')} proved by another outcome on the same commit; counted is the "
        f"first execution in each run and leg; window of {days:.0f} days; people: an estimated "
        f"{cost.people_minutes:.0f} minutes, not in the price",
        remedy=_remedy(judged, options=options),
        price=Price(minutes=cost.machine_minutes, basis="measured"),
        evidence=tuple(flake.evidence),
    )


def _remedy(judged: Judgement, *, options: FlakeOptions) -> str:
    if judged.status == MAYBE_FIXED:
        missing = judged.passes_needed - judged.passes_since
        return f"Nothing but wait: {plural(missing, 'more pass', 'more passes')} in a row, and it counts as fixed."
    again = reruns_to_see(judged.rate) if judged.n >= options.min_runs else None
    return (
        "Find what two runs of one commit do not share (order, time, ports, files, environment)"
        + (f"; {plural(again, 'execution')} show it once more with 95 % certainty" if again else "")
        + ". Until then put it into quarantine with an expiry."
    )


def _to_job_finding(job: RestlessJob, *, days: float, options: FlakeOptions) -> Finding:
    rate = f", {job.n_failed / job.n:.1%} [{job.low:.1%}, {job.high:.1%}]" if job.n >= options.min_runs else ""
    return Finding(
        id=f"restless-job:{job.id}",
        kind="restless-job",
        subject=f"{job.workflow} / {job.job}",
        claim=f"failed in {job.n_failed} of {job.n} runs{rate} and passed on the same commit when run again, "
        "without a test's name in its log",
        verdict=job.status,
        certainty=Certainty.PROVED,
        severity=Severity.MEDIUM if job.n_failed >= 2 else Severity.LOW,
        n=job.n,
        method=f"another attempt of the same run passed; first attempts are counted; window of {days:.0f} days",
        remedy="Read its excerpt in failure_triage: the network, the runner and the disk are the usual reasons.",
        price=Price(minutes=job.cost.machine_minutes, basis="measured"),
        evidence=tuple(job.evidence),
    )
