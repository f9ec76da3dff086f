"""What to change first: the changes that the runs suggest, replayed, and ranked by what they save.

What was replayed or measured is ranked before what is estimated; both by the time that runs would have taken less in
all, then by minutes. A change whose intervals hold 0 is listed, and not ranked. Each is tried alone: what two of them
save is not the sum.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from kotaci.analysis.timing.candidates import (
    CACHING,
    COMPILING,
    PARALLEL,
    PROFILING,
    PRUNING,
    STRATEGIES,
    Candidate,
    Evidence,
    candidates,
    gather,
)
from kotaci.analysis.timing.network import Network
from kotaci.analysis.timing.options import SUGGESTING, SuggestingOptions
from kotaci.analysis.timing.replaying import NO_PRICES, Effect, replay, to_months
from kotaci.analysis.timing.scenarios import Scenario
from kotaci.model import BadInput, plural, short_workflow

SAVES = "saves"
SAVES_TIME = "saves time, costs minutes"
SAVES_MINUTES = "saves minutes, costs time"
COSTLY = "not worth it"
UNTOLD = "cannot be told"
NOTHING = "saves nothing"
REFUSED = "refused"
NOT_MEASURABLE = "not measurable"

ORDER = (SAVES, SAVES_TIME, SAVES_MINUTES, COSTLY, UNTOLD, NOTHING, NOT_MEASURABLE, REFUSED)
RANKED = frozenset(ORDER[:3])

FIGURES = [
    "n", "median_s", "low_s", "high_s", "mean_s", "mean_low_s", "mean_high_s", "minutes_month", "minutes_low",
    "minutes_high", "dollars_month", "dollars_low", "dollars_high",
]  # fmt: skip

_RELEASE = re.compile(r"release", re.IGNORECASE)


@dataclass(frozen=True)
class Suggestion:
    """A change in plain words, what it would have made of the runs, and how that is known.

    how: measured, replayed, estimated or none. strategy: one of STRATEGIES, or empty. basis: what the figures rest on,
    or why there are none. rank counts from 1, None where nothing certain is saved.
    """

    title: str
    workflow: str
    verdict: str
    basis: str
    how: str = "none"
    strategy: str = ""
    scenario: Scenario | None = None
    effect: Effect | None = None
    rank: int | None = None


@dataclass(frozen=True)
class Suggestions:
    """The rows, ranked ones first; each of the five STRATEGIES is in one at least.

    n attempts have known needs and were replayed on; left_out counts the others by reason.
    """

    rows: Sequence[Suggestion]
    n: int
    left_out: Mapping[str, int]
    options: SuggestingOptions

    def to_table(self) -> pd.DataFrame:
        """Return a row a suggestion: words, and the figures of its effect, missing where it has none."""
        words = ["rank", "title", "workflow", "strategy", "how", "verdict"]
        rows = [
            [
                *(getattr(row, name) for name in words),
                *(None if row.effect is None else getattr(row.effect, name) for name in FIGURES),
                row.basis,
            ]
            for row in self.rows
        ]
        table = pd.DataFrame(rows, columns=[*words, *FIGURES, "basis"])
        return table.astype({"rank": "Int64", "n": "Int64"} | dict.fromkeys(FIGURES[1:], "Float64"))


def suggest_scenarios(
    network: Network,
    *,
    steps: pd.DataFrame,
    units: pd.DataFrame | None = None,
    misses: pd.DataFrame | None = None,
    commits: pd.DataFrame | None = None,
    prices: Mapping[str, float] = NO_PRICES,
    options: SuggestingOptions = SUGGESTING,
) -> Suggestions:
    """Return what the runs suggest to change, from the tables of those names; `misses` are those of `to_misses`.

    Tried are: needs on critical paths, the longest critical job in halves, limits where jobs hung, steps that install
    tools, caches that miss, superseded runs, short jobs side by side, and runs that change only words. A job of a
    called workflow is not tried: only its caller is known by name.
    """
    seen = gather(network, steps=steps, units=units, options=options)
    months = to_months(network.attempts, options.timing)
    rows = []
    for candidate in candidates(network, seen, misses=misses, commits=commits, options=options):
        try:
            effect = replay(
                network,
                candidate.scenario,
                steps=steps,
                misses=misses,
                commits=commits,
                prices=prices,
                options=options.timing,
            )
        except BadInput as refusal:
            rows.append(_refused(candidate, f"{refusal.value}: {refusal.problem}"))
            continue
        if effect.n:
            rows.append(_judged(candidate, effect, months, options))
        else:
            rows.append(_refused(candidate, ", ".join(effect.left_out)))
    kept = [row for row in rows if row.verdict != NOTHING or row.strategy]
    has_misses = misses is not None and len(misses) > 0
    kept += _unmeasured(network, seen, {row.strategy for row in kept}, has_misses=has_misses)
    return Suggestions(
        rows=_ranked(kept, options),
        n=int((network.attempts["reason"] == "").sum()),
        left_out=network.left_out(),
        options=options,
    )


def _refused(candidate: Candidate, why: str) -> Suggestion:
    workflow = short_workflow(candidate.scenario.workflow)
    return Suggestion(candidate.title, workflow, REFUSED, why, "none", candidate.strategy, candidate.scenario)


def _judged(candidate: Candidate, effect: Effect, months: float, options: SuggestingOptions) -> Suggestion:
    return Suggestion(
        title=candidate.title,
        workflow=short_workflow(candidate.scenario.workflow),
        verdict=_verdict(effect, months, options),
        basis=candidate.basis,
        how=candidate.how,
        strategy=candidate.strategy,
        scenario=candidate.scenario,
        effect=effect,
    )


def _verdict(effect: Effect, months: float, options: SuggestingOptions) -> str:
    time = (effect.mean_low_s, effect.mean_high_s)
    minutes = (effect.minutes_low, effect.minutes_high)
    is_shorter, is_cheaper = time[1] < 0, minutes[1] < 0
    is_longer, is_dearer = time[0] > 0, minutes[0] > 0
    if (is_shorter and is_dearer) or (is_longer and is_cheaper):
        is_worth_it = months * effect.n * effect.mean_s / 60 * options.minutes_worth + effect.minutes_month < 0
        return (SAVES_TIME if is_shorter else SAVES_MINUTES) if is_worth_it else COSTLY
    if is_shorter or is_cheaper:
        is_worth_it = effect.mean_s <= -options.least_mean_s or effect.minutes_month <= -options.least_minutes
        return SAVES if is_worth_it else NOTHING
    if time[0] < 0 < time[1] or minutes[0] < 0 < minutes[1]:
        return UNTOLD
    return UNTOLD if time[0] < 0 or minutes[0] < 0 else NOTHING


def _ranked(rows: Sequence[Suggestion], options: SuggestingOptions) -> list[Suggestion]:
    """Return the rows in order, with their ranks; of what saves too little to be among the first, only the first of
    each strategy stays."""

    def place(row: Suggestion) -> tuple[int, bool, float, float, str]:
        if row.effect is None or row.verdict not in RANKED:
            return 1 + ORDER.index(row.verdict), False, 0.0, 0.0, row.title
        saved_s, minutes = row.effect.n * row.effect.mean_s, row.effect.minutes_month
        return 0, row.how == "estimated", saved_s, 0.0 if math.isnan(minutes) else minutes, row.title

    found: list[Suggestion] = []
    strategies: set[str] = {""}
    for rank, row in enumerate(sorted(rows, key=place), start=1):
        is_ranked = row.verdict in RANKED
        if not is_ranked or rank <= options.most or row.strategy not in strategies:
            found.append(replace(row, rank=rank if is_ranked else None))
        strategies.add(row.strategy)
    return found


def _unmeasured(network: Network, seen: Evidence, told: set[str], *, has_misses: bool) -> Iterator[Suggestion]:
    """Yield a row for each strategy without one, with why."""
    whys = {
        COMPILING: (
            "Compile less anew (sccache, incremental compilation)",
            "the log of no job on a critical path shows cargo compiling",
        ),
        PARALLEL: (
            "Run jobs in parallel",
            "no job waits for another on a critical path, and none there is long enough to split",
        ),
        CACHING: (
            "Let the cache keys hit",
            "too few restores missed, or what a miss costs cannot be told"
            if has_misses
            else "no restore that missed is known",
        ),
        PRUNING: ("Prune dependencies", _pruning(seen)),
        PROFILING: ("Optimise the release build by a profile", _profiling(seen)),
    }
    has_files = (network.attempts["reason"] == "").any()
    for strategy in STRATEGIES:
        if strategy not in told:
            title, why = whys[strategy]
            is_told = has_files or strategy in {PRUNING, PROFILING}
            basis = why if is_told else "which job waits for which is not known of any run"
            yield Suggestion(title, "", NOT_MEASURABLE, basis, strategy=strategy)


def _pruning(seen: Evidence) -> str:
    why = "the logs do not tell which dependencies are unused"
    jobs = seen.ran[seen.ran["deps_s"] > 0]
    if jobs.empty:
        return why
    spent = f"{jobs['deps_s'].median():.0f} s on all of them, median of {plural(len(jobs), 'job')}"
    return f"{why}; a job that compiles them spends {spent}"


def _profiling(seen: Evidence) -> str:
    named = seen.ran["workflow"].map(short_workflow) + " / " + seen.ran["job_key"]
    release = named[named.str.contains(_RELEASE)].mode()
    if release.empty:
        return "no release build is recorded"
    took = seen.ran.loc[named == release[0], "run_s"]
    return (
        f"it makes the program faster, and its build longer: built twice, with a run between; {release[0]} takes "
        f"{took.median():.0f} s as it is, median of {plural(len(took), 'job')}"
    )
