"""What jobs take from their machines, and where they meet its limits: every number from frames made by hand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from kotaci.analysis.resources import DEFAULTS, MANY, Resources, assess_resources
from kotaci.tables import ANNOTATIONS, USAGE_SAMPLES, USAGES
from tests.analysis.frames import CI, KEYS, Row, annotation, at, failure, failures, frame, job, jobs, run, runs

GIGA = 10**9


def usage(of: Row, *, wall: float = 600, busy: float = 2.0, left: int = 8, **told: Any) -> Row:
    """Return a recording in a job: ten minutes on four cores with 16 GB, of which two are busy and eight left."""
    return {
        **{key: of[key] for key in KEYS}, "artifact_id": of["run_id"], "artifact": "kotaci-watch-test",
        "file": "kotaci-watch.json", "command": "cargo test", "exit_code": 0, "started_at": of["started_at"],
        "wall_s": wall, "n_cores": 4, "memory_bytes": 16 * GIGA, "cpu_s": busy * wall, "mean_cores": busy,
        "peak_cores": 4.0, "machine_cpu_s": busy * wall, "peak_rss_bytes": 3 * GIGA, "min_available_bytes": left * GIGA,
        "read_bytes": 0, "written_bytes": 2 * GIGA, "min_free_bytes": 20 * GIGA, "received_bytes": 5, "sent_bytes": 6,
        "n_samples": 2, "n_looks": 2,
    } | told  # fmt: skip


def series(of: Row) -> Iterable[Row]:
    """Return two samples of a recording."""
    keys = ("repo", "run_id", "attempt", "artifact_id", "file")
    for n in (1, 2):
        yield {**{key: of[key] for key in keys}, "n": n, "at_s": n * of["wall_s"] / 2, "span_s": of["wall_s"] / 2}


def assess(
    ran: Sequence[Row],
    held: Iterable[Row],
    *,
    failed: Iterable[Row] = (),
    said: Iterable[Row] = (),
    recorded: Iterable[Row] = (),
    **options: Any,
) -> Resources:
    told = list(recorded)
    return assess_resources(
        runs=runs(ran),
        jobs=jobs(held),
        failures=failures(failed),
        annotations=frame(ANNOTATIONS, said),
        usages=frame(USAGES, told),
        usage_samples=frame(USAGE_SAMPLES, [row for one in told for row in series(one)]),
        options=replace(DEFAULTS, **options),
    )


def recorded(*told: Row, name: str = "test") -> Resources:
    """Return the result of runs of one job, each with a recording that differs so from the usual one."""
    ran = [run(number) for number in range(1, len(told) + 1)]
    held = [job(one, name=name) for one in ran]
    return assess(ran, held, recorded=[usage(one, **each) for one, each in zip(held, told, strict=True)])


def test_a_job_is_told_by_the_median_and_the_worst_of_its_recordings() -> None:
    found = recorded({"wall": 300, "left": 12}, {"wall": 600, "left": 4}, {"wall": 900, "left": 8, "busy": 1.0})
    (one,) = found.recordings.to_dict("records")
    assert (one["workflow"], one["job"], one["file"], one["has_job"]) == ("ci.yml", "test", "kotaci-watch.json", True)
    assert (one["n"], one["wall_s"], one["total_s"], one["mean_cores"], one["busy_share"]) == (3, 600, 1800, 2.0, 0.5)
    assert (one["memory_share"], one["memory_high_share"]) == (0.5, 0.75)
    assert found.medians["run_id"].tolist() == [2]
    assert found.samples[["run_id", "n", "job"]].to_numpy().tolist() == [[2, 1, "test"], [2, 2, "test"]]
    assert found.findings == []


def test_of_many_recordings_the_95th_percentile_is_told_not_the_one_that_stands_out() -> None:
    (few,), (many,) = (
        recorded(*[{"left": 8}] * (n - 1), {"left": 0}).recordings["memory_high_share"] for n in (MANY - 1, 10 * MANY)
    )
    assert (few, many) == (1.0, 0.5)


@pytest.mark.parametrize(
    ("told", "kind", "claim"),
    [
        ({"left": 1}, "memory-near-limit", "left 6% of the machine's 16.0 GB of memory at its worst, 6% in the median"),
        ({"busy": 1.2}, "cores-idle", "kept 1.2 of 4 cores busy over 10 minutes: more cores would not help"),
        ({"min_free_bytes": GIGA}, "disk-near-full", "left 1.0 GB free on the disk at its worst"),
    ],
)
def test_what_is_near_a_limit_is_a_finding_from_enough_recordings_on(told: Row, kind: str, claim: str) -> None:
    (one,) = recorded(told, told, told).findings
    assert (one.kind, one.subject, one.n) == (kind, "ci.yml / test", 3)
    assert one.claim.startswith(claim)
    assert [link.url.rpartition("/")[2] for link in one.evidence] == ["301", "201", "101"]
    assert recorded(told, told).findings == []


def test_a_short_command_may_leave_cores_idle() -> None:
    assert recorded(*[{"busy": 0.5, "wall": 60}] * 3).findings == []


def test_what_the_system_does_not_tell_is_missing_and_no_finding() -> None:
    nothing = {"min_available_bytes": None, "min_free_bytes": None, "peak_rss_bytes": None, "exit_code": None}
    found = recorded(*[{**nothing, "wall": 0, "mean_cores": None, "machine_cpu_s": 0}] * 3)
    (one,) = found.recordings.to_dict("records")
    assert one["n_cut"] == 3
    assert all(pd.isna(one[name]) for name in ("mean_cores", "busy_share", "memory_share", "min_free_bytes"))
    assert found.findings == []


def test_a_recording_that_no_job_is_known_of_stands_under_its_artifact() -> None:
    ran = [run(1), run(2)]
    held = [job(one) for one in ran]
    told = [usage(one, job_id=None, artifact=f"watch-{10**6 + one['run_id']}") for one in held]
    (row,) = assess(ran, held, recorded=told).recordings.to_dict("records")
    assert (row["job"], row["has_job"], row["n"]) == ("watch-*", False, 2)


def killed(of: Row, cause: str, confidence: float = 0.9) -> Row:
    return {**failure(of), "cause": cause, "cause_confidence": confidence}


WARNING = "You are running out of disk space. The runner will stop working when the machine runs out of disk space."
LOST = "The hosted runner lost communication with the server. Anything in your workflow that terminates the runner"


def test_limits_are_counted_once_a_job_with_what_they_cost() -> None:
    ran = [run(number, "failure") for number in range(1, 7)]
    held = [job(one, "failure", wall=120) for one in ran]
    found = assess(
        ran,
        held,
        failed=[killed(held[0], "memory"), killed(held[1], "memory"), killed(held[2], "disk-full"),
                killed(held[3], "network"), killed(held[4], "memory", 0.2)],
        said=[annotation(held[2], WARNING), annotation(held[4], WARNING), annotation(held[5], LOST)],
    )  # fmt: skip
    told = found.pressures.set_index("kind")
    assert told["n_jobs"].to_dict() == {"out-of-memory": 2, "disk-full": 1, "disk-warned": 1, "runner-lost": 1}
    assert told.loc["out-of-memory", ["n_ran", "n_runs", "minutes", "last_at"]].tolist() == [
        6, 2, 4.0, at(2) + pd.Timedelta(seconds=10),
    ]  # fmt: skip
    by_kind = {finding.kind: finding for finding in found.findings}
    assert by_kind["out-of-memory"].claim == "ran out of memory 2 times in 6 executions, the last on 02 Mar 2026"
    assert by_kind["out-of-memory"].price.minutes == 4.0
    assert by_kind["disk-warned"].price.minutes is None


def test_a_warning_in_a_green_job_counts_and_skipped_jobs_did_not_run() -> None:
    ran = [run(1), run(2)]
    held = [job(ran[0]), job(ran[1], "skipped")]
    said = [annotation(held[0], WARNING), annotation(held[1], WARNING)]
    (row,) = assess(ran, held, said=said).pressures.to_dict("records")
    assert (row["kind"], row["n_jobs"], row["n_ran"], row["workflow"]) == ("disk-warned", 1, 1, CI.rpartition("/")[2])


def test_nothing_is_an_answer() -> None:
    found = assess([], [])
    assert (found.n_recordings, len(found.recordings), len(found.pressures), found.findings) == (0, 0, 0, [])
    assert found.samples.empty
    assert found.medians.empty
