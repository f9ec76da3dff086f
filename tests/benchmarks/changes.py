"""What `find_changes` calls in simulated histories, with and without a regression, against two failures in a row."""

from __future__ import annotations

import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from time import perf_counter

from kotaci.analysis.changes import Change, failures_in_a_row_needed, find_changes, passes_needed_to_call_fixed

Row = tuple[str, str]

RATES = (0.0, 0.01, 0.05, 0.1, 0.2)
LENGTHS = (20, 50, 100, 300)
N_AFTER = 40
"""Commits that a planted regression lasts; one that is not called by then is missed."""
NEAR = 10
"""Commits that a call may lie beside the planted place and still be its call."""


@dataclass(frozen=True)
class Planted:
    """What came of one regression: commits until the call (None: missed), and the change then and at the end."""

    delay: int | None
    at_call: Change | None
    at_end: Change | None
    delay_in_a_row: int | None


def measure_changes(
    *, n_histories: int = 300, lengths: Sequence[int] = LENGTHS, rates: Sequence[float] = RATES, n_long: int = 10_000
) -> list[Row]:
    """Return per length and flake rate: false alarms, detection and delay, and how good the culprit interval is."""
    chance = random.Random(20260302)  # noqa: S311  (repeatable on purpose)
    rows = []
    for n in lengths:
        for rate in rates:
            rows += _cell(n, rate, n_histories, chance)
    for n in lengths:
        needed = "/".join(str(failures_in_a_row_needed(rate, n)) for rate in rates)
        rows.append((f"failures in a row needed after {n} commits, {_percents(rates)} flaky", needed))
    fixed = "/".join(str(passes_needed_to_call_fixed(rate)) for rate in (0.05, 0.1, 0.2, 0.5, 1))
    rows.append(("passes in a row to call fixed after 100 commits at 5/10/20/50/100 %", fixed))
    return [*rows, *_speed(n_long, chance)]


def _cell(n: int, rate: float, n_histories: int, chance: random.Random) -> list[Row]:
    name = f"{n} commits, {rate:.0%} flaky"
    quiet = [_outcomes(n, rate, chance) for _ in range(n_histories)]
    once = sum(bool(find_changes(history, [1] * n)) for history in quiet)
    ever = sum(_is_ever_called(history) for history in quiet)
    in_a_row = sum(_first_two_in_a_row(history) is not None for history in quiet)
    told = "; ".join(f"{count / n_histories:.1%}" for count in (once, ever, in_a_row))
    rows = [(f"{name}: false alarms, looked at once; after each commit; two in a row", told)]
    for after in (1.0, 0.5):
        planted = [_planted(n, rate, after, chance) for _ in range(n_histories)]
        delays = [one.delay for one in planted if one.delay is not None]
        plain = [one.delay_in_a_row for one in planted if one.delay_in_a_row is not None]
        what = f"{name}, then {after:.0%} fail"
        rows.append(
            (
                f"{what}: found, median delay; two in a row",
                f"{len(delays) / n_histories:.0%}, {_median(delays)}; {len(plain) / n_histories:.0%}, {_median(plain)}",
            )
        )
        rows.append(
            (
                f"{what}: culprit in its interval, median width, at the call; after {N_AFTER}",
                f"{_interval([one.at_call for one in planted], n)}; {_interval([one.at_end for one in planted], n)}",
            )
        )
    return rows


def _outcomes(n: int, rate: float, chance: random.Random) -> list[int]:
    return [int(chance.random() < rate) for _ in range(n)]


def _planted(n: int, rate: float, after: float, chance: random.Random) -> Planted:
    history = [*_outcomes(n, rate, chance), *_outcomes(N_AFTER, after, chance)]
    delay = at_call = None
    for k in range(1, N_AFTER + 1):
        # A commit that passed makes no regression likelier.
        if history[n + k - 1] and (at_call := _near(history[: n + k], n)):
            delay = k
            break
    in_a_row = _first_two_in_a_row(history[n:])
    return Planted(delay, at_call, _near(history, n), in_a_row)


def _near(history: Sequence[int], planted: int) -> Change | None:
    """Return the call of a regression that begins near the planted place."""
    changes = find_changes(history, [1] * len(history))
    return next((one for one in changes if one.is_worse and abs(one.position - planted) <= NEAR), None)


def _is_ever_called(history: Sequence[int]) -> bool:
    """Tell whether a regression is called by someone who looks after every commit."""
    return any(
        change.is_worse
        for end, failed in enumerate(history, start=1)
        if failed
        for change in find_changes(history[:end], [1] * end)
    )


def _first_two_in_a_row(history: Sequence[int]) -> int | None:
    """Return after how many commits two failures in a row were seen."""
    return next((place + 2 for place, pair in enumerate(pairwise(history)) if pair == (1, 1)), None)


def _median(values: Sequence[int]) -> str:
    return f"{statistics.median(values):g}" if values else "-"


def _interval(changes: Sequence[Change | None], planted: int) -> str:
    found = [one for one in changes if one]
    holding = sum(one.first <= planted <= one.last for one in found)
    widths = [one.last - one.first + 1 for one in found]
    return f"{holding / len(found):.1%}, {_median(widths)}" if found else "-"


def _percents(rates: Sequence[float]) -> str:
    return "/".join(f"{100 * rate:g}" for rate in rates) + " %"


def _speed(n: int, chance: random.Random) -> list[Row]:
    histories = {
        "flaky at 10 %": _outcomes(n, 0.1, chance),
        "broken for 30 commits of every 500": [int(at % 500 < 30) or int(chance.random() < 0.05) for at in range(n)],
        "25 red after 25 green, again and again": [at // 25 % 2 for at in range(n)],
    }
    rows = []
    for name, history in histories.items():
        began = perf_counter()
        found = find_changes(history, [1] * n)
        rows.append((f"{n:,} commits, {name}", f"{perf_counter() - began:.2f} s, {len(found)} changes"))
    return rows
