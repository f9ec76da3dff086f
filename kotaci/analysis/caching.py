"""Are our caches worth what they cost? Per key family: hits with their interval, what a miss costs, what hits redo.

A hit is not use: crates that are compiled after an exact hit tell of a key that holds another build.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from kotaci.analysis.health import period_of, start_of
from kotaci.analysis.statistics import median_shift, wilson
from kotaci.model import (
    Certainty,
    Finding,
    Link,
    Outcome,
    Price,
    Severity,
    commit_url,
    job_url,
    plural,
    short_workflow,
)


@dataclass(frozen=True)
class CachingOptions:
    """Thresholds; printed with the result."""

    min_restores: int = 5
    """Below this many restores no rate is shown, and nothing is judged."""
    recompiled_share: float = 0.8
    """A hit that recompiles: so large a share of the dependencies that a miss compiles is compiled after a hit."""
    streak: int = 5
    """A key that went cold: so many first attempts in a row missed, after one that hit."""


DEFAULTS = CachingOptions()

RESULTS = ("exact", "partial", "miss")
"""How a restore may end; what a log leaves open is in no rate."""

FAMILY = ["workflow", "job", "action", "family"]


@dataclass(frozen=True)
class Caching:
    """The answer as tables, worst first, and as findings.

    families: one row a (workflow, job, action, key family): n restores of first attempts, of them n_exact, n_partial,
    n_miss; hit_rate (exact) with low and high; n_keys asked; size_bytes, restore_s, save_s medians; n_saved;
    miss_cost_s: by how much longer the job took after a miss than after an exact hit, with low and high (nan where it
    cannot be told); worth_s: what the cache gives a job on average, restoring and saving paid.
    redone: one row a family whose exact hits were followed by compiling: n_hits, n_redone of these, n_crates the
    median of dependencies compiled after a hit, n_crates_missed after a miss; others: jobs whose hits of
    the same key compile none.
    events: every restore of the window with its family and the job's wall time.
    """

    families: pd.DataFrame
    redone: pd.DataFrame
    events: pd.DataFrame
    findings: Sequence[Finding]
    n_restores: int
    n_exact: int
    options: CachingOptions


def family_of(key: str) -> str:
    """Return the key without what changes from one version of the cache to the next: hashes and long numbers as `*`.

    Two builds that ask for the same family may overwrite, or make do with, each other's caches.
    """
    return re.sub(r"(?<![0-9A-Za-z])(?:[0-9a-f]{8,}|[0-9]{5,})(?![0-9A-Za-z])", "*", key)


def assess_caching(
    *,
    runs: pd.DataFrame,
    jobs: pd.DataFrame,
    cache_events: pd.DataFrame,
    units: pd.DataFrame,
    options: CachingOptions = DEFAULTS,
) -> Caching:
    """Return what the caches of the window did, from the tables of those names.

    Rates count first attempts, since a re-run finds what its first attempt saved. The cost of a miss compares passed
    jobs of one workflow and name on the same labels; a failed job is not faster. A cache that only hits, or only
    misses, has no cost that can be told.
    """
    events = _with_jobs(cache_events, runs, jobs)
    restores = events[(events["operation"] == "restore") & events["result"].isin(RESULTS)]
    first = restores[restores["attempt"] == 1]
    saves = events[events["operation"] == "save"]
    compiled = _compiled(restores, units)
    families = _family_table(first, saves, options=options)
    redone = _redone_table(compiled, options=options)
    cold = _find_cold(first, options=options)
    found = [
        *cold,
        *_find_redone(redone, compiled, options=options),
        *_find_keys(families, first, but={finding.subject for finding in cold}),
    ]
    return Caching(
        families=families,
        redone=redone,
        events=compiled,
        findings=sorted(found, key=lambda finding: (-finding.severity, -finding.n)),
        n_restores=len(first),
        n_exact=int((first["result"] == "exact").sum()),
        options=options,
    )


_KEY = ["run_id", "attempt", "job_id"]


def _with_jobs(events: pd.DataFrame, runs: pd.DataFrame, jobs: pd.DataFrame) -> pd.DataFrame:
    of_job = jobs[[*_KEY, "workflow", "job", "job_base", "leg", "outcome", "labels"]].assign(
        job_wall_s=jobs["wall_s"].astype(float)
    )
    of_run = runs[["run_id", "attempt", "branch", "event", "head_sha", "started_at"]]
    joined = events.merge(of_job, on=_KEY, suffixes=("", "_of_job")).merge(of_run, on=["run_id", "attempt"])
    return joined.assign(
        family=joined["key"].fillna("").map(family_of),
        workflow=joined["workflow"].map(short_workflow),
        wall_s=joined["wall_s"].astype(float),
    ).sort_values(["started_at", "run_id", "attempt"], ignore_index=True)


def _compiled(restores: pd.DataFrame, units: pd.DataFrame) -> pd.DataFrame:
    """Return the restores with how many dependencies their job compiled; missing where cargo said nothing at all."""
    built = units[units["action"].isin(["Compiling", "Checking"])]
    foreign = built[~built["is_local"].fillna(False)]
    seen = built.groupby(_KEY).size()
    counts = foreign.groupby(_KEY)["unit"].nunique().reindex(seen.index).fillna(0)
    keys = pd.MultiIndex.from_frame(restores[_KEY])
    return restores.assign(n_crates=counts.reindex(keys).to_numpy(dtype=float))


def _family_table(first: pd.DataFrame, saves: pd.DataFrame, *, options: CachingOptions) -> pd.DataFrame:
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
                "miss_cost_s": cost[0],
                "miss_cost_low_s": cost[1],
                "miss_cost_high_s": cost[2],
                "worth_s": _worth(cost[0], part, kept),
                "has_enough": n >= options.min_restores,
            }
        )
    table = pd.DataFrame(rows, columns=FAMILY_COLUMNS)
    return table.sort_values(["has_enough", "high", "n"], ascending=[False, True, False], ignore_index=True)


FAMILY_COLUMNS = [
    *FAMILY, "n", "n_exact", "n_partial", "n_miss", "hit_rate", "low", "high", "n_keys", "size_bytes", "restore_s",
    "n_saved", "save_s", "miss_cost_s", "miss_cost_low_s", "miss_cost_high_s", "worth_s", "has_enough",
]  # fmt: skip
REDONE_COLUMNS = [*FAMILY, "n_hits", "n_redone", "n_crates", "n_crates_missed", "others"]


def miss_cost(part: pd.DataFrame) -> tuple[float, float, float]:
    """Return by how much longer passed jobs took after a miss than after an exact hit, over legs set beside their own
    median of hits; nan where a leg has not both."""
    passed = part[part["outcome"] == Outcome.SUCCESS]
    hits, misses = [], []
    for _, leg in passed.groupby(["leg", "labels"], dropna=False):
        exact = leg.loc[leg["result"] == "exact", "job_wall_s"].dropna()
        missed = leg.loc[leg["result"] == "miss", "job_wall_s"].dropna()
        if len(exact) and len(missed):
            hits += list(exact - exact.median())
            misses += list(missed - exact.median())
    return median_shift(hits, misses)


def _worth(miss_cost_s: float, part: pd.DataFrame, saves: pd.DataFrame | None) -> float:
    """Return what the cache gives a job on average: the share that hit exactly times what a miss costs, less the time
    spent to restore and to save."""
    spent = part["wall_s"].sum() + (0.0 if saves is None else saves["wall_s"].sum())
    return (miss_cost_s * int((part["result"] == "exact").sum()) - float(spent)) / len(part)


def _redone_table(compiled: pd.DataFrame, *, options: CachingOptions) -> pd.DataFrame:
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


def _find_redone(redone: pd.DataFrame, compiled: pd.DataFrame, *, options: CachingOptions) -> list[Finding]:
    found = []
    for row in redone.to_dict("records"):
        low, _ = wilson(row["n_redone"], row["n_hits"])
        if row["n_hits"] < options.min_restores or low < 0.5:
            continue
        hits = _of(compiled, row)
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
                evidence=_links(hits),
            )
        )
    return found


def _find_cold(first: pd.DataFrame, *, options: CachingOptions) -> list[Finding]:
    """Return one finding for a job and action whose restores hit, and then missed so many times in a row.

    Over key families, since what makes a cache go cold is often a change of its key.
    """
    found = []
    for (workflow, job_base, action), part in first.groupby(["workflow", "job_base", "action"]):
        by_run = part.groupby(["started_at", "run_id"], sort=True)
        missed = [bool((events["result"] == "miss").all()) for _, events in by_run]
        runs = [events for _, events in by_run]
        start, length = _longest_streak(missed)
        if length < options.streak or start == 0 or not any(not is_miss for is_miss in missed[:start]):
            continue
        cold = pd.concat(runs[start : start + length])
        is_over = start + length < len(missed)
        cost = miss_cost(part)
        n_jobs = len(cold)
        keys = cold["key"].nunique()
        why = "each asks for a key of its own" if keys >= len(cold[["run_id"]].drop_duplicates()) > 1 else ""
        found.append(
            Finding(
                id=f"cold-cache:{workflow}:{job_base}:{action}:{cold['run_id'].iloc[0]}",
                kind="cold-cache",
                subject=f"{workflow} / {job_base}",
                claim=f"found no cache in {plural(length, 'run')} in a row from {cold['started_at'].iloc[0]:%d %b %Y}"
                + (f" to {cold['started_at'].iloc[-1]:%d %b %Y}" if is_over else " until now")
                + (f"; {why}" if why else ""),
                verdict="was cold" if is_over else "is cold",
                certainty=Certainty.HIGH,
                severity=Severity.LOW if is_over else Severity.HIGH,
                n=length,
                method=f"{options.streak} first attempts in a row that missed, after one that hit",
                remedy="Look at the commit of the first of them: a key must not hold what every run has anew "
                "(run id, commit, time).",
                price=Price(
                    minutes=round(max(cost[0], 0.0) * n_jobs / 60, 1) if cost[0] == cost[0] else None,
                    basis="measured" if cost[0] == cost[0] else "none",
                ),
                evidence=(_commit(cold.iloc[0]), *_links(cold)),
            )
        )
    return found


def _find_keys(families: pd.DataFrame, first: pd.DataFrame, *, but: Collection[str]) -> list[Finding]:
    """Return keys that are new in every run, but for jobs told of already, and keys that never change."""
    found = []
    for row in families[families["has_enough"]].to_dict("records"):
        events = _of(first, row)
        subject, n = f"{row['workflow']} / {row['job']}", int(row["n"])
        if row["n_keys"] == n and not row["n_exact"] and f"{row['workflow']} / {events['job_base'].iloc[0]}" not in but:
            saved = f", {plural(int(row['n_saved']), 'cache')} saved" if row["n_saved"] else ""
            kind, claim = "key-always-new", f"asked for a new key in each of {plural(n, 'run')}: no exact hit{saved}"
            remedy = "Let the key follow what the cache depends on (lockfile, toolchain), not the run."
        elif row["family"] and "*" not in row["family"] and row["n_keys"] == 1:
            kind, claim = "key-never-new", f"asked for one key, {row['family']}, in all of {plural(n, 'run')}"
            remedy = "Put the hash of the lockfile and the toolchain into the key: what was saved once stays."
        else:
            continue
        found.append(
            Finding(
                id=f"{kind}:{row['workflow']}:{row['job']}:{row['family']}",
                kind=kind,
                subject=subject,
                claim=claim,
                verdict="new in every run" if kind == "key-always-new" else "never changes",
                certainty=Certainty.of_n(n),
                severity=Severity.LOW,
                n=n,
                method="keys asked for by first attempts",
                remedy=remedy,
                evidence=_links(events),
            )
        )
    return found


def _commit(row: pd.Series) -> Link:
    sha = str(row["head_sha"])
    return Link(f"commit {sha[:7]}", commit_url(str(row["repo"]), sha))


def _longest_streak(missed: Sequence[bool]) -> tuple[int, int]:
    """Return where the longest row of misses that follows a hit begins, and its length."""
    best = (0, 0)
    start: int | None = None
    for place, is_miss in enumerate([*missed, False]):
        if is_miss and start is None:
            start = place
        elif not is_miss and start is not None:
            if start > 0 and place - start > best[1]:
                best = (start, place - start)
            start = None
    return best


def _of(events: pd.DataFrame, row: Mapping[str, object]) -> pd.DataFrame:
    is_it = pd.Series(True, index=events.index)
    for name in FAMILY:
        is_it &= events[name] == row[name]
    return events[is_it]


def _restoring(hits: pd.DataFrame) -> Price:
    """Return the minutes spent to restore what was not used."""
    return Price(minutes=round(float(hits["wall_s"].sum()) / 60, 1), basis="measured")


def _links(events: pd.DataFrame) -> tuple[Link, ...]:
    newest = events.drop_duplicates(_KEY).iloc[::-1].head(3)
    return tuple(
        Link(f"{row['job']} {row['started_at']:%Y-%m-%d}", job_url(row["repo"], int(row["run_id"]), int(row["job_id"])))
        for row in newest.to_dict("records")
    )


def rate_families(restores: pd.DataFrame, *, n_series: int = 3) -> tuple[pd.DataFrame, str]:
    """Return series (job and action), period_at, n, hit_rate, low, high of the busiest caches, and the period.

    First attempts only, over key families: that a key changed is what the series should show.
    """
    columns = ["series", "period_at", "n", "hit_rate", "low", "high"]
    first = restores[restores["attempt"] == 1]
    if first.empty:
        return pd.DataFrame(columns=columns), "week"
    period = period_of(first["started_at"])
    named = first.assign(
        series=first["job_base"] + ", " + first["action"],
        period_at=start_of(first["started_at"], period=period),
        is_exact=first["result"] == "exact",
    )
    kept = named[named["series"].isin(named["series"].value_counts().index[:n_series])]
    counted = kept.groupby(["series", "period_at"])["is_exact"].agg(["size", "sum"]).reset_index()
    rows = [
        (row.series, row.period_at, row.size_, row.x / row.size_, *wilson(int(row.x), int(row.size_)))
        for row in counted.rename(columns={"size": "size_", "sum": "x"}).itertuples()
    ]
    return pd.DataFrame(rows, columns=columns), period
