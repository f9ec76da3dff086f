"""Proved flaky: the same code, event, job and leg both failed and passed, on the same things."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kotaci.analysis.verdicts.differences import Setup, name_differences
from kotaci.analysis.verdicts.past import Job, Key, Past
from kotaci.analysis.verdicts.ruling import Ruling, at
from kotaci.model import Certainty, Verdict

NEXTEST_FAILED = 100
"""Exit code of cargo-nextest for tests that failed."""

_MOST_TWINS = 20
"""Passes looked at: a commit that a schedule runs every hour has thousands, and one is proof."""


@dataclass(frozen=True)
class Flips:
    """Passes of the job on a commit that it failed on: the proof that it is flaky, or what forbids the word."""

    proof: Job | None
    differs: str | None
    near: Sequence[tuple[Job, str]] = ()
    """passes that prove nothing, and why"""


def twins(job: Job, past: Past) -> list[Job]:
    """Return the passes of the job on the same commit: those of its own run first, then by distance in time."""
    of_run = past.passes_of_run.get((job.run_id, job.name), ())
    of_sha = past.passes_of_sha.get((*job.place, job.sha), ())
    others = [other for other in of_sha if other.run_id != job.run_id]
    return [*of_run, *sorted(others, key=lambda other: (other.event != job.event, abs(other.at - job.at)))][
        :_MOST_TWINS
    ]


def find_flips(job: Job, same: Sequence[Job], setups: Mapping[Key, Setup]) -> Flips:
    """Return what the passes on the same commit tell.

    Never a proof: a pass of another event or merge commit, or on another image, runner, system or tool; nor one
    beside a log that was never written, which does not tell what failed. A cancelled duplicate is no pass at all.
    Attempts of one run check out the same code, so for these an unknown set-up weakens the proof but leaves it.
    """
    near: list[tuple[Job, str]] = []
    weak: Job | None = None
    for other in same:
        differs = name_differences(other, job, setups)
        if other.event != job.event:
            near.append((other, f"event {other.event} → {job.event}"))
        elif other.run_id != job.run_id and (not job.code or other.code != job.code):
            near.append((other, _other_merge(other, job)))
        elif job.log_state == "never_written":
            near.append((other, "no log of the failure was ever written"))
        elif differs:
            near.append((other, differs))
        elif differs is None:
            near.append((other, "what they ran on is not known"))
            weak = weak or (other if other.run_id == job.run_id else None)
        else:
            return Flips(other, differs, near)
    return Flips(weak, None, near)


def judge_flaky(job: Job, flips: Flips) -> Ruling | None:
    """Return the verdict where a pass of the same code proves it."""
    other = flips.proof
    if other is None:
        return None
    if other.run_id == job.run_id:
        when = "passed" if other.attempt > job.attempt else "had passed before"
        proof = f"attempt {other.attempt} of the same run {when}: same commit, event, job and leg"
    else:
        proof = f"it passed in another run of the same code and event, of {at(other)}"
    if flips.differs is None:
        return Ruling(Verdict.FLAKY, f"{proof}; what they ran on is not known", Certainty.HIGH, other)
    return Ruling(Verdict.FLAKY, f"{proof}, same image and tools", Certainty.PROVED, other)


def judge_flaky_inside(job: Job, retried: Sequence[str]) -> Ruling | None:
    """Return the verdict where the runner's own retries passed, and it failed the job for having needed them.

    Never proved: another command of the job may end with the same exit code, as apt does.
    """
    if job.tests or not retried or job.exit_code != NEXTEST_FAILED:
        return None
    names = ", ".join(retried[:3]) + (f" and {len(retried) - 3} more" if len(retried) > 3 else "")
    return Ruling(Verdict.FLAKY_INSIDE, f"every test passed in the end, {names} when tried again", Certainty.HIGH)


def _other_merge(other: Job, job: Job) -> str:
    if not job.is_pull:
        return "the commit is not known"
    if not job.code or not other.code:
        return "the merge commit is not known"
    return f"merge commit {_short(other)} → {_short(job)}"


def _short(job: Job) -> str:
    head, _, base = job.code.partition(" into ")
    return f"{head[:7]} into {base[:7]}"
