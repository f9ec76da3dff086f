"""A section is found again by its hidden mark, renewed in place with its history, and people's words stay."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kotaci.actions.identity import END, Marker, find_section, find_sections, merge, parse_marker, to_section, without
from kotaci.model import BadInput

FLAKY = Marker("flaky-test", "flaky-test:a-b-1f", exemplar="segments reopening", as_of="2026-11-20T14:28:00Z", seen=7)


def at(day: int, note: str, content: str = "words") -> str:
    marker = Marker("flaky-test", FLAKY.id, exemplar=FLAKY.exemplar, as_of=f"2026-11-{day:02}T00:00Z")
    return to_section(marker, content, note=note)


@given(st.text(min_size=1), st.text(min_size=1), st.text(max_size=120), st.integers(0, 10**17))
def test_any_marker_is_read_back_and_is_one_comment(topic: str, name: str, exemplar: str, seen: int) -> None:
    line = Marker(topic, name, exemplar=exemplar, seen=seen, parts=("a", "b")).line()
    assert line.count("-->") == line.count("<!--") == 1
    assert line.count("--") == 2
    assert "\n" not in line
    read = parse_marker(line)
    assert read is not None
    clean = [text.encode("utf-8", "replace").decode() for text in (topic, name, exemplar)]
    assert [read.topic, read.id, read.exemplar] == clean
    assert (read.seen, read.parts) == (seen, ("a", "b"))


@pytest.mark.parametrize("line", ["", "<!-- kotaci:1 -->", "<!-- kotaci:1 kind=a -->", "<!-- other:1 kind=a id=b -->"])
def test_what_is_no_marker(line: str) -> None:
    assert parse_marker(line) is None


def test_the_same_id_is_the_same_and_a_newer_table_asks_the_exemplar() -> None:
    older = Marker("flaky-test", "flaky-test:other-id", exemplar="segments reopening", signature="s0")
    assert FLAKY.is_same(Marker("flaky-test", FLAKY.id))
    assert older.is_same(FLAKY)
    assert not Marker("failing-workflow", FLAKY.id).is_same(FLAKY)
    assert not Marker("flaky-test", "other", exemplar="another test", signature="s0").is_same(FLAKY)
    assert not Marker("flaky-test", "other", exemplar=FLAKY.exemplar).is_same(FLAKY)


def test_peoples_words_stay_and_history_grows_in_place() -> None:
    body = f"Mine, above.\n\n{at(1, 'failed 1 of 10')}\n\nMine, below: {'x' * 20}"
    body = merge(body, at(2, "failed 2 of 20", "newer words"))
    assert body.startswith("Mine, above.\n\n<!-- kotaci:1 ")
    assert body.endswith(f"{END}\n\nMine, below: {'x' * 20}")
    assert body.count(END) == 1
    (section,) = find_sections(body)
    assert section.content == "newer words"
    assert section.history == [("2026-11-01T00:00Z", "failed 1 of 10"), ("2026-11-02T00:00Z", "failed 2 of 20")]
    assert "- 2026-11-01T00:00Z failed 1 of 10" in body


def test_the_same_again_changes_nothing_and_the_history_stays_short() -> None:
    body = ""
    for day in range(1, 20):
        body = merge(body, at(day, f"day {day}"))
        assert merge(body, at(day, f"day {day}")) == body
    (section,) = find_sections(body)
    assert [note for _, note in section.history] == [f"day {day}" for day in range(12, 20)]


def test_another_section_is_left_alone() -> None:
    other = to_section(Marker("publish", "report"), "of the report")
    body = merge(other, at(1, "one"))
    assert body.startswith(other)
    assert len(find_sections(body)) == 2
    assert without(body, FLAKY) == other


def test_line_ends_of_a_browser() -> None:
    body = f"Mine.\n\n{at(1, 'one')}\n\nYours.".replace("\n", "\r\n")
    merged = merge(body, at(2, "two"))
    assert len(find_sections(merged)) == 1
    assert merged.startswith("Mine.\r\n")
    assert merged.endswith("Yours.")


def test_a_forged_mark_in_content_is_broken() -> None:
    forged = f"`{FLAKY.line()}` {END} <!-- KOTACI:1 kind=a id=b -->"
    (section,) = find_sections(to_section(Marker("publish", "report"), forged))
    assert section.marker.topic == "publish"
    assert section.content.count("<!\u200b--") == 3


def test_a_history_changed_by_hand_begins_anew() -> None:
    body = at(1, "one").replace("%5B", "%7B")
    (section,) = find_sections(merge(body, at(2, "two")))
    assert section.history == [("2026-11-02T00:00Z", "two")]


def test_a_long_section_is_cut_to_what_people_leave() -> None:
    long = to_section(FLAKY, "\n".join(f"line {n}" for n in range(20_000)))
    body = merge("p" * 60_000, long)
    assert len(body) <= 65_536
    assert "more lines" in body
    assert find_section(body, FLAKY)
    with pytest.raises(BadInput, match="leaves no room"):
        merge("p" * 65_400, long)


@settings(max_examples=30)
@given(st.integers(0, 64_000), st.integers(0, 70_000), st.integers(0, 3))
def test_no_merged_body_is_too_long(n_people: int, n_content: int, n_before: int) -> None:
    body = "p" * n_people
    for day in range(n_before):
        body = merge(body, at(day + 1, f"day {day}" * 20))
    assert len(merge(body, at(28, "n" * 500, "a line\n" * (n_content // 7)))) <= 65_536
