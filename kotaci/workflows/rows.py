"""The files of one commit to rows of the table `workflow_jobs`."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Mapping
from typing import Any

from kotaci.workflows.declared import WorkflowFile, WorkflowJob
from kotaci.workflows.expressions import fill
from kotaci.workflows.matrix import Leg
from kotaci.workflows.naming import legs_of, name_pieces
from kotaci.workflows.reading import parse_workflow

DEFAULT_TIMEOUT_MIN = 360.0


def to_rows(*, repo: str, workflows_tree: str, files: Mapping[str, str]) -> list[tuple[Any, ...]]:
    """Return one row per leg of every job, in the column order of tables.WORKFLOW_JOBS.

    `files` maps path to text, all of the `.github/workflows` tree with the id `workflows_tree`. A dynamic matrix
    gives one row; a caller of a reusable workflow too (its callees: `shown_jobs`). A file that cannot be read
    gives none. No two rows share the table's key.
    """
    return [
        row
        for path, text in sorted(files.items())
        for row in _rows_of(_parsed(text, path), repo=repo, workflows_tree=workflows_tree)
    ]


# A history holds each version of a file in many trees, and parsing is nearly all of the cost.
@functools.lru_cache(maxsize=512)
def _parsed(text: str, path: str) -> WorkflowFile:
    return parse_workflow(text, path=path)


def _rows_of(file: WorkflowFile, *, repo: str, workflows_tree: str) -> Iterator[tuple[Any, ...]]:
    triggers = " ".join(trigger.event for trigger in file.triggers)
    for job in file.jobs:
        for leg_text, leg in legs_of(job):
            pieces = name_pieces(job, leg)
            yield (
                repo,
                workflows_tree,
                file.path,
                file.name,
                triggers,
                job.key,
                pieces[0] if len(pieces) == 1 else "",
                leg_text,
                job.is_dynamic,
                " ".join(job.needs),
                " ".join(_filled(label, leg) for label in job.runs_on),
                _timeout_min(job, leg),
                job.timeout_text != "",
                job.condition,
                _is_allowed_to_fail(job, leg),
                job.uses,
                len(job.steps),
                job.line,
            )


def _filled(text: str, leg: Leg | None) -> str:
    """Return the text with the leg's values; as written where an expression stays open."""
    filled = fill(text, matrix=leg.values if leg else None)
    return text if filled is None else filled


def _timeout_min(job: WorkflowJob, leg: Leg | None) -> float | None:
    """Return the limit; GitHub's default where none is set, missing for an open expression or a called workflow."""
    if job.timeout_min is not None:
        return job.timeout_min
    if not job.timeout_text:
        return None if job.uses else DEFAULT_TIMEOUT_MIN
    try:
        limit = float(_filled(job.timeout_text, leg))
    except ValueError:
        return None
    return limit if math.isfinite(limit) else None


def _is_allowed_to_fail(job: WorkflowJob, leg: Leg | None) -> bool | None:
    return {"": False, "true": True, "false": False}.get(_filled(job.continue_on_error_text, leg))
