"""The ladder of verdicts on small histories whose answer the eye sees, a rung after the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pytest

from kotaci.analysis.verdicts import RETRIED_COLUMNS, VERDICT_COLUMNS, VerdictOptions, find_retried, judge
from kotaci.tables import ANNOTATIONS, COMMITS, SETUPS, TESTS, WORKFLOW_JOBS
from tests.analysis.frames import (
    Row,
    a_test,
    annotation,
    at,
    commit,
    declared,
    failure,
    failures,
    frame,
    job,
    jobs,
    run,
    runs,
    setup,
)

Told = tuple[Row, Row]
"""A run and a job of it."""
TREE = "f" * 40
OVERTIME = "The job running on runner octo-1 has exceeded the maximum execution time of 20 minutes."


def judged(
    told: Sequence[Told],
    *,
    alike: Mapping[int, str] | None = None,
    causes: Mapping[int, str] | None = None,
    setups: Iterable[Row] = (),
    annotations: Iterable[Row] = (),
    tests: Iterable[Row] = (),
    workflow_jobs: Iterable[Row] = (),
    commits: Iterable[Row] = (),
    **options: Any,
) -> list[Mapping[str, Any]]:
    """Return the verdicts, oldest job first; `alike` and `causes` give a signature and a cause to job ids."""
    signs, why = alike or {}, causes or {}
    excerpts = [
        {**failure(one, "error: x"), "signature": signs.get(one["job_id"]),
         "cause": why.get(one["job_id"], "undecided"), "cause_confidence": 0.9}
        for _, one in told
        if one["outcome"] != "success" and one["log_state"] == "present"
    ]  # fmt: skip
    frames = runs({(row["run_id"], row["attempt"]): row for row, _ in told}.values()), jobs(one for _, one in told)
    others = frame(SETUPS, setups), frame(ANNOTATIONS, annotations), frame(TESTS, tests)
    files = frame(WORKFLOW_JOBS, workflow_jobs), frame(COMMITS, commits)
    found = judge(
        *frames, failures(excerpts), *others, *files, default_branch="main", options=VerdictOptions(**options)
    )
    assert list(found.columns) == VERDICT_COLUMNS
    return [dict(row) for row in found.astype(object).where(found.notna(), None).to_dict("records")]


def only(found: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    (row,) = found
    return row


def pull(number: int, outcome: str = "failure", *, branch: str = "", sha: str = "", **told: Any) -> Row:
    """Return a run of a pull request: by default one of its own branch and commit."""
    words = {"branch": branch or f"fix-{number}", "head_sha": sha or f"{number:040x}", "pr_number": number}
    return run(told.pop("run_id", number), outcome, event="pull_request", **words, **told)


def both(of: Row, outcome: str, **told: Any) -> Told:
    return of, job(of, outcome, **told)


def on_same_things(*told: Told) -> list[Row]:
    return [setup(one, "image", "ubuntu-24.04", "20260301.1") for _, one in told]


# -- cancelled ------------------------------------------------------------------------------------------------


def test_a_cancelled_run_is_superseded_when_a_newer_one_began_before_it_ended() -> None:
    old = pull(7, "cancelled", run_id=1, hours=1)
    new = pull(7, "success", run_id=2, hours=1.1)
    row = only(judged([both(old, "cancelled"), both(new, "success")]))
    assert (row["verdict"], row["evidence_run_id"]) == ("superseded", 2)


def test_without_a_newer_run_it_was_cancelled_by_hand() -> None:
    old, new = pull(7, "cancelled", run_id=1, hours=1), pull(7, "success", run_id=2, hours=5)
    row = only(judged([both(old, "cancelled"), both(new, "success")]))
    assert (row["verdict"], row["certainty"]) == ("cancelled by hand", "low")
    assert row["proof"].endswith("whether it ran into its limit is not known")


def test_a_re_run_is_not_superseded_by_a_run_that_was_there_before_it() -> None:
    first, newer = pull(7, run_id=1, hours=1), pull(7, "success", run_id=2, hours=2)
    again = {**pull(7, "cancelled", run_id=1, hours=9), "attempt": 2, "created_at": at(1)}
    found = judged([both(first, "failure"), both(newer, "success"), both(again, "cancelled")])
    assert found[-1]["verdict"] == "cancelled by hand"


def test_an_annotation_proves_a_time_out_even_beside_a_newer_run() -> None:
    old, new = pull(7, "cancelled", run_id=1, hours=1), pull(7, "success", run_id=2, hours=1.1)
    told = [both(old, "cancelled"), both(new, "success")]
    row = only(judged(told, annotations=[annotation(told[0][1], OVERTIME)]))
    assert (row["verdict"], row["certainty"]) == ("timed out", "proved")


@pytest.mark.parametrize(
    ("minutes", "verdict"),
    [(20, "timed out"), (20.5, "timed out"), (12, "cancelled by hand"), (40, "cancelled by hand")],
)
def test_a_job_cancelled_at_its_limit_was_timed_out(minutes: float, verdict: str) -> None:
    of = run(1, "cancelled", wall=minutes * 60)
    files: dict[str, Any] = {"workflow_jobs": [declared(TREE, "test")], "commits": [commit("c" * 40, tree=TREE)]}
    row = only(judged([both(of, "cancelled", wall=minutes * 60)], **files))
    assert row["verdict"] == verdict


def test_a_leg_cancelled_after_another_failed_is_a_consequence() -> None:
    of = run(1, "failure")
    legs = [both(of, "failure", name="test (linux)", wall=60), both(of, "cancelled", name="test (macos)", job_id=9)]
    row = judged(legs)[1]
    assert (row["verdict"], row["evidence_job_id"]) == ("consequence", 101)
    assert row["proof"] == "the leg test (linux) failed before it was cancelled (fail-fast)"


def test_a_leg_that_ran_on_for_long_was_not_stopped_by_another() -> None:
    of = run(1, "failure")
    long = both(of, "cancelled", name="test (macos)", job_id=9, wall=3000)
    assert judged([both(of, "failure", name="test (linux)", wall=60), long])[1]["verdict"] == "cancelled by hand"


def test_a_job_cancelled_behind_one_that_may_fail_was_cancelled_by_hand() -> None:
    of = run(1, "cancelled")
    files: dict[str, Any] = {
        "workflow_jobs": [declared(TREE, "lints", is_allowed_to_fail=True), declared(TREE, "test")],
        "commits": [commit("c" * 40, tree=TREE)],
    }
    lints = both(of, "failure", name="lints", job_id=9)
    behind = both(of, "cancelled", is_downstream=True)
    assert [row["verdict"] for row in judged([lints, behind], **files)] == ["masked", "cancelled by hand"]


# -- consequence and masked -----------------------------------------------------------------------------------


def gated(**told: Any) -> list[Told]:
    of = run(1, "failure")
    return [both(of, "failure"), both(of, "failure", name="gate", job_id=9, **told)]


def test_a_gate_is_the_consequence_of_the_job_that_it_waits_for() -> None:
    row = judged(gated(is_downstream=True))[1]
    assert (row["verdict"], row["evidence_job_id"], row["certainty"]) == ("consequence", 101, "proved")


def test_a_gate_of_an_unknown_workflow_is_told_by_its_cause() -> None:
    assert judged(gated())[1]["verdict"] == "undecided"
    assert judged(gated(), causes={9: "gate"})[1]["verdict"] == "consequence"


def test_a_job_with_failed_tests_of_its_own_is_no_consequence() -> None:
    told = gated(is_downstream=True)
    assert judged(told, tests=[a_test(told[1][1], "smoke")])[1]["verdict"] == "undecided"


def test_a_failure_in_a_green_run_is_masked() -> None:
    assert only(judged([both(run(1), "failure")]))["verdict"] == "masked"


def test_a_failure_that_the_workflow_file_allows_is_masked_in_a_red_run_too() -> None:
    allowed = declared(TREE, "test", is_allowed_to_fail=True)
    files = [commit("c" * 40, tree=TREE)]
    told = [both(run(1, "failure"), "failure")]
    assert only(judged(told, workflow_jobs=[allowed], commits=files))["verdict"] == "masked"
    assert only(judged(told))["verdict"] == "undecided"


# -- flaky ----------------------------------------------------------------------------------------------------


def again(**told: Any) -> list[Told]:
    """Return a run that failed and passed when run again."""
    first, second = run(1, "failure"), run(1, attempt=2, hours=3)
    return [both(first, "failure"), both(second, "success", **told)]


def test_a_pass_of_the_same_run_on_the_same_things_proves_it_flaky() -> None:
    told = again()
    row = only(judged(told, setups=on_same_things(*told)))
    assert (row["verdict"], row["certainty"], row["evidence_attempt"], row["differs"]) == ("flaky", "proved", 2, "")
    assert row["proof"] == "attempt 2 of the same run passed: same commit, event, job and leg, same image and tools"


def test_a_re_run_on_unknown_things_is_a_weaker_proof() -> None:
    row = only(judged(again()))
    assert (row["verdict"], row["certainty"], row["differs"]) == ("flaky", "high", None)


@pytest.mark.parametrize(
    ("item", "name", "before", "after", "named"),
    [
        ("image", "ubuntu-24.04", "20260301.1", "20260308.1", "image ubuntu-24.04 20260308.1 → 20260301.1"),
        ("tool", "rustc", "1.95.0", "1.96.1", "rustc 1.96.1 → 1.95.0"),
        ("action", "actions/checkout@v6", "a" * 40, "b" * 40, "action actions/checkout@v6 bbbbbbb → aaaaaaa"),
    ],
)
def test_a_difference_in_what_they_ran_on_is_no_flakiness_and_is_named(
    item: str, name: str, before: str, after: str, named: str
) -> None:
    told = again()
    things = [setup(told[0][1], item, name, before), setup(told[1][1], item, name, after)]
    row = only(judged(told, setups=things))
    assert (row["verdict"], row["evidence_attempt"]) == ("undecided", 2)
    assert row["proof"].endswith(f"that proves nothing: {named}")


def test_other_labels_are_no_flakiness() -> None:
    row = only(judged(again(labels="self-hosted")))
    assert row["proof"].endswith("that proves nothing: labels self-hosted → ubuntu-24.04")


def test_another_leg_proves_nothing() -> None:
    first, second = run(1, "failure"), run(1, attempt=2, hours=3)
    told = [both(first, "failure", name="test (a)"), both(second, "success", name="test (b)")]
    assert only(judged(told))["verdict"] == "undecided"


def test_a_push_and_a_pull_request_of_one_commit_are_not_the_same_code() -> None:
    push, asked = run(1, branch="fix", head_sha="a" * 40), pull(2, branch="fix", sha="a" * 40)
    row = only(judged([both(push, "success"), both(asked, "failure")]))
    assert row["verdict"] == "undecided"
    assert (
        row["proof"]
        == "fix on 02 Mar 2026 passed on the same commit, but that proves nothing: event push → pull_request"
    )


@pytest.mark.parametrize(
    ("base", "verdict"), [("b" * 40, "flaky"), ("d" * 40, "undecided")], ids=["same merge", "another merge"]
)
def test_two_runs_of_a_pull_request_must_have_the_same_merge_commit(base: str, verdict: str) -> None:
    one, two = pull(7, run_id=1, sha="a" * 40), pull(7, "success", run_id=2, sha="a" * 40)
    told = [both(one, "failure"), both(two, "success")]
    merges = [
        setup(told[0][1], "merge_commit", f"{'a' * 40} into {'b' * 40}", "1234567"),
        setup(told[1][1], "merge_commit", f"{'a' * 40} into {base}", "7654321"),
    ]
    row = only(judged(told, setups=[*on_same_things(*told), *merges]))
    assert row["verdict"] == verdict
    if verdict == "undecided":
        assert row["proof"].endswith("merge commit aaaaaaa into ddddddd → aaaaaaa into bbbbbbb")


def test_a_cancelled_duplicate_proves_nothing() -> None:
    told = [both(run(1, "failure"), "failure"), both(run(2, "cancelled"), "cancelled")]
    assert [row["verdict"] for row in judged(told)] == ["undecided", "cancelled by hand"]


def test_a_failure_without_any_log_is_not_proved_flaky_by_a_re_run() -> None:
    first, second = run(1, "failure"), run(1, attempt=2, hours=3)
    lost = both(first, "failure", log_state="never_written", failed_step="", runner="octo-1")
    row = judged([lost, both(second, "success")])[0]
    assert (row["verdict"], row["proof"].split(":")[0]) == (
        "infrastructure", "no log was ever written, and no step of it has a conclusion that failed",
    )  # fmt: skip


def test_a_job_that_fails_for_its_retries_is_flaky_inside_the_run() -> None:
    told = [both(run(1, "failure"), "failure", exit_code=100)]
    row = only(judged(told, tests=[a_test(told[0][1], "opens", "flaky", suite="net")]))
    assert (row["verdict"], row["certainty"], row["proof"]) == (
        "flaky inside the run", "high", "every test passed in the end, net::opens when tried again",
    )  # fmt: skip


def test_tests_that_were_tried_again_are_counted_in_green_jobs_too() -> None:
    told = [both(run(1), "success"), both(run(2), "success"), both(run(3, "failure"), "failure")]
    flaky = [a_test(one, "opens", "flaky", suite="net") for _, one in told]
    found = find_retried(frame(TESTS, [*flaky, a_test(told[2][1], "closes")]), jobs(one for _, one in told))
    assert list(found.columns) == RETRIED_COLUMNS
    (row,) = found.to_dict("records")
    assert (row["test"], row["n_jobs"], row["n_green"], row["run_id"]) == ("opens", 3, 2, 3)


@pytest.mark.parametrize("text", [
    "search query exceeded the maximum execution time of 5 s", "health check has timed out after 30 minutes",
])  # fmt: skip
def test_words_of_a_test_are_not_githubs(text: str) -> None:
    told = [both(run(1, "failure"), "failure", error=text)]
    assert only(judged(told, annotations=[annotation(told[0][1], text)]))["verdict"] == "undecided"


# -- already failing ------------------------------------------------------------------------------------------


def test_what_fails_on_the_base_branch_already_is_not_the_pull_request() -> None:
    told = [both(run(1), "success"), both(run(2, "failure"), "failure"), both(pull(3), "failure")]
    found = judged(told, alike={201: "s", 301: "s"})
    assert [row["verdict"] for row in found] == ["undecided", "already failing"]
    assert (found[1]["evidence_job_id"], found[1]["proof"]) == (
        201, "main failed so in 1 run before, since 02 Mar 2026, and had not passed since",
    )  # fmt: skip


@pytest.mark.parametrize("letters", ["FP", "O"], ids=["it passed since", "it failed otherwise"])
def test_what_the_base_branch_passes_or_fails_otherwise_is_not_already_failing(letters: str) -> None:
    words = {"P": "success", "F": "failure", "O": "failure"}
    base = [both(run(place, words[letter]), words[letter]) for place, letter in enumerate(letters, start=1)]
    signs = {101: "s" if letters[0] == "F" else "other", 901: "s"}
    assert judged([*base, both(pull(9), "failure")], alike=signs)[-1]["verdict"] == "undecided"


def test_unknown_signatures_are_never_alike() -> None:
    told = [both(run(2, "failure"), "failure"), both(pull(3), "failure")]
    assert judged(told)[1]["verdict"] == "undecided"


def test_a_failed_test_of_its_own_is_not_already_failing() -> None:
    told = [both(run(2, "failure"), "failure"), both(pull(3), "failure")]
    old = [a_test(one, "scan") for _, one in told]
    assert judged(told, tests=old)[1]["verdict"] == "already failing"
    assert judged(told, tests=[*old, a_test(told[1][1], "brand_new")])[1]["verdict"] == "undecided"


# -- infrastructure -------------------------------------------------------------------------------------------


def outage(*, gap: float = 1, n: int = 2, is_run_again: bool = False) -> list[Told]:
    """Return a pass on main, then failures of so many pull requests, so many hours apart."""
    told = [both(run(1), "success")]
    told += [both(pull(place, hours=2 + place * gap), "failure") for place in range(2, 2 + n)]
    if is_run_again:
        told += [
            both({**of, "attempt": 2, "outcome": "success", "started_at": at(40 + of["run_id"])}, "success")
            for of, _ in told[1:]
        ]
    return told


SAME = {201: "s", 301: "s", 401: "s"}


def verdicts(found: Sequence[Mapping[str, Any]]) -> set[str]:
    return {str(row["verdict"]) for row in found}


def test_one_failure_on_unrelated_branches_within_a_day_is_the_infrastructure() -> None:
    found = judged(outage(), alike=SAME)
    assert verdicts(found) == {"infrastructure"}
    assert found[0]["proof"] == "failed alike on 2 unrelated branches (fix-2, fix-3) within 1.0 hours"
    assert (found[0]["certainty"], found[0]["evidence_job_id"]) == ("medium", 301)


def test_not_so_when_they_are_days_apart_or_not_alike_or_name_a_test() -> None:
    assert verdicts(judged(outage(gap=30), alike=SAME)) == {"undecided"}
    assert verdicts(judged(outage(), alike={201: "s", 301: "t"})) == {"undecided"}
    told = outage()
    assert verdicts(judged(told, alike=SAME, tests=[a_test(one, "scan") for _, one in told[1:]])) == {"undecided"}


@pytest.mark.parametrize(("cause", "verdict"), [("format", "undecided"), ("toolchain", "infrastructure")])
def test_two_branches_can_break_one_rule_on_one_day(cause: str, verdict: str) -> None:
    assert verdicts(judged(outage(), alike=SAME, causes=dict.fromkeys(SAME, cause))) == {verdict}


def test_not_so_when_the_job_never_passes() -> None:
    assert verdicts(judged(outage()[1:], alike=SAME)) == {"undecided"}


def test_not_so_when_the_branches_have_it_from_the_base_branch() -> None:
    """Main failed so and was mended; two pull requests are behind."""
    told = [both(run(1, "failure"), "failure"), both(run(9, head_sha="a" * 40, hours=2), "success"), *outage()[1:]]
    assert verdicts(judged(told, alike={101: "s", **SAME})) == {"undecided"}


def test_a_cause_of_the_infrastructure_makes_other_words_alike_but_needs_the_branches() -> None:
    causes = {201: "network", 301: "network"}
    assert verdicts(judged(outage(), alike={201: "s", 301: "t"}, causes=causes)) == {"infrastructure"}
    assert verdicts(judged(outage(n=1), causes=causes)) == {"undecided"}


def test_a_burst_outweighs_re_runs_that_passed_once_it_was_over() -> None:
    told = outage(n=3, is_run_again=True)
    found = judged(told, alike=SAME, setups=on_same_things(*told))
    assert verdicts(found) == {"infrastructure"}
    assert found[0]["proof"].endswith("; attempt 2 of this run passed later on the same commit")


def test_two_branches_without_a_cause_do_not_outweigh_re_runs() -> None:
    told = outage(n=2, is_run_again=True)
    assert verdicts(judged(told, alike=SAME, setups=on_same_things(*told))) == {"flaky"}


def test_a_pass_between_them_is_no_weather() -> None:
    told = [*outage(n=3, is_run_again=True), both(pull(90, "success", hours=4.5), "success")]
    assert verdicts(judged(told, alike=SAME, setups=on_same_things(*told))) == {"flaky"}


def test_a_lost_runner_is_told_by_github() -> None:
    told = [both(run(1, "failure"), "failure")]
    said = annotation(told[0][1], "The hosted runner lost communication with the server.")
    row = only(judged(told, annotations=[said]))
    assert (row["verdict"], row["certainty"]) == ("infrastructure", "high")


def test_a_job_that_no_runner_took() -> None:
    nobody = both(run(1, "failure"), "failure", log_state="never_written", failed_step="", runner="")
    assert only(judged([nobody]))["proof"].startswith("no runner took it")


# -- regression -----------------------------------------------------------------------------------------------


def line(letters: str, *, first: int = 1, **told: Any) -> list[Told]:
    """Return a run on main for each letter, on commits 1, 2, 3 ...: P passed, F failed."""
    words = {"P": "success", "F": "failure"}
    rows = ((number, words[letter]) for number, letter in enumerate(letters, start=first))
    return [both(run(number, word, head_sha=f"{number:040x}"), word, **told) for number, word in rows]


def alike(told: Sequence[Told]) -> dict[int, str]:
    return {one["job_id"]: "s" for _, one in told if one["outcome"] == "failure"}


def test_a_break_that_lasts_is_a_regression_with_its_commit() -> None:
    told = line("P" * 50 + "FFFFFFFF")
    found = judged(told, alike=alike(told))
    assert verdicts(found) == {"regression"}
    assert found[0]["proof"] == (
        "8 jobs failed alike at 8 commits of main and none passed, after 50 passes; one of 3 commits is to blame (99 %)"
    )
    assert found[0]["culprits"].split("\n")[0] == f"{51:040x}"


def test_an_outage_on_every_commit_is_no_regression() -> None:
    told = line("P" * 50 + "FFFFFFFF")
    found = judged(told, alike=alike(told), causes=dict.fromkeys(alike(told), "network"))
    assert verdicts(found) == {"undecided"}


def test_a_break_that_came_with_another_image_is_less_sure() -> None:
    told = line("P" * 50 + "FFFFFFFF")
    images = [setup(one, "image", "ubuntu-24.04", "2" if one["outcome"] == "failure" else "1") for _, one in told]
    assert {row["certainty"] for row in judged(told, alike=alike(told))} == {"high"}
    assert {row["certainty"] for row in judged(told, alike=alike(told), setups=images)} == {"medium"}


def test_the_fewer_the_failures_the_wider_the_interval() -> None:
    told = line("P" * 50 + "FFF")
    culprits = judged(told, alike=alike(told))[0]["culprits"].split("\n")
    assert (len(culprits), culprits[0]) == (10, f"{51:040x}")


def test_commits_that_never_ran_are_among_the_culprits() -> None:
    told = line("P" * 50) + line("FFFFFFFF", first=55)
    commits = [commit(f"{number:040x}", f"{number - 1:040x}") for number in range(1, 63)]
    found = judged(told, alike=alike(told), commits=commits)
    assert found[0]["culprits"].split("\n")[:5] == [f"{number:040x}" for number in (55, 54, 53, 52, 51)]


@pytest.mark.parametrize("letters", ["P" * 50 + "FF", "P" * 10 + "FFF", "FFFF", "PFPPFPFPPFPFFPF"])
def test_too_little_or_too_restless_is_never_called_a_regression(letters: str) -> None:
    told = line(letters)
    assert verdicts(judged(told, alike=alike(told))) == {"undecided"}


def test_failures_that_are_not_alike_are_no_regression() -> None:
    told = line("P" * 50 + "FFF")
    assert verdicts(judged(told, alike={job_id: f"s{job_id}" for job_id in alike(told)})) == {"undecided"}
    assert verdicts(judged(told)) == {"undecided"}


def test_a_flake_proved_within_the_streak_forbids_the_word() -> None:
    told = line("P" * 50 + "FFFF")
    of, _ = told[-1]
    again = both({**of, "attempt": 2, "outcome": "success", "started_at": at(200)}, "success")
    assert verdicts(judged([*told, again], alike=alike(told))) == {"undecided", "flaky"}


def test_legs_and_pull_requests_of_the_red_commit_are_trials_of_it() -> None:
    """One red commit is not enough; three of its legs, and two pull requests merged with it, are."""
    told = line("P" * 50 + "F")
    of, red = told[-1]
    assert verdicts(judged(told, alike=alike(told))) == {"undecided"}
    merged = [both(pull(number, sha=f"{number:x}" * 20), "failure") for number in (60, 61)]
    merges = [setup(one, "merge_commit", f"{row['head_sha']} into {of['head_sha']}", "abc1234") for row, one in merged]
    found = judged([*told, *merged], alike={**alike(told), 6001: "s", 6101: "s"}, setups=merges)
    assert [row["verdict"] for row in found] == ["regression", "already failing", "already failing"]
    legs = [(of, {**red, "job_id": number, "job": f"test ({number})"}) for number in (7, 8)]
    assert verdicts(judged([*told, *legs], alike={**alike(told), 7: "s", 8: "s"})) == {"regression"}


def test_a_break_that_was_mended_was_a_regression_all_the_same() -> None:
    told = line("P" * 50 + "FFF" + "P" * 50)
    assert verdicts(judged(told, alike=alike(told))) == {"regression"}


def test_a_failed_test_is_followed_whatever_fails_beside_it() -> None:
    told = line("P" * 50 + "FFF")
    tests = [a_test(one, name) for _, one in told[50:] for name in ("scan", f"other_{one['job_id']}")]
    assert verdicts(judged(told, tests=tests)) == {"regression"}


# -- nothing --------------------------------------------------------------------------------------------------


def test_what_nothing_decides_is_undecided_and_says_what_is_missing() -> None:
    told = [both(run(1, head_sha="a" * 40), "success"), both(run(2, "failure"), "failure")]
    row = only(judged(told, alike={201: "s"}))
    assert (row["verdict"], row["certainty"], row["proof"]) == (
        "undecided",
        "low",
        "no other run of this commit passed",
    )
    bare = only(judged([both(run(1, "failure"), "failure", log_state="expired")]))
    assert bare["proof"] == "no other run of this commit passed, and no log tells what failed"


def test_no_jobs_give_an_empty_table() -> None:
    assert judged([]) == []


def test_jobs_without_any_time_break_nothing() -> None:
    timeless = dict.fromkeys(("created_at", "started_at", "ended_at", "queue_s", "wall_s"))
    told = [both(run(1, "failure"), "failure", **timeless), both(run(2, "cancelled"), "cancelled", **timeless)]
    assert [row["verdict"] for row in judged(told, alike={101: "s"})] == ["undecided", "cancelled by hand"]
