"""Signs of failure: what weighs, what only sums up, what only seems to say that something failed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kotaci.logs.marks import DECOYS, SIGNS, SUMMARIES, find_marks
from tests.builders import SEEDED

WEIGHTS = {mark.name: mark.weight for mark in SIGNS}


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("##[error]Credentials could not be loaded", "error mark"),
        ("thread 'main' panicked at src/main.rs:2:5:", "panic"),
        ("Segmentation fault (core dumped)", "crash"),
        ("error[E0308]: mismatched types", "compiler's error"),
        ("src/lib.c:10:3: error: expected ';'", "compiler's error"),
        ("src/app.ts(3,7): error TS2322: Type 'string' is not assignable", "compiler's error"),
        ("ValueError: nothing to read", "exception"),
        ("java.io.IOException: stream closed", "exception"),
        ("fatal: not a git repository", "fatal"),
        ("  ✖ starts the server", "failed line"),
        ("test index::grows ... FAILED", "failed line"),
        ("E       assert 1 == 2", "pytest's error"),
        ("Traceback (most recent call last):", "trace"),
        ("bash: line 1: sccache: command not found", "refusal"),
        ("The index could not be read", "says it failed"),
    ],
)
def test_the_heaviest_sign_of_a_line(line: str, name: str) -> None:
    assert find_marks(line)[0].name == name


@pytest.mark.parametrize(
    "line",
    [
        "##[error]Process completed with exit code 101.",
        "error: could not compile `kvstore` (lib) due to 2 previous errors",
        "test result: FAILED. 6 passed; 1 failed; 0 ignored",
        "npm error Exit status 1",
        "make: *** [Makefile:12: test] Error 2",
        "Found 3 errors in 2 files (checked 40 source files)",
        "3 tests failed",
    ],
)
def test_a_summary_is_told_from_what_it_sums_up(line: str) -> None:
    assert SUMMARIES in find_marks(line)


@pytest.mark.parametrize(
    "line",
    [
        "warning: unused variable: `error`",
        "test result: ok. 7 passed; 0 failed; 0 ignored",
        "[INFO] Tests run: 7, Failures: 0, Errors: 0",
        "test handles_a_fatal_error ... ok",
        "   Compiling thiserror v1.0.69",
        "+ [ -n error ]",
        "0 errors, 12 warnings",
    ],
)
def test_what_only_seems_to_fail_is_a_decoy(line: str) -> None:
    assert DECOYS in find_marks(line) or not find_marks(line)


def test_a_name_with_the_word_error_in_it_is_no_sign() -> None:
    assert find_marks("Unpacking libgpg-error0:amd64 (1.47) over (1.46)")[0] is DECOYS
    assert find_marks("src/errors.rs") == []


def test_signs_are_in_order_of_their_weight() -> None:
    assert [mark.weight for mark in SIGNS] == sorted(WEIGHTS.values(), reverse=True)


@SEEDED
@given(st.text(max_size=200))
def test_any_text_is_read(text: str) -> None:
    assert len(find_marks(text)) <= len(SIGNS) + 2
