"""Which changes the runs themselves suggest, before any of them is replayed."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pandas as pd

from kotaci.analysis.timing.edges import gate_of
from kotaci.analysis.timing.network import ATTEMPT, Network, Plan
from kotaci.analysis.timing.options import SUGGESTING, SuggestingOptions
from kotaci.analysis.timing.paths import critical_paths
from kotaci.analysis.timing.scenarios import (
    CacheHits,
    CancelSuperseded,
    Faster,
    Merge,
    RemoveNeed,
    Scenario,
    SkipPaths,
    Split,
    TimeOut,
)
from kotaci.model import Outcome, plural

COMPILING, PARALLEL, CACHING, PRUNING, PROFILING = STRATEGIES = (
    "incremental compilation and sccache",
    "parallel jobs",
    "cache keys",
    "dependency pruning",
    "profile-guided optimisation",
)

WORDS_ONLY = ("**.md", "docs/**", "LICENSE*")
"""Files that no build reads, as a rule."""

_SET_UP = re.compile(
    r"^(?:set up job|post |complete job|install\b)|checkout|/setup-|toolchain|\bcache\b", re.IGNORECASE
)
_INSTALLING = re.compile(r"^install\b|/setup-|toolchain|\b(?:rustup|apt|apt-get|brew|choco)\b", re.IGNORECASE)
_DOCS = re.compile(r"doc", re.IGNORECASE)
_JOB = [*ATTEMPT, "job_id"]


@dataclass(frozen=True)
class Candidate:
    """A scenario to replay, in plain words, with the strategy it belongs to and what the estimate rests on."""

    scenario: Scenario
    title: str
    basis: str
    how: str = "replayed"
    strategy: str = ""


@dataclass(frozen=True)
class Evidence:
    """What was seen of the jobs: ran (those that ran, with workflow, setup_s, compile_s, deps_s), and critical paths.

    steps are those of these jobs, with workflow and job_key; plans the newest known file of each workflow that ran
    often enough. compile_s is the time in which cargo compiled, deps_s the part of crates of others; nan without its
    lines.
    """

    ran: pd.DataFrame
    critical: pd.DataFrame
    steps: pd.DataFrame
    plans: Mapping[str, Plan]


def gather(
    network: Network, *, steps: pd.DataFrame, units: pd.DataFrame | None, options: SuggestingOptions
) -> Evidence:
    """Return what the candidates are drawn from."""
    known = network.attempts[network.attempts["reason"] == ""].sort_values("started_at", kind="stable")
    counts = known["workflow"].value_counts()
    newest = known[known["workflow"].map(counts) >= options.fewest_runs].drop_duplicates("workflow", keep="last")
    names = newest[["repo", "workflows_tree", "workflow"]].itertuples(index=False, name=None)
    workflow = network.attempts["workflow"]
    ran = network.jobs[network.jobs["has_run"]]
    ran = ran.assign(workflow=workflow.iloc[ran["place"]].to_numpy())
    keyed = pd.MultiIndex.from_frame(ran[_JOB])
    mine = steps[[*_JOB, "step", "wall_s"]].merge(ran[[*_JOB, "workflow", "job_key"]], on=_JOB)
    mine = mine.assign(wall_s=mine["wall_s"].astype(float), step=mine["step"].fillna(""))
    setup = mine[mine["step"].str.contains(_SET_UP)].groupby(_JOB)["wall_s"].sum()
    compiled, foreign = _compiling(units)
    critical = critical_paths(network).critical
    return Evidence(
        ran=ran.assign(
            setup_s=setup.reindex(keyed).to_numpy(float),
            compile_s=compiled.reindex(keyed).to_numpy(float),
            deps_s=foreign.reindex(keyed).to_numpy(float),
        ),
        critical=critical.assign(workflow=workflow.iloc[critical["place"]].to_numpy()),
        steps=mine,
        plans={name[2]: network.plans[name] for name in names},
    )


def _compiling(units: pd.DataFrame | None) -> tuple[pd.Series, pd.Series]:
    if units is None or units.empty:
        nothing = pd.Series(dtype=float, index=pd.MultiIndex.from_arrays([[]] * len(_JOB), names=_JOB))
        return nothing, nothing
    built = units[units["action"].isin(["Compiling", "Checking"])]
    built = built.assign(wall_s=built["wall_s"].astype(float))
    whole = built.groupby(_JOB)["wall_s"].sum()
    foreign = built[~built["is_local"].fillna(False)].groupby(_JOB)["wall_s"].sum()
    return whole, foreign.reindex(whole.index).fillna(0.0)


def candidates(
    network: Network,
    seen: Evidence,
    *,
    misses: pd.DataFrame | None,
    commits: pd.DataFrame | None,
    options: SuggestingOptions,
) -> Iterator[Candidate]:
    """Yield what to try, workflow by workflow."""
    for workflow, plan in seen.plans.items():
        ran = seen.ran[seen.ran["workflow"] == workflow]
        critical = seen.critical[seen.critical["workflow"] == workflow]
        steps = seen.steps[seen.steps["workflow"] == workflow]
        often = critical["job_key"].value_counts()
        busy = [str(key) for key, n in often.items() if n >= options.fewest_runs and key in plan]
        yield from _needs(workflow, plan, critical, ran, options)
        yield from _splits(workflow, busy, critical, ran, options)
        yield from _limits(workflow, plan, ran, options)
        yield from _tools(workflow, busy, steps, options)
        if misses is not None:
            yield from _caches(workflow, plan, ran.merge(misses, on=_JOB), options)
        yield from _merges(workflow, plan, ran, options)
        yield from _cancellations(workflow, network)
        if commits is not None and len(commits) and not _DOCS.search(workflow):
            yield Candidate(
                SkipPaths(workflow, WORDS_ONLY),
                f"Skip runs that change only {', '.join(WORDS_ONLY)}",
                "a required check that never runs stays pending: another has to report in its place",
            )
    yield from _compilers(seen, options)


def _needs(
    workflow: str, plan: Plan, critical: pd.DataFrame, ran: pd.DataFrame, options: SuggestingOptions
) -> Iterator[Candidate]:
    before = critical.groupby("place")["job_key"].shift()
    edges = pd.Series(list(zip(before, critical["job_key"], strict=True))).value_counts()
    minutes = (ran["run_s"] / 60).apply(math.ceil).groupby([ran["place"], ran["job_key"]]).sum()
    for (need, key), n in edges.items():
        if n < options.fewest_runs or key not in plan or need not in plan[key].needs:
            continue
        usual = minutes.xs(key, level="job_key").median()
        yield Candidate(
            RemoveNeed(workflow, key, need),
            f"Let {key} start without waiting for {need}",
            f"on the critical path of {plural(int(n), 'run')}; where {need} fails, {key} would run all the same and "
            f"cost {usual:.0f} minutes",
            strategy=PARALLEL,
        )


def _splits(
    workflow: str, busy: list[str], critical: pd.DataFrame, ran: pd.DataFrame, options: SuggestingOptions
) -> Iterator[Candidate]:
    passed = critical.merge(ran.loc[ran["outcome"] == Outcome.SUCCESS, _JOB], on=_JOB)
    longest = passed[passed["job_key"].isin(busy)].groupby("job_key")["run_s"].sum().nlargest(1)
    for key in longest.index.astype(str):
        jobs = ran[(ran["job_key"] == key) & (ran["outcome"] == Outcome.SUCCESS)]
        if jobs.empty or jobs["run_s"].median() < options.least_split_s:
            continue
        setup, compiling = (float(jobs[name].fillna(0.0).median()) for name in ("setup_s", "compile_s"))
        known = f"and compilation ({compiling:.0f} s)" if compiling else "(what is compiled is not in the logs)"
        yield Candidate(
            Split(workflow, key, 2, round(setup + compiling, 1)),
            f"Split {key} into two jobs",
            f"assumes equal halves, each with its own set-up ({setup:.0f} s) {known}",
            how="estimated",
            strategy=PARALLEL,
        )


def fitting_limit(passed_s: pd.Series, options: SuggestingOptions = SUGGESTING) -> int:
    """Return the limit in minutes that would suit jobs of which the passed ones took so many seconds."""
    return max(options.least_limit, math.ceil(options.limit_factor * float(passed_s.quantile(0.99)) / 60))


def _limits(workflow: str, plan: Plan, ran: pd.DataFrame, options: SuggestingOptions) -> Iterator[Candidate]:
    for key, job in plan.items():
        jobs = ran[ran["job_key"] == key]
        is_passed = jobs["outcome"] == Outcome.SUCCESS
        passed = jobs.loc[is_passed, "run_s"]
        if len(passed) < options.fewest_passed:
            continue
        usual = float(passed.quantile(0.99))
        limit = fitting_limit(passed, options)
        n_hung = int((jobs.loc[~is_passed, "run_s"] > limit * 60).sum())
        if n_hung and (job.timeout_min is None or job.timeout_min > limit):
            own = "GitHub's six hours" if job.timeout_min is None else f"{job.timeout_min:.0f} minutes"
            yield Candidate(
                TimeOut(workflow, key, limit),
                f"Stop {key} after {limit} minutes",
                f"{options.limit_factor:g} times the 99th percentile of {plural(len(passed), 'passed job')} "
                f"({usual:.0f} s); {plural(n_hung, 'job')} that did not pass ran longer; the limit is {own}",
            )


def _tools(workflow: str, busy: list[str], steps: pd.DataFrame, options: SuggestingOptions) -> Iterator[Candidate]:
    installing = steps[steps["job_key"].isin(busy) & steps["step"].str.contains(_INSTALLING)]
    installing = installing[~installing["step"].str.startswith("Post ")]
    for (key, step), took in installing.groupby(["job_key", "step"])["wall_s"]:
        if len(took) >= options.fewest_runs and took.median() >= options.least_step_s:
            yield Candidate(
                Faster(workflow, str(key), 100, step=str(step)),
                f"Have what `{step}` installs in the image of {key}",
                f"the step takes {took.median():.0f} s, median of {plural(len(took), 'job')}; all of it is taken off",
            )


def _caches(workflow: str, plan: Plan, missed: pd.DataFrame, options: SuggestingOptions) -> Iterator[Candidate]:
    for key, jobs in missed.groupby("job_key"):
        if key in plan and len(jobs) >= options.fewest_misses and jobs["cost_s"].notna().any():
            costs = jobs["cost_s"].dropna()
            told = f"{costs.min():.0f}" if costs.min() == costs.max() else f"{costs.min():.0f} to {costs.max():.0f}"
            yield Candidate(
                CacheHits(workflow, str(key)),
                f"Let the caches of {key} always hit",
                f"{plural(len(jobs), 'job')} missed; a miss costs {told} s, measured leg by leg; an upper bound, since "
                "what is new must miss once",
                strategy=CACHING,
            )


def _merges(workflow: str, plan: Plan, ran: pd.DataFrame, options: SuggestingOptions) -> Iterator[Candidate]:
    usual = ran.groupby("job_key")["run_s"].median()
    short = [key for key in plan if usual.get(key, math.inf) < options.most_merge_s and not gate_of(key, plan)]
    alike: dict[tuple[frozenset[str], str], list[str]] = {}
    for key in short:
        alike.setdefault((frozenset(plan[key].needs), plan[key].runs_on), []).append(key)
    for keys in alike.values():
        if len(keys) > 1:
            setup = float(ran.loc[ran["job_key"].isin(keys), "setup_s"].median())
            overhead = 0.0 if math.isnan(setup) else setup
            yield Candidate(
                Merge(workflow, tuple(keys), round(overhead, 1)),
                f"Merge {' and '.join(keys)} into one job",
                f"run one after another, set-up ({overhead:.0f} s) once; one that fails stops the rest",
            )


def _cancellations(workflow: str, network: Network) -> Iterator[Candidate]:
    attempts = network.attempts[network.attempts["workflow"] == workflow]
    for event, words in (("pull_request", "of pull requests"), ("push", "of pushes")):
        if (attempts["event"] == event).any():
            wanted = "; where each commit's own verdict is wanted, leave it" if event == "push" else ""
            yield Candidate(
                CancelSuperseded(workflow, event),
                f"Cancel runs {words} when a newer one comes",
                f"minutes spent after a newer run of the same place was created{wanted}",
                how="measured",
            )


def _compilers(seen: Evidence, options: SuggestingOptions) -> Iterator[Candidate]:
    critical = seen.critical[[*_JOB, "workflow", "job_key"]]
    jobs = critical.merge(seen.ran[[*_JOB, "run_s", "compile_s", "outcome"]], on=_JOB)
    jobs = jobs[jobs["compile_s"].notna() & (jobs["run_s"] > 0) & (jobs["outcome"] == Outcome.SUCCESS)]
    jobs = jobs[jobs["workflow"].isin(list(seen.plans))]
    sums = jobs.groupby(["workflow", "job_key"])["compile_s"].agg(["sum", "size"])
    for workflow, key in sums[sums["size"] >= options.fewest_runs]["sum"].nlargest(1).index:
        mine = jobs[(jobs["workflow"] == workflow) & (jobs["job_key"] == key)]
        share = 100 * float((mine["compile_s"] / mine["run_s"]).clip(0, 1).median())
        yield Candidate(
            Faster(workflow, key, round(share, 1)),
            f"Compile nothing anew in {key} (sccache, incremental compilation)",
            f"an upper bound: cargo compiles for {share:.0f} % of it, median of {plural(len(mine), 'passed job')}; all "
            "of that is taken off, and how much of it a compiler cache keeps is not measured here",
            how="estimated",
            strategy=COMPILING,
        )
