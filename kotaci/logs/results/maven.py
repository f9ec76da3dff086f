"""Maven's surefire and failsafe, and TestNG."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from kotaci.logs.lines import Line
from kotaci.logs.results.report import Block, Draft, Reader, Suite, seconds

_LEVEL = re.compile(r"\[(?:INFO|ERROR|WARNING|WARN)\] ?")
FRAME = re.compile(r"\s*(?:\[junit\]\s+)?at (\S{1,400}?)\(([\w$.-]+\.\w+):([0-9]+)\)$")
RUN = re.compile(
    r"Tests run: ([0-9]{1,9}), Failures: ([0-9]{1,9}), Errors: ([0-9]{1,9})(?:, Skipped: ([0-9]{1,9}))?"
    r"(?:, Time elapsed: ([0-9.,]+) \S+)?(?: <<< \w+!)?(?: -+ in (\S+))?"
)
_ELAPSED = re.compile(r"([0-9.,]+) s(?:ec)? +<<< (?:FAILURE|ERROR)!$")
_WITH_CLASS = re.compile(r"(.+)\(([\w.$]+)\)$")
_LISTED = re.compile(
    r"(?:(?P<m1>[\w$]+)\((?P<c1>[\w.$]+)\)|(?P<c2>[\w.$]+?)(?:>[\w.$]+)?\.(?P<m2>[\w$]+(?:\[[^\]]*\])?))"
    r"(?::(?P<line>[0-9]+))?(?:->\S+)?(?::? (?P<message>.*))?$"
)
_LISTS = {"Failed tests:", "Tests in error:", "Failures:", "Errors:"}


@dataclass
class Surefire(Reader):
    """Reads surefire's details (`<<< FAILURE!`); its list at the end only where a class had none."""

    HEADS = (
        r"Tests run: [0-9]+, Failures: [0-9]+, Errors: ",
        r"<<< (?:FAILURE|ERROR)!$",
        r"^(?:\[[A-Z]+\] )?Running [\w.$]+$",
        r"^(?:\[[A-Z]+\] )?(?:Failed tests|Tests in error|Failures|Errors|Flakes): *",
        r"^(?:\[[A-Z]+\] )?Results ?:$",
        r"No tests to run\.?$",
        r"^Total tests run: [0-9]+, ",
        r"^FAILED: \S",
    )
    current: Draft | None = None
    in_list: str = ""
    told: set[str] = field(default_factory=set)
    by_test: dict[tuple[str, str], Draft] = field(default_factory=dict)
    classes: dict[str, Suite] = field(default_factory=dict)
    listed: list[Draft] = field(default_factory=list)
    running: str = ""
    is_over: bool = False
    testng: list[Draft] = field(default_factory=list)

    def read(self, line: Line, text: str) -> None:
        level = _LEVEL.match(text)
        shown = text[level.end() :] if level else text
        if "Tests run:" in shown and (found := RUN.match(shown)):
            self._read_run(line, found)
        elif shown.endswith("!") and (found := _ELAPSED.match(shown.partition("Time elapsed: ")[2])):
            self._read_detail(line, shown.partition("Time elapsed: ")[0].removesuffix("-- ").strip(), found[1])
        elif shown in {"Results:", "Results :"}:
            self.is_over, self.current = True, None
        elif self.is_over and ((head := shown.split(":", 1)[0] + ":") in _LISTS or head == "Flakes:"):
            self.in_list, self.current = head, None
            if rest := shown[len(head) :].strip():
                self._read_listed(line, rest)
        elif self.in_list:
            self._read_listed(line, shown.strip())
        elif self.current is not None:
            self._read_body(line, shown, self.current)
        elif shown.startswith("Running "):
            self.running, self.is_over = shown[8:].strip(), False
        elif shown.startswith("No tests to run"):
            self.suites.append(Suite("surefire", "", 0, 0, None, (), line.number))
        else:
            self._read_testng(line, shown)
        self.is_open = self.current is not None or bool(self.in_list)

    def _read_run(self, line: Line, run: re.Match[str]) -> None:
        self.current, self.in_list = None, ""
        name = run[6] or self.running
        self.running = ""
        if not name:
            return
        n_run, n_failed, n_skipped = int(run[1]), int(run[2]) + int(run[3]), int(run[4] or 0)
        n_passed = max(0, n_run - n_failed - n_skipped)
        self.classes[name] = Suite("surefire", name, n_passed, n_failed, n_skipped, (), line.number)

    def _read_detail(self, line: Line, name: str, wall: str) -> None:
        found = _WITH_CLASS.match(name)
        if found:
            owner, method = found[2], found[1]
        else:
            stem, bracket, rest = name.partition("[")
            stem = stem.partition("(")[0]
            owner, _, method = stem.rpartition(".")
            method += bracket + rest
        is_class = not found and name in self.classes
        owner = name if is_class or not owner else owner
        self.told.add(owner.rpartition(".")[2])
        draft = Draft("surefire", owner, name, line.number, wall_s=seconds(wall))
        draft.block = Block(line.number, line.number)
        self.current = self.by_test.setdefault((owner, "" if is_class else method), draft)
        self.in_list = ""

    def _read_body(self, line: Line, text: str, draft: Draft) -> None:
        block = draft.block
        if block is None or not text.strip():
            self.current = None
        elif found := FRAME.match(text):
            if not block.location or draft.suite.endswith(found[1].rpartition(".")[0]):
                block.location = f"{found[2]}:{found[3]}"
            if (draft.suite and found[1].startswith(draft.suite)) or line.number - block.first > 60:
                self.current = None
        elif not block.location and line.number - block.first < 8 and block.last == line.number - 1:
            block.message = block.message or text.strip()
            block.last = line.number

    def _read_listed(self, line: Line, text: str) -> None:
        if not text or text.startswith(("Run ", "Tests run:")):
            if text.startswith("Run ") and self.listed and not self.listed[-1].message:
                self.listed[-1].message = text
            return
        found = _LISTED.match(text)
        if found is None:
            return
        owner, method = found["c1"] or found["c2"], found["m1"] or found["m2"]
        if self.in_list == "Flakes:":
            simple = owner.rpartition(".")[2]
            for (known, name), draft in self.by_test.items():
                if known.rpartition(".")[2] == simple and name.partition("(")[0] == method:
                    draft.outcome = "flaky"
            return
        draft = Draft(
            "surefire", owner, f"{owner}.{method}", line.number, message=(found["message"] or "").lstrip("» ")
        )
        if found["line"]:
            draft.location = f"{owner.rpartition('.')[2].partition('$')[0]}.java:{found['line']}"
        self.listed.append(draft)

    def _read_testng(self, line: Line, text: str) -> None:
        if text.startswith("FAILED: "):
            self.testng.append(Draft("testng", "", text[8:].strip(), line.number))
        elif found := re.match(r"Total tests run: ([0-9]{1,9}), .*?Failures: ([0-9]{1,9}), Skips: ([0-9]{1,9})", text):
            n_run, n_failed, n_skipped = int(found[1]), int(found[2]), int(found[3])
            self.suites.append(Suite("testng", "", n_run - n_failed - n_skipped, n_failed, n_skipped, (), line.number))
            self.drafts += self.testng if n_failed else []
            self.testng = []

    def end_step(self) -> None:
        self.drafts += self.by_test.values()
        self.drafts += [draft for draft in self.listed if draft.suite.rpartition(".")[2] not in self.told]
        self.suites += self.classes.values()
        self.by_test, self.listed, self.classes, self.told, self.testng = {}, [], {}, set(), []
        self.current, self.in_list, self.running, self.is_open, self.is_over = None, "", "", False, False
