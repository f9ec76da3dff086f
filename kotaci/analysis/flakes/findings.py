"""What to do about flaky tests and restless jobs, as findings."""

from __future__ import annotations

from kotaci.analysis.changes import reruns_to_see
from kotaci.analysis.flakes.judging import FLAKY, MAYBE_FIXED, Judgement
from kotaci.analysis.flakes.options import FlakeOptions
from kotaci.analysis.flakes.records import Flake, RestlessJob
from kotaci.model import Certainty, Finding, Price, Severity, plural, short_workflow


def to_finding(flake: Flake, *, days: float, options: FlakeOptions) -> Finding:
    """Return the finding of one flaky test; its price is what was measured, the estimate stands in its method."""
    judged, cost = flake.judged, flake.cost
    hits = f"on {plural(judged.n_commits_hit, 'commit')} of {plural(judged.n_branches_hit, 'branch', 'branches')}"
    rate = (
        f", {judged.rate:.1%} [{judged.low:.1%}, {judged.high:.1%}]"
        if judged.n >= options.min_runs
        else ", too few for a rate"
    )
    severity = Severity.LOW
    if flake.status == FLAKY and cost.n_red:
        severity = Severity.HIGH if judged.low > options.high_rate and judged.n >= options.min_runs else Severity.MEDIUM
    hidden = "; its runner's retry hides it in green runs" if flake.is_hidden else ""
    return Finding(
        id=f"flaky-test:{flake.id}",
        kind="flaky-test",
        subject=f"{flake.suite} {flake.test}".strip(),
        claim=f"failed {judged.n_failed} of the {plural(judged.n, 'time')} that it ran in "
        f"{flake.workflow} / {flake.job}{rate}, {hits}{hidden}; since then it passed {judged.passes_since} of the "
        f"{plural(judged.passes_needed, 'time')} in a row that would tell that it is fixed",
        verdict=flake.status,
        certainty=Certainty.PROVED,
        severity=severity,
        n=judged.n,
        method=f"{plural(judged.n_proved, 'failure')} proved by another outcome on the same commit; counted is the "
        f"first execution in each run and leg; window of {days:.0f} days; people: an estimated "
        f"{cost.people_minutes:.0f} minutes, not in the price",
        remedy=_remedy(judged, options=options),
        price=Price(minutes=cost.machine_minutes, basis="measured"),
        evidence=tuple(flake.evidence),
        workflow=short_workflow(flake.workflow),
    )


def _remedy(judged: Judgement, *, options: FlakeOptions) -> str:
    if judged.status == MAYBE_FIXED:
        missing = judged.passes_needed - judged.passes_since
        return f"Nothing but wait: {plural(missing, 'more pass', 'more passes')} in a row, and it counts as fixed."
    again = reruns_to_see(judged.rate) if judged.n >= options.min_runs else None
    return (
        "Find what two runs of one commit do not share (order, time, ports, files, environment)"
        + (f"; {plural(again, 'execution')} show it once more with 95 % certainty" if again else "")
        + ". Until then put it into quarantine with an expiry."
    )


def to_job_finding(job: RestlessJob, *, days: float, options: FlakeOptions) -> Finding:
    """Return the finding of one job that passed when it was run again and names no test."""
    rate = f", {job.n_failed / job.n:.1%} [{job.low:.1%}, {job.high:.1%}]" if job.n >= options.min_runs else ""
    return Finding(
        id=f"restless-job:{job.id}",
        kind="restless-job",
        subject=f"{job.workflow} / {job.job}",
        claim=f"failed in {job.n_failed} of {job.n} runs{rate} and passed on the same commit when run again, "
        "without a test's name in its log",
        verdict=job.status,
        certainty=Certainty.PROVED,
        severity=Severity.MEDIUM if job.n_failed >= 2 else Severity.LOW,
        n=job.n,
        method=f"another attempt of the same run passed; first attempts are counted; window of {days:.0f} days",
        remedy="Read its excerpt in failure_triage: the network, the runner and the disk are the usual reasons.",
        price=Price(minutes=job.cost.machine_minutes, basis="measured"),
        evidence=tuple(job.evidence),
    )
