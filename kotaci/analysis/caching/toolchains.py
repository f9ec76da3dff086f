"""Keys that stay the same while the toolchain changes, as far as history tells: what is built with the new one is
compiled again after every hit, and never saved, since the key is there already.

Whether a key holds the lockfile cannot be told so: no table holds the lockfile. That is for whoever reads the workflow.
"""

from __future__ import annotations

from itertools import pairwise

import pandas as pd

from kotaci.analysis.caching.events import links_of
from kotaci.analysis.caching.options import FAMILY, CachingOptions
from kotaci.model import Certainty, Finding, Severity, plural


def find_toolchains(compiled: pd.DataFrame, *, options: CachingOptions) -> list[Finding]:
    """Return one finding for a cache whose exact hits compiled little under one toolchain and, under the next and the
    same key, as much as a miss."""
    found = []
    known = compiled[compiled["n_crates"].notna() & (compiled["tools"] != "") & (compiled["result"] != "partial")]
    for family, part in known.groupby(FAMILY):
        misses = part.loc[part["result"] == "miss", "n_crates"]
        hits = part[part["result"] == "exact"]
        least = options.recompiled_share * float(misses.median() if len(misses) else hits["n_crates"].max())
        if not least > 0:
            continue
        for key, same in hits.groupby("key"):
            spans = [span for _, span in sorted(same.groupby("tools"), key=lambda item: item[1]["started_at"].min())]
            for old, new in pairwise(spans):
                was_used, is_redone = (old["n_crates"] < least).mean() > 0.5, new["n_crates"] >= least
                if len(new) >= options.min_restores and was_used and is_redone.all():
                    found.append(_finding(family, str(key), old, new))
    return found


def _finding(family: tuple[str, ...], key: str, old: pd.DataFrame, new: pd.DataFrame) -> Finding:
    workflow, job, _, keys = family
    return Finding(
        id=f"toolchain-not-in-key:{workflow}:{job}:{key}",
        kind="toolchain-not-in-key",
        subject=f"{workflow} / {job}",
        claim=f"kept its key {keys} from {old['tools'].iloc[0]} to {new['tools'].iloc[0]}: "
        f"all of {plural(len(new), 'exact hit')} since compiled {new['n_crates'].median():.0f} dependencies again",
        verdict="the toolchain is not in the key",
        certainty=Certainty.of_n(len(new)),
        severity=Severity.MEDIUM,
        n=len(new),
        method="one exact key, hits that compile little before the toolchain changed and as much as a miss after it",
        remedy="Put the version of the toolchain into the key, as the hash of `rustc -vV`.",
        evidence=links_of(new),
    )
