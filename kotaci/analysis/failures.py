"""Why is CI red, and what first? Failing jobs grouped by where and how they failed, with their history.

A first plain grouping: workflow, job without its leg, step, and the first line of the excerpt that speaks of failing,
with numbers masked. It tells what failed together, not yet why.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

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
    short_workflow,
)

_MASK = re.compile(r"0x[0-9a-f]+|\b[0-9a-f]{7,40}\b|(?<![A-Za-z_])\d+(?:[.,:]\d+)*")
"""Numbers that measure; one inside a name (`upgrade_from_v2`) is part of what failed."""

_SAYS_IT_FAILED = re.compile(r"(?i)\b(?:error|failed|failure|fatal|panicked|exception|not found|timed out|killed)\b")
_SAYS_NOTHING = re.compile(r"Process completed with exit code|^\W*$|^note: run with|^Error: The process '")


_KEY = ["run_id", "attempt", "job_id"]


@dataclass(frozen=True)
class TriageOptions:
    """Thresholds; printed with the result."""

    history_runs: int = 20
    """Runs in a history strip."""
    evidence_links: int = 5
    """Links to failed jobs per group."""
    branch_streak: int = 3
    """Failures in a row on another branch from which on a job counts as failing there."""
    gone_after_runs: int = 10
    """A job is taken for removed when so many runs of its workflow on the base branch came without it."""


DEFAULTS = TriageOptions()


@dataclass(frozen=True)
class HistoryCell:
    """One run of a job in a strip: ok, failed, rerun (failed, then passed when run again), cancelled or none."""

    outcome: str
    title: str


@dataclass(frozen=True)
class Group:
    """Failed jobs that failed alike, newest first, with how their job has done before and since."""

    id: str
    workflow: str
    job: str
    legs: Sequence[str]
    step: str
    exit_code: int | None
    headline: str
    excerpt: Sequence[tuple[int, str]]
    verdict: str
    why: str
    is_masked: bool
    n_jobs: int
    n_runs: int
    n_branches: int
    passed_again: frozenset[int]
    n_job_runs: int
    minutes: float
    first_at: pd.Timestamp
    last_at: pd.Timestamp
    history: Sequence[HistoryCell]
    history_of: str
    evidence: Sequence[Link]


@dataclass(frozen=True)
class Triage:
    """Groups, most urgent first; jobs that no log explains; findings."""

    groups: Sequence[Group]
    findings: Sequence[Finding]
    n_failed_jobs: int
    n_red_runs: int
    n_runs: int
    n_unexplained: int
    cancelled: pd.DataFrame
    options: TriageOptions


def assess_failures(
    runs: pd.DataFrame,
    jobs: pd.DataFrame,
    failures: pd.DataFrame,
    *,
    default_branch: str,
    options: TriageOptions = DEFAULTS,
) -> Triage:
    """Return the failed jobs of the tables in groups, with findings."""
    bad = _failed_jobs(runs, jobs, failures)
    attempts = _attempts(runs, jobs)
    parts = [part for _, part in bad.groupby(["workflow", "job_base", "where", "normal"], sort=False)]
    groups = sorted(
        (_to_group(part, attempts, default_branch=default_branch, options=options) for part in parts), key=_urgency
    )
    cancelled = jobs[jobs["outcome"] == Outcome.CANCELLED]
    return Triage(
        groups=groups,
        findings=[_to_finding(group) for group in groups if group.verdict not in QUIET],
        n_failed_jobs=len(bad),
        n_red_runs=int(runs["outcome"].isin(BAD_OUTCOMES).sum()),
        n_runs=len(runs),
        n_unexplained=int((bad["excerpt"] == "").sum()),
        cancelled=cancelled,
        options=options,
    )


def _failed_jobs(runs: pd.DataFrame, jobs: pd.DataFrame, failures: pd.DataFrame) -> pd.DataFrame:
    bad = jobs[jobs["outcome"].isin(BAD_OUTCOMES)]
    bad = bad.merge(failures[[*_KEY, "step", "error", "error_line", "excerpt"]], on=_KEY, how="left")
    about = runs[["run_id", "attempt", "branch", "pr_number", "event", "outcome", "n_failed_jobs"]]
    bad = bad.merge(about.rename(columns={"outcome": "run_outcome"}), on=["run_id", "attempt"], how="left")
    bad = bad.assign(
        excerpt=bad["excerpt"].fillna(""),
        where=bad["failed_step"].where(bad["failed_step"] != "", bad["step"].fillna("")),
    )
    bad = bad.sort_values("started_at", ascending=False, kind="stable", ignore_index=True)
    # In a green run the job was allowed to fail; in a red one where nothing else failed it was not. The newest tells.
    is_green = bad["run_outcome"] == Outcome.SUCCESS
    telling = bad.assign(is_green=is_green)[is_green | (bad["n_failed_jobs"] == 1)]
    newest = telling.drop_duplicates(["workflow", "job"]).set_index(["workflow", "job"])["is_green"]
    of_job = newest.reindex(pd.MultiIndex.from_frame(bad[["workflow", "job"]])).array
    bad = bad.assign(is_of_masked_job=pd.Series(of_job, index=bad.index, dtype="boolean").fillna(False).astype(bool))
    headlines = [_headline(excerpt, error) for excerpt, error in zip(bad["excerpt"], bad["error"], strict=True)]
    place = bad["branch"].where(bad["branch"] != "", ("pull " + bad["pr_number"].astype("str"))).fillna("unknown")
    return bad.assign(headline=headlines, normal=[_MASK.sub("#", headline) for headline in headlines], place=place)


def to_excerpt_lines(excerpt: str) -> list[tuple[int, str]]:
    """Return (line number, text) of a stored excerpt."""
    rows = (line.partition("\t") for line in excerpt.split("\n") if line)
    return [(int(number), text) for number, _, text in rows]


def _headline(excerpt: str, error: Any) -> str:
    said = [text.strip() for _, text in to_excerpt_lines(excerpt) if not _SAYS_NOTHING.search(text)]
    if said:
        return next((text for text in said if _SAYS_IT_FAILED.search(text)), said[-1])
    return "" if pd.isna(error) else str(error)


def _attempts(runs: pd.DataFrame, jobs: pd.DataFrame) -> pd.DataFrame:
    about = runs[["run_id", "attempt", "branch", "event", "run_number"]]
    known = jobs[jobs["outcome"].isin(DECIDED_OUTCOMES | {Outcome.CANCELLED})]
    return known.merge(about, on=["run_id", "attempt"], how="left").sort_values(
        ["started_at", "attempt"], kind="stable"
    )


def _pushed(attempts: pd.DataFrame, branch: str) -> pd.DataFrame:
    """Return the attempts of pushes and schedules on a branch; of none where no branch is known."""
    return attempts[(attempts["branch"] == branch) & (attempts["event"] != "pull_request") & (branch != "")]


def _to_group(part: pd.DataFrame, attempts: pd.DataFrame, *, default_branch: str, options: TriageOptions) -> Group:
    newest = part.iloc[0]
    of_legs = attempts[(attempts["workflow"] == newest["workflow"]) & attempts["job"].isin(part["job"])]
    on_base = _pushed(of_legs, default_branch)
    of_job = of_legs[of_legs["job"] == newest["job"]]
    of_job_on_base = on_base[on_base["job"] == newest["job"]]
    shown = of_job_on_base if len(of_job_on_base) else of_job
    passed_again = _passed_again(part, attempts)
    is_masked = bool(part["is_of_masked_job"].any())
    of_workflow = _pushed(attempts[attempts["workflow"] == newest["workflow"]], default_branch)
    verdict, why = _verdict(
        part,
        of_legs,
        of_workflow,
        n_passed_again=len(passed_again),
        is_masked=is_masked,
        base=default_branch,
        options=options,
    )
    exits = part["exit_code"].dropna()
    return Group(
        id="-".join(re.findall(r"[a-z0-9]+", f"{short_workflow(newest['workflow'])} {newest['job_base']}".lower()))
        + "-"
        + hashlib.blake2b(f"{newest['where']}\0{newest['normal']}".encode(), digest_size=6).hexdigest(),
        workflow=short_workflow(newest["workflow"]),
        job=newest["job_base"],
        legs=sorted(set(part["leg"]) - {""}),
        step=newest["where"],
        exit_code=int(exits.iloc[0]) if len(exits) else None,
        headline=newest["headline"] or "no log of it is held",
        excerpt=to_excerpt_lines(newest["excerpt"]),
        verdict=verdict,
        why=why,
        is_masked=is_masked,
        n_jobs=len(part),
        n_runs=int(part["run_id"].nunique()),
        n_branches=int(part["place"].nunique()),
        passed_again=passed_again,
        n_job_runs=int(of_legs.loc[of_legs["outcome"].isin(DECIDED_OUTCOMES), "run_id"].nunique()),
        minutes=float(part["wall_s"].sum()) / 60,
        first_at=part["started_at"].min(),
        last_at=part["started_at"].max(),
        history=_history(shown, options.history_runs),
        history_of=f"{newest['job']} on {default_branch}" if len(of_job_on_base) else newest["job"],
        evidence=[
            Link(_shown(row["started_at"], "%d %b %Y %H:%M"), job_url(row["repo"], row["run_id"], row["job_id"]))
            for row in part.head(options.evidence_links).to_dict("records")
        ],
    )


def _passed_again(part: pd.DataFrame, attempts: pd.DataFrame) -> frozenset[int]:
    """Return the runs whose same job passed in a later attempt: of the same commit, event and merge."""
    green = attempts[attempts["outcome"] == Outcome.SUCCESS]
    last_green = green.groupby(["run_id", "job"])["attempt"].max()
    later = last_green.reindex(pd.MultiIndex.from_frame(part[["run_id", "job"]])).to_numpy(dtype=float, na_value=-1)
    return frozenset(part.loc[later > part["attempt"].to_numpy(dtype=float), "run_id"])


def _verdict(
    part: pd.DataFrame,
    of_job: pd.DataFrame,
    of_workflow: pd.DataFrame,
    *,
    n_passed_again: int,
    is_masked: bool,
    base: str,
    options: TriageOptions,
) -> tuple[str, str]:
    """Return the verdict and why: allowed to fail, followed, gone, failing on a branch, flaky, over, else undecided.

    `of_job` is what is known of the job's legs, `of_workflow` the workflow's attempts on the base branch.
    """
    n_runs = part["run_id"].nunique()
    if is_masked:
        n_green = part.loc[part["run_outcome"] == Outcome.SUCCESS, "run_id"].nunique()
        if n_green == 0:
            return "masked", "the job is allowed to fail: other runs in which it failed are green"
        return "masked", f"the job is allowed to fail: {n_green} of these {n_runs} runs are green all the same"
    if part["is_downstream"].fillna(False).all():
        return CONSEQUENCE, "a job that it needs failed or was cancelled each time"
    newest = part["started_at"].max()
    since_then = of_workflow.loc[of_workflow["started_at"] > of_job["started_at"].max(), "run_id"].nunique()
    if since_then >= options.gone_after_runs:
        return GONE, f"{_runs(since_then)} of its workflow on {base} came after the last one with this job"
    n_base, since = _streak(part, _pushed(of_job, base))
    # One failure on the base branch of what flaked before is no proof that it stays.
    if n_base >= 2 or (n_base and not n_passed_again):
        return "failing", f"{_runs(n_base)} on {base} failed so since {since}, and none passed after"
    if n_passed_again:
        return "flaky", f"{n_passed_again} of {n_runs} runs passed when run again on the same commit"
    for branch in sorted(set(part.loc[part["event"] != "pull_request", "branch"]) - {"", base}):
        n_there, since = _streak(part, _pushed(of_job, branch))
        if n_there >= options.branch_streak:
            return "failing", f"{_runs(n_there)} on {branch} failed so since {since}, and none passed after"
    later = of_job[(of_job["outcome"] == Outcome.SUCCESS) & (of_job["started_at"] > newest)]
    later = later[later["job"].isin(part["job"])]
    if len(later):
        return (
            OVER,
            f"{_runs(later['run_id'].nunique())} of this job passed since, the last failure was {newest:%d %b %Y}",
        )
    return "undecided", "no later run of this job is held, and none was run again"


def _streak(part: pd.DataFrame, there: pd.DataFrame) -> tuple[int, str]:
    """Return in how many runs of a branch the job failed so without a pass since, and since when.

    None where it no longer does: the newest run there of one of its legs must have failed so.
    """
    passes = there[there["outcome"] == Outcome.SUCCESS].groupby("job")["started_at"].max()
    last_pass = pd.Series(passes.reindex(there["job"]).array, index=there.index, dtype=there["started_at"].dtype)
    is_mine = pd.MultiIndex.from_frame(there[_KEY]).isin(pd.MultiIndex.from_frame(part[_KEY]))
    is_last = ~there[there["outcome"].isin(DECIDED_OUTCOMES)].duplicated("job", keep="last")
    last_of_legs = is_last.reindex(there.index, fill_value=False)
    since_pass = last_pass.isna() | (there["started_at"] > last_pass)
    red_legs = set(there.loc[is_mine & since_pass & last_of_legs, "job"])
    streak = there[is_mine & since_pass & there["job"].isin(red_legs)]
    return int(streak["run_id"].nunique()), _shown(streak["started_at"].min(), "%d %b %Y")


def _shown(moment: pd.Timestamp, form: str) -> str:
    return "an unknown day" if pd.isna(moment) else f"{moment:{form}}"


def _runs(n: int) -> str:
    return "1 run" if n == 1 else f"{n} runs"


def _history(of_job: pd.DataFrame, n_runs: int) -> list[HistoryCell]:
    cells = []
    for _, tries in list(of_job.groupby("run_id", sort=False))[-n_runs:]:
        outcomes = tries.sort_values("attempt")["outcome"].tolist()
        if outcomes[-1] == Outcome.SUCCESS:
            word = "rerun" if any(outcome in BAD_OUTCOMES for outcome in outcomes) else "ok"
        else:
            word = "failed" if outcomes[-1] in BAD_OUTCOMES else "cancelled"
        first = tries.iloc[0]
        when = _shown(first["started_at"], "%d %b %Y %H:%M UTC")
        cells.append(HistoryCell(word, f"{when}: {', then '.join(outcomes)}"))
    return cells


OVER = "passes again"
CONSEQUENCE = "consequence"
GONE = "no longer runs"
QUIET = frozenset({OVER, CONSEQUENCE, GONE})
"""Verdicts of groups that ask for nothing: shown so that nothing is hidden, but no finding."""

_RANK = {"failing": 0, "flaky": 1, "undecided": 2, "masked": 3, OVER: 4, CONSEQUENCE: 5, GONE: 6}
_SEVERITY = {"failing": Severity.HIGH, "flaky": Severity.MEDIUM, "undecided": Severity.MEDIUM}
REMEDIES = {
    "failing": "Start here: read the excerpt, then the changes since the last run that passed.",
    "flaky": "Find what differs between two runs of one commit (order, time, shared files, network) before re-running.",
    "undecided": "Run the job again once: the same commit passing or failing decides between flaky and broken.",
    "masked": "Mend the job or drop it; while it may fail, nobody sees when it breaks for a new reason.",
    OVER: "Nothing to do now; it is listed so that a return is recognised.",
    CONSEQUENCE: "Nothing here: mend what it waits for.",
    GONE: "Nothing to do: the job was removed or renamed.",
}


def _urgency(group: Group) -> tuple[int, int, float]:
    return _RANK[group.verdict], -group.n_runs, 0.0 if pd.isna(group.last_at) else -group.last_at.timestamp()


def _to_finding(group: Group) -> Finding:
    low, high = wilson(group.n_runs, max(group.n_job_runs, group.n_runs))
    is_settled = group.verdict in {"flaky", "masked"}
    return Finding(
        id=f"failure:{group.id}",
        kind="failure",
        subject=f"{group.workflow} / {group.job}: {group.headline}",
        claim=f"failed in {group.n_runs} of {group.n_job_runs} runs of the job [{low:.0%}, {high:.0%}]; {group.why}",
        verdict=group.verdict,
        certainty=Certainty.PROVED if is_settled else Certainty.of_n(group.n_job_runs),
        severity=_SEVERITY.get(group.verdict, Severity.LOW),
        n=group.n_runs,
        method="grouped by workflow, job, step and first line that speaks of failing, numbers masked",
        remedy=REMEDIES[group.verdict],
        price=Price(minutes=group.minutes, basis="measured"),
        evidence=tuple(group.evidence),
    )
