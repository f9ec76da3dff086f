"""Reads a small log that a test writes down."""

from __future__ import annotations

from textwrap import dedent

from kotaci.logs.lines import parse_lines
from kotaci.logs.results import Suite, TestReport, TestResult, parse_tests


def report(text: str) -> TestReport:
    """Return what the log tells; its first line is line 1."""
    return parse_tests(parse_lines(dedent(text).removeprefix("\n")))


def names(text: str) -> list[tuple[str, str, str]]:
    """Return outcome, suite and test of every result."""
    return [(result.outcome, result.suite, result.test) for result in report(text).results]


def only(text: str) -> TestResult:
    """Return the one result of a log that has one."""
    (result,) = report(text).results
    return result


def counted(text: str) -> list[tuple[str, int | None, int | None, int | None]]:
    """Return every suite with what it counted."""
    return [(suite.suite, suite.n_passed, suite.n_failed, suite.n_skipped) for suite in suites(text)]


def suites(text: str) -> tuple[Suite, ...]:
    """Return the suites of the log."""
    return report(text).suites
