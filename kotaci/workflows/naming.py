"""How GitHub shows jobs: names with their legs, callers of reusable workflows, and the way back.

Source of the rules: actions/runner, src/Sdk/WorkflowParser (JobNameBuilder.cs, WorkflowTemplateEvaluator.cs).
A job is shown by its `name`, or its key; a matrix adds its values in brackets unless the name holds an
expression, which then decides alone. Names that GitHub builds are cut at 100 characters.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kotaci.workflows.declared import WorkflowFile, WorkflowJob
from kotaci.workflows.expressions import Unknown, evaluate, fill, has_expression, split_text, to_text
from kotaci.workflows.matrix import Leg

MAX_NAME = 100
MAX_CALL_DEPTH = 10
"""GitHub's limit of nested reusable workflows."""

MAX_SHOWN = 4096
"""Jobs one file may show, callees included; more are cut off, so that calls within calls stay bounded."""


@dataclass(frozen=True)
class ShownJob:
    """One job as it will be shown. `pieces` are the known parts of its name: one where nothing is left open."""

    job_key: str
    """keys from caller to callee, joined by ` / `"""
    base: str
    """name without the leg, the key where the name is an expression; empty where the callee is not known"""
    leg: str
    pieces: tuple[str, ...]

    @property
    def shown(self) -> str:
        """Return the whole name; empty where an expression decides."""
        return self.pieces[0] if len(self.pieces) == 1 else ""


def legs_of(job: WorkflowJob) -> tuple[tuple[str, Leg | None], ...]:
    """Return (text, leg) for each leg, the texts all different (GitHub may show two legs alike; we add ` #2`).

    A job without matrix, or with a dynamic one, has the single leg ("", None).
    """
    if not job.legs:
        return (("", None),)
    taken: dict[str, Leg | None] = {}
    counts: dict[str, int] = {}
    for leg in job.legs:
        text = leg.text
        while text in taken:
            counts[leg.text] = counts.get(leg.text, 1) + 1
            text = f"{leg.text} #{counts[leg.text]}".strip()
        taken[text] = leg
    return tuple(taken.items())


def name_pieces(job: WorkflowJob, leg: Leg | None) -> tuple[str, ...]:
    """Return the name of a job's leg as its known parts: one part where the file decides everything."""
    name = job.name or job.key
    if has_expression(name):
        filled = fill(name, matrix=leg.values if leg else None if job.is_dynamic else {})
        if filled is not None:
            return (filled,) if filled else (_cut(_with_leg(job.key, leg)),)
        pieces, open_text = [], ""
        for literal, expression in split_text(name):
            open_text += literal
            if expression is not None:
                value = evaluate(expression, matrix=leg.values if leg else None)
                if isinstance(value, Unknown):
                    pieces.append(open_text)
                    open_text = ""
                else:
                    open_text += to_text(value)[:MAX_NAME]
        return (*pieces, open_text) if pieces else ("", "")  # known, but too long to be a name
    if job.is_dynamic:
        return (f"{name} (", ")")
    return (_cut(_with_leg(name, leg)),)


def shown_jobs(path: str, *, files: Mapping[str, WorkflowFile]) -> tuple[ShownJob, ...]:
    """Return every job that a run of the file shows, in declared order.

    A job that calls `./.github/workflows/x.yml` is shown as `caller / callee` for each job of that file, taken
    from `files` (all of the same commit). A callee elsewhere or missing leaves its part of the name open.
    """
    file = files.get(path)
    return tuple(_expand(file, files=files, above=(path,)))[:MAX_SHOWN] if file else ()


def _expand(file: WorkflowFile, *, files: Mapping[str, WorkflowFile], above: tuple[str, ...]) -> list[ShownJob]:
    shown: list[ShownJob] = []
    for job in file.jobs:
        callees: list[ShownJob] | None = None
        if job.uses:
            callee = _local_path(job.uses)
            target = files.get(callee) if callee not in above and len(above) <= MAX_CALL_DEPTH else None
            if target is not None:
                callees = _expand(target, files=files, above=(*above, callee))
            else:
                callees = [ShownJob("", "", "", ("", ""))]
        name = job.name or job.key
        base = job.key if has_expression(name) else name
        for text, leg in legs_of(job):
            pieces = name_pieces(job, leg)
            if callees is None:
                shown.append(ShownJob(job.key, base, text, pieces))
            else:
                shown += [_called(ShownJob(job.key, base, text, pieces), by) for by in callees]
            if len(shown) > MAX_SHOWN:
                return shown[:MAX_SHOWN]
    return shown


def _called(caller: ShownJob, callee: ShownJob) -> ShownJob:
    return ShownJob(
        job_key=" / ".join(filter(None, (caller.job_key, callee.job_key))),
        base=f"{caller.base} / {callee.base}" if callee.base else "",
        leg=" / ".join(filter(None, (caller.leg, callee.leg))),
        pieces=(*caller.pieces[:-1], f"{caller.pieces[-1]} / {callee.pieces[0]}", *callee.pieces[1:]),
    )


def _local_path(uses: str) -> str:
    return posixpath.normpath(uses) if uses.startswith("./") and "@" not in uses else ""


def _with_leg(name: str, leg: Leg | None) -> str:
    return f"{name} ({leg.text})" if leg is not None and leg.text else name


def _cut(name: str) -> str:
    return name if len(name) <= MAX_NAME else name[: MAX_NAME - 3] + "..."


def leg_of(shown_name: str, *, declared: Iterable[ShownJob] = ()) -> tuple[str, str]:
    """Split a job's shown name into (job_base, leg).

    A declared name decides first (its base is the key where the name is an expression), then a declared name
    with open parts, whose gaps are the leg. Otherwise the last pair of brackets at the end is the leg; that
    also takes `Build (release)` apart, which only the declaration can tell to be a plain name.
    """
    jobs = tuple(declared)
    for job in jobs:
        if job.shown == shown_name:
            return job.base, job.leg
    for job in jobs:
        if len(job.pieces) > 1 and job.base:
            gaps = _gaps(shown_name, job.pieces)
            if gaps:
                return job.base, ", ".join(gaps)
    return _split_brackets(shown_name)


def _gaps(text: str, pieces: tuple[str, ...]) -> list[str]:
    """Return what fills the gaps between the pieces, each with at least one character; none where they do not fit."""
    first, *middle, last = pieces
    if not any(character.isalnum() for piece in pieces for character in piece):
        return []
    end = len(text) - len(last)
    if not text.startswith(first) or not text.endswith(last) or end <= len(first):
        return []
    gaps, position = [], len(first)
    for piece in middle:
        found = text.find(piece, position + 1, end) if piece else position + 1
        if found < 0:
            return []
        gaps.append(text[position:found])
        position = found + len(piece)
    return [*gaps, text[position:end]] if position < end else []


def _split_brackets(text: str) -> tuple[str, str]:
    if text.endswith(")"):
        depth = 0
        for position in range(len(text) - 1, 0, -1):
            depth += {")": 1, "(": -1}.get(text[position], 0)
            if depth == 0:
                base, leg = text[:position].rstrip(), text[position + 1 : -1]
                return (base, leg) if text[position - 1] == " " and base and leg.strip() else (text, "")
    if len(text) == MAX_NAME and text.endswith("...") and " (" in text:
        base, _, leg = text.partition(" (")
        return base, leg
    return text, ""
