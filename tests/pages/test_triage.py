"""The groups of failure_triage: beside the last green log, near signatures as one, empty steps shown."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from kotaci.analysis.failures import FAILING, Group, Status, Triage, assess_failures, next_step
from kotaci.analysis.tests import EmptyStep, Sight
from kotaci.facts import History, read_history
from kotaci.logs.causes import OwnCause
from kotaci.logs.signatures import signature
from kotaci.model import BAD_OUTCOMES, Verdict
from kotaci.pages import triage as shown
from kotaci.tables import TABLES


@pytest.fixture(scope="module")
def history(sample: Path) -> History:
    return read_history(sample, tables=shown.TABLES)


@pytest.fixture(scope="module")
def triage(history: History) -> Triage:
    return assess_failures(history.tables, default_branch=history.default_branch, as_of=history.as_of)


def test_a_group_is_explained_beside_its_last_green_log(history: History, triage: Triage) -> None:
    groups = {group.verdict: group for group in shown.explained(triage, history).groups}
    regression = groups[Verdict.REGRESSION]
    assert len(regression.excerpt) <= shown.CARD_LINES
    (hit,) = (text for number, text in regression.excerpt if number in regression.hits)
    assert hit.strip().startswith("assertion")
    assert groups[Verdict.INFRASTRUCTURE].cause in {"network", ""}


def test_a_repositorys_own_cause_goes_first(history: History, triage: Triage) -> None:
    own = OwnCause("tidy", "Tidy up", ["unneeded `return`"], ["error: unneeded `return` statement"])
    groups = shown.explained(triage, history, causes=[own]).groups
    assert [group.cause for group in groups if "unneeded" in group.headline] == ["tidy"]


def test_near_signatures_are_one(history: History) -> None:
    said = "error: the writer could not reach the reader in the time that was left to it, {} it gave up"
    texts = [said.format("so"), said.format("and"), "error[E0308]: mismatched types"]
    jobs = TABLES["jobs"].to_frame([[None] * len(TABLES["jobs"].columns)] * 3).assign(
        repo="o/r", run_id=[1, 2, 3], attempt=1, job_id=[1, 2, 3], started_at=pd.Timestamp("2026-03-02", tz="UTC")
    )  # fmt: skip
    failures = TABLES["failures"].to_frame([[None] * len(TABLES["failures"].columns)] * 3).assign(
        repo="o/r", run_id=[1, 2, 3], attempt=1, job_id=[1, 2, 3], headline=texts, signature=list(map(signature, texts))
    )  # fmt: skip
    tables = shown.clustered(replace(history, tables={"jobs": jobs, "failures": failures}))
    first, second, third = tables["failures"]["signature"]
    assert first == second != third
    assert len(set(map(signature, texts))) == 3


def test_steps_that_ran_no_test_are_shown(history: History, triage: Triage) -> None:
    sight = Sight(7, 1, 70, "0" * 40, datetime(2026, 3, 2, tzinfo=UTC))
    step = EmptyStep(".github/workflows/ci.yml", "soak", "", "kvstore", 12, sight, sight)
    assert "ran no test" not in shown.hidden(triage, history).markdown
    told = shown.hidden(replace(triage, empty_steps=[step]), history).markdown
    assert "Steps that ran no test" in told
    assert "ci.yml / soak" in told


def test_a_card_and_the_list_of_what_to_do_say_the_same(history: History, triage: Triage) -> None:
    """A log beside its last green one may tell a cause that it did not tell alone."""
    unsure = [replace(group, verdict=Verdict.UNDECIDED, n_commits_alike=3) for group in triage.groups]
    told = shown.explained(replace(triage, groups=unsure), history)
    steps = {f"failure:{group.id}": next_step(group, options=told.options) for group in told.groups}
    assert all(finding.remedy == steps.get(finding.id, finding.remedy) for finding in told.findings)
    assert any("3 commits in a row" in finding.remedy for finding in told.findings)


def card(triage: Triage, group: Group) -> str:
    """Return the card of a group, as Markdown."""
    return shown.group_cards(replace(triage, groups=[group]), parts=("now", "open", "flaky")).markdown


def flaky_one(triage: Triage) -> Group:
    return next(group for group in triage.groups if group.verdict == Verdict.FLAKY and not group.is_quiet)


def test_a_guessed_cause_has_no_remedy(triage: Triage) -> None:
    guess = replace(flaky_one(triage), cause="file-system", cause_confidence=0.28)
    assert "Not told by the log; perhaps file-system." in card(triage, guess)
    assert "28 % sure" not in card(triage, guess)
    assert "50 % sure" in card(triage, replace(guess, cause_confidence=0.5))


def test_a_regression_whose_commits_are_not_known_shows_the_last_good_and_the_first_bad(triage: Triage) -> None:
    unknown = replace(
        flaky_one(triage), verdict=Verdict.REGRESSION, status=Status(FAILING, "it failed"), culprits=[],
        green_sha="a" * 40, red_sha="b" * 40,
    )  # fmt: skip
    text = card(triage, unknown)
    assert "last good" in text
    assert "/compare/" + "a" * 40 + "..." + "b" * 40 in text
    assert "first bad" in card(triage, replace(unknown, green_sha=""))


def test_the_first_strip_of_a_section_is_explained(triage: Triage) -> None:
    group = flaky_one(triage)
    two = replace(triage, groups=[group, replace(group, id="another")])
    assert shown.group_cards(two, parts=("flaky", "now")).markdown.count("half red") == 1


def test_when_a_flake_is_fixed_is_left_to_its_own_page(triage: Triage) -> None:
    text = shown.group_cards(triage, parts=("flaky",)).markdown + shown.over(triage).markdown
    assert "`flaky_tests` tells whether that is enough to call it fixed" in text
    assert "in a row" not in text


def test_the_kinds_of_failures_add_up(history: History, triage: Triage) -> None:
    text = shown.triage_tiles(triage, history["runs"]).markdown
    n = int(history["jobs"]["outcome"].isin(BAD_OUTCOMES).sum())
    assert triage.n_failed_jobs == n + 1
    (told,) = re.findall(r"failed jobs and 1 time-out, (\d+) ways.*?(\d+ .*? more)", text, re.S)
    assert str(n) in text
    assert sum(int(count) for count in re.findall(r"\d+", told[1])) == int(told[0]) == len(triage.groups)


def test_two_regressions_are_two(history: History, triage: Triage) -> None:
    (group,) = [group for group in triage.groups if group.verdict == Verdict.REGRESSION]
    twice = replace(triage, groups=[*triage.groups, replace(group, id="another")])
    assert "2 regressions, " in shown.triage_answer(history, twice).markdown


def test_what_the_data_cannot_show_is_no_zero(history: History, triage: Triage) -> None:
    blind = replace(
        triage, sees_reruns=False, sees_masked=False, retried=triage.retried.head(0), lost=[],
        groups=[group for group in triage.groups if group.verdict != Verdict.MASKED],
    )  # fmt: skip
    text = shown.triage_tiles(blind, history["runs"].query("attempt == 1")).markdown
    assert "0 runs" not in text
    assert text.count("cannot be told") == 2
    assert "Cannot be told: logs do not tell it." in shown.hidden(blind, history).markdown


def test_a_job_that_may_fail_and_never_passed_is_named(history: History, triage: Triage) -> None:
    text = shown.triage_answer(history, triage).markdown
    assert "`ci.yml / strict-lints` is allowed to fail, and never passed." in text
    assert "**Nothing that must pass fails for good" in text
    assert re.search(r"\d+ are over", text)
