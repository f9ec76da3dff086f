"""Test results from a job's log: which tests ran, failed, flaked or were slow, in the words of their framework.

Every reader is one state machine over the lines; a set of patterns (RE2) hands a line only to the readers that know
it, and to those with something open. What no framework printed is not guessed: a build that broke has no failed test.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from kotaci.logs.lines import MAX_LINE_CHARS, STAMP, Line, Lines, without_colours
from kotaci.logs.patterns import LinePatterns
from kotaci.logs.results.ant import Ant
from kotaci.logs.results.go import Go
from kotaci.logs.results.gradle import Gradle
from kotaci.logs.results.javascript import Jest, Mocha
from kotaci.logs.results.junit import parse_junit
from kotaci.logs.results.libtest import PASSED, Libtest
from kotaci.logs.results.maven import Surefire
from kotaci.logs.results.nextest import Nextest
from kotaci.logs.results.pytests import Pytest
from kotaci.logs.results.report import Reader, Suite, TestReport, TestResult, once
from kotaci.logs.results.unittests import Unittest

__all__ = ["Suite", "TestReport", "TestResult", "parse_junit", "parse_log_tests", "parse_tests"]

_READERS: tuple[type[Reader], ...] = (Libtest, Nextest, Pytest, Unittest, Jest, Mocha, Surefire, Gradle, Ant, Go)
_BEFORE = r"(?:[^\s0-9]{0,3}20[0-9-]{8}T[0-9:.]{9,20}Z ?)?(?:##\[[a-z-]{1,20}[^\]\n]{0,200}\])?"
"""What may stand before a line's text: time stamp and marker, read generously."""
_HEADS = LinePatterns([head for reader in _READERS for head in reader.HEADS], before=_BEFORE, many=PASSED)
_PASSED = re.compile(rf"^(?:{STAMP.pattern})?test (.+) \.\.\. ok$", re.MULTILINE)
_OWNER = [place for place, reader in enumerate(_READERS) for _ in reader.HEADS]
_LIBTEST, _NEXTEST = _READERS.index(Libtest), _READERS.index(Nextest)


class _Log:
    """All readers at once, fed line by line; each is made when a line first speaks to it."""

    def __init__(self) -> None:
        self._readers: dict[int, Reader] = {}
        self._open: set[int] = set()

    @property
    def is_open(self) -> bool:
        return bool(self._open)

    def feed(self, line: Line) -> None:
        if line.is_echo:
            if line.mark == "group":
                for reader in self._readers.values():
                    reader.end_step()
                self._open.clear()
            return
        text = line.text if len(line.text) <= MAX_LINE_CHARS else line.text[:MAX_LINE_CHARS]
        found = [_OWNER[head] for head in _HEADS.found_in(text)]
        if not found and not self._open:
            return
        nextest = self._readers.get(_NEXTEST)
        is_muted = isinstance(nextest, Nextest) and nextest.is_running
        for place in sorted({*self._open, *found}) if self._open or len(found) > 1 else found:
            if is_muted and place == _LIBTEST:
                continue
            if place not in self._readers:
                self._readers[place] = _READERS[place]()
            reader = self._readers[place]
            reader.read(line, text)
            if reader.is_open:
                self._open.add(place)
            else:
                self._open.discard(place)

    def takes_passed(self, rows: Sequence[str]) -> bool:
        """Take in rows of libtest, all of tests that passed, with their time stamps; False where they must be read."""
        libtest, nextest = self._readers.get(_LIBTEST), self._readers.get(_NEXTEST)
        is_muted = isinstance(nextest, Nextest) and nextest.is_running
        if self._open or is_muted or not isinstance(libtest, Libtest):
            return False
        text = "\n".join(rows)
        names = [name for _, name in _PASSED.findall(text)]
        is_clear = len(names) == len(rows) == text.count(" ... ") and " - " not in text
        return is_clear and libtest.takes_passed(names)

    def to_report(self) -> TestReport:
        readers = [self._readers[place] for place in sorted(self._readers)]
        for reader in readers:
            reader.finish()
        drafts = once(draft for reader in readers for draft in reader.drafts)
        suites = [suite for reader in readers for suite in reader.suites]
        return TestReport(
            tuple(draft.to_result() for draft in sorted(drafts, key=lambda draft: draft.line)),
            tuple(sorted(suites, key=lambda suite: suite.line)),
        )


def parse_tests(lines: Iterable[Line]) -> TestReport:
    """Return what the lines of a job's log tell of tests; each failed test once, in the order of the log.

    One pass, linear in the log. The runner's echo of scripts is left out. What libtest prints inside nextest's
    captured output is nextest's. Names are as printed; two frameworks never share an identity.
    """
    log = _Log()
    for line in lines:
        log.feed(line)
    return log.to_report()


def parse_log_tests(text: str) -> TestReport:
    """Return the same as `parse_tests(parse_lines(text))`, several times as fast: most lines are only searched.

    For tables of many jobs, of which most passed and still may hide a test that passed only when run again.
    """
    lines = Lines(text)
    raws = text.split("\n")
    is_plain = "\r" not in text and "\x1b" not in text and "^[[" not in text
    searched = raws if is_plain else [without_colours(raw).removesuffix("\r") for raw in raws]
    # A line is read only up to MAX_LINE_CHARS, so the end of a longer one is not where it is searched.
    hits = {number for number, raw in enumerate(raws) if len(raw) > MAX_LINE_CHARS}
    hits.update(_HEADS.lines_of("\n".join(searched)), lines.echo_starts)
    log, number = _Log(), 0
    for hit in [*sorted(hits), len(lines)]:
        while number < hit and log.is_open:
            log.feed(lines[number])
            number += 1
        if hit < number or hit == len(lines):
            continue
        number = hit + 1
        if searched[hit].endswith(" ... ok") and not lines.is_echo(hit):
            while number in hits and searched[number].endswith(" ... ok"):
                number += 1
            if log.takes_passed(searched[hit:number]):
                continue
            number = hit + 1
        log.feed(lines[hit])
    return log.to_report()
