"""What ran: a series of green jobs whose lists of tests the eye can follow."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from kotaci.analysis.tests import LossOptions, Ran, lost_tests
from kotaci.tables import ROSTER_NAMES, ROSTERS
from tests.analysis.frames import REPO, Row, frame, job, jobs, run, runs

Suites = Mapping[str, str | int]
"""By suite its tests: letters of which each is a test, or a number where no names are printed."""


def seen(run_id: int, *by_job: tuple[str, Suites], outcome: str = "success", **told: Any) -> tuple[Row, list[Any]]:
    """Return a run, and its jobs each with the suites it ran."""
    one = run(run_id, **{"head_sha": f"sha{run_id}"} | told)
    made = [
        (job(one, outcome, name=name, job_id=run_id * 100 + place), suites)
        for place, (name, suites) in enumerate(by_job)
    ]
    return one, made


def ran(*told: tuple[Row, list[Any]], options: LossOptions | None = None) -> Ran:
    """Return what is found in these runs."""
    lists: dict[str, str] = {}
    rows = []
    for _, made in told:
        for row, suites in made:
            for suite, tests in suites.items():
                names = "\n".join(sorted(tests)) if isinstance(tests, str) else ""
                roster_id = hashlib.blake2b(names.encode(), digest_size=4).hexdigest() if names else None
                if roster_id:
                    lists[roster_id] = names
                n = len(tests) if isinstance(tests, str) else tests
                rows.append({**row, "suite": suite, "roster_id": roster_id, "n_tests": n})
    return lost_tests(
        runs([one for one, _ in told]),
        jobs(row for _, made in told for row, _ in made),
        frame(ROSTERS, rows),
        frame(ROSTER_NAMES, ({"repo": REPO, "roster_id": key, "names": names} for key, names in lists.items())),
        default_branch="main",
        options=options,
    )


def series(counts: Sequence[Suites], name: str = "test") -> list[tuple[Row, list[Any]]]:
    """Return one run after the other, of one job with these suites."""
    return [seen(number, (name, suites)) for number, suites in enumerate(counts, start=1)]


def losses(found: Ran) -> list[tuple[str, str, str, str]]:
    return [(loss.job, loss.suite, "".join(loss.names), loss.first_without.sha) for loss in found.losses]


def test_a_count_that_falls_and_stays_lower_is_a_loss_with_its_names_and_commits() -> None:
    found = ran(*series([{"lib": "abcd"}] * 3 + [{"lib": "abd"}] * 2))
    (loss,) = found.losses
    assert (loss.workflow, loss.job, loss.leg, loss.suite) == (".github/workflows/ci.yml", "test", "", "lib")
    assert (loss.names, loss.n_lost, loss.n_before, loss.n_after) == (("c",), 1, 4, 3)
    assert (loss.last_with.run_id, loss.last_with.sha, loss.first_without.sha) == (3, "sha3", "sha4")
    assert (loss.first_without.job_id, loss.n_runs_after, found.n_series) == (400, 2, 1)


def test_a_suite_that_vanished_from_its_job_is_a_loss_of_all_its_tests() -> None:
    found = ran(*series([{"lib": "ab", "net": "xyz"}] * 3 + [{"lib": "ab"}] * 2))
    assert losses(found) == [("test", "net", "xyz", "sha4")]


def test_tests_that_turn_up_in_another_job_at_the_same_time_moved() -> None:
    before = [seen(number, ("test", {"lib": "ab", "net": "xyz"}), ("slow", {"big": "q"})) for number in (1, 2, 3)]
    after = [seen(number, ("test", {"lib": "ab"}), ("slow", {"big": "q", "app::net": "xyz"})) for number in (4, 5)]
    found = ran(*before, *after)
    assert found.losses == ()
    assert [(loss.suite, loss.moved_to) for loss in found.moves] == [("net", ("slow: app::net",))]


def test_what_did_not_move_with_the_rest_is_lost() -> None:
    found = ran(*series([{"net": "xyz"}] * 3 + [{"other": "xz"}] * 2))
    assert losses(found) == [("test", "net", "y", "sha4")]
    assert found.losses[0].moved_to == ("test: other",)


def test_tests_that_ran_elsewhere_all_along_are_lost_where_they_no_longer_run() -> None:
    before = [seen(number, ("test", {"lib": "ab"}), ("cover", {"lib": "ab"})) for number in (1, 2, 3)]
    after = [seen(number, ("test", {"lib": "ab"}), ("cover", {"lib": "a"})) for number in (4, 5)]
    assert losses(ran(*before, *after)) == [("cover", "lib", "b", "sha4")]


def test_a_red_run_loses_nothing() -> None:
    red = [seen(number, ("test", {"lib": "a"}), outcome="failure") for number in (4, 5)]
    assert ran(*series([{"lib": "ab"}] * 3), *red).losses == ()


def test_a_job_without_a_log_loses_nothing() -> None:
    dark = [seen(number, ("test", {})) for number in (4, 5)]
    for _, made in dark:
        made[0] = ({**made[0][0], "n_log_lines": None, "log_state": "expired"}, {})
    assert ran(*series([{"lib": "ab"}] * 3), *dark).losses == ()


def test_a_count_that_comes_back_was_no_loss() -> None:
    assert ran(*series([{"lib": "abc"}] * 3 + [{"lib": "ab"}] * 3 + [{"lib": "abc"}])).losses == ()


def test_a_count_that_swings_is_no_loss() -> None:
    swinging: list[Suites] = [{"lib": "abc"}, {"lib": "ab"}, {"lib": "abc"}, {"lib": "ab"}, {"lib": "ab"}]
    assert ran(*series(swinging)).losses == ()


def test_one_run_alone_with_fewer_is_waited_for() -> None:
    told = series([{"lib": "abc"}] * 3 + [{"lib": "ab"}])
    assert ran(*told).losses == ()
    assert len(ran(*told, options=LossOptions(min_runs_after=1)).losses) == 1


def test_a_rename_is_no_loss_and_a_rename_with_a_loss_is() -> None:
    assert ran(*series([{"lib": "abc"}] * 3 + [{"lib": "abd"}] * 2)).losses == ()
    assert losses(ran(*series([{"lib": "abc"}] * 3 + [{"lib": "ad"}] * 2))) == [("test", "lib", "bc", "sha4")]


def test_pull_requests_and_other_branches_are_left_out() -> None:
    pulls = [seen(number, ("test", {"lib": "a"}), event="pull_request") for number in (4, 5)]
    others = [seen(number, ("test", {"lib": "a"}), branch="fix-it") for number in (6, 7)]
    assert ran(*series([{"lib": "ab"}] * 3), *pulls, *others).losses == ()


def test_a_job_that_never_ran_on_the_branch_is_counted_as_unseen() -> None:
    found = ran(*series([{"lib": "ab"}] * 3), seen(9, ("deep", {"lib": "z"}), branch="fix-it"))
    assert (found.n_series, found.n_jobs_unseen) == (1, 1)


def test_a_run_that_is_repeated_later_stands_where_it_was_made() -> None:
    late = seen(
        2, ("test", {"lib": "abc"}), attempt=2, created_at=run(2)["created_at"], started_at=run(50)["started_at"]
    )
    found = ran(*series([{"lib": "abc"}] * 3 + [{"lib": "ab"}] * 2), late)
    assert losses(found) == [("test", "lib", "c", "sha4")]


def test_a_leg_is_followed_by_itself() -> None:
    before = [seen(number, ("test (linux)", {"lib": "ab"}), ("test (mac)", {"lib": "ab"})) for number in (1, 2, 3)]
    after = [seen(number, ("test (linux)", {"lib": "ab"}), ("test (mac)", {"lib": "a"})) for number in (4, 5)]
    assert [(loss.job, loss.leg) for loss in ran(*before, *after).losses] == [("test", "mac")]


def test_a_leg_that_is_gone_loses_nothing_that_others_run_and_a_job_that_is_gone_loses_its_own() -> None:
    before = [
        seen(number, ("test (linux)", {"lib": "ab"}), ("test (mac)", {"lib": "ab"}), ("deep", {"deep": "xy"}))
        for number in (1, 2, 3)
    ]
    after = [seen(number, ("test (linux)", {"lib": "ab"})) for number in (4, 5)]
    assert losses(ran(*before, *after)) == [("deep", "deep", "xy", "sha4")]


def test_a_job_that_was_renamed_loses_nothing() -> None:
    before = [seen(number, ("lint", {"l": "l"}), ("test", {"lib": "ab"})) for number in (1, 2, 3)]
    after = [seen(number, ("lint", {"l": "l"}), ("unit", {"lib": "ab"})) for number in (4, 5)]
    assert ran(*before, *after).losses == ()


def test_where_no_names_are_printed_the_count_is_followed() -> None:
    (loss,) = ran(*series([{"pytest": 12}] * 3 + [{"pytest": 9}] * 2)).losses
    assert (loss.names, loss.n_lost) == ((), 3)


def test_a_runner_that_says_more_or_less_loses_nothing() -> None:
    quiet: list[Suites] = [{"pytest": 4}] * 3
    loud: list[Suites] = [{"test_a.py": "ab", "test_b.py": "cd"}] * 3
    assert ran(*series(quiet + loud)).losses == ()
    assert ran(*series(loud + quiet)).losses == ()


def test_a_step_that_ran_no_test_is_told_with_the_run_since_when() -> None:
    found = ran(*series([{"lib": "ab"}] + [{"lib": "ab", "nextest": 0}] * 3))
    (step,) = found.empty_steps
    assert (step.job, step.suite, step.n_runs) == ("test", "nextest", 3)
    assert (step.since.sha, step.last.sha) == ("sha2", "sha4")


def test_a_binary_without_tests_among_others_is_no_empty_step_and_a_job_without_any_is() -> None:
    assert ran(*series([{"lib": "ab", "main": 0, "surefire": 0}] * 3)).empty_steps == ()
    assert [step.suite for step in ran(*series([{"lib": 0, "main": 0}] * 3)).empty_steps] == ["lib", "main"]


def test_nothing_gives_nothing() -> None:
    empty = ran()
    assert (empty.losses, empty.moves, empty.empty_steps, empty.n_series) == ((), (), (), 0)
    assert isinstance(empty.options, LossOptions)


def test_the_order_of_rows_does_not_matter() -> None:
    told = series([{"lib": "abcd"}] * 3 + [{"lib": "abd"}] * 2)
    assert ran(*told[::-1]).losses == ran(*told).losses
