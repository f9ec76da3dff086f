"""Failures in groups: what failed alike, what it is, how it stands, its commits, its odds and its history."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from kotaci.analysis.failures import TABLES, Group, Triage, TriageOptions, assess_failures, to_excerpt_lines
from kotaci.model import Certainty, Severity
from kotaci.tables import TABLES as CONTRACT
from tests.analysis.frames import CI, Row, a_test, commit, failure, failures, frame, job, jobs, run, runs, setup

LINE = "error: test failed, to rerun pass `--lib`"

Told = tuple[Row, Row, Row | None]


def triage(
    told: Sequence[Told],
    *,
    tests: Iterable[Row] = (),
    commits: Iterable[Row] = (),
    setups: Iterable[Row] = (),
    base: str = "main",
    options: TriageOptions | None = None,
) -> Triage:
    """Return the triage of (run, job, failure or None) rows."""
    tables = {name: frame(CONTRACT[name], ()) for name in TABLES} | {
        "runs": runs({(row["run_id"], row["attempt"]): row for row, _, _ in told}.values()),
        "jobs": jobs(row for _, row, _ in told),
        "failures": failures(row for _, _, row in told if row is not None),
        "tests": frame(CONTRACT["tests"], tests),
        "commits": frame(CONTRACT["commits"], commits),
        "setups": frame(CONTRACT["setups"], setups),
    }
    as_of = max((row["ended_at"] for row, _, _ in told), default=None)
    return assess_failures(tables, default_branch=base, as_of=as_of, options=options or TriageOptions())


def said(of: Row, line: str, **told: Any) -> Row:
    """Return what the log of a job said, its signature being the line."""
    return {**failure(of, line), "headline": line, "signature": line} | told


def story(letters: str, line: str = LINE, **told: Any) -> list[Told]:
    """Return a run of one job each hour on a commit of its own: P passed, F failed with this line, C cancelled."""
    words = {"P": "success", "F": "failure", "C": "cancelled"}
    rows = []
    for place, letter in enumerate(letters, start=1):
        of = run(place, words[letter], **{"head_sha": f"{place:040x}"} | told)
        one = job(of, words[letter])
        rows.append((of, one, said(one, line) if letter == "F" else None))
    return rows


def failed(of: Row, line: str = LINE, **told: Any) -> Told:
    """Return the run with its failed job and what its log said."""
    red = job(of, "failure", **told)
    return of, red, said(red, line)


def only(of: Triage) -> Group:
    (group,) = of.groups
    return group


# -- groups ---------------------------------------------------------------------------------------------------


def test_what_failed_alike_is_one_group() -> None:
    told = [
        failed(run(1, "failure"), "error[E0308]: mismatched types"),
        failed(run(2, "failure"), "error[E0308]: mismatched types"),
        failed(run(3, "failure"), "thread 'a' panicked at src/lib.rs:7:5"),
    ]
    assert sorted((group.headline, group.n_runs) for group in triage(told).groups) == [
        ("error[E0308]: mismatched types", 2), ("thread 'a' panicked at src/lib.rs:7:5", 1),
    ]  # fmt: skip


def test_a_flaky_test_is_one_group_whatever_fails_beside_it() -> None:
    told = [failed(run(number, "failure"), f"error: {number} tests failed") for number in (1, 2, 3)]
    names = [("flaky",), ("flaky", "broken"), ("flaky", "other")]
    tests = [a_test(one, name) for (_, one, _), mine in zip(told, names, strict=True) for name in mine]
    found = {group.headline: group.n_runs for group in triage(told, tests=tests).groups}
    assert found == {"flaky": 3, "broken": 1, "other": 1}


def test_tests_that_always_fail_together_are_one_group() -> None:
    told = [failed(run(number, "failure")) for number in (1, 2)]
    tests = [a_test(one, name, suite="core") for _, one, _ in told for name in ("scan", "put")]
    group = only(triage(told, tests=tests))
    assert (group.headline, group.tests) == ("core::put and 1 more test", ["core::put", "core::scan"])


def test_where_many_tests_fail_at_once_none_of_them_is_to_blame() -> None:
    told = [failed(run(1, "failure"), "error: no space left")]
    tests = [a_test(told[0][1], f"test_{number}") for number in range(11)]
    assert only(triage(told, tests=tests)).headline == "error: no space left"


def test_what_nobody_can_read_is_one_group_but_never_alike() -> None:
    told = [(row := run(n, "failure"), job(row, "failure", log_state="expired"), None) for n in (1, 2)]
    group = only(triage(told))
    assert (group.n_runs, group.headline, group.verdict) == (2, "no log of it is held", "undecided")


@pytest.mark.parametrize(
    "changed",
    [{"job": "lint", "job_base": "lint"}, {"failed_step": "Run cargo clippy"}, {"workflow": ".github/workflows/b.yml"}],
    ids=["job", "step", "workflow"],
)
def test_another_place_is_another_group(changed: dict[str, str]) -> None:
    first, second = run(1, "failure"), run(2, "failure")
    told = [(first, job(first, "failure"), None), (second, job(second, "failure", **changed), None)]
    assert len(triage(told).groups) == 2


def test_a_step_that_was_renamed_fails_alike() -> None:
    told = [failed(run(1, "failure"), failed_step="Run tests"), failed(run(2, "failure"), failed_step="Run tox")]
    assert only(triage(told)).n_runs == 2


def test_legs_of_a_matrix_are_one_group_that_names_them() -> None:
    of = run(1, "failure")
    told = [(of, job(of, "failure", name=f"test ({leg})", job_id=n), None) for n, leg in enumerate(["macos", "linux"])]
    group = only(triage(told))
    assert (group.job, group.legs, group.n_jobs, group.n_runs) == ("test", ["linux", "macos"], 2, 1)


def test_the_headline_is_else_what_github_marked_as_the_error() -> None:
    of, red, _ = failed(run(1, "failure"))
    assert only(triage([(of, red, failure(red, "x"))])).headline == "Process completed with exit code 101."


def test_an_excerpt_keeps_the_numbers_of_its_lines() -> None:
    assert to_excerpt_lines("40\terror: a\tb\n\n47\t\n") == [(40, "error: a\tb"), (47, "")]


def test_the_line_that_says_what_the_test_did_is_marked() -> None:
    of, red, _ = failed(run(1, "failure"))
    lines = failure(red, "---- scan stdout ----", "left: 3", "right: 4")
    assert only(triage([(of, red, lines)], tests=[a_test(red, "scan") | {"message": "left: 3"}])).hits == {41}


def test_a_failure_without_a_log_is_counted_and_said_to_have_none() -> None:
    of = run(1, "failure")
    found = triage([(of, job(of, "failure", log_state="expired"), None)])
    assert (found.n_failed_jobs, found.n_unexplained) == (1, 1)
    assert (only(found).step, only(found).excerpt) == ("Run cargo test", [])


def test_the_newest_failure_is_the_one_that_is_shown() -> None:
    one, two = run(1, "failure"), run(2, "failure")
    told = [failed(one), failed(two)]
    told[1][2]["headline"] = "error: newer words"  # type: ignore[index]
    group = only(triage(told))
    assert (group.headline, group.n_runs) == ("error: newer words", 2)
    assert group.first_at < group.last_at
    assert group.evidence[0].url.endswith("/runs/2/job/201")


def test_a_group_is_named_alike_in_every_process() -> None:
    assert only(triage(story("F"))).id == only(triage(story("PPF"))).id
    assert only(triage(story("F"))).id.startswith("ci-yml-test-")


def test_a_job_cancelled_as_its_time_ran_out_is_a_failure_too() -> None:
    of = run(1, "cancelled")
    late = job(of, "cancelled")
    hung = (of, late, said(late, "The action 'Run tests' has timed out after 20 minutes."))
    hung[2]["error"] = "The action 'Run tests' has timed out after 20 minutes."
    found = triage([hung])
    assert (only(found).verdict, found.n_failed_jobs, len(found.cancelled)) == ("timed out", 1, 1)


# -- status ---------------------------------------------------------------------------------------------------


def status(told: Sequence[Told]) -> str:
    return only(triage(told)).status.word


@pytest.mark.parametrize(
    ("letters", "word"),
    [
        ("PPF", "failing now"),
        ("PFFF", "failing now"),
        ("FC", "failing now"),
        ("PFP", "passes again"),
        ("FFFP", "passes again"),
    ],
)
def test_the_runs_since_decide_on_the_default_branch(letters: str, word: str) -> None:
    assert status(story(letters)) == word


def test_a_failure_elsewhere_is_not_run_since_until_the_job_runs() -> None:
    pull, later = run(1, "failure", branch="fix", event="pull_request"), run(2)
    before = (row := run(0), job(row), None)
    assert status([before, failed(pull)]) == "not run since"
    assert status([before, failed(pull), (later, job(later, "cancelled"), None)]) == "not run since"
    assert status([failed(pull), (later, job(later), None)]) == "passes again"


def test_a_job_of_pull_requests_alone_failed_so_in_its_newest_run() -> None:
    pulls = [run(n, "failure", branch=f"fix{n}", event="pull_request", head_sha=f"{n:040x}") for n in (1, 2)]
    assert status([failed(pull) for pull in pulls]) == "failed so in its newest run"


def test_a_leg_that_fails_now_is_not_hidden_by_one_that_passes() -> None:
    """Linux fails on main and has not passed since; macOS failed on a pull request an hour later, and passed."""
    linux, pull, later = run(1, "failure"), run(2, "failure", branch="fix", event="pull_request"), run(3)
    told = [
        failed(linux, name="test (linux)"),
        failed(pull, name="test (macos)"),
        (later, job(later, name="test (macos)"), None),
    ]
    assert status(told) == "failing now"


def test_without_a_known_branch_nothing_is_on_the_default_branch() -> None:
    assert only(triage(story("F", branch=""), base="")).status.word == "not run since"


def test_a_branch_that_is_always_red_is_failing_whatever_main_does() -> None:
    red = [failed(run(number, "failure", branch="release/2.x", head_sha=f"{number:040x}")) for number in (1, 3, 5)]
    green = [(row := run(number), job(row), None) for number in (2, 4, 6)]
    group = only(triage([*red, *green]))
    assert group.status.word == "failing now"
    assert group.status.why.startswith("3 runs on release/2.x failed so since 02 Mar 2026")


def test_a_job_that_was_removed_asks_for_nothing() -> None:
    gone = failed(run(1, "failure"))
    after = [(row := run(number), job(row, name="other"), None) for number in range(2, 13)]
    assert status([gone, *after]) == "no longer runs"
    assert status([gone, *after[:5]]) == "failing now"


def test_what_passed_after_its_last_failure_passes_again_though_it_was_removed() -> None:
    after = [(row := run(number), job(row, name="other"), None) for number in range(3, 14)]
    group = only(triage([*story("FP"), *after]))
    assert group.status.word == "passes again"
    assert group.status.why.endswith("; it no longer runs: 11 runs of its workflow on main came after the last with "
                                     "this job")  # fmt: skip


def test_a_leg_that_its_workflow_left_behind_no_longer_runs() -> None:
    """One run of a pull request tried a leg; later ones have others, and pushes say nothing of it."""
    tried = failed(run(1, "failure", branch="fix", event="pull_request"), name="test (pypy)")

    def others(event: str) -> list[Told]:
        rows = [run(n, event=event, branch="main" if event == "push" else "fix") for n in range(2, 14)]
        return [(row, job(row, name="test (3.13)"), None) for row in rows]

    assert status([tried, *others("pull_request")]) == "no longer runs"
    assert status([tried, *others("push")]) == "failed so in its newest run"


def test_a_leg_that_was_left_behind_fails_no_longer_for_the_others() -> None:
    """Both legs failed; the old one is gone, the new one passes."""
    red = run(1, "failure")
    told = [failed(red, name="test (3.8)"), failed(red, name="test (3.9)", job_id=102)]
    after = [(row := run(n), job(row, name="test (3.9)"), None) for n in range(2, 14)]
    assert status([*told, *after]) == "passes again"


def test_a_job_of_the_nightly_run_is_not_missed_by_pushes() -> None:
    nightly = failed(run(1, "failure", event="schedule"), name="soak")
    after = [(row := run(number), job(row, name="other"), None) for number in range(2, 14)]
    assert status([nightly, *after]) == "failing now"


def test_what_failed_otherwise_since_is_not_failing_now() -> None:
    first, *then = failed(run(1, "failure"), "error: one"), *story("PFF", "error: two")[1:]
    words = {group.headline: group.status.word for group in triage([first, *then]).groups}
    assert words == {"error: one": "fails otherwise since", "error: two": "failing now"}
    one = next(group for group in triage([first, *then]).groups if group.headline == "error: one")
    assert one.status.why == "2 later runs of this job failed otherwise, the last on 02 Mar 2026"


def test_re_runs_are_not_counted_as_runs() -> None:
    first, again = run(1, "failure"), run(1, "failure", attempt=2, hours=3)
    group = only(triage([failed(first), failed(again)]))
    assert (group.n_runs, group.n_jobs) == (1, 2)
    assert group.status.why.startswith("1 run on main failed")


def test_failures_without_any_time_break_nothing() -> None:
    of = run(1, "failure", branch="")
    timeless = dict.fromkeys(("created_at", "started_at", "ended_at", "queue_s", "wall_s"))
    group = only(triage([(of, job(of, "failure", **timeless), None)]))
    assert (group.verdict, group.minutes, len(group.evidence)) == ("undecided", 0.0, 1)
    base = run(1, "failure")
    assert only(triage([(base, job(base, "failure", **timeless), None)])).history


# -- verdict --------------------------------------------------------------------------------------------------


def flake(number: int, *, hours: float, **told: Any) -> list[Told]:
    """Return a failure of a commit that passed when it was run again."""
    words = {"head_sha": f"{number:040x}"} | told
    first, again = run(number, "failure", hours=hours, **words), run(number, attempt=2, hours=hours + 1, **words)
    return [failed(first), (again, job(again), None)]


def test_a_group_has_the_verdict_of_its_newest_proof_and_counts_the_rest() -> None:
    group = only(triage([*flake(900, hours=-9), *story("PPF")]))
    assert (group.verdict, sorted(group.mix)) == ("flaky", [("flaky", 1), ("undecided", 1)])


def test_an_old_flake_does_not_hide_a_broken_main() -> None:
    """Three failures in a row since are more than one flake explains."""
    group = only(triage([*flake(900, hours=-9), *story("FFF")]))
    assert (group.verdict, group.status.word) == ("undecided", "failing now")
    assert group.proof.startswith("it flaked before (01 Mar 2026), but 3 runs on main failed so since")


def test_a_flake_is_over_only_when_luck_is_ruled_out() -> None:
    few, many = (only(triage([*flake(900, hours=-9), *story("P" * n)])) for n in (3, 40))
    assert (few.verdict, few.is_quiet) == ("flaky", False)
    assert (many.verdict, many.is_quiet) == ("flaky", True)


def test_the_failure_of_pull_requests_is_that_of_the_base_branch() -> None:
    """Main passes 40 times, then fails alike in three legs; pull requests that hold that commit fail too."""
    green = [(row := run(n, head_sha=f"{n:040x}"), job(row), None) for n in range(1, 41)]
    red = [failed(run(n, "failure", head_sha=f"{n:040x}")) for n in (41, 42, 43, 44)]
    pull = run(50, "failure", event="pull_request", branch="fix", pr_number=7, head_sha="f" * 40)
    group = only(triage([*green, *red, failed(pull)]))
    assert (group.verdict, group.status.word) == ("regression", "failing now")
    assert sorted(group.mix) == [("already failing", 1), ("regression", 4)]


def test_a_failure_of_the_base_branch_that_nothing_decides_is_undecided_whoever_has_it_too() -> None:
    pull = run(3, "failure", event="pull_request", branch="fix", pr_number=7, head_sha="f" * 40)
    group = only(triage([*story("PF"), failed(pull)]))
    assert (group.verdict, group.status.word) == ("undecided", "failing now")
    assert group.proof == "no other run of this commit passed; 1 job of other branches failed so after it"


def test_whether_a_job_may_fail_is_told_by_the_newest_run() -> None:
    green = [failed(run(n, n_failed_jobs=1, head_sha=f"{n:040x}")) for n in (1, 4)]
    red = [failed(run(n, "failure", n_failed_jobs=1, head_sha=f"{n:040x}")) for n in (2, 3)]
    assert only(triage([green[0], *red])).verdict == "undecided"
    assert only(triage([*red, green[1]])).verdict == "masked"


def test_a_failure_behind_a_failed_need_is_its_consequence_and_no_finding() -> None:
    of = run(1, "failure")
    found = triage([(of, job(of, "failure", is_downstream=True), None)])
    assert (only(found).verdict, found.findings) == ("consequence", [])


def test_a_job_that_once_failed_by_itself_is_no_mere_consequence() -> None:
    first, second = run(1, "failure"), run(2, "failure")
    told = [failed(first, is_downstream=True), failed(second, is_downstream=False)]
    assert only(triage(told)).verdict == "undecided"


def step(told: Sequence[Told], **cause: Any) -> str:
    """Return what is to be done first about the only group, its newest log telling this cause."""
    if cause:
        told[-1][2].update(cause)  # type: ignore[union-attr]
    (finding,) = triage(told).findings
    return finding.remedy


def test_one_failure_is_run_again_but_not_several_commits_that_failed_alike() -> None:
    assert step(story("PF")).startswith("Run the job again once")
    told = story("PFFF")
    assert step(told) == (
        "Read the diff of the first of them: 3 commits in a row failed alike without a pass, and one more run tells "
        "no more."
    )
    assert (
        only(triage(told)).proof == "no other run of this commit passed; 3 commits in a row failed alike without a pass"
    )
    assert (only(triage(told)).verdict, only(triage(told)).n_commits_alike) == ("undecided", 3)


def test_commits_of_several_branches_are_not_in_a_row() -> None:
    one, two = (run(n, "failure", branch=f"fix{n}", event="pull_request", head_sha=f"{n:040x}") for n in (1, 2))
    assert only(triage([failed(one), failed(two)])).n_commits_alike == 1
    assert only(triage([failed(one), failed(one | {"attempt": 2})])).n_commits_alike == 1


@pytest.mark.parametrize("cause", ["format", "lint", "compile", "type-check"])
def test_what_a_re_run_cannot_change_is_not_run_again(cause: str) -> None:
    assert step(story("PF"), cause=cause, cause_confidence=0.9).startswith("Read the diff: the code broke a rule")
    assert step(story("PF"), cause=cause, cause_confidence=0.4).startswith("Run the job again once")


def broken(*commits_known: Row) -> Triage:
    """Return the triage of 40 greens and four reds at commits of their own."""
    green = [(row := run(n, head_sha=f"{n:040x}"), job(row), None) for n in range(1, 41)]
    red = [failed(run(n, "failure", head_sha=f"{n:040x}")) for n in (41, 42, 43, 44)]
    return triage([*green, *red], commits=commits_known)


def test_a_regression_without_known_commits_has_the_last_good_and_the_first_bad_of_the_runs() -> None:
    found = broken()
    group = only(found)
    assert (group.verdict, group.culprits) == ("regression", [])
    assert (group.green_sha, group.red_sha) == (f"{40:040x}", f"{41:040x}")
    assert found.findings[0].remedy.startswith("Read what changed between the last good and the first bad commit")


def test_a_regression_with_known_commits_names_them() -> None:
    found = broken(*(commit(f"{n:040x}", f"{n - 1:040x}") for n in range(39, 45)))
    assert f"{41:040x}" in {one.sha for one in only(found).culprits}
    assert found.findings[0].remedy.startswith("Read the commits of the interval")


def test_what_an_archive_of_logs_cannot_show_is_told() -> None:
    of = run(1, "failure", source="tinuous")
    found = triage([(of, job(of, "failure", outcome_source="log"), None)])
    assert (found.sees_reruns, found.sees_masked) == (False, False)
    known = triage(story("PF"))
    assert (known.sees_reruns, known.sees_masked) == (True, True)


# -- commits and odds -----------------------------------------------------------------------------------------


def test_the_commits_since_the_last_green_are_named_with_what_they_changed() -> None:
    """Commits 1 to 5; 2 passed, 5 failed, and 3 and 4 never ran."""
    green, red = run(1, head_sha=f"{2:040x}"), run(2, "failure", head_sha=f"{5:040x}")
    line = [commit(f"{n:040x}", f"{n - 1:040x}", files=f"src/{n}.rs\nsrc/lib.rs") for n in range(1, 6)]
    group = only(triage([(green, job(green), None), failed(red)], commits=line))
    assert [one.sha[-1] for one in group.culprits] == ["5", "4", "3"]
    assert group.files == ["src/5.rs", "src/lib.rs", "src/4.rs", "src/3.rs"]
    assert (group.has_interval, group.green_sha[-1]) == (False, "2")
    assert group.culprits[0].url == f"https://github.com/octo/widgets/commit/{5:040x}"


def test_the_odds_of_a_re_run_are_those_of_the_group_else_of_the_job() -> None:
    told = [*flake(1, hours=1), *flake(2, hours=5), failed(run(3, "failure", hours=9, head_sha="e" * 40))]
    group = only(triage(told))
    assert (group.odds.n_green, group.odds.n, group.odds_of, group.open_run) == (2, 2, "of these", 3)
    other = failed(run(4, "failure", hours=10, head_sha="d" * 40), "error: another")
    found = {one.headline: one for one in triage([*told, other]).groups}["error: another"]
    assert (found.odds.n, found.odds_of) == (2, "of this job")


def test_what_is_too_old_to_be_run_again_is_not_offered() -> None:
    told = [failed(run(1, "failure")), (late := run(2, hours=24 * 40), job(late, name="other"), None)]
    assert triage(told).groups[0].open_run is None


def test_what_it_ran_on_is_held_against_its_last_green() -> None:
    green, red = run(1, head_sha="a" * 40), run(2, "failure", head_sha="b" * 40)
    told = [(green, job(green), None), failed(red)]
    things = [
        setup(one, "tool", "rustc", version) for (_, one, _), version in zip(told, ("1.95.0", "1.96.1"), strict=True)
    ]
    assert only(triage(told, setups=things)).differs == "rustc 1.95.0 → 1.96.1"
    assert only(triage(told)).differs is None


# -- history --------------------------------------------------------------------------------------------------


def test_the_strip_shows_the_runs_of_the_job_in_order() -> None:
    first, again = run(9, "failure", hours=9), run(9, attempt=2, hours=10)
    group = only(triage([*story("PFCP"), failed(first), (again, job(again), None)]))
    assert [cell.outcome for cell in group.history] == ["ok", "failed", "cancelled", "ok", "rerun"]
    assert group.history[-1].title == "02 Mar 2026 09:00 UTC: failure, then success"
    assert group.history_of == "test on main"


def test_the_strip_is_as_long_as_asked_for_and_reaches_back_to_the_failure() -> None:
    words = [cell.outcome for cell in only(triage(story("PPPPPPPPPF"), options=TriageOptions(history_runs=3))).history]
    assert words == ["ok", "ok", "failed"]
    old = only(triage(story("PF" + "P" * 30), options=TriageOptions(history_runs=8)))
    assert [cell.outcome for cell in old.history] == ["ok", "failed", "ok", "ok", "ok", "ok", "ok"]


def test_the_strip_is_of_the_job_where_it_never_failed_on_the_default_branch() -> None:
    group = only(triage(story("PF", branch="fix")))
    assert (len(group.history), group.history_of) == (2, "test")


# -- findings -------------------------------------------------------------------------------------------------


def test_a_group_is_a_finding_with_its_rate_and_interval() -> None:
    found = triage(story("PPFF"))
    (finding,) = found.findings
    assert finding.claim.startswith("failed in 2 of 4 runs of the job [15%, 85%]; ")
    assert (finding.verdict, finding.severity, finding.certainty, finding.n) == (
        "undecided", Severity.HIGH, Certainty.LOW, 2,
    )  # fmt: skip
    assert finding.price.minutes == 10.0
    assert finding.id == f"failure:{found.groups[0].id}"


def test_what_passes_again_is_a_group_but_no_finding() -> None:
    found = triage(story("FP"))
    assert (len(found.groups), found.findings) == (1, [])


def test_the_most_urgent_group_stands_first() -> None:
    pull = run(
        20, "failure", branch="fix", event="pull_request", workflow=".github/workflows/pr.yml", head_sha="e" * 40
    )
    told = [*story("FP", "error: over"), failed(pull, "error: who knows"), *story("PPF", "error: now")[2:]]
    found = [group.status.word for group in triage(told).groups]
    assert found == ["failing now", "failed so in its newest run", "passes again"]


def test_no_failures_give_no_group_and_no_finding() -> None:
    found = triage(story("PPC"))
    assert (found.groups, found.findings, found.n_failed_jobs, found.n_runs) == ([], [], 0, 3)
    assert found.cancelled["run_id"].tolist() == [3]
    nothing = triage([])
    assert (nothing.groups, nothing.findings, nothing.n_runs) == ([], [], 0)
    assert list(nothing.cancelled.columns) == list(found.cancelled.columns)


def test_a_workflow_is_shown_without_its_folder() -> None:
    assert only(triage(story("F", workflow=CI))).workflow == "ci.yml"
