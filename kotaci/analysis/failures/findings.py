"""What to do first: groups in order of urgency, and as findings."""

from __future__ import annotations

import pandas as pd

from kotaci.analysis.failures.groups import Group
from kotaci.analysis.failures.settling import FLAKY
from kotaci.analysis.failures.status import FAILING, OVER
from kotaci.analysis.statistics import wilson
from kotaci.model import Finding, Price, Severity, Verdict


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


def to_finding(group: Group) -> Finding:
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
        remedy=NEXT_STEPS[group.verdict],
        price=Price(minutes=group.minutes, basis="measured"),
        evidence=tuple(group.evidence),
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
