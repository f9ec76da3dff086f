"""libtest and nextest: names, suites, panics of old and new, retries, and steps that ran nothing."""

from __future__ import annotations

from tests.logs.results.reading import counted, names, only, report, suites

CARGO_TEST = """
     Running unittests src/lib.rs (target/debug/deps/ledger-0123456789abcdef)

running 3 tests
test book::tests::opens ... ok
test book::tests::closes ... FAILED
test book::tests::later ... ignored, needs a network

failures:

---- book::tests::closes stdout ----
opening the book

thread 'book::tests::closes' (4711) panicked at src/book.rs:40:9:
assertion `left == right` failed: the book
  left: 1
 right: 2
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace


failures:
    book::tests::closes

test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s

error: test failed, to rerun pass `--lib`
"""


def test_a_failed_test_has_its_binary_message_place_and_lines() -> None:
    result = only(CARGO_TEST)
    assert (result.framework, result.suite, result.test) == ("libtest", "ledger", "book::tests::closes")
    assert result.message == "assertion `left == right` failed: the book"
    assert result.location == "src/book.rs:40:9"
    assert (result.line, result.spans) == (5, ((13, 16), (5, 5)))


def test_a_binary_counts_what_ran_and_names_it() -> None:
    (suite,) = suites(CARGO_TEST)
    assert (suite.n_passed, suite.n_failed, suite.n_skipped, suite.n_ran) == (1, 1, 1, 2)
    assert suite.names == ("book::tests::opens", "book::tests::closes")


def test_before_rust_1_73_the_message_stands_quoted_before_the_place() -> None:
    result = only(
        """
        running 1 test
        test adds ... FAILED

        failures:

        ---- adds stdout ----
        thread 'adds' panicked at 'assertion failed: `(left == right)`
          left: `1`,
         right: `2`: sums', src/lib.rs:12:5

        test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out
        """
    )
    assert result.message == "assertion failed: `(left == right)`"
    assert result.location == "src/lib.rs:12:5"
    assert result.spans == ((7, 9), (2, 2))


def test_names_of_doctests_hold_blanks_and_modes_are_no_part_of_a_name() -> None:
    log = """
       Doc-tests ledger

running 3 tests
test src/lib.rs - Book::open (line 3) ... FAILED
test src/lib.rs - Book (line 9) - compile fail ... ok
test never - should panic ... ok

test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s
"""
    assert names(log) == [("failed", "Doc-tests ledger", "src/lib.rs - Book::open (line 3)")]
    assert suites(log)[0].names == ("src/lib.rs - Book (line 9)", "never", "src/lib.rs - Book::open (line 3)")


def test_the_same_name_in_two_binaries_is_two_tests() -> None:
    log = """
     Running tests/one.rs (target/debug/deps/one-0123456789abcdef)
running 1 test
test shared::works ... FAILED
test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s
     Running tests/two.rs (target\\debug\\deps\\two-0123456789abcdef.exe)
running 1 test
test shared::works ... FAILED
test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s
"""
    assert names(log) == [("failed", "one", "shared::works"), ("failed", "two", "shared::works")]


def test_a_header_of_cargo_that_comes_late_still_names_the_binary() -> None:
    log = """
running 1 test
     Running unittests src/lib.rs (target/debug/deps/ledger-0123456789abcdef)
test works ... ok
test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s
"""
    assert counted(log) == [("ledger", 1, 0, 0)]


def test_a_failure_is_found_in_the_list_where_its_row_was_torn() -> None:
    log = """
        running 2 tests
        test tears ... test holds ... ok
        FAILED

        failures:

        failures:
            tears

        test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s
        """
    assert names(log) == [("failed", "", "tears")]
    assert suites(log)[0].names == (), "not all names that ran are known"


def test_output_may_stand_between_a_name_and_its_word() -> None:
    log = """
        running 2 tests
        test noisy ... hello
        thread 'main' panicked at src/lib.rs:3:5:
        boom

        FAILED
        test quiet ... ok
        test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s
        """
    result = only(log)
    assert (result.test, result.message, result.location) == ("noisy", "boom", "src/lib.rs:3:5")


def test_a_test_that_returns_an_error_panics_nowhere() -> None:
    result = only(
        """
        running 1 test
        test loads ... FAILED

        failures:

        ---- loads stdout ----
        Error: Os { code: 2, kind: NotFound, message: "No such file or directory" }

        failures:
            loads

        test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s
        """
    )
    assert result.message.startswith("Error: Os { code: 2")
    assert result.spans == ((7, 7), (2, 2))


def test_a_test_that_hangs_is_slow_and_the_log_may_end_there() -> None:
    log = """
        running 2 tests
        test quick ... ok
        test waits has been running for over 60 seconds
        ##[error]The operation was canceled.
        """
    assert names(log) == [("slow", "", "waits")]
    assert counted(log) == [("", 1, 0, 0)]


def test_a_step_that_ran_no_test_is_told() -> None:
    log = """
        running 0 tests

        test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 7 filtered out; finished in 0.00s
        """
    assert counted(log) == [("", 0, 0, 0)]


def test_rows_outside_of_a_run_are_no_tests() -> None:
    assert report("test something ... FAILED\nFAIL: it\n---- x stdout ----\nfailures:\n    y\n").results == ()


def test_what_the_runner_echoes_is_not_read() -> None:
    log = """
        ##[group]Run cat <<EOF
        running 1 test
        test fake ... FAILED
        test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out
        ##[endgroup]
        """
    assert report(log).suites == ()


NEXTEST = """
    Starting 4 tests across 2 binaries (1 test skipped)
        PASS [   0.004s] (1/4) ledger book::opens
  TRY 1 FAIL [   0.010s] (─/4) ledger::net connects
  stdout ───

    running 1 test
    test connects ... FAILED

    failures:
        connects

    test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 3 filtered out; finished in 0.01s

  stderr ───

    thread 'connects' (9) panicked at tests/net.rs:7:5:
    port in use
    note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace

  TRY 2 PASS [   0.011s] (2/4) ledger::net connects
        SLOW [> 60.000s] (─/4) ledger book::waits
        PASS [  61.500s] (3/4) ledger book::waits
     SIGSEGV [   0.002s] (4/4) ledger::net crashes
────────────
     Summary [  61.600s] 4 tests run: 3 passed (1 slow, 1 flaky), 1 failed, 1 skipped
   FLAKY 2/3 [   0.011s] (2/4) ledger::net connects
     SIGSEGV [   0.002s] (4/4) ledger::net crashes
error: test run failed
"""


def test_a_binary_and_a_name_are_a_nextest_test_and_the_last_try_decides() -> None:
    assert names(NEXTEST) == [
        ("flaky", "ledger::net", "connects"),
        ("slow", "ledger", "book::waits"),
        ("failed", "ledger::net", "crashes"),
    ]


def test_a_hidden_failure_keeps_its_panic() -> None:
    flaky, slow, crashed = report(NEXTEST).results
    assert (flaky.message, flaky.location, flaky.spans) == ("port in use", "tests/net.rs:7:5", ((16, 17), (3, 3)))
    assert (slow.wall_s, crashed.message) == (61.5, "SIGSEGV")


def test_nextest_counts_by_binary_and_libtest_inside_it_counts_nothing() -> None:
    assert counted(NEXTEST) == [("ledger", 2, 0, None), ("ledger::net", 1, 1, None)]


def test_nextest_times_every_test_by_its_last_try() -> None:
    assert [(suite.names, suite.times) for suite in suites(NEXTEST)] == [
        (("book::opens", "book::waits"), (0.004, 61.5)),
        (("connects", "crashes"), (0.011, 0.002)),
    ]


def test_where_nextest_names_only_failures_its_summary_counts() -> None:
    log = """
            Starting 9 tests across 1 binary
                FAIL [   0.010s] ledger closes
             Summary [   0.100s] 9 tests run: 8 passed, 1 timed out, 2 skipped
        """
    assert counted(log) == [("", 8, 1, 2)]


def test_the_old_blocks_of_nextest_name_their_test() -> None:
    result = only(
        """
            Starting 1 tests across 1 binaries
                FAIL [   0.010s] ledger closes

        --- STDERR:              ledger closes ---
        thread 'closes' panicked at 'boom', src/lib.rs:3:5

             Summary [   0.100s] 1 tests run: 0 passed, 1 failed, 0 skipped
        """
    )
    assert (result.message, result.location, result.suite) == ("boom", "src/lib.rs:3:5", "ledger")


def test_nextest_without_a_test_is_told_once() -> None:
    log = """
            Starting 0 tests across 3 binaries (12 tests skipped)
             Summary [   0.000s] 0 tests run: 0 passed, 12 skipped
        error: no tests to run
        """
    assert counted(log) == [("", 0, 0, None)]


def test_after_nextest_doctests_of_cargo_count_again() -> None:
    log = NEXTEST + CARGO_TEST
    assert ("failed", "ledger", "book::tests::closes") in names(log)
