"""What nektos/act prints with `--json`, one object a line, as a job's log in GitHub's own form.

So the same reader explains a failure on a person's machine and one in CI. Read are act 0.2.89's keys: `msg`,
`raw_output`, `command` with `arg`, `stage`, `step`, `stepID`, `stepResult`, `jobResult`, `time`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from kotaci.logs.lines import without_colours

_MARKS = {"group", "endgroup", "error", "warning", "notice", "debug"}
_EXIT = re.compile(r"exit(?: status|code) '?(-?[0-9]{1,10})'?")
_WORKSPACE = re.compile(r"(?:/[^\s:'\"`]{0,300})?/act/[0-9a-f]{8,64}/hostexecutor\b")
_CHARSET = re.compile(r"\x1b[()][0-9A-Z]")
"""What rustfmt and tput print besides colours."""
_TIME = re.compile(r"(20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9])")


@dataclass
class ActLog:
    """A log that grows line by line. `titles` are what the runner prints of each step, in order."""

    titles: Sequence[str]
    runner_workspace: str
    """the folder that act's own copy of the workspace is called instead, so that paths read as in CI"""
    lines: list[str] = field(default_factory=list)
    job_result: str = ""
    """success or failure; empty where act never came to the end of the job"""
    problems: list[str] = field(default_factory=list)
    """what act itself complains of"""

    def add(self, line: str) -> str:
        """Take one line of act's and return what a person is shown of it: no colours; empty for what says nothing."""
        return without_colours(_CHARSET.sub("", self._add(line)))

    def _add(self, line: str) -> str:
        try:
            told = json.loads(line)
        except (ValueError, RecursionError):
            told = None
        if not isinstance(told, dict) or not isinstance(told.get("msg", ""), str):
            return self._complaint(line.strip())
        said = told.get("msg", "").rstrip("\n")
        if "jobID" not in told and "job" not in told:
            return self._complaint(said) if str(told.get("level")) in {"error", "fatal"} else ""
        if self.job_result != "failure":
            self.job_result = str(told.get("jobResult") or self.job_result)
        return self._of_job(told, said)

    def _of_job(self, told: dict[str, Any], said: str) -> str:
        if told.get("raw_output"):
            self._print(told, said)
            return said
        mark = told.get("command")
        if isinstance(mark, str) and mark in _MARKS:
            text = "##[endgroup]" if mark == "endgroup" else f"##[{mark}]{told.get('arg', '')}"
            self._print(told, text)
            return "" if mark in {"group", "endgroup"} else f"{mark}: {told.get('arg', '')}"
        is_start = said.startswith("⭐ Run Main ")
        if is_start:
            self._print(told, f"##[group]{self._title(told)}")
            self._print(told, "##[endgroup]")
            return f"> {told.get('step', '')}"
        if told.get("level") == "error" and told.get("stage"):
            code = _EXIT.search(said)
            self._print(told, f"##[error]Process completed with exit code {code[1]}." if code else f"##[error]{said}")
            return said
        if told.get("jobResult"):
            self._print(told, "Cleaning up orphan processes")
        return ""

    def _title(self, told: dict[str, Any]) -> str:
        numbers = told.get("stepID")
        number = numbers[0] if isinstance(numbers, list) and numbers else ""
        if isinstance(number, str) and re.fullmatch(r"[0-9]{1,6}", number) and int(number) < len(self.titles):
            return self.titles[int(number)]
        return f"Run {told.get('step', '')}"

    def _print(self, told: dict[str, Any], text: str) -> None:
        time = _TIME.match(str(told.get("time", "")))
        stamp = f"{time[1]}.0000000Z " if time else ""
        named = _WORKSPACE.sub(lambda _: self.runner_workspace, text)
        self.lines += [f"{stamp}{part}" for part in named.split("\n")]

    def _complaint(self, said: str) -> str:
        if said:
            self.problems.append(without_colours(said))
        return said

    @property
    def text(self) -> str:
        """The log so far."""
        return "".join(f"{line}\n" for line in self.lines)
