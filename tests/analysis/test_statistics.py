"""Intervals against published values, and what must hold for all of them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kotaci.analysis.statistics import median_interval, rate_change, wilson

COUNTS = st.integers(1, 5_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@pytest.mark.parametrize(
    ("x", "n", "low", "high"),
    [
        # Newcombe (1998), Statistics in Medicine 17:857, table I, method 3 (Wilson without continuity correction).
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_gives_the_published_intervals(x: int, n: int, low: float, high: float) -> None:
    assert wilson(x, n) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


def test_wilson_knows_nothing_without_trials() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


@given(COUNTS)
def test_wilson_holds_the_rate_and_stays_between_zero_and_one(counts: tuple[int, int]) -> None:
    x, n = counts
    low, high = wilson(x, n)
    assert 0.0 <= low <= x / n <= high <= 1.0


@given(COUNTS, st.integers(2, 10))
def test_wilson_shrinks_with_n(counts: tuple[int, int], times: int) -> None:
    x, n = counts
    (low, high), (low_of_more, high_of_more) = wilson(x, n), wilson(x * times, n * times)
    assert high_of_more - low_of_more < high - low


@given(COUNTS)
def test_wilson_is_the_same_seen_from_the_other_side(counts: tuple[int, int]) -> None:
    x, n = counts
    low, high = wilson(x, n)
    assert wilson(n - x, n) == (pytest.approx(1 - high), pytest.approx(1 - low))


@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    [
        # Newcombe (1998), Statistics in Medicine 17:873, table II, method 10; there p1 - p2, so the groups are
        # changed about.
        ((48, 80), (56, 70), 0.0524, 0.3339),
        ((3, 10), (9, 10), 0.1705, 0.8090),
        ((2, 7), (6, 7), 0.0582, 0.8062),
        ((0, 29), (5, 56), -0.0381, 0.1926),
        ((0, 20), (0, 10), -0.1611, 0.2775),
        ((0, 10), (10, 10), 0.6075, 1.0000),
    ],
)
def test_rate_change_gives_the_published_intervals(
    first: tuple[int, int], second: tuple[int, int], low: float, high: float
) -> None:
    change, found_low, found_high = rate_change(*first, *second)
    assert change == pytest.approx(second[0] / second[1] - first[0] / first[1])
    assert (found_low, found_high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


def test_rate_change_knows_nothing_where_one_side_is_empty() -> None:
    assert all(math.isnan(value) for value in (*rate_change(0, 0, 1, 2), *rate_change(1, 2, 0, 0)))


@given(COUNTS, COUNTS)
def test_rate_change_holds_the_difference(first: tuple[int, int], second: tuple[int, int]) -> None:
    change, low, high = rate_change(*first, *second)
    assert -1.0 <= low <= change <= high <= 1.0


@given(COUNTS, COUNTS)
def test_rate_change_turns_its_sign_with_the_groups(first: tuple[int, int], second: tuple[int, int]) -> None:
    change, low, high = rate_change(*first, *second)
    assert rate_change(*second, *first) == (pytest.approx(-change), pytest.approx(-high), pytest.approx(-low))


@pytest.mark.parametrize(
    ("values", "median", "low", "high"),
    [
        ([], math.nan, math.nan, math.nan),
        ([7.0], 7, 7, 7),
        ([3.0, 1.0, 2.0], 2, 1, 3),
        ([5.0, math.nan, 1.0], 3, 1, 5),
        # Ranks n/2 -+ 0.98 sqrt(n): of 100 values the 41st and the 60th.
        ([float(number) for number in range(1, 101)], 50.5, 41, 60),
        ([float(number) for number in range(1, 12)], 6, 3, 9),
    ],
)
def test_the_median_lies_between_its_order_statistics(
    values: list[float], median: float, low: float, high: float
) -> None:
    assert median_interval(values) == pytest.approx((median, low, high), nan_ok=True)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=200))
def test_the_median_lies_within_its_interval(values: list[float]) -> None:
    median, low, high = median_interval(values)
    assert min(values) <= low <= median <= high <= max(values)
