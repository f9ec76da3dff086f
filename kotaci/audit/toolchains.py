"""Which Rust a job's commands run with: what a step installs, and what rustup takes in spite of it.

Source: the rustup book, "Overrides": `+toolchain`, RUSTUP_TOOLCHAIN, `rustup override`, the toolchain file, then the
default. dtolnay/rust-toolchain and `rustup default` only set the default.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from kotaci.audit.cargo import CargoCall, calls_of
from kotaci.audit.conditions import World, can_hold, of_leg
from kotaci.audit.project import Place, Project
from kotaci.workflows import Leg, WorkflowFile, WorkflowJob, legs_of
from kotaci.workflows.expressions import fill

_CHANNEL = re.compile(r"stable|beta|nightly(?:-\d{4}-\d{2}-\d{2})?|\d+\.\d+(?:\.\d+)?")
_ENV = re.compile(r"\$\{\{\s*env\.([A-Za-z_]\w*)\s*\}\}")
_FLOATING = {"stable", "beta", "nightly"}
_OTHERWISE = re.compile(r"rust-toolchain|rustup override|RUSTUP_TOOLCHAIN")
_ELSEWHERE = re.compile(r"\.\.|/|~|\$")


@dataclass(frozen=True)
class Installed:
    """A toolchain that a step makes the default: the channel, and the step."""

    channel: str
    place: Place


@dataclass(frozen=True)
class Run:
    """A call of cargo, the toolchain installed before it in its job, and the leg."""

    call: CargoCall
    installed: Installed | None
    leg: Leg | None


def runs_of(project: Project, file: WorkflowFile, job: WorkflowJob) -> Iterator[Run]:
    """Yield the job's calls of cargo for each leg, with the default toolchain then."""
    for _, leg in legs_of(job):
        installed: Installed | None = None
        world = World("", of_leg(job, leg))
        for place in project.of_job(file, job):
            if not can_hold(place.step.condition, world):
                continue
            channel = _installed_by(place, leg)
            if channel:
                installed = Installed(channel, place)
            for command in place.script.commands:
                if command.words[:2] == ("rustup", "default") and len(command.words) > 2:
                    installed = Installed(_filled(command.words[2], place, leg), place)
            for call in calls_of(project, place, leg=leg):
                yield Run(call, installed, leg)


def _installed_by(place: Place, leg: Leg | None) -> str:
    if place.step.action != "dtolnay/rust-toolchain":
        return ""
    rev = place.step.uses.partition("@")[2]
    asked = _filled(place.step.input("toolchain"), place, leg)
    # The branches of single versions have no such input.
    if rev[:1].isdigit() and _CHANNEL.fullmatch(rev):
        return rev
    return asked or (rev if _CHANNEL.fullmatch(rev) else "")


def _filled(text: str, place: Place, leg: Leg | None) -> str:
    text = _ENV.sub(lambda found: place.env.get(found[1], found[0]), text)
    return fill(text, matrix=leg.values if leg else None) or ""


def channel_of_file(project: Project) -> str:
    """Return the channel that the toolchain file at the root names; empty without one."""
    path = project.toolchain_file
    if not path:
        return ""
    found = project.toml(path).get("toolchain")
    channel = found.get("channel") if isinstance(found, dict) else None
    if isinstance(channel, str):
        return channel.strip()
    lines = (project.tree.text(path) or "").split()
    return lines[0] if path == "rust-toolchain" and len(lines) == 1 else ""


def has_file_of_its_own(project: Project, file: WorkflowFile, job: WorkflowJob) -> bool:
    """Tell whether the toolchain file at the root may not decide in this job: it is removed or overridden there, the
    code lies elsewhere, or scripts go where another file may be."""
    for place in project.of_job(file, job):
        step = place.step
        if _OTHERWISE.search(step.run) or any("RUSTUP_TOOLCHAIN" in name for name in place.env):
            return True
        if step.action == "actions/checkout" and (step.input("path") or step.input("repository")):
            return True
        if _ELSEWHERE.match(place.folder) or "$" in place.folder:
            return True
        if any(
            command.name == "cd" and _ELSEWHERE.match(" ".join(command.words[1:])) for command in place.script.commands
        ):
            return True
        if not place.script.is_known and "cargo" in step.run:
            return True
    return False


def is_same(one: str, other: str) -> bool:
    """Tell whether two channels are one: 1.85 is 1.85.0, and a host behind the channel says nothing."""
    short, long = sorted((one, other), key=len)
    return long == short or long.startswith((f"{short}.", f"{short}-"))


def is_version(channel: str) -> bool:
    """Tell whether the channel is one release, such as 1.85 or 1.85.0."""
    return re.fullmatch(r"\d+\.\d+(?:\.\d+)?", channel) is not None


def is_floating(channel: str) -> bool:
    """Tell whether the channel becomes another compiler by itself."""
    return channel in _FLOATING
