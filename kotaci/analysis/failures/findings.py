"""What to do first: groups in order of urgency, and as findings."""

from __future__ import annotations

import pandas as pd

from kotaci.analysis.failures.groups import Group
from kotaci.analysis.failures.options import TriageOptions
from kotaci.analysis.failures.settling import FLAKY
from kotaci.analysis.failures.status import FAILING, OVER
from kotaci.analysis.statistics import wilson
from kotaci.model import Finding, Price, Severity, Verdict, plural, short_workflow


def urgency(group: Group) -> tuple[int, int, float, float]:
    """Rank what fails now before what flakes, what nothing decided, what is hidden, and what asks for nothing.

    Within a rank by runs; those of a flake weigh the less the nearer it is to being called fixed.
    """
    if group.is_quiet:
        rank = {OVER: 5}.get(group.status.word, 6)
    elif group.verdict == Verdict.MASKED:
        rank = 4
    elif group.status.word == FAILING:
        rank = 0
    else:
        rank = {Verdict.FLAKY: 1, Verdict.FLAKY_INSIDE: 1}.get(group.verdict, 2)
    is_regression = 0 if group.verdict == Verdict.REGRESSION else 1
    weight = float(group.n_runs)
    if group.verdict in FLAKY and group.passes_needed:
        weight *= max(0.0, 1 - group.status.n_passed_since / group.passes_needed)
    return rank, is_regression, -weight, 0.0 if pd.isna(group.last_at) else -group.last_at.timestamp()


def _severity(group: Group) -> Severity:
    if group.verdict == Verdict.MASKED:
        return Severity.LOW
    if group.status.word == FAILING and group.verdict not in FLAKY | {Verdict.INFRASTRUCTURE}:
        return Severity.HIGH
    return Severity.MEDIUM


def to_finding(group: Group, *, options: TriageOptions) -> Finding:
    low, high = wilson(group.n_runs, max(group.n_job_runs, group.n_runs))
    return Finding(
        id=f"failure:{group.id}",
        kind="failure",
        subject=f"{group.workflow} / {group.job}: {group.headline}",
        claim=f"failed in {group.n_runs} of {group.n_job_runs} runs of the job [{low:.0%}, {high:.0%}]; {group.proof}; "
        f"{group.status.word}: {group.status.why}",
        verdict=group.verdict,
        certainty=group.certainty,
        severity=_severity(group),
        n=group.n_runs,
        method="grouped by failed test, else by what the log says; verdict by the first proof of the ladder",
        remedy=next_step(group, options=options),
        price=Price(minutes=group.minutes, basis="measured"),
        evidence=tuple(group.evidence),
        workflow=short_workflow(group.workflow),
    )


NEXT_STEPS = {
    Verdict.TIMED_OUT: "Find what hung before raising the limit: the last line that the job printed tells where.",
    Verdict.CONSEQUENCE: "Nothing here: mend what it waits for.",
    Verdict.MASKED: "Mend the job or drop it; while it may fail, nobody sees when it breaks for a new reason.",
    Verdict.FLAKY: "Find what differs between two runs of one commit (order, time, shared files, network); a re-run "
    "only hides it.",
    Verdict.FLAKY_INSIDE: "Find what differs between two tries of one test (order, time, shared files, ports).",
    Verdict.ALREADY_FAILING: "Nothing in the pull request: mend the base branch, then merge it in.",
    Verdict.INFRASTRUCTURE: "Run it again once it is over; if it comes back, retry what reaches the network.",
    Verdict.REGRESSION: "Read the commits of the interval, newest last; revert the one to blame or mend it.",
    Verdict.UNDECIDED: "Run the job again once: the same commit passing or failing decides between flaky and broken.",
}
"""What to do first, by verdict; a cause of the catalogue has a remedy of its own besides."""

DETERMINISTIC = frozenset({"format", "lint", "compile", "type-check", "link", "docs"})
"""Causes that the same commit meets again however often it runs."""


def is_sure(group: Group, *, options: TriageOptions) -> bool:
    """Tell whether the log tells the cause well enough to act on it."""
    return group.cause_confidence is not None and group.cause_confidence >= options.min_cause_confidence


def rerun_tells(group: Group, *, options: TriageOptions) -> bool:
    """Tell whether running an undecided failure again would decide it: not where the cause is of the code alone, nor
    where several commits in a row failed so already."""
    is_of_the_code = group.cause in DETERMINISTIC and is_sure(group, options=options)
    return group.verdict == Verdict.UNDECIDED and not is_of_the_code and group.n_commits_alike < 2


def next_step(group: Group, *, options: TriageOptions) -> str:
    """Return what to do first."""
    if group.verdict == Verdict.REGRESSION and not group.culprits:
        return "Read what changed between the last good and the first bad commit; revert what is to blame or mend it."
    if group.verdict != Verdict.UNDECIDED or rerun_tells(group, options=options):
        return NEXT_STEPS[group.verdict]
    if group.n_commits_alike < 2:
        return "Read the diff: the code broke a rule, and the same commit will break it again."
    n = plural(group.n_commits_alike, "commit")
    return (
        f"Read the diff of the first of them: {n} in a row failed alike without a pass, and one more run tells no more."
    )
