"""Workflow files and their repository, read as text: rules as cards, what they find, and patches.

`audit` takes a tree of files and returns marks; what a linter says, suppressions, the baseline, prices and history come
on top of it.
"""

from kotaci.audit.auditing import Audit, audit
from kotaci.audit.cards import CLASSES, Card, read_cards
from kotaci.audit.findings import to_findings
from kotaci.audit.marks import Edit, Mark, Patch
from kotaci.audit.project import Project

__all__ = ["CLASSES", "Audit", "Card", "Edit", "Mark", "Patch", "Project", "audit", "read_cards", "to_findings"]
