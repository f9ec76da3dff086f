"""jest, vitest and mocha."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from kotaci.logs.lines import Line
from kotaci.logs.results.report import Block, Draft, Reader, Suite

_EXTENSION = re.compile(r"\.(?:[cm]?[jt]sx?|vue|svelte|coffee|es6)$")
_MAX_WORDS = 8
"""Words of a row among which its file is looked for: a project's label may stand before it."""
_AT = re.compile(r"\s+(?:at |❯ )(?:.*\()?([^\s()]+):([0-9]+):[0-9]+\)?$")
_JEST_COUNT = re.compile(r"Tests: +(.*?)[0-9]{1,9} total")
_VITEST_COUNT = re.compile(r"Tests  +(.*?)\([0-9]{1,9}\)$")
_MAX_COUNT_CHARS = 200
_COUNTED = re.compile(r"\b([0-9]{1,9}) (passed|failed|skipped|todo|pending)")
_NOT_A_TEST = ("Console", "Validation ", "Deprecation ", "Cannot log after ", "process.exit called")


@dataclass
class Jest(Reader):
    """Reads jest's blocks (a bullet and the titles from outside in) and vitest's (`FAIL file > titles`)."""

    HEADS = (
        r"^(?:\S+ )?[ \t]*(?:FAIL|PASS)[ \t]+.*\.(?:[cm]?[jt]sx?|vue|svelte|coffee|es6)\b",
        r"^(?:\S+ )?[ \t]*● \S",
        r"^(?:\S+ )?Tests: +.*[0-9]+ total",
        r"^ +Tests  +.*\([0-9]+\)$",
        r"^No test(?: file)?s found, exiting",
    )
    file: str = ""
    current: Draft | None = None
    line: int = 0

    def read(self, line: Line, text: str) -> None:
        self.line = self.line or line.number
        shown = text.lstrip()
        if "● " in text and (title := shown.partition("● ")[2].strip()):
            self._read_bullet(line, title)
        elif ("FAIL" in text or "PASS" in text) and self._read_file(line, shown):
            pass
        elif "Tests" in text and self._read_count(line, text):
            self.current, self.file = None, ""
        elif shown.startswith(("No tests found", "No test files found")):
            self.suites.append(Suite("jest" if "tests" in shown[:8] else "vitest", "", 0, 0, None, (), line.number))
        elif self.current is not None:
            self._read_body(line, text)
        self.is_open = self.current is not None

    def _read_file(self, line: Line, text: str) -> bool:
        """Read a row of a file; the tool that runs many packages may have put a word with a colon before it."""
        first, _, rest = text.partition(" ")
        if first.endswith(":"):
            first, _, rest = rest.lstrip().partition(" ")
        if first not in {"FAIL", "PASS"}:
            return False
        file = next((word for word in rest.split()[:_MAX_WORDS] if _EXTENSION.search(word)), "")
        if not file:
            return False
        self.current = None
        self.file = file if first == "FAIL" else ""
        titles = rest.partition(file)[2].strip()
        if self.file and titles.startswith(("> ", "[ ")):
            name = f"{file} {titles}" if titles.startswith("> ") else file
            self.current = Draft("vitest", file, name, line.number, block=Block(line.number, line.number))
            self.drafts.append(self.current)
        return True

    def _read_bullet(self, line: Line, title: str) -> None:
        self.current = None
        if not self.file or title.startswith(_NOT_A_TEST):
            return
        name = self.file if title == "Test suite failed to run" else title
        self.current = Draft("jest", self.file, name, line.number, block=Block(line.number, line.number))
        self.drafts.append(self.current)

    def _read_body(self, line: Line, text: str) -> None:
        draft = self.current
        if draft is None or draft.block is None:
            return
        shown = text.strip()
        if found := _AT.match(text):
            if not draft.block.location and "node_modules" not in found[1]:
                draft.block.location = f"{found[1]}:{found[2]}"
                self.current = None
            elif line.number - draft.block.first > 60:
                self.current = None
        elif shown and line.number - draft.block.first < 12:
            draft.block.message = draft.block.message or shown
            draft.block.last = line.number
        elif line.number - draft.block.first > 60:
            self.current = None

    def _read_count(self, line: Line, text: str) -> bool:
        shown = text[text.find("Tests") :][:_MAX_COUNT_CHARS]
        jest = _JEST_COUNT.match(shown)
        found = jest or _VITEST_COUNT.match(shown)
        if found is None:
            return False
        counts = {word: int(n) for n, word in _COUNTED.findall(found[1])}
        n_skipped = sum(n for word, n in counts.items() if word not in {"passed", "failed"})
        framework = "jest" if jest else "vitest"
        suite = Suite(framework, "", counts.get("passed", 0), counts.get("failed", 0), n_skipped, (), line.number)
        self.suites.append(suite)
        return True

    def end_step(self) -> None:
        self.current, self.file, self.is_open = None, "", False


_PASSING = re.compile(r"\s+([0-9]{1,9}) passing\b")
_PENDING = re.compile(r"\s+([0-9]{1,9}) pending$")
_FAILING = re.compile(r"\s+([0-9]{1,9}) failing$")
_NUMBERED = re.compile(r"\s+([0-9]{1,6})\) (\S.*)$")
MAX_TITLES = 20


@dataclass
class Mocha(Reader):
    """Reads mocha's list of failures: numbered, titles from outside in on their own lines, the last with a colon."""

    HEADS = (r"^ +[0-9]+ (?:passing|failing|pending)\b",)
    n_passed: int | None = None
    n_skipped: int | None = None
    n_failed: int = 0
    n_read: int = 0
    line: int = 0
    titles: list[str] = field(default_factory=list)
    current: Draft | None = None

    def read(self, line: Line, text: str) -> None:
        if found := _PASSING.match(text):
            self._end_run()
            self.n_passed, self.line = int(found[1]), line.number
        elif self.n_passed is not None and (found := _PENDING.match(text)):
            self.n_skipped = int(found[1])
        elif self.n_passed is not None and (found := _FAILING.match(text)):
            self.n_failed = int(found[1])
        elif self.n_failed:
            self._read_failure(line, text)
        self.is_open = self.n_failed > 0

    def _read_failure(self, line: Line, text: str) -> None:
        found = _NUMBERED.match(text) if ")" in text[:12] else None
        if found and int(found[1]) == self.n_read + 1 and self.n_read < self.n_failed:
            self.n_read += 1
            self.current = Draft("mocha", "", "", line.number, block=Block(line.number, line.number))
            self.titles = []
            self._add_title(found[2])
        elif line.mark:
            self._end_run()
        elif self.current is not None:
            self._read_body(line, text, self.current)

    def _add_title(self, text: str) -> None:
        draft = self.current
        if draft is None:
            return
        self.titles.append(text.strip().removesuffix(":"))
        if text.rstrip().endswith(":"):
            draft.suite, draft.test = self.titles[0], " ".join(self.titles)
            self.drafts.append(draft)
        elif len(self.titles) > MAX_TITLES:
            self.current = None

    def _read_body(self, line: Line, text: str, draft: Draft) -> None:
        block, shown = draft.block, text.strip()
        if block is None or not shown:
            return
        if not draft.test:
            block.last = line.number
            self._add_title(shown)
        elif found := _AT.match(text):
            if not block.location and "node_modules" not in found[1]:
                block.location = f"{found[1]}:{found[2]}"
            if self.n_read == self.n_failed:
                self._end_run()
            self.current = None
        elif line.number - block.first < 12:
            block.message = block.message or shown
            block.last = line.number

    def _end_run(self) -> None:
        if self.n_passed is not None:
            self.suites.append(Suite("mocha", "", self.n_passed, self.n_failed, self.n_skipped, (), self.line))
        self.n_passed, self.n_skipped, self.n_failed, self.n_read = None, None, 0, 0
        self.current, self.is_open = None, False

    def end_step(self) -> None:
        self._end_run()
