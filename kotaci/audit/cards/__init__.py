"""The cards of the rules: what each finds and why it matters, when it is wrong and what to do, with examples.

The cards are data, one TOML file a class; the functions that find stand in kotaci/audit/rules under the same names.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from kotaci.model import Certainty, Severity

CLASSES = {
    "caches": "Caches",
    "twice": "Work done twice",
    "gates": "Gates that don't gate",
    "limits": "Time-outs, concurrency, triggers, conditions",
    "references": "References",
    "toolchain": "Toolchain and determinism",
    "weight": "Weight",
    "sight": "Sight",
    "files": "The files themselves",
}
"""The classes of rules in the order they are shown, each a file of cards and a module of rules."""


@dataclass(frozen=True)
class Fires:
    """A repository (path to text) where the rule must fire, and edits (path, old, new) after each of which alone it
    must not."""

    files: Mapping[str, str]
    harmless: Sequence[tuple[str, str, str]]


@dataclass(frozen=True)
class Card:
    """One rule for people: `what` it finds, `why` it matters, `how` it is found, when it is `wrong`, the `remedy`.

    `certainty` is that of its findings where the rule says no other; `linters` name rules of zizmor and actionlint
    that say the same, whose finding on the line is taken instead; `price` names the method by which a history prices
    it (empty: none).
    """

    id: str
    group: str
    title: str
    what: str
    why: str
    how: str
    wrong: str
    remedy: str
    severity: Severity
    certainty: Certainty
    fires: Sequence[Fires]
    silent: Sequence[Mapping[str, str]]
    linters: Sequence[str] = ()
    price: str = ""


@cache
def read_cards() -> Mapping[str, Card]:
    """Return all cards by id, in the order of the classes."""
    found = {}
    for group in CLASSES:
        for data in tomllib.loads(files(__name__).joinpath(f"{group}.toml").read_text(encoding="utf-8"))["rule"]:
            fires = [
                Fires(one["files"], [(edit["path"], edit["old"], edit["new"]) for edit in one["harmless"]])
                for one in data.pop("fires")
            ]
            silent = [one["files"] for one in data.pop("silent")]
            severity, certainty = Severity.parse(data.pop("severity")), Certainty(data.pop("certainty"))
            found[data["id"]] = Card(
                group=group, severity=severity, certainty=certainty, fires=fires, silent=silent, **data
            )
    return found
