"""Test results from a job's log: which tests ran, failed, flaked or were slow, in the words of their framework.

Every reader is one state machine over the lines; a set of patterns (RE2) hands a line only to the readers that know
it, and to those with something open. What no framework printed is not guessed: a build that broke has no failed test.
"""

from __future__ import annotations

from collections.abc import Iterable

from kotaci.logs.lines import MAX_LINE_CHARS, Line
from kotaci.logs.patterns import PatternSet
from kotaci.logs.results.ant import Ant
from kotaci.logs.results.go import Go
from kotaci.logs.results.gradle import Gradle
from kotaci.logs.results.javascript import Jest, Mocha
from kotaci.logs.results.libtest import Libtest
from kotaci.logs.results.maven import Surefire
from kotaci.logs.results.nextest import Nextest
from kotaci.logs.results.pytests import Pytest
from kotaci.logs.results.report import Reader, Suite, TestReport, TestResult, once
from kotaci.logs.results.unittests import Unittest

__all__ = ["Suite", "TestReport", "TestResult", "parse_tests"]

_READERS: tuple[type[Reader], ...] = (Libtest, Nextest, Pytest, Unittest, Jest, Mocha, Surefire, Gradle, Ant, Go)
_HEADS = PatternSet([head for reader in _READERS for head in reader.HEADS])
_OWNER = [place for place, reader in enumerate(_READERS) for _ in reader.HEADS]
_LIBTEST = _READERS.index(Libtest)


def parse_tests(lines: Iterable[Line]) -> TestReport:
    """Return what the lines of a job's log tell of tests; each failed test once, in the order of the log.

    One pass, linear in the log. The runner's echo of scripts is left out. What libtest prints inside nextest's
    captured output is nextest's. Names are as printed; two frameworks never share an identity.
    """
    nextest = Nextest()
    readers = [nextest if reader is Nextest else reader() for reader in _READERS]
    for line in lines:
        if line.is_echo:
            continue
        if line.mark == "group" and line.text.startswith("Run "):
            for reader in readers:
                reader.end_step()
            continue
        text = line.text if len(line.text) <= MAX_LINE_CHARS else line.text[:MAX_LINE_CHARS]
        wanted = {_OWNER[place] for place in _HEADS.found_in(text)}
        wanted.update(place for place, reader in enumerate(readers) if reader.is_open)
        if nextest.is_running:
            wanted.discard(_LIBTEST)
        for place in sorted(wanted):
            readers[place].read(line, text)
    for reader in readers:
        reader.finish()
    drafts = sorted(once(draft for reader in readers for draft in reader.drafts), key=lambda draft: draft.line)
    suites = sorted((suite for reader in readers for suite in reader.suites), key=lambda suite: suite.line)
    return TestReport(tuple(draft.to_result() for draft in drafts), tuple(suites))
