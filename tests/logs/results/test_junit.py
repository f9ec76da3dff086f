"""JUnit XML in the dialects of its writers, and what is no such thing."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kotaci.logs.results import TestReport, parse_junit
from kotaci.model import BadInput

SUREFIRE = b"""<?xml version="1.0" encoding="UTF-8"?>
<testsuite name="org.shop.TillTest" tests="4" failures="1" errors="0" skipped="1" time="1,234.5">
  <testcase name="opens" classname="org.shop.TillTest" time="0.01"/>
  <testcase name="addsTwo" classname="org.shop.TillTest" time="0.02">
    <failure type="java.lang.AssertionError"><![CDATA[
java.lang.AssertionError: expected 3
        at org.shop.TillTest.addsTwo(TillTest.java:9)]]></failure>
    <rerunFailure message="again"/>
  </testcase>
  <testcase name="closes" classname="org.shop.TillTest"><skipped/></testcase>
  <testcase name="counts" classname="org.shop.TillTest">
    <flakyError message="stuck once"><stackTrace>java.lang.Error: stuck once</stackTrace></flakyError>
  </testcase>
</testsuite>
"""

NEXTEST = """<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="nextest-run" tests="2" failures="0" errors="0">
  <testsuite name="ledger::net" tests="2" disabled="0" errors="0" failures="0">
    <testcase name="connects" classname="ledger::net" time="0.011">
      <flakyFailure message="thread panicked" type="test failure"><system-err>port in use</system-err></flakyFailure>
    </testcase>
    <testcase name="resolves" classname="ledger::net" time="0.002"/>
  </testsuite>
</testsuites>
"""


def told(report: TestReport) -> list[tuple[str, str, str, str]]:
    return [(result.outcome, result.suite, result.test, result.message) for result in report.results]


def test_a_retry_that_passed_is_flaky_and_one_that_failed_again_is_failed() -> None:
    report = parse_junit(SUREFIRE)
    assert told(report) == [
        ("failed", "org.shop.TillTest", "org.shop.TillTest.addsTwo", "java.lang.AssertionError: expected 3"),
        ("flaky", "org.shop.TillTest", "org.shop.TillTest.counts", "stuck once"),
    ]
    assert report.results[0].wall_s == 0.02
    (suite,) = report.suites
    assert (suite.n_passed, suite.n_failed, suite.n_skipped, len(suite.names)) == (2, 1, 1, 3)
    assert suite.times == (0.01, 0.02, None)


def test_nextest_names_binary_and_test_as_in_its_log() -> None:
    report = parse_junit(NEXTEST)
    assert told(report) == [("flaky", "ledger::net", "connects", "thread panicked")]
    assert report.suites[0].names == ("connects", "resolves")


def test_pytest_names_module_and_test() -> None:
    report = parse_junit(
        '<testsuites><testsuite name="pytest"><testcase classname="tests.test_shop.TestTill" name="test_sum[a - b]">'
        '<failure message="assert 1 == 2&#10;more">trace</failure></testcase></testsuite></testsuites>'
    )
    assert told(report) == [
        ("failed", "tests.test_shop.TestTill", "tests.test_shop.TestTill.test_sum[a - b]", "assert 1 == 2")
    ]


def test_suites_in_suites_are_read_however_deep() -> None:
    deep = "<testsuite name='s'>" * 3_000 + "<testcase name='t'><error/></testcase>" + "</testsuite>" * 3_000
    assert told(parse_junit(f"<testsuites>{deep}</testsuites>")) == [("failed", "s", "t", "")]


@pytest.mark.parametrize("body", ["", "<testsuite", "<html/>", "<testsuite><testcase></testsuite>", b"\xff\xfe<"])
def test_what_is_no_junit_xml_is_told(body: str | bytes) -> None:
    with pytest.raises(BadInput, match="is not whole JUnit XML"):
        parse_junit(body)


def test_entities_are_refused_before_they_grow() -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><testsuite name="&b;"/>'
    with pytest.raises(BadInput, match="declares a document type"):
        parse_junit(bomb)


@given(st.text(alphabet="<>/= \"'abctesuirlnfp", max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(BadInput):
        assert isinstance(parse_junit("<testsuite>" + text), TestReport)
