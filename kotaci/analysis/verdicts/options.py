"""The thresholds of the ladder of verdicts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class VerdictOptions:
    """Thresholds; printed with the result."""

    timeout_tolerance_s: float = 60.0
    """A cancelled job that ran for its limit, less or more of this than it says, was timed out."""
    outage_hours: float = 24.0
    """One failure on unrelated branches within so many hours is the infrastructure (PyTorch's Dr.CI, at most 7 d)."""
    outage_branches: int = 2
    """Unrelated branches that it takes."""
    sure_outage_branches: int = 3
    """So many outweigh re-runs that passed, also where the cause does not speak of the infrastructure."""
    min_cause_confidence: float = 0.5
    """A cause less sure than this supports nothing."""
    min_failed_trials: int = 3
    """A regression needs so many jobs that failed alike, and none that passed, after the change."""


DEFAULTS = VerdictOptions()
