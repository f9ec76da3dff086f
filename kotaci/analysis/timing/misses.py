"""What a cache miss cost each job that had one: the form in which the replay of `CacheHits` reads it."""

from __future__ import annotations

import pandas as pd

from kotaci.analysis.caching import miss_cost
from kotaci.analysis.caching.options import RESULTS
from kotaci.analysis.timing.network import ATTEMPT

COLUMNS = [*ATTEMPT, "job_id", "cost_s", "low_s", "high_s"]


def to_misses(events: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each job with a restore that missed, from `Caching.events`: cost_s, low_s, high_s.

    The cost is measured stratum by stratum and action by action, over all the keys asked for; nan where no stratum has
    an exact hit to set it beside. A job of several misses has the largest: their costs hang together.
    """
    restores = events[(events["operation"] == "restore") & events["result"].isin(RESULTS)]
    parts = []
    for _, part in restores.groupby(["repo", "workflow", "job", "action"], dropna=False):
        missed = part.loc[part["result"] == "miss", [*ATTEMPT, "job_id"]]
        if len(missed):
            cost = miss_cost(part)
            parts.append(missed.assign(cost_s=cost.shift_s, low_s=cost.low_s, high_s=cost.high_s))
    if not parts:
        return restores.reindex(columns=COLUMNS).iloc[:0]
    found = pd.concat(parts).sort_values("cost_s", ascending=False, na_position="last", kind="stable")
    return found.drop_duplicates([*ATTEMPT, "job_id"]).reset_index(drop=True)
