"""Hits that are not used: dependencies that are compiled although their cache was found."""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd

from kotaci.analysis.caching.events import links_of, of_family
from kotaci.analysis.caching.options import FAMILY, CachingOptions
from kotaci.analysis.statistics import wilson
from kotaci.model import Certainty, Finding, Price, Severity, plural

REDONE_COLUMNS = [*FAMILY, "n_hits", "n_redone", "n_crates", "n_crates_missed", "others"]


def redone_table(compiled: pd.DataFrame, *, options: CachingOptions) -> pd.DataFrame:
    rows = []
    known = compiled[compiled["n_crates"].notna() & (compiled["family"] != "")]
    for key, part in known.groupby(FAMILY):
        hits, misses = part[part["result"] == "exact"], part[part["result"] == "miss"]
        usual = misses["n_crates"].median() if len(misses) else hits["n_crates"].max()
        if not len(hits) or not usual:
            continue
        redone = hits[hits["n_crates"] >= options.recompiled_share * usual]
        alike = known[(known["key"].isin(hits["key"])) & ~known["job"].eq(key[1])]
        clean = alike[(alike["result"] == "exact") & (alike["n_crates"] == 0)]
        rows.append(
            (
                *key,
                len(hits),
                len(redone),
                float(hits["n_crates"].median()),
                float(usual),
                ", ".join(sorted(clean["job"].unique())),
            )
        )
    table = pd.DataFrame(rows, columns=REDONE_COLUMNS)
    return table.sort_values(["n_redone", "n_hits"], ascending=False, ignore_index=True)


def find_redone(
    redone: pd.DataFrame, compiled: pd.DataFrame, *, but: Collection[str], options: CachingOptions
) -> list[Finding]:
    """Return hits that compile all again, but for jobs of which the reason is told already."""
    found = []
    for row in redone.to_dict("records"):
        low, _ = wilson(row["n_redone"], row["n_hits"])
        is_told = f"{row['workflow']} / {row['job']}" in but
        if row["n_hits"] < options.min_restores or low < 0.5 or is_told:
            continue
        hits = of_family(compiled, row)
        hits = hits[(hits["result"] == "exact") & (hits["n_crates"] > 0)]
        why = (
            f"; the job {row['others']} asks for the same key, and its hits compile none: it saves another build"
            if row["others"]
            else ""
        )
        found.append(
            Finding(
                id=f"recompiling-hit:{row['workflow']}:{row['job']}:{row['family']}",
                kind="recompiling-hit",
                subject=f"{row['workflow']} / {row['job']}",
                claim=f"compiled {row['n_crates']:.0f} dependencies again after {row['n_redone']} of "
                f"{plural(row['n_hits'], 'exact hit')} of {row['family']}{why}",
                verdict="hits, but is not used",
                certainty=Certainty.of_n(row["n_hits"]),
                severity=Severity.MEDIUM,
                n=row["n_hits"],
                method=f"exact hits after which at least {options.recompiled_share:.0%} of the dependencies that a "
                "miss compiles were compiled",
                remedy="Give each build a key of its own: put the job, its profile, features and flags into it.",
                price=_restoring(hits),
                evidence=links_of(hits),
            )
        )
    return found


def _restoring(hits: pd.DataFrame) -> Price:
    """Return the minutes spent to restore what was not used."""
    return Price(minutes=round(float(hits["wall_s"].sum()) / 60, 1), basis="measured")
