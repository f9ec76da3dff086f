"""Infrastructure: one failure on unrelated branches within a day, no runner, or no log at all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from kotaci.analysis.verdicts.options import VerdictOptions
from kotaci.analysis.verdicts.past import Job, Past, Timeline, are_alike
from kotaci.analysis.verdicts.ruling import Ruling
from kotaci.model import Certainty, Verdict, plural

SUPPORTING = frozenset({"network", "rate-limit", "disk-full", "runner-lost"})
"""Causes that speak of the infrastructure; none decides alone."""

OF_THE_CODE = frozenset(
    {"test-assertion", "snapshot", "compile", "type-check", "lint", "format", "link", "docs", "gate"}
)
"""Causes of the code itself: two branches can break one rule on one day, and no machine did it."""

RUNNER_WORDS = (
    "lost communication with the server",
    "The runner has received a shutdown signal",
    "was not acquired by Runner",
)
"""GitHub's own words, in an annotation or as the log's error, for a runner that went away or never came."""

_MOST_NEIGHBOURS = 200
"""Failures looked at on each side of one, so that a signature that always fails costs no square of their number."""


@dataclass(frozen=True)
class Burst:
    """Failures alike on unrelated branches within the hours of the options, oldest first."""

    jobs: Sequence[Job]
    branches: Sequence[str]
    is_supported: bool
    n_passed_between: int
    """first attempts of the job that passed between the first and the last of them"""

    @property
    def hours(self) -> float:
        return (self.jobs[-1].at - self.jobs[0].at) / 3600


def is_supporting(job: Job, *, options: VerdictOptions) -> bool:
    """Tell whether the job's log speaks of the infrastructure, surely enough."""
    return job.cause in SUPPORTING and job.cause_confidence >= options.min_cause_confidence


class Bursts:
    """Failures by signature and by supporting cause, to look up the neighbours of one."""

    def __init__(self, past: Past, *, options: VerdictOptions) -> None:
        self._past, self._options = past, options
        alike: dict[str, list[Job]] = defaultdict(list)
        for job in past.suspects:
            if job.is_bad and not self._is_of_the_code(job):
                for name in self._names(job):
                    alike[name].append(job)
        self._alike = {name: Timeline(jobs) for name, jobs in alike.items()}

    def _names(self, job: Job) -> list[str]:
        names = [f"signature {job.signature}"] if job.signature else []
        return [*names, f"cause {job.cause}"] if is_supporting(job, options=self._options) else names

    def _is_of_the_code(self, job: Job) -> bool:
        is_sure = job.cause_confidence >= self._options.min_cause_confidence
        return bool(job.tests) or (is_sure and job.cause in OF_THE_CODE)

    def around(self, job: Job) -> Burst | None:
        """Return the burst that a failure belongs to; None for none.

        A failed test, or a cause of the code, is the code's whatever else fails alike; so is a failure that the base
        branch shows itself, which reaches every branch that was merged with it.
        """
        if self._is_of_the_code(job):
            return None
        reach = self._options.outage_hours * 3600
        near = {
            other.key: other
            for name in self._names(job)
            for other in self._alike[name].near(job.at, reach=reach, most=_MOST_NEIGHBOURS)
        }
        members = [other for other in near.values() if _branch(other) and not self._has_it_from_the_base(other)]
        members.sort(key=lambda other: other.at)
        branches = sorted({_branch(other) for other in members})
        n_unrelated = min(len(branches), len({other.sha for other in members}))
        if job.key not in {other.key for other in members} or n_unrelated < self._options.outage_branches:
            return None
        jobs = self._past.by_base[job.workflow, job.base]
        last = next(jobs.before(members[0].at), None)
        around = jobs.between(job.at - reach, job.at + reach)
        # What never passes is broken, not unlucky.
        if not (last is not None and last.has_passed) and not any(other.has_passed for other in around):
            return None
        between = jobs.between(members[0].at, members[-1].at)
        n_passed = sum(other.has_passed and other.attempt == 1 and other.name == job.name for other in between)
        return Burst(members, branches, all(is_supporting(job, options=self._options) for job in members), n_passed)

    def _has_it_from_the_base(self, job: Job) -> bool:
        """Tell whether the base branch failed so, at the commit that was merged, or of late where that is unknown.

        A branch that is behind keeps the failure after the base branch is mended.
        """
        line = self._past.on_base.get(job.place)
        if self._past.is_on_base(job) or line is None:
            return False
        before = list(islice(line.before(job.at), _MOST_NEIGHBOURS))
        at_base = [other for other in before if job.base_sha and other.sha == job.base_sha]
        return any(other.is_bad and are_alike(other, job) for other in at_base[:1] or before)


def _branch(job: Job) -> str:
    """Return the branch, by which pushes and pull requests of one piece of work are one; none for a merge queue,
    whose branches hold each other's commits."""
    return "" if job.event == "merge_group" else job.branch


def outweighs_reruns(burst: Burst, *, options: VerdictOptions) -> bool:
    """Tell whether a burst explains failures whose re-runs passed better than "flaky" does.

    The same commit failing and passing shows that the commit is not to blame, for both verdicts. That it fell on
    unrelated branches within hours, and on everything that ran in between, shows that it was the weather: a flaky
    test falls on runs one by one. A cause of the infrastructure, or one branch more, must say so too.
    """
    is_many = len(burst.branches) >= options.sure_outage_branches
    return burst.n_passed_between == 0 and (burst.is_supported or is_many)


def judge_burst(job: Job, burst: Burst, *, passed_again: Job | None) -> Ruling:
    """Return the verdict, with the re-run where one passed: both facts stand in the proof."""
    proof = (
        f"failed alike on {plural(len(burst.branches), 'unrelated branch', 'unrelated branches')} "
        f"({', '.join(burst.branches[:4])}{', …' if len(burst.branches) > 4 else ''}) within {burst.hours:.1f} hours"
    )
    if burst.is_supported:
        proof += f", and the log speaks of {job.cause}"
    if passed_again is not None:
        proof += f"; attempt {passed_again.attempt} of this run passed later on the same commit"
    other = next(other for other in burst.jobs if other.branch != job.branch)
    sure = Certainty.HIGH if passed_again is not None or burst.is_supported else Certainty.MEDIUM
    return Ruling(Verdict.INFRASTRUCTURE, proof, sure, other)


def judge_runner(job: Job, messages: Sequence[str]) -> Ruling | None:
    """Return the verdict for a runner that never came, went away, or left no log.

    Never proved: a job that uses up the memory or the processor loses its runner too.
    """
    said = next((text for text in (*messages, job.error) if any(word in text for word in RUNNER_WORDS)), "")
    if said:
        return Ruling(Verdict.INFRASTRUCTURE, f"GitHub says so: {said.rstrip('.')}", Certainty.HIGH)
    if job.log_state != "never_written":
        return None
    if not job.runner and not job.failed_step:
        return Ruling(Verdict.INFRASTRUCTURE, "no runner took it: it has no runner, no step and no log", Certainty.HIGH)
    if not job.failed_step:
        proof = "no log was ever written, and no step of it has a conclusion that failed: its runner was lost"
        return Ruling(Verdict.INFRASTRUCTURE, proof, Certainty.HIGH)
    return None
