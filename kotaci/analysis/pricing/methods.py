"""The ways to price a fault, each by the name that cards give it. All prices are over the window of the tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TypeAlias

import pandas as pd

from kotaci.analysis.caching.options import DEFAULTS as CACHING
from kotaci.analysis.pricing.faults import PRICING, Fault, Priced, PricingOptions, unpriced
from kotaci.analysis.pricing.recorded import ATTEMPT, JOB, Recorded, count_runs
from kotaci.analysis.timing import (
    SUGGESTING,
    WORDS_ONLY,
    CacheHits,
    CancelSuperseded,
    RemoveNeed,
    SkipPaths,
    TimeOut,
    fitting_limit,
)
from kotaci.model import BAD_OUTCOMES, DECIDED_OUTCOMES, Outcome, Price, plural

TABLES = (
    "runs", "jobs", "steps", "phases", "units", "setups", "workflow_jobs", "commits", "cache_events",
)  # fmt: skip
"""The tables that prices are read from."""

Method: TypeAlias = Callable[[Recorded, Fault], Priced]


def price_faults(
    faults: Iterable[Fault],
    tables: Mapping[str, pd.DataFrame],
    *,
    prices: Mapping[str, float],
    options: PricingOptions = PRICING,
) -> dict[str, Priced]:
    """Return the price of each fault by its identity, from TABLES; `prices` are dollars a minute by label.

    A price is what the fault cost in the runs of the window, everything else as it was: an upper bound of what mending
    it saves. Nothing is priced from fewer runs than the options say. A fault whose method is none is left out.
    """
    seen = Recorded(tables, prices=prices, options=options)
    return {fault.identity: _price(seen, fault) for fault in faults if fault.method in METHODS}


def _price(seen: Recorded, fault: Fault) -> Priced:
    if not (seen.tables["runs"]["workflow"] == fault.workflow).any():
        return unpriced("no run of this workflow is in the window")
    found = METHODS[fault.method](seen, fault)
    if found.n < seen.options.fewest_runs and found.price.basis != "none":
        return unpriced(f"{plural(found.n, 'run')}, fewer than {seen.options.fewest_runs}", n=found.n)
    return found


def _hanging(seen: Recorded, fault: Fault) -> Priced:
    """Minutes that jobs ran on after a limit that all passed ones keep."""
    jobs = seen.jobs_of(fault.workflow, fault.job)
    passed = jobs.loc[jobs["outcome"] == Outcome.SUCCESS, "seconds"]
    if len(passed) < SUGGESTING.fewest_passed:
        return unpriced(f"{plural(len(passed), 'passed job')}, too few for a limit", n=count_runs(jobs))
    limit = fitting_limit(passed)
    basis = (
        f"minutes after a limit of {limit} min, {SUGGESTING.limit_factor:g} times the 99th percentile of "
        f"{plural(len(passed), 'passed job')} ({passed.quantile(0.99):.0f} s)"
    )
    return seen.replayed(TimeOut(fault.workflow, fault.job, limit), basis)


def _superseded(seen: Recorded, fault: Fault) -> Priced:
    """Minutes of runs after a newer one of their place had come: of pull requests, of pushes where there are none."""
    runs = seen.tables["runs"]
    events = set(runs.loc[runs["workflow"] == fault.workflow, "event"])
    event = next((event for event in ("pull_request", "push") if event in events), "")
    if not event:
        return unpriced("neither a push nor a pull request started it")
    basis = f"minutes of {event} runs after a newer run of the same place was created"
    return seen.replayed(CancelSuperseded(fault.workflow, event), basis, how="measured")


def _paths(seen: Recorded, fault: Fault) -> Priced:
    """Runs that changed only words."""
    basis = f"runs whose commits change only {', '.join(WORDS_ONLY)}"
    return seen.replayed(SkipPaths(fault.workflow, WORDS_ONLY), basis)


def _needs(seen: Recorded, fault: Fault) -> Priced:
    """Minutes by which runs would end sooner if the job did not wait for that one."""
    if not fault.need:
        return unpriced("which wait it is about is not told")
    basis = f"{fault.job} started without waiting for {fault.need}"
    return seen.replayed(RemoveNeed(fault.workflow, fault.job, fault.need), basis)


def _spent(seen: Recorded, fault: Fault) -> Priced:
    """Minutes of the step; of the whole job where it is about none."""
    jobs = seen.jobs_of(fault.workflow, fault.job)
    if not fault.step:
        return seen.measured(jobs, f"all minutes of {fault.job}", n=count_runs(jobs))
    steps = seen.tables["steps"].merge(jobs[[*JOB, "price"]], on=JOB)
    steps = steps[steps["step"].fillna("") == fault.step]
    return _seconds(steps, f"seconds of the step “{fault.step}”")


def _duplicates(seen: Recorded, fault: Fault) -> Priced:
    """What was done a second time: the step or the job; without a job the runs on a commit that had run already."""
    if fault.job:
        found = _spent(seen, fault)
        return found._replace(method=f"{found.method}, which another does too: an upper bound")
    runs = seen.tables["runs"].sort_values(["created_at", "run_id", "attempt"], kind="stable")
    mine = runs[(runs["workflow"] == fault.workflow) & runs["event"].isin(["push", "pull_request"])]
    mine = mine[(mine["head_sha"].fillna("") != "") & (mine["attempt"] == 1)]
    again = mine[mine.duplicated(["repo", "head_sha"])]
    jobs = seen.billed.merge(again[["repo", "run_id"]], on=["repo", "run_id"])
    basis = f"{plural(len(again), 'run')} on a commit on which it had run for another event or branch"
    return seen.measured(jobs, basis, n=len(mine))


def _tools(seen: Recorded, fault: Fault) -> Priced:
    """Seconds in which `cargo install` built a tool; of the whole step where no log tells it apart."""
    jobs = seen.jobs_of(fault.workflow, fault.job)
    installs = seen.tables["phases"].merge(jobs[[*JOB, "price"]], on=JOB)
    installs = installs[installs["phase"] == "tool-install"]
    if installs.empty and fault.step:
        return _spent(seen, fault)
    tools = ", ".join(sorted(installs["tool"].dropna().unique()))
    return _seconds(installs, f"seconds in which cargo install built {tools or 'a tool'}")


def _seconds(spans: pd.DataFrame, basis: str) -> Priced:
    """Return what spans with wall_s and the price of their job took, to the second rather than rounded up."""
    minutes = spans["wall_s"].astype(float) / 60
    n = count_runs(spans)
    if spans.empty:
        return unpriced("none was recorded")
    dollars = (minutes * spans["price"].astype(float)).sum(skipna=False)
    money = None if pd.isna(dollars) else round(float(dollars), 4)
    return Priced(Price(round(float(minutes.sum()), 1), money, basis="measured"), n, f"{basis}, in {plural(n, 'run')}")


def _caches(seen: Recorded, fault: Fault) -> Priced:
    """What the misses of the job cost, and what it took to restore exact hits after which all was compiled again."""
    jobs = seen.jobs_of(fault.workflow, fault.job)
    restores = seen.restores.merge(jobs[JOB], on=JOB)
    if restores.empty:
        return unpriced("no restore of a cache is recorded", n=count_runs(jobs))
    hits, misses = (restores[restores["result"] == result] for result in ("exact", "miss"))
    usual = misses["n_crates"].median() if misses["n_crates"].notna().any() else hits["n_crates"].max()
    useless = hits[(hits["n_crates"] > 0) & (hits["n_crates"] >= CACHING.recompiled_share * usual)]
    if len(hits) < CACHING.min_restores or 2 * len(useless) <= len(hits):
        useless = hits.head(0)
    restoring = round(float(useless["wall_s"].sum()) / 60, 1)
    basis = f"after {len(useless)} of {plural(len(hits), 'exact hit')} the dependencies were compiled again"
    if misses.empty:
        return Priced(Price(restoring, basis="measured"), count_runs(restores), f"{basis}: the seconds of restoring")
    cost = f"{len(misses)} of {plural(len(restores), 'restore')} missed, each at what a miss cost against hits"
    found = seen.replayed(CacheHits(fault.workflow, fault.job), f"{cost}, an upper bound")
    if useless.empty:
        return found
    if found.price.minutes is None:
        return Priced(Price(restoring, basis="measured"), count_runs(restores), f"{basis}; {found.method}")
    price = replace(found.price, minutes=round(found.price.minutes + restoring, 1))
    return Priced(price, found.n, f"{found.method}; {basis}, {restoring:g} minutes of restoring more")


def _share(seen: Recorded, fault: Fault) -> Priced:
    """Minutes of failures that nobody heard of: the job failed and its run passed."""
    jobs = seen.jobs_of(fault.workflow, fault.job)
    decided = jobs[jobs["outcome"].isin(DECIDED_OUTCOMES)]
    failed = decided[decided["outcome"].isin(BAD_OUTCOMES)]
    unheard = failed[failed["run_outcome"] == Outcome.SUCCESS]
    n, told = count_runs(decided), f"failed in {len(failed)} of {plural(len(decided), 'job')}"
    if unheard.empty:
        return unpriced(f"{told}; what it let pass is not recorded", n=n)
    return seen.measured(unheard, f"{told}, {len(unheard)} times in a run that passed: the minutes of these", n=n)


def _through(seen: Recorded, fault: Fault) -> Priced:
    """Minutes of the runs in which the job passed, or was skipped, which a required check takes for passed, though one
    that it needs had failed or was cancelled."""
    of_attempt = seen.network.attempts[[*ATTEMPT, "workflow", "workflows_tree"]]
    jobs = seen.network.jobs[[*ATTEMPT, "job_key", "outcome"]].merge(of_attempt, on=ATTEMPT)
    jobs = jobs[jobs["workflow"] == fault.workflow]
    ran = jobs[(jobs["job_key"] == fault.job) & jobs["outcome"].isin(DECIDED_OUTCOMES | {Outcome.SKIPPED})]
    passed = ran.loc[~ran["outcome"].isin(BAD_OUTCOMES), ATTEMPT].drop_duplicates()
    declared = seen.tables["workflow_jobs"]
    declared = declared[declared["workflow"] == fault.workflow].drop_duplicates(["workflows_tree", "job_key"])
    of_job = declared[declared["job_key"] == fault.job]
    needs = of_job.assign(job_key=of_job["needs"].fillna("").str.split()).explode("job_key")
    needs = needs[["workflows_tree", "job_key"]].merge(
        declared[["workflows_tree", "job_key", "is_allowed_to_fail"]], on=["workflows_tree", "job_key"]
    )
    needed = jobs.merge(needs, on=["workflows_tree", "job_key"])
    may_fail = needed["is_allowed_to_fail"].fillna(False).astype(bool)
    is_bad = (needed["outcome"].isin(BAD_OUTCOMES) & ~may_fail) | (needed["outcome"] == Outcome.CANCELLED)
    let = needed.loc[is_bad, ATTEMPT].drop_duplicates().merge(passed, on=ATTEMPT)
    basis = (
        f"passed, or was skipped, in {plural(len(let), 'run')} although a job that it needs had failed or was "
        "cancelled: all minutes of these"
    )
    return seen.measured(seen.billed.merge(let, on=ATTEMPT), basis, n=count_runs(ran))


def _legs(seen: Recorded, fault: Fault) -> Priced:
    """Minutes of all legs but the longest, of pull requests where there are any."""
    jobs = seen.jobs_of(fault.workflow, fault.job)
    asked = jobs[jobs["event"] == "pull_request"]
    shown, which = (asked, " in pull requests") if len(asked) else (jobs, "")
    ordered = shown.sort_values([*ATTEMPT, "seconds", "job_id"], ascending=False, kind="stable")
    others = ordered[ordered.duplicated(ATTEMPT)]
    basis = f"minutes of all legs of {fault.job} but the longest{which}: {plural(len(others), 'job')}"
    return seen.measured(others, basis, n=count_runs(shown))


def _transfers(seen: Recorded, fault: Fault) -> Priced:
    """Seconds in which the job restored and saved caches."""
    jobs = seen.jobs_of(fault.workflow, fault.job)
    moved = seen.tables["cache_events"].merge(jobs[[*JOB, "price"]], on=JOB)
    moved = moved[moved["operation"].isin(["restore", "save"]) & moved["wall_s"].notna()]
    return _seconds(moved, f"seconds in which {fault.job} restored and saved caches")


def _everywhere(method: Method) -> Method:
    """Return the method asked of all places of a fault: minutes and dollars summed, and people's the most of one."""

    def priced(seen: Recorded, fault: Fault) -> Priced:
        places = dict.fromkeys([(fault.job, fault.step, fault.need), *fault.also])
        found = [method(seen, replace(fault, job=job, step=step, need=need)) for job, step, need in places]
        told = [one for one in found if one.price.minutes is not None]
        if len(told) < 2:
            return (told or found)[0]
        dearest = max(told, key=lambda one: (one.price.people_minutes or 0.0, one.price.minutes or 0.0))
        dollars = [one.price.money_usd for one in told]
        price = replace(
            dearest.price,
            minutes=round(sum(one.price.minutes or 0.0 for one in told), 1),
            money_usd=None if None in dollars else round(sum(one or 0.0 for one in dollars), 4),
        )
        n = max(one.n for one in told)
        return Priced(price, n, f"{len(told)} places together; the dearest: {dearest.method}")

    return priced


METHODS: Mapping[str, Method] = {
    "timeouts": _hanging,
    "superseded": _superseded,
    "paths": _paths,
    "duplicates": _duplicates,
    "tools": _everywhere(_tools),
    "caches": _everywhere(_caches),
    "transfers": _everywhere(_transfers),
    "needs": _everywhere(_needs),
    "share": _share,
    "through": _through,
    "legs": _legs,
    "spent": _spent,
}
"""How to price a fault, by the `price` of its card."""
