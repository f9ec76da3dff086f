"""go test: `--- FAIL: TestX (0.00s)`, subtests by slashes, and a line for each package."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from kotaci.logs.lines import Line
from kotaci.logs.results.report import Block, Draft, Reader, Suite

_ROW = re.compile(r"\s*--- (FAIL|PASS|SKIP): (\S+) \(([0-9.]+)s\)$")
_PACKAGE = re.compile(r"(ok|FAIL)\s+([\w./~-]+)\s+(?:[0-9.]+s|\(cached\)|\[build failed\]|\[setup failed\])")
_SAID = re.compile(r"\s+([\w./-]+\.go):([0-9]+): (.*)$")


@dataclass
class Go(Reader):
    """Reads go test's rows; the package is known only once its own line comes."""

    HEADS = (
        r"^ *--- (?:FAIL|PASS|SKIP): \S+ \([0-9.]+s\)$",
        r"^(?:ok|FAIL)[ \t]+[\w./~-]+[ \t]+(?:[0-9.]+s|\(cached\)|\[)",
    )
    open_drafts: list[Draft] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    current: Draft | None = None

    def read(self, line: Line, text: str) -> None:
        if found := _ROW.match(text):
            self.current = None
            self.names[found[2]] = found[1]
            if found[1] == "FAIL":
                self.current = Draft("go", "", found[2], line.number, wall_s=float(found[3]))
                self.current.block = Block(line.number, line.number)
                self.open_drafts.append(self.current)
        elif found := _PACKAGE.match(text):
            self._end_package(line, found)
        elif self.current is not None and (block := self.current.block) is not None:
            said = _SAID.match(text)
            if said or (text.startswith("    ") and block.message):
                if said and not block.location:
                    block.message, block.location = said[3], f"{said[1]}:{said[2]}"
                if not block.grow(line.number):
                    self.current = None
            else:
                self.current = None
        self.is_open = self.current is not None

    def _end_package(self, line: Line, found: re.Match[str]) -> None:
        words = list(self.names.values())
        if self.names or "no tests to run" in line.text:
            names = tuple(name for name, word in self.names.items() if word != "SKIP")
            is_whole = found[1] == "FAIL" and "PASS" not in words
            n_passed = None if is_whole else words.count("PASS")
            n_failed, n_skipped = words.count("FAIL"), words.count("SKIP")
            self.suites.append(
                Suite("go", found[2], n_passed, n_failed, n_skipped, () if is_whole else names, line.number)
            )
        for draft in self.open_drafts:
            draft.suite = found[2]
        self._end()

    def _end(self) -> None:
        self.drafts += self.open_drafts
        self.open_drafts, self.names, self.current, self.is_open = [], {}, None, False

    def end_step(self) -> None:
        self._end()
