"""What whoever takes over CI must know besides findings: what was changed in it, and how each job does."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import pandas as pd

from kotaci.analysis.statistics import wilson
from kotaci.model import BAD_OUTCOMES, DECIDED_OUTCOMES, Outcome, short_workflow

WORKFLOWS = ".github/workflows/"
CHANGE_COLUMNS = ["commit_sha", "author", "committed_at", "subject", "files"]
JOB_COLUMNS = ["workflow", "job_base", "n", "n_failed", "low", "high", "n_wall", "wall_s", "wall_p95_s"]


def find_ci_changes(commits: pd.DataFrame, *, since: datetime | None) -> pd.DataFrame:
    """Return CHANGE_COLUMNS of the commits since then that changed a file under `.github/workflows`, the newest first.

    `files` holds the changed ones, without their folder, in a tuple. A merge whose workflow files are those of a branch
    that it brings in changed nothing itself and is left out; where the files at a commit are not known, it is kept.
    Commits of every branch count, also of those that were never merged.
    """
    trees = dict(zip(commits["commit_sha"], commits["workflows_tree"], strict=True))
    when = commits["committed_at"]
    recent = commits if since is None else commits[(when >= pd.Timestamp(since)).fillna(False)]
    rows = []
    for row in recent.to_dict("records"):
        changed = tuple(short_workflow(path) for path in str(row["files"]).split("\n") if path.startswith(WORKFLOWS))
        if changed and not _only_merges(row["parents"], row["workflows_tree"], trees):
            rows.append((row["commit_sha"], row["author"], row["committed_at"], row["subject"], changed))
    table = pd.DataFrame(rows, columns=CHANGE_COLUMNS)
    return table.sort_values(["committed_at", "commit_sha"], ascending=[False, True], ignore_index=True)


def _only_merges(parents: object, tree: object, trees: Mapping[str, object]) -> bool:
    others = str(parents).split()[1:]
    return isinstance(tree, str) and any(trees.get(parent) == tree for parent in others)


def measure_jobs(jobs: pd.DataFrame) -> pd.DataFrame:
    """Return JOB_COLUMNS, one row a job over all its legs.

    n first attempts that passed or failed, n_failed of these, with the 95 % interval of their rate; wall_s and
    wall_p95_s of the n_wall jobs that passed. Legs differ, so the 95th percentile is rather that of the slowest leg.
    """
    rows = []
    for (workflow, base), mine in jobs.groupby(["workflow", "job_base"], sort=True):
        decided = mine[(mine["attempt"] == 1) & mine["outcome"].isin(DECIDED_OUTCOMES)]
        n, x = len(decided), int(decided["outcome"].isin(BAD_OUTCOMES).sum())
        wall = mine.loc[mine["outcome"] == Outcome.SUCCESS, "wall_s"].dropna().astype(float)
        median, p95 = (float(wall.quantile(share)) if len(wall) else float("nan") for share in (0.5, 0.95))
        rows.append((workflow, base, n, x, *wilson(x, n), len(wall), median, p95))
    return pd.DataFrame(rows, columns=JOB_COLUMNS)
