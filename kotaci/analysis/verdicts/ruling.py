"""A verdict on one job, with what proves it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kotaci.analysis.verdicts.past import Job
from kotaci.model import Certainty, Verdict


@dataclass(frozen=True)
class Ruling:
    """What a job is, the sentence that proves it, and the other job on which the proof rests."""

    verdict: Verdict
    proof: str
    certainty: Certainty
    evidence: Job | None = None
    evidence_run: tuple[int, int] | None = None
    """the other run, where the proof is a run and no job of it"""
    culprits: Sequence[str] = ()
    """commits of which one is to blame, newest first"""


def at(job: Job) -> str:
    """Return where and when the job ran, for a sentence."""
    pull = "a pull request" if job.pull is None else f"pull request {job.pull}"
    where = pull if job.is_pull else job.branch or "an unknown branch"
    return f"{where} on {job.day}"
