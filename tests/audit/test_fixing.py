"""Patches of many marks as one change a file, and its diff."""

import subprocess
from pathlib import Path

import pytest

from kotaci.archives.checkout import Tree, tree_of
from kotaci.audit import Edit, Mark, Patch, audit
from kotaci.audit.fixing import fixed_tree, plan_fixes, to_diff

CI = ".github/workflows/ci.yml"
JOB = "on: push\njobs:\n  test:\n    runs-on: ubuntu-24.04 # ours\n    steps:\n      - run: cargo test"


def mark(first: int, last: int, *lines: str) -> Mark:
    """Return a mark whose patch replaces these lines."""
    return Mark(CI, first, "job test", f"says {lines}", patch=Patch(CI, (Edit(first, last, lines),), "mends it"))


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("end", ["", "\n"])
def test_what_is_mended_is_gone_and_git_takes_the_diff(tmp_path: Path, newline: str, end: str) -> None:
    text = (JOB + end).replace("\n", newline)
    tree = tree_of({CI: text})
    (fix,), unfixed = plan_fixes(tree, audit(tree, rules=["job-without-timeout"]).marks)
    assert not unfixed
    assert fix.after.count(newline) == text.count(newline) + 1
    assert "# ours" in fix.after
    assert not audit(fixed_tree(tree, [fix]), rules=["job-without-timeout"]).marks
    path = tmp_path / CI
    path.parent.mkdir(parents=True)
    path.write_bytes(text.encode())
    subprocess.run(["git", "apply", "-"], input=to_diff(fix).encode(), cwd=tmp_path, check=True)
    assert path.read_bytes() == fix.after.encode()


def test_two_patches_of_one_line_are_not_both_made() -> None:
    marks = [
        mark(4, 4, "    runs-on: ubuntu-22.04"),
        mark(4, 4, "    runs-on: macos-15"),
        mark(1, 1, "on: pull_request"),
    ]
    (fix,), unfixed = plan_fixes(tree_of({CI: JOB}), marks)
    assert fix.marks == (marks[0], marks[2])
    assert [(one.mark, one.reason) for one in unfixed] == [(marks[1], "line 4 would be changed twice")]


def test_a_patch_that_breaks_the_file_is_left_out() -> None:
    fixes, unfixed = plan_fixes(tree_of({CI: JOB}), [mark(5, 5, "    steps: [")])
    assert not fixes
    assert [one.reason for one in unfixed] == ["its patch would break the file"]


def test_a_file_that_is_not_utf_8_is_not_changed() -> None:
    tree = Tree(frozenset([CI]), lambda _: JOB.encode() + b"\n# \xff\n")
    fixes, unfixed = plan_fixes(tree, [mark(1, 1, "on: pull_request")])
    assert not fixes
    assert "not UTF-8" in unfixed[0].reason
