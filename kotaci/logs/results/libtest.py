"""Rust's own test harness (libtest), as `cargo test` runs it: unit tests, integration tests and doctests."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from kotaci.logs.lines import Line
from kotaci.logs.results.report import Block, Draft, Reader, Suite, seconds

_HASH = re.compile(r"-[0-9a-f]{16}$")
_DOC_TESTS = re.compile(r"\s+(Doc-tests \S+)$")
_COUNT = re.compile(r"running ([0-9]{1,9}) tests?$")
_LONG = re.compile(r"test (.+) has been running for over ([0-9]{1,9}) seconds")
_RESULT = re.compile(
    r"test result: \w+\. ([0-9]{1,9}) passed; ([0-9]{1,9}) failed; ([0-9]{1,9}) ignored; ([0-9]{1,9}) measured"
)
_SECTION = re.compile(r"---- (.+) (?:stdout|stderr) ----$")
_PANIC = re.compile(r"\s*thread '(.*?)' (?:\([0-9]+\) )?panicked at (.*)$")
_OLD_END = re.compile(r"', (\S+:[0-9]+(?::[0-9]+)?)$")
PASSED = r"test [^\n]+ \.\.\. ok"
"""The row of a test that passed: nearly all that libtest prints."""
_WORD = re.compile(r"(ok|FAILED|ignored|bench:)(?: <([0-9.]+)s>|,.*| +[0-9].*)?$")
_MODES = (" - should panic", " - compile fail", " - compile")
_AFTER = ("note: ", "stack backtrace:", "---- ", "failures:", "test result: ", "error: test failed")


@dataclass
class PanicReader:
    """Reads a panic, in the format before Rust 1.73 (message quoted on the line) and since (on the next line)."""

    thread: str = ""
    block: Block | None = None
    is_old: bool = False

    def starts(self, line: Line, text: str) -> bool:
        """Return whether the line begins a panic, and begin it."""
        found = _PANIC.match(text)
        if found is None:
            return False
        self.thread, tail = found[1], found[2]
        self.block = Block(line.number, line.number)
        self.is_old = tail.startswith("'")
        if self.is_old:
            _end_of_old(self.block, tail[1:])
        elif tail.endswith(":"):
            self.block.location = tail[:-1].strip()
        else:
            self.block.message = tail
        return True

    def takes(self, line: Line, text: str) -> bool:
        """Take the next line in where it still belongs to the panic."""
        if self.block is None or text.lstrip().startswith(_AFTER):
            return False
        if self.is_old and self.block.location:
            return False
        if not text.strip():
            return False
        if self.is_old:
            _end_of_old(self.block, text)
        elif not self.block.message:
            self.block.message = text.strip()
        return self.block.grow(line.number)


def _end_of_old(block: Block, text: str) -> None:
    """Take in a line of a quoted message, which ends with its place."""
    end = _OLD_END.search(text)
    block.message = block.message or (text[: end.start()] if end else text)
    if end:
        block.location = end[1]


def _binary_of(text: str) -> str:
    """Return the name of the binary that cargo says it runs, without folder and hash; empty for another line."""
    said = text.strip()
    if not said.startswith("Running "):
        return ""
    path = said.rstrip(")").rpartition("(")[2].replace("\\", "/")
    if "/" not in path:
        return ""
    return _HASH.sub("", path.rpartition("/")[2].removesuffix(".exe"))


@dataclass
class _Binary:
    """One run of one test binary."""

    line: int
    suite: str = ""
    passed: list[str] = field(default_factory=list)
    failed: dict[str, Draft] = field(default_factory=dict)
    slow: dict[str, Draft] = field(default_factory=dict)
    n_ignored: int = 0
    told: dict[str, Block] = field(default_factory=dict)


@dataclass
class Libtest(Reader):
    """Reads libtest's output; stdout and stderr may be mixed, so that a binary's name can come late."""

    HEADS = (
        r"^ +Running .*[)0-9a-f]$",
        r"^ +Doc-tests \S",
        r"^running [0-9]+ tests?$",
        r"^test .+ \.\.\. ?",
        r"^test .+ has been running for over [0-9]+ seconds",
        r"^test result: ",
        r"^failures:$",
        r"^thread '.*' (?:\([0-9]+\) )?panicked at ",
    )
    header: str = ""
    binary: _Binary | None = None
    pending: str = ""
    section: str = ""
    in_failures: bool = False
    in_list: bool = False
    panic: PanicReader = field(default_factory=PanicReader)

    def read(self, line: Line, text: str) -> None:
        if self.panic.block is not None:
            if self.panic.takes(line, text):
                return
            self._keep_panic()
        if self._is_header(text):
            return
        binary = self.binary
        if found := _COUNT.match(text):
            if binary is None or not self.in_failures:
                self._close()
                self.binary = _Binary(line.number, self.header)
                self.header = ""
            return
        if binary is None:
            return
        if text.startswith("test result: ") and (found := _RESULT.match(text)):
            self._close(int(found[1]) + int(found[4]), int(found[2]), int(found[3]))
        elif text == "failures:":
            self.in_failures, self.in_list, self.section = True, True, ""
        elif self.in_list:
            self._read_list(line, text, binary)
        elif found := _SECTION.match(text) if text.startswith("---- ") else None:
            self.section = found[1]
        elif not self.panic.starts(line, text):
            if self.in_failures:
                self._read_section(line, text, binary)
            else:
                self._read_row(line, text, binary)
        self.is_open = self.in_failures or bool(self.pending) or self.panic.block is not None

    def takes_passed(self, names: Sequence[str]) -> bool:
        """Take in tests that passed, where they can be nothing else; else False, and their lines are to be read."""
        if self.is_open or self.binary is None:
            return False
        self.binary.passed += names
        return True

    def _is_header(self, text: str) -> bool:
        if not text.startswith(" "):
            return False
        doc_tests = _DOC_TESTS.match(text)
        suite = doc_tests[1] if doc_tests else _binary_of(text)
        if not suite:
            return False
        if self.binary is not None and not self.binary.suite:
            self.binary.suite = suite
        else:
            self.header = suite
        return True

    def _read_row(self, line: Line, text: str, binary: _Binary) -> None:
        name, word = self.pending, text
        if text.startswith("test "):
            if found := _LONG.match(text):
                draft = Draft("libtest", "", found[1], line.number, "slow", wall_s=float(found[2]))
                binary.slow.setdefault(found[1], draft)
                return
            name, parted, word = text[5:].partition(" ... ")
            if not parted and not text.endswith(" ..."):
                return
            name = name.removesuffix(" ...")
            for mode in _MODES:
                name = name.removesuffix(mode)
            self.pending = name
        if not name or (found := _WORD.match(word)) is None:
            return
        self.pending = ""
        if found[1] == "FAILED":
            draft = Draft("libtest", "", name, line.number, wall_s=seconds(found[2] or ""))
            binary.failed.setdefault(name, draft)
        elif found[1] == "ignored":
            binary.n_ignored += 1
        else:
            binary.passed.append(name)

    def _read_list(self, line: Line, text: str, binary: _Binary) -> None:
        name = text.strip()
        if text.startswith("    ") and name:
            binary.failed.setdefault(name, Draft("libtest", "", name, line.number))
        elif not name:
            self.in_list = False

    def _read_section(self, line: Line, text: str, binary: _Binary) -> None:
        """Keep the first lines of a section: a test that returns an error panics nowhere."""
        if not self.section or not text.strip() or text.lstrip().startswith(_AFTER):
            return
        block = binary.told.get(self.section)
        if block is None:
            binary.told[self.section] = Block(line.number, line.number, message=text.strip())
        elif not block.location and line.number - block.first < 6:
            block.last = line.number

    def _keep_panic(self) -> None:
        block, self.panic.block = self.panic.block, None
        if block is None or self.binary is None:
            return
        is_main = self.panic.thread == "main" and self.pending
        owner = self.section or (self.pending if is_main else self.panic.thread)
        told = self.binary.told.get(owner)
        if told is None or not told.location or (self.panic.thread == owner and self.section):
            self.binary.told[owner] = block

    def _close(self, n_passed: int | None = None, n_failed: int | None = None, n_skipped: int | None = None) -> None:
        binary, self.binary = self.binary, None
        self.pending, self.section, self.in_failures, self.in_list, self.is_open = "", "", False, False, False
        if binary is None:
            return
        suite = binary.suite
        for name, draft in binary.failed.items():
            draft.suite, draft.block = suite, binary.told.get(name)
            self.drafts.append(draft)
        for name, draft in binary.slow.items():
            if name not in binary.failed:
                draft.suite = suite
                self.drafts.append(draft)
        n_passed = len(binary.passed) if n_passed is None else n_passed
        n_failed = len(binary.failed) if n_failed is None else n_failed
        n_skipped = binary.n_ignored if n_skipped is None else n_skipped
        names = (*binary.passed, *binary.failed) if len(binary.passed) == n_passed else ()
        self.suites.append(Suite("libtest", suite, n_passed, n_failed, n_skipped, names, binary.line))

    def end_step(self) -> None:
        self._keep_panic()
        self._close()
        self.header = ""
