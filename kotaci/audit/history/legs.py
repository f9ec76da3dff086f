"""How many job legs the files declare for each event, as a pull request to the base branch or a push to it starts them.

Path filters and conditions of jobs are not looked at: it is what one event may cost at most. A matrix that is only
known at run time counts as one leg that is `n_unknown` too; a workflow called from elsewhere likewise.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kotaci.audit.globs import fits
from kotaci.workflows import Trigger, WorkflowFile, WorkflowJob, legs_of

MAX_CALL_DEPTH = 10
"""GitHub's limit of workflows that call one another."""

_OF_BRANCH = {"pull_request", "pull_request_target", "push"}
_OF_OTHERS = {"workflow_call"}


@dataclass(frozen=True)
class Legs:
    """Declared legs of one event; of these `n_unknown` stand for jobs whose number only a run can tell."""

    n: int
    n_unknown: int = 0

    def __add__(self, other: Legs) -> Legs:
        return Legs(self.n + other.n, self.n_unknown + other.n_unknown)


def legs_by_event(files: Sequence[WorkflowFile], *, base: str) -> Mapping[str, Legs]:
    """Return the legs that each event starts, over all workflows, by the name of the event; `base` is the branch that
    pull requests and pushes are taken to go to. Only events that start something are there."""
    by_path = {file.path: file for file in files}
    found: dict[str, Legs] = {}
    for file in files:
        for trigger in {one.event: one for one in file.triggers}.values():
            if trigger.event not in _OF_OTHERS and is_started(trigger, base):
                legs = _legs(file, by_path, 0)
                found[trigger.event] = found.get(trigger.event, Legs(0)) + legs
    return {event: legs for event, legs in sorted(found.items()) if legs.n}


def is_started(trigger: Trigger, base: str) -> bool:
    """Return whether the event starts it, where it goes to that branch."""
    if trigger.event not in _OF_BRANCH:
        return True
    if trigger.branches:
        return fits_branch(trigger.branches, base)
    if trigger.branches_ignore:
        return not fits_branch(trigger.branches_ignore, base)
    return not (trigger.event == "push" and (trigger.tags or trigger.tags_ignore))


def fits_branch(patterns: Sequence[str], branch: str) -> bool:
    """Return whether a filter lets the branch through: the last pattern that fits decides, `!` takes out."""
    is_in = False
    for pattern in patterns:
        is_negative = pattern.startswith("!")
        if fits(pattern, branch):
            is_in = not is_negative
    return is_in


def _legs(file: WorkflowFile, files: Mapping[str, WorkflowFile], depth: int) -> Legs:
    found = Legs(0)
    for job in file.jobs:
        n = len(legs_of(job))
        callee = _callee(job, files) if depth < MAX_CALL_DEPTH else None
        inner = Legs(1, int(bool(job.uses))) if callee is None else _legs(callee, files, depth + 1)
        is_open = int(job.is_dynamic)
        found += Legs(n * inner.n, max(is_open * inner.n, n * inner.n_unknown))
    return found


def _callee(job: WorkflowJob, files: Mapping[str, WorkflowFile]) -> WorkflowFile | None:
    is_local = job.uses.startswith("./") and "@" not in job.uses
    return files.get(posixpath.normpath(job.uses)) if is_local else None
