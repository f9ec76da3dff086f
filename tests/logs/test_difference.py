"""What a failed log says that the last green one does not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kotaci.logs.difference import is_new, masked
from kotaci.logs.lines import Line, parse_lines
from tests.builders import SEEDED


def new_lines(text: str, green: str) -> list[str]:
    lines = list(parse_lines(text))
    return [line.text for line, new in zip(lines, is_new(lines, parse_lines(green)), strict=True) if new]


def test_what_differs_from_run_to_run_is_not_new() -> None:
    green = "Finished in 12.31s\nat 0x7f3a, commit 0123456789abcdef\nwrote /tmp/tmp.Ab12/out\n"
    text = "Finished in 14.02s\nat 0x11bb, commit fedcba9876543210\nwrote /tmp/tmp.Xy98/out\nerror: no such index\n"
    assert new_lines(text, green) == ["error: no such index"]


def test_a_blank_line_is_never_new() -> None:
    assert new_lines("\n\n", "x\n") == []


def test_an_expected_error_of_a_passing_test_is_not_new() -> None:
    assert new_lines("ERROR refused as expected\nboom\n", "ERROR refused as expected\n") == ["boom"]


@SEEDED
@given(st.lists(st.text(max_size=30)))
def test_nothing_is_new_against_itself(texts: list[str]) -> None:
    lines = [Line(number, "", text) for number, text in enumerate(texts, start=1)]
    assert not any(is_new(lines, lines))


@SEEDED
@given(st.integers(0, 10**12), st.integers(0, 10**12))
def test_numbers_are_masked(one: int, other: int) -> None:
    assert masked(f"took {one} ms") == masked(f"took {other} ms")
