"""What a scenario costs or saves: against sums job by job, and intervals against runs drawn and copied one by one."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from kotaci.analysis.timing import Effect, Faster, RemoveNeed, Split, TimingOptions, replay, to_network
from tests.analysis.frames import CI
from tests.analysis.pipelines import Graph, Tables

PRICES = {"ubuntu-24.04": 0.006, "macos-15": 0.062}
CHAIN: Graph = {"build": [], "test": ["build"]}
OPTIONS = TimingOptions(n_resamples=200, seed=5)

Attempts = Sequence[tuple[int, float, int]]
"""Run, price and seconds of the job `test` of each attempt."""


@pytest.fixture(scope="module")
def history() -> tuple[Attempts, Tables]:
    dice, tables = random.Random(3), Tables()  # noqa: S311  (repeatable on purpose)
    told = []
    for _ in range(25):
        first = None
        for _ in range(dice.choice((1, 1, 2, 4))):
            label, took = dice.choice(sorted(PRICES)), dice.randint(0, 900)
            first = tables.add(CHAIN, {"build": [(5, 60)], "test": [(5, took)]}, again=first, test={"labels": label})
            told.append((first["run_id"], PRICES[label], took))
    return told, tables


def replayed(tables: Tables, scenario: Faster | Split | RemoveNeed, prices: dict[str, float]) -> Effect:
    frames = tables.frames()
    network = to_network(frames["runs"], frames["jobs"], frames["workflow_jobs"], frames["commits"])
    return replay(network, scenario, steps=frames["steps"], prices=prices, options=OPTIONS)


def minutes(seconds: float) -> int:
    return max(1, math.ceil(seconds / 60))


def interval(values: Sequence[tuple[int, float]], statistic: Callable[[list[float]], float]) -> list[float]:
    """Draw runs, put all the attempts of each into the bag, and take what 95 % of the bags say."""
    bags = list(dict.fromkeys(run for run, _ in values))
    dice = np.random.default_rng(OPTIONS.seed)
    found = []
    for _ in range(OPTIONS.n_resamples):
        drawn = [bags[place] for place in dice.integers(0, len(bags), len(bags))]
        found.append(statistic([value for bag in drawn for run, value in values if run == bag]))
    return [float(np.quantile(found, share)) for share in (0.025, 0.975)]


def test_money_and_intervals_are_those_of_runs_drawn_as_a_whole(history: tuple[Attempts, Tables]) -> None:
    told, tables = history
    effect = replayed(tables, Faster(CI, "test", 40), PRICES)
    assert effect.n == len(told) > len({run for run, _, _ in told})
    days = (tables.runs[-1]["started_at"] - tables.runs[0]["started_at"]).total_seconds() / 86400
    seconds = [(run, -0.4 * took) for run, _, took in told]
    fewer = [(run, (minutes(0.6 * took) - minutes(took)) * 30 / days) for run, _, took in told]
    cheaper = [(run, less * price) for (run, less), (_, price, _) in zip(fewer, told, strict=True)]

    assert effect.mean_s == pytest.approx(np.mean([s for _, s in seconds]))
    assert effect.dollars_month == pytest.approx(sum(usd for _, usd in cheaper))
    assert [effect.low_s, effect.high_s] == pytest.approx(interval(seconds, lambda bag: float(np.median(bag))))
    assert [effect.mean_low_s, effect.mean_high_s] == pytest.approx(interval(seconds, lambda bag: float(np.mean(bag))))
    assert [effect.minutes_low, effect.minutes_high] == pytest.approx(interval(fewer, sum))
    assert [effect.dollars_low, effect.dollars_high] == pytest.approx(interval(cheaper, sum))


def test_dollars_are_unknown_where_a_price_that_matters_is(history: tuple[Attempts, Tables]) -> None:
    _, tables = history
    unknown = replayed(tables, Faster(CI, "test", 40), {"macos-15": 0.062})
    assert (unknown.dollars_month, unknown.dollars_low, unknown.dollars_high) == (None, None, None)
    assert unknown.minutes_month < 0
    assert replayed(tables, RemoveNeed(CI, "test", "build"), {}).dollars_month == 0


def test_copies_of_a_job_cost_each(history: tuple[Attempts, Tables]) -> None:
    told, tables = history
    effect = replayed(tables, Split(CI, "test", 3, 60), PRICES)
    days = (tables.runs[-1]["started_at"] - tables.runs[0]["started_at"]).total_seconds() / 86400
    more = [
        (3 * minutes(min(took, 60) + max(0, took - 60) / 3) - minutes(took)) * price * 30 / days
        for _, price, took in told
    ]
    assert effect.dollars_month == pytest.approx(sum(more))
