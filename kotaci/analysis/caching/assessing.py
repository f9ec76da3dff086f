"""Tables of caches to the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from kotaci.analysis.caching.compilers import compiler_table, find_compilers, last_prints
from kotaci.analysis.caching.events import with_crates, with_jobs
from kotaci.analysis.caching.families import family_table
from kotaci.analysis.caching.keys import find_cold, find_keys
from kotaci.analysis.caching.options import DEFAULTS, RESULTS, CachingOptions
from kotaci.analysis.caching.redone import find_redone, redone_table
from kotaci.analysis.caching.refs import (
    PullSaves,
    Quotas,
    find_pull_saves,
    find_thrash,
    pull_saves,
    replay_quotas,
    with_refs,
)
from kotaci.analysis.caching.toolchains import find_toolchains
from kotaci.model import Finding


@dataclass(frozen=True)
class Caching:
    """The answer as tables, worst first, and as findings.

    families: one row a (workflow, job, action, key family): n restores of first attempts, of them n_exact, n_partial,
    n_miss; hit_rate (exact) with low and high; n_keys asked; size_bytes, restore_s, save_s medians; n_saved;
    miss_cost_s: by how much longer the job took after a miss than after an exact hit, with low and high (nan where it
    cannot be told), over n_compared_hits and n_compared_misses jobs of n_strata strata, n_alone being without a
    counterpart; worth_s: what the cache gives a job on average, restoring and saving paid.
    redone: one row a family whose exact hits were followed by compiling: n_hits, n_redone of these, n_crates the
    median of dependencies compiled after a hit, n_crates_missed after a miss; others: jobs whose hits of
    the same key compile none.
    events: every restore of the window with its family and the job's wall time.
    compilers: what sccache counted, one row a job, as `compiler_table` returns it.
    pulls: what pull requests save; quotas: what the quota drops, and what others would.
    """

    families: pd.DataFrame
    redone: pd.DataFrame
    events: pd.DataFrame
    compilers: pd.DataFrame
    pulls: PullSaves
    quotas: Quotas
    findings: Sequence[Finding]
    n_restores: int
    n_exact: int
    options: CachingOptions


def assess_caching(
    *,
    runs: pd.DataFrame,
    jobs: pd.DataFrame,
    cache_events: pd.DataFrame,
    units: pd.DataFrame,
    setups: pd.DataFrame,
    caches: pd.DataFrame,
    compiler_caches: pd.DataFrame,
    default_branch: str = "",
    options: CachingOptions = DEFAULTS,
) -> Caching:
    """Return what the caches of the window did, from the tables of those names.

    Rates count first attempts, since a re-run finds what its first attempt saved. The cost of a miss compares passed
    jobs of one workflow and name within their leg, labels, image and toolchain; a failed job is not faster. A cache
    that only hits, or only misses, has no cost that can be told.
    """
    events = with_refs(with_jobs(cache_events, runs, jobs, setups), default_branch=default_branch)
    restores = events[(events["operation"] == "restore") & events["result"].isin(RESULTS)]
    first = restores[restores["attempt"] == 1]
    saves = events[events["operation"] == "save"]
    compiled = with_crates(restores, units)
    families = family_table(first, saves, options=options)
    redone = redone_table(compiled, options=options)
    cold = find_cold(first, options=options)
    toolchains = find_toolchains(compiled, options=options)
    prints = last_prints(compiler_caches, runs, jobs)
    compilers = compiler_table(prints)
    pulls = pull_saves(events, caches)
    quotas = replay_quotas(events, options=options)
    found = [
        *cold,
        *toolchains,
        *find_redone(redone, compiled, but={finding.subject for finding in toolchains}, options=options),
        *find_keys(families, first, but={finding.subject for finding in cold}),
        *find_pull_saves(pulls, events, default_branch=default_branch, options=options),
        *find_thrash(quotas, options=options),
        *find_compilers(compilers, prints, options=options),
    ]
    return Caching(
        families=families,
        redone=redone,
        events=compiled,
        compilers=compilers,
        pulls=pulls,
        quotas=quotas,
        findings=sorted(found, key=lambda finding: (-finding.severity, -finding.n)),
        n_restores=len(first),
        n_exact=int((first["result"] == "exact").sum()),
        options=options,
    )
