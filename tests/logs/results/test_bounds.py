"""Whatever a log holds: no crash, lines that exist, short spans, each test once."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from kotaci.logs.lines import MAX_LINE_CHARS, parse_lines
from kotaci.logs.results import parse_log_tests, parse_tests
from kotaci.logs.results.report import MAX_BLOCK_LINES
from tests.logs.results import test_others, test_python, test_rust

LOGS = [
    *(test_rust.CARGO_TEST, test_rust.NEXTEST, test_python.PYTEST, test_python.UNITTEST, test_others.JEST),
    *(test_others.MOCHA, test_others.SUREFIRE, test_others.GRADLE, test_others.GO),
]
LINES = [line for log in LOGS for line in log.splitlines()]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(LINES) | st.text(max_size=40), max_size=60))
def test_any_order_of_lines_gives_results_that_stand_in_the_log(lines: list[str]) -> None:
    text = "\n".join(lines)
    n_lines = sum(1 for _ in parse_lines(text))
    report = parse_tests(parse_lines(text))
    for result in report.results:
        assert result.test
        assert result.outcome in {"failed", "flaky", "slow", "leaky"}
        assert 1 <= result.line <= n_lines
        assert result.spans
        for first, last in result.spans:
            assert 1 <= first <= last <= n_lines
            assert last - first < MAX_BLOCK_LINES
    identities = [(result.framework, result.suite, result.test) for result in report.results]
    assert len(identities) == len(set(identities))
    for suite in report.suites:
        assert not suite.names or suite.n_ran == len(suite.names)


STAMPS = st.sampled_from(["", "2026-03-02T09:00:00.0000000Z ", "\ufeff2026-03-02T09:00:00.0000000Z ", "\x1b[31m"])
MARKS = st.sampled_from(["", "##[error]", "##[group]", "##[group]Run ", "##[endgroup]", "\x1b[1m##[warning title=a b]"])
ANY_LINE = st.tuples(
    STAMPS, MARKS, st.sampled_from(LINES) | st.text(max_size=30), st.sampled_from(["", "\r", "\x1b[0m"])
)


@settings(max_examples=400, deadline=None)
@given(st.lists(ANY_LINE.map("".join), max_size=60))
def test_searching_the_whole_text_first_changes_nothing(lines: list[str]) -> None:
    text = "\n".join(lines)
    assert parse_log_tests(text) == parse_tests(parse_lines(text))


ROWS = (
    *("running 2 tests", "test a ... ok", "test b ... ok", "test c - should panic ... ok", "test d ... loud ... ok"),
    *("test e ... ", "ok", "test f ... FAILED", "failures:", "", "    f", "thread 'a' panicked at src/lib.rs:1:1:"),
    *("test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out", "test g ... ok <0.010s>"),
    *("    Starting 1 test across 1 binary", "     Summary [   0.1s] 1 test run: 1 passed", "##[group]Run x"),
    "##[endgroup]",
)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(STAMPS, st.sampled_from(ROWS)).map("".join), max_size=40))
def test_rows_of_passed_tests_taken_at_once_change_nothing(lines: list[str]) -> None:
    text = "\n".join(["running 2 tests", *lines])
    assert parse_log_tests(text) == parse_tests(parse_lines(text))


def test_the_end_of_what_is_read_of_a_long_line_ends_it_in_both_ways() -> None:
    long = ("org.shop.TillTest > adds" + " " * MAX_LINE_CHARS)[: MAX_LINE_CHARS - 7] + " FAILED" + "x" * 50
    assert parse_log_tests(long).results == parse_tests(parse_lines(long)).results != ()


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(LINES), st.text(alphabet="a. :'(/[=_ -9FAIL", min_size=1, max_size=6))
def test_long_lines_are_read_in_part(line: str, filler: str) -> None:
    long = line + filler * (2 * MAX_LINE_CHARS // len(filler)) + line
    report = parse_tests(parse_lines("\n".join(["running 1 test", long, long])))
    assert all(len(result.test) <= MAX_LINE_CHARS for result in report.results)


def test_a_number_that_no_table_holds_is_not_read() -> None:
    huge = "9" * 40
    report = parse_tests(parse_lines(f"running {huge} tests\ntest result: ok. {huge} passed; 0 failed; 0 ignored\n"))
    assert report.suites == ()
