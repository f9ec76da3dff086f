"""The ladder: one verdict for each failed or cancelled job, by the first rung that has a proof."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from kotaci.analysis.verdicts.ancestry import Commits
from kotaci.analysis.verdicts.bursts import Bursts, is_supporting, judge_burst, judge_runner, outweighs_reruns
from kotaci.analysis.verdicts.declared import Workflows, read_workflows
from kotaci.analysis.verdicts.differences import Setup, name_differences, read_setups
from kotaci.analysis.verdicts.lines import find_breaks, judge_regression
from kotaci.analysis.verdicts.options import DEFAULTS, VerdictOptions
from kotaci.analysis.verdicts.passes import Flips, find_flips, judge_flaky, judge_flaky_inside, twins
from kotaci.analysis.verdicts.past import Job, Key, Past, read_past, test_id
from kotaci.analysis.verdicts.ruling import Ruling, at
from kotaci.analysis.verdicts.standing import judge_already_failing
from kotaci.analysis.verdicts.stopped import (
    judge_cancelled,
    judge_consequence,
    judge_masked,
    judge_timed_out,
    newer_runs,
)
from kotaci.model import Certainty, Outcome, Verdict

VERDICT_COLUMNS = [
    "repo", "run_id", "attempt", "job_id", "verdict", "proof", "certainty", "evidence_run_id", "evidence_attempt",
    "evidence_job_id", "differs", "culprits",
]  # fmt: skip
"""One row a failed or cancelled job: the verdict, its proof in a sentence, how sure; the other run or job that the
proof rests on; what the last green of the job ran on against this one (empty: the same, missing: not known); the
commits of which one is to blame, newest first, one a line."""

_NUMBERS = ("run_id", "attempt", "job_id", "evidence_run_id", "evidence_attempt", "evidence_job_id")


def judge(
    runs: pd.DataFrame,
    jobs: pd.DataFrame,
    failures: pd.DataFrame,
    setups: pd.DataFrame,
    annotations: pd.DataFrame,
    tests: pd.DataFrame,
    workflow_jobs: pd.DataFrame,
    commits: pd.DataFrame,
    *,
    default_branch: str,
    options: VerdictOptions = DEFAULTS,
) -> pd.DataFrame:
    """Return VERDICT_COLUMNS, one row for each failed or cancelled job, oldest first.

    Decided in this order, after PyTorch's Dr.CI, Kubernetes and Google: superseded, cancelled by hand or timed out;
    a consequence; masked; proved flaky; flaky inside the run; already failing on the base branch; infrastructure;
    regression (LUCI's change point); else undecided. The order is that of what is *proved*: GitHub's annotation of a
    time-out outweighs a newer run, reaching the limit outweighs "by hand", which is only what is left, and a burst on
    unrelated branches outweighs re-runs that passed once it was over (`bursts.outweighs_reruns`).

    Absence of proof is never called regression: most failures that nobody ran again stay undecided (re-runs miss
    32 % of intermittent failures: TELUS, arXiv 2507.04173). A difference of event, image, system, tool, labels or
    merge commit is no flakiness; it is named instead.
    """
    past = read_past(runs, jobs, failures, setups, annotations, tests, default_branch=default_branch)
    workflows, newer = read_workflows(workflow_jobs, commits), newer_runs(runs)
    same = {job.key: twins(job, past) for job in past.suspects if job.is_bad}
    compared = [job.key for job in past.suspects]
    compared += [other.key for others in same.values() for other in others]
    compared += [green.key for green in past.last_green.values()]
    known = read_setups(setups, compared)
    flips = {job.key: find_flips(job, same[job.key], known) for job in past.suspects if job.is_bad}
    ladder = _Ladder(past, workflows, newer, flips, _retried_of(tests), Bursts(past, options=options), options)
    rulings = {job.key: ladder.judge(job) for job in past.suspects}
    rulings |= _judge_breaks(past, rulings, Commits(commits), options)
    rows = [_to_row(job, rulings[job.key], _differs(job, rulings[job.key], past.last_green.get(job.key), known))
            for job in past.suspects]  # fmt: skip
    return _to_frame(rows)


class _Ladder:
    """The rungs that look at one job and its past, in their order."""

    def __init__(
        self,
        past: Past,
        workflows: Workflows,
        newer: dict[tuple[int, int], int],
        flips: Mapping[Key, Flips],
        retried: Mapping[Key, Sequence[str]],
        bursts: Bursts,
        options: VerdictOptions,
    ) -> None:
        self._past, self._workflows, self._newer, self._flips = past, workflows, newer, flips
        self._retried, self._bursts, self._options = retried, bursts, options

    def judge(self, job: Job) -> Ruling:
        past, workflows = self._past, self._workflows
        if job.outcome == Outcome.CANCELLED:
            return judge_cancelled(job, past, workflows, self._newer, self._options)
        return (
            judge_timed_out(job, past, workflows, self._options)
            or judge_consequence(job, past, workflows)
            or judge_masked(job, past, workflows)
            or self._judge_history(job)
        )

    def _judge_history(self, job: Job) -> Ruling:
        flips, burst = self._flips[job.key], self._bursts.around(job)
        by_burst = judge_burst(job, burst, passed_again=flips.proof) if burst is not None else None
        if burst is not None and flips.proof is not None and outweighs_reruns(burst, options=self._options):
            return judge_burst(job, burst, passed_again=flips.proof)
        return (
            judge_flaky(job, flips)
            or judge_flaky_inside(job, self._retried.get(job.key, ()))
            or judge_already_failing(job, self._past)
            or by_burst
            or judge_runner(job, self._past.messages.get(job.key, ()))
            or _undecided(job, flips)
        )


def _judge_breaks(
    past: Past, rulings: Mapping[Key, Ruling], commits: Commits, options: VerdictOptions
) -> dict[Key, Ruling]:
    """Return regressions: undecided jobs of a break in which nothing was proved to be something else.

    A log that speaks of the infrastructure is left undecided: an outage, too, fails every commit while it lasts.
    """
    by_key = {job.key: job for job in past.suspects}
    found = {}
    settled = {Verdict.FLAKY, Verdict.FLAKY_INSIDE, Verdict.INFRASTRUCTURE}
    for key, one in find_breaks(past, commits, options=options).items():
        is_open = rulings[key].verdict == Verdict.UNDECIDED and not by_key[key].is_pull
        is_open = is_open and not is_supporting(by_key[key], options=options)
        if is_open and not any(rulings[other].verdict in settled for other in one.keys):
            found[key] = judge_regression(one, branch=by_key[key].branch)
    return found


def _undecided(job: Job, flips: Flips) -> Ruling:
    """Return the default, naming the pass that came nearest to a proof."""
    if flips.near:
        other, differs = flips.near[0]
        proof = f"{at(other)} passed on the same commit, but that proves nothing: {differs}"
        return Ruling(Verdict.UNDECIDED, proof, Certainty.LOW, other)
    unknown = "" if job.signature or job.tests else ", and no log tells what failed"
    return Ruling(Verdict.UNDECIDED, f"no other run of this commit passed{unknown}", Certainty.LOW)


def _differs(job: Job, ruling: Ruling, green: Job | None, setups: Mapping[Key, Setup]) -> str | None:
    """Return what differs from the last green; for a proof by a pass of the same code, from that pass."""
    other = ruling.evidence if ruling.verdict == Verdict.FLAKY and ruling.evidence is not None else green
    return None if other is None else name_differences(other, job, setups)


def _retried_of(tests: pd.DataFrame) -> dict[Key, list[str]]:
    rows = tests.loc[tests["outcome"] == "flaky", ["run_id", "attempt", "job_id", "suite", "test"]]
    found: dict[Key, list[str]] = defaultdict(list)
    for run_id, attempt, job_id, suite, test in rows.itertuples(index=False, name=None):
        found[run_id, attempt, job_id].append(test_id(suite, test))
    return found


def _to_row(job: Job, ruling: Ruling, differs: str | None) -> tuple[Any, ...]:
    other = ruling.evidence.key if ruling.evidence is not None else (*(ruling.evidence_run or (None, None)), None)
    culprits = "\n".join(ruling.culprits) or None
    # A tool or an image that came with the first red commit may be to blame as well as it.
    sure = Certainty.MEDIUM if ruling.verdict == Verdict.REGRESSION and differs else ruling.certainty
    return (job.repo, *job.key, ruling.verdict, ruling.proof, sure, *other, differs, culprits)


def _to_frame(rows: Sequence[tuple[Any, ...]]) -> pd.DataFrame:
    frame = pd.DataFrame(list(rows), columns=VERDICT_COLUMNS, dtype=object)
    types = {name: "Int64" if name in _NUMBERS else "str" for name in VERDICT_COLUMNS}
    return frame.astype(types)
