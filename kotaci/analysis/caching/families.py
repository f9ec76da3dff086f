"""One row a cache: how often it hits, what a miss costs, what it gives a job."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from kotaci.analysis.caching.events import STRATA
from kotaci.analysis.caching.options import FAMILY, RESULTS, CachingOptions
from kotaci.analysis.statistics import median_shift, wilson
from kotaci.model import Outcome

FAMILY_COLUMNS = [
    *FAMILY, "n", "n_exact", "n_partial", "n_miss", "hit_rate", "low", "high", "n_keys", "size_bytes", "restore_s",
    "n_saved", "save_s", "miss_cost_s", "miss_cost_low_s", "miss_cost_high_s", "n_strata", "n_compared_hits",
    "n_compared_misses", "n_alone", "worth_s", "has_enough",
]  # fmt: skip


def family_table(first: pd.DataFrame, saves: pd.DataFrame, *, options: CachingOptions) -> pd.DataFrame:
    rows = []
    saved = saves[saves["result"] == "saved"].groupby(FAMILY)
    of_saves = dict(iter(saved))
    for key, part in first.groupby(FAMILY):
        counts = part["result"].value_counts()
        n, n_exact = len(part), int(counts.get("exact", 0))
        low, high = wilson(n_exact, n)
        kept = of_saves.get(key)
        restore_s = part.loc[part["result"] != "miss", "wall_s"].median()
        cost = miss_cost(part)
        rows.append(
            {
                **dict(zip(FAMILY, key, strict=True)),
                "n": n,
                **{f"n_{result}": int(counts.get(result, 0)) for result in RESULTS},
                "hit_rate": n_exact / n,
                "low": low,
                "high": high,
                "n_keys": part["key"].nunique(),
                "size_bytes": part["size_bytes"].astype(float).median(),
                "restore_s": restore_s,
                "n_saved": 0 if kept is None else len(kept),
                "save_s": float("nan") if kept is None else kept["wall_s"].median(),
                "miss_cost_s": cost.shift_s,
                "miss_cost_low_s": cost.low_s,
                "miss_cost_high_s": cost.high_s,
                "n_strata": cost.n_strata,
                "n_compared_hits": cost.n_hits,
                "n_compared_misses": cost.n_misses,
                "n_alone": cost.n_alone,
                "worth_s": _worth(cost.shift_s, part, kept),
                "has_enough": n >= options.min_restores,
            }
        )
    table = pd.DataFrame(rows, columns=FAMILY_COLUMNS)
    return table.sort_values(["has_enough", "high", "n"], ascending=[False, True, False], ignore_index=True)


@dataclass(frozen=True)
class MissCost:
    """By how much longer a job takes after a miss than after an exact hit, in seconds, 95 %; nan where not known.

    Over n_hits and n_misses passed jobs in n_strata strata (leg, labels, image, toolchain) that have both; n_alone
    passed jobs had no counterpart in theirs, and are not in it.
    """

    shift_s: float
    low_s: float
    high_s: float
    n_strata: int
    n_hits: int
    n_misses: int
    n_alone: int

    @property
    def is_known(self) -> bool:
        """Tell whether any stratum has both a hit and a miss."""
        return self.n_strata > 0


def miss_cost(part: pd.DataFrame) -> MissCost:
    """Return what a miss costs, by passed jobs set beside the median of the hits of their own stratum.

    The shift and its interval are those of Hodges and Lehmann. A handful of misses tells little whatever the interval
    says, and one stratum with many jobs weighs more than another with few.
    """
    passed = part[(part["outcome"] == Outcome.SUCCESS) & part["result"].isin(["exact", "miss"])]
    passed = passed.dropna(subset="job_wall_s")
    hits: list[float] = []
    misses: list[float] = []
    n_strata = 0
    for _, stratum in passed.groupby(STRATA, dropna=False):
        exact = stratum.loc[stratum["result"] == "exact", "job_wall_s"]
        missed = stratum.loc[stratum["result"] == "miss", "job_wall_s"]
        if len(exact) and len(missed):
            n_strata += 1
            hits += list(exact - exact.median())
            misses += list(missed - exact.median())
    shift = median_shift(hits, misses)
    return MissCost(*shift, n_strata, len(hits), len(misses), len(passed) - len(hits) - len(misses))


def _worth(miss_cost_s: float, part: pd.DataFrame, saves: pd.DataFrame | None) -> float:
    """Return what the cache gives a job on average: the share that hit exactly times what a miss costs, less the time
    spent to restore and to save."""
    spent = part["wall_s"].sum() + (0.0 if saves is None else saves["wall_s"].sum())
    return (miss_cost_s * int((part["result"] == "exact").sum()) - float(spent)) / len(part)
