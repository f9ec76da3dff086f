"""One group of failures: its jobs put together with their verdict, status, history, odds and commits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from kotaci.analysis.failures.culprits import Culprit, changed_files, find_culprits
from kotaci.analysis.failures.grouping import KEY, Alike
from kotaci.analysis.failures.known import Known
from kotaci.analysis.failures.options import TriageOptions
from kotaci.analysis.failures.settling import FLAKY, settle
from kotaci.analysis.failures.status import GONE, OVER, Status, assess_status, pushed
from kotaci.analysis.flakes.costs import Odds, newest_open, rerun_odds
from kotaci.analysis.flakes.judging import passes_needed
from kotaci.analysis.verdicts.past import test_id
from kotaci.model import (
    BAD_OUTCOMES,
    DECIDED_OUTCOMES,
    Certainty,
    Link,
    Outcome,
    Verdict,
    job_url,
    plural,
    short_workflow,
)


@dataclass(frozen=True)
class HistoryCell:
    """One run of a job in a strip: ok, failed, rerun (failed, then passed when run again), cancelled or none."""

    outcome: str
    title: str


@dataclass(frozen=True)
class Group:
    """Failed jobs that failed alike, with what they are, how they stand, and how their job has done before and since.

    `verdict` is that of the newest jobs that have a proof, `mix` counts those of all. `differs` is what the newest ran
    on against its last green (None: not known). `culprits` are the commits of the 99 % interval of a regression, or
    what was committed since the last green of what fails now; `has_interval` tells which; `green_sha` and `red_sha` are
    the last green and the first red commit. `n_commits_alike` commits of one branch failed so in a row without a pass.
    `open_run` is the newest run that is still red and that GitHub would run again.
    """

    id: str
    repo: str
    newest: tuple[int, int, int]
    """Run id, attempt and job id of the newest of its jobs"""
    workflow: str
    job: str
    legs: Sequence[str]
    step: str
    exit_code: int | None
    headline: str
    excerpt: Sequence[tuple[int, str]]
    hits: frozenset[int]
    tests: Sequence[str]
    message: str
    location: str
    cause: str
    cause_confidence: float | None
    verdict: Verdict
    proof: str
    certainty: Certainty
    mix: Sequence[tuple[Verdict, int]]
    status: Status
    passes_needed: int
    differs: str | None
    n_jobs: int
    n_runs: int
    runs: frozenset[int]
    n_branches: int
    branches: Sequence[str]
    n_job_runs: int
    minutes: float
    first_at: pd.Timestamp
    last_at: pd.Timestamp
    history: Sequence[HistoryCell]
    history_of: str
    evidence: Sequence[Link]
    culprits: Sequence[Culprit]
    has_interval: bool
    green_sha: str
    red_sha: str
    n_commits_alike: int
    odds: Odds
    odds_of: str
    open_run: int | None

    @property
    def files(self) -> list[str]:
        """Return what the culprits changed."""
        return changed_files(self.culprits)

    @property
    def is_quiet(self) -> bool:
        """Tell whether it asks for nothing now: shown so that nothing is hidden, but no finding.

        What flaked does not pass again by passing once: it must have passed so often that luck is ruled out.
        """
        if self.verdict == Verdict.CONSEQUENCE or self.status.word == GONE:
            return True
        if self.verdict == Verdict.MASKED or self.status.word != OVER:
            return False
        return self.verdict not in FLAKY or self.status.n_passed_since >= self.passes_needed


def to_excerpt_lines(excerpt: str) -> list[tuple[int, str]]:
    """Return (line number, text) of a stored excerpt."""
    rows = (line.partition("\t") for line in excerpt.split("\n") if line)
    return [(int(number), text) for number, _, text in rows]


def to_group(alike: Alike, tests: pd.DataFrame, known: Known) -> Group:
    part, options = alike.rows, known.options
    newest = part.iloc[0]
    of_workflow = known.by_workflow[newest["workflow"]]
    of_legs = of_workflow[of_workflow["job"].isin(part["job"])]
    on_base = pushed(of_legs, known.base)
    of_job, base_job = (frame[frame["job"] == newest["job"]] for frame in (of_legs, on_base))
    is_on_base = pd.MultiIndex.from_frame(base_job[KEY]).isin(pd.MultiIndex.from_frame(part[KEY])).any()
    shown = base_job if is_on_base else of_job
    passed_again = part["verdict"].isin([Verdict.FLAKY]) | _has_passed_again(part, of_legs)
    status = assess_status(
        part,
        of_legs,
        of_workflow,
        has_passed_again=bool(passed_again.any()),
        base=known.base,
        branch_streak=options.branch_streak,
        gone_after_runs=options.gone_after_runs,
    )
    n_commits_alike = _n_commits_alike(part, of_legs)
    verdict, telling, proof = settle(part, status, options, n_commits_alike=n_commits_alike)
    blame = find_culprits(part, of_legs, base_job, status, known)
    failed = list(part[["run_id", "attempt"]].itertuples(index=False, name=None))
    odds, odds_of = rerun_odds(failed, known.of_runs), "of these"
    if odds.n == 0:
        of_bad = of_legs.loc[of_legs["outcome"].isin(BAD_OUTCOMES), ["run_id", "attempt"]]
        odds, odds_of = rerun_odds(list(of_bad.itertuples(index=False, name=None)), known.of_runs), "of this job"
    said = _said(alike, tests)
    excerpt = to_excerpt_lines(newest["excerpt"])
    exits, sure = part["exit_code"].dropna(), newest["cause_confidence"]
    return Group(
        id=alike.id,
        repo=newest["repo"],
        newest=(int(newest["run_id"]), int(newest["attempt"]), int(newest["job_id"])),
        workflow=short_workflow(newest["workflow"]),
        job=newest["job_base"],
        legs=sorted(set(part["leg"]) - {""}),
        step=newest["where"],
        exit_code=int(exits.iloc[0]) if len(exits) else None,
        headline=_headline(alike, newest, verdict),
        excerpt=excerpt,
        hits=hits(excerpt, headline=str(newest["headline"]), message=str(said.get("message", ""))),
        tests=alike.tests,
        message=said.get("message", ""),
        location=said.get("location", ""),
        cause=newest["cause"],
        cause_confidence=None if pd.isna(sure) else float(sure),
        verdict=verdict,
        proof=proof,
        certainty=Certainty(telling["certainty"]),
        mix=[(Verdict(word), int(n)) for word, n in part["verdict"].value_counts().items()],
        status=status,
        passes_needed=_passes_needed(part, of_legs, options),
        differs=None if pd.isna(telling["differs"]) else str(telling["differs"]),
        n_jobs=len(part),
        n_runs=int(part["run_id"].nunique()),
        runs=frozenset(part["run_id"]),
        n_branches=int(part["place"].nunique()),
        branches=list(dict.fromkeys(part["place"])),
        n_job_runs=int(of_legs.loc[of_legs["outcome"].isin(DECIDED_OUTCOMES), "run_id"].nunique()),
        minutes=float(part["wall_s"].sum()) / 60,
        first_at=part["started_at"].min(),
        last_at=part["started_at"].max(),
        history=_history(shown, part, n_runs=options.history_runs),
        history_of=f"{newest['job']} on {known.base}" if is_on_base else newest["job"],
        evidence=[
            Link(_shown(row["started_at"], "%d %b %Y %H:%M"), job_url(row["repo"], row["run_id"], row["job_id"]))
            for row in part.head(options.evidence_links).to_dict("records")
        ],
        culprits=blame.culprits,
        has_interval=blame.has_interval,
        green_sha=blame.green_sha,
        red_sha=blame.red_sha,
        n_commits_alike=n_commits_alike,
        odds=odds,
        odds_of=odds_of,
        open_run=newest_open(
            failed,
            known.of_runs,
            as_of=None if known.as_of is None else pd.Timestamp(known.as_of),
            rerun_days=options.rerun_days,
        ),
    )


def _n_commits_alike(part: pd.DataFrame, of_legs: pd.DataFrame) -> int:
    """Return at how many commits of one branch or pull request it failed so since its leg passed there, at most."""
    green = of_legs[of_legs["outcome"] == Outcome.SUCCESS]
    passes = green.groupby(["job", "place"])["started_at"].max()
    found = passes.reindex(pd.MultiIndex.from_frame(part[["job", "place"]])).array
    last = pd.Series(found, index=part.index, dtype=part["started_at"].dtype)
    since = part[(last.isna() | (part["started_at"] > last)) & (part["head_sha"].fillna("") != "")]
    return int(since.groupby("place")["head_sha"].nunique().max()) if len(since) else 0


def _passes_needed(part: pd.DataFrame, of_legs: pd.DataFrame, options: TriageOptions) -> int:
    """Return how many passes in a row would call a flake over, at the rate it had until its last failure."""
    decided = of_legs[of_legs["outcome"].isin(DECIDED_OUTCOMES)]
    n = int(decided.loc[decided["started_at"] <= part["started_at"].max(), "run_id"].nunique())
    n_failed = int(part["run_id"].nunique())
    return passes_needed(n_failed=n_failed, n=max(n, n_failed), chance=options.fixed_chance)


def _headline(alike: Alike, newest: pd.Series, verdict: Verdict) -> str:
    if alike.tests:
        rest = len(alike.tests) - 1
        return alike.tests[0] + (f" and {plural(rest, 'more test')}" if rest else "")
    if verdict == Verdict.TIMED_OUT and newest["outcome"] == Outcome.CANCELLED and newest["where"]:
        return f"{newest['where']} ran until its time was up"
    none = "no log was ever written" if newest["log_state"] == "never_written" else "no log of it is held"
    return str(newest["headline"] or newest["error"] or none)


def _said(alike: Alike, tests: pd.DataFrame) -> dict[str, Any]:
    """Return what the newest failed job's framework said of the first test: message, location and line."""
    if not alike.tests:
        return {}
    newest = alike.rows.iloc[0]
    mine = tests[(tests["job_id"] == newest["job_id"]) & (tests["outcome"] == "failed")]
    mine = mine[
        [test_id(suite, test) == alike.tests[0] for suite, test in zip(mine["suite"], mine["test"], strict=True)]
    ]
    row = mine.head(1).to_dict("records")
    return {} if not row else {key: value for key, value in row[0].items() if not pd.isna(value)}


def hits(excerpt: Sequence[tuple[int, str]], *, headline: str, message: str) -> frozenset[int]:
    """Return the line of an excerpt that says what went wrong: the test's message, else the headline, which may name a
    place behind the line's own words."""
    for word in (message.strip(), headline.strip()):
        shown = [(number, " ".join(text.split())) for number, text in excerpt]
        found = [number for number, text in shown if word and text and (word in text or word.startswith(text))]
        if found:
            return frozenset(found[:1])
    return frozenset()


def _has_passed_again(part: pd.DataFrame, attempts: pd.DataFrame) -> pd.Series:
    """Return for each failed job whether a later attempt of its run passed."""
    green = attempts[attempts["outcome"] == Outcome.SUCCESS]
    last_green = green.groupby(["run_id", "job"])["attempt"].max()
    later = last_green.reindex(pd.MultiIndex.from_frame(part[["run_id", "job"]])).to_numpy(dtype=float, na_value=-1)
    return pd.Series(later > part["attempt"].to_numpy(dtype=float), index=part.index)


def _shown(moment: pd.Timestamp, form: str) -> str:
    return "an unknown day" if pd.isna(moment) else f"{moment:{form}}"


_RUNS_AFTER = 5
"""Runs after the last failure, in a strip that would otherwise not reach back to it."""


def _history(of_job: pd.DataFrame, part: pd.DataFrame, *, n_runs: int) -> list[HistoryCell]:
    """Return the last runs of a job; where all of them came after the group's last failure, those around it."""
    runs = of_job["run_id"].drop_duplicates()
    mine = runs.isin(part["run_id"]).to_numpy().nonzero()[0]
    end = len(runs)
    if len(mine) and mine[-1] < end - n_runs:
        end = int(mine[-1]) + 1 + _RUNS_AFTER
    shown = of_job[of_job["run_id"].isin(runs.iloc[max(0, end - n_runs) : end])]
    return [_to_cell(tries) for _, tries in shown.groupby("run_id", sort=False)]


def _to_cell(tries: pd.DataFrame) -> HistoryCell:
    outcomes = tries.sort_values("attempt")["outcome"].tolist()
    if outcomes[-1] == Outcome.SUCCESS:
        word = "rerun" if any(outcome in BAD_OUTCOMES for outcome in outcomes) else "ok"
    else:
        word = "failed" if outcomes[-1] in BAD_OUTCOMES else "cancelled"
    when = _shown(tries.iloc[0]["started_at"], "%d %b %Y %H:%M UTC")
    return HistoryCell(word, f"{when}: {', then '.join(outcomes)}")
