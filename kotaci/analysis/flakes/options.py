"""From which value on a test is called flaky, suspected or fixed; printed with the result."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FlakeOptions:
    """Thresholds; printed with the result."""

    min_runs: int = 5
    """Below this many runs no rate is shown."""
    high_rate: float = 0.05
    """A flaky test whose rate lies above this with 95 % certainty is urgent."""
    many_at_once: int = 10
    """Where more tests than this fail in one job, it is the job's environment, not the tests (as in redherring)."""
    regression_streak: int = 3
    """So many failures in a row without proof are a regression; more where the change point asks for more."""
    suspect_commits: int = 3
    """A test without proof is suspected when it failed on at least so many commits ..."""
    suspect_branches: int = 2
    """... of at least so many branches ..."""
    suspect_pass_rate: float = 0.5
    """... while at least this share of the workflow's runs passed ..."""
    suspect_hours: float = 12.0
    """... within so many hours around (all four as in flake-doctor)."""
    fixed_chance: float = 0.05
    """A test is fixed when so many passes in a row since its last failure have less than this chance by luck ..."""
    maybe_fixed_chance: float = 0.2
    """... and maybe fixed when they have less than this chance."""
    investigation_minutes: float = 9.5
    """Minutes of a person for each red run: 5.67 USD an investigation (Leinen, ICST 2024) at 0.60 USD a minute
    (TELUS, arXiv 2507.04173). An estimate: tell your own."""
    outage_hours: float = 24.0
    """A job that failed on two branches or more within so many hours, and at no other time, met an outage."""
    cluster_runs: int = 2
    """Tests that fail together share at least so many failing runs ..."""
    cluster_distance: float = 0.5
    """... and are no further apart on average than this Jaccard distance."""
    rerun_days: float = 30.0
    """GitHub runs nothing again that is older."""
    quarantine_days: int = 14
    """A quarantine ends so many days after the end of the data."""
    evidence_links: int = 5
    """Links to failed jobs per test."""
    grid_commits: int = 60
    """Commits in the grid of verdicts."""


DEFAULTS = FlakeOptions()
