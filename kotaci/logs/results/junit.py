"""JUnit XML, the report that most test runners can write, to the same results that logs give; by junitparser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from junitparser import Error, Failure, JUnitXmlError
from junitparser.xunit2 import InterimResult, JUnitXml, TestCase, TestSuite

from kotaci.logs.results.report import MAX_MESSAGE_CHARS, Suite, TestReport, TestResult, seconds
from kotaci.model import BadInput

_DECLARATION = re.compile(r"\s*<\?xml[^>]{0,200}\?>")
_OUT_OF_BAND = (b"<!DOCTYPE", b"<!ENTITY")
_NEXTEST = "nextest-run"


def parse_junit(xml: bytes | str) -> TestReport:
    """Return what a JUnit XML report tells; results have line 0 and no spans.

    A test that failed and passed on the runner's own retry (`flakyFailure`, `flakyError`, as nextest and surefire
    write them) is flaky. A test is named by its class and name, as logs of the JVM do it; nextest's by binary and
    name. Raises BadInput for what is not whole JUnit XML, and for a document type: no runner writes one, and its
    entities can grow without end.
    """
    body = _DECLARATION.sub("", xml.lstrip("\ufeff"), count=1).encode() if isinstance(xml, str) else xml
    if any(word in body for word in _OUT_OF_BAND):
        raise BadInput("a JUnit report", "declares a document type or entities", "write it without them")
    try:
        whole: Any = JUnitXml.fromstring(body)
    except (JUnitXmlError, SyntaxError, ValueError) as error:
        raise BadInput("a JUnit report", f"is not whole JUnit XML ({error})", "export it again") from error
    is_nextest = whole.name == _NEXTEST
    results: list[TestResult] = []
    ran: dict[str, dict[str, bool]] = {}
    times: dict[str, dict[str, float | None]] = {}
    n_skipped: dict[str, int] = {}
    for suite, case in _cases(whole):
        owner = (suite.name if is_nextest else case.classname or suite.name) or ""
        test = _name(case, owner, is_nextest=is_nextest)
        if case.is_skipped and not (case.is_failure or case.is_error):
            n_skipped[owner] = n_skipped.get(owner, 0) + 1
            continue
        result = _result(case, owner, test)
        if result is not None:
            results.append(result)
        is_good = result is None or result.outcome == "flaky"
        ran.setdefault(owner, {})[test] = is_good and ran.get(owner, {}).get(test, True)
        times.setdefault(owner, {})[test] = _wall(case)
    suites = [
        Suite("junit", owner, sum(passed.values()), len(passed) - sum(passed.values()), n_skipped.get(owner, 0),
              tuple(passed), times=tuple(times[owner].values()))
        for owner, passed in ran.items()
    ]  # fmt: skip
    known = {(result.suite, result.test): result for result in reversed(results)}
    return TestReport(tuple(reversed(known.values())), tuple(suites))


def _cases(whole: Any) -> Iterator[tuple[TestSuite, TestCase]]:
    """Yield every case with the suite that holds it; suites may hold suites, deeper than Python may recurse."""
    waiting = list(reversed(list(whole)))
    while waiting:
        suite = waiting.pop()
        yield from ((suite, case) for case in suite.iterchildren(TestCase))
        waiting += reversed(list(suite.iterchildren(TestSuite)))


def _name(case: TestCase, owner: str, *, is_nextest: bool) -> str:
    name = case.name or ""
    if is_nextest or not owner or not case.classname or owner in name:
        return name or owner
    return f"{owner}.{name}" if name else owner


def _result(case: TestCase, owner: str, test: str) -> TestResult | None:
    bad = next((entry for entry in case.result if isinstance(entry, Failure | Error)), None)
    told = bad if bad is not None else next(iter(case.interim_result), None)
    if told is None:
        return None
    outcome = "failed" if bad is not None else "flaky"
    return TestResult(
        framework="junit",
        suite=owner,
        test=test,
        outcome=outcome,
        message=_first_line(told.message or told.text or _trace(told)),
        wall_s=_wall(case),
    )


def _trace(told: object) -> str:
    return (told.stack_trace or "") if isinstance(told, InterimResult) else ""


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")[:MAX_MESSAGE_CHARS]


def _wall(case: TestCase) -> float | None:
    try:
        return seconds(str(case.time))
    except ValueError:
        return None
