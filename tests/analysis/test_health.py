"""Health of small series: five to twenty runs whose answer the eye sees."""

from __future__ import annotations

from datetime import timedelta

import pandas as pd
import pytest

from kotaci.analysis.alarms import HealthOptions
from kotaci.analysis.health import (
    WORKFLOW_COLUMNS,
    Health,
    assess_health,
    count_outcomes,
    measure_durations,
    period_of,
    rate_jobs,
    rate_workflows,
    start_of,
    time_to_green,
    with_superseded,
)
from kotaci.model import Certainty, Severity
from tests.analysis.frames import at, job, jobs, one_job_each, run, runs

NIGHTLY = ".github/workflows/nightly.yml"


def health(of: pd.DataFrame, *, hours: float | None = None, with_jobs: pd.DataFrame | None = None) -> Health:
    """Return the health of these runs as of the end of the last (or so many hours after the Monday)."""
    end = of["ended_at"].max().to_pydatetime() if hours is None else at(hours)
    return assess_health(of, one_job_each(of) if with_jobs is None else with_jobs, as_of=end, default_branch="main")


def only(table: pd.DataFrame) -> dict[str, object]:
    (row,) = table.to_dict("records")
    return row


def kinds(of: Health) -> list[str]:
    return [finding.kind for finding in of.findings]


# -- rates ----------------------------------------------------------------------------------------------------


def test_the_failure_rate_counts_what_passed_or_failed() -> None:
    row = only(health(runs("PFPFC")).workflows)
    assert (row["workflow"], row["n_runs"], row["n"], row["n_failed"], row["n_cancelled"]) == ("ci.yml", 5, 4, 2, 1)
    assert row["failure_rate"] == 0.5


def test_a_re_run_that_passed_does_not_mend_the_rate() -> None:
    found = health(runs([run(1, "failure", is_last_attempt=False), run(1, "success", attempt=2, hours=3), run(2)]))
    row = only(found.workflows)
    assert (row["n"], row["n_failed"], row["n_reruns"]) == (2, 1, 1)
    assert (found.n_runs, found.n_reruns, found.rerun_minutes) == (2, 1, 10.0)


def test_a_run_whose_first_attempt_is_not_held_is_in_no_rate() -> None:
    row = only(health(runs([run(1, "failure", attempt=2), run(1, attempt=3, hours=2)])).workflows)
    assert (row["n_runs"], row["n"], row["n_reruns"]) == (0, 0, 2)


@pytest.mark.parametrize(
    ("outcomes", "word"),
    [
        ("PPPPPPPPPPFFFFFFFFFF", "worse"),
        ("FFFFFFFFFFPPPPPPPPPP", "better"),
        ("PFPFPFPFPFPFPFPFPFPF", "none told"),
        ("PPPPPPPPPPPPPPPPPPPF", "none told"),
        ("PPPPF", "too few runs"),
        ("C", "too few runs"),
    ],
)
def test_the_trend_compares_the_halves_of_the_window(outcomes: str, word: str) -> None:
    assert only(health(runs(outcomes)).workflows)["trend"] == word


def test_workflows_stand_by_the_lower_end_of_their_rate() -> None:
    """One failure of one run is less certain than eight of ten."""
    often = [run(number, "failure" if number <= 8 else "success") for number in range(1, 11)]
    once = [run(20, "failure", workflow=NIGHTLY)]
    assert health(runs(often + once)).workflows["workflow"].tolist() == ["ci.yml", "nightly.yml"]


def test_a_failing_workflow_is_found_with_its_interval() -> None:
    found = health(runs("FFFFFFFFFP"))
    finding = next(finding for finding in found.findings if finding.kind == "failing-workflow")
    assert finding.claim == "failed in 9 of 10 runs, 90% [60%, 98%]"
    assert (finding.n, finding.certainty, finding.severity) == (10, Certainty.MEDIUM, Severity.HIGH)
    assert finding.price.minutes == 90.0
    assert [link.text for link in finding.evidence] == ["run 7", "run 8", "run 9"]


def test_below_five_runs_no_workflow_is_called_failing() -> None:
    assert "failing-workflow" not in kinds(health(runs("FFFF")))


# -- time to green, red now -----------------------------------------------------------------------------------


def test_time_to_green_runs_from_the_first_red_end_to_the_next_green_end() -> None:
    # Red at 2:10, still red at 3:10, green at 4:10; red again at 6:10, and nothing after it.
    stretches = time_to_green(runs("PFFPPF"), default_branch="main")
    assert stretches["to_green_s"].tolist()[0] == 2 * 3600
    assert stretches["red_at"].tolist() == [at(2 + 1 / 6), at(6 + 1 / 6)]
    assert stretches["green_at"].isna().tolist() == [False, True]


def test_a_re_run_that_passed_makes_it_green() -> None:
    red = [run(1, "failure"), run(1, attempt=2, hours=1.5)]
    assert time_to_green(runs(red), default_branch="main")["to_green_s"].tolist() == [1800.0]


def test_a_cancelled_run_neither_begins_nor_ends_a_red_stretch() -> None:
    assert time_to_green(runs("CFCP"), default_branch="main")["to_green_s"].tolist() == [2 * 3600.0]


def test_other_branches_and_pull_requests_are_no_red_stretch() -> None:
    elsewhere = [run(1, "failure", branch="fix"), run(2, "failure", event="pull_request")]
    assert time_to_green(runs(elsewhere), default_branch="main").empty


def test_each_workflow_has_its_own_red_stretches() -> None:
    mixed = [run(1, "failure"), run(2, workflow=NIGHTLY), run(3)]
    assert time_to_green(runs(mixed), default_branch="main")["to_green_s"].tolist() == [2 * 3600.0]


def test_red_now_is_found_with_what_failed_since() -> None:
    finding = next(one for one in health(runs("PPFFF"), hours=3 + 48 + 1 / 6).findings if one.kind == "red-now")
    assert finding.claim == "has been red on main since 02 Mar 2026 (2 days, 3 failed runs and none that passed)"
    assert (finding.n, finding.certainty, finding.price.minutes) == (3, Certainty.PROVED, 30.0)


def test_red_now_does_not_count_a_pull_request_from_a_fork_s_main() -> None:
    of = [run(1), run(2, "failure"), run(3, "failure", event="pull_request")]
    assert next(one for one in health(runs(of)).findings if one.kind == "red-now").n == 1


def test_green_now_is_no_finding() -> None:
    assert kinds(health(runs("PPFFP"))) == []


# -- cancelled ------------------------------------------------------------------------------------------------


def test_a_run_cancelled_while_a_newer_one_was_there_is_superseded() -> None:
    of = runs([run(1, "cancelled", hours=1, wall=600), run(2, hours=1.1), run(3, "cancelled", hours=5)])
    assert with_superseded(of)["is_superseded"].tolist() == [True, False, False]


def test_a_newer_run_elsewhere_supersedes_nothing() -> None:
    of = runs(
        [
            run(1, "cancelled", hours=1),
            run(2, hours=1.1, branch="fix"),
            run(3, hours=1.1, event="schedule"),
            run(4, hours=1.1, workflow=NIGHTLY),
        ]
    )
    assert not with_superseded(of)["is_superseded"].any()


def test_pull_requests_without_a_branch_are_told_apart_by_number() -> None:
    of = runs(
        [
            run(number, outcome, hours=hours, branch="", event="pull_request", pr_number=pull)
            for number, outcome, hours, pull in (
                (1, "cancelled", 1, 7), (2, "success", 1.1, 8), (3, "cancelled", 2, 7), (4, "success", 2.1, 7),
                (5, "cancelled", 3, None), (6, "success", 3.1, None),
            )
        ]
    )  # fmt: skip
    assert with_superseded(of)["is_superseded"].tolist() == [False, False, True, False, False, False]


def test_a_newer_attempt_of_the_run_itself_supersedes_nothing() -> None:
    of = runs([run(1, "cancelled", hours=1), run(1, attempt=2, hours=1.1)])
    assert not with_superseded(of)["is_superseded"].any()


def test_cancelled_runs_are_counted_by_reason() -> None:
    of = runs([run(1, "cancelled", hours=1), run(2, hours=1.1), run(3, "cancelled", hours=5)])
    table = health(of).cancelled.sort_values("why", ignore_index=True)
    assert table[["n", "minutes"]].to_numpy().tolist() == [[1, 5.0], [1, 5.0]]
    assert table["why"].tolist() == ["by hand, by a time-out, or unknown", "superseded by a newer run"]


# -- silence --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("hours", "is_silent"), [(5 + 24, False), (5 + 49, True)])
def test_silence_is_longer_than_two_days_and_the_gaps_before(hours: float, is_silent: bool) -> None:
    found = health(runs("PPPPP"), hours=hours)
    assert only(found.silence)["state"] == ("silent" if is_silent else "as usual")
    assert kinds(found) == ["silent-workflow"] * is_silent


@pytest.mark.parametrize(("days_after", "is_silent"), [(20, False), (22, True)])
def test_a_workflow_with_long_gaps_is_given_three_of_them(days_after: int, is_silent: bool) -> None:
    weekly = runs([run(number, hours=number * 7 * 24) for number in range(5)])
    found = only(health(weekly, hours=(4 * 7 + days_after) * 24).silence)
    assert (found["state"] == "silent", found["longest_gap_s"]) == (is_silent, 7 * 86400)


def test_a_schedule_is_given_two_gaps() -> None:
    weekly = runs([run(number, hours=number * 7 * 24, event="schedule") for number in range(5)])
    assert only(health(weekly, hours=(4 * 7 + 13) * 24).silence)["state"] == "as usual"
    assert only(health(weekly, hours=(4 * 7 + 15) * 24).silence)["state"] == "silent"


def test_a_re_run_breaks_no_silence() -> None:
    """Somebody pressed a button on an old run; the workflow was not started by itself."""
    of = [*(run(number) for number in range(1, 6)), run(5, attempt=2, hours=90)]
    assert only(health(runs(of), hours=100).silence)["state"] == "silent"


def test_too_few_runs_are_never_silent_and_never_as_usual() -> None:
    assert kinds(health(runs("PPPP"), hours=100)) == []
    assert only(health(runs("PPPP"), hours=100).silence)["state"] == "too few runs"


def test_what_is_silent_for_half_a_year_was_removed() -> None:
    found = health(runs("PPPPP"), hours=181 * 24)
    assert (only(found.silence)["state"], kinds(found)) == ("gone", [])


def test_silence_is_seen_where_the_window_has_no_run_of_the_workflow() -> None:
    nightly = [run(100 + day, hours=24 * day, workflow=NIGHTLY) for day in range(6)]
    ever = runs([*nightly, *(run(number, hours=24 * 9 + number) for number in range(1, 4))])
    window = ever[ever["started_at"] > at(24 * 8)].reset_index(drop=True)
    end = ever["ended_at"].max().to_pydatetime()
    found = assess_health(window, one_job_each(window), as_of=end, default_branch="main", starts=ever)
    assert [finding.subject for finding in found.findings] == ["nightly.yml"]


def test_nothing_is_red_now_where_no_branch_is_known() -> None:
    assert kinds(assess_health(runs("FF", branch=""), jobs(), as_of=at(9), default_branch="")) == []


def test_a_run_that_began_before_the_red_one_does_not_mend_it() -> None:
    of = runs([run(1, hours=1, wall=7200), run(2, "failure", hours=2, wall=600), run(3, hours=5, wall=600)])
    assert time_to_green(of, default_branch="main")["green_at"].tolist() == [at(5) + timedelta(minutes=10)]


def test_few_runs_stand_below_many() -> None:
    rare, often = run(1, "failure"), [run(number, "failure" if number % 2 else "success") for number in range(2, 22)]
    table = health(
        runs([rare, *often]),
        with_jobs=jobs([job(rare, "failure", name="rare"), *(job(one, one["outcome"]) for one in often)]),
    ).jobs
    assert table["job"].tolist() == ["test", "rare"]


# -- durations ------------------------------------------------------------------------------------------------


def test_durations_are_those_of_runs_that_passed() -> None:
    of = runs([run(1, wall=600), run(2, wall=800), run(3, "failure", wall=5), run(4, "cancelled", wall=9)])
    row = only(health(of).workflows)
    assert (row["n_wall"], row["wall_s"], row["wall_low_s"], row["wall_high_s"]) == (2, 700.0, 600.0, 800.0)


def test_queues_are_told_by_the_jobs_that_know_them() -> None:
    of = runs("PPP")
    first, second, third = of.to_dict("records")
    known = jobs([job(first, queue_s=30), job(second, queue_s=50), job(third, queue_s=None)])
    row = only(health(of, with_jobs=known).workflows)
    assert (row["n_queue"], row["queue_s"], row["queue_sum_s"]) == (2, 40.0, 80.0)


def test_a_long_queue_is_found_by_its_share_and_its_sum() -> None:
    of = runs("PPPPP")
    slow = jobs(job(one, queue_s=900, wall=300) for one in of.to_dict("records"))
    finding = next(one for one in health(of, with_jobs=slow).findings if one.kind == "long-queue")
    assert finding.claim == "its jobs waited 75 minutes for a runner, 75% of their time"
    short = jobs(job(one, queue_s=600, wall=300) for one in of.to_dict("records"))
    assert kinds(health(of, with_jobs=short)) == []


# -- jobs -----------------------------------------------------------------------------------------------------


def test_a_job_that_fails_in_green_runs_is_masked() -> None:
    of = runs("PPPF")
    first, second, third, red = of.to_dict("records")
    lint = [job(one, outcome, name="lint", job_id=one["run_id"]) for one, outcome in
            ((first, "failure"), (second, "failure"), (third, "success"), (red, "failure"))]  # fmt: skip
    found = health(of, with_jobs=jobs(lint))
    row = only(found.jobs)
    assert (row["job"], row["n"], row["n_failed"], row["n_masked"]) == ("lint", 4, 3, 2)
    finding = next(one for one in found.findings if one.kind == "masked-job")
    assert (finding.claim, finding.severity) == ("failed 2 times in runs that are green", Severity.LOW)
    assert finding.price.minutes == 10.0


def test_a_masked_job_that_has_never_passed_weighs_more() -> None:
    of = runs("PP")
    found = health(of, with_jobs=jobs(job(one, "failure") for one in of.to_dict("records")))
    finding = next(one for one in found.findings if one.kind == "masked-job")
    assert (finding.claim, finding.severity) == (
        "failed 2 times in runs that are green, and has never passed", Severity.MEDIUM,
    )  # fmt: skip


def test_a_masked_job_that_passed_when_run_again_has_passed() -> None:
    of = runs([run(1), run(1, attempt=2, hours=2)])
    first, again = of.to_dict("records")
    found = health(of, with_jobs=jobs([job(first, "failure"), job(again)]))
    assert "never passed" not in next(one.claim for one in found.findings if one.kind == "masked-job")


def test_jobs_that_re_runs_repeat_are_counted_once() -> None:
    of = runs([run(1, "failure"), run(1, attempt=2, hours=2), run(2)])
    row = only(health(of).jobs)
    assert (row["n"], row["n_failed"], row["n_wall"], row["minutes"]) == (2, 1, 2, 15.0)


# -- periods --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("days", "period"), [(0, "week"), (182, "week"), (183, "month"), (1_200, "quarter")])
def test_a_longer_window_is_told_by_longer_periods(days: int, period: str) -> None:
    assert period_of(pd.Series([at(0), at(days * 24)])) == period


def test_no_moments_are_told_by_the_week() -> None:
    assert period_of(runs("")["started_at"]) == "week"


@pytest.mark.parametrize(
    ("moment", "period", "start"),
    [
        ("2026-03-02T00:00Z", "week", "2026-03-02"),
        ("2026-03-08T23:59:59.999999Z", "week", "2026-03-02"),
        ("2026-03-09T00:00Z", "week", "2026-03-09"),
        ("2026-01-01T12:00Z", "week", "2025-12-29"),
        ("2026-02-28T23:59Z", "month", "2026-02-01"),
        ("2026-06-30T23:59Z", "quarter", "2026-04-01"),
    ],
)
def test_periods_begin_at_midnight_utc_and_weeks_on_monday(moment: str, period: str, start: str) -> None:
    moments = pd.Series([pd.Timestamp(moment)])
    assert start_of(moments, period=period).tolist() == [pd.Timestamp(start, tz="UTC")]


def test_runs_are_counted_by_week_and_outcome() -> None:
    of = runs([run(1), run(2, "failure"), run(3), run(4, "failure", hours=7 * 24)])
    told = count_outcomes(of, period="week")
    assert told["n_runs"].tolist() == [1, 2, 1]
    assert told["period_at"].dt.day.tolist() == [2, 2, 9]
    assert told["outcome"].tolist() == ["failure", "success", "failure"]


def test_rates_are_those_of_the_busiest_workflows() -> None:
    of = runs([run(1), run(2, "failure"), run(3, workflow=NIGHTLY), run(4, hours=7 * 24)])
    rates = rate_workflows(of, period="week")
    assert rates[["series", "n", "failure_rate"]].to_numpy().tolist() == [["ci.yml", 2, 0.5], ["ci.yml", 1, 0.0]]


def test_rates_of_jobs_keep_the_order_asked_for() -> None:
    of = runs("FP")
    first, second = of.to_dict("records")
    held = jobs([job(first, "failure"), job(second), job(first, name="lint", job_id=7)])
    worst = pd.DataFrame({"workflow": ["ci.yml", "ci.yml"], "job": ["test", "lint"]})
    table = rate_jobs(held, worst, period="week")
    assert table[["job", "n", "n_failed"]].to_numpy().tolist() == [["test", 2, 1], ["lint", 1, 0]]


def test_durations_tell_wall_and_queue() -> None:
    of = runs("PPF")
    table = measure_durations(of, one_job_each(of), period="week")
    assert table[["series", "n", "median_s"]].to_numpy().tolist() == [
        ["wall, runs that passed", 2, 600.0], ["queue, jobs", 3, 10.0],
    ]  # fmt: skip


# -- nothing, and little --------------------------------------------------------------------------------------


def test_no_runs_give_the_same_columns_and_no_finding() -> None:
    some = health(runs("PFC"))
    none = assess_health(runs(""), jobs(), as_of=None, default_branch="")
    for name in ("workflows", "jobs", "outcomes", "rates", "durations", "cancelled"):
        assert list(getattr(none, name).columns) == list(getattr(some, name).columns), name
        assert getattr(none, name).empty
    assert (none.findings, none.n_runs, none.n_decided, none.rerun_minutes) == ([], 0, 0, 0.0)
    assert list(none.workflows.columns) == WORKFLOW_COLUMNS


def test_runs_without_any_time_are_counted_and_break_nothing() -> None:
    timeless = dict.fromkeys(("created_at", "started_at", "ended_at", "wall_s"))
    found = health(runs([run(1, "failure", **timeless), run(2, **timeless)]), hours=1, with_jobs=jobs())
    row = only(found.workflows)
    assert (row["n"], row["n_failed"], row["n_wall"]) == (2, 1, 0)
    assert found.silence.empty


def test_thresholds_can_be_chosen_and_stand_in_the_result() -> None:
    options = HealthOptions(min_runs=2, high_failure_rate=0.1)
    of = runs("FF")
    found = assess_health(of, one_job_each(of), as_of=at(3), default_branch="trunk", options=options)
    assert [finding.kind for finding in found.findings] == ["failing-workflow"]
    assert found.options == options


def test_the_gravest_findings_stand_first() -> None:
    of = runs("PPFFFFFFFF")
    found = health(of, hours=10 + 60, with_jobs=jobs(job(one, "failure") for one in of.to_dict("records")))
    assert [finding.severity for finding in found.findings] == sorted(
        (finding.severity for finding in found.findings), reverse=True
    )
    assert len({finding.id for finding in found.findings}) == len(found.findings) == 4
    assert found.silence["last_at"].tolist() == [at(10)]
    assert found.silence["silent_s"].tolist() == [timedelta(hours=60).total_seconds()]
