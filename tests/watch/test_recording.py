"""A recording stays small and keeps totals and peaks; what is read back is what was written, or is refused by name."""

from __future__ import annotations

import contextlib
import copy
import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kotaci.model import BadInput
from kotaci.watch import Recording, Sample, is_recording, parse_recording, read_recording, write_recording
from kotaci.watch.recording import Look, add, between, merge, never_below

amounts = st.integers(0, 2**50)
seconds = st.integers(0, 2**20).map(lambda number: number / 64)
"""Fractions that floats add without an error."""

samples = st.builds(
    Sample,
    at_s=seconds,
    span_s=seconds,
    n_looks=st.just(1),
    cpu_s=seconds,
    peak_cores=seconds,
    machine_cpu_s=seconds,
    rss_bytes=amounts,
    available_bytes=amounts,
    read_bytes=amounts,
    written_bytes=amounts,
    free_bytes=amounts,
    received_bytes=amounts,
    sent_bytes=amounts,
)


def recording(*held: Sample, code: int | None = 0) -> Recording:
    return Recording(
        command=("cargo", "build"),
        started_at=datetime(2026, 3, 2, 9, 30, tzinfo=UTC),
        exit_code=code,
        every_s=1.0,
        n_cores=4,
        memory_bytes=16 * 10**9,
        samples=held,
    )


def sample(**values: Any) -> Sample:
    plain = {"at_s": 1.0, "span_s": 1.0, "n_looks": 1, "cpu_s": 0.5, "peak_cores": 0.5, "machine_cpu_s": 0.75}
    levels = {"rss_bytes": 100, "available_bytes": 900, "free_bytes": 5_000}
    moved = {"read_bytes": 10, "written_bytes": 20, "received_bytes": 30, "sent_bytes": 40}
    return Sample(**{**plain, **levels, **moved, **values})


def look(**values: Any) -> Look:
    grown = {"at_s": 1.0, "cpu_s": 1.0, "machine_cpu_s": 1.0, "read_bytes": 1, "written_bytes": 1}
    rest = {"received_bytes": 1, "sent_bytes": 1, "rss_bytes": 1, "available_bytes": 1, "free_bytes": 1}
    return Look(**{**grown, **rest, **values})


@given(held=st.lists(samples, max_size=60), half=st.integers(1, 6))
def test_merging_keeps_totals_and_peaks_and_stays_bounded(held: list[Sample], half: int) -> None:
    kept: tuple[Sample, ...] = ()
    for one in held:
        kept = add(kept, one, most=2 * half)
        assert len(kept) <= 2 * half
    whole, small = recording(*held).summary(), recording(*kept).summary()
    assert {**vars(small), "n_samples": len(held)} == vars(whole)
    assert len({one.n_looks for one in kept[:-1]}) <= 1
    assert [one.at_s for one in kept[-1:]] == [one.at_s for one in held[-1:]]


def test_three_hours_at_one_look_a_second_are_a_small_file(tmp_path: Path) -> None:
    kept: tuple[Sample, ...] = ()
    for second in range(3 * 3_600):
        kept = add(kept, sample(at_s=second + 0.123456789, rss_bytes=2 * 10**9 + second, written_bytes=10**8))
    write_recording(recording(*kept), tmp_path / "watch.json")
    assert 1_800 <= len(kept) <= 3_600
    assert (tmp_path / "watch.json").stat().st_size < 500_000


def test_what_one_span_does_not_tell_the_merged_one_does_not() -> None:
    merged = merge(sample(read_bytes=None), sample())
    assert (merged.read_bytes, merged.written_bytes) == (None, 40)


def test_a_summary_says_what_was_spent_and_the_worst_of_each() -> None:
    summary = recording(
        sample(cpu_s=1.5, peak_cores=1.5, rss_bytes=300),
        sample(at_s=2.0, cpu_s=0.5, available_bytes=7, free_bytes=8),
    ).summary()
    assert (summary.wall_s, summary.cpu_s, summary.mean_cores, summary.peak_cores) == (2.0, 2.0, 1.0, 1.5)
    assert (summary.peak_rss_bytes, summary.min_available_bytes, summary.min_free_bytes) == (300, 7, 8)
    assert (summary.read_bytes, summary.sent_bytes, summary.n_samples) == (20, 80, 2)


def test_without_samples_nothing_is_claimed() -> None:
    summary = recording().summary()
    assert (summary.n_samples, summary.wall_s, summary.mean_cores, summary.peak_rss_bytes) == (0, 0.0, None, None)


def test_the_last_moment_is_no_peak_of_cores() -> None:
    found = between(look(), look(at_s=1.001, cpu_s=1.02), least_s=0.5)
    assert (round(found.span_s, 3), round(found.peak_cores, 3)) == (0.001, 0.04)


def test_a_counter_that_falls_and_rises_is_not_counted_twice() -> None:
    looks = [look(cpu_s=0.0), look(cpu_s=4.0), look(cpu_s=1.0), look(cpu_s=5.0)]
    spent, before = 0.0, looks[0]
    for one in looks[1:]:
        after = never_below(before, one)
        spent += between(before, after, least_s=0.5).cpu_s
        before = after
    assert spent == 5.0


@given(held=st.lists(samples, max_size=4), code=st.none() | st.integers(0, 255))
def test_what_is_read_back_is_what_was_written(held: list[Sample], code: int | None) -> None:
    written = recording(*sorted(held, key=lambda one: one.at_s), code=code)
    text = json.dumps(written.to_json())
    assert parse_recording(text) == parse_recording(text.encode()) == written
    assert is_recording(text)
    assert is_recording(text.encode())


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(key=st.sampled_from(sorted(recording(sample()).to_json())), value=values, cut=st.integers(0, 2_000))
def test_what_is_not_a_recording_is_refused_and_nothing_else_is_raised(key: str, value: Any, cut: int) -> None:
    text = json.dumps({**recording(sample()).to_json(), key: value})
    for part in (text, text[:cut]):
        with contextlib.suppress(BadInput):
            assert isinstance(parse_recording(part), Recording)


@given(held=st.lists(samples, max_size=40), most=st.integers(1, 12))
def test_a_thinned_recording_keeps_totals_and_peaks(held: list[Sample], most: int) -> None:
    whole = recording(*held)
    thin = recording(*whole.thinned(most))
    assert len(thin.samples) <= most
    assert {**vars(thin.summary()), "n_samples": len(held)} == vars(whole.summary())


def test_a_file_holds_its_summary_and_replaces_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "watch.json"
    path.write_text("old")
    write_recording(recording(sample()), path)
    assert read_recording(path) == recording(sample())
    assert json.loads(path.read_text())["summary"]["cpu_s"] == 0.5
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("keys", "value", "problem"),
    [
        (["version"], 2, "is of version 2, not 1"),
        (["command"], [], "command is no list of words"),
        (["command"], "cargo", "command is no list of words"),
        (["started_at"], "2026-03-02T09:30:00", "started_at is no time with its zone"),
        (["started_at"], 5, "started_at is no time with its zone"),
        (["exit_code"], True, "exit_code is no number"),
        (["exit_code"], 2**80, "exit_code is no number"),
        (["started_at"], "0001-01-01T00:00:00+09:00", "started_at leaves the calendar"),
        (["n_cores"], 1.5, "n_cores is 1.5, no amount"),
        (["memory_bytes"], 0, "memory_bytes is 0, no amount"),
        (["samples"], [], "samples is no object of columns"),
        (["samples", "cpu_s"], None, "samples.cpu_s is no list"),
        (["samples", "cpu_s"], [], "samples.cpu_s has 0 values where samples.at_s has 1"),
        (["samples", "cpu_s"], [math.nan], "samples.cpu_s[0] is NaN, no amount"),
        (["samples", "at_s"], [math.inf], "samples.at_s[0] is Infinity, no amount"),
        (["samples", "rss_bytes"], [10**400], f"samples.rss_bytes[0] is 1{'0' * 39}, no amount"),
        (["samples", "rss_bytes"], [-1], "samples.rss_bytes[0] is -1, no amount"),
        (["samples", "free_bytes"], [None], "samples.free_bytes[0] is null, no amount"),
    ],
)
def test_what_is_wrong_is_named(keys: list[str], value: Any, problem: str, tmp_path: Path) -> None:
    wrong = copy.deepcopy(recording(sample()).to_json())
    place = wrong
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    path = tmp_path / "watch.json"
    path.write_text(json.dumps(wrong))
    with pytest.raises(BadInput) as told:
        read_recording(path)
    assert (told.value.value, told.value.problem) == (path, problem)


def test_samples_that_go_back_in_time_and_too_many_of_them_are_refused() -> None:
    with pytest.raises(BadInput, match=r"samples.at_s\[1\] is before the one before it"):
        Recording.from_json(recording(sample(at_s=2.0), sample(at_s=1.0)).to_json())
    with pytest.raises(BadInput, match="has 3,601 samples, more than 3,600"):
        Recording.from_json(recording(*[sample()] * 3_601).to_json())


def test_nesting_without_end_is_refused() -> None:
    with pytest.raises(BadInput, match="nested too deeply"):
        parse_recording("[" * 200_000)


def test_a_key_or_column_that_is_missing_is_named() -> None:
    whole = recording().to_json()
    with pytest.raises(BadInput, match="lacks memory_bytes, samples"):
        Recording.from_json({key: value for key, value in whole.items() if key not in {"memory_bytes", "samples"}})
    with pytest.raises(BadInput, match="samples lacks cpu_s"):
        Recording.from_json({**whole, "samples": {k: v for k, v in whole["samples"].items() if k != "cpu_s"}})


@pytest.mark.parametrize(("text", "problem"), [("[]", "is no JSON object"), ("{", "is no JSON"), ("{}", "no version")])
def test_another_file_is_refused(text: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "other").write_text(text)
    with pytest.raises(BadInput, match=problem):
        read_recording(tmp_path / "other")


def test_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        read_recording(tmp_path / "none")
