"""Kinds of steps: every bundled example is of its kind, every pattern has one, and bad files are named."""

from __future__ import annotations

import re

import pytest

from kotaci.analysis.spending import Kind, parse_kinds, read_kinds
from kotaci.logs.cargo import PHASES
from kotaci.model import BadInput

KINDS = list(read_kinds().kinds.values())
NEEDED = "".join(f'[[kind]]\nid = "{name}"\ntitle = "{name}"\n' for name in ("other", "untold", "between"))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.id)
def test_every_example_is_of_its_kind(kind: Kind) -> None:
    assert {example: read_kinds().of_step(example) for example in kind.examples} == dict.fromkeys(
        kind.examples, kind.id
    )


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.id)
def test_every_pattern_has_an_example(kind: Kind) -> None:
    shown = [*kind.examples, *(example.removeprefix("Post ") for example in kind.examples)]
    assert [p for p in kind.patterns if not any(re.search(p, name) for name in shown)] == []


def test_every_phase_of_cargo_has_a_kind() -> None:
    assert set(read_kinds().by_phase) == set(PHASES)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Set up Python", "toolchain"),
        ("Post Set up Python", "toolchain"),
        ("Post Run Swatinem/rust-cache@v2", "cache-save"),
        ("Upload coverage to Codecov", "artifacts"),
        ("Install nextest", "tool-install"),
        ("Unit tests with coverage", "tests"),
        ("Latest news", "other"),
        ("", "other"),
    ],
)
def test_names_that_have_words_of_several_kinds(name: str, kind: str) -> None:
    assert read_kinds().of_step(name) == kind


def test_titles_come_in_the_order_of_the_file() -> None:
    kinds = parse_kinds(NEEDED + '[[kind]]\nid = "lunch"\ntitle = "Lunch"\npatterns = ["soup"]\n', source="mine.toml")
    assert kinds.titles == {"other": "other", "untold": "untold", "between": "between", "lunch": "Lunch"}
    assert kinds.of_step("Cook the soup") == "lunch"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("kind = [", "is no TOML"),
        ('[[kind]]\nid = "x"', "has no id or title"),
        ('[[kind]]\nid = "x"\ntitle = "x"\npattern = []', "unknown key `pattern`"),
        ('[[kind]]\nid = "x"\ntitle = "x"\npatterns = "x"', "a `patterns` of the wrong type"),
        ('[[kind]]\nid = "x"\ntitle = "x"\npatterns = [1]', "a `patterns` of the wrong type"),
        ('[[kind]]\nid = "x"\ntitle = "x"\npatterns = ["("]', "is no pattern"),
        ('[[kind]]\nid = "other"\ntitle = "x"', "stands there twice"),
        ('[[kind]]\nid = "x"\ntitle = "x"\nphases = ["tests", "tests"]', "is a phase of two kinds"),
    ],
)
def test_a_file_that_is_wrong_is_refused(text: str, problem: str) -> None:
    with pytest.raises(BadInput, match=problem):
        parse_kinds(NEEDED + text, source="mine.toml")


def test_one_bracket_is_not_enough() -> None:
    with pytest.raises(BadInput, match="a kind that is no"):
        parse_kinds('[kind]\nid = "x"', source="mine.toml")


def test_a_kind_that_is_needed_is_missed() -> None:
    with pytest.raises(BadInput, match="has no kind `untold`"):
        parse_kinds('[[kind]]\nid = "other"\ntitle = "x"', source="mine.toml")
