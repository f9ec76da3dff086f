"""cargo-nextest: one process a test, rows with binary and test, retries, and captured output below a row."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from kotaci.logs.lines import Line
from kotaci.logs.results.libtest import PanicReader
from kotaci.logs.results.report import Draft, Reader, Suite, seconds

_ROW = re.compile(
    r"\s*(?:TRY (?P<turn>[0-9]{1,4}) )?(?P<word>[A-Z][A-Z0-9]*(?:[-+ ]+[A-Z]+)*)(?: [0-9]+/[0-9]+)? +"
    r"\[[ >]*(?P<s>[0-9.]+)s\] (?:\([^)]{1,30}\) +)?(?P<suite>\S+) +(?P<test>\S.*)$"
)
_START = re.compile(r"\s*Starting ([0-9]{1,9}) tests? across ")
_SUMMARY = re.compile(r"\s*Summary \[[^\]]{0,30}\] +(?:[0-9]+/)?([0-9]{1,9}) tests? run: ([^:]*)$")
_COUNTED = re.compile(r"\b([0-9]{1,9}) (passed|failed|timed out|exec failed|skipped)")
_OLD_BLOCK = re.compile(r"-+ (?:TRY [0-9]+ )?STD(?:OUT|ERR): +(\S+) +(\S.*?) -+$")
_FAILED = re.compile(
    r"(?:FAIL|FLKY-FL|TIMEOUT|TMT|ABORT|ABRT|SIG[A-Z0-9]*|SEGV|BUS|KILL|TERM|XFAIL|LEAK[- ]FAIL|LKFAIL|"
    r"FL\+LK|FAIL \+ LEAK)$"
)
_PASSED = ("PASS", "FLAKY", "LEAK")


@dataclass
class _Test:
    line: int
    word: str = ""
    failed: Draft | None = None
    n_failed_tries: int = 0
    is_slow: bool = False
    wall_s: float | None = None


@dataclass
class Nextest(Reader):
    """Reads nextest's rows; the identity of a test is its binary and its name, and its last try decides."""

    HEADS = (
        r"^ *Starting [0-9]+ tests? across ",
        r"^ *(?:TRY [0-9]+ )?[A-Z][-A-Z0-9+ ]*(?: [0-9]+/[0-9]+)? +\[[ >]*[0-9.]+s\] ",
        r"^ *Summary \[",
        r"^ *-+ (?:TRY [0-9]+ )?STD(?:OUT|ERR): ",
        r"^ *thread '.*' (?:\([0-9]+\) )?panicked at ",
        r"no tests to run",
        r"^error: test run failed",
    )
    tests: dict[tuple[str, str], _Test] = field(default_factory=dict)
    owner: Draft | None = None
    is_running: bool = False
    panic: PanicReader = field(default_factory=PanicReader)
    start_line: int = 0
    is_empty: bool = False

    def read(self, line: Line, text: str) -> None:
        row = _ROW.match(text)
        if self.panic.block is not None:
            if row is None and self.panic.takes(line, text):
                return
            self._keep_panic()
        if row is not None:
            self._read_row(line, row)
        elif self.panic.starts(line, text):
            pass
        elif found := _START.match(text):
            self._close_run()
            self.is_running, self.start_line = True, line.number
        elif found := _SUMMARY.match(text):
            self._read_summary(line, found)
        elif found := _OLD_BLOCK.match(text.strip()):
            test = self.tests.get((found[1], found[2]))
            self.owner = test.failed if test else None
        elif text.startswith(("error: no tests to run", "warning: no tests to run")):
            self._add_empty(line)
        elif text.startswith("error: test run failed"):
            self.is_running = False
        self.is_open = self.panic.block is not None

    def _read_row(self, line: Line, row: re.Match[str]) -> None:
        word = row["word"]
        is_failed = _FAILED.match(word) is not None
        if not is_failed and word not in {*_PASSED, "SLOW", "TERMINATING"}:
            return
        key = (row["suite"], row["test"].strip())
        test = self.tests.get(key)
        if test is None:
            test = self.tests[key] = _Test(line.number)
        if word in {"SLOW", "TERMINATING"}:
            test.is_slow, test.wall_s = True, seconds(row["s"])
            return
        test.word, test.wall_s = word, seconds(row["s"])
        if not is_failed:
            return
        test.n_failed_tries += 1
        if test.failed is None:
            test.failed = Draft("nextest", *key, line.number)
        if word not in {"FAIL", "FLKY-FL"}:
            test.failed.message = word
        self.owner = test.failed

    def _keep_panic(self) -> None:
        block, self.panic.block = self.panic.block, None
        if self.owner is not None and self.owner.block is None:
            self.owner.block = block

    def _read_summary(self, line: Line, found: re.Match[str]) -> None:
        counts: dict[str, int] = {}
        for n, word in _COUNTED.findall(found[2]):
            counts[word] = counts.get(word, 0) + int(n)
        n_ran, n_skipped = int(found[1]), counts.pop("skipped", None)
        if n_ran == 0:
            self._add_empty(line)
        elif n_ran != sum(1 for test in self.tests.values() if test.word):
            n_passed = counts.get("passed", 0)
            self.suites.append(Suite("nextest", "", n_passed, n_ran - n_passed, n_skipped, (), line.number))
            self._close_run(with_suites=False)
        else:
            self.start_line = self.start_line or line.number
            self._close_run()
        self.is_running = counts.get("passed", 0) != n_ran

    def _add_empty(self, line: Line) -> None:
        if not self.is_empty:
            self.suites.append(Suite("nextest", "", 0, 0, None, (), line.number))
        self.is_empty = True

    def _close_run(self, *, with_suites: bool = True) -> None:
        """Turn the rows of one run into results and suites; rows that the summary repeats are merged later."""
        by_suite: dict[str, list[tuple[str, bool, float | None]]] = {}
        for (suite, name), test in self.tests.items():
            passed = test.word in _PASSED
            if test.failed is not None:
                test.failed.wall_s = test.wall_s
                test.failed.outcome = "flaky" if passed else "failed"
                self.drafts.append(test.failed)
            elif test.word == "FLAKY":
                self.drafts.append(Draft("nextest", suite, name, test.line, "flaky", wall_s=test.wall_s))
            elif test.word == "LEAK" or test.is_slow:
                outcome = "leaky" if test.word == "LEAK" else "slow"
                self.drafts.append(Draft("nextest", suite, name, test.line, outcome, wall_s=test.wall_s))
            if test.word:
                by_suite.setdefault(suite, []).append((name, passed, test.wall_s))
        if with_suites and self.start_line:
            for suite, ran in by_suite.items():
                n_passed = sum(passed for _, passed, _ in ran)
                self.suites.append(
                    Suite(
                        "nextest", suite, n_passed, len(ran) - n_passed, None, tuple(name for name, *_ in ran),
                        self.start_line, tuple(wall_s for *_, wall_s in ran),
                    )
                )  # fmt: skip
        self.tests = {}
        self.start_line = 0

    def end_step(self) -> None:
        self._keep_panic()
        self._close_run()
        self.owner, self.is_running, self.is_open = None, False, False
        self.is_empty = False
