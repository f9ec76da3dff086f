"""The first rungs: what stopped a job from outside, or only followed from another, or was allowed to fail."""

from __future__ import annotations

import re
from datetime import timedelta

import pandas as pd

from kotaci.analysis.superseding import find_newer_runs
from kotaci.analysis.verdicts.bursts import OF_THE_CODE
from kotaci.analysis.verdicts.declared import Workflows
from kotaci.analysis.verdicts.options import VerdictOptions
from kotaci.analysis.verdicts.past import Job, Past
from kotaci.analysis.verdicts.ruling import Ruling
from kotaci.model import Certainty, Outcome, Verdict

OVERTIME = re.compile(r"The job .{0,200}exceeded the maximum execution time", re.DOTALL)
"""GitHub's annotation of a job that ran into its limit; the log of one says no more than that of a cancelled one."""

STEP_OVERTIME = re.compile(r"The action .{1,500} has timed out after \d+ minutes?", re.DOTALL)
"""GitHub's error line for a step that ran into `timeout-minutes` of its own."""

FELL_WITH = "was canceled because"
"""GitHub's annotation of a leg that fail-fast stopped: `The job was canceled because "x86" failed.`"""


MAX_CANCELLING_S = 600.0
"""GitHub ends a job by force minutes after it was cancelled; a leg that ran on longer was not stopped by another."""


def newer_runs(runs: pd.DataFrame) -> dict[tuple[int, int], int]:
    """Return for each attempt the next run of its workflow, event and branch that began before it ended."""
    newer = find_newer_runs(runs)
    begun = newer["newer_at"] <= newer["ended_at"].fillna(newer["created_at"]) + timedelta(minutes=1)
    # A run that is run again has newer runs beside it already: only one that came during the attempt ended it.
    during = (newer["attempt"] == 1) | (newer["newer_at"] >= newer["started_at"])
    kept = newer[(begun & during).fillna(False).astype(bool)]
    return dict(zip(zip(kept["run_id"], kept["attempt"], strict=True), kept["newer_run_id"].astype(int), strict=True))


def judge_timed_out(job: Job, past: Past, workflows: Workflows, options: VerdictOptions) -> Ruling | None:
    """Return the verdict where GitHub says so, or where the job was cancelled as its limit was reached."""
    said = next((text for text in past.messages.get(job.key, ()) if OVERTIME.match(text)), "")
    if said:
        return Ruling(Verdict.TIMED_OUT, f"GitHub's annotation says so: {said.rstrip('.')}", Certainty.PROVED)
    if job.outcome == Outcome.TIMED_OUT:
        return Ruling(Verdict.TIMED_OUT, "GitHub gives the job the conclusion timed_out", Certainty.PROVED)
    if STEP_OVERTIME.match(job.error):
        return Ruling(Verdict.TIMED_OUT, f"the log says so: {job.error.rstrip('.')}", Certainty.PROVED)
    declared = workflows.of(job)
    if job.outcome != Outcome.CANCELLED or declared is None:
        return None
    # A job that was cancelled before it began has no minutes, and is near no limit.
    if not abs(job.wall_s - declared.timeout_min * 60) <= options.timeout_tolerance_s:
        return None
    whose = "of the workflow file" if declared.has_timeout else "that GitHub sets where the file sets none"
    proof = f"it was cancelled after {job.wall_s / 60:.1f} minutes, at the limit of {declared.timeout_min:g} {whose}"
    return Ruling(Verdict.TIMED_OUT, proof, Certainty.HIGH)


def judge_cancelled(
    job: Job, past: Past, workflows: Workflows, newer: dict[tuple[int, int], int], options: VerdictOptions
) -> Ruling:
    """Return why a job was cancelled: superseded, timed out, stopped by another's failure, else by hand.

    The log of all four reads the same. GitHub's word for a time-out is proof and goes first; a newer run is the next
    best; reaching the limit comes after it. By hand is what is left.
    """
    overtime = judge_timed_out(job, past, workflows, options)
    if overtime is not None and overtime.certainty == Certainty.PROVED:
        return overtime
    by = newer.get((job.run_id, job.attempt))
    if by is not None:
        proof = "a newer run of the same workflow, event and branch began before it ended"
        return Ruling(Verdict.SUPERSEDED, proof, Certainty.HIGH, evidence_run=(by, 1))
    if overtime is not None:
        return overtime
    return _judge_stopped_by_another(job, past, workflows, options) or _by_hand(job, past, workflows)


def _judge_stopped_by_another(job: Job, past: Past, workflows: Workflows, options: VerdictOptions) -> Ruling | None:
    failed = [
        other
        for other in past.siblings(job)
        if (other.is_bad and judge_masked(other, past, workflows) is None)
        or (other.outcome == Outcome.CANCELLED and judge_timed_out(other, past, workflows, options) is not None)
    ]
    legs = [
        other for other in failed
        if other.base == job.base and -MAX_CANCELLING_S <= other.end - job.end <= options.timeout_tolerance_s
    ]  # fmt: skip
    said = next((text for text in past.messages.get(job.key, ()) if FELL_WITH in text), "")
    if legs or said:
        because = said.rstrip(".") if said else f"the leg {legs[0].name} failed before it was cancelled"
        sure = Certainty.PROVED if said else Certainty.HIGH
        return Ruling(Verdict.CONSEQUENCE, f"{because} (fail-fast)", sure, next(iter(legs), None))
    if job.is_downstream and failed:
        need = _needed(job, failed, workflows)
        return Ruling(Verdict.CONSEQUENCE, f"{need.name}, which it waits for, did not pass", Certainty.HIGH, need)
    return None


def _by_hand(job: Job, past: Past, workflows: Workflows) -> Ruling:
    left_out = ["no newer run of its branch began before it ended", "no leg beside it had failed"]
    is_told = bool(past.messages.get(job.key)) or workflows.of(job) is not None
    left_out.append("it ended short of its limit" if is_told else "whether it ran into its limit is not known")
    return Ruling(Verdict.CANCELLED, ", ".join(left_out), Certainty.MEDIUM if is_told else Certainty.LOW)


def judge_consequence(job: Job, past: Past, workflows: Workflows) -> Ruling | None:
    """Return the verdict for a gate, and for what failed only because a job that it needs did.

    One that names failed tests, or another cause, of its own has failed by itself: `if: always()` runs it all the same.
    """
    if job.tests or job.cause in OF_THE_CODE - {"gate"}:
        return None
    broken = [other for other in past.siblings(job) if other.is_bad or other.outcome == Outcome.CANCELLED]
    if job.is_downstream:
        need = _needed(job, broken, workflows) if broken else None
        name = need.name if need is not None else "a job"
        proof = f"{name}, which it waits for, failed or was cancelled in this attempt"
        return Ruling(Verdict.CONSEQUENCE, proof, Certainty.PROVED, need)
    if job.cause == "gate" and job.is_downstream is None and broken:
        proof = f"its log says no more than that others failed, and {broken[0].name} did in this attempt"
        return Ruling(Verdict.CONSEQUENCE, proof, Certainty.HIGH, broken[0])
    return None


def _needed(job: Job, broken: list[Job], workflows: Workflows) -> Job:
    """Return that of the broken jobs which this one waits for: a failed one rather than a cancelled one."""
    declared = workflows.of(job)
    ranked = sorted(broken, key=lambda other: (not other.is_bad, other.end))
    keys = declared.needs if declared is not None else frozenset()
    known = ((other, workflows.of(other)) for other in ranked)
    return next((other for other, said in known if said is not None and said.job_key in keys), ranked[0])


def judge_masked(job: Job, past: Past, workflows: Workflows) -> Ruling | None:
    """Return the verdict for a failure that leaves its run green, or that the workflow file allows.

    Where the file is not known, the newest run of the job tells in which it failed alone: green, it may fail.
    """
    if job.run_outcome == Outcome.SUCCESS:
        return Ruling(Verdict.MASKED, "its run is green all the same", Certainty.PROVED)
    declared = workflows.of(job)
    if declared is not None:
        if not declared.is_allowed_to_fail:
            return None
        return Ruling(Verdict.MASKED, "the workflow file says continue-on-error", Certainty.PROVED)
    telling = past.telling.get(job.place)
    if telling is not None and telling.run_outcome == Outcome.SUCCESS:
        proof = f"it is allowed to fail: the run of {telling.day}, in which it failed too, is green"
        return Ruling(Verdict.MASKED, proof, Certainty.MEDIUM, telling)
    return None
