"""Gradle's test events."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from kotaci.logs.lines import Line
from kotaci.logs.results.maven import FRAME
from kotaci.logs.results.report import Block, Draft, Reader, Suite

_NOT_OF_A_CLASS = ("Gradle suite", "Gradle test", "Gradle Test Run ", "Gradle Test Executor ")
_DOTTED = re.compile(r"[\w$]+(?:\.[\w$<>]+)+(?:\[.*\])?$")
_COMPLETED = re.compile(r"([0-9]{1,9}) tests? completed(?:, ([0-9]{1,9}) failed)?(?:, ([0-9]{1,9}) skipped)?$")
_SHORT = re.compile(r"    (\S+) at ([\w$.-]+\.\w+):([0-9]+)$")


@dataclass
class Gradle(Reader):
    """Reads Gradle's events: `Class > method FAILED`, nested and parametrised, then the exception indented."""

    HEADS = (r"^[^\s>].* (?:FAILED|PASSED)$", r"^[0-9]+ tests? completed", r"^> No tests found for given includes")
    current: Draft | None = None
    is_sure: bool = False
    passed: dict[str, list[str]] = field(default_factory=dict)
    failed: dict[str, list[str]] = field(default_factory=dict)

    def read(self, line: Line, text: str) -> None:
        if not text.startswith((" ", ">")) and text.endswith((" FAILED", " PASSED")):
            self._read_event(line, text)
        elif found := _COMPLETED.match(text):
            self._add_suites(line, found)
        elif text.startswith("> No tests found"):
            self.suites.append(Suite("gradle", "", 0, 0, None, (), line.number))
        elif self.current is not None:
            self._read_body(line, text, self.current)
        self.is_open = self.current is not None

    def _read_event(self, line: Line, text: str) -> None:
        self.current = None
        titles = [title for title in text[:-7].strip().split(" > ") if not title.startswith(_NOT_OF_A_CLASS)]
        if not titles or titles[0].startswith(":"):
            return
        dotted = len(titles) == 1
        if dotted and not _DOTTED.match(titles[0]):
            return
        suite = titles[0].rpartition(".")[0] if dotted else titles[0]
        test = " > ".join(titles)
        if text.endswith("PASSED"):
            if not dotted:
                self.passed.setdefault(suite, []).append(test)
            return
        self.current = Draft("gradle", suite, test, line.number, block=Block(line.number, line.number))
        self.is_sure = not dotted
        if self.is_sure:
            self._keep(self.current)

    def _keep(self, draft: Draft) -> None:
        self.drafts.append(draft)
        self.failed.setdefault(draft.suite, []).append(draft.test)

    def _read_body(self, line: Line, text: str, draft: Draft) -> None:
        """An exception stands indented below; without one, a lone dotted word before FAILED was no test."""
        block = draft.block
        if block is None or not text.startswith("    ") or not text.strip():
            self.current = None
            return
        if not self.is_sure:
            self._keep(draft)
            self.is_sure = True
        if found := _SHORT.match(text):
            block.message = block.message or found[1]
            block.location, block.last = block.location or f"{found[2]}:{found[3]}", line.number
            self.current = None
        elif found := FRAME.match(text):
            if not block.location or draft.suite.endswith(found[1].rpartition(".")[0]):
                block.location = f"{found[2]}:{found[3]}"
            if found[1].startswith(draft.suite) or line.number - block.first > 60:
                self.current = None
        elif not block.location and line.number - block.first < 8:
            block.message = block.message or text.strip()
            block.last = line.number

    def _add_suites(self, line: Line, found: re.Match[str]) -> None:
        n, n_failed, n_skipped = int(found[1]), int(found[2] or 0), int(found[3] or 0)
        n_named = sum(len(names) for by in (self.passed, self.failed) for names in by.values())
        if n_named == n - n_skipped:
            self._add_named(line.number)
        else:
            self.suites.append(Suite("gradle", "", n - n_failed - n_skipped, n_failed, n_skipped, (), line.number))
        self.passed, self.failed = {}, {}

    def _add_named(self, number: int) -> None:
        for suite in dict.fromkeys([*self.passed, *self.failed]):
            passed, failed = self.passed.get(suite, []), self.failed.get(suite, [])
            self.suites.append(Suite("gradle", suite, len(passed), len(failed), None, (*passed, *failed), number))

    def end_step(self) -> None:
        self._add_named(self.drafts[-1].line if self.drafts else 0)
        self.current, self.is_open, self.passed, self.failed = None, False, {}, {}
