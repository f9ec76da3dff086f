"""Joins it all: every failed job judged and grouped, what green runs hide, findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from kotaci.analysis.coverage import SINGLE_ATTEMPT_SOURCES
from kotaci.analysis.failures.findings import to_finding, urgency
from kotaci.analysis.failures.grouping import KEY, group_alike
from kotaci.analysis.failures.groups import Group, to_group
from kotaci.analysis.failures.known import look_up, to_places
from kotaci.analysis.failures.losses import LostTests, gather_losses, to_loss_finding
from kotaci.analysis.failures.options import DEFAULTS, TriageOptions
from kotaci.analysis.tests import EmptyStep, lost_tests
from kotaci.analysis.verdicts import find_retried, judge
from kotaci.model import BAD_OUTCOMES, Finding, Outcome, Verdict

JUDGED = ("runs", "jobs", "failures", "setups", "annotations", "tests", "workflow_jobs", "commits")
TABLES = (*JUDGED, "rosters", "roster_names")
"""The tables that the question needs: those that verdicts rest on, and the lists of tests that ran."""


@dataclass(frozen=True)
class Triage:
    """Groups, most urgent first; the verdict of every failed or cancelled job; what green runs hide; findings.

    `n_overtime` of the failed jobs were cancelled as their time ran out. `sees_reruns` is False where all runs are of
    archives that keep one attempt of each, `sees_masked` where all outcomes were read off logs: a log does not tell
    that a job was allowed to fail.
    """

    groups: Sequence[Group]
    findings: Sequence[Finding]
    judged: pd.DataFrame
    cancelled: pd.DataFrame
    retried: pd.DataFrame
    lost: Sequence[LostTests]
    empty_steps: Sequence[EmptyStep]
    n_failed_jobs: int
    n_overtime: int
    n_red_runs: int
    n_runs: int
    n_unexplained: int
    sees_reruns: bool
    sees_masked: bool
    options: TriageOptions


def assess_failures(
    tables: Mapping[str, pd.DataFrame],
    *,
    default_branch: str,
    as_of: datetime | None = None,
    options: TriageOptions = DEFAULTS,
) -> Triage:
    """Return the failed jobs of TABLES in groups, with verdicts and findings.

    A job that was cancelled as its time ran out is among them; other cancelled jobs are listed apart.
    """
    runs, jobs = tables["runs"], tables["jobs"]
    judged = judge(*(tables[name] for name in JUDGED), default_branch=default_branch, options=options)
    bad = _failed_jobs(runs, jobs, tables["failures"], judged)
    known = look_up(runs, jobs, tables["commits"], default_branch=default_branch, as_of=as_of, options=options)
    alike = group_alike(bad, tables["tests"], many_tests=options.many_tests)
    groups = sorted((to_group(one, tables["tests"], known) for one in alike), key=urgency)
    ran = lost_tests(runs, jobs, tables["rosters"], tables["roster_names"], default_branch=default_branch)
    lost = gather_losses(ran, known, repo=str(runs["repo"].iloc[0]) if len(runs) else "")
    found = [
        *(to_finding(group, options=options) for group in groups if not group.is_quiet),
        *map(to_loss_finding, lost),
    ]
    cancelled = jobs[jobs["outcome"] == Outcome.CANCELLED].merge(judged[[*KEY, "verdict", "proof"]], on=KEY)
    return Triage(
        groups=groups,
        findings=found,
        judged=judged,
        cancelled=cancelled,
        retried=find_retried(tables["tests"], jobs),
        lost=lost,
        empty_steps=ran.empty_steps,
        n_failed_jobs=len(bad),
        n_overtime=int((cancelled["verdict"] == Verdict.TIMED_OUT).sum()),
        n_red_runs=int(runs["outcome"].isin(BAD_OUTCOMES).sum()),
        n_runs=len(runs),
        n_unexplained=int((bad["excerpt"] == "").sum()),
        sees_reruns=runs.empty or not bool(runs["source"].isin(SINGLE_ATTEMPT_SOURCES).all()),
        sees_masked=jobs.empty or not bool((jobs["outcome_source"] == "log").all()),
        options=options,
    )


def _failed_jobs(runs: pd.DataFrame, jobs: pd.DataFrame, failures: pd.DataFrame, judged: pd.DataFrame) -> pd.DataFrame:
    columns = ["step", "error", "error_line", "excerpt", "headline", "cause", "cause_confidence", "signature"]
    verdicts = ["verdict", "proof", "certainty", "evidence_run_id", "evidence_attempt", "evidence_job_id", "differs",
                "culprits"]  # fmt: skip
    told = jobs.merge(judged[[*KEY, *verdicts]], on=KEY)
    bad = told[told["outcome"].isin(BAD_OUTCOMES) | (told["verdict"] == Verdict.TIMED_OUT)]
    bad = bad.merge(failures[[*KEY, *columns]], on=KEY, how="left")
    about = runs[["run_id", "attempt", "branch", "event", "head_sha"]].assign(place=to_places(runs))
    bad = bad.merge(about, on=["run_id", "attempt"], how="left")
    texts = {name: bad[name].fillna("") for name in ("excerpt", "signature", "headline", "error", "cause")}
    bad = bad.assign(where=bad["failed_step"].where(bad["failed_step"] != "", bad["step"].fillna("")), **texts)
    return bad.sort_values("started_at", ascending=False, kind="stable", ignore_index=True)
