"""What the page of caches says of pull requests and of the quota, in words."""

from __future__ import annotations

from dataclasses import replace

from kotaci.analysis.caching import DEFAULTS
from kotaci.pages.caches import cost_note, pulls_note, quota_answer, quota_table
from tests.analysis.test_caching_refs import TIGHT, assessed, listed, pull, saved, turns


def test_a_larger_quota_helps_where_the_replay_finds_more() -> None:
    tight = assessed(*turns(9), options=TIGHT)
    assert "Yes: 5 GB would have found 6 more of 9 restores." in quota_answer(tight).markdown
    assert "2 GB, in force" in quota_table(tight).markdown


def test_a_larger_quota_does_not_help_where_all_fits() -> None:
    roomy = assessed(*turns(9))
    assert "No: at most 3 GB were held at once" in quota_answer(roomy).markdown
    assert "as the logs say in 3 of 9 restores" in quota_answer(roomy).markdown


def test_nothing_is_said_of_what_no_log_tells() -> None:
    none = assessed([], [], options=replace(DEFAULTS, quota_gb=1.0))
    for block in (quota_answer(none), quota_table(none), pulls_note(none)):
        assert "annot be told" in block.markdown
    assert "no log" in cost_note(none).markdown


def test_what_pull_requests_hold_is_told_with_its_share() -> None:
    held = [listed(1, "refs/pull/7/merge", 2.5), listed(2, "refs/heads/main", 1)]
    told = pulls_note(assessed([pull(1, 7)], [saved(pull(1, 7), "a")], held)).markdown
    assert "Pull requests hold 1 cache, 2.5 GB or 25 % of the quota." in told
    assert "Pull requests made 1 of 1 save in this window" in told
