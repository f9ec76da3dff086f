"""Which rules can be asked where only the workflow files are at hand, as a store holds them."""

from __future__ import annotations

from kotaci.audit.cards import Card, read_cards
from kotaci.audit.project import WORKFLOW

_OF_THE_WHOLE = frozenset({"references", "sight"})
"""Classes whose rules look for what is not there: without all files that is nothing to find."""


def rules_for_workflows() -> tuple[list[str], list[str]]:
    """Return the rules that read workflow files alone, and those that read other files of the repository too.

    Told by the class of a card and by its examples: a rule that reads other files has one with such a file.
    """
    cards = read_cards()
    beyond = [rule for rule, card in cards.items() if _reads_more(card)]
    return [rule for rule in cards if rule not in beyond], beyond


def _reads_more(card: Card) -> bool:
    examples = [*(one.files for one in card.fires), *card.silent]
    return card.group in _OF_THE_WHOLE or any(not WORKFLOW.fullmatch(path) for files in examples for path in files)
