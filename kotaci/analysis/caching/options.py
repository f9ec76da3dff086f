"""Thresholds of the analysis of caches, and its words."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CachingOptions:
    """Thresholds; printed with the result."""

    min_restores: int = 5
    """Below this many restores no rate is shown, and nothing is judged."""
    recompiled_share: float = 0.8
    """A hit that recompiles: so large a share of the dependencies that a miss compiles is compiled after a hit."""
    streak: int = 5
    """A key that went cold: so many first attempts in a row missed, after one that hit."""
    quota_gb: float = 10.0
    """What GitHub holds for the repository, in GB (of 2^30 bytes)."""
    unused_days: float = 7.0
    """GitHub drops what was not used for longer."""
    min_thrash: int = 3
    """So many restores that missed what the quota had dropped are a finding."""
    min_pull_saves: int = 5
    """Fewer caches of pull requests are no finding."""
    pull_share: float = 0.2
    """Caches of pull requests are a finding from this share of the quota on; of bytes saved, where no list is held."""


DEFAULTS = CachingOptions()

RESULTS = ("exact", "partial", "miss")
"""How a restore may end; what a log leaves open is in no rate."""

FAMILY = ["workflow", "job", "action", "family"]

JOB_KEY = ["run_id", "attempt", "job_id"]
