"""The rules: one function a card, each from a Project to marks; pure, in any order, none knows another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

from kotaci.audit.marks import Mark
from kotaci.audit.project import Project
from kotaci.audit.rules import caches, files, gates, limits, references, sight, toolchain, twice, weight

Rule: TypeAlias = Callable[[Project], Iterable[Mark]]

RULES: Mapping[str, Rule] = {
    **caches.RULES,
    **twice.RULES,
    **gates.RULES,
    **limits.RULES,
    **references.RULES,
    **toolchain.RULES,
    **weight.RULES,
    **sight.RULES,
    **files.RULES,
}
"""Each rule by the id of its card."""
