"""A break is found once enough commits show it, noise is not, and the culprit lies in the interval."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kotaci.analysis.changes import (
    Change,
    ChangeOptions,
    failures_in_a_row_needed,
    find_changes,
    passes_needed_to_call_fixed,
    reruns_to_see,
)
from tests.builders import SEEDED


def changes(outcomes: str, *, options: ChangeOptions | None = None) -> list[Change]:
    """Return the changes of a history with one run a commit: `.` passed, `F` failed, a space was never run."""
    return find_changes([int(c == "F") for c in outcomes], [int(c != " ") for c in outcomes], options=options)


def test_a_clean_break_is_found_where_it_is() -> None:
    (change,) = changes("." * 30 + "F" * 6)
    assert (change.position, change.first, change.last) == (30, 27, 31)
    assert (change.rate_before, change.n_before, change.rate_after, change.n_after) == (0, 30, 1, 6)
    assert change.is_worse
    assert change.log_odds > 0


def test_two_failures_after_twenty_passes_are_not_enough() -> None:
    assert changes("." * 20 + "FF") == []


def test_a_break_that_was_mended_has_two_changes() -> None:
    broke, mended = changes("." * 60 + "F" * 8 + "." * 60)
    assert (broke.position, mended.position) == (60, 68)
    assert (broke.is_worse, mended.is_worse) == (True, False)
    assert (broke.n_after, mended.n_before) == (8, 8)


def test_a_green_stretch_in_a_flaky_history_is_found() -> None:
    assert [change.position for change in changes("F..F" * 20 + "." * 60 + "F..F" * 20)] == [80, 140]


def test_commits_that_were_not_tested_may_be_the_culprit() -> None:
    (change,) = changes("." * 30 + "   " + "F" * 8)
    assert (change.position, change.first, change.last) == (33, 29, 33)


def test_a_rate_that_rises_has_a_wide_interval() -> None:
    (change,) = changes("...F......" * 6 + "FF.F.FFF.F" * 3)
    assert change.first < change.position <= change.last
    assert (change.rate_before, change.rate_after) == (pytest.approx(0.1, abs=0.02), pytest.approx(0.7, abs=0.05))


def test_runs_of_one_commit_count_together() -> None:
    (change,) = find_changes([0, 1, 0, 0, 9, 10], [10, 10, 10, 10, 10, 10])
    assert (change.position, change.n_failed_before, change.n_before) == (4, 1, 40)


def test_options_decide() -> None:
    history = "." * 20 + "FFF"
    assert changes(history) == []
    assert len(changes(history, options=ChangeOptions(change_chance=0.01))) == 1
    assert len(changes("." * 20 + "F" * 5, options=ChangeOptions(alpha=0.5, beta=0.5))) == 1


@pytest.mark.parametrize(("failed", "runs"), [([1], [0]), ([-1], [1]), ([0, 0], [1])])
def test_numbers_that_do_not_fit_are_refused(failed: list[int], runs: list[int]) -> None:
    with pytest.raises(ValueError, match="failed <= runs"):
        find_changes(failed, runs)


def test_no_commits_no_changes() -> None:
    assert find_changes([], []) == []
    assert find_changes([1], [1]) == []
    assert find_changes([0, 0, 0], [0, 0, 0]) == []


@SEEDED
@given(st.lists(st.integers(0, 20), max_size=200))
def test_all_green_never_changes(runs: list[int]) -> None:
    assert find_changes([0] * len(runs), runs) == []
    assert find_changes(runs, runs) == []


@SEEDED
@given(st.integers(10, 200), st.integers(0, 40))
def test_a_clean_break_is_called_exactly_when_long_enough(n: int, k: int) -> None:
    needed = failures_in_a_row_needed(0, n)
    assert needed is not None
    found = changes("." * n + "F" * k)
    assert [change.position for change in found] == ([n] if k >= needed else [])


@SEEDED
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=80))
def test_the_interval_holds_the_position_and_changes_are_in_order(pairs: list[tuple[int, int]]) -> None:
    found = find_changes([x for x, _ in pairs] + [5] * 9, [x + more for x, more in pairs] + [5] * 9)
    assert [change.position for change in found] == sorted({change.position for change in found})
    for change in found:
        assert 0 < change.first <= change.position <= change.last < len(pairs) + 9
        assert change.log_odds > 0
        assert change.n_before > 0 < change.n_after


@SEEDED
@given(st.randoms(use_true_random=False))
def test_the_order_within_a_stretch_of_one_rate_does_not_matter(chance: random.Random) -> None:
    before = list("." * 90 + "F" * 3)
    chance.shuffle(before)
    (change,) = changes("".join(before) + "." * 7 + "F" * 20)
    assert (change.position, change.n_failed_before) == (100, 3)


@SEEDED
@given(st.lists(st.sampled_from(".F"), max_size=60), st.integers(1, 20))
def test_an_untested_commit_changes_no_rate(outcomes: list[str], at: int) -> None:
    whole = "".join(outcomes)
    without = [(c.n_before, c.n_after, c.n_failed_after) for c in changes(whole)]
    assert [(c.n_before, c.n_after, c.n_failed_after) for c in changes(whole[:at] + "  " + whole[at:])] == without


IN_A_ROW = {20: (4, 4, 6, 8, 11), 50: (3, 3, 5, 6, 9), 100: (3, 3, 4, 6, 8), 300: (2, 3, 4, 5, 8)}


@pytest.mark.parametrize("n", IN_A_ROW)
def test_failures_in_a_row_needed(n: int) -> None:
    assert tuple(failures_in_a_row_needed(rate, n) for rate in (0, 0.01, 0.05, 0.1, 0.2)) == IN_A_ROW[n]


def test_passes_needed_to_call_fixed() -> None:
    assert [passes_needed_to_call_fixed(rate) for rate in (0.05, 0.1, 0.2, 0.5, 1)] == [779, 187, 64, 17, 3]
    assert passes_needed_to_call_fixed(0.05, 20) is None


def test_reruns_to_see_one_more_failure() -> None:
    assert [reruns_to_see(rate) for rate in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)] == [299, 149, 59, 29, 14, 5]
    assert (reruns_to_see(0), reruns_to_see(1), reruns_to_see(0.5, certainty=0.5)) == (None, 1, 1)
