"""What the time of a job is spent on: kinds of steps as data, kinds.toml."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.resources import files
from typing import Any

from kotaci.model import BadInput

OTHER, UNTOLD, BETWEEN = "other", "untold", "between"
"""Kinds that there always are: steps that no pattern finds, what a script's log leaves open, time between steps."""

_ADDED = re.compile(r"(?:Post|Pre) (?:Run )?")


@dataclass(frozen=True)
class Kind:
    """One kind. `by_log`: what the phases of the step's log tell goes before the step's name."""

    id: str
    title: str
    patterns: Sequence[str] = ()
    examples: Sequence[str] = ()
    by_log: bool = False
    phases: Sequence[str] = ()


@dataclass(frozen=True)
class Kinds:
    """Kinds by id, in the order in which they are tried and shown."""

    kinds: Mapping[str, Kind]
    _known: dict[str, str] = field(default_factory=dict, compare=False, repr=False)

    @property
    def titles(self) -> Mapping[str, str]:
        """Return the titles by id, in order."""
        return {kind.id: kind.title for kind in self.kinds.values()}

    @cached_property
    def by_phase(self) -> Mapping[str, str]:
        """Return the kind of each phase of the table `phases`."""
        return {phase: kind.id for kind in self.kinds.values() for phase in kind.phases}

    def of_step(self, name: str) -> str:
        """Return the kind of a step of that name."""
        if name not in self._known:
            self._known[name] = self._find(name)
        return self._known[name]

    def _find(self, name: str) -> str:
        shorter = name if name.startswith("Run ") else _ADDED.sub("", name, count=1)
        for kind in self.kinds.values():
            if any(pattern.search(name) or pattern.search(shorter) for pattern in self._patterns[kind.id]):
                return kind.id
        return OTHER

    @cached_property
    def _patterns(self) -> Mapping[str, Sequence[re.Pattern[str]]]:
        return {kind.id: [re.compile(pattern) for pattern in kind.patterns] for kind in self.kinds.values()}


@cache
def read_kinds() -> Kinds:
    """Return the bundled kinds."""
    text = files("kotaci.analysis.spending").joinpath("kinds.toml").read_text("utf-8")
    return parse_kinds(text, source="kinds.toml")


def parse_kinds(text: str, *, source: str) -> Kinds:
    """Return the kinds of a TOML text. Raises BadInput for what is no TOML, no kind, or told twice, naming it."""
    try:
        told = tomllib.loads(text).get("kind", [])
    except tomllib.TOMLDecodeError as error:
        raise BadInput(source, f"is no TOML: {error}", "mend the line it names") from None
    if not isinstance(told, list):
        raise BadInput(source, "has a kind that is no [[kind]]", "write two brackets")
    kinds: dict[str, Kind] = {}
    for entry in told:
        kind = _kind(entry, source)
        if kind.id in kinds:
            raise BadInput(f"{source}: {kind.id}", "stands there twice", "give each kind an id of its own")
        kinds[kind.id] = kind
    phases = [phase for kind in kinds.values() for phase in kind.phases]
    if twice := next((phase for phase in phases if phases.count(phase) > 1), ""):
        raise BadInput(f"{source}: {twice}", "is a phase of two kinds", "leave it to one")
    for needed in (OTHER, UNTOLD, BETWEEN):
        if needed not in kinds:
            raise BadInput(source, f"has no kind `{needed}`", "keep it: what is of no kind else is of this one")
    return Kinds(kinds)


_TYPES: Mapping[str, type] = {
    "id": str, "title": str, "patterns": list, "examples": list, "by_log": bool, "phases": list
}  # fmt: skip


def _kind(entry: Any, source: str) -> Kind:
    name = f"{source}: {entry.get('id', 'a kind without id')}" if isinstance(entry, dict) else source
    if not isinstance(entry, dict) or not {"id", "title"} <= entry.keys():
        raise BadInput(name, "has no id or title", "write both")
    if unknown := entry.keys() - _TYPES.keys():
        raise BadInput(name, f"has an unknown key `{min(unknown)}`", f"use {', '.join(_TYPES)}")
    for key, value in entry.items():
        is_text = not isinstance(value, list) or all(isinstance(part, str) for part in value)
        if type(value) is not _TYPES[key] or not is_text:
            raise BadInput(name, f"has a `{key}` of the wrong type", f"write a {_TYPES[key].__name__} (of strings)")
    for pattern in entry.get("patterns", ()):
        try:
            re.compile(pattern)
        except re.error as error:
            raise BadInput(f"{name}: {pattern}", f"is no pattern: {error}", "mend it") from None
    return Kind(**entry)
