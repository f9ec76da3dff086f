"""pytest: rows of verbose runs, sections of failures, the short summary, and errors of collection."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from kotaci.logs.lines import Line
from kotaci.logs.results.report import Block, Draft, Reader, Suite, seconds

_WORDS = "PASSED|FAILED|ERROR|RERUN|SKIPPED|XFAIL|XPASS"
_START = re.compile(r"=+ test session starts")
_COLLECTED = re.compile(r"collect(?:ed|ing)(?: \.\.\. collected)? ([0-9]{1,9}) items?")
_ROW = re.compile(
    rf"(?P<id>(?>\S+?\.py(?=::)).*?) (?P<word>{_WORDS}|SUBFAIL(?:ED)?)(?: \([^)]{{0,200}}\))?"
    r"(?: \[ *(?P<s>[0-9.]+)s\])?"
    r"(?: +\[ *[0-9]+(?:%|/[0-9]+)\])?$"
)
_XDIST = re.compile(rf"\[gw[0-9]+\] (?:\[ *[0-9]+%\] )?(?P<word>{_WORDS}) (?P<id>\S+\.py::.*)$")
_SECTION = re.compile(r"_{3,} (.+?) _{3,}$")
_COLLECTING = re.compile(r"ERROR collecting (.+)$")
_ERROR_AT = re.compile(r"ERROR at (?:setup|teardown) of (.+)$")
_SUMMARY = re.compile(r"(FAILED|ERROR|SUBFAIL(?:ED)?) (?:\[ *([0-9.]+)s\] |\[[^\]]{1,80}\] )?(\S.*)$")
_FRAME = re.compile(r'  File "([^"]{1,500})", line ([0-9]+)')
_LOCATION = re.compile(r"(\S+\.\w{1,4}):([0-9]+): ")
_ENDED = re.compile(r"(?:=+ )?(?:no tests (?:ran|collected)|[0-9]+ (?:passed|failed|errors?|skipped|xfailed|xpassed|"
                    r"deselected|warnings?|rerun)\b).* in ([0-9.]+) ?s")  # fmt: skip
_COUNTED = re.compile(r"\b([0-9]{1,9}) (passed|failed|error|skipped|xfailed|xpassed)")
_RAN = {"PASSED", "FAILED", "ERROR", "XFAIL", "XPASS"}
_BAD = {"FAILED", "ERROR", "SUBFAIL", "SUBFAILED"}


@dataclass
class Pytest(Reader):
    """Reads one pytest session after another; a section and a line of the summary are joined by the test's name."""

    HEADS = (
        r"^=+ (?:test session starts|FAILURES|ERRORS|short test summary info|warnings summary)",
        r"^collect(?:ed|ing) .*[0-9]+ items?",
        r"\.py::.* (?:PASSED|FAILED|ERROR|RERUN|XFAIL|XPASS|SUBFAIL)",
        r"^\[gw[0-9]+\] .*(?:PASSED|FAILED|ERROR|RERUN|XFAIL|XPASS) ",
        r"^(?:=+ )?(?:no tests ran|[0-9]+ (?:passed|failed|error|skipped|xfailed|xpassed|deselected|rerun)).* in [0-9]",
    )
    names: dict[str, str] = field(default_factory=dict)
    rows: dict[str, Draft] = field(default_factory=dict)
    reruns: dict[str, Draft] = field(default_factory=dict)
    sections: dict[str, list[Draft]] = field(default_factory=dict)
    part: str = ""
    current: Draft | None = None
    n_collected: int | None = None
    line: int = 0

    def read(self, line: Line, text: str) -> None:
        if text.startswith("=") and self._read_rule(line, text):
            pass
        elif self.part == "summary":
            self._read_summary(line, text)
        elif self.part:
            self._read_section(line, text)
        elif found := _ROW.match(text) or _XDIST.match(text):
            self._read_row(line, found)
        elif found := _COLLECTED.match(text):
            self.n_collected, self.line = int(found[1]), line.number
        elif found := _ENDED.match(text):
            self._end_session(line, text)
        self.is_open = bool(self.part)

    def _read_rule(self, line: Line, text: str) -> bool:
        """Read a line of `====`, which parts a session."""
        if _START.match(text):
            self._close()
            self.line = line.number
        elif _ENDED.match(text):
            self._end_session(line, text)
        else:
            title = text.strip("= ")
            if title in {"FAILURES", "ERRORS"}:
                self.part, self.current = title, None
            elif title == "short test summary info":
                self.part, self.current = "summary", None
            elif title and text.endswith("=") and self.part:
                self.part = ""
            return bool(title)
        return True

    def _read_row(self, line: Line, row: re.Match[str]) -> None:
        test, word = row["id"].strip(), row["word"]
        self.line = self.line or line.number
        if word in _RAN:
            self.names[test] = word
        if word in _BAD:
            wall_s = seconds(row["s"] or "") if "s" in row.re.groupindex else None
            self.rows.setdefault(test, _draft(test, line, wall_s=wall_s))
        elif word == "RERUN":
            self.reruns.setdefault(test, _draft(test, line, outcome="flaky"))

    def _read_section(self, line: Line, text: str) -> None:
        if text.startswith("___") and (found := _SECTION.match(text)):
            title = found[1]
            draft = Draft("pytest", "", title, line.number)
            if collecting := _COLLECTING.match(title):
                draft.test = draft.suite = collecting[1].strip()
                self.rows.setdefault(draft.test, draft)
            else:
                at = _ERROR_AT.match(title)
                self.sections.setdefault(at[1] if at else title, []).append(draft)
            self.current = draft
        elif self.current is not None:
            self._read_error(line, text, self.current)

    @staticmethod
    def _read_error(line: Line, text: str, draft: Draft) -> None:
        """Keep the first block of `E` lines with what stands just above it, and the place below it."""
        if text.startswith("E  ") or text == "E":
            said = text[1:].strip()
            if draft.block is None or (draft.block.location and not draft.message):
                draft.block = Block(line.number, line.number)
            if draft.block.location or line.number - draft.block.last > 1:
                return
            if not draft.block.message or draft.block.message.startswith('File "'):
                draft.block.message = said
            if line.number - draft.block.first < 10:
                draft.block.last = line.number
        elif draft.block is None and (found := _FRAME.match(text)):
            draft.location = f"{found[1]}:{found[2]}"
        elif draft.block is None and draft.location and text[:1].isalpha() and ":" in text:
            draft.block = Block(line.number, line.number, text, draft.location)
        elif found := _LOCATION.match(text):
            if not draft.suite:
                draft.suite = found[1]
            if draft.block is not None and not draft.block.location:
                draft.block.location = f"{found[1]}:{found[2]}"
                if line.number - draft.block.last <= 2:
                    draft.block.last = line.number

    def _read_summary(self, line: Line, text: str) -> None:
        if _ENDED.match(text):
            self._end_session(line, text)
            return
        found = _SUMMARY.match(text)
        if found is None:
            return
        rest = found[3]
        test, message = self._parted(rest)
        draft = self.rows.get(test)
        if draft is None or draft.suite == draft.test:
            new = _draft(test, line, message=message, wall_s=seconds(found[2] or ""))
            if draft is not None:
                new.block = draft.block
            self.rows[test] = new
        else:
            draft.line, draft.message = line.number, draft.message or message
            draft.wall_s = draft.wall_s if draft.wall_s is not None else seconds(found[2] or "")

    def _parted(self, rest: str) -> tuple[str, str]:
        """Return test and message of a summary line; a parameter in brackets may hold ` - ` and blanks too."""
        place = rest.find(" - ")
        while place >= 0:
            test = rest[:place]
            if test in self.names or test in self.rows or test.count("[") <= test.count("]"):
                return test.strip(), rest[place + 3 :].strip()
            place = rest.find(" - ", place + 3)
        return rest.strip(), ""

    def _end_session(self, line: Line, text: str) -> None:
        counts: dict[str, int] = {}
        for n, word in _COUNTED.findall(text):
            counts[word] = counts.get(word, 0) + int(n)
        n_failed = counts.get("failed", 0) + counts.get("error", 0)
        n_passed = counts.get("passed", 0) + counts.get("xfailed", 0) + counts.get("xpassed", 0)
        ran = len(self.names)
        if ran and ran == n_passed + counts.get("failed", 0):
            self._add_suites()
        else:
            self.suites.append(
                Suite("pytest", "", n_passed, n_failed, counts.get("skipped"), (), self.line or line.number)
            )
        self.names, self.n_collected = {}, None
        self._close()

    def _add_suites(self) -> None:
        by_file: dict[str, list[str]] = {}
        for test in self.names:
            by_file.setdefault(test.partition("::")[0], []).append(test)
        for file, tests in by_file.items():
            n_failed = sum(self.names[test] in _BAD for test in tests)
            self.suites.append(Suite("pytest", file, len(tests) - n_failed, n_failed, None, tuple(tests), self.line))

    def _close(self) -> None:
        """Join sections with names, and close the session."""
        for test, draft in self.rows.items():
            titled = self.sections.get(test.partition("::")[2].replace("::", "."))
            if titled:
                section = titled.pop(0)
                draft.block = draft.block or section.block
                draft.location = draft.location or section.location
            self.drafts.append(draft)
        for title, sections in self.sections.items():
            for draft in sections:
                if draft.suite:
                    draft.test = f"{draft.suite}::{title.replace('.', '::', 1) if title[:1].isupper() else title}"
                self.drafts.append(draft)
        self.drafts += [draft for test, draft in self.reruns.items() if test not in self.rows]
        if self.n_collected is not None and self.names:
            self._add_suites()
        self.names, self.rows, self.reruns, self.sections = {}, {}, {}, {}
        self.part, self.current, self.n_collected, self.line, self.is_open = "", None, None, 0, False

    def end_step(self) -> None:
        self._close()


def _draft(test: str, line: Line, *, message: str = "", outcome: str = "failed", wall_s: float | None = None) -> Draft:
    suite = test.partition("::")[0]
    return Draft("pytest", suite, test, line.number, outcome, message=message, wall_s=wall_s)
