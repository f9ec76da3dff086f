"""What is planned, and what is left out and why, from findings and from what GitHub holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from kotaci.actions import Held, HeldIssue, Kind, Measured, Plan, Stage, plan_comment, plan_findings, plan_publish
from kotaci.actions.files import parse_plan, to_json
from kotaci.actions.identity import find_sections, parse_marker
from kotaci.actions.planning import PlanOptions
from kotaci.config import Labels
from kotaci.model import BadInput, Repo, Severity
from kotaci.report.folder import ReportFolder, read_report
from tests.actions.reports import LATER, NIGHT, REPO, finding, red_now, write_report

WHERE = Repo.parse(REPO)
BOTH = {"ci_health": [red_now()], "flaky_tests": [finding()]}
LABELS = ("bug", "CI", "flaky test", "Priority-High")


@pytest.fixture
def report(tmp_path: Path) -> ReportFolder:
    return write_report(tmp_path / "night", BOTH)


def holding(plan: Plan, *, is_open: bool = True, state_reason: str = "", is_locked: bool = False) -> Held:
    """Return what GitHub holds after the plan's issues were opened."""
    made = [action for action in plan.actions if action.kind == Kind.CREATE_ISSUE]
    issues = [
        HeldIssue(number, action.title, action.body, is_open, state_reason, is_locked)
        for number, action in enumerate(made, start=1)
    ]
    return Held(tuple(issues), LABELS)


def kinds(plan: Plan) -> list[tuple[Kind, int]]:
    return [(action.kind, action.number) for action in plan.actions]


def test_one_issue_for_a_failing_workflow_and_one_for_a_flaky_test(report: ReportFolder) -> None:
    plan = plan_findings(report, Held(labels=LABELS), repo=WHERE)
    assert [(action.kind, action.title, action.labels) for action in plan.actions] == [
        (Kind.CREATE_ISSUE, "CI: ci.yml failing on flaky test store reopens", ("flaky test",)),
        (Kind.CREATE_ISSUE, "CI: ci.yml failing on main", ("CI",)),
    ]
    assert (plan.as_of, plan.digest, plan.left_out) == ("2026-11-20T14:28:00Z", report.digest, ())
    assert parse_plan(to_json(plan)) == plan
    (section,) = find_sections(plan.actions[0].body)
    assert section.marker == parse_marker(plan.actions[0].marker)
    assert (section.marker.seen, section.marker.parts) == (7, ("flaky_tests",))
    assert "failed 6 of the 88 times" in section.content
    assert section.history == [("2026-11-20T14:28:00Z", "failed 6 of the 88 times that it ran")]


def test_what_is_said_of_one_workflow_is_one_issue(tmp_path: Path) -> None:
    found = [red_now(), finding("failure", "ci.yml / test: it broke"), finding("failing-workflow", "ci.yml")]
    plan = plan_findings(write_report(tmp_path, {"ci_health": found}), Held(), repo=WHERE)
    assert len(plan.actions) == 1
    assert "it broke" in plan.actions[0].body


def test_a_single_failure_names_the_condition(tmp_path: Path) -> None:
    found = [finding("failure", "ci.yml / test (linux): store::opens")]
    plan = plan_findings(write_report(tmp_path, {"failure_triage": found}), Held(), repo=WHERE)
    assert plan.actions[0].title == "CI: ci.yml failing on test (linux): store::opens"


def test_labels_of_the_configuration_that_exist(report: ReportFolder) -> None:
    labels = Labels(every=["ci", "ours"], high=["priority-high"])
    plan = plan_findings(report, Held(labels=LABELS), repo=WHERE, labels=labels)
    assert {action.labels for action in plan.actions} == {("CI", "Priority-High")}
    assert plan.left_out == (f"label ours: {REPO} has none of that name",)
    assert plan_findings(report, Held(), repo=WHERE).actions[0].labels == ()


def test_over_the_limit_is_said(tmp_path: Path) -> None:
    found = [finding(subject=f"test_{n}") for n in range(8)]
    plan = plan_findings(write_report(tmp_path, {"flaky_tests": found}), Held(), repo=WHERE)
    assert len(plan.actions) == 5
    (told,) = plan.left_out
    assert told.startswith("3 new issues over the limit of 5 a run: CI: ci.yml failing on flaky test test_5, ")
    many = plan_findings(
        write_report(tmp_path, {"flaky_tests": found}), Held(), repo=WHERE, options=PlanOptions(max_new=9)
    )
    assert (len(many.actions), many.left_out) == (8, ())


def test_low_ones_get_no_issue(tmp_path: Path) -> None:
    found = [finding(severity=Severity.LOW), finding("failure", "ci.yml / a: b", severity=Severity.MEDIUM)]
    low = write_report(tmp_path / "low", {"all": found}, as_of=LATER)
    assert plan_findings(low, Held(), repo=WHERE).actions == ()
    held = holding(plan_findings(write_report(tmp_path / "night", {"all": [finding()]}), Held(), repo=WHERE))
    assert kinds(plan_findings(low, held, repo=WHERE)) == [(Kind.UPDATE_ISSUE, 1)]


def test_a_rate_over_a_window_opens_nothing_and_keeps_nothing_open(tmp_path: Path) -> None:
    rate = finding("failing-workflow", "ci.yml", claim="failed in 33 of 101 runs")
    night = plan_findings(write_report(tmp_path / "a", {"ci_health": [red_now(), rate]}), Held(), repo=WHERE)
    assert "failed in 33 of 101 runs" in night.actions[0].body
    green = write_report(tmp_path / "b", {"ci_health": [rate]}, as_of=LATER)
    assert kinds(plan_findings(green, holding(night), repo=WHERE)) == [(Kind.CLOSE_ISSUE, 1)]
    assert plan_findings(green, Held(), repo=WHERE).actions == ()


def test_what_is_there_is_brought_up_to_date(report: ReportFolder, tmp_path: Path) -> None:
    held = holding(plan_findings(report, Held(), repo=WHERE))
    later = write_report(tmp_path / "later", BOTH, as_of=LATER)
    assert kinds(plan_findings(later, held, repo=WHERE)) == [(Kind.UPDATE_ISSUE, 1), (Kind.UPDATE_ISSUE, 2)]
    older = plan_findings(report, holding(plan_findings(later, Held(), repo=WHERE)), repo=WHERE)
    assert older.actions == ()
    assert "tells of newer data already, as of 2026-11-21T14:28:00Z" in older.left_out[0]


def test_another_signature_finds_its_issue_by_the_exemplar(report: ReportFolder) -> None:
    plan = plan_findings(report, Held(), repo=WHERE)
    first = plan.actions[0]
    body = first.body.replace("id=flaky-test:store%20reopens", "id=flaky-test:other").replace("sig=s", "sig=s0")
    assert body != first.body
    held = Held((HeldIssue(3, first.title, body, is_open=True),))
    assert kinds(plan_findings(report, held, repo=WHERE)) == [(Kind.UPDATE_ISSUE, 3), (Kind.CREATE_ISSUE, 0)]


def test_green_again_is_closed_only_where_it_was_looked_for(report: ReportFolder, tmp_path: Path) -> None:
    held = holding(plan_findings(report, Held(), repo=WHERE))
    green = write_report(tmp_path / "green", {"ci_health": [], "flaky_tests": []}, as_of=LATER)
    plan = plan_findings(green, held, repo=WHERE)
    assert kinds(plan) == [(Kind.CLOSE_ISSUE, 1), (Kind.CLOSE_ISSUE, 2)]
    assert "Green again: the newest report no longer finds the flaky test store reopens." in plan.actions[0].body

    def left(parts: dict[str, list[object]], **told: object) -> Plan:
        return plan_findings(write_report(tmp_path / "other", parts, **told), held, repo=WHERE)  # type: ignore[arg-type]

    partly = left({"ci_health": [], "flaky_tests": []}, as_of=LATER, incomplete=["flaky_tests"])
    assert kinds(partly) == [(Kind.CLOSE_ISSUE, 2)]
    assert "not looked for: flaky_tests is not in this report, or did not run to its end" in partly.left_out[0]
    assert "same or newer data" in left({"ci_health": [], "flaky_tests": []}, as_of=NIGHT).left_out[0]
    soon = write_report(tmp_path / "soon", {"ci_health": [], "flaky_tests": []}, as_of=NIGHT, second=30)
    assert kinds(plan_findings(soon, held, repo=WHERE)) == [(Kind.CLOSE_ISSUE, 1), (Kind.CLOSE_ISSUE, 2)]
    silent = left({"ci_health": [finding("silent-workflow", "CI")], "flaky_tests": []}, as_of=LATER)
    assert "has fallen silent, which is not green" in silent.left_out[0]


def test_it_opens_again_only_for_a_new_failure(report: ReportFolder, tmp_path: Path) -> None:
    held = holding(plan_findings(report, Held(), repo=WHERE), is_open=False, state_reason="completed")
    same = plan_findings(write_report(tmp_path / "same", BOTH, as_of=LATER), held, repo=WHERE)
    assert same.actions == ()
    assert "nothing has failed since that it does not name" in same.left_out[0]
    returned = {"ci_health": [red_now(run_id=12)], "flaky_tests": [finding()]}
    again = plan_findings(write_report(tmp_path / "again", returned, as_of=LATER), held, repo=WHERE)
    assert kinds(again) == [(Kind.REOPEN_ISSUE, 2)]
    assert again.actions[0].reason == "failed again in run 12, after it was closed"
    shut = holding(plan_findings(report, Held(), repo=WHERE), is_open=False, state_reason="not_planned")
    assert "was closed as not planned, and stays so" in plan_findings(report, shut, repo=WHERE).left_out[0]
    locked = holding(plan_findings(report, Held(), repo=WHERE), is_locked=True)
    assert "is locked" in plan_findings(report, locked, repo=WHERE).left_out[0]


@pytest.mark.parametrize(
    ("told", "problem"),
    [
        ({"scope": "the bundled sample"}, "is a report of the bundled sample, an invented repository"),
        ({"repo": "other/name"}, "is a report of other/name, not of example/generated"),
        ({"as_of": ""}, "does not tell of when its data is"),
    ],
)
def test_reports_of_which_nothing_is_written(tmp_path: Path, told: dict[str, str], problem: str) -> None:
    report = write_report(tmp_path, BOTH, **told)  # type: ignore[arg-type]
    with pytest.raises(BadInput, match=problem):
        plan_findings(report, Held(), repo=WHERE)
    with pytest.raises(BadInput, match=problem):
        plan_publish(report, repo=WHERE, issue=3)
    with pytest.raises(BadInput, match=problem):
        plan_comment(report, repo=WHERE, target="issue:3")


def test_a_folder_that_holds_reports_of_two_nights(tmp_path: Path) -> None:
    write_report(tmp_path / "one", {"ci_health": [red_now()]})
    write_report(tmp_path / "two", {"flaky_tests": [finding()]}, as_of=LATER)
    for path in (tmp_path / "one").glob("ci_health*"):
        path.rename(tmp_path / "two" / path.name)
    with pytest.raises(BadInput, match="holds reports of different times or data"):
        read_report(tmp_path / "two")


CHANGE = Measured(0.7, 0.65, 0.76, 40, 38, "duration")
FASTER = "Build time: -30% [-35%, -24%], n = 40 and 38 runs"


@pytest.mark.parametrize(
    ("target", "stage", "kind", "said"),
    [
        ("issue:12", Stage.START, Kind.COMMENT_ISSUE, "Investigating CI issue #12."),
        ("issue:12", Stage.START, Kind.COMMENT_ISSUE, "Investigating CI failure. Initial diagnosis: ci.yml: red now;"),
        ("pull:#34", Stage.PROGRESS, Kind.COMMENT_PULL, f"CI fix: Resolved flaky test in ci.yml. {FASTER}"),
        ("issue:12", Stage.RESULT, Kind.COMMENT_ISSUE, f"CI result: 2 findings left. {FASTER}"),
        (f"commit:{'a' * 40}", Stage.START, Kind.COMMENT_COMMIT, f"CI impact:\n- {FASTER}"),
    ],
)
def test_comments_in_fixed_words(report: ReportFolder, target: str, stage: Stage, kind: Kind, said: str) -> None:
    fixed = ["Resolved flaky test in ci.yml"]
    plan = plan_comment(report, repo=WHERE, target=target, stage=stage, fixed=fixed, change=CHANGE)
    (action,) = plan.actions
    assert action.kind == kind
    assert said in action.body
    assert parse_plan(to_json(plan)) == plan


def test_a_percentage_only_where_it_was_measured(report: ReportFolder) -> None:
    def said(change: Measured | None) -> str:
        return plan_comment(report, repo=WHERE, target="pull:3", stage=Stage.PROGRESS, change=change).actions[0].body

    assert "Build time: not measured" in said(None)
    assert "Build time: no change that can be told [-10%, +4%], n = 9 and 8 runs" in said(
        Measured(0.97, 0.9, 1.04, 9, 8, "duration")
    )
    assert Measured.parse('{"ratio": null, "low": null, "high": null, "n_before": 0, "n_after": 0}') is None
    for wrong in ("", "[]", '{"ratio": 2, "low": 1, "high": 1.5, "n_before": 1, "n_after": 1, "metric": "duration"}'):
        with pytest.raises(BadInput):
            Measured.parse(wrong)


def test_a_rerun(report: ReportFolder) -> None:
    (action,) = plan_comment(report, repo=WHERE, target="run:77/2").actions
    assert (action.kind, action.run_id, action.attempt) == (Kind.RERUN_FAILED, 77, 2)
    for wrong in ("run:0", "issue:x", "commit:abc", "12", "issue:12 OR 1"):
        with pytest.raises(BadInput, match="is nothing to write to"):
            plan_comment(report, repo=WHERE, target=wrong)


def test_publish_says_the_answers_findings_figures_and_where_the_whole_is(report: ReportFolder) -> None:
    (action,) = plan_publish(
        report, repo=WHERE, issue=3, report_url="https://github.com/o/r/actions/runs/1/artifacts/2"
    ).actions
    for said in (
        "**Question of ci\\_health?** **34 of 137 runs failed**.",
        "| high | store reopens | failed 6 of the 88 times that it ran | flaky | [run 7](https://github.com/",
        "- **25 %** of 137 runs failed [18, 33]",
        "[The whole report](https://github.com/o/r/actions/runs/1/artifacts/2)",
    ):
        assert said in action.body
    for wrong in ("javascript:alert(1)", "report.html", "https://x.test/a b", "https://x.test/)[a](b"):
        with pytest.raises(BadInput, match="is no address of a report"):
            plan_publish(report, repo=WHERE, issue=3, report_url=wrong)
