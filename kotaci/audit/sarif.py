"""Marks as SARIF 2.1.0, the form that GitHub's code scanning takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from kotaci.audit.findings import describe
from kotaci.audit.marks import Mark
from kotaci.model import Severity

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
MAX_RESULTS = 25_000
"""What code scanning takes of one run."""

_LEVELS = {Severity.LOW: "note", Severity.MEDIUM: "warning", Severity.HIGH: "error"}
_PRECISIONS = {"proved": "very-high", "high": "high", "medium": "medium", "low": "low"}


def to_sarif(marks: Sequence[Mark], *, version: str, repo_url: str = "", commit_sha: str = "") -> dict[str, Any]:
    """Return a log of one run with its rules and a result a mark; the fingerprint is the mark's identity.

    Paths are relative to the root of the checkout. `repo_url` and `commit_sha` tell where the files are from.
    """
    marks = marks[:MAX_RESULTS]
    rules = list(dict.fromkeys(mark.rule for mark in marks))
    places = {rule: place for place, rule in enumerate(rules)}
    seen = Counter[str]()
    results = []
    for mark in marks:
        seen[mark.identity] += 1
        results.append(_result(mark, places[mark.rule], seen[mark.identity]))
    run: dict[str, Any] = {
        "tool": {"driver": {"name": "kotaci", "version": version, "rules": [_rule(rule) for rule in rules]}},
        "automationDetails": {"id": "kotaci/audit/"},
        "columnKind": "unicodeCodePoints",
        "results": results,
    }
    if repo_url and commit_sha:
        run["versionControlProvenance"] = [{"repositoryUri": repo_url, "revisionId": commit_sha}]
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(rule: str) -> dict[str, Any]:
    said = describe(rule)
    helped = f"{said.why} {said.remedy}".strip()
    told: dict[str, Any] = {
        "id": rule,
        "name": "".join(word.capitalize() for word in rule.replace("/", "-").split("-")),
        "shortDescription": {"text": said.title},
        "fullDescription": {"text": said.why},
        "help": {"text": helped},
        "defaultConfiguration": {"level": _LEVELS[said.severity]},
        "properties": {"precision": _PRECISIONS[said.certainty], "tags": ["ci", said.group]},
    }
    return {**told, "helpUri": said.url} if said.url else told


def _result(mark: Mark, rule_index: int, count: int) -> dict[str, Any]:
    said = describe(mark.rule)
    result = {
        "ruleId": mark.rule,
        "ruleIndex": rule_index,
        "level": _LEVELS[mark.severity or said.severity],
        "message": {"text": f"{mark.subject}: {mark.claim}"},
        "locations": [_location(mark.path, mark.line, mark.end_line)],
        "partialFingerprints": {"kotaciIdentity/v1": mark.identity if count == 1 else f"{mark.identity}-{count}"},
        "properties": {"certainty": str(mark.certainty or said.certainty)},
    }
    if mark.also:
        result["relatedLocations"] = [_location(path, line, 0) for path, line in mark.also]
    return result


def _location(path: str, line: int, end_line: int) -> dict[str, Any]:
    region = {"startLine": max(line, 1)}
    if end_line > line:
        region["endLine"] = end_line
    artifact = {"uri": quote(path), "uriBaseId": "%SRCROOT%"}
    return {"physicalLocation": {"artifactLocation": artifact, "region": region}}
