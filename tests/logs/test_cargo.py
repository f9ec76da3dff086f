"""cargo's status words on crates; R: recorded from a real cargo, or in a real log."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kotaci.logs.cargo import PHASES, parse_phases, parse_units

HEAD = "2026-03-02T09:00:"


def log(*lines: str) -> str:
    """Return the lines with time stamps, a second apart."""
    return "".join(f"{HEAD}{number:02d}.0000000Z {line}\n" for number, line in enumerate(lines))


BUILD = (  # R
    "  Downloaded serde v1.0.219",
    "   Compiling serde v1.0.219",
    "\x1b[1m\x1b[92m   Compiling\x1b[0m tokio v1.44.2",
    "   Compiling patched v0.1.0 (https://github.com/octo/patched#0a1b2c3d)",
    "   Compiling kvstore-core v0.3.1 (/home/runner/work/kvstore/kvstore/crates/kvstore-core)",
    "    Checking kvstore v0.3.1 (D:\\a\\kvstore\\kvstore)",
    "    Finished `test` profile [unoptimized + debuginfo] target(s) in 5.00s",
)


def test_a_build_is_read_crate_by_crate() -> None:
    units = parse_units(log(*BUILD))
    assert [(unit.action, unit.unit, unit.version, unit.is_local) for unit in units] == [
        ("Downloaded", "serde", "1.0.219", False),
        ("Compiling", "serde", "1.0.219", False),
        ("Compiling", "tokio", "1.44.2", False),
        ("Compiling", "patched", "0.1.0", False),
        ("Compiling", "kvstore-core", "0.3.1", True),
        ("Checking", "kvstore", "0.3.1", True),
    ]
    assert [unit.line for unit in units] == [1, 2, 3, 4, 5, 6]
    assert {unit.wall_s for unit in units} == {1.0}


def test_the_last_word_has_no_length() -> None:
    (unit,) = parse_units(log("   Compiling serde v1.0.219"))
    assert unit.wall_s is None


def test_words_of_others_are_no_crates() -> None:
    assert (
        parse_units(log("Running tests", "Compiling 12 files with javac", "Fresh install", "I am Checking x v1")) == []
    )


@given(st.lists(st.sampled_from(BUILD) | st.text(max_size=80), max_size=30))
def test_any_text_is_read_in_its_order(lines: list[str]) -> None:
    text = log(*[line.replace("\n", " ") for line in lines])
    numbers = [unit.line for unit in parse_units(text)]
    assert numbers == sorted(set(numbers))
    assert len(numbers) >= sum(line in BUILD[:-1] for line in lines)


def phases(*lines: str) -> list[tuple[str, float | None, int, int]]:
    return [(told.phase, told.wall_s, told.first_line, told.last_line) for told in parse_phases(log(*lines))]


TESTED = (  # R
    "     Running unittests src/lib.rs (target/debug/deps/kvstore_core-0a1b2c3d4e5f6a7b)",
    "running 2 tests",
    "test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.23s",
    "\x1b[1m\x1b[92m     Running\x1b[0m tests\\bloom.rs (target\\debug\\deps\\bloom-0a1b2c3d4e5f6a7b.exe)",
    "test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.40s",
    "   Doc-tests kvstore_core",
    "test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.52s",
)


def test_a_test_command_is_downloading_compiling_testing_and_doc_tests() -> None:
    lines = ("    Updating crates.io index", " Downloading crates ...", *BUILD, *TESTED, "Post job cleanup.")
    assert phases(*lines) == [
        ("download", 3.0, 1, 3),
        ("check", 5.0, 4, 9),
        ("tests", 4.0, 10, 14),
        ("doc-tests", 1.0, 15, 16),
    ]


@pytest.mark.parametrize(
    ("word", "phase"), [("Compiling", "compile"), ("Checking", "check"), ("Documenting", "documentation")]
)
def test_a_build_goes_by_its_most_telling_word(word: str, phase: str) -> None:
    assert phases("   Compiling serde v1.0.219", f"    {word} kvstore v0.3.1", "    Finished `dev` profile") == [
        (phase, 2.0, 1, 3)
    ]


def test_a_build_that_breaks_off_lasts_until_the_error() -> None:
    lines = ("   Compiling serde v1.0.219", "error: could not compile `serde`", "##[error]Process completed", "x")
    assert phases(*lines) == [("compile", 2.0, 1, 2)]


def test_tests_that_never_end_last_as_long_as_the_step() -> None:
    assert phases(*TESTED[:4], "still here", "##[group]Run echo") == [("tests", 5.0, 1, 5)]
    assert phases(*TESTED[:4], "the end") == [("tests", 4.0, 1, 5)]


def test_what_runs_after_the_last_result_is_no_test() -> None:
    assert phases(*TESTED[:3], "uploading", "##[group]Run echo") == [("tests", 2.0, 1, 3)]


def test_nextest_tells_its_tests_itself() -> None:
    lines = (
        "    Starting 12 tests across 3 binaries (1 test skipped)",
        "        PASS [   0.012s] kvstore-core table::tests::a_key",
        "     Summary [   1.020s] 12 tests run: 12 passed, 1 skipped",
        "error: test run failed",
    )
    assert phases(*lines, "##[error]Process completed with exit code 100.") == [("tests", 2.0, 1, 3)]


def test_what_a_test_prints_under_nextest_is_part_of_the_tests() -> None:  # R
    lines = (
        "    Starting 396 tests across 66 binaries (1 test skipped)",
        "    test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 9.87s",
        "    \x1b[1m\x1b[92m   Compiling\x1b[0m tokio v1.52.1 (/home/runner/work/tokio/tokio/tokio)",
        "    \x1b[1m\x1b[92m    Finished\x1b[0m `dev` profile [unoptimized + debuginfo] target(s) in 3.93s",
        "\x1b[31;1m     Summary\x1b[0m [  10.020s] 396 tests run: 395 passed, 1 failed, 1 skipped",
    )
    assert phases(*lines, "##[error]Process completed with exit code 100.") == [("tests", 4.0, 1, 5)]
    assert phases(*lines[:4], "##[error]The operation was canceled.") == [("tests", 4.0, 1, 4)]


def test_benchmarks_are_no_tests_and_a_program_that_runs_is_neither() -> None:
    lines = (
        "     Running benches/scan.rs (target/release/deps/scan-0a1b2c3d4e5f6a7b)",
        "scan  time: [1 ns]",
        "##[error]",
    )
    assert phases(*lines) == [("benchmarks", 2.0, 1, 2)]
    assert phases("     Running `target/release/kvstore-bench --check`", "done") == []
    assert phases("     Running `rustc --crate-name serde -C metadata=0a1b2c3d4e5f6a7b`", "done") == []


def test_a_tool_that_is_installed_is_one_phase_with_all_that_it_compiles() -> None:
    lines = (
        "    Updating crates.io index",
        "  Installing cargo-tarpaulin v0.31.0",
        *BUILD,
        "  Installing /home/runner/.cargo/bin/cargo-tarpaulin",
        "   Installed package `cargo-tarpaulin v0.31.0` (executable `cargo-tarpaulin`)",
        "   Compiling serde v1.0.219",
        "    Finished `dev` profile",
    )
    told = parse_phases(log(*lines))
    assert [(phase.phase, phase.tool, phase.version, phase.wall_s) for phase in told] == [
        ("download", "", "", 1.0),
        ("tool-install", "cargo-tarpaulin", "0.31.0", 9.0),
        ("compile", "", "", 1.0),
    ]


def test_a_log_without_time_stamps_has_phases_without_a_length() -> None:
    (phase,) = parse_phases("   Compiling serde v1.0.219\n    Finished `dev` profile\n")
    assert (phase.phase, phase.wall_s, phase.at) == ("compile", None, "")


@given(st.lists(st.sampled_from((*BUILD, *TESTED, "##[group]Run x", "##[error]x")) | st.text(max_size=80), max_size=40))
def test_phases_of_any_text_come_one_after_another(lines: list[str]) -> None:
    told = parse_phases(log(*[line.replace("\n", " ") for line in lines]))
    assert {phase.phase for phase in told} <= set(PHASES)
    assert all(phase.first_line <= phase.last_line for phase in told)
    assert all(one.last_line <= other.first_line for one, other in pairwise(told))
    assert sum(phase.wall_s or 0 for phase in told) <= len(lines)
