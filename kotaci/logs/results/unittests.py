"""unittest and nose: a rule, `FAIL: test_x (pkg.Class)`, a rule, a traceback; then `Ran N tests`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from kotaci.logs.lines import Line
from kotaci.logs.results.report import Block, Draft, Reader, Suite

_HEAD = re.compile(r"(?:FAIL|ERROR): (\S.*)$")
_NAME = re.compile(r"\S+ \([\w.<>]+\)")
_SUITE = re.compile(r"\(([\w.<>]+)\)")
_FILE = re.compile(r'  File "([^"]{1,500})", line ([0-9]+)')
_OUTPUT = ("-------------------- >> begin captured", "Stdout:", "Stderr:")
_RAN = re.compile(r"Ran ([0-9]{1,9}) tests? in [0-9.]+s")
_VERDICT = re.compile(r"(?:OK|FAILED|NO TESTS RAN)(?: \((.*)\))?$")
_COUNTED = re.compile(r"(failures|errors|skipped|unexpected successes)=([0-9]{1,9})")
_ROW = re.compile(
    r"(?P<name>\w+ \([\w.<>]+\))(?: .*)? \.\.\. (?P<word>ok|FAIL|ERROR|expected failure|unexpected success)$"
)


@dataclass
class Unittest(Reader):
    """Reads the blocks and counts of unittest's text runner."""

    HEADS = (
        r"^={60,}$",
        r"^Ran [0-9]+ tests? in [0-9.]+s",
        r"^\w+ \([\w.<>]+\)(?: .*)? \.\.\. (?:ok|FAIL|ERROR|expected failure|unexpected success)$",
    )
    state: str = ""
    current: Draft | None = None
    names: list[str] = field(default_factory=list)
    n_ran: int | None = None
    is_after_frame: bool = False
    line: int = 0

    def read(self, line: Line, text: str) -> None:
        if text.startswith("=") and len(text) >= 60 and not text.strip("="):
            self._end_block()
            self.state = "head"
        elif found := _RAN.match(text):
            self._end_block()
            self.n_ran, self.line, self.state = int(found[1]), line.number, "verdict"
        elif self.state == "verdict":
            self._read_verdict(text)
        elif self.state == "head":
            self._read_head(line, text)
        elif self.state == "body":
            self._read_body(line, text)
        elif found := _ROW.match(text):
            self.names.append(found[1])
        self.is_open = self.state != ""

    def _read_head(self, line: Line, text: str) -> None:
        if self.current is not None:
            if text.startswith("-----") and not text.strip("-"):
                self.state = "body"
            elif line.number - self.current.line > 3:
                self.current, self.state = None, ""
            return
        found = _HEAD.match(text)
        if found is None:
            self.state = ""
            return
        name = _NAME.match(found[1])
        test = name[0] if name else found[1].strip()
        suite = _SUITE.search(test)
        owner = suite[1] if suite else test.rpartition(".")[0]
        self.is_after_frame = False
        self.current = Draft("unittest", owner, test, line.number)

    def _read_body(self, line: Line, text: str) -> None:
        draft = self.current
        if draft is None:
            return
        if text.startswith("-----") and not text.strip("-"):
            self._end_block()
        elif found := _FILE.match(text):
            draft.location, self.is_after_frame = f"{found[1]}:{found[2]}", True
        elif text.startswith(_OUTPUT):
            self._end_block()
        elif text[:1].strip() and not text.startswith("Traceback (") and (draft.block is None or self.is_after_frame):
            draft.block, self.is_after_frame = Block(line.number, line.number, message=text), False
        elif draft.block is not None and text.strip() and not self.is_after_frame and self._is_next(line, draft.block):
            draft.block.last = line.number

    @staticmethod
    def _is_next(line: Line, block: Block) -> bool:
        return block.last == line.number - 1 and line.number - block.first < 8

    def _end_block(self) -> None:
        if self.current is not None and self.state == "body":
            self.drafts.append(self.current)
        self.current, self.state = None, ""

    def _read_verdict(self, text: str) -> None:
        if not text.strip():
            return
        found, n_ran = _VERDICT.match(text), self.n_ran or 0
        counts = {word: int(n) for word, n in _COUNTED.findall(found[1] or "")} if found else {}
        if found:
            n_skipped = counts.pop("skipped", 0)
            n_failed = sum(counts.values())
            names = tuple(self.names) if len(self.names) == n_ran - n_skipped else ()
            n_passed = max(0, n_ran - n_failed - n_skipped)
            self.suites.append(Suite("unittest", "", n_passed, n_failed, n_skipped, names, self.line))
        self.names, self.n_ran, self.state = [], None, ""

    def end_step(self) -> None:
        self._end_block()
        self.names, self.n_ran, self.is_open = [], None, False
