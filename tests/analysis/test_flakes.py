"""Flaky, suspected, fixed or none of these: small histories whose answer the eye sees."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kotaci.analysis.flakes import DEFAULTS, Flake, Flakiness
from kotaci.analysis.flakes.judging import FIXED, FLAKY, MAYBE_FIXED, SUSPECTED, passes_needed, streak_needed
from kotaci.analysis.flakes.records import NO_LOG, OUTAGE, PASSED_AGAIN
from kotaci.analysis.flakes.together import find_clusters
from kotaci.model import Severity, rerun_command
from tests.analysis.flaky import LINUX, Story
from tests.analysis.frames import at

NEWER = {"image": "ubuntu-24.04 2", "tool": "rustc 1.95.0"}


def only(flakiness: Flakiness) -> Flake:
    (flake,) = flakiness.tests
    return flake


def test_a_test_that_passed_when_run_again_is_flaky() -> None:
    flake = only(Story().history("PPAPPPPPPP").assessed())
    judged = flake.judged
    assert (flake.status, flake.test, flake.suite, flake.job) == (FLAKY, "wobbles", "widgets", "test")
    assert (judged.n_failed, judged.n, judged.n_executions, judged.n_proved) == (1, 10, 11, 1)
    assert (judged.low, judged.high) == pytest.approx((0.0179, 0.4042), abs=1e-3)
    assert judged.flip_rate == pytest.approx(2 / 9)
    assert (judged.n_commits, judged.n_commits_hit, judged.n_branches_hit) == (10, 1, 1)
    assert judged.first_at == judged.last_at == at(3.25)


def test_a_test_that_fails_since_a_commit_is_none_of_ours() -> None:
    told = Story().history("PPPPPFFFFF").assessed()
    assert (list(told.tests), told.n_unproved, list(told.findings)) == ([], 1, [])


def test_one_failure_proves_nothing() -> None:
    told = Story().history("PPPPFPPPP").assessed()
    assert (list(told.tests), told.n_unproved) == ([], 1)


def test_the_runners_own_retry_is_proof_in_a_green_run() -> None:
    told = Story().history("PPRPPPRPPP").assessed()
    flake = only(told)
    assert (flake.status, flake.judged.n_failed, flake.judged.n_retried, flake.is_hidden) == (FLAKY, 2, 2, True)
    assert (flake.cost.n_red, flake.odds.n) == (0, 0)
    assert [cell.outcome for cell in flake.cells] == ["ok", "ok", "retried", *["ok"] * 3, "retried", *["ok"] * 3]
    assert told.findings[0].severity == Severity.LOW


def test_another_run_of_the_commit_is_proof() -> None:
    story = Story().history("PPPP").tell(5, {"wobbles": "F"}, commit="c5").tell(6, {"wobbles": "P"}, commit="c5")
    assert only(story.assessed()).judged.n_proved == 1


@pytest.mark.parametrize(
    "other",
    [
        {"event": "schedule"},
        {"setup": NEWER},
        {"setup": {**LINUX, "tool": "rustc 1.96.0"}},
        {"setup": {}},
        {"job_name": "test (arm)"},
        {"setup": {**LINUX, "merge_commit": "c5 into d4"}},
    ],
    ids=["event", "image", "toolchain", "unknown set-up", "leg", "merge commit"],
)
def test_another_run_under_other_conditions_is_no_proof(other: dict[str, object]) -> None:
    story = Story().history("PPPP").tell(5, {"wobbles": "F"}, commit="c5")
    told = story.tell(6, {"wobbles": "P"}, commit="c5", **other).assessed()  # type: ignore[arg-type]
    assert list(told.tests) == []


def test_a_re_run_on_another_image_is_no_proof() -> None:
    story = Story().history("PPPP").tell(5, {"wobbles": "F"})
    told = story.tell(5, {"wobbles": "P"}, attempt=2, setup=NEWER).assessed()
    assert list(told.tests) == []


def test_a_re_run_that_did_not_reach_the_test_is_no_proof() -> None:
    story = Story().history("PPPP").tell(5, {"wobbles": "F"})
    told = story.tell(5, {"another": "F"}, attempt=2).assessed()
    assert list(told.tests) == []


def test_a_green_re_run_whose_log_is_gone_ran_the_test_too() -> None:
    story = Story().history("PPPP").tell(5, {"wobbles": "F"}).tell(5, attempt=2)
    assert only(story.assessed()).judged.n_proved == 1


def test_nobody_is_credited_with_a_neighbours_failure() -> None:
    """Two tests fail in one job; run again, one passes and one fails; a third never failed."""
    story = Story().history("PPPP")
    story.tell(5, {"wobbles": "F", "broken": "F", "sound": "P"})
    story.tell(5, {"wobbles": "P", "broken": "F", "sound": "P"}, attempt=2)
    told = story.assessed()
    flake = only(told)
    assert (flake.test, told.n_unproved) == ("wobbles", 1)
    assert flake.cost.machine_minutes == pytest.approx(5 / 2)
    assert flake.cost.people_minutes == pytest.approx(DEFAULTS.investigation_minutes / 2)


def test_the_same_name_elsewhere_is_another_test() -> None:
    story = Story()
    for run_id in range(1, 7):
        story.tell(run_id, {"wobbles": "R" if run_id == 3 else "P"})
        story.beside(story.runs[-1], {"wobbles": "P"}, job_name="coverage", outcome="success")
    assert [flake.job for flake in story.assessed().tests] == ["test"]


def test_a_job_that_fails_with_all_its_tests_is_not_a_flaky_test() -> None:
    many = {f"test_{number}": "F" for number in range(11)}
    story = Story()
    for run_id in range(1, 5):
        story.tell(run_id, dict.fromkeys(many, "P"))
    told = story.tell(5, many).tell(5, dict.fromkeys(many, "P"), attempt=2).assessed()
    assert (list(told.tests), [job.status for job in told.jobs]) == ([], [PASSED_AGAIN])


def test_a_regression_of_a_flaky_test_is_left_out_of_its_rate() -> None:
    flake = only(Story().history("PPAPPPPPPPPPPAPPPPPFFFFFFFPPPPP").assessed())
    assert (flake.status, flake.judged.n_failed, flake.judged.n, flake.judged.n_regression) == (FLAKY, 2, 24, 7)
    outcomes = [cell.outcome for cell in flake.cells]
    assert outcomes.count("failed") == 7
    assert outcomes.count("rerun") == 2


def test_a_broken_branch_between_green_ones_is_a_regression_too() -> None:
    story = Story().history("PPRPPPPPPPRPPP")
    for run_id in range(20, 34):
        branch = "broken" if run_id % 2 else "main"
        story.tell(run_id, {"wobbles": "F" if branch == "broken" else "P"}, branch=branch)
    judged = only(story.assessed()).judged
    assert (judged.n_failed, judged.n_regression) == (2, 7)


def test_failures_on_many_branches_are_suspected() -> None:
    story = Story()
    for run_id in range(1, 31):
        story.tell(run_id, {"wobbles": "F" if run_id in {5, 15, 25} else "P"}, branch=f"feature/{run_id}")
    told = story.assessed()
    flake = only(told)
    assert (flake.status, flake.judged.n_failed, list(told.findings)) == (SUSPECTED, 3, [])
    assert told.cost.n_red == 0


@pytest.mark.parametrize("broken", ["one branch", "two commits", "red all around"])
def test_little_evidence_is_not_even_a_suspicion(broken: str) -> None:
    story = Story()
    for run_id in range(1, 31):
        is_bad = run_id in ({5, 25} if broken == "two commits" else {5, 15, 25})
        branch = "main" if broken == "one branch" else f"feature/{run_id}"
        outcome = "failure" if broken == "red all around" else ""
        story.tell(run_id, {"wobbles": "F" if is_bad else "P"}, branch=branch, outcome=outcome)
    assert list(story.assessed().tests) == []


@pytest.mark.parametrize(
    ("passes", "status"), [(9, FLAKY), (10, MAYBE_FIXED), (20, MAYBE_FIXED), (21, FIXED), (60, FIXED)]
)
def test_fixed_needs_enough_passes(passes: int, status: str) -> None:
    judged = only(Story().history("PPPPAPPPPA" * 2 + "P" * passes).assessed()).judged
    assert (judged.status, judged.passes_since, judged.passes_needed) == (status, passes, 21)
    assert (judged.n_failed, judged.n) == (4, 20 if status == FIXED else 20 + passes)


def test_what_may_be_fixed_asks_for_patience() -> None:
    (finding,) = Story().history("PPPPAPPPPA" * 2 + "P" * 15).assessed().findings
    assert finding.remedy == "Nothing but wait: 6 more passes in a row, and it counts as fixed."


def test_a_fix_begins_the_rate_anew() -> None:
    judged = only(Story().history("PPPPAPPPPA" * 2 + "P" * 60 + "APPP").assessed()).judged
    assert (judged.status, judged.n_failed, judged.n) == (FLAKY, 1, 64)
    assert judged.since_at == at(21.25)


@given(st.integers(1, 40), st.integers(1, 400), st.sampled_from([0.01, 0.05, 0.2]))
def test_passes_needed_is_the_smallest_number_that_is_too_lucky(x: int, more: int, chance: float) -> None:
    n = x + more
    needed = passes_needed(n_failed=x, n=n, chance=chance)

    def luck(passes: int) -> float:
        product = 1.0
        for place in range(x):
            product *= (n - place) / (n + passes - place)
        return product

    assert luck(needed) < chance * (1 + 1e-9)
    assert luck(needed - 1) > chance * (1 - 1e-9)


def test_passes_needed_for_examples() -> None:
    assert passes_needed(n_failed=1, n=1, chance=0.05) == 20
    assert passes_needed(n_failed=0, n=0, chance=0.05) == 0
    assert streak_needed(n_flaky=0, n=100, options=DEFAULTS) == 3
    assert streak_needed(n_flaky=0, n=20, options=DEFAULTS) == 4
    assert streak_needed(n_flaky=20, n=100, options=DEFAULTS) == 8
    assert streak_needed(n_flaky=0, n=0, options=DEFAULTS) == 3


def test_costs_are_kept_apart_and_odds_are_told() -> None:
    told = Story().history("PPAPPPPAPP").assessed()
    flake = only(told)
    assert flake.cost.machine_minutes == pytest.approx(2 * 5)
    # The failed attempt ends at :25, the passing one at :40.
    assert flake.cost.waiting_minutes == pytest.approx(2 * 15)
    assert flake.cost.people_minutes == pytest.approx(2 * 9.5)
    assert (flake.odds.n, flake.odds.n_green, flake.odds.minutes) == (2, 2, 10)
    assert flake.open_run is None
    assert told.cost == flake.cost


def test_the_command_is_for_the_newest_run_that_is_still_red() -> None:
    story = Story().history("PPAPPFP").tell(8, {"wobbles": "F"}, branch="feature/x").history("PP", first=9)
    assert only(story.assessed()).open_run == 8
    assert only(story.assessed(as_of=at(24 * 40))).open_run is None
    assert only(Story().history("PPAPPFP").assessed()).open_run is None
    assert rerun_command("octo/widgets", 8) == "gh run rerun 8 --failed --repo octo/widgets"


def test_jobs_that_are_carried_over_cost_nothing_again() -> None:
    story = Story().history("PPPP").tell(5, {"wobbles": "F"}).tell(5, {"wobbles": "P"}, attempt=2)
    story.beside(story.runs[-1], {}, job_name="lint", outcome="success", started_at=at(5.25), wall_s=3000)
    assert only(story.assessed()).cost.machine_minutes == pytest.approx(5)


def test_jobs_without_a_tests_name() -> None:
    story = Story().history("PPPP")
    for run_id, branch in ((5, "a"), (6, "b"), (60, "c")):
        story.tell(run_id, job_name="lint", outcome="failure", branch=branch)
        story.tell(run_id, job_name="lint", attempt=2, branch=branch)
    told = story.assessed()
    (job,) = told.jobs
    assert (job.job, job.status, job.n_failed, job.n, job.n_branches_hit) == ("lint", PASSED_AGAIN, 3, 3, 3)
    assert job.odds.n_green == 3
    assert [finding.kind for finding in told.findings] == ["restless-job"]


def test_an_outage_and_a_lost_runner_are_called_so() -> None:
    story = Story()
    for run_id, branch in ((5, "a"), (6, "b")):
        story.tell(run_id, job_name="lint", outcome="failure", branch=branch)
        story.tell(run_id, job_name="lint", attempt=2, branch=branch)
    assert [job.status for job in story.assessed().jobs] == [OUTAGE]
    lost = Story().tell(1, job_name="lint", outcome="failure").tell(1, job_name="lint", attempt=2)
    lost.jobs[0] = {**lost.jobs[0], "log_state": "never_written"}
    told = lost.assessed()
    assert ([job.status for job in told.jobs], list(told.findings)) == ([NO_LOG], [])


def test_a_job_that_may_fail_bears_no_share() -> None:
    story = Story()
    for run_id in range(1, 7):
        letter = "F" if run_id == 4 else "P"
        story.tell(run_id, {"wobbles": letter})
        story.beside(story.runs[-1], {}, job_name="strict", outcome="failure")
    story.tell(4, {"wobbles": "P"}, attempt=2)
    assert only(story.assessed()).cost.people_minutes == pytest.approx(9.5)


def test_one_cause_behind_two_names() -> None:
    story = Story()
    for run_id in range(1, 31):
        pair, lone = "A" if run_id in {4, 12, 20} else "P", "A" if run_id in {7, 25} else "P"
        ended = {"one": pair, "two": pair, "three": lone}
        story.tell(run_id, {name: "F" if letter == "A" else "P" for name, letter in ended.items()})
        if "A" in ended.values():
            story.tell(run_id, dict.fromkeys(ended, "P"), attempt=2)
    told = story.assessed()
    (cluster,) = told.clusters
    assert (len(cluster.members), cluster.distance, cluster.shared) == (2, 0, {4, 12, 20})
    assert {flake.test for flake in told.tests if flake.id in cluster.members} == {"one", "two"}


def test_what_met_once_is_no_cluster() -> None:
    told = find_clusters({"a": {1, 2, 3}, "b": {3, 4, 5}, "c": {6}}, fewest_runs=2, largest_distance=0.5)
    assert told == []
    assert find_clusters({"a": {1}, "b": {1}}, fewest_runs=2, largest_distance=0.5) == []
    assert find_clusters({"a": {1, 2}}, fewest_runs=2, largest_distance=0.5) == []


@given(st.dictionaries(st.text(min_size=1, max_size=3), st.frozensets(st.integers(1, 8), max_size=6), max_size=9))
def test_clusters_share_runs_and_no_member(failing: dict[str, frozenset[int]]) -> None:
    clusters = find_clusters(failing, fewest_runs=2, largest_distance=0.5)
    members = [member for cluster in clusters for member in cluster.members]
    assert len(members) == len(set(members))
    assert all(len(cluster.shared) >= 2 and cluster.distance <= 0.5 for cluster in clusters)


def test_no_rows_no_tests() -> None:
    told = Story().assessed()
    assert (list(told.tests), list(told.jobs), list(told.findings), told.n_runs) == ([], [], [], 0)
    assert told.commit_days is None


def test_the_grid_shows_the_newest_commits() -> None:
    told = Story().history("PPAPPPPPPP").tell(20).assessed(options=replace(DEFAULTS, grid_commits=4))
    assert (len(told.commits), len(only(told).cells)) == (4, 4)
