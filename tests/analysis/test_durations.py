"""A shift is found where it was planted, noise and caches are not, and shifts of one place are one thing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kotaci.analysis.durations import Located, Shift, ShiftOptions, find_shifts, group_shifts, smallest_detectable
from kotaci.analysis.durations.together import CANNOT_BE_TOLD, NOTHING
from kotaci.tables import COMMITS
from tests.analysis.frames import commit, frame
from tests.builders import SEEDED

START = pd.Timestamp("2026-03-01T08:00Z")
NO_SETUPS = pd.DataFrame(
    {name: pd.Series(dtype="str") for name in ("workflow", "job", "at", "item", "name", "version")}
)


def series(values: Sequence[float], *, strata: Sequence[str] | None = None) -> pd.DataFrame:
    """Return a run an hour with those durations, of commits c0, c1 and so on."""
    at = [START + pd.Timedelta(hours=hour) for hour in range(len(values))]
    told = {"at": at, "head_sha": [f"c{place}" for place in range(len(values))], "wall_s": list(values)}
    return pd.DataFrame(told | ({"stratum": list(strata)} if strata is not None else {}))


def noisy(n: int, *, level: float = 300, cv: float = 0.1, seed: int = 1) -> list[float]:
    return list(level * np.random.default_rng(seed).lognormal(0, cv, n))


def test_a_slow_down_is_found_with_its_commits_and_its_size() -> None:
    (shift,) = find_shifts(series(noisy(60) + noisy(40, level=390, seed=2)))
    assert abs(shift.position - 60) <= 2
    assert shift.first <= 60 <= shift.last
    assert (shift.first_sha, shift.last_sha, shift.good_sha) == (
        f"c{shift.first}",
        f"c{shift.last}",
        f"c{shift.first - 1}",
    )
    assert (shift.n_before, shift.n_after) == (shift.position, 100 - shift.position)
    assert shift.low < 1.3 < shift.high
    assert shift.is_slower
    assert (shift.before_s, shift.after_s) == (pytest.approx(300, rel=0.05), pytest.approx(390, rel=0.05))


def test_the_order_of_rows_does_not_matter_and_missing_durations_do_not_count() -> None:
    told = series(noisy(30) + noisy(30, level=200, seed=2))
    (shift,) = find_shifts(told)
    assert not shift.is_slower
    holes = pd.concat([told, told.tail(3).assign(wall_s=[None, 0.0, -1.0])])
    assert find_shifts(holes.sample(frac=1, random_state=1)) == [shift]


@pytest.mark.parametrize("seed", range(5))
def test_slow_runs_here_and_there_are_no_shift(seed: int) -> None:
    values = np.array(noisy(120, seed=seed))
    values[np.random.default_rng(seed).choice(120, 8, replace=False)] *= 3
    assert find_shifts(series(values)) == []


def test_a_small_but_certain_shift_is_left_out() -> None:
    told = series(noisy(100, cv=0.005) + noisy(100, cv=0.005, level=309, seed=2))
    assert find_shifts(told) == []
    assert len(find_shifts(told, options=ShiftOptions(min_shift=0.02))) == 1


def test_more_cache_misses_are_no_shift_where_they_are_told() -> None:
    missed = np.array([place % 10 == 0 if place < 60 else place % 10 < 8 for place in range(120)])
    values = np.array(noisy(120)) * np.where(missed, 1.6, 1.0)
    strata = ["miss" if miss else "hit" for miss in missed]
    (shift,) = find_shifts(series(values))
    assert shift.first <= 60 <= shift.last
    assert find_shifts(series(values, strata=strata)) == []


def test_a_shift_is_found_through_the_misses() -> None:
    missed = np.arange(80) % 3 == 0
    values = np.array(noisy(40) + noisy(40, level=390, seed=2)) * np.where(missed, 2.0, 1.0)
    (shift,) = find_shifts(series(values, strata=["miss" if miss else "hit" for miss in missed]))
    assert shift.first <= 40 <= shift.last
    assert shift.low < 1.3 < shift.high
    assert shift.before_s == pytest.approx(300, rel=0.1)


@pytest.mark.parametrize("values", [[], [300.0], [300.0] * 50, [1.0, 2.0] * 4])
def test_nothing_to_find(values: list[float]) -> None:
    assert find_shifts(series(values)) == []


@SEEDED
@given(st.lists(st.floats(min_value=0.1, max_value=1e5), max_size=60))
def test_every_shift_is_confirmed(values: list[float]) -> None:
    options = ShiftOptions()
    for shift in find_shifts(series(values), options=options):
        assert shift.first <= shift.position <= shift.last
        assert shift.p < options.max_p
        assert abs(shift.after_s / shift.before_s - 1) >= options.min_shift
        assert min(shift.n_before, shift.n_after) >= options.min_runs


def test_what_could_be_found_grows_with_the_noise() -> None:
    quiet = smallest_detectable(series(noisy(60, cv=0.05)))
    wild = smallest_detectable(series(noisy(60, cv=0.25)))
    assert quiet is not None
    assert wild is not None
    assert 0.05 <= quiet <= 0.15 < wild <= 1.0
    assert smallest_detectable(series(noisy(60, cv=0.25))) == wild


def test_a_shift_in_the_history_is_no_noise() -> None:
    even = smallest_detectable(series(noisy(80)))
    assert smallest_detectable(series(noisy(40) + noisy(40, level=600, seed=2))) == pytest.approx(even, abs=0.06)


def test_too_short_a_history_shows_nothing() -> None:
    assert smallest_detectable(series(noisy(9))) is None


def shift(*, first: int = 10, last: int = 12, ratio: float = 1.5) -> Shift:
    (one,) = find_shifts(series([100.0] * 15 + [150.0] * 15))
    when = {"first_at": START + pd.Timedelta(hours=first), "last_at": START + pd.Timedelta(hours=last)}
    return replace(one, first=first, last=last, good_sha="good", last_sha="bad", ratio=ratio, **when)


def at(job: str, one: Shift) -> Located:
    return Located("ci.yml", job, "", one)


def setups(before: str, after: str, *, job: str = "test", name: str = "rustc", item: str = "tool") -> pd.DataFrame:
    rows = [(hour, before if hour < 11 else after) for hour in range(20)]
    times = [START + pd.Timedelta(hours=hour) for hour, _ in rows]
    told = {"workflow": "ci.yml", "job": job, "at": times, "item": item, "name": name}
    return pd.DataFrame(told | {"version": [version for _, version in rows]})


def trees(good: str, bad: str) -> pd.DataFrame:
    return frame(COMMITS, [commit("good", tree=good), commit("bad", "good", tree=bad)])


def test_shifts_of_one_place_and_direction_are_together() -> None:
    located = [at("test", shift()), at("lint", shift(first=11, last=14)), at("docs", shift(first=13, last=16))]
    faster = at("build", shift(ratio=0.6))
    groups = group_shifts([*located, faster], setups=NO_SETUPS, commits=frame(COMMITS, []))
    assert sorted([one.job for one in group.members] for group in groups) == [["build"], ["docs"], ["test", "lint"]]
    (both,) = [group for group in groups if len(group.members) == 2]
    assert (both.since, both.until) == (START + pd.Timedelta(hours=11), START + pd.Timedelta(hours=12))
    assert both.shared == (CANNOT_BE_TOLD,)


def test_what_changed_there_is_named() -> None:
    together = [at("test", shift()), at("lint", shift())]
    both = pd.concat([setups("1.95", "1.96"), setups("1.95", "1.96", job="lint")])
    (group,) = group_shifts(together, setups=both, commits=trees("t1", "t1"))
    assert group.shared == ("rustc 1.95 → 1.96",)
    one_only = pd.concat([setups("1.95", "1.96"), setups("1.95", "1.95", job="lint")])
    (group,) = group_shifts(together, setups=one_only, commits=trees("t1", "t2"))
    assert group.shared == ("the workflow files changed",)
    (group,) = group_shifts(together, setups=one_only, commits=trees("t1", "t1"))
    assert group.shared == (NOTHING,)


def test_another_image_is_named_and_versions_that_differ_between_jobs_are_one_change() -> None:
    together = [at("test", shift()), at("lint", shift())]
    old, new = "ubuntu-22.04", "ubuntu-24.04"
    images = [
        setups("1", "1", job=job).assign(item="image", version="1").assign(name=[old] * 11 + [new] * 9)
        for job in ("test", "lint")
    ]
    (group,) = group_shifts(together, setups=pd.concat(images), commits=frame(COMMITS, []))
    assert group.shared == (f"image {old} → {new}",)
    both = pd.concat([setups("1.94", "1.96"), setups("1.95", "1.96", job="lint")])
    (group,) = group_shifts(together, setups=both, commits=frame(COMMITS, []))
    assert group.shared == ("rustc 1.94 to 1.95 → 1.96",)


def test_a_step_is_with_its_job_where_one_holds_the_others_likeliest_run() -> None:
    job, other = at("test", replace(shift(first=10, last=14), at=START + pd.Timedelta(hours=12))), at("lint", shift())
    near = Located("ci.yml", "test", "Build", replace(shift(first=13, last=16), at=START + pd.Timedelta(hours=14)))
    far = Located("ci.yml", "test", "Test", replace(shift(first=15, last=30), at=START + pd.Timedelta(hours=29)))
    groups = group_shifts([job, other, near, far], setups=NO_SETUPS, commits=frame(COMMITS, []))
    assert [[one.step for one in group.members] for group in groups] == [["", "", "Build"], ["Test"]]


def test_two_shifts_of_one_series_are_two_places() -> None:
    once, again = at("test", shift(first=10, last=14)), at("test", shift(first=12, last=16))
    assert len(group_shifts([once, again], setups=NO_SETUPS, commits=frame(COMMITS, []))) == 2
