"""A plan as a file: JSON that a person can read and change, checked word by word when it comes back."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from kotaci.actions.identity import parse_marker
from kotaci.actions.model import ISSUE_KINDS, PLAN_VERSION, Action, Change, Kind, Plan, PlannedFile
from kotaci.model import BadInput, Link, Repo

_HINT = "make the plan again with `kotaci plan`"
_FORMS = {
    "digest": re.compile(r"[0-9a-f]{0,64}"),
    "sha": re.compile(r"(?:[0-9a-f]{40})?"),
    "blob_sha": re.compile(r"(?:[0-9a-f]{40})?"),
    "branch": re.compile(r"fix/ci-[a-z0-9-]{1,100}"),
    "base": re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]{0,200}"),
    "path": re.compile(r"(?!\.git/)[A-Za-z0-9_.][^\x00-\x1f\\]{0,300}"),
    "as_of": re.compile(r"(?:\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)?"),
}
"""Values that are part of an address or a comparison."""


def to_json(plan: Plan, *, file: str = "plan.json") -> str:
    """Return the plan as JSON; each action with the command of gh that would do the same."""
    actions = [
        {
            **{member.name: getattr(action, member.name) for member in fields(Action)},
            "labels": list(action.labels),
            "evidence": [{"text": link.text, "url": link.url} for link in action.evidence],
            "change": None if action.change is None else asdict(action.change),
            "gh": action.gh(plan=file, place=place),
        }
        for place, action in enumerate(plan.actions)
    ]
    told = {"version": plan.version, "repo": plan.repo, "as_of": plan.as_of, "digest": plan.digest}
    whole = {**told, "report": plan.report, "actions": actions, "left_out": list(plan.left_out)}
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def write_plan(plan: Plan, path: Path) -> None:
    """Write the plan; a reader sees the old file or the new one."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(to_json(plan, file=path.name), encoding="utf-8", newline="\n")
        part.replace(path)
    except OSError as error:
        raise BadInput(path, f"cannot be written ({error.strerror})", "name another file with -o") from None


def read_plan(path: Path) -> Plan:
    """Return the plan in a file. Raises BadInput that names the key and the value that is wrong."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(path, f"cannot be read ({type(error).__name__})", _HINT) from None
    return parse_plan(text)


def parse_plan(text: str) -> Plan:
    """Return the plan that a text tells. Raises BadInput that names the key and the value that is wrong."""
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        raise BadInput(text[:60], "is no JSON", _HINT) from None
    whole = _record(told, "the plan", {member.name for member in fields(Plan)})
    if whole["version"] != PLAN_VERSION or isinstance(whole["version"], bool):
        raise BadInput(f"version {whole['version']!r}", f"is not that of this kotaci, {PLAN_VERSION}", _HINT)
    repo = str(Repo.parse(_text(whole, "repo")))
    actions = tuple(_action(one, place, repo) for place, one in enumerate(_list(whole, "actions")))
    ids = [action.id for action in actions]
    if len(set(ids)) < len(ids):
        raise BadInput("actions", "has two actions with one id", _HINT)
    return Plan(
        repo=repo,
        as_of=_text(whole, "as_of"),
        digest=_text(whole, "digest"),
        report=_text(whole, "report"),
        actions=actions,
        left_out=tuple(_texts(whole, "left_out")),
    )


def _action(told: Any, place: int, repo: str) -> Action:
    where = f"actions[{place}]"
    one = _record(told, where, {member.name for member in fields(Action)} | {"gh"})
    kind_word = _text(one, "kind", where)
    if kind_word not in set(Kind):
        raise BadInput(f"{where}.kind {kind_word!r}", "is no kind of action", f"choose from {', '.join(Kind)}")
    evidence = [_record(link, f"{where}.evidence", {"text", "url"}) for link in _list(one, "evidence", where)]
    texts = {name: _text(one, name, where) for name in ("id", "repo", "sha", "title", "body", "marker", "reason")}
    numbers = {name: _number(one, name, where) for name in ("number", "run_id", "attempt")}
    action = Action(
        id=texts["id"],
        kind=Kind(kind_word),
        repo=texts["repo"],
        number=numbers["number"],
        sha=texts["sha"],
        run_id=numbers["run_id"],
        attempt=numbers["attempt"],
        title=texts["title"],
        labels=tuple(_texts(one, "labels", where)),
        body=texts["body"],
        marker=texts["marker"],
        reason=texts["reason"],
        evidence=tuple(Link(_text(link, "text", where), _text(link, "url", where)) for link in evidence),
        change=None if one["change"] is None else _change(one["change"], f"{where}.change"),
    )
    if str(Repo.parse(action.repo)) != repo:
        raise BadInput(f"{where}.repo {action.repo!r}", f"is another repository than the plan's, {repo}", _HINT)
    _check_target(action, where)
    return action


def _change(told: Any, where: str) -> Change:
    one = _record(told, where, {member.name for member in fields(Change)})
    files = []
    for place, file in enumerate(_list(one, "files", where)):
        at = f"{where}.files[{place}]"
        held = _record(file, at, {member.name for member in fields(PlannedFile)})
        files.append(PlannedFile(_text(held, "path", at), _text(held, "text", at), _text(held, "blob_sha", at)))
        if ".." in files[-1].path.split("/"):
            raise BadInput(f"{at}.path {files[-1].path!r}", "leaves the repository", _HINT)
    texts = {name: _text(one, name, where) for name in ("branch", "base", "message", "diff")}
    return Change(files=tuple(files), **texts)


def _check_target(action: Action, where: str) -> None:
    if (
        action.kind in (ISSUE_KINDS - {Kind.CREATE_ISSUE}) | {Kind.COMMENT_ISSUE, Kind.COMMENT_PULL, Kind.HAND_OFF}
        and not action.number
    ):
        raise BadInput(f"{where}.number 0", f"is no target of {action.kind}", _HINT)
    if action.kind == Kind.COMMENT_COMMIT and not action.sha:
        raise BadInput(f"{where}.sha ''", "is no commit", _HINT)
    if action.kind == Kind.RERUN_FAILED and not (action.run_id and action.attempt):
        raise BadInput(f"{where}.run_id {action.run_id}", "is no run and attempt", _HINT)
    if (action.kind == Kind.OPEN_PULL) != (action.change is not None):
        raise BadInput(f"{where}.change", f"does not go with {action.kind}", _HINT)
    if action.change is not None and not (action.change.files and action.change.message.strip()):
        raise BadInput(f"{where}.change", "has no files, or no message", _HINT)
    if action.kind in {Kind.CREATE_ISSUE, Kind.OPEN_PULL} and not action.title.strip():
        raise BadInput(f"{where}.title ''", "is no title", _HINT)
    if action.kind != Kind.RERUN_FAILED:
        if parse_marker(action.marker) is None:
            raise BadInput(f"{where}.marker {action.marker!r}", "is no marker of kotaci", _HINT)
        if not action.body.startswith(action.marker):
            raise BadInput(f"{where}.body", "does not begin with its marker", _HINT)


def _record(told: Any, where: str, names: set[str]) -> Mapping[str, Any]:
    if not isinstance(told, dict):
        raise BadInput(f"{where} {told!r}", "is no record", _HINT)
    for name in sorted(set(told) - names):
        raise BadInput(f"{where}: {name!r} {told[name]!r}", "is a key that no plan has", _HINT)
    for name in sorted(names - set(told)):
        raise BadInput(f"{where}: {name!r}", "is missing", _HINT)
    return told


def _text(told: Mapping[str, Any], name: str, where: str = "the plan") -> str:
    value = told[name]
    if not isinstance(value, str):
        raise BadInput(f"{where}.{name} {value!r}", "is no text", _HINT)
    if name in _FORMS and not _FORMS[name].fullmatch(value):
        raise BadInput(f"{where}.{name} {value!r}", "has another form", _HINT)
    return value


def _number(told: Mapping[str, Any], name: str, where: str) -> int:
    value = told[name]
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 10**18:
        raise BadInput(f"{where}.{name} {value!r}", "is no number", _HINT)
    return value


def _list(told: Mapping[str, Any], name: str, where: str = "the plan") -> list[Any]:
    value = told[name]
    if not isinstance(value, list):
        raise BadInput(f"{where}.{name} {value!r}", "is no list", _HINT)
    return value


def _texts(told: Mapping[str, Any], name: str, where: str = "the plan") -> list[str]:
    values = _list(told, name, where)
    for value in values:
        if not isinstance(value, str):
            raise BadInput(f"{where}.{name} {value!r}", "is no text", _HINT)
    return values
