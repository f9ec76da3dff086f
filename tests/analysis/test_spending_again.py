"""What is compiled again: tools by `cargo install`, dependencies by job."""

from __future__ import annotations

from datetime import timedelta

from kotaci.analysis.spending import CompiledAgain, compiled_again
from kotaci.tables import PHASES, UNITS
from tests.analysis.frames import Row, frame, job, jobs, run, unit
from tests.analysis.test_spending import phase

JOBS = [job(run(number), name="test (linux)") for number in (1, 2, 3)]


def again(units: list[Row], phases: list[Row] = []) -> CompiledAgain:  # noqa: B006
    return compiled_again(jobs(JOBS), frame(UNITS, units), frame(PHASES, phases))


def crates(found: CompiledAgain) -> list[list[object]]:
    return found.crates[["crate", "n_built", "n_jobs", "n_times", "n_twice", "n_versions"]].to_numpy().tolist()


def test_dependencies_are_counted_by_job_and_the_workspaces_own_are_not() -> None:
    units = [
        *(unit(of, "kvstore", is_local=True) for of in JOBS),
        unit(JOBS[0], "serde"),
        unit(JOBS[0], "serde"),
        unit(JOBS[1], "serde", version="1.0.1", action="Checking"),
        unit(JOBS[1], "serde", version="2.0.0"),
        unit(JOBS[2], "syn"),
        unit(JOBS[2], "rand", action="Downloaded"),
    ]
    found = again(units)
    assert crates(found) == [["serde", 3, 2, 4, 1, 3], ["syn", 3, 1, 1, 0, 1]]
    assert found.crates[["job_base", "share"]].to_numpy().tolist() == [["test", 2 / 3], ["test", 1 / 3]]


def test_a_tool_from_source_is_told_with_its_minutes_and_what_brings_it_prebuilt() -> None:
    tool = {"tool": "cargo-tarpaulin", "version": "0.31.0"}
    phases = [phase(of, 2, "tool-install", 120.0, **tool) for of in JOBS[:2]]
    phases.append(phase(JOBS[2], 2, "tool-install", 60.0, tool="cargo-deny", version="0.18.0"))
    units = [
        *(unit(of, "serde", started_at=of["started_at"] + timedelta(seconds=60)) for of in JOBS[:2]),
        unit(JOBS[0], "serde", started_at=JOBS[0]["started_at"] + timedelta(seconds=121)),
    ]
    found = again(units, phases)
    assert found.tools[["tool", "version", "job_base", "n_jobs", "minutes", "median_s"]].to_numpy().tolist() == [
        ["cargo-tarpaulin", "0.31.0", "test", 2, 4, 120],
        ["cargo-deny", "0.18.0", "test", 1, 1, 60],
    ]
    assert "`tool: cargo-tarpaulin@0.31.0`" in found.tools["remedy"][0]
    assert crates(found) == [["serde", 1, 1, 1, 0, 1]]


def test_nothing_is_compiled_where_no_log_says_so() -> None:
    found = again([])
    assert found.tools.empty
    assert found.crates.empty
