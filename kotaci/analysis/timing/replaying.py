"""What a change would have made of the runs recorded: every run is replayed with it, and its length found anew.

Estimates: queue times and outcomes stay as they were. Intervals come from a bootstrap that draws whole runs, since the
attempts of one run hang together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from kotaci.analysis.timing.altering import Change, altered, as_it_was
from kotaci.analysis.timing.network import ATTEMPT, Floats, Ints, Network, earliest, longest_legs
from kotaci.analysis.timing.options import DEFAULTS, TimingOptions
from kotaci.analysis.timing.scenarios import CacheHits, Scenario

NO_PRICES: Mapping[str, float] = {}


@dataclass(frozen=True)
class Effect:
    """A scenario over n attempts of its workflow; left_out counts the others by reason. Negative is a saving.

    attempts: before_s, after_s, change_s of each. median_s and mean_s: the change of an attempt's length, each with its
    interval, 95 %; the median is 0 where fewer than half are touched. minutes_month is the change of billable minutes
    in a month, dollars_month that of their list price, each with its interval; nan where the window is too short to
    tell of a month. Dollars are None where a job whose minutes change has a label without a known price.
    """

    scenario: Scenario
    n: int
    left_out: Mapping[str, int]
    attempts: pd.DataFrame
    median_s: float
    low_s: float
    high_s: float
    mean_s: float
    mean_low_s: float
    mean_high_s: float
    minutes_month: float
    minutes_low: float
    minutes_high: float
    dollars_month: float | None
    dollars_low: float | None
    dollars_high: float | None


def replay(
    network: Network,
    scenario: Scenario,
    *,
    steps: pd.DataFrame,
    misses: pd.DataFrame | None = None,
    commits: pd.DataFrame | None = None,
    prices: Mapping[str, float] = NO_PRICES,
    options: TimingOptions = DEFAULTS,
) -> Effect:
    """Return what the scenario would have changed. `steps` is the table, `prices` dollars a minute by label.

    `CacheHits` reads `misses` (of `to_misses`), and its interval reaches from the low end of a miss's cost to the high
    one: wider than 95 %. Only jobs that passed get faster by it. `SkipPaths` reads the table `commits`.

    Raises BadInput, naming the edge, for a `needs` that would go round in a circle or whose loss would let a job pass
    a gate: one with an `if`, that calls a workflow, has a matrix or runner only known at run time, downloads artifacts,
    or is named like a deployment. Environments and outputs used inside steps are not in the tables: look before you
    cut.
    """
    before = as_it_was(network, prices)
    if isinstance(scenario, CacheHits) and misses is not None:
        costs = [misses.assign(cost_s=misses[column]) for column in ("cost_s", "low_s", "high_s")]
        changes = [altered(network, scenario, before, steps=steps, misses=cost) for cost in costs]
        effect, *ends = (_effect(network, scenario, before, change, options) for change in changes)
        return _reaching(effect, ends)
    change = altered(network, scenario, before, steps=steps, misses=misses, commits=commits)
    return _effect(network, scenario, before, change, options)


_INTERVALS = (
    ("low_s", "high_s"),
    ("mean_low_s", "mean_high_s"),
    ("minutes_low", "minutes_high"),
    ("dollars_low", "dollars_high"),
)


def _reaching(effect: Effect, ends: Sequence[Effect]) -> Effect:
    """Return the effect with intervals from the lowest to the highest of those of the ends."""
    reached: dict[str, float] = {}
    for low, high in _INTERVALS:
        values = [getattr(end, name) for end in (effect, *ends) for name in (low, high)]
        if None not in values:
            reached |= {low: min(values), high: max(values)}
    return replace(effect, **reached)  # type: ignore[arg-type]


def _effect(network: Network, scenario: Scenario, before: Change, change: Change, options: TimingOptions) -> Effect:
    attempts = network.attempts
    in_workflow = (attempts["workflow"] == scenario.workflow).to_numpy(bool)
    is_known = (attempts["reason"] == "").to_numpy(bool)
    is_told = change.reasons == ""
    kept = np.flatnonzero(in_workflow & is_known & is_told)
    reasons = [
        *attempts.loc[in_workflow & ~is_known, "reason"],
        *change.reasons[in_workflow & is_known & ~is_told],
    ]
    walls = [_walls(network, played)[kept] for played in (before, change)]
    change_s = walls[1] - walls[0]
    minutes = _per_attempt(network, change.minutes - before.minutes)[kept]
    dollars = _per_attempt(network, change.dollars_from(before))[kept]
    runs = attempts.iloc[kept].groupby(["repo", "run_id"], sort=False).ngroup().to_numpy(np.int64)
    medians, means, sums, costs = _resampled(change_s, minutes, dollars, runs, options)
    scale = to_months(attempts, options)
    has_price = len(kept) > 0 and not np.isnan(dollars).any()
    priced = (math.fsum(dollars) * scale, *(bound * scale for bound in _bounds(costs)))
    return Effect(
        scenario,
        len(kept),
        {str(reason): int(n) for reason, n in pd.Series(reasons, dtype=object).value_counts().items()},
        attempts.iloc[kept][ATTEMPT].assign(before_s=walls[0], after_s=walls[1], change_s=change_s),
        float(np.median(change_s)) if len(kept) else math.nan,
        *_bounds(medians),
        float(np.mean(change_s)) if len(kept) else math.nan,
        *_bounds(means),
        math.fsum(minutes) * scale if len(kept) else math.nan,
        *(bound * scale for bound in _bounds(sums)),
        *(priced if has_price else (None, None, None)),
    )


def _walls(network: Network, change: Change) -> Floats:
    lengths = longest_legs(change.took_s, network)
    walls = np.zeros(len(network.attempts))
    np.maximum.at(walls, network.places, earliest(lengths, change.sources, change.targets) + lengths)
    return walls


def _per_attempt(network: Network, values: Floats) -> Floats:
    sums = np.zeros(len(network.attempts))
    np.add.at(sums, network.jobs["place"].to_numpy(np.int64), values)
    return sums


def to_months(attempts: pd.DataFrame, options: TimingOptions) -> float:
    """Return what turns a sum over the window into one over a month; nan where the window is too short."""
    starts = attempts["started_at"].dropna()
    days = float((starts.max() - starts.min()).total_seconds()) / 86400 if len(starts) else 0.0
    return options.month_days / days if days >= options.fewest_days else math.nan


def _bounds(drawn: Floats) -> tuple[float, float]:
    return float(np.quantile(drawn, 0.025)), float(np.quantile(drawn, 0.975))


def _resampled(
    change_s: Floats, minutes: Floats, dollars: Floats, runs: Ints, options: TimingOptions
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return the medians and means of change_s, and the sums of minutes and dollars, over runs drawn with replacement.

    Each draw counts how often a run was drawn rather than to copy its attempts.
    """
    if not len(change_s):
        nothing = np.array([math.nan])
        return nothing, nothing, nothing, nothing
    n_runs = int(runs.max()) + 1
    order = np.argsort(change_s, kind="stable")
    ordered, owners = change_s[order], runs[order]
    sums = np.array([np.bincount(runs, weights=values, minlength=n_runs) for values in (change_s, minutes, dollars)])
    dice = np.random.default_rng(options.seed)
    found = np.empty((4, options.n_resamples))
    for draw in range(options.n_resamples):
        times = np.bincount(dice.integers(0, n_runs, n_runs), minlength=n_runs)
        upto = np.cumsum(times[owners])
        n = int(upto[-1])
        below, above = np.searchsorted(upto, ((n - 1) // 2, n // 2), side="right")
        # No matrix product: for long vectors it starts threads, which cost more than they save a thousand times over.
        found[1:, draw] = (sums * times).sum(axis=1)
        found[0, draw] = (ordered[below] + ordered[above]) / 2
        found[1, draw] /= n
    return found[0], found[1], found[2], found[3]
