"""How numbers, durations and moments read."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kotaci.model import plural
from kotaci.report import words


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0, "0 s"),
        (0.0002, "<1 ms"),
        (0.04, "40 ms"),
        (0.84, "0.8 s"),
        (9.96, "10 s"),
        (45, "45 s"),
        (59.6, "1 m"),
        (200, "3 m 20 s"),
        (3600, "1 h"),
        (6720, "1 h 52"),
        (3 * 86400 + 7200, "3 d 2 h"),
        (-200, "−3 m 20 s"),
        (None, "–"),
        (float("nan"), "–"),
    ],
)
def test_duration(seconds: float | None, written: str) -> None:
    assert words.duration(seconds) == written


@pytest.mark.parametrize(("value", "written"), [(12.4, "+12"), (-1204, "−1,204"), (-0.3, "0"), (float("nan"), "–")])
def test_signed(value: float, written: str) -> None:
    assert words.signed(value) == written


@pytest.mark.parametrize(
    ("rate", "written"),
    [
        (0.0, "0 %"),
        (0.0004, "<0.1 %"),
        (0.058, "5.8 %"),
        (0.31, "31 %"),
        (0.996, "99.6 %"),
        (0.99999, ">99.9 %"),
        (1.0, "100 %"),
        (pd.NA, "–"),
    ],
)
def test_percent(rate: float, written: str) -> None:
    assert words.percent(rate) == written


def test_interval() -> None:
    assert words.interval(0.31, low=0.23, high=0.42) == "31 % [23, 42]"
    assert words.interval(0.058, low=0.025, high=0.129) == "5.8 % [2.5, 13]"
    assert words.interval(0.31, low=None, high=None) == "31 %"


def test_numbers_plurals_and_too_few() -> None:
    assert [words.number(n) for n in (0.4, 12345, 2.0, 123.4, None)] == ["0.4", "12,345", "2", "123", "–"]
    assert [plural(1, "run"), plural(1200, "run"), plural(2, "leg of it", "legs of it")] == [
        "1 run",
        "1,200 runs",
        "2 legs of it",
    ]
    assert words.too_few(3) == "too few runs (n = 3)"
    assert words.minutes(1204) == "1,204 min"


def test_moments_are_utc() -> None:
    assert words.time("2026-11-22T18:40Z") == "22 Nov 2026, 18:40 UTC"
    assert words.time(pd.Timestamp("2026-11-22T20:40+02:00")) == "22 Nov 2026, 18:40 UTC"
    assert words.day(pd.Timestamp("2026-11-22")) == "22 Nov 2026"
    assert words.time(pd.NaT) == "–"


@given(st.text(), st.integers(min_value=2, max_value=80))
def test_one_line_is_one_short_line_without_controls(text: str, width: int) -> None:
    line = words.one_line(text, width=width)
    assert len(line) <= width
    assert line.isprintable() or not any(ord(c) < 32 or c in "\u202e\u2066" for c in line)


@given(st.floats(min_value=0, max_value=1))
def test_percent_says_nothing_and_all_only_where_it_is_so(rate: float) -> None:
    assert (words.percent(rate) == "0 %") == (rate == 0)
    assert (words.percent(rate) == "100 %") == (rate == 1)
