"""The quarantine's lists: the real cargo-nextest obeys the filter, and every list has an end."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kotaci.analysis.flakes import Flake, Flakiness
from kotaci.analysis.flakes.quarantine import nextest_filter, to_quarantine
from tests.analysis.flaky import Story
from tests.analysis.frames import at


@pytest.fixture(scope="module")
def told() -> Flakiness:
    return Story().history("PPAPPP").assessed()


@pytest.fixture(scope="module")
def plain(told: Flakiness) -> Flake:
    return told.tests[0]


def test_the_filter_in_words(plain: Flake) -> None:
    by_id = replace(plain, suite="kv-core::segments", test="reopening")
    by_file = replace(plain, suite="kv_core", test="tests::one")
    assert nextest_filter([]) == ""
    assert nextest_filter([by_id]) == "not (binary_id(=kv-core::segments) & test(=reopening))"
    assert nextest_filter([by_file, by_id]) == (
        "not ((binary(/^kv[_-]core$/) & test(=tests::one)) | (binary_id(=kv-core::segments) & test(=reopening)))"
    )


@pytest.mark.cargo
def test_nextest_runs_all_but_the_quarantined(plain: Flake, tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "tests").mkdir()
    (tmp_path / "Cargo.toml").write_text('[package]\nname = "kv-core"\nversion = "0.1.0"\nedition = "2021"\n')
    (tmp_path / "src/lib.rs").write_text(
        "#[cfg(test)]\nmod tests {\n #[test] fn one() {}\n #[test] fn one_more() {}\n #[test] fn two() {}\n}\n"
    )
    (tmp_path / "tests/seg-ments.rs").write_text("#[test] fn reopening() {}\n#[test] fn closing() {}\n")
    held = [
        replace(plain, suite="kv_core", test="tests::one"),
        replace(plain, suite="kv-core", test="tests::two"),
        replace(plain, suite="seg_ments", test="reopening"),
    ]
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    listed = subprocess.run(
        ["cargo", "nextest", "list", "--offline", "--color=never", "-E", nextest_filter(held)],
        cwd=tmp_path, env={**os.environ, "PATH": tools}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert listed.returncode == 0, listed.stderr
    assert listed.stdout.split("\n")[:-1] == ["kv-core tests::one_more", "kv-core::seg-ments closing"]


def test_the_lists_end_some_days_after_the_data() -> None:
    told = to_quarantine(Story().history("PPAPPP").assessed(as_of=at(24 * 3)))
    assert told.until == date(2026, 3, 19)
    assert told.nextest == "cargo nextest run -E 'not (binary(/^widgets$/) & test(=wobbles))'"
    assert told.ignores == (
        '// src/lib.rs:7  widgets wobbles\n#[ignore = "flaky: failed 1 of 6 times, until 2026-03-19"]'
    )
    assert (told.pytest, list(told.others)) == ("", [])


def test_what_is_not_flaky_is_in_no_list() -> None:
    told = to_quarantine(Story().history("PPPFFF").assessed())
    assert (told.nextest, told.ignores, told.pytest) == ("", "", "")


def test_python_and_what_nobody_can_name(told: Flakiness) -> None:
    (one,) = told.tests
    tests = [
        replace(one, suite="tests/test_io.py", test="tests/test_io.py::TestIo::test_it[a b]", location=""),
        replace(one, suite="tests/test_io.py", test="test_that", location="tests/test_io.py:9"),
        replace(one, suite="kv_core", test="src/lib.rs - open (line 12)", location=""),
        replace(one, suite="com.example.FooTest", test="shouldWork", location=""),
        replace(one, suite="internal/pkg", test="TestThing", location=""),
    ]
    lists = to_quarantine(replace(told, tests=tests))
    assert lists.pytest == (
        "pytest \\\n  --deselect 'tests/test_io.py::TestIo::test_it[a b]' \\\n  --deselect tests/test_io.py::test_that"
    )
    assert (lists.nextest, lists.ignores) == ("", "")
    assert [flake.test for flake in lists.others] == ["src/lib.rs - open (line 12)", "shouldWork", "TestThing"]


@given(suite=st.text(max_size=12), test=st.text(min_size=1, max_size=12), location=st.text(max_size=12))
def test_a_hostile_name_stays_in_its_quotes(told: Flakiness, suite: str, test: str, location: str) -> None:
    hostile = replace(told.tests[0], suite=suite, test=test, location=location)
    lists = to_quarantine(replace(told, tests=[hostile]))
    assert [len(shlex.split(text)) for text in (lists.nextest, lists.pytest) if text] in ([], [5], [3])
    assert not re.search(r"^[^/#\n]", lists.ignores, re.MULTILINE)
