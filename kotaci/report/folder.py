"""A folder that `kotaci report` wrote, read back: what it is about, and what each notebook answered and found."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import nbformat

from kotaci.model import BadInput, Finding
from kotaci.report.digest import INCOMPLETE, to_answer, to_page

SAMPLE_SCOPE = "the bundled sample"
"""The scope that a report of the sample tells."""

_HINT = "give a folder that `kotaci report` wrote"


@dataclass(frozen=True)
class Part:
    """One notebook's report: `figures` are the lines above its first section, Markdown like the answer.

    Where it is not complete, that it lacks a finding tells nothing.
    """

    name: str
    question: str
    answer: str
    figures: Sequence[str]
    findings: Sequence[Finding]
    is_complete: bool


@dataclass(frozen=True)
class ReportFolder:
    """A whole report; `digest` is of its findings, `as_of` the end of its data, None where it had none."""

    path: Path
    repo: str
    scope: str
    window: str
    as_of: datetime | None
    digest: str
    parts: Sequence[Part]

    @property
    def is_sample(self) -> bool:
        """Tell whether it is of the invented repository."""
        return self.scope == SAMPLE_SCOPE

    @cached_property
    def findings(self) -> Sequence[Finding]:
        """Return the findings of all parts, each once."""
        return tuple({finding.id: finding for part in self.parts for finding in part.findings}.values())


def digest_of_findings(folder: Path) -> str:
    """Return what tells a report's findings from those of another; empty where the folder is gone."""
    try:
        return hashlib.sha256((folder / "findings.json").read_bytes()).hexdigest()[:16]
    except OSError:
        return ""


def read_report(folder: Path) -> ReportFolder:
    """Return the report in a folder. Raises BadInput where there is none, or one that cannot be read."""
    if not (folder / "findings.json").is_file():
        raise BadInput(folder, "holds no findings.json", _HINT)
    paths = sorted(folder.glob("*.findings.json"))
    parts, pages = list[Part](), list[dict[str, str]]()
    for path in paths:
        name = path.name.removesuffix(".findings.json")
        node = _node(folder / f"{name}.ipynb")
        pages.append(to_page(node))
        text = _text(folder / f"{name}.md")
        head = text.split("\n## ", 1)[0].splitlines()
        parts.append(
            Part(
                name=name,
                question=next((line[2:] for line in head if line.startswith("# ")), name),
                answer=to_answer(node)["markdown"],
                figures=tuple(line[2:] for line in head if line.startswith("- **")),
                findings=_findings(path),
                is_complete=not text.startswith(INCOMPLETE),
            )
        )
    page = next(filter(None, pages), {})
    said = {(told["repo"], told["scope"], told["moment"]) for told in pages if told}
    ids = {finding.id for part in parts for finding in part.findings}
    if len(said) > 1 or ids != {finding.id for finding in _findings(folder / "findings.json")}:
        raise BadInput(folder, "holds reports of different times or data", "run `kotaci report` into an empty folder")
    return ReportFolder(
        path=folder,
        repo=page.get("repo", ""),
        scope=page.get("scope", ""),
        window=page.get("window", ""),
        as_of=_moment(page.get("moment", "")),
        digest=digest_of_findings(folder),
        parts=tuple(parts),
    )


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(path, f"cannot be read ({type(error).__name__})", _HINT) from None


def _node(path: Path) -> Any:
    try:
        return nbformat.reads(_text(path), as_version=4)  # type: ignore[no-untyped-call]
    except BadInput:
        raise
    except Exception as error:
        raise BadInput(path, f"is no notebook ({type(error).__name__})", _HINT) from None


def _findings(path: Path) -> tuple[Finding, ...]:
    try:
        return tuple(Finding.from_json(told) for told in json.loads(_text(path)))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BadInput(path, f"holds no findings ({type(error).__name__})", _HINT) from None


def _moment(text: str) -> datetime | None:
    """Read a moment as `words.moment` writes it."""
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None
