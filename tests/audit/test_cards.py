"""Every card has its rule, and its examples: where it fires, what makes each of them harmless, where it is silent."""

import re

import pytest

from kotaci.archives.checkout import tree_of
from kotaci.audit import Project, audit, read_cards
from kotaci.audit.edits import apply_patches
from kotaci.audit.rules import RULES

CARDS = read_cards()
FIRES = [
    pytest.param(card, one, id=f"{card.id}-{number}")
    for card in CARDS.values()
    for number, one in enumerate(card.fires, 1)
]
SILENT = [
    pytest.param(card, one, id=f"{card.id}-{number}")
    for card in CARDS.values()
    for number, one in enumerate(card.silent, 1)
]


def marks_of(card, files):
    """Return what the card's rule finds in these files, each with the lines it names there."""
    found = audit(tree_of(dict(files)), rules=[card.id]).marks
    for mark in found:
        assert mark.path in files or not mark.line, f"{mark.path} is no file of the example"
        assert mark.claim == mark.claim.strip()
        assert mark.claim
        assert not mark.claim.endswith(".")
        if mark.path in files:
            assert 1 <= mark.line <= len(files[mark.path].split("\n"))
    return found


HABITS = ("plain", "windows", "no newline", "deep")


def patched_marks(card, files):
    """Return what the card's rule finds and can mend."""
    return [mark for mark in audit(tree_of(dict(files)), rules=[card.id]).marks if mark.patch]


def told_in(habit, path, text):
    """Return the text as people of other habits write it: with other line ends, or four spaces a level."""
    if habit == "deep" and path.endswith((".yml", ".yaml")):
        return re.sub(r"^ +", lambda found: found[0] * 2, text, flags=re.MULTILINE)
    return {"windows": text.replace("\n", "\r\n"), "no newline": text.rstrip("\n")}.get(habit, text)


def test_each_card_has_its_rule_and_each_rule_its_card() -> None:
    assert list(CARDS) == list(RULES)


@pytest.mark.parametrize("card", CARDS.values(), ids=lambda card: card.id)
def test_a_card_says_everything(card) -> None:
    for text in (card.title, card.what, card.why, card.how, card.wrong, card.remedy):
        assert text.strip() == text
        assert text
    assert card.fires
    assert card.silent


@pytest.mark.parametrize(("card", "example"), FIRES)
def test_it_fires_and_what_makes_it_harmless_stops_it(card, example) -> None:
    assert marks_of(card, example.files)
    assert example.harmless
    for path, old, new in example.harmless:
        assert old in example.files[path]
        changed = {**example.files, path: example.files[path].replace(old, new, 1)}
        assert not marks_of(card, changed), f"still fires after {old!r} -> {new!r}"


@pytest.mark.parametrize(("card", "files"), SILENT)
def test_it_is_silent(card, files) -> None:
    assert not marks_of(card, files)


@pytest.mark.parametrize(("card", "example"), FIRES)
def test_its_patch_mends_it_and_nothing_else(card, example) -> None:
    """In the example as it is and, where it has a patch, as people of other habits write it."""
    if not patched_marks(card, example.files):
        return
    for habit in HABITS:
        files = {path: told_in(habit, path, text) for path, text in example.files.items()}
        newline = "\r\n" if habit == "windows" else "\n"
        for mark in patched_marks(card, files):
            path = mark.patch.path
            mended = {
                **files,
                path: apply_patches(files[path], [mark.patch]),
                **{one.path: apply_patches(files.get(one.path, ""), [one]) for one in mark.patch.besides},
            }
            touched = sum(len(edit.lines) + edit.last - edit.first + 1 for edit in mark.patch.edits)
            assert abs(len(mended[path].split(newline)) - len(files[path].split(newline))) <= touched
            assert not Project(tree_of(mended)).workflows[0].problems or Project(tree_of(files)).workflows[0].problems
            left = audit(tree_of(mended), rules=[card.id]).marks
            assert mark.identity not in {one.identity for one in left}, habit
