"""Where the time of jobs went: every second once, and the log before the name."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pandas as pd
import pytest

from kotaci.analysis.spending import spent_by_kind, split_jobs, time_in_tests
from kotaci.tables import PHASES, STEPS
from tests.analysis.frames import KEYS, Row, frame, job, jobs, run, runs


def step(of: Row, number: int, name: str, start: float, end: float) -> Row:
    """Return a step of a job, in seconds from its start."""
    times = {
        "started_at": of["started_at"] + timedelta(seconds=start),
        "ended_at": of["started_at"] + timedelta(seconds=end),
    }
    return {**{key: of[key] for key in KEYS}, "step_number": number, "step": name, "outcome": "success", **times}


def phase(of: Row, number: int, name: str, seconds: float | None, **told: Any) -> Row:
    """Return what cargo did in a step."""
    return {**{key: of[key] for key in KEYS}, "step_number": number, "phase": name, "wall_s": seconds, "tool": "",
            "version": "", "started_at": of["started_at"], "first_line": 1, "last_line": 2} | told  # fmt: skip


def seconds(of: Row, steps: list[Row], phases: list[Row]) -> dict[str, float]:
    """Return the seconds of a job by kind."""
    pieces = split_jobs(jobs([of]), frame(STEPS, steps), frame(PHASES, phases))
    return dict(zip(pieces["kind"], pieces["wall_s"], strict=True))


JOB = job(run(1), wall=100)


def test_steps_go_by_their_names_and_gaps_are_between() -> None:
    steps = [
        step(JOB, 1, "Set up job", 0, 2),
        step(JOB, 2, "Run actions/checkout@v6", 3, 5),
        step(JOB, 3, "Run tests", 5, 90),
        step(JOB, 4, "Post Run actions/checkout@v6", 90, 91),
        step(JOB, 5, "Complete job", 99, 100),
    ]
    assert seconds(JOB, steps, []) == {"runner": 3, "checkout": 3, "tests": 85, "between": 9}


def test_the_log_of_a_script_goes_before_its_name() -> None:
    steps = [step(JOB, 1, "Run cargo test", 0, 90), step(JOB, 2, "Run cargo install cargo-deny", 90, 100)]
    phases = [
        phase(JOB, 1, "download", 5.0),
        phase(JOB, 1, "compile", 60.0),
        phase(JOB, 1, "tests", 10.0),
        phase(JOB, 1, "tests", None),
        phase(JOB, 2, "compile", 9.0),
    ]
    assert seconds(JOB, steps, phases) == pytest.approx(
        {"download": 5, "compile": 60, "tests": 10, "untold": 15, "tool-install": 10}
    )


def test_a_script_whose_log_is_gone_is_not_told_by_its_name_where_others_are_told() -> None:
    other = job(run(2), wall=100, log_state="expired")
    steps = [step(JOB, 1, "Unit tests", 0, 100), step(other, 1, "Unit tests", 0, 100)]
    pieces = split_jobs(jobs([JOB, other]), frame(STEPS, steps), frame(PHASES, [phase(JOB, 1, "compile", 70.0)]))
    assert pieces[["run_id", "kind", "wall_s"]].to_numpy().tolist() == [
        [1, "compile", 70],
        [1, "untold", 30],
        [2, "untold", 100],
    ]


def test_a_script_that_rarely_runs_cargo_goes_by_its_name_but_for_what_cargo_did() -> None:
    told = [job(run(number), wall=100) for number in range(1, 4)]
    pieces = split_jobs(
        jobs(told), frame(STEPS, [step(of, 1, "Run tox", 0, 100) for of in told]),
        frame(PHASES, [phase(told[0], 1, "compile", 30.0)]),
    )  # fmt: skip
    assert pieces[["run_id", "kind", "wall_s"]].to_numpy().tolist() == [
        [1, "compile", 30],
        [1, "tests", 70],
        [2, "tests", 100],
        [3, "tests", 100],
    ]


def test_phases_longer_than_their_step_are_shortened_alike() -> None:
    steps = [step(JOB, 1, "Run cargo test", 0, 100)]
    assert seconds(JOB, steps, [phase(JOB, 1, "compile", 150.0), phase(JOB, 1, "tests", 50.0)]) == pytest.approx(
        {"compile": 75, "tests": 25}
    )


def test_steps_that_overlap_or_stick_out_count_once() -> None:
    steps = [step(JOB, 1, "Build", -5, 40), step(JOB, 2, "Unit tests", 30, 20), step(JOB, 3, "Unit tests", 30, 120)]
    assert seconds(JOB, steps, []) == {"compile": 40, "tests": 60}


def test_jobs_without_a_length_are_left_out() -> None:
    told = [job(run(1), "skipped"), job(run(2), ended_at=None), job(run(3), wall=0), job(run(4), wall=60)]
    assert split_jobs(jobs(told), frame(STEPS, []), frame(PHASES, []))["run_id"].tolist() == [4]


@pytest.mark.parametrize("n_steps", [0, 1])
def test_nothing_gives_nothing(n_steps: int) -> None:
    steps = frame(STEPS, [step(JOB, 1, "Build", 0, 40)][:n_steps])
    assert spent_by_kind(jobs(), steps, frame(PHASES, [])).empty
    assert time_in_tests(runs(""), jobs(), steps, frame(PHASES, [])).empty


def test_all_seconds_of_all_jobs_are_spent() -> None:
    dice = random.Random(11)  # noqa: S311  (repeatable on purpose)
    told, steps, phases = [], [], []
    for place in range(1, 301):
        told.append(job(run(place), wall=dice.choice((0, 0.000001, dice.uniform(0, 1000)))))
        for number in range(1, dice.randint(1, 7)):
            name = dice.choice(("Set up job", "Run cargo test", "Build", "Rust cache", "Soak"))
            steps.append(step(told[-1], number, name, dice.uniform(-100, 1000), dice.uniform(-100, 1200)))
            words = dice.choices(("compile", "tests", "download"), k=dice.randint(0, 3))
            phases += [phase(told[-1], number, word, dice.uniform(0, 600)) for word in words]
    pieces = split_jobs(jobs(told), frame(STEPS, steps), frame(PHASES, phases))
    spent = pieces.groupby("run_id")["wall_s"].sum()
    assert (pieces["wall_s"] > 0).all()
    assert pieces["kind"].nunique() == 7
    assert [spent.get(of["run_id"], 0.0) for of in told] == pytest.approx([of["wall_s"] for of in told], abs=2e-6)


def test_minutes_by_kind_are_those_of_all_legs_of_a_job() -> None:
    told = [
        job(run(1), wall=60, name="test (linux)"),
        job(run(2), wall=180, name="test (macos)"),
        job(run(3), "skipped"),
    ]
    steps = [step(told[0], 1, "Build", 0, 60), step(told[1], 1, "Build", 0, 60), step(told[1], 2, "Run tests", 60, 180)]
    spent = spent_by_kind(jobs(told), frame(STEPS, steps), frame(PHASES, []))
    assert spent[["job_base", "kind", "minutes", "share", "n_jobs", "n_spent", "median_s"]].to_numpy().tolist() == [
        ["test", "compile", 2, 0.5, 2, 2, 60],
        ["test", "tests", 2, 0.5, 2, 1, 120],
    ]


def test_time_in_tests_is_told_by_logs_or_by_names_but_never_by_both() -> None:
    spoken = [job(run(number), wall=100) for number in (1, 2)]
    named = job(run(3), wall=100, workflow="py.yml")
    gone, red = job(run(4), wall=100, log_state="expired"), job(run(5), "failure", wall=100)
    steps = [step(of, 1, "Unit tests", 0, 100) for of in (*spoken, named, gone, red)]
    phases = [phase(of, 1, "compile", 60.0) for of in spoken] + [phase(of, 1, "tests", 4.0) for of in (*spoken, red)]
    phases.append(phase(spoken[1], 1, "doc-tests", 2.0))
    all_runs = runs([run(1), run(2), run(3, workflow="py.yml"), run(4), run(5, "failure")])
    table = time_in_tests(all_runs, jobs([*spoken, named, gone, red]), frame(STEPS, steps), frame(PHASES, phases))
    assert table[["run_id", "workflow", "seconds"]].to_numpy().tolist() == [
        [1, run(1)["workflow"], 4.0],
        [2, run(1)["workflow"], 6.0],
        [3, "py.yml", 100.0],
    ]
    assert table["at"].tolist() == [pd.Timestamp(of["started_at"]) for of in (run(1), run(2), run(3))]
