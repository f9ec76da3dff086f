"""Tests that stopped running without anything turning red: by the commits that did it, and as findings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from kotaci.analysis.failures.culprits import Culprit, name_commits
from kotaci.analysis.failures.known import Known
from kotaci.analysis.tests import Loss, Ran
from kotaci.model import Certainty, Finding, Link, Severity, job_url, plural, short_workflow


@dataclass(frozen=True)
class LostTests:
    """What one green run no longer ran: over all legs, jobs and suites in which the same commits ended it."""

    repo: str
    workflow: str
    jobs: Sequence[str]
    suites: Sequence[str]
    names: Sequence[str]
    """each once, however many legs and jobs ran it; empty where no names are printed"""
    n_lost: int
    n_before: int
    n_after: int
    """tests of the suite that lost most, before and after"""
    n_runs_after: int
    since_at: datetime
    url: str
    culprits: Sequence[Culprit]

    @property
    def id(self) -> str:
        """Return a name that stays: the workflow, and the commit or the day of the first run without them."""
        which = self.culprits[0].sha[:12] if self.culprits else f"{self.since_at:%Y-%m-%d}"
        return f"{self.workflow}:{which}"


def gather_losses(ran: Ran, known: Known, *, repo: str) -> list[LostTests]:
    """Return the losses by the commits that did it, the largest first."""
    together: dict[tuple[str, str, str], list[Loss]] = {}
    for loss in ran.losses:
        together.setdefault((loss.workflow, loss.last_with.sha, loss.first_without.sha), []).append(loss)
    found = []
    for (workflow, before, after), losses in together.items():
        worst, first = max(losses, key=lambda loss: loss.n_lost), losses[0].first_without
        names = sorted({name for loss in losses for name in loss.names})
        found.append(
            LostTests(
                repo=repo,
                workflow=short_workflow(workflow),
                jobs=list(dict.fromkeys(loss.job for loss in losses)),
                suites=list(dict.fromkeys(loss.suite for loss in losses)),
                names=names,
                n_lost=len(names) or worst.n_lost,
                n_before=worst.n_before,
                n_after=worst.n_after,
                n_runs_after=max(loss.n_runs_after for loss in losses),
                since_at=first.at,
                url=job_url(repo, first.run_id, first.job_id),
                culprits=name_commits(known.ancestry.between(before, after), known.commits),
            )
        )
    return sorted(found, key=lambda lost: -lost.n_lost)


def to_loss_finding(lost: LostTests) -> Finding:
    """Return a loss as a finding."""
    blamed = f"{lost.culprits[0].sha[:7]} of " if len(lost.culprits) == 1 else ""
    return Finding(
        id=f"lost-tests:{lost.id}",
        kind="lost-tests",
        subject=f"{lost.workflow} / {', '.join(lost.jobs)}: {', '.join(lost.suites)}",
        claim=f"{plural(lost.n_lost, 'test')} no longer run since {blamed}{pd.Timestamp(lost.since_at):%d %b %Y}, "
        f"and its green jobs ran without them since",
        verdict="lost",
        certainty=Certainty.of_n(lost.n_runs_after),
        severity=Severity.MEDIUM,
        n=lost.n_runs_after,
        method="lists of tests of green jobs on the default branch, from one run to the next; moved tests left out",
        remedy="Select them again, or say in the commit that they are gone: a green run does not say what it left out.",
        evidence=(Link("the first run without them", lost.url),),
    )
