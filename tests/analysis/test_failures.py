"""Failures in groups: what failed alike, and whether it fails now, flakes, is masked, is over, or cannot be told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from kotaci.analysis.failures import Group, Triage, TriageOptions, assess_failures, to_excerpt_lines
from kotaci.model import Certainty, Severity
from tests.analysis.frames import CI, Row, failure, failures, job, jobs, run, runs

LINE = "error: test failed, to rerun pass `--lib`"


def triage(told: Sequence[tuple[Row, Row, Row | None]], *, options: TriageOptions | None = None) -> Triage:
    """Return the triage of (run, job, failure or None) rows."""
    return assess_failures(
        runs({(row["run_id"], row["attempt"]): row for row, _, _ in told}.values()),
        jobs(row for _, row, _ in told),
        failures(row for _, _, row in told if row is not None),
        default_branch="main",
        options=options or TriageOptions(),
    )


def story(letters: str, *lines: str, **told: Any) -> list[tuple[Row, Row, Row | None]]:
    """Return a run of one job each hour: P passed, F failed with these lines, C cancelled."""
    words = {"P": "success", "F": "failure", "C": "cancelled"}
    rows = []
    for place, letter in enumerate(letters, start=1):
        of = run(place, words[letter], **told)
        one = job(of, words[letter])
        rows.append((of, one, failure(one, *(lines or (LINE,))) if letter == "F" else None))
    return rows


def failed(of: Row, *lines: str) -> tuple[Row, Row, Row]:
    """Return the run with its failed job and what its log said."""
    red = job(of, "failure")
    return of, red, failure(red, *lines)


def only(of: Triage) -> Group:
    (group,) = of.groups
    return group


# -- groups ---------------------------------------------------------------------------------------------------


def test_what_failed_alike_is_one_group() -> None:
    first, second, third = run(1, "failure"), run(2, "failure"), run(3, "failure")
    told = [
        (
            first,
            job(first, "failure"),
            failure(job(first, "failure"), "    Compiling x", "error[E0308]: mismatched types"),
        ),
        (second, job(second, "failure"), failure(job(second, "failure"), "error[E0308]: mismatched types")),
        (third, job(third, "failure"), failure(job(third, "failure"), "thread 'a' panicked at src/lib.rs:7:5")),
    ]
    groups = triage(told).groups
    assert sorted((group.headline, group.n_runs) for group in groups) == [
        ("error[E0308]: mismatched types", 2), ("thread 'a' panicked at src/lib.rs:7:5", 1),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "lines",
    [
        ("error: 3 tests failed in 1.25s", "error: 17 tests failed in 0.75s"),
        ("fatal: cannot lock ref 5f2a9c1d0b", "fatal: cannot lock ref 0d1c2b3a4f"),
        ("panicked at 0x7f3a10", "panicked at 0x55d2ee"),
    ],
)
def test_numbers_do_not_tell_failures_apart(lines: tuple[str, str]) -> None:
    first, second = run(1, "failure"), run(2, "failure")
    told = [
        (of, job(of, "failure"), failure(job(of, "failure"), line))
        for of, line in zip((first, second), lines, strict=True)
    ]
    assert only(triage(told)).n_runs == 2


@pytest.mark.parametrize(
    "changed",
    [{"job": "lint", "job_base": "lint"}, {"failed_step": "Run cargo clippy"}, {"workflow": ".github/workflows/b.yml"}],
    ids=["job", "step", "workflow"],
)
def test_another_place_is_another_group(changed: dict[str, str]) -> None:
    first, second = run(1, "failure"), run(2, "failure")
    told = [(first, job(first, "failure"), None), (second, job(second, "failure", **changed), None)]
    assert len(triage(told).groups) == 2


def test_legs_of_a_matrix_are_one_group_that_names_them() -> None:
    of = run(1, "failure")
    told = [(of, job(of, "failure", name=f"test ({leg})", job_id=n), None) for n, leg in enumerate(["macos", "linux"])]
    group = only(triage(told))
    assert (group.job, group.legs, group.n_jobs, group.n_runs) == ("test", ["linux", "macos"], 2, 1)


def test_the_headline_is_the_first_line_that_speaks_of_failing() -> None:
    lines = ("running 3 tests", "test a ... FAILED", "failures:", "error: test failed")
    assert only(triage(story("F", *lines))).headline == "test a ... FAILED"


def test_the_headline_is_else_the_last_line_that_says_something() -> None:
    assert only(triage(story("F", "left: 1", "right: 2", "~~~"))).headline == "right: 2"


def test_the_headline_is_else_what_github_marked_as_the_error() -> None:
    assert only(triage(story("F", "---"))).headline == "Process completed with exit code 101."


def test_a_failure_without_a_log_is_counted_and_said_to_have_none() -> None:
    of = run(1, "failure")
    found = triage([(of, job(of, "failure", log_state="expired"), None)])
    assert (found.n_failed_jobs, found.n_unexplained) == (1, 1)
    assert (only(found).headline, only(found).step) == ("no log of it is held", "Run cargo test")
    assert only(found).excerpt == []


def test_an_excerpt_keeps_the_numbers_of_its_lines() -> None:
    assert to_excerpt_lines("40\terror: a\tb\n\n47\t\n") == [(40, "error: a\tb"), (47, "")]


def test_the_newest_failure_is_the_one_that_is_shown() -> None:
    told = [*story("F", "error: 4 tests failed"), *story("PF", "error: 2 tests failed")[1:]]
    group = only(triage(told))
    assert (group.headline, group.n_runs) == ("error: 2 tests failed", 2)
    assert group.first_at < group.last_at
    assert group.evidence[0].url.endswith("/runs/2/job/201")


def test_a_group_is_named_alike_in_every_process() -> None:
    assert only(triage(story("F"))).id == "ci-yml-test-3756bd47f52f" == only(triage(story("PPF"))).id


# -- verdicts -------------------------------------------------------------------------------------------------


def verdict(told: Sequence[tuple[Row, Row, Row | None]]) -> str:
    return only(triage(told)).verdict


@pytest.mark.parametrize(
    ("letters", "word"),
    [
        ("PPF", "failing"),
        ("PFFF", "failing"),
        ("FC", "failing"),
        ("PFP", "passes again"),
        ("FFFP", "passes again"),
    ],
)
def test_the_runs_since_decide_on_the_default_branch(letters: str, word: str) -> None:
    assert verdict(story(letters)) == word


def test_flaky_is_only_what_passed_when_the_same_run_was_run_again() -> None:
    first, again = run(1, "failure"), run(1, attempt=2, hours=3)
    group = only(triage([failed(first, LINE), (again, job(again), None)]))
    assert (group.verdict, group.why) == ("flaky", "1 of 1 runs passed when run again on the same commit")
    other = run(2, head_sha=first["head_sha"])
    assert verdict([failed(first, LINE), (other, job(other), None)]) == "passes again"


def test_an_earlier_attempt_that_passed_proves_nothing() -> None:
    first, again = run(1), run(1, "failure", attempt=2, hours=3)
    assert verdict([(first, job(first), None), (again, job(again, "failure"), None)]) == "failing"


def test_another_leg_that_passed_when_run_again_proves_nothing() -> None:
    first, again = run(1, "failure"), run(1, "failure", attempt=2, hours=3)
    told = [
        (first, job(first, "failure", name="test (linux)"), None),
        (again, job(again, name="test (macos)", job_id=1), None),
    ]
    assert verdict(told) == "failing"


def test_a_job_that_may_fail_is_masked() -> None:
    of = run(1)
    assert verdict([(of, job(of, "failure"), None)]) == "masked"


def test_a_failure_behind_a_failed_need_is_its_consequence_and_no_finding() -> None:
    of = run(1, "failure")
    found = triage([(of, job(of, "failure", is_downstream=True), None)])
    assert (only(found).verdict, found.findings) == ("consequence", [])


def test_a_job_that_once_failed_by_itself_is_no_mere_consequence() -> None:
    first, second = run(1, "failure"), run(2, "failure")
    told = [
        (first, job(first, "failure", is_downstream=True), None),
        (second, job(second, "failure", is_downstream=False), None),
    ]
    assert verdict(told) == "failing"


def test_a_failure_elsewhere_that_nobody_ran_again_is_undecided() -> None:
    of = run(1, "failure", branch="fix", event="pull_request")
    assert verdict([(of, job(of, "failure"), None)]) == "undecided"


def test_a_failure_of_a_pull_request_is_over_when_the_job_passed_since() -> None:
    pull, later = run(1, "failure", branch="fix", event="pull_request"), run(2)
    assert verdict([(pull, job(pull, "failure"), None), (later, job(later), None)]) == "passes again"


def test_a_failure_that_is_over_does_not_fail_because_another_one_does() -> None:
    told = [*story("FP", "error: the old one"), *story("PPF", "error: the new one")[2:]]
    assert {group.headline: group.verdict for group in triage(told).groups} == {
        "error: the new one": "failing", "error: the old one": "passes again",
    }  # fmt: skip


def test_a_leg_that_fails_now_is_not_hidden_by_one_that_passes() -> None:
    """Linux fails on main and has not passed since; macOS failed on a pull request an hour later, and passed."""
    linux, pull, later = run(1, "failure"), run(2, "failure", branch="fix", event="pull_request"), run(3)
    told = [
        (linux, job(linux, "failure", name="test (linux)"), None),
        (pull, job(pull, "failure", name="test (macos)"), None),
        (later, job(later, name="test (macos)"), None),
    ]
    assert verdict(told) == "failing"


def test_re_runs_are_not_counted_as_runs() -> None:
    first, again = run(1, "failure"), run(1, "failure", attempt=2, hours=3)
    group = only(triage([(first, job(first, "failure"), None), (again, job(again, "failure"), None)]))
    assert (group.n_runs, group.n_jobs) == (1, 2)
    assert group.why.startswith("1 run on main failed")


def test_failures_without_any_time_break_nothing() -> None:
    of = run(1, "failure", branch="")
    timeless = dict.fromkeys(("created_at", "started_at", "ended_at", "queue_s", "wall_s"))
    group = only(triage([(of, job(of, "failure", **timeless), None)]))
    assert (group.verdict, group.minutes, len(group.evidence)) == ("undecided", 0.0, 1)
    base = run(1, "failure")
    assert only(triage([(base, job(base, "failure", **timeless), None)])).history


# -- history --------------------------------------------------------------------------------------------------


def test_the_strip_shows_the_runs_of_the_job_in_order() -> None:
    first, again = run(9, "failure", hours=9), run(9, attempt=2, hours=10)
    told = [
        *story("PFCP"),
        (first, job(first, "failure"), failure(job(first, "failure"), LINE)),
        (again, job(again), None),
    ]
    group = only(triage(told))
    assert [cell.outcome for cell in group.history] == ["ok", "failed", "cancelled", "ok", "rerun"]
    assert group.history[-1].title == "02 Mar 2026 09:00 UTC: failure, then success"
    assert group.history_of == "test on main"


def test_the_strip_is_as_long_as_asked_for() -> None:
    group = only(triage(story("PPPPPPPPPF"), options=TriageOptions(history_runs=3)))
    assert [cell.outcome for cell in group.history] == ["ok", "ok", "failed"]


def test_the_strip_is_of_the_job_where_it_never_ran_on_the_default_branch() -> None:
    group = only(triage(story("PF", branch="fix")))
    assert (len(group.history), group.history_of) == (2, "test")


# -- findings -------------------------------------------------------------------------------------------------


def test_a_group_is_a_finding_with_its_rate_and_interval() -> None:
    found = triage(story("PPFF"))
    (finding,) = found.findings
    assert finding.claim.startswith("failed in 2 of 4 runs of the job [15%, 85%]; ")
    assert (finding.verdict, finding.severity, finding.certainty, finding.n) == (
        "failing", Severity.HIGH, Certainty.LOW, 2,
    )  # fmt: skip
    assert finding.price.minutes == 10.0
    assert finding.id == f"failure:{found.groups[0].id}"


def test_what_passes_again_is_a_group_but_no_finding() -> None:
    found = triage(story("FP"))
    assert (len(found.groups), found.findings) == (1, [])


def test_the_most_urgent_group_stands_first() -> None:
    pull = run(20, "failure", branch="fix", event="pull_request", workflow=".github/workflows/pr.yml")
    told = [
        *story("FP", "error: over"),
        failed(pull, "error: who knows"),
        *story("PPF", "error: now")[2:],
    ]
    assert [group.verdict for group in triage(told).groups] == ["failing", "undecided", "passes again"]


def test_no_failures_give_no_group_and_no_finding() -> None:
    found = triage(story("PPC"))
    assert (found.groups, found.findings, found.n_failed_jobs, found.n_runs) == ([], [], 0, 3)
    assert found.cancelled["run_id"].tolist() == [3]
    nothing = triage([])
    assert (nothing.groups, nothing.findings, nothing.n_runs) == ([], [], 0)
    assert list(nothing.cancelled.columns) == list(found.cancelled.columns)


def test_a_workflow_is_shown_without_its_folder() -> None:
    assert only(triage(story("F", workflow=CI))).workflow == "ci.yml"


# -- what a first review found ----------------------------------------------------------------------------------


def flake_then(letters: str, **told: Any) -> list[tuple[Row, Row, Row | None]]:
    """Return a failure that passed when run again, then a run of each letter a day later."""
    first, again = run(900, "failure", hours=-9, **told), run(900, attempt=2, hours=-8, **told)
    return [failed(first, LINE), (again, job(again), None), *story(letters, **told)]


def test_an_old_flake_does_not_hide_a_broken_main() -> None:
    assert verdict(flake_then("FFF")) == "failing"
    assert verdict(flake_then("PPF")) == "flaky"
    assert verdict(flake_then("PPP")) == "flaky"


def in_green_run(number: int) -> tuple[Row, Row, Row]:
    return failed(run(number, "success", n_failed_jobs=1), LINE)


def in_red_run(number: int) -> tuple[Row, Row, Row]:
    return failed(run(number, "failure", n_failed_jobs=1), LINE)


def test_whether_a_job_may_fail_is_told_by_the_newest_run() -> None:
    assert verdict([in_green_run(1), in_red_run(2), in_red_run(3)]) == "failing"
    assert verdict([in_red_run(1), in_red_run(2), in_green_run(3)]) == "masked"


def test_without_a_known_branch_nothing_is_on_the_default_branch() -> None:
    told = story("F", branch="")
    found = assess_failures(
        runs(row for row, _, _ in told),
        jobs(row for _, row, _ in told),
        failures(row for _, _, row in told if row is not None),
        default_branch="",
    )
    assert only(found).verdict == "undecided"


def test_a_branch_that_is_always_red_is_failing_whatever_main_does() -> None:
    red = [failed(run(number, "failure", branch="release/2.x"), LINE) for number in (1, 3, 5)]
    green = [(row := run(number), job(row), None) for number in (2, 4, 6)]
    group = only(triage([*red, *green]))
    assert (group.verdict, group.why.split(" failed")[0]) == ("failing", "3 runs on release/2.x")


def test_a_job_that_was_removed_asks_for_nothing() -> None:
    gone = failed(run(1, "failure"), LINE)
    after = [(row := run(number), job(row, name="other"), None) for number in range(2, 13)]
    assert verdict([gone, *after]) == "no longer runs"
    assert verdict([gone, *after[:5]]) == "failing"


def test_what_failed_otherwise_since_is_not_failing_now() -> None:
    first, *then = failed(run(1, "failure"), "error: one"), *story("PFF", "error: two")[1:]
    verdicts = {group.headline: group.verdict for group in triage([first, *then]).groups}
    assert verdicts == {"error: one": "undecided", "error: two": "failing"}


def test_a_number_within_a_name_is_part_of_the_name() -> None:
    told = [
        failed(run(1, "failure"), "test upgrade_from_v1 FAILED"),
        failed(run(2, "failure"), "test upgrade_from_v2 FAILED"),
    ]
    assert len(triage(told).groups) == 2
