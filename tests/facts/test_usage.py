"""Recordings of `kotaci watch` in artifacts: to rows, with the job that the artifact is named after, or none."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from kotaci.facts import build_facts, read_history
from kotaci.facts.artifacts import Found, Uploaders
from kotaci.facts.usage import MOST_SAMPLES, to_usage_rows
from kotaci.store import Batch, Payload, Store
from kotaci.watch import Recording, Sample
from tests.facts.payloads import REPO, START, batch, commit, filled, job, run

KEY = (REPO, 1, 1)


def recording(*, n: int = 3, command: tuple[str, ...] = ("cargo", "build", "--bin", "a b")) -> Recording:
    """Return a recording of so many seconds on four processors, of which one and a half are busy."""
    samples = (
        Sample(
            at_s=second, span_s=1.0, n_looks=1, cpu_s=1.0, peak_cores=1.0, machine_cpu_s=1.5, rss_bytes=100 + second,
            available_bytes=9_000 - second, read_bytes=1, written_bytes=2, free_bytes=5_000 - second, received_bytes=3,
            sent_bytes=4,
        )
        for second in range(1, n + 1)
    )  # fmt: skip
    at = datetime(2026, 3, 2, 9, 0, 12, tzinfo=UTC)
    return Recording(command, at, 0, 1.0, 4, 10_000, tuple(samples))


def stored(held: Recording, *, artifact: str = "kotaci-watch-test", number: int = 70) -> Batch:
    """Return what a fetch stores of an artifact with a recording in it."""
    body = {"artifact": artifact, "text": json.dumps(held.to_json())}
    return Batch(REPO, "api", [Payload("recording", f"1/1/{number}/kotaci-watch.json", body, START)])


def built(store: Store) -> dict[str, pd.DataFrame]:
    build_facts(store)
    return dict(read_history(store, tables=("usages", "usage_samples")).tables)


def test_a_recording_becomes_one_row_and_its_series(tmp_path: Path) -> None:
    with filled(tmp_path, batch(run(), [job(11)]), stored(recording())) as store:
        found = built(store)
    (one,) = found["usages"].to_dict("records")
    assert (one["job_id"], one["artifact_id"], one["artifact"]) == (11, 70, "kotaci-watch-test")
    assert (one["file"], one["command"], one["exit_code"]) == ("kotaci-watch.json", "cargo build --bin 'a b'", 0)
    assert (one["wall_s"], one["n_cores"], one["cpu_s"], one["mean_cores"]) == (3.0, 4, 3.0, 1.0)
    assert (one["machine_cpu_s"], one["peak_rss_bytes"], one["min_available_bytes"]) == (4.5, 103, 8_997)
    assert (one["memory_bytes"], one["min_free_bytes"], one["written_bytes"]) == (10_000, 4_997, 6)
    assert found["usage_samples"][["n", "at_s", "rss_bytes"]].to_numpy().tolist() == [
        [1, 1.0, 101],
        [2, 2.0, 102],
        [3, 3.0, 103],
    ]


@pytest.mark.parametrize(
    ("artifact", "job_id"),
    [
        ("kotaci-watch-lint", 13),
        ("kotaci-watch-build-ubuntu-24.04", 11),
        ("kotaci-watch-Build-(windows)", 12),
        ("lint", 13),
        ("kotaci-watch-lint.json", 13),
        ("kotaci-watch-build", None),
        ("kotaci-watch", None),
        ("kotaci-watch-deploy", None),
        ("kotaci-watch-twice", None),
    ],
)
def test_a_recording_stands_under_the_job_that_its_artifact_is_named_after(artifact: str, job_id: int | None) -> None:
    names = {11: ("build (ubuntu-24.04)", ""), 12: ("build (windows)", ""), 13: ("lint", "clippy"), 14: ("twice",)}
    uploaders = Uploaders({**names, 15: ("Twice",)})
    rows = to_usage_rows(KEY, [Found(70, artifact, "a.json", recording())], uploaders)
    assert [row[3] for row in rows["usages"]] == [job_id]


def test_the_log_of_the_job_that_uploaded_it_tells_before_the_name() -> None:
    word = "Artifact download URL: https://github.com/octo/kv/actions/runs/1/artifacts/"
    logs = {11: f"… {word}7\n… {word}70", 12: f"… {word}701"}
    rows = to_usage_rows(KEY, [Found(70, "lint", "a.json", recording())], Uploaders({12: ("lint",)}, logs))
    assert [row[3] for row in rows["usages"]] == [11]


def test_the_key_of_a_job_names_it_too_where_the_workflow_file_is_known(tmp_path: Path) -> None:
    file = "name: CI\non: push\njobs:\n  lint:\n    name: All style\n    steps: []\n  test:\n    steps: []\n"
    two = batch(run(), [job(11, "All style"), job(12, "test")])
    with filled(tmp_path, commit(workflow=file), two, stored(recording(), artifact="kotaci-watch-lint")) as store:
        assert built(store)["usages"]["job_id"].tolist() == [11]


def test_a_long_recording_is_thinned_and_keeps_its_peaks() -> None:
    rows = to_usage_rows(KEY, [Found(70, "a", "a.json", recording(n=3_600))], Uploaders({}))["usage_samples"]
    assert len(rows) == MOST_SAMPLES
    assert [rows[0][6], rows[-1][6]] == [15.0, 3_600.0]
    assert max(row[11] for row in rows) == 3_700
    assert sum(row[8] for row in rows) == 3_600.0


def test_a_killed_watcher_and_a_command_without_samples_are_rows(tmp_path: Path) -> None:
    cut = replace(recording(), exit_code=None, samples=(), command=("cat", "\udcff"))
    with filled(tmp_path, batch(run(), [job(11)]), stored(cut)) as store:
        found = built(store)
    (one,) = found["usages"].to_dict("records")
    assert one["command"] == "cat '?'"
    assert all(pd.isna(one[name]) for name in ("exit_code", "mean_cores", "peak_rss_bytes", "min_free_bytes"))
    assert (one["wall_s"], one["n_samples"]) == (0.0, 0)
    assert found["usage_samples"].empty


@pytest.mark.parametrize("changed", [{"version": 9}, {"samples": {}}, {"n_cores": 2**90}])
def test_what_another_kotaci_let_in_breaks_no_build(tmp_path: Path, changed: dict[str, Any]) -> None:
    body = {"artifact": "a", "text": json.dumps({**recording().to_json(), **changed})}
    wrong = Batch(REPO, "api", [Payload("recording", "1/1/71/a.json", body, START)])
    with filled(tmp_path, batch(run(), [job(11)]), wrong, stored(recording())) as store:
        assert built(store)["usages"]["artifact_id"].tolist() == [70]


def test_artifacts_of_one_run_may_hold_files_of_one_name(tmp_path: Path) -> None:
    both = (stored(recording(), number=number) for number in (70, 71))
    with filled(tmp_path, batch(run(), [job(11)]), *both) as store:
        found = built(store)
    assert found["usages"]["artifact_id"].tolist() == [70, 71]
    assert len(found["usage_samples"]) == 6
