"""What reports say of processors, memory and disk: for recordings made by hand, and where there is none."""

from __future__ import annotations

import re

import pytest

from kotaci.analysis.resources import Resources
from kotaci.pages import resources as shown
from tests.analysis.frames import annotation, failure, job, run
from tests.analysis.test_resources import WARNING, assess, recorded, usage

GIGA = 10**9
BARE = recorded()


def test_a_job_is_a_row_with_what_it_used_of_what_there_is() -> None:
    told = shown.resources_table(recorded({"wall": 540}, {"left": 2}, {"wall": 660})).markdown
    assert "ci.yml / test" in told
    assert "cargo test" in told
    assert re.search(
        r"\| 3 \| 10 m \| 2 of 4.*machine 50 % busy \| 88 % of 16 GB.*median 50 % \| 20 GB left.*2 GB written", told
    )


def test_what_is_not_known_is_a_dash() -> None:
    nothing = {"min_available_bytes": None, "min_free_bytes": None, "written_bytes": None, "mean_cores": None}
    told = shown.resources_table(recorded({**nothing, "wall": 0, "machine_cpu_s": 0})).markdown
    assert re.search(r"\| – of 4.*machine – busy \| – of 16 GB.*median – \| – left.*– written", told)


def test_the_figure_shows_the_recording_of_median_duration() -> None:
    told = shown.resources_figure(recorded({"wall": 300}, {"wall": 600, "left": 4}, {"wall": 900})).markdown
    assert told.startswith("*Figure:* test: 2 of 4 cores used on average, at most 75 % of memory in use. Lines:")
    assert "over 10 m, one recording (n = 3) of 2 Mar 2026" in told


def both() -> Resources:
    """Return a build that took most time, and tests."""
    ran = [run(1), run(2)]
    held = [job(ran[0], name="build"), job(ran[1], name="test")]
    return assess(ran, held, recorded=[usage(held[0], wall=900), usage(held[1], wall=30)])


def test_the_figure_is_of_what_took_most_time_unless_a_job_is_named() -> None:
    assert shown.resources_figure(both()).markdown.startswith("*Figure:* build:")
    assert shown.resources_figure(both(), job="test").markdown.startswith("*Figure:* test:")
    assert shown.resources_figure(both(), job="lint").markdown == "Cannot be told: no recording of lint."


def test_a_command_that_ended_before_the_first_look_has_no_figure() -> None:
    ran = [run(1)]
    held = [job(ran[0])]
    found = assess(ran, held, recorded=[usage(held[0])])
    empty = Resources(**{**vars(found), "samples": found.samples.head(0)})
    assert shown.resources_figure(empty).markdown == "Cannot be told: the command ended before the first look."


@pytest.mark.parametrize("block", [shown.resources_table, shown.resources_figure, shown.resources_note])
def test_without_a_recording_it_is_told_how_to_make_one(block: object) -> None:
    assert callable(block)
    assert block(BARE).markdown.startswith("Cannot be told: no recording in this window. A step run as kotaci watch")


def test_limits_that_jobs_met_are_rows_with_their_share_and_minutes() -> None:
    ran = [run(number, "failure") for number in range(1, 9)]
    held = [job(one, "failure", wall=120) for one in ran]
    failed = [{**failure(one), "cause": "memory", "cause_confidence": 0.9} for one in held[:2]]
    told = shown.pressures_table(assess(ran, held, failed=failed, said=[annotation(held[7], WARNING)])).markdown
    assert re.search(r"\| out of memory \| ci.yml / test \| 2 of 8 \| 25 % .* \| 4 \| 2 Mar 2026 \|", told)
    assert re.search(r"\| warned: disk almost full \| ci.yml / test \| 1 of 8 \|", told)
    assert shown.pressures_table(BARE).markdown.startswith("No log and no warning in this window tells")


def test_the_note_says_what_has_no_job_and_what_broke_off() -> None:
    ran = [run(1), run(2)]
    held = [job(one) for one in ran]
    lone = usage(held[1], job_id=None, artifact="watch", exit_code=None)
    told = shown.resources_note(assess(ran, held, recorded=[usage(held[0]), lone])).markdown
    assert told.startswith("2 recordings of 2 jobs. 1 in artifacts that name no job. 1 broke off: the watcher")
