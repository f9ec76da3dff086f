"""The log viewer: what stands in the page for each press of a button, and that a stranger's words stay words."""

from __future__ import annotations

import re

import pytest

from kotaci.lab.reading import MOST_CHARS, OVERLAP, ROWS, WINDOW, LogViewer
from kotaci.report.blocks import note
from kotaci.report.inline import Inline
from tests.builders import stamped

TITLE = note(Inline.of("ci.yml / test"))


def viewer(text: str | None, *, hits: tuple[int, ...] = ()) -> LogViewer:
    made = LogViewer()
    made.show(text, title=TITLE, hits=hits)
    return made


def numbers(made: LogViewer) -> list[int]:
    return [int(number) for number in re.findall(r'data-n="(\d+)"', made.pane.value)]


def long_log(n_lines: int = 1_000) -> str:
    return stamped([f"line {number} of many" for number in range(1, n_lines + 1)])


def test_a_log_opens_at_its_start_and_only_a_window_of_it_is_in_the_page() -> None:
    made = viewer(long_log())
    assert numbers(made) == list(range(1, WINDOW + 1))
    assert "Lines 1 to 200 of 1,000" in made.pane.value
    assert "2026-03-02T" not in made.pane.value
    assert made.failure.disabled


def test_it_opens_at_the_lines_that_explain_the_failure_and_comes_back_to_them() -> None:
    made = viewer(long_log(), hits=(500, 501))
    assert numbers(made)[0] == 492
    assert re.findall(r'class="([^"]*k-hit[^"]*)" data-n="(\d+)"', made.pane.value) == [
        ("k-hit k-target", "500"), ("k-hit", "501"),
    ]  # fmt: skip
    made.last.click()
    assert numbers(made) == list(range(1_000 - ROWS + 1, 1_001))
    made.failure.click()
    assert 500 in numbers(made)


def test_buttons_go_through_it_without_a_gap() -> None:
    made = viewer(long_log())
    seen = set(numbers(made))
    while numbers(made)[-1] < 1_000:
        made.forward.click()
        seen |= set(numbers(made))
    assert seen == set(range(1, 1_001))
    made.last.click()
    made.forward.click()
    assert numbers(made)[-1] == 1_000
    made.back.click()
    assert numbers(made)[0] == 1_000 - ROWS + 1 - WINDOW + OVERLAP
    made.first.click()
    made.back.click()
    assert numbers(made)[0] == 1


def test_the_slider_and_a_number_move_it() -> None:
    made = viewer(long_log())
    made.position.value = 300
    assert numbers(made)[0] == 300
    made.line.value = 700
    assert 'class="k-target" data-n="700"' in made.pane.value
    made.line.value = 5_000
    assert numbers(made)[-1] == 1_000


def test_the_failure_of_a_short_log_is_seen_without_scrolling() -> None:
    made = viewer(long_log(201), hits=(190,))
    assert numbers(made)[0] > 190 - ROWS


def test_a_search_goes_from_hit_to_hit_and_round() -> None:
    made = viewer(stamped(["Error: one", *["nothing"] * 500, "an ERROR: two", "end"]))
    made.search.value = "error:"
    assert "1 of 2 lines with “error:”" in made.where.value
    assert "<mark>Error:</mark> one" in made.pane.value
    made.after.click()
    assert "2 of 2" in made.where.value
    assert "an <mark>ERROR:</mark> two" in made.pane.value
    made.after.click()
    assert "1 of 2" in made.where.value
    made.before.click()
    assert "2 of 2" in made.where.value
    made.search.value = "absent [a-z]+"
    assert "No line holds “absent [a-z]+”." in made.where.value
    made.after.click()
    made.search.value = ""
    assert made.where.value == ""
    assert "<mark>" not in made.pane.value


def test_a_search_begins_below_what_is_shown() -> None:
    made = viewer(long_log())
    made.position.value = 400
    made.search.value = "of many"
    assert "400 of 1,000 lines" in made.where.value


def test_a_strangers_words_stay_words(hostile: list[str]) -> None:
    made = viewer(stamped([line for text in hostile for line in text.split("\n")]))
    inside = re.sub(r"</?(?:div|p|pre|span|mark)(?: [^<>]*)?>", "", made.pane.value)
    assert "<" not in inside
    assert "\x1b" not in made.pane.value
    assert "\u202e" not in made.pane.value
    made.search.value = "<script>"
    assert "<mark>&lt;script&gt;</mark>" in made.pane.value
    assert "<script>" not in made.pane.value + made.where.value


def test_markers_of_the_runner_are_told_by_colour_not_by_code() -> None:
    made = viewer(stamped(["##[group]Run cargo test", "##[endgroup]", "##[error]It failed", "##[warning]old"]))
    assert re.findall(r'class="([^"]*)" data-n="\d+">([^\n]*)', made.pane.value) == [
        ("k-group", "Run cargo test"), ("k-echo", ""), ("k-error", "It failed"), ("k-warning", "old"),
    ]  # fmt: skip


def test_a_giant_line_is_cut_and_says_so() -> None:
    made = viewer("x" * 400_000 + "\nend\n")
    assert f" … and {400_000 - MOST_CHARS:,} more characters" in made.pane.value
    assert len(made.pane.value) < 4_000


@pytest.mark.parametrize(("text", "said"), [(None, ""), ("", "The log is empty.")])
def test_no_log_and_an_empty_one(text: str | None, said: str) -> None:
    made = viewer(text, hits=(3,))
    assert made.pane.value == ""
    assert said in made.said.value
    assert made.failure.disabled


def test_another_log_forgets_the_one_before() -> None:
    made = viewer(long_log(), hits=(900,))
    made.search.value = "many"
    made.show("one\ntwo\n", title=TITLE)
    assert numbers(made) == [1, 2]
    assert "<mark>" not in made.pane.value
    made.search.value = "two"
    assert "1 of 1 line with “two”" in made.where.value
