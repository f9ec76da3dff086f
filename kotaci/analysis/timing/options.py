"""The thresholds of build-time analysis; printed with every result that they decide."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TimingOptions:
    """Thresholds of the replay.

    n_resamples and seed make the bootstrap interval, month_days what a month has, fewest_days the shortest window that
    is scaled to a month.
    """

    n_resamples: int = 1000
    seed: int = 20260101
    month_days: float = 30.0
    fewest_days: float = 1.0


DEFAULTS = TimingOptions()


@dataclass(frozen=True)
class SuggestingOptions:
    """Thresholds of the suggestions.

    most rows are ranked. A workflow needs fewest_runs attempts, an edge or a job as many on the critical path, a cache
    fewest_misses. A saving below least_mean_s a run and least_minutes a month is none. A step counts from least_step_s
    on, a job is split from least_split_s on and merged below most_merge_s. A limit is limit_factor times the 99th
    percentile of at least fewest_passed jobs that passed, and at least least_limit minutes. A minute of a run's length
    is held to be worth minutes_worth of machines: an assumption, by which trades of one for the other are judged.
    """

    timing: TimingOptions = DEFAULTS
    most: int = 12
    fewest_runs: int = 6
    fewest_misses: int = 3
    least_mean_s: float = 1.0
    least_minutes: float = 1.0
    least_step_s: float = 10.0
    least_split_s: float = 120.0
    most_merge_s: float = 120.0
    limit_factor: float = 1.5
    fewest_passed: int = 10
    least_limit: int = 5
    minutes_worth: float = 5.0


SUGGESTING = SuggestingOptions()


@dataclass(frozen=True)
class BuildTimeOptions:
    """Thresholds; printed with the result."""

    min_saving: float = 0.05
    """A change that saves a smaller share of its workflow's run, and of all minutes, is no finding."""
    most_changes: int = 12
    """So many changes are ranked."""
    min_shift: float = 0.05
    """A smaller change of the median is no shift."""
    min_change_s: float = 2.0
    """Nor one of fewer seconds."""
    false_share: float = 0.05
    """Of the shifts told, so many may be false on average."""
    medium_minutes: float = 10.0
    """A shift that costs so many minutes a week is of medium severity."""
    high_minutes: float = 60.0
    """And of high severity."""
    alert_ratio: float = 1.1
    """A benchmark so many times worse than its result before is an alert."""


BUILD_TIME = BuildTimeOptions()
