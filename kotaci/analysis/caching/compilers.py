"""What caches of compilers (sccache) did by their own count, job by job."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from kotaci.analysis.caching.events import links_of
from kotaci.analysis.caching.options import JOB_KEY, CachingOptions
from kotaci.model import Certainty, Finding, Severity, plural, short_workflow

COUNTS = ["n_hits", "n_misses", "n_errors", "n_write_errors"]

COMPILER_COLUMNS = ["workflow", "job", "location", "n_jobs", "n", *COUNTS, "n_unkept", "hit_rate"]


def last_prints(compiler_caches: pd.DataFrame, runs: pd.DataFrame, jobs: pd.DataFrame) -> pd.DataFrame:
    """Return the last print of each job, which counts what earlier ones counted too, in order of time."""
    last = compiler_caches.sort_values("line").drop_duplicates(JOB_KEY, keep="last")
    of_job = jobs[[*JOB_KEY, "workflow", "job"]].assign(workflow=jobs["workflow"].map(short_workflow))
    joined = last.merge(of_job, on=JOB_KEY).merge(runs[["run_id", "attempt", "started_at"]], on=["run_id", "attempt"])
    return joined.sort_values(["started_at", *JOB_KEY], ignore_index=True)


def compiler_table(prints: pd.DataFrame) -> pd.DataFrame:
    """Return COMPILER_COLUMNS, one row a job of a workflow, most compilations first.

    n: compilations that could come from the cache, in n_jobs jobs, n_unkept of which could not keep all that they
    compiled; location as last told. hit_rate is n_hits of n, without an interval: compilations of one job hit or miss
    together. A server that was restarted within a job counts from zero, and what it counted before is not in it.
    """
    counted = prints.assign(**{name: prints[name].fillna(0).astype(int) for name in COUNTS})
    grouped = counted.assign(is_unkept=counted["n_write_errors"] > 0).groupby(["workflow", "job"], as_index=False)
    table = grouped.agg(
        location=("location", "last"),
        n_jobs=("job_id", "size"),
        n_unkept=("is_unkept", "sum"),
        **{name: (name, "sum") for name in COUNTS},
    )
    n = table["n_hits"] + table["n_misses"]
    table = table.assign(n=n, hit_rate=table["n_hits"] / n.where(n > 0))
    return table[COMPILER_COLUMNS].sort_values("n", ascending=False, kind="stable", ignore_index=True)


def find_compilers(table: pd.DataFrame, prints: pd.DataFrame, *, options: CachingOptions) -> Iterator[Finding]:
    """Yield what to see to: a cache that mostly misses, in enough jobs, and one that cannot keep what is compiled."""
    for row in table.to_dict("records"):
        of_job = prints[(prints["workflow"] == row["workflow"]) & (prints["job"] == row["job"])]
        if row["n_jobs"] >= options.min_restores and row["n_hits"] < row["n_misses"]:
            yield _finding(
                row,
                of_job,
                kind="compiler-cache-misses",
                claim=f"took {row['n_hits']:,} of {row['n']:,} compilations from sccache",
                verdict="mostly misses",
                remedy="Look whether what is compiled, its flags and its folder are the same in every run, and whether "
                "the cache is large enough to keep it; without hits sccache only costs time.",
            )
        if row["n_write_errors"]:
            yield _finding(
                row,
                of_job[of_job["n_write_errors"].fillna(0) > 0],
                kind="compiler-cache-writes",
                claim=f"could not keep {plural(row['n_write_errors'], 'compilation')} in sccache, in "
                f"{row['n_unkept']:,} of {plural(row['n_jobs'], 'job')}",
                verdict="is not written",
                remedy="Look at the token's rights, the limits of requests and the room of where it lies "
                f"({row['location'] or 'not told'}): what was not kept is compiled again by the next job.",
            )


def _finding(
    row: dict[str, object], prints: pd.DataFrame, *, kind: str, claim: str, verdict: str, remedy: str
) -> Finding:
    subject = f"{row['workflow']} / {row['job']}"
    return Finding(
        id=f"{kind}:{subject}",
        kind=kind,
        subject=subject,
        claim=claim,
        verdict=verdict,
        certainty=Certainty.of_n(len(prints)),
        severity=Severity.LOW,
        n=len(prints),
        method="last `sccache --show-stats` of each job",
        remedy=remedy,
        evidence=links_of(prints),
    )
