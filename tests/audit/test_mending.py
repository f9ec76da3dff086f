"""Patches of many marks put into their files: each taken only where it is sound and does what it says."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from kotaci.archives.checkout import Tree, tree_of
from kotaci.audit import Edit, Patch, audit
from kotaci.audit.mending import mend, overlaid, to_diff

CI, OTHER, TOML = ".github/workflows/ci.yml", ".github/workflows/other.yml", ".config/nextest.toml"
JOBS = "on: push\njobs:\n  a:\n    runs-on: x\n    steps: [{run: a}]\n  b:\n    runs-on: x\n    steps: [{run: a}]\n"
FILES = {CI: JOBS, OTHER: JOBS.replace("\n", "\r\n").rstrip()}


def test_all_marks_of_all_files_together() -> None:
    tree = tree_of(FILES)
    marks = audit(tree).marks
    mended = mend(tree, marks)
    assert (mended.done, mended.left, set(mended.texts)) == (marks, (), {CI, OTHER})
    assert audit(overlaid(tree, mended.texts)).marks == ()
    assert mend(tree, [replace(mark, patch=None) for mark in marks]).texts == {}


@pytest.mark.parametrize(
    ("edit", "besides", "why"),
    [
        (Edit(5, 4, ("    timeout-minutes: 3", "    timeout-minutes: 4")), (), f"{CI} would not be sound"),
        (Edit(4, 4, ("    runs-on: y",)), (), "would still be found with it"),
        (Edit(5, 4, ("    timeout-minutes: 3",)), (Edit(1, 0, ("[",)),), f"{TOML} would not be sound"),
        (Edit(40, 40, ("x",)), (), "lines 40 to 40 are none of 8"),
        (Edit(1, 0, ()), (), f"{CI} would not be sound"),
    ],
)  # fmt: skip
def test_a_patch_that_does_not_do_is_left_with_the_reason(edit: Edit, besides: tuple[Edit, ...], why: str) -> None:
    tree = tree_of({CI: JOBS})
    first, second = audit(tree).marks
    patch = Patch(CI, (edit,), "", tuple(Patch(TOML, (one,), "") for one in besides))
    mended = mend(tree, [replace(first, patch=patch), second])
    assert mended.done == (second,)
    ((mark, told),) = mended.left
    assert mark.identity == first.identity
    assert told.startswith(why)
    assert mended.texts[CI].count("timeout-minutes") == 1


def test_a_file_that_is_not_utf_8_is_left() -> None:
    tree = Tree(frozenset({CI}), lambda _: b"# \xff\n" + JOBS.encode())
    mended = mend(tree, audit(tree).marks)
    assert (mended.texts, len(mended.left)) == ({}, 2)
    assert mended.left[0][1] == f"{CI} is not written in UTF-8, or cannot be read"


def test_git_applies_the_difference(tmp_path: Path) -> None:
    tree = tree_of(FILES)
    texts = {**mend(tree, audit(tree).marks).texts, TOML: "[profile.ci.junit]\n"}
    for path, text in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(text.encode())
    diff = to_diff(tree, texts)
    subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=diff.encode(), check=True)
    assert {path: (tmp_path / path).read_bytes().decode() for path in texts} == texts
