"""Keys that went cold, are new in every run, or never change."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import pandas as pd

from kotaci.analysis.caching.events import commit_link, links_of, of_family
from kotaci.analysis.caching.families import miss_cost
from kotaci.analysis.caching.options import CachingOptions
from kotaci.model import Certainty, Finding, Price, Severity, plural


def find_cold(first: pd.DataFrame, *, options: CachingOptions) -> list[Finding]:
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
                    minutes=round(max(cost.shift_s, 0.0) * n_jobs / 60, 1) if cost.is_known else None,
                    basis="measured" if cost.is_known else "none",
                ),
                evidence=(commit_link(cold.iloc[0]), *links_of(cold)),
            )
        )
    return found


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


def find_keys(families: pd.DataFrame, first: pd.DataFrame, *, but: Collection[str]) -> list[Finding]:
    """Return keys that are new in every run, but for jobs told of already, and keys that never change."""
    found = []
    for row in families[families["has_enough"]].to_dict("records"):
        events = of_family(first, row)
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
                evidence=links_of(events),
            )
        )
    return found
