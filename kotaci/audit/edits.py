"""Minimal edits of workflow files, made line by line so that layout and comments stay, and what applies them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise

from kotaci.audit.marks import Edit, Patch
from kotaci.model import BadInput
from kotaci.workflows import WorkflowFile, WorkflowJob


def insert_key(text: str, file: WorkflowFile, job: WorkflowJob, line: str, *, after: str) -> Patch | None:
    """Return the patch that adds that line to a job behind its key `after`; None where the key does not stand alone
    on its line, as in `{…}`."""
    lines = re.split(r"\r\n|\n", text)
    number = job.lines.get(after)
    if number is None or number > len(lines):
        return None
    found = re.fullmatch(rf"(\s+){re.escape(after)}:.*", lines[number - 1])
    if found is None:
        return None
    follows = [one for one in job.lines.values() if one > number]
    last = min(follows, default=job.end_line + 1) - 1
    while last > number and not lines[last - 1].strip().lstrip("#"):
        last -= 1
    if any(lines[place - 1].lstrip().startswith("#") for place in range(number + 1, last + 1)):
        last = number
    return Patch(file.path, (Edit(last + 1, last, (found[1] + line,)),), f"add `{line}` to job {job.key}")


def apply_patches(text: str, patches: Iterable[Patch]) -> str:
    """Return the text of one file with these patches, its line ends kept. Raises BadInput where two touch one line."""
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = text.split(newline)
    edits = sorted({edit for patch in patches for edit in patch.edits}, key=lambda edit: (edit.first, edit.last))
    for before, after in pairwise(edits):
        if after.first <= before.last:
            raise BadInput(f"line {after.first}", "would be changed twice", "apply one patch, then audit again")
    for edit in reversed(edits):
        lines[edit.first - 1 : edit.last] = edit.lines
    return newline.join(lines)
