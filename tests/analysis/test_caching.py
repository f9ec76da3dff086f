"""What caches do, for stories whose answer the eye sees."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu

from kotaci.analysis.caching import Caching, assess_caching, family_of, rate_families
from kotaci.analysis.statistics import median_shift
from kotaci.tables import CACHE_EVENTS, CACHES, COMPILER_CACHES, SETUPS, UNITS

from .frames import Row, frame, job, jobs, restore, run, runs, setup, unit

LOCK = "cargo-Linux-" + "ab12" * 16


def assessed(
    of_jobs: Sequence[Row], events: Sequence[Row], units: Sequence[Row] = (), setups: Sequence[Row] = ()
) -> Caching:
    """Return the caching of these jobs, each in a run of its own id."""
    started = {row["run_id"]: run(row["run_id"]) for row in of_jobs}
    return assess_caching(
        runs=runs(started.values()),
        jobs=jobs(of_jobs),
        cache_events=frame(CACHE_EVENTS, events),
        units=frame(UNITS, units),
        setups=frame(SETUPS, setups),
        caches=frame(CACHES, ()),
        compiler_caches=frame(COMPILER_CACHES, ()),
    )


def story(letters: str, *, miss_s: float = 500, hit_s: float = 200) -> tuple[list[Row], list[Row]]:
    """Return a job and a restore for each letter: E exact, M miss."""
    results = {"E": ("exact", hit_s), "M": ("miss", miss_s)}
    made = [(job(run(place), wall=results[letter][1] + place % 3), results[letter][0]) for place, letter in
            enumerate(letters, start=1)]  # fmt: skip
    return [row for row, _ in made], [restore(row, result, LOCK) for row, result in made]


@pytest.mark.parametrize(
    ("key", "family"),
    [
        (LOCK, "cargo-Linux-*"),
        ("v0-rust-tests-Linux-x64-0a1b2c3d-44556677", "v0-rust-tests-Linux-x64-*-*"),
        ("build-18612460527-1", "build-*-1"),
        ("node-22-deadbeef", "node-22-*"),
        ("docs-cargo-registry", "docs-cargo-registry"),
    ],
)
def test_a_family_is_a_key_without_its_hashes_and_ids(key: str, family: str) -> None:
    assert family_of(key) == family


@given(st.text(max_size=80))
def test_a_family_is_its_own_family(key: str) -> None:
    assert family_of(family_of(key)) == family_of(key)


def test_rates_count_first_attempts_and_carry_their_interval() -> None:
    of_jobs, events = story("EEEEEEEEMM")
    again = job(run(9, attempt=2))
    caching = assessed([*of_jobs], [*events, restore(again, "exact", LOCK)])
    (row,) = caching.families.to_dict("records")
    assert (row["n"], row["n_exact"], row["n_miss"], row["n_partial"]) == (10, 8, 2, 0)
    assert row["low"] < row["hit_rate"] == 0.8 < row["high"]


def test_a_miss_costs_what_the_job_takes_longer() -> None:
    caching = assessed(*story("EEEEEEMMMMMM", miss_s=500, hit_s=200))
    (row,) = caching.families.to_dict("records")
    assert row["miss_cost_low_s"] <= row["miss_cost_s"] <= row["miss_cost_high_s"]
    assert row["miss_cost_s"] == pytest.approx(300, abs=3)
    assert row["worth_s"] == pytest.approx(300 / 2 - (12 + 1) / 2, abs=3)


def test_a_miss_is_compared_with_hits_of_its_own_toolchain_and_image() -> None:
    """The new toolchain is slower by 400 s and missed; the old one hit: told across them a miss would cost 700 s."""
    of_jobs, events = story("EEEEEEMMMEEE", miss_s=300, hit_s=200)
    slower = [{**row, "wall_s": row["wall_s"] + (400 if place >= 6 else 0)} for place, row in enumerate(of_jobs)]
    setups = [setup(row, "tool", "rustc", "1.95.0" if place < 6 else "1.96.0") for place, row in enumerate(slower)]
    setups += [setup(row, "image", "ubuntu-24.04", f"2026{row['run_id']}") for row in slower]
    (row,) = assessed(slower, events, setups=setups).families.to_dict("records")
    assert row["miss_cost_s"] == pytest.approx(100, abs=3)
    assert (row["n_strata"], row["n_compared_misses"], row["n_compared_hits"], row["n_alone"]) == (1, 3, 3, 6)


def test_a_cache_that_only_hits_has_no_cost_that_can_be_told() -> None:
    (row,) = assessed(*story("EEEEEE")).families.to_dict("records")
    assert math.isnan(row["miss_cost_s"])


def test_a_key_that_went_cold_is_one_finding_with_its_cost() -> None:
    (finding,) = assessed(*story("EEEEEEMMMMMMEEE")).findings
    assert (finding.kind, finding.n, finding.verdict) == ("cold-cache", 6, "was cold")
    assert finding.price.minutes == pytest.approx(6 * 300 / 60, abs=0.5)


def test_a_key_that_is_new_in_every_run_is_told_and_one_that_never_changes() -> None:
    rows = [job(run(place)) for place in range(1, 8)]
    fresh = [restore(row, "partial", f"nightly-{10_000 + row['run_id']}") for row in rows]
    fixed = [restore(row, "exact", "docs-registry", action="other/cache") for row in rows]
    told = {finding.kind: finding.claim for finding in assessed(rows, [*fresh, *fixed]).findings}
    assert told == {
        "key-always-new": "asked for a new key in each of 7 runs: no exact hit",
        "key-never-new": "asked for one key, docs-registry, in all of 7 runs",
    }


def test_a_cache_that_never_hit_did_not_go_cold() -> None:
    assert not assessed(*story("MMMMMMMM")).findings


def test_hits_that_compile_all_again_name_the_job_whose_key_they_share() -> None:
    mine = [job(run(place), name="coverage") for place in range(1, 11)]
    theirs = [job(run(place), name="integration", job_id=place * 100 + 50) for place in range(1, 11)]
    events = [restore(row, "miss" if row["run_id"] == 1 else "exact", LOCK) for row in (*mine, *theirs)]
    units = [unit(row, name) for row in mine for name in ("serde", "tokio")]
    units += [unit(theirs[0], name) for name in ("serde", "tokio")]
    units += [unit(row, "kvstore", is_local=True) for row in (*mine, *theirs)]
    caching = assessed([*mine, *theirs], events, units)
    (finding,) = caching.findings
    assert finding.kind == "recompiling-hit"
    assert finding.n == 9
    assert "compiled 2 dependencies again after 9 of 9 exact hits of cargo-Linux-*" in finding.claim
    assert "the job integration asks for the same key" in finding.claim


def test_hits_that_compile_only_the_workspace_are_used() -> None:
    of_jobs, events = story("MEEEEEEEEE")
    units = [unit(of_jobs[0], "serde"), *(unit(row, "kvstore", is_local=True) for row in of_jobs)]
    assert not assessed(of_jobs, events, units).findings


def test_no_events_are_an_empty_answer_of_the_same_shape() -> None:
    full, empty = assessed(*story("EM")), assessed([], [])
    assert list(full.families.columns) == list(empty.families.columns)
    assert list(full.redone.columns) == list(empty.redone.columns)
    assert list(rate_families(empty.events)[0].columns) == list(rate_families(full.events)[0].columns)
    assert (empty.n_restores, empty.findings) == (0, [])


def test_the_shift_is_the_median_of_all_differences() -> None:
    assert median_shift([1, 2, 3], [11, 12, 13])[0] == 10
    assert all(map(math.isnan, median_shift([], [1.0])))


@given(
    st.lists(st.floats(0, 100), min_size=8, max_size=20, unique=True),
    st.lists(st.floats(0, 100), min_size=8, max_size=20, unique=True),
)
def test_zero_lies_outside_the_interval_where_mann_and_whitney_reject(first: list[float], second: list[float]) -> None:
    shift, low, high = median_shift(first, second)
    assert low <= shift <= high
    p = mannwhitneyu(first, second, method="asymptotic", use_continuity=False).pvalue
    if not 0.03 < p < 0.08:
        assert (low > 0 or high < 0) == (p < 0.05)


def test_the_interval_covers_in_95_of_100() -> None:
    dice = np.random.default_rng(5)
    held = 0
    for _ in range(1000):
        before, after = dice.lognormal(size=12), dice.lognormal(size=9) + 1.0
        _, low, high = median_shift(list(before), list(after))
        held += low <= 1.0 <= high
    assert 930 <= held <= 975


def toolchains(crates_after: int, *, key: str = LOCK) -> list[str]:
    """Return the kinds of findings of a cache that misses once, hits five times, and five more times under a new
    toolchain and a key, so many of four crates being compiled after each of these."""
    of_jobs = [job(run(place)) for place in range(1, 12)]
    events = [restore(row, "miss" if place == 0 else "exact", LOCK if place < 6 else key)
              for place, row in enumerate(of_jobs)]  # fmt: skip
    names = ["serde", "tokio", "rand", "bytes"]
    units = [unit(of_jobs[0], name) for name in names]
    units += [unit(row, "kvstore", is_local=True) for row in of_jobs]
    units += [unit(row, name) for row in of_jobs[6:] for name in names[:crates_after]]
    setups = [setup(row, "tool", "rustc", "1.95.0" if place < 6 else "1.96.0") for place, row in enumerate(of_jobs)]
    told = assessed(of_jobs, events, units, setups).findings
    return [finding.kind for finding in told]


def test_a_key_that_outlives_its_toolchain_is_told_where_all_is_compiled_again() -> None:
    assert toolchains(4) == ["toolchain-not-in-key"]
    assert toolchains(1) == []
    assert "toolchain-not-in-key" not in toolchains(4, key=LOCK + "-1.96.0")
