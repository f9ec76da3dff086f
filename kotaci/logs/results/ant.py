"""Ant's junit task, and the console launcher of the JUnit platform."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from kotaci.logs.lines import Line
from kotaci.logs.results.maven import FRAME, RUN
from kotaci.logs.results.report import Block, Draft, Reader, Suite, seconds

_CASE = re.compile(r"Testcase: (.+?) took ([0-9.,]+) sec")
_TREE = re.compile(r"  (\S.*:.*)$")
_SOURCE = re.compile(r"MethodSource \[className = '([^']{1,500})', methodName = '([^']{1,500})'")
_PLAIN_FRAME = re.compile(r"(\S{1,400}?)\(([\w$.-]+\.\w+):([0-9]+)\)$")
_PLATFORM = re.compile(r"\[ +([0-9]{1,9}) tests (found|skipped|successful|failed) +\]")


@dataclass
class Ant(Reader):
    """Reads `Testcase: x took ...` with `FAILED` or `Caused an ERROR`, and the launcher's `Failures (N):` tree."""

    HEADS = (
        r"^ *(?:\[junit\] )?Test(?:suite|case): ",
        r"^ *\[junit\] (?:Tests run: |Running |Test \S+ FAILED|TEST \S+ FAILED)",
        r"^ *(?:\[\w+\] )?Failures \([0-9]+\):$",
        r"\[ +[0-9]+ tests (?:found|skipped|successful|failed) +\]$",
    )
    suite: str = ""
    case: Draft | None = None
    current: Draft | None = None
    in_tree: bool = False
    n_in_suite: int = 0
    counts: dict[str, int] = field(default_factory=dict)

    def read(self, line: Line, text: str) -> None:
        shown = text.lstrip(" ")
        is_task = shown.startswith("[junit]")
        shown = shown[8:] if is_task else text
        stripped = shown.strip()
        if stripped.startswith(("Testsuite: ", "Running ")):
            self.suite, self.case, self.current, self.n_in_suite = stripped.split(None, 1)[1], None, None, 0
        elif stripped.startswith("Tests run: ") and self.suite and (found := RUN.match(stripped)):
            n, n_failed, n_skipped = int(found[1]), int(found[2]) + int(found[3]), int(found[4] or 0)
            suite = Suite("ant", self.suite, max(0, n - n_failed - n_skipped), n_failed, n_skipped, (), line.number)
            self.suites.append(suite)
        elif found := _CASE.match(stripped):
            self.case = Draft("ant", self.suite, f"{self.suite}.{found[1]}".lstrip("."), line.number)
            self.case.wall_s, self.current = seconds(found[2]), None
        elif self.case is not None and stripped in {"FAILED", "Caused an ERROR"}:
            self.case.block = Block(line.number, line.number)
            self.current, self.case = self.case, None
            self.drafts.append(self.current)
            self.n_in_suite += 1
        elif re.match(r"T(?:est|EST) \S+ FAILED", stripped):
            if not self.n_in_suite:
                name = stripped.split()[1]
                self.drafts.append(Draft("ant", name, name, line.number))
            self.suite, self.n_in_suite = "", 0
        elif stripped.startswith("Failures (") and stripped.endswith("):"):
            self.in_tree, self.current = True, None
        elif found := _PLATFORM.search(stripped):
            self._read_platform(line, found)
        elif self.in_tree:
            self._read_tree(line, shown, stripped)
        elif self.current is not None:
            self._read_body(line, shown, self.current)
        self.is_open = self.in_tree or self.current is not None or self.case is not None

    def _read_tree(self, line: Line, shown: str, stripped: str) -> None:
        if found := _TREE.match(shown) if not shown.startswith("   ") else None:
            self.current = Draft("junit", "", found[1], line.number, block=Block(line.number, line.number))
            self.drafts.append(self.current)
        elif not stripped:
            self.in_tree, self.current = False, None
        elif self.current is not None and self.current.block is not None:
            self._read_leaf(line, stripped, self.current, self.current.block)

    @staticmethod
    def _read_leaf(line: Line, text: str, draft: Draft, block: Block) -> None:
        if found := _SOURCE.search(text):
            last = draft.test.rpartition(":")[2]
            draft.suite = found[1]
            draft.test = f"{found[1]}.{found[2]}" + (last if last.startswith("[") else "")
            block.last = line.number
        elif text.startswith("=> "):
            block.message, block.last = text[3:], line.number
        elif (found := _PLAIN_FRAME.match(text)) and (not block.location or found[1].startswith(draft.suite)):
            block.location = f"{found[2]}:{found[3]}"

    def _read_body(self, line: Line, text: str, draft: Draft) -> None:
        block = draft.block
        if block is None or not text.strip() or line.number - block.first > 40:
            self.current = None
        elif found := FRAME.match(text):
            if not block.location or found[1].startswith(draft.suite):
                block.location = f"{found[2]}:{found[3]}"
        elif not block.location and line.number - block.first < 8:
            block.message = block.message or text.strip()
            block.last = line.number

    def _read_platform(self, line: Line, found: re.Match[str]) -> None:
        self.counts[found[2]] = int(found[1])
        if found[2] == "failed":
            passed, skipped = self.counts.get("successful"), self.counts.get("skipped")
            self.suites.append(Suite("junit", "", passed, int(found[1]), skipped, (), line.number))
            self.counts = {}

    def end_step(self) -> None:
        self.suite, self.case, self.current, self.in_tree, self.is_open = "", None, None, False, False
        self.counts, self.n_in_suite = {}, 0
