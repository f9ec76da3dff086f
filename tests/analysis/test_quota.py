"""The replay of the quota, against stories by hand and a naive one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kotaci.analysis.quota import EVENT_COLUMNS, GB, compare_quotas, replay_quota

from .frames import Row, at

MAIN = "refs/heads/main"
HEX = "abcdef"


def event(hours: float, operation: str, key: str, *, size: float | None = 1, ref: str = MAIN, **told: str) -> Row:
    """Return a save, or a restore that the log says missed; sizes in GB; pull requests go to main."""
    return {"at": pd.Timestamp(at(hours)), "operation": operation,
            "result": "saved" if operation == "save" else "miss", "key": key, "restored_key": "",
            "size_bytes": None if size is None else int(size * GB), "ref": ref, "base_ref": MAIN,
            "default_ref": MAIN} | told  # fmt: skip


def frame(*events: Row) -> pd.DataFrame:
    return pd.DataFrame(list(events), columns=EVENT_COLUMNS)


def save(hours: float, key: str, **told: object) -> Row:
    return event(hours, "save", key, **told)  # type: ignore[arg-type]


def ask(hours: float, key: str, **told: object) -> Row:
    return event(hours, "restore", key, **told)  # type: ignore[arg-type]


def results(*events: Row, quota: int = 2 * GB) -> list[tuple[str, bool]]:
    restores = replay_quota(frame(*events), quota_bytes=quota).restores
    return list(zip(restores["result"], restores["is_thrash"], strict=True))


def test_the_longest_unused_goes_first() -> None:
    replay = replay_quota(frame(save(1, "a"), save(2, "b"), ask(3, "a"), save(4, "c")), quota_bytes=2 * GB)
    assert replay.evictions[["key", "why", "unused_s"]].to_numpy().tolist() == [["b", "quota", 7200.0]]
    assert replay.held["held_bytes"].tolist() == [GB, 2 * GB, 2 * GB, 2 * GB]


def test_a_miss_of_what_the_quota_dropped_is_thrash_and_any_other_is_not() -> None:
    dropped = [save(1, "a"), save(2, "b"), save(3, "c")]
    assert results(*dropped, ask(4, "a")) == [("miss", True)]
    assert results(*dropped, ask(4, "never saved")) == [("miss", False)]
    assert results(save(1, "a"), ask(1 + 8 * 24, "a")) == [("miss", False)]
    assert results(*dropped, ask(4, "a"), quota=3 * GB) == [("exact", False)]


def test_a_pull_request_finds_its_own_and_its_base_and_is_found_by_none() -> None:
    mine, yours = "refs/pull/1/merge", "refs/pull/2/merge"
    assert results(save(1, "a"), ask(2, "a", ref=mine)) == [("exact", False)]
    assert results(save(1, "a", ref=mine), ask(2, "a", ref=mine), ask(3, "a", ref=yours), ask(4, "a")) == [
        ("exact", False), ("miss", False), ("miss", False),
    ]  # fmt: skip


def test_what_was_found_without_a_save_was_there_before() -> None:
    assert results(ask(1, "a", result="exact", restored_key="a"), ask(2, "a")) == [("exact", False)] * 2


def test_a_restore_key_is_a_partial_hit_as_long_as_its_entry_is_held() -> None:
    told = {"result": "partial", "restored_key": "a"}
    assert results(save(1, "a"), ask(2, "b", **told)) == [("partial", False)]
    assert results(save(1, "a"), save(2, "c"), save(3, "d"), ask(4, "b", **told)) == [("miss", True)]


def test_what_is_not_found_is_saved_anew() -> None:
    assert results(
        save(1, "a"), save(2, "b"), save(3, "c"), ask(4, "a", result="exact", restored_key="a"), ask(5, "a")
    ) == [("miss", True), ("exact", False)]


def test_a_save_without_a_size_is_counted_and_left_out() -> None:
    assert replay_quota(frame(save(1, "a", size=None))).n_unsized == 1


def test_a_larger_quota_is_compared_by_replay() -> None:
    turns = [made for turn in range(20) for made in (ask(2 * turn, HEX[turn % 3]), save(2 * turn + 1, HEX[turn % 3]))]
    told = compare_quotas(frame(*turns), quotas=(2 * GB, 3 * GB)).to_dict("records")
    assert [(row["n_exact"], row["n_thrash"], row["n_evicted"]) for row in told] == [(0, 17, 18), (17, 0, 0)]
    assert [row["most_held_bytes"] for row in told] == [2 * GB, 3 * GB]
    assert list(compare_quotas(frame()).columns) == list(compare_quotas(frame(*turns)).columns)


@st.composite
def histories(draw: st.DrawFn) -> list[Row]:
    hours, made = 0.0, []
    for _ in range(draw(st.integers(0, 40))):
        hours += draw(st.sampled_from([0.5, 3, 60, 200]))
        ref = draw(st.sampled_from([MAIN, "refs/heads/side", "refs/pull/1/merge"]))
        key, size = draw(st.sampled_from(HEX)), draw(st.sampled_from([0.3, 1, 2.5]))
        if draw(st.booleans()):
            made.append(save(hours, key, ref=ref, size=size))
        else:
            made.append(ask(hours, key, ref=ref))
    return made


def naive(events: Sequence[Row], *, quota: int) -> list[tuple[str, frozenset[tuple[str, str]]]]:
    """Return what each event found, and what was held after it, with plain lists."""
    held: list[tuple[str, str, int, pd.Timestamp]] = []
    told = []
    for one in events:
        held = [entry for entry in held if one["at"] - entry[3] <= timedelta(days=7)]
        seen = [entry for ref in (one["ref"], MAIN) for entry in held if entry[:2] == (ref, one["key"])]
        result = "exact" if seen else "miss"
        if one["operation"] == "restore" and seen:
            held = [entry for entry in held if entry != seen[0]] + [(*seen[0][:3], one["at"])]
        if one["operation"] == "save" and not seen and one["size_bytes"] <= quota:
            held.append((one["ref"], one["key"], one["size_bytes"], one["at"]))
            while sum(entry[2] for entry in held) > quota:
                held.remove(min(held, key=lambda entry: entry[3]))
        told.append((result, frozenset(entry[:2] for entry in held)))
    return told


@settings(deadline=None, max_examples=50)
@given(histories(), st.sampled_from([GB, 2 * GB, 4 * GB]))
def test_the_replay_is_the_naive_one_and_stays_below_the_quota(events: list[Row], quota: int) -> None:
    replay, told = replay_quota(frame(*events), quota_bytes=quota), naive(events, quota=quota)
    assert (replay.held["held_bytes"] <= quota).all()
    assert replay.held["n_entries"].tolist() == [len(held) for _, held in told]
    asked = [result for one, (result, _) in zip(events, told, strict=True) if one["operation"] == "restore"]
    assert replay.restores["result"].tolist() == asked


def test_a_replay_keeps_no_account_of_time_but_that_of_its_events() -> None:
    """Events are replayed in the order of their time, however they come."""
    events = [save(1, "a"), save(2, "b"), ask(3, "a"), save(4, "c"), ask(5, "b")]
    assert results(*events) == results(*events[::-1])


@pytest.mark.parametrize("quota", [GB, 3 * GB])
def test_an_entry_larger_than_the_quota_is_refused(quota: int) -> None:
    replay = replay_quota(frame(save(1, "a"), save(2, "b", size=3.5)), quota_bytes=quota)
    assert replay.held["n_entries"].tolist() == [1, 1]
    there = {"result": "exact", "restored_key": "b", "size": 3.5}
    assert results(ask(1, "b", **there), ask(2, "b", **there), quota=quota) == [("miss", True)] * 2
    assert results(ask(1, "b", **there), ask(2, "b", **there), quota=4 * GB) == [("exact", False)] * 2
