"""Many patterns at once: which match, what is refused, and that no line takes for ever."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kotaci.logs.patterns import LinePatterns, PatternSet, pattern_problem

PATTERNS = (r"error\[E\d{4}\]", r"(?i)no space left", r"^FAILED ", r"café")


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("error[E0308]: mismatched types", [0]),
        ("No space left: error[E0001]", [0, 1]),
        ("it FAILED twice", []),
        ("FAILED twice", [2]),
        ("café ☕", [3]),
        ("", []),
    ],
)
def test_tells_which_patterns_match(text: str, places: list[int]) -> None:
    assert PatternSet(PATTERNS).found_in(text) == places


def test_no_patterns_match_nothing() -> None:
    assert PatternSet(()).found_in("anything") == []


@given(st.text(alphabet="abx01 [E]", max_size=40))
def test_agrees_with_re(text: str) -> None:
    patterns = (r"a+b", r"\d\d", r"^x", r"[E]$", r"x(?:a|b)*0")
    expected = [place for place, pattern in enumerate(patterns) if re.search(pattern, text)]
    assert PatternSet(patterns).found_in(text) == expected


@pytest.mark.parametrize("pattern", ["(", r"(?=look)", r"(a)\1", "[z-a]"])
def test_names_what_is_wrong(pattern: str) -> None:
    assert pattern_problem(pattern)
    with pytest.raises(ValueError, match=r"invalid|missing|bad"):
        PatternSet([pattern])


def test_nested_repetition_ends_on_a_long_line() -> None:
    assert PatternSet([r"(a|a)*(a*)*$b"]).found_in("a" * 1_000_000) == []


def test_more_patterns_than_one_filter_holds() -> None:
    patterns = [f"{number:04} " + "word" * 70 for number in range(1_000)]
    assert PatternSet(patterns).found_in(f"{patterns[3]} and {patterns[998]}") == [3, 998]


@given(st.text(alphabet="aÄéßKſ0 ", max_size=12))
def test_agrees_with_re_on_other_letters_and_without_words(text: str) -> None:
    patterns = ("(?i)äé", "ß", r"\s0", "(?i)k")
    expected = [place for place, pattern in enumerate(patterns) if re.search(pattern, text)]
    assert PatternSet(patterns).found_in(text) == expected


def test_line_patterns_find_in_one_line_and_the_lines_of_a_text() -> None:
    patterns = LinePatterns([r"^FAIL ", r"ed$"], before=r"\[\d+\] ")
    assert patterns.found_in("FAIL a") == [0]
    assert patterns.found_in("FAIL it ended") == [0, 1]
    assert patterns.found_in("[1] FAIL a") == []
    assert patterns.lines_of("a\n[1] FAIL b\nFAIL c\nrested, ended\n\nended") == [1, 3, 5]
    assert patterns.lines_of("") == []


def test_rows_of_many_lines_are_found_at_once_and_told_line_by_line() -> None:
    patterns = LinePatterns([r"^ok ", r"bad$"], before="> ", many="ok .*")
    assert patterns.lines_of("> ok a\n> ok b\nno\n> ok c\nit is bad\n> ok d") == [0, 1, 3, 4, 5]


def test_line_patterns_name_the_one_that_is_none() -> None:
    with pytest.raises(ValueError, match=r"'\(': missing"):
        LinePatterns(["a", "("])
