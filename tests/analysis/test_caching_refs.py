"""What pull requests save, and what the quota drops, told from events and lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from kotaci.analysis.caching import DEFAULTS, Caching, CachingOptions, assess_caching
from kotaci.analysis.quota import GB
from kotaci.tables import CACHE_EVENTS, CACHES, COMPILER_CACHES, SETUPS, UNITS

from .frames import REPO, Row, at, frame, job, jobs, restore, run, runs

TIGHT = replace(DEFAULTS, quota_gb=2.0)


def assessed(
    of_runs: Sequence[Row], events: Sequence[Row], listed: Sequence[Row] = (), *, options: CachingOptions = DEFAULTS
) -> Caching:
    return assess_caching(
        runs=runs(of_runs),
        jobs=jobs(job(one) for one in of_runs),
        cache_events=frame(CACHE_EVENTS, events),
        units=frame(UNITS, ()),
        setups=frame(SETUPS, ()),
        caches=frame(CACHES, listed),
        compiler_caches=frame(COMPILER_CACHES, ()),
        default_branch="main",
        options=options,
    )


def pull(run_id: int, number: int) -> Row:
    return run(run_id, event="pull_request", branch=f"change-{number}", base_branch="main", pr_number=number)


def saved(of: Row, key: str, *, size: int | None = GB) -> Row:
    return restore(job(of), "saved", key, operation="save", restored_key="", size_bytes=size)


def asked(of: Row, key: str, result: str = "miss") -> Row:
    return restore(job(of), result, key)


def listed(cache_id: int, ref: str, size: float) -> Row:
    return {"repo": REPO, "as_of_at": at(100), "cache_id": cache_id, "key": f"k-{cache_id}", "ref": ref,
            "size_bytes": int(size * GB), "created_at": at(1), "last_used_at": at(2)}  # fmt: skip


def test_what_pull_requests_save_is_counted_and_who_read_it() -> None:
    of_runs = [pull(1, 7), pull(2, 7), pull(3, 8), run(4)]
    events = [saved(of_runs[0], "a"), asked(of_runs[1], "a", "exact"), saved(of_runs[2], "b"), saved(of_runs[3], "c")]
    pulls = assessed(of_runs, events).pulls
    assert (pulls.n_saved, pulls.n_all, pulls.n_pulls, pulls.n_read) == (2, 3, 2, 1)
    assert (pulls.saved_bytes, pulls.all_bytes, pulls.n_held) == (2 * GB, 3 * GB, None)


def test_what_pull_requests_hold_of_the_quota_is_a_finding_with_its_remedy() -> None:
    held = [listed(number, f"refs/pull/{number}/merge", 0.5) for number in range(1, 7)]
    held.append(listed(9, "refs/heads/main", 1))
    (finding,) = assessed([run(1)], [], held).findings
    assert (finding.kind, finding.n, finding.severity.name) == ("pull-request-saves", 6, "LOW")
    assert "hold 6 caches, 30% of the quota of 10 GB, that no other run can read" in finding.claim
    assert "save-if: ${{ github.ref == 'refs/heads/main' }}" in finding.remedy
    assert not assessed([run(1)], [], held, options=replace(DEFAULTS, pull_share=0.31)).findings
    (finding,) = assessed([run(1)], [], held, options=replace(DEFAULTS, quota_gb=4.0)).findings
    assert finding.severity.name == "MEDIUM"


def test_without_a_list_the_share_is_that_of_what_is_saved() -> None:
    of_runs = [pull(number, number) for number in range(1, 7)]
    (finding,) = assessed(of_runs, [saved(one, f"k-{one['run_id']}") for one in of_runs]).findings
    assert "saved 6 caches, 100% of the bytes saved" in finding.claim


def test_the_target_of_a_pull_request_saves_for_its_base() -> None:
    one = pull(1, 7) | {"event": "pull_request_target"}
    assert assessed([one], [saved(one, "a")]).pulls.n_saved == 0


def turns(n: int, *, size: int | None = GB) -> tuple[list[Row], list[Row]]:
    """Return runs that ask in turn for one of three keys, miss and save it."""
    of_runs = [run(place) for place in range(1, n + 1)]
    events = [event for place, one in enumerate(of_runs) for event in
              (asked(one, f"k-{place % 3}"), saved(one, f"k-{place % 3}", size=size))]  # fmt: skip
    return of_runs, events


def test_keys_that_the_quota_dropped_and_that_are_asked_for_again_are_thrash() -> None:
    caching = assessed(*turns(9), options=TIGHT)
    assert caching.quotas.n_thrash == 6
    (finding,) = (finding for finding in caching.findings if finding.kind == "thrash")
    assert finding.claim == "missed 6 times what the quota of 2 GB had dropped; 5 GB would have held all"
    assert not [finding for finding in assessed(*turns(9)).findings if finding.kind == "thrash"]


def test_other_quotas_stand_beside_the_one_in_force() -> None:
    compared = assessed(*turns(9), options=TIGHT).quotas.compared
    assert [quota / GB for quota in compared["quota_bytes"]] == [2, 5, 10, 20, 40]
    assert compared["n_exact"].tolist() == [0, 6, 6, 6, 6]


@pytest.mark.parametrize("size", [None, 5 * GB])
def test_a_save_whose_size_is_not_told_has_that_of_its_key_or_job(size: int | None) -> None:
    of_runs = [run(1), run(2), run(3)]
    events = [saved(of_runs[0], "a", size=size), asked(of_runs[1], "a", "exact"), saved(of_runs[2], "b", size=GB)]
    replay = assessed(of_runs, events).quotas.replay
    assert replay.n_unsized == 0
    assert replay.held["held_bytes"].iloc[-1] == (size or 200_000_000) + GB
