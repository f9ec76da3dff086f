"""Which rules can be asked where only the workflow files are at hand, as a store holds them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache

from kotaci.archives.checkout import tree_of
from kotaci.audit.cards import Card, read_cards
from kotaci.audit.project import WORKFLOW, Project
from kotaci.audit.rules import RULES

_OF_THE_WHOLE = frozenset({"references", "sight"})
"""Classes whose rules look for what is not there: without all files that is nothing to find."""


@cache
def rules_for_workflows() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the rules that workflow files alone are enough for, and those that read other files of the repository too.

    Told by the class of a card and by its examples: with their workflow files alone the rule must still fire on one
    where it must, and on none where it must not.
    """
    cards = read_cards()
    alone = tuple(rule for rule, card in cards.items() if card.group not in _OF_THE_WHOLE and _is_enough(card))
    return alone, tuple(rule for rule in cards if rule not in alone)


def _is_enough(card: Card) -> bool:
    fires = any(_fires(card.id, one.files) for one in card.fires)
    return fires and not any(_fires(card.id, files) for files in (*card.silent, *_harmless(card)))


def _harmless(card: Card) -> Iterator[Mapping[str, str]]:
    for one in card.fires:
        for path, old, new in one.harmless:
            yield {**one.files, path: one.files[path].replace(old, new, 1)}


def _fires(rule: str, files: Mapping[str, str]) -> bool:
    held = {path: text for path, text in files.items() if WORKFLOW.fullmatch(path)}
    return any(True for _ in RULES[rule](Project(tree_of(held))))
