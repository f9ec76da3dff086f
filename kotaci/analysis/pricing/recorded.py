"""The tables that prices rest on, joined once for all faults."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property

import pandas as pd

from kotaci.analysis.caching import with_jobs
from kotaci.analysis.caching.events import with_crates
from kotaci.analysis.caching.options import RESULTS
from kotaci.analysis.pricing.faults import Priced, PricingOptions, unpriced
from kotaci.analysis.timing import DEFAULTS as TIMING
from kotaci.analysis.timing import Effect, Network, Scenario, replay, to_billed, to_misses, to_network
from kotaci.model import BadInput, Price, plural

ATTEMPT = ["repo", "run_id", "attempt"]
JOB = [*ATTEMPT, "job_id"]


class Recorded:
    """What ran in the window; each part is made when it is first asked for."""

    def __init__(
        self, tables: Mapping[str, pd.DataFrame], *, prices: Mapping[str, float], options: PricingOptions
    ) -> None:
        self.tables, self.options = tables, options
        self._prices = prices
        self._played: dict[Scenario, Effect | str] = {}

    @cached_property
    def network(self) -> Network:
        """The jobs of all attempts whose needs are known."""
        return to_network(*(self.tables[name] for name in ("runs", "jobs", "workflow_jobs", "commits")))

    @cached_property
    def days(self) -> float:
        """The length of the window, from the first start to the last."""
        starts = self.tables["runs"]["started_at"].dropna()
        return float((starts.max() - starts.min()).total_seconds()) / 86400 if len(starts) else 0.0

    @cached_property
    def billed(self) -> pd.DataFrame:
        """The jobs that cost minutes, with job_key (where no file tells it, the name of the job), seconds, and event
        and run_outcome of their attempt."""
        runs = self.tables["runs"]
        billed = to_billed(runs, self.tables["jobs"], prices=self._prices)
        keyed = billed.merge(self.network.jobs[[*JOB, "job_key"]], on=JOB, how="left")
        told = runs[[*ATTEMPT, "event", "outcome"]].rename(columns={"outcome": "run_outcome"})
        return keyed.assign(
            job_key=keyed["job_key"].fillna(keyed["job_base"]),
            seconds=(keyed["ended_at"] - keyed["started_at"]).dt.total_seconds().clip(lower=0.0),
        ).merge(told, on=ATTEMPT)

    def jobs_of(self, workflow: str, job: str) -> pd.DataFrame:
        """Return the rows of `billed` of one job, all its legs."""
        return self.billed[(self.billed["workflow"] == workflow) & (self.billed["job_key"] == job)]

    @cached_property
    def events(self) -> pd.DataFrame:
        """What the caches did, with the jobs they did it in."""
        return with_jobs(self.tables["cache_events"], *(self.tables[name] for name in ("runs", "jobs", "setups")))

    @cached_property
    def misses(self) -> pd.DataFrame:
        """What a miss cost each job that had one."""
        return to_misses(self.events)

    @cached_property
    def restores(self) -> pd.DataFrame:
        """The restores whose end is known, with n_crates: the dependencies that their job compiled."""
        restores = self.events[(self.events["operation"] == "restore") & self.events["result"].isin(RESULTS)]
        return with_crates(restores, self.tables["units"])

    def replayed(self, scenario: Scenario, basis: str, *, how: str = "replayed") -> Priced:
        """Return what the scenario would have saved over the window; `basis` is said before the figures.

        The interval said is that of the replay: 95 %, for caches wider. People's minutes are those by which runs would
        have ended sooner: one person is held to wait for each run.
        """
        if scenario not in self._played:
            self._played[scenario] = self._play(scenario)
        effect = self._played[scenario]
        if isinstance(effect, str):
            return unpriced(effect)
        if effect.n < self.options.fewest_runs:
            why = "; ".join(f"{reason} ({n})" for reason, n in effect.left_out.items())
            return unpriced(f"{plural(effect.n, 'run')} could be replayed" + (f", left out: {why}" if why else ""))
        if math.isnan(effect.minutes_month):
            return unpriced("the window is shorter than a day", n=effect.n)
        months = self.days / TIMING.month_days
        low, high = (round(-end * months) + 0 for end in (effect.minutes_high, effect.minutes_low))
        waited = -float(effect.attempts["change_s"].sum()) / 60
        money = effect.dollars_month
        minutes = round(-effect.minutes_month * months, 1)
        if minutes < 0:
            return unpriced(f"{basis}: it cannot be told from these runs that anything is lost", n=effect.n)
        interval = f", [{low:,}, {high:,}] minutes" if minutes else ""
        return Priced(
            Price(
                minutes=minutes + 0.0,
                money_usd=None if money is None or math.isnan(money) else round(-money * months, 4) + 0.0,
                people_minutes=round(waited, 1) if waited > 0 else None,
                basis=how,
            ),
            effect.n,
            f"{basis}; {how} over {plural(effect.n, 'run')}{interval}",
        )

    def _play(self, scenario: Scenario) -> Effect | str:
        told = {"steps": self.tables["steps"], "misses": self.misses, "commits": self.tables["commits"]}
        try:
            options = replace(TIMING, n_resamples=self.options.n_resamples)
            return replay(self.network, scenario, **told, prices=self._prices, options=options)
        except BadInput as refusal:
            return f"{refusal.value}: {refusal.problem}"

    def measured(self, jobs: pd.DataFrame, basis: str, *, n: int) -> Priced:
        """Return whole minutes and list price of these rows of `billed`, which bought nothing."""
        has_prices = len(jobs) == 0 or bool(jobs["price"].notna().all())
        return Priced(
            Price(
                minutes=float(jobs["minutes"].sum()),
                money_usd=round(float(jobs["dollars"].sum()), 4) if has_prices else None,
                basis="measured",
            ),
            n,
            basis,
        )


def count_runs(jobs: pd.DataFrame) -> int:
    """Return from how many attempts these jobs are."""
    return len(jobs[ATTEMPT].drop_duplicates())
