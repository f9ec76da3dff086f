"""A claim is judged by the interval of what was measured, and few runs are not made to say more than they can."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kotaci.analysis.claims import Answer, judge_claim, judge_rate_claim, shift_ratio
from tests.builders import SEEDED

BEFORE = [100.0, 104, 97, 110, 92, 101, 99, 106]
DURATIONS = st.lists(st.floats(min_value=1, max_value=1e4), min_size=1, max_size=15)


def times(ratio: float) -> list[float]:
    return [value * ratio for value in BEFORE]


@pytest.mark.parametrize(
    ("ratio", "claimed", "answer"),
    [
        (0.5, 0.5, Answer.CONFIRMED),
        (0.4, 0.5, Answer.CONFIRMED),
        (1.0, 0.5, Answer.CONTRADICTED),
        (0.8, 0.5, Answer.CONTRADICTED),
        (0.98, 0.97, Answer.UNTOLD),
        (1.5, 1.5, Answer.CONFIRMED),
        (1.0, 1.5, Answer.CONTRADICTED),
    ],
)
def test_the_interval_answers(ratio: float, claimed: float, answer: Answer) -> None:
    claim = judge_claim(BEFORE, times(ratio), claimed_ratio=claimed)
    assert claim.answer == answer
    assert claim.ratio == pytest.approx(ratio)
    assert claim.low < ratio < claim.high
    assert claim.after == pytest.approx(claim.before * ratio)


def test_the_interval_is_that_of_the_tables() -> None:
    """Hollander & Wolfe, table A.6: for 5 against 5 the bounds are the 3rd and the 23rd of the 25 differences."""
    before, after = np.exp([0.0, 1, 2, 3, 4]), np.exp([0.1, 1.2, 2.3, 3.4, 4.5])
    logs = sorted(math.log(y / x) for x in before for y in after)
    ratio, low, high = shift_ratio(list(before), list(after))
    assert (math.log(ratio), math.log(low), math.log(high)) == pytest.approx((logs[12], logs[2], logs[22]))


def test_the_least_that_can_be_told_is_four_against_four() -> None:
    assert not math.isnan(shift_ratio(BEFORE[:4], BEFORE[:4])[1])
    assert not math.isnan(shift_ratio(BEFORE[:3], BEFORE[:5])[1])
    assert math.isnan(shift_ratio(BEFORE[:4], BEFORE[:3])[1])


def test_counted_and_approximate_bounds_meet() -> None:
    chance = np.random.default_rng(1)
    before, after = chance.lognormal(0, 0.1, 20), chance.lognormal(0, 0.1, 21)
    _, low, high = shift_ratio(list(before), list(after))
    _, low_exact, high_exact = shift_ratio(list(before), list(after[:20]))
    assert (low, high) == pytest.approx((low_exact, high_exact), abs=0.02)


def test_too_few_runs_say_how_many_it_takes() -> None:
    claim = judge_claim(BEFORE[:4], [50.0, 51], claimed_ratio=0.5)
    assert (claim.answer, claim.n_before, claim.n_after, claim.runs_needed) == (Answer.UNTOLD, 4, 2, 4)
    assert math.isnan(claim.low)
    assert claim.detectable is None
    assert judge_claim(BEFORE[:4], times(0.5)[:4], claimed_ratio=0.5).answer == Answer.CONFIRMED
    assert judge_claim([], [50.0], claimed_ratio=0.5).runs_needed is None
    assert judge_claim(BEFORE, [], claimed_ratio=0.5).runs_needed == 3
    assert math.isnan(judge_claim(BEFORE * 5, [50.0, 51], claimed_ratio=0.5).low)


def test_what_could_have_been_shown_grows_with_the_noise() -> None:
    quiet = judge_claim(BEFORE, times(0.99), claimed_ratio=0.97)
    wild = judge_claim(BEFORE, [60.0, 180, 90, 140, 75, 101, 99, 130], claimed_ratio=0.97)
    assert quiet.detectable is not None
    assert wild.detectable is not None
    assert 0.03 < quiet.detectable < 0.2 < wild.detectable < 0.6


@pytest.mark.parametrize(("before", "claimed"), [([0.0, 1], 0.5), ([math.nan], 0.5), ([1.0], 1.0), ([1.0], 0.0)])
def test_what_cannot_be_judged_is_refused(before: list[float], claimed: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        judge_claim(before, [1.0], claimed_ratio=claimed)


@SEEDED
@given(DURATIONS, DURATIONS)
def test_swapping_the_sides_inverts_the_ratio(before: list[float], after: list[float]) -> None:
    ratio, low, high = shift_ratio(before, after)
    back, back_low, back_high = shift_ratio(after, before)
    assert back == pytest.approx(1 / ratio)
    assert math.isnan(low) == math.isnan(back_low)
    if not math.isnan(low):
        assert (back_low, back_high) == pytest.approx((1 / high, 1 / low))
        assert low <= ratio <= high


def test_the_interval_covers_and_a_false_claim_is_not_confirmed() -> None:
    """1,000 simulated claims with noise of 15 % and a slow run in twenty; 5 to 24 runs a side."""
    chance = np.random.default_rng(20260302)
    n_covered = n_wrongly_confirmed = n_wrongly_contradicted = n_told = 0
    for _ in range(1_000):
        n, m = chance.integers(5, 25, 2)
        true = chance.choice([1.0, 0.9, 0.7, 0.5])
        values = chance.lognormal(0, 0.15, n + m) * np.where(chance.random(n + m) < 0.05, 2.0, 1.0) * 300
        claim = judge_claim(list(values[:n]), list(values[n:] * true), claimed_ratio=0.7)
        n_covered += claim.low <= true <= claim.high
        n_told += claim.answer != Answer.UNTOLD
        n_wrongly_confirmed += true == 1 and claim.answer == Answer.CONFIRMED
        n_wrongly_contradicted += true <= 0.7 and claim.answer == Answer.CONTRADICTED
    assert n_covered >= 940
    assert n_told > 900
    assert n_wrongly_confirmed <= 10
    assert n_wrongly_contradicted <= 20


def test_rates_are_judged_by_their_difference() -> None:
    assert judge_rate_claim(30, 60, 5, 60, claimed_ratio=0.2).answer == Answer.CONFIRMED
    assert judge_rate_claim(30, 60, 29, 60, claimed_ratio=0.2).answer == Answer.CONTRADICTED
    few = judge_rate_claim(2, 10, 1, 10, claimed_ratio=0.5)
    assert (few.answer, few.detectable) == (Answer.UNTOLD, None)
    assert judge_rate_claim(10, 100, 90, 100, claimed_ratio=8.0).answer == Answer.CONFIRMED
    assert judge_rate_claim(0, 50, 1, 50, claimed_ratio=0.5).answer == Answer.UNTOLD
    assert judge_rate_claim(5, 50, 0, 0, claimed_ratio=0.5).answer == Answer.UNTOLD
