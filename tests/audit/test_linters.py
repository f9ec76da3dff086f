"""zizmor and actionlint beside our rules: what they find, that it is said once, and that a failure is told."""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from kotaci.archives.checkout import Tree, tree_of
from kotaci.audit import Linted, Linter, Mark, Patch, audit, read_cards, run_linters, to_findings
from kotaci.audit.baseline import known_of
from kotaci.audit.linters import join_linters
from kotaci.model import Certainty, Severity

CI = ".github/workflows/ci.yml"
FAULTY = """on: push
permissions: {}
jobs:
  test:
    runs-on: ubuntu-24.04
    timeout-minutes: 5
    steps:
      - name: Check out
        uses: actions/checkout@main
      - run: echo $HOME/${{ github.job_name }}
"""
BROKEN = "on: push\njobs:\n\ttest: {}\n"


@pytest.fixture(scope="module")
def linted():
    return run_linters(tree_of({CI: FAULTY, ".github/workflows/broken.yml": BROKEN}), environment=os.environ)


def test_both_find_what_is_theirs_with_place_and_rank(linted) -> None:
    found = {(mark.rule, mark.line): mark for mark in linted.marks}
    pinned = found["zizmor/unpinned-uses", 9]
    assert (pinned.path, pinned.job, pinned.subject) == (CI, "test", "job test, step “Check out”")
    assert (pinned.severity, pinned.certainty) == (Severity.HIGH, Certainty.HIGH)
    assert found["actionlint/expression", 10].severity == Severity.HIGH
    assert all(linter.has_run and linter.n_marks and linter.version[0].isdigit() for linter in linted.linters)
    assert {mark.path for mark in linted.marks} == {CI}


def test_they_become_findings_without_a_card(linted) -> None:
    found = {finding.kind: finding for finding in to_findings(linted.marks)}
    assert found["zizmor/unpinned-uses"].remedy == "See https://docs.zizmor.sh/audits/#unpinned-uses."
    assert found["zizmor/unpinned-uses"].id.startswith("zizmor-unpinned-uses-")
    assert found["actionlint/expression"].severity == Severity.HIGH


def test_the_audit_holds_them_and_what_excuses_them() -> None:
    text = FAULTY.replace("@main", "@main # kotaci: ignore[zizmor/unpinned-uses] ours, and we trust it")
    text = text.replace("push\n", "push # kotaci: ignore[actionlint/events] no longer\n")
    tree = tree_of({CI: text})
    found = audit(tree, linted=run_linters(tree, environment=os.environ))
    assert [one.mark.rule for one in found.excused] == ["zizmor/unpinned-uses"]
    assert "excuses nothing: `actionlint/events`" in {m.rule: m.claim for m in found.marks}["idle-excuse"]


def test_what_both_say_of_a_line_is_said_once_and_keeps_our_patch() -> None:
    card = next(card for card in read_cards().values() if card.linters)
    patch = Patch(CI, (), "mends it")
    ours = [Mark(CI, line, "job a", "so", rule=card.id, patch=patch) for line in (4, 9)]
    theirs = [Mark(CI, 4, "job a", "so too", rule=card.linters[0]), Mark(CI, 9, "job a", "else", rule="zizmor/other")]
    joined = replace(theirs[0], patch=patch, instead_of=((card.id, ours[0].identity),))
    assert join_linters(ours, theirs) == [ours[1], joined, theirs[1]]


def test_what_knows_or_excuses_ours_goes_for_the_linters() -> None:
    text = "on: push\njobs:\n  a:\n    runs-on: ubuntu-24.04\n    runs-on: ubuntu-22.04\n    steps: [{run: a}]\n"
    tree = tree_of({CI: text})
    alone = audit(tree, rules=["broken-file"])
    theirs = Mark(CI, 5, "job a", "key is duplicated", rule="actionlint/syntax-check")
    linted = Linted((theirs,), (Linter("actionlint", "1.0", 1),))
    both = audit(tree, linted=linted, baseline=known_of(alone.marks))
    assert [mark.rule for mark in both.known] == ["actionlint/syntax-check"]
    kept = known_of(audit(tree, linted=linted).marks)
    assert [mark.rule for mark in audit(tree, rules=["broken-file"], baseline=kept).known] == ["broken-file"]
    excusing = tree_of({CI: text.replace("22.04", "22.04 # kotaci: ignore[broken-file] a template")})
    found = audit(excusing, linted=linted)
    assert [one.mark.rule for one in found.excused] == ["actionlint/syntax-check"]
    assert "idle-excuse" not in {mark.rule for mark in found.marks}


def program(folder: Path, name: str, script: str) -> None:
    """Write a program of that name."""
    folder.joinpath(name).write_text(f"#!{sys.executable}\nimport sys\n{script}\n", encoding="utf-8")
    folder.joinpath(name).chmod(0o755)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows starts no scripts by their first line")
def test_one_that_is_missing_and_one_that_fails_are_told(tmp_path: Path) -> None:
    program(tmp_path, "actionlint", "print('1.2.3') if '--version' in sys.argv else sys.exit('no such option')")
    linted = run_linters(tree_of({CI: FAULTY}), environment={}, beside=tmp_path)
    assert list(map(str, linted.linters)) == [
        "zizmor: not installed",
        "actionlint 1.2.3 failed: exit code 1, no such option",
    ]
    assert linted.marks == ()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows starts no scripts by their first line")
def test_answers_of_another_form_are_told_and_no_token_is_seen(tmp_path: Path) -> None:
    items = [1, None, {}, {"ignored": False, "locations": []}, "x", {"filepath": 1, "message": 2}, {"ignored": True}]
    script = f"import os\nassert 'GITHUB_TOKEN' not in os.environ\nprint({json.dumps(items)!r})"
    program(tmp_path, "zizmor", script)
    program(tmp_path, "actionlint", script)
    linted = run_linters(tree_of({CI: FAULTY}), environment={"GITHUB_TOKEN": "secret"}, beside=tmp_path)
    assert linted.marks == ()
    assert [linter.failure.split()[0] for linter in linted.linters] == ["6", "7"]
    assert not any(linter.has_run for linter in linted.linters)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows starts no scripts by their first line")
def test_nothing_is_written_outside_of_their_folder(tmp_path: Path) -> None:
    paths = ["../action.yml", "/x/action.yml", "a/../../action.yml", ".git/action.yml", "-x/action.yml"]
    read = []
    tree = Tree(frozenset([CI, *paths]), lambda path: read.append(path) or FAULTY.encode())
    program(tmp_path, "zizmor", "import pathlib, json; json.dump([], sys.stdout)")
    assert run_linters(tree, environment={}, beside=tmp_path).linters[0].failure == ""
    assert not (tmp_path.parent / "action.yml").exists()
