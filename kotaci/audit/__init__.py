"""Workflow files and their repository, read as text: rules as cards, what they find, and patches.

`audit` takes a tree of files and returns marks; what a linter says, suppressions, the baseline, prices and history come
on top of it.
"""

from kotaci.audit.auditing import Audit, audit
from kotaci.audit.baseline import Known
from kotaci.audit.cards import CLASSES, Card, read_cards
from kotaci.audit.excuses import Excuse, Excused
from kotaci.audit.findings import Described, describe, group_marks, to_findings
from kotaci.audit.linters import Linted, Linter, run_linters
from kotaci.audit.marks import Edit, Mark, Patch
from kotaci.audit.project import Project

__all__ = [
    "CLASSES",
    "Audit",
    "Card",
    "Described",
    "Edit",
    "Excuse",
    "Excused",
    "Known",
    "Linted",
    "Linter",
    "Mark",
    "Patch",
    "Project",
    "audit",
    "describe",
    "group_marks",
    "read_cards",
    "run_linters",
    "to_findings",
]
