"""The thresholds of the triage: those of the verdicts, and of the groups."""

from __future__ import annotations

from dataclasses import dataclass

from kotaci.analysis.verdicts import VerdictOptions


@dataclass(frozen=True)
class TriageOptions(VerdictOptions):
    """Thresholds of the verdicts and of the groups; printed with the result."""

    history_runs: int = 20
    """Runs in a history strip."""
    evidence_links: int = 5
    """Links to failed jobs per group."""
    branch_streak: int = 3
    """Failures in a row on another branch from which on a job counts as failing there."""
    gone_after_runs: int = 10
    """A job is taken for removed when so many runs of its workflow on the base branch came without it."""
    many_tests: int = 10
    """Where more tests fail in one job at once, it is grouped by what its log says, not by test (as in redherring)."""
    fixed_chance: float = 0.05
    """A flaky failure is over when so many passes in a row have less than this chance by luck."""
    rerun_days: float = 30.0
    """GitHub runs nothing again that is older."""


DEFAULTS = TriageOptions()
