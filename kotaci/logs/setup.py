"""What a job ran on, from its set-up lines: image, runner, tools, actions, merge commit, queueing."""

from __future__ import annotations

import re
from dataclasses import dataclass

from kotaci.logs.lines import STAMP, without_colours

_HEAD_CHARS = 60_000
"""Set-up lines stand at the top; the longest met end within 9,000 characters."""


@dataclass(frozen=True, slots=True)
class SetupItem:
    """One thing a job ran on: kind of thing, its name, its version."""

    item: str
    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Queueing:
    """When a job was queued and when a runner took it (time stamps as printed, or empty), and where it ran."""

    queued_at: str = ""
    taken_at: str = ""
    runner: str = ""
    labels: str = ""


_HEAD_RULES: tuple[tuple[str, str, re.Pattern[str]], ...] = tuple(
    (item, name, re.compile(pattern, re.MULTILINE))
    for item, name, pattern in (
        ("runner", "runner", r"Current runner version: '(?P<version>[\d.]+)'"),
        ("image", "", r"^(?:\S+Z )?Image: (?P<name>\S+)$\n(?:\S+Z )?Version: (?P<version>\S+)$"),
        ("image", "", r"^(?:\S+Z )?Environment: (?P<name>\S+)$\n(?:\S+Z )?Version: (?P<version>\S+)$"),
        (
            "os",
            "",
            r"##\[group\]Operating System$\n(?:\S+Z )?(?P<name>.+)$\n(?:\S+Z )?(?P<version>[\d.]+)",
        ),
        ("action", "", r"Download action repository '(?P<name>[^'\n]+)' \(SHA:(?P<version>[0-9a-f]{40})\)"),
        ("workflow_ref", "", r"Job defined at: (?P<name>[^@\s]+)@(?P<version>\S+)$"),
    )
)
_RUST_VERSION = r"(?P<version>\d{1,4}\.\d{1,4}\.\d{1,4}\S{0,40} \([0-9a-f]{6,12} [\d-]{10}\))"
_BODY_RULES: tuple[tuple[str, str, str, re.Pattern[str]], ...] = tuple(
    (item, name, literal, re.compile(pattern, re.MULTILINE))
    for item, name, literal, pattern in (
        ("tool", "rustc", "rustc ", rf"rustc {_RUST_VERSION}"),
        ("tool", "cargo", "cargo ", rf"cargo {_RUST_VERSION}"),
        ("tool", "cargo-nextest", "cargo-nextest ", r"cargo-nextest (?P<version>\d+\.\d+\.\d+)"),
        ("tool", "", "set up ", r"Successfully set up (?P<name>\w+) \((?P<version>[^)\n]{1,60})\)"),
        ("tool", "node", "node: v", r"node: v(?P<version>[\d.]+)"),
        (
            "merge_commit",
            "",
            "HEAD is now at ",
            r"HEAD is now at (?P<version>[0-9a-f]{7,40}) Merge (?P<name>[0-9a-f]{40} into [0-9a-f]{40})",
        ),
    )
)


def parse_setup(text: str) -> list[SetupItem]:
    """Return what the job ran on, each (item, name) once, in the order of first mention."""
    head = without_colours(text[:_HEAD_CHARS]).replace("\r\n", "\n")
    found: dict[tuple[str, str], SetupItem] = {}
    for item, name, pattern in _HEAD_RULES:
        for match in pattern.finditer(head):
            _keep(found, item, name, match)
    for item, name, literal, pattern in _BODY_RULES:
        if literal in text:
            for match in pattern.finditer(text):
                _keep(found, item, name, match)
    return list(found.values())


def _keep(found: dict[tuple[str, str], SetupItem], item: str, name: str, match: re.Match[str]) -> None:
    groups = match.groupdict()
    shown = (groups.get("name") or name).strip()
    found.setdefault((item, shown), SetupItem(item, shown, groups["version"]))


def parse_queueing(text: str) -> Queueing:
    """Return the queueing told by a `system.txt`, or by the top of a job's log (2021-10 to 2024-11).

    Empty where the text has no such lines: then queue time is only known to the API.
    """
    head = text[:_HEAD_CHARS].replace("\r\n", "\n")
    asked = re.search(r"Requested labels: (?P<labels>.+)$", head, re.MULTILINE)
    taken = re.search(r"Job is about to start running on the (?:hosted )?runner: (?P<runner>.+)$", head, re.MULTILINE)
    waiting = asked or re.search(r"Waiting for a runner to pick up this job|Job is waiting for ", head)
    return Queueing(
        queued_at=_stamp_before(head, waiting.start()) if waiting else "",
        taken_at=_stamp_before(head, taken.start()) if taken else "",
        runner=taken["runner"].strip() if taken else "",
        labels=" ".join(asked["labels"].replace(",", " ").split()) if asked else "",
    )


def _stamp_before(text: str, offset: int) -> str:
    stamp = STAMP.match(text, text.rfind("\n", 0, offset) + 1)
    return stamp[1] if stamp else ""


def job_name(text: str) -> str:
    """Return the job's own name from `Complete job name: X` (runners since 2023), or an empty string."""
    found = re.search(r"Complete job name: (.+?)\r?$", text[:_HEAD_CHARS], re.MULTILINE)
    return found[1].strip() if found else ""


def repo_name(text: str) -> str:
    """Return `owner/name` of the repository whose workflow ran, as far as the log tells, or an empty string."""
    found = _defined_at(text) or re.search(r"Syncing repository: ([\w.-]+/[\w.-]+)", text[:_HEAD_CHARS])
    return found[1] if found else ""


def workflow_path(text: str) -> str:
    """Return the path of the workflow file that ran, as far as the log tells, or an empty string."""
    found = _defined_at(text)
    return found[2] if found else ""


def _defined_at(text: str) -> re.Match[str] | None:
    """A job of a reusable workflow is defined there; what ran is the first of the chain that leads to it."""
    file = r"([\w.-]+/[\w.-]+)/(\.github/workflows/[^@\s]+)@"
    head = text[:_HEAD_CHARS]
    return re.search(rf"Reusable workflow chain:\r?\n(?:\S+Z )?{file}", head) or re.search(
        rf"Job defined at: {file}", head
    )
