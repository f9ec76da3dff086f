"""What the workflow file at a job's commit says of the job: its limit, its needs, whether it may fail."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from kotaci.analysis.verdicts.past import Job

_COLUMNS = ["workflows_tree", "workflow", "job_key", "job", "timeout_min", "has_timeout", "needs", "is_allowed_to_fail"]


@dataclass(frozen=True)
class Said:
    """One job of a workflow file; a limit that the file does not set is GitHub's own."""

    job_key: str
    shown: str
    timeout_min: float
    has_timeout: bool
    needs: frozenset[str]
    is_allowed_to_fail: bool


@dataclass(frozen=True)
class Workflows:
    """The workflow files of all commits."""

    tree_of: Mapping[str, str]
    said: Mapping[tuple[str, str], Sequence[Said]]

    def of(self, job: Job) -> Said | None:
        """Return what the file of the job's commit says of it; None where the file or the job is not known.

        For a pull request it is the file of its head: the merge commit's may be another.
        """
        legs = self.said.get((self.tree_of.get(job.sha, ""), job.workflow), ())
        named = [leg for leg in legs if leg.shown == job.name]
        return next(
            iter(named or [leg for leg in legs if job.base in {leg.job_key, leg.shown.partition(" (")[0]}]), None
        )


def read_workflows(workflow_jobs: pd.DataFrame, commits: pd.DataFrame) -> Workflows:
    """Return the declared jobs by the folder of workflow files that each commit has."""
    trees = commits.loc[commits["workflows_tree"].fillna("") != "", ["commit_sha", "workflows_tree"]]
    said = defaultdict(list)
    for tree, workflow, key, shown, limit, has_limit, needs, may_fail in workflow_jobs[_COLUMNS].itertuples(
        index=False, name=None
    ):
        leg = Said(
            job_key=_text(key),
            shown=_text(shown),
            timeout_min=360.0 if pd.isna(limit) else float(limit),
            has_timeout=not pd.isna(has_limit) and bool(has_limit),
            needs=frozenset(_text(needs).split()),
            is_allowed_to_fail=not pd.isna(may_fail) and bool(may_fail),
        )
        said[tree, workflow].append(leg)
    return Workflows(dict(trees.itertuples(index=False, name=None)), said)


def _text(value: Any) -> str:
    return "" if pd.isna(value) else str(value)
