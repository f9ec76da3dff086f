"""The names of checks that must pass before a merge, where the repository itself says so.

Read are bors.toml (`status`), .mergify.yml (`check-success=`), .github/settings.yml (the app Settings) and rulesets
exported as JSON under .github/rulesets. Rules kept only on GitHub are not known here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from kotaci.audit.project import Project
from kotaci.workflows import shown_jobs


@dataclass(frozen=True)
class Required:
    """One name, where it stands, and whether some job of the workflows is shown by it."""

    name: str
    path: str
    line: int
    is_borne: bool


_PLACES = (
    ("bors.toml", re.compile(r"^\s*(?:pr_)?status\s*=\s*\[([^\]]*)\]", re.MULTILINE)),
    (".github/bors.toml", re.compile(r"^\s*(?:pr_)?status\s*=\s*\[([^\]]*)\]", re.MULTILINE)),
    (".github/settings.yml", re.compile(r"^\s*contexts:\s*(\[[^\]]*\]|(?:\n\s*-[^\n]*)+)", re.MULTILINE)),
)
_IN_MERGIFY = re.compile(r"(?:check-success|status-success)\s*=\s*(.+?)[\"']?\s*$", re.MULTILINE)


def required_names(project: Project) -> tuple[Required, ...]:
    """Return every name that is required, in the order of the files."""
    patterns = [re.compile(".*".join(re.escape(piece) for piece in one)) for one in _shown(project)]
    return tuple(
        Required(name, path, line, any(pattern.fullmatch(name) for pattern in patterns))
        for path, name, line in _written(project)
    )


def _shown(project: Project) -> Iterator[tuple[str, ...]]:
    files = {file.path: file for file in project.workflows}
    for path in files:
        yield from (job.pieces for job in shown_jobs(path, files=files))


def _written(project: Project) -> Iterator[tuple[str, str, int]]:
    for path, pattern in _PLACES:
        text = project.tree.text(path) or ""
        for found in pattern.finditer(text):
            for one in re.finditer(r"[\"']([^\"']+)[\"']|-[ \t]+([^\n\"'#]+)", found[1]):
                name = (one[1] or one[2]).strip()
                yield path, name, text.count("\n", 0, found.start(1) + one.start()) + 1
    for path in (".mergify.yml", ".github/mergify.yml", ".mergify/config.yml"):
        text = project.tree.text(path) or ""
        for found in _IN_MERGIFY.finditer(text):
            yield path, found[1], text.count("\n", 0, found.start(1)) + 1
    for path in project.tree.matching(".github/rulesets/*.json"):
        text = project.tree.text(path) or ""
        for name in _of_ruleset(text):
            at = text.find(json.dumps(name, ensure_ascii=False))
            yield path, name, text.count("\n", 0, max(at, 0)) + 1


def _of_ruleset(text: str) -> Iterator[str]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return
    rules = data.get("rules") if isinstance(data, dict) else None
    for rule in rules if isinstance(rules, list) else ():
        parameters = rule.get("parameters") if isinstance(rule, dict) else None
        checks = parameters.get("required_status_checks") if isinstance(parameters, dict) else None
        for check in checks if isinstance(checks, list) else ():
            if isinstance(check, dict) and isinstance(check.get("context"), str):
                yield check["context"]
