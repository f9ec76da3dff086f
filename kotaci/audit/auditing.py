"""The audit of one tree of files: every rule, in the order of the cards, then what the repository itself excuses."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from kotaci.archives.checkout import Tree
from kotaci.audit.cards import read_cards
from kotaci.audit.marks import Mark
from kotaci.audit.project import Project
from kotaci.audit.rules import RULES


@dataclass(frozen=True)
class Audit:
    """What an audit found: `marks` by path and line; `project` is what was read."""

    project: Project
    marks: tuple[Mark, ...]


def audit(tree: Tree, *, rules: Collection[str] = ()) -> Audit:
    """Return what the rules (all, or those named) find in these files. A file that cannot be read is itself found."""
    project = Project(tree)
    wanted = [rule for rule in read_cards() if not rules or rule in rules]
    found = {mark.of(rule) for rule in wanted for mark in RULES[rule](project)}
    return Audit(project, tuple(sorted(found, key=lambda mark: (mark.path, mark.line, mark.rule, mark.claim))))
