"""What is told of flakiness: tests, jobs, cells of the grid, and all of it together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from kotaci.analysis.flakes.costs import Cost, Odds
from kotaci.analysis.flakes.judging import FIXED, FLAKY, MAYBE_FIXED, Judgement
from kotaci.analysis.flakes.options import FlakeOptions
from kotaci.analysis.flakes.together import Cluster
from kotaci.model import Finding, Link

CALLED_FLAKY = (FLAKY, MAYBE_FIXED)


@dataclass(frozen=True)
class GridCell:
    """One test on one commit: ok, failed, rerun (passed when run again), retried (by its runner) or none (not run)."""

    outcome: str
    title: str
    url: str = ""


@dataclass(frozen=True)
class Flake:
    """One test: where it runs, what is known of it, what it costs, and how running again went."""

    id: str
    workflow: str
    job: str
    suite: str
    test: str
    judged: Judgement
    cost: Cost
    odds: Odds
    open_run: int | None
    message: str
    location: str
    cells: Sequence[GridCell]
    evidence: Sequence[Link]

    @property
    def status(self) -> str:
        """flaky, maybe fixed, fixed, suspected or not proved."""
        return self.judged.status

    @property
    def is_hidden(self) -> bool:
        """Whether only the runner's own retry tells of it: it never made a run red."""
        return self.judged.n_proved > 0 and self.cost.n_red == 0


@dataclass(frozen=True)
class RestlessJob:
    """A job that failed, passed on the same commit when run again, and whose log names no test.

    n: first attempts that passed or failed; n_failed: of these, the ones meant here.
    """

    id: str
    workflow: str
    job: str
    status: str
    n: int
    n_failed: int
    low: float
    high: float
    n_branches_hit: int
    first_at: pd.Timestamp
    last_at: pd.Timestamp
    headline: str
    cause: str
    cost: Cost
    odds: Odds
    open_run: int | None
    evidence: Sequence[Link]


OUTAGE = "outage"
NO_LOG = "no log"
PASSED_AGAIN = "passed when run again"


@dataclass(frozen=True)
class Flakiness:
    """The answer: tests by status, the dearest first; restless jobs; what fails together; the grid's commits.

    n_runs: first attempts that passed or failed; n_red of them failed, red_by_tests (ids) with a test in it that is
    flaky or was; n_unproved: tests that failed without anything that speaks for flakiness;
    n_untold_jobs: failed jobs whose tests no log tells; sees_reruns: False where all runs are of archives that keep one
    attempt of each.
    """

    tests: Sequence[Flake]
    jobs: Sequence[RestlessJob]
    clusters: Sequence[Cluster]
    commits: Sequence[str]
    commit_days: tuple[pd.Timestamp, pd.Timestamp] | None
    findings: Sequence[Finding]
    n_runs: int
    n_red: int
    red_by_tests: frozenset[int]
    n_unproved: int
    n_untold_jobs: int
    sees_reruns: bool
    as_of: datetime | None
    options: FlakeOptions

    def of(self, *statuses: str) -> list[Flake]:
        """Return the tests of these statuses, in order."""
        return [flake for flake in self.tests if flake.status in statuses]

    @property
    def cost(self) -> Cost:
        """What flaky tests cost together over the window, fixed ones too; suspected ones and jobs are not in it."""
        return sum((flake.cost for flake in self.of(FLAKY, MAYBE_FIXED, FIXED)), start=Cost())
