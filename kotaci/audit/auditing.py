"""The audit of one tree of files: every rule, in the order of the cards, then what the repository itself excuses."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from kotaci.archives.checkout import Tree
from kotaci.audit.baseline import Known, split_known
from kotaci.audit.cards import read_cards
from kotaci.audit.excuses import IDLE, Excused, judge_excuses, read_excuses
from kotaci.audit.linters import Linted, Linter, join_linters
from kotaci.audit.marks import Mark
from kotaci.audit.project import Project
from kotaci.audit.rules import RULES

LINTERS = ("zizmor", "actionlint")
"""What stands before the slash of a linter's rule."""


@dataclass(frozen=True)
class Audit:
    """What an audit found: `marks` by path and line are those that count; `project` is what was read.

    `excused` are marks that a comment excuses, `known` those that stand in the baseline, `gone` what stands in the
    baseline and is found no more.
    """

    project: Project
    marks: tuple[Mark, ...]
    excused: tuple[Excused, ...] = ()
    known: tuple[Mark, ...] = ()
    gone: tuple[Known, ...] = ()
    linters: tuple[Linter, ...] = ()


def audit(
    tree: Tree, *, rules: Collection[str] = (), linted: Linted | None = None, baseline: Collection[Known] = ()
) -> Audit:
    """Return what the rules (all, or those named) find in these files. A file that cannot be read is itself found.

    `linted` is what linters found in the same tree: joined with ours, and excused in the same way.
    """
    project, linted = Project(tree), linted or Linted()
    wanted = [rule for rule in read_cards() if not rules or rule in rules]
    ours = {mark.of(rule) for rule in wanted for mark in RULES[rule](project)}
    theirs = [mark for mark in linted.marks if not rules or mark.rule in rules]
    found = _sorted(join_linters(_sorted(ours), theirs))
    excuses = read_excuses(project, also={mark.path for mark in found})
    judged = {*wanted, *(linter.name for linter in linted.linters if linter.has_run and not rules)}
    if IDLE in wanted and rules:
        # Asked about excuses alone: what they excuse must be looked for all the same.
        unasked = {rule for excuse in excuses for rule in excuse.rules if rule in RULES} - set(wanted)
        extra = {mark.of(rule) for rule in unasked for mark in RULES[rule](project)}
        judged |= unasked
    else:
        extra = set()
    known_rules = {*read_cards(), *LINTERS}
    left, excused, idle = judge_excuses([*found, *extra], excuses, known=known_rules, judged=judged)
    left = [mark for mark in left if mark not in extra] + (idle if IDLE in wanted else [])
    new, known, gone = split_known(
        _sorted(left),
        baseline,
        is_judged=lambda rule: rule in judged or rule.partition("/")[0] in judged,
    )
    return Audit(
        project,
        tuple(new),
        tuple(one for one in excused if one.mark not in extra),
        tuple(known),
        tuple(gone),
        linted.linters,
    )


def _sorted(marks: Collection[Mark]) -> list[Mark]:
    return sorted(set(marks), key=lambda mark: (mark.path, mark.line, mark.rule, mark.claim))
