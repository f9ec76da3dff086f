"""Since when something fails more, or less: change points in a series of commits, each with its culprit interval.

The method is that of LUCI Analysis (Chromium): Beta-Binomial likelihoods with and without a change, recursively. A
break that was mended again divides its series badly at any one commit, so where no single split is found a stretch
between two of them is looked for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln

_MOST_IN_A_ROW = 10_000
"""Longer rows nobody waits for: then None, "cannot be told so"."""

_RATES = (0.001, 0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98)
"""Rates that a stretch is looked for with; the one found is then weighed by its own numbers."""

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ChangeOptions:
    """When a change is called. The defaults are LUCI's for results before retries.

    `alpha` and `beta`: prior of the failure rate, Beta(.3, .5). `change_chance`: how likely a change is beforehand;
    the evidence must outweigh it. `certainty`: of the culprit interval.
    """

    alpha: float = 0.3
    beta: float = 0.5
    change_chance: float = 1e-4
    certainty: float = 0.99


@dataclass(frozen=True)
class Change:
    """One change of the failure rate.

    `position` is the index of the first commit with the new rate; the commit that did it lies in `first..last`, both
    included, with the options' certainty, if rates stay as they are between changes. Before and after reach to the
    neighbouring changes. `log_odds` (natural) for a change over none, prior included: above 0, the more the surer.
    """

    position: int
    first: int
    last: int
    n_failed_before: int
    n_before: int
    n_failed_after: int
    n_after: int
    log_odds: float

    @property
    def rate_before(self) -> float:
        """Return the share of `n_before` runs that failed since the change before."""
        return self.n_failed_before / self.n_before

    @property
    def rate_after(self) -> float:
        """Return the share of `n_after` runs that failed until the next change."""
        return self.n_failed_after / self.n_after

    @property
    def is_worse(self) -> bool:
        """Tell a regression from a repair."""
        return self.rate_after > self.rate_before


@dataclass(frozen=True)
class _History:
    """Prefix sums over the commits, so that any stretch costs nothing to weigh."""

    failed: Counts
    runs: Counts
    options: ChangeOptions

    def log_likelihood(self, start: NDArray[np.int64] | int, end: NDArray[np.int64] | int) -> Floats:
        """Return the likelihood of the commits start..end-1 under one rate, integrated over the prior."""
        x, n = self.failed[end] - self.failed[start], self.runs[end] - self.runs[start]
        alpha, beta = self.options.alpha, self.options.beta
        return np.asarray(betaln(x + alpha, n - x + beta) - betaln(alpha, beta))

    def by_position(self, start: int, end: int) -> Floats:
        """Return the likelihood of one change at each of start+1..end-1."""
        at = np.arange(start + 1, end)
        return self.log_likelihood(start, at) + self.log_likelihood(at, end)

    def log_odds(self, start: int, cuts: Sequence[int], end: int) -> float:
        """Return the log odds for changes at the cuts over none, prior included."""
        bounds = np.array([start, *cuts, end])
        parts = float(self.log_likelihood(bounds[:-1], bounds[1:]).sum())
        return parts - float(self.log_likelihood(start, end)) + len(cuts) * math.log(self.options.change_chance)


def find_changes(
    n_failed: Sequence[int], n_runs: Sequence[int], *, options: ChangeOptions | None = None
) -> list[Change]:
    """Return the changes of the failure rate along commits in order, the earliest first.

    `n_failed[i]` of `n_runs[i]` runs of commit i failed; a commit without a run counts for nothing but may be the
    culprit. Raises ValueError where the numbers do not fit together. No change found is no proof of none:
    `failures_in_a_row_needed` tells what it takes. Misleads where runs of a commit are not independent (attempts of one
    run: give the first only), and where the rate swings with the time of day or the load. A split costs time linear
    in the commits.
    """
    if len(n_failed) != len(n_runs) or any(not 0 <= x <= n for x, n in zip(n_failed, n_runs, strict=True)):
        raise ValueError("n_failed and n_runs must be of one length, with 0 <= failed <= runs at each commit")
    history = _History(
        failed=np.concatenate(([0], np.cumsum(n_failed, dtype=np.int64))),
        runs=np.concatenate(([0], np.cumsum(n_runs, dtype=np.int64))),
        options=options or ChangeOptions(),
    )
    n = len(n_runs)
    cuts: list[int] = []
    waiting = [(0, n)]
    while waiting:
        start, end = waiting.pop()
        found = _split(history, start, end)
        cuts += found
        waiting += [pair for pair in zip([start, *found], [*found, end], strict=True) if found]
    cuts = _standing(history, sorted(cuts), n)
    placed: list[int] = []
    for place, _ in enumerate(cuts):
        placed.append(_best_position(history, placed[-1] if placed else 0, cuts[place + 1] if cuts[place + 1 :] else n))
    cuts = _standing(history, placed, n)
    return [_change(history, *window) for window in _windows(cuts, n)]


def _windows(cuts: Sequence[int], end: int) -> list[tuple[int, int, int]]:
    """Return each cut between its neighbours."""
    bounds = [0, *cuts, end]
    return list(zip(bounds, bounds[1:], bounds[2:], strict=False))


def _split(history: _History, start: int, end: int) -> list[int]:
    """Return where to split: at one place, else at both ends of a stretch, else nowhere."""
    if end - start < 2:
        return []
    best = _best_position(history, start, end)
    if history.log_odds(start, [best], end) > 0:
        return [best]
    stretches = [found for found in _stretches(history, start, end) if history.log_odds(start, found, end) > 0]
    return max(stretches, key=lambda found: history.log_odds(start, found, end), default=[])


def _best_position(history: _History, start: int, end: int) -> int:
    """Return the likeliest position; of equal ones, as commits without a run have, the last: there a run was."""
    likelihoods = history.by_position(start, end)
    return end - 1 - int(np.argmax(likelihoods[::-1]))


def _stretches(history: _History, start: int, end: int) -> list[list[int]]:
    """Return candidates for a stretch of its own rate: for each rate that of the largest likelihood ratio (Kadane)."""
    x = history.failed[start : end + 1] - history.failed[start]
    n = history.runs[start : end + 1] - history.runs[start]
    overall = min(max(float(x[-1] / n[-1]) if n[-1] else 0.0, 1e-3), 1 - 1e-3)
    found = []
    for rate in _RATES:
        sums = x * math.log(rate / overall) + (n - x) * math.log((1 - rate) / (1 - overall))
        last = int(np.argmax(sums - np.minimum.accumulate(sums)))
        first = int(np.argmin(sums[: last + 1]))
        if 0 < first < last < end - start:
            found.append([start + first, start + last])
    return found


def _standing(history: _History, cuts: Sequence[int], end: int) -> list[int]:
    """Return the cuts that have the odds for them between their neighbours; the weakest goes first."""
    kept = list(cuts)
    while kept:
        odds = [history.log_odds(left, [cut], right) for left, cut, right in _windows(kept, end)]
        if min(odds) > 0:
            break
        del kept[odds.index(min(odds))]
    return kept


def _change(history: _History, start: int, cut: int, end: int) -> Change:
    likelihoods = history.by_position(start, end)
    weights = np.exp(likelihoods - likelihoods.max())
    below = np.cumsum(weights) / weights.sum()
    tail = (1 - history.options.certainty) / 2
    first = start + 1 + int(np.searchsorted(below, tail, side="right"))
    last = start + 1 + int(np.searchsorted(below, 1 - tail))
    return Change(
        position=cut,
        first=min(first, cut),
        last=max(min(last, end - 1), cut),
        n_failed_before=int(history.failed[cut] - history.failed[start]),
        n_before=int(history.runs[cut] - history.runs[start]),
        n_failed_after=int(history.failed[end] - history.failed[cut]),
        n_after=int(history.runs[end] - history.runs[cut]),
        log_odds=history.log_odds(start, [cut], end),
    )


# -- how much it takes ------------------------------------------------------------------------------------------------


def failures_in_a_row_needed(rate: float, n: int, *, options: ChangeOptions | None = None) -> int | None:
    """Return how many failures in a row call a regression, after n runs of which the share `rate` failed.

    None where even 10,000 would not. Once they are that many they are called at once; the count is what
    `find_changes` needs, so with 20 runs at 0 % it takes 4, with 300 only 2.
    """
    return _needed(rate, n, fail=True, options=options or ChangeOptions())


def passes_needed_to_call_fixed(rate: float, n: int = 100, *, options: ChangeOptions | None = None) -> int | None:
    """Return how many passes in a row call it fixed, after n runs of which the share `rate` failed.

    None where even 10,000 would not: after few runs a low rate cannot be told from none.
    """
    return _needed(rate, n, fail=False, options=options or ChangeOptions())


def _needed(rate: float, n: int, *, fail: bool, options: ChangeOptions) -> int | None:
    k = np.arange(_MOST_IN_A_ROW + 1)
    x, new = round(rate * n), k if fail else np.zeros_like(k)

    def likelihood(failed: int | Counts, runs: int | Counts) -> Floats:
        alpha, beta = options.alpha, options.beta
        return np.asarray(betaln(failed + alpha, runs - failed + beta) - betaln(alpha, beta))

    odds = likelihood(x, n) + likelihood(new, k) - likelihood(x + new, n + k) + math.log(options.change_chance)
    enough = np.flatnonzero(odds > 0)
    return int(enough[0]) if len(enough) else None


def reruns_to_see(rate: float, *, certainty: float = 0.95) -> int | None:
    """Return how many independent reruns show one more failure with that certainty; None for a rate of 0."""
    if rate <= 0:
        return None
    return 1 if rate >= 1 else math.ceil(math.log(1 - certainty) / math.log(1 - rate))
