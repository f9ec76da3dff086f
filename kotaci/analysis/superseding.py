"""Which run came after which: what shows that a cancelled run was superseded."""

from __future__ import annotations

import pandas as pd


def find_newer_runs(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the runs, in their order, with newer_at and newer_run_id: the next run of its workflow, event and place.

    A pull request is told by its number, since forks' branches share names; a later attempt of the run itself is no
    newer run. Missing where there is none, or where neither branch nor pull request is known.
    """
    place = ("pull " + runs["pr_number"].astype("str")).fillna(runs["branch"].where(runs["branch"] != ""))
    ordered = runs.assign(_place=place).sort_values(["created_at", "run_id"], kind="stable")
    is_first = ~ordered["run_id"].duplicated()
    begun = ordered.assign(
        newer_at=ordered["created_at"].where(is_first), newer_run_id=ordered["run_id"].where(is_first)
    )
    group = ["workflow", "event", "_place"]
    for column in ("newer_at", "newer_run_id"):
        shifted = begun.assign(**{column: begun.groupby(group)[column].shift(-1)})
        begun[column] = shifted.groupby(group)[column].bfill()
    return runs.assign(
        newer_at=begun["newer_at"].reindex(runs.index), newer_run_id=begun["newer_run_id"].reindex(runs.index)
    )
