"""Which calls of cargo run tests, also those in recipes and scripts that steps start; and what may run them unseen."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

from kotaci.audit.cargo import CargoCall, Work, calls_of
from kotaci.audit.checks import bare_words
from kotaci.audit.paths import joined
from kotaci.audit.project import Place, Project
from kotaci.audit.shell import Command, Script, parse_script
from kotaci.audit.targets import Package, Target, Workspace, selected_packages, selects, workspaces

_SETS_UP = re.compile(r"cache|toolchain|install|setup|checkout|artifact|deny|audit|clippy|fmt|publish|release")
_MAX_DEPTH = 3
"""Recipes and scripts that start others are followed so far."""


@dataclass(frozen=True)
class Roster:
    """What runs the tests of a repository. `is_whole`: nothing else may, so what is missing here runs never."""

    workspaces: tuple[Workspace, ...]
    calls: tuple[CargoCall, ...]
    is_whole: bool

    @cached_property
    def reached(self) -> tuple[tuple[Workspace, tuple[Package, ...]] | None, ...]:
        """The packages of each call, in the order of the calls; None where that cannot be decided."""
        return tuple(selected_packages(self.workspaces, call) for call in self.calls)

    def running(self, package: Package, target: Target) -> tuple[CargoCall, ...]:
        """Return the calls that run that test target, or may."""
        return tuple(
            call
            for call, found in zip(self.calls, self.reached, strict=True)
            if (found is None or package in found[1]) and selects(call, target)
        )


@lru_cache(maxsize=2)
def read_roster(project: Project) -> Roster:
    """Return every call that runs tests."""
    calls: list[CargoCall] = []
    is_whole = not any(job.uses and not job.uses.startswith("./") for _, job in project.jobs)
    for place in project.places:
        if _is_hidden_action(place) or (not place.script.is_known and re.search(r"\bcargo\b", place.step.run)):
            is_whole = False
        for one in _followed(project, place, 0):
            found = list(calls_of(project, one))
            read = {id(call.command) for call in found}
            others = (command for command in one.script.commands if id(command) not in read)
            is_hidden = any(map(_is_hidden_call, found)) or any(_is_hidden(project, one, other) for other in others)
            is_whole = is_whole and not one.script.is_broken and not is_hidden
            calls += [call for call in found if call.runs_tests]
    return Roster(workspaces(project), tuple(calls), is_whole)


def _is_hidden_action(place: Place) -> bool:
    """Tell whether the step is an action that may run tests of Rust."""
    if not place.step.uses or place.step.uses.startswith("./") or place.step.action.startswith("actions/"):
        return False
    said = " ".join(value for _, value in place.step.inputs)
    names_cargo = re.search(r"cargo|rust|cross|nextest|tarpaulin|codspeed", f"{place.step.action} {said}") is not None
    runs = re.search(r"\b(?:test|nextest|tarpaulin|run)\b", f"{place.step.action.rpartition('/')[2]} {said}")
    return names_cargo and runs is not None and not (_SETS_UP.search(place.step.action) and "cargo test" not in said)


_TESTING = {"test", "tests", "nextest", "t", "ci"}
_OTHER_RUNNERS = {"xtask", "make", "mutants", "insta", "dinghy", "ndk"}
_RUNNER_NAME = re.compile(r"(?:.*[-_])?(?:ci|xtask|x|tasks?|dev|tools?|test\w*)(?:[-_].*)?")


def _is_hidden_call(call: CargoCall) -> bool:
    """Tell whether the call may run tests of its own accord: by a program of the repository, or a command not known."""
    if call.runs_tests and call.verbs != ("insta",):
        return False
    if "$" in call.verb or call.verbs[0] in _OTHER_RUNNERS:
        return True
    words = {*call.names, *call.rest}
    named = [*call.packages, *(one.partition(" ")[2] for one in call.selected)]
    if call.verbs == ("run",):
        return bool(words & _TESTING) or any(_RUNNER_NAME.fullmatch(one) for one in named)
    return call.work is Work.OTHER and bool(words & _TESTING)


_MAY_TEST = re.compile(r"\bcargo\b.*\b(?:test|nextest|t)\b")
_PROGRAMS = {"bazel", "buck2", "nix", "earthly", "task", "mage", "tox", "nox"}
_SHELL_SCRIPT = re.compile(r"^(?:(?:ba)?sh |\. |source )?\S+\.(?:sh|bash)\b")
_NAMED_FOR_TESTS = re.compile(r"test|\bci\b|check|run.?all", re.IGNORECASE)


def _is_hidden(project: Project, place: Place, command: Command) -> bool:
    """Tell whether the command may run cargo's tests in a way that is not read."""
    words = bare_words(command.words)
    if not words or words[0] in {"echo", "printf"}:
        return False
    if words[0] in _PROGRAMS:
        return True
    if words[0] in {"just", "make"} or _SHELL_SCRIPT.search(" ".join(words[:2])):
        is_found = bool(_started(project, place.folder, command))
        return not is_found and _NAMED_FOR_TESTS.search(" ".join(words[:2])) is not None
    if re.fullmatch(r"python[\d.]*|node|ruby|deno|pwsh|perl", words[0]) and words[1:]:
        return _NAMED_FOR_TESTS.search(words[1]) is not None
    return _MAY_TEST.search(command.text) is not None


def _followed(project: Project, place: Place, depth: int) -> Iterator[Place]:
    """Yield the step, and for each recipe or script that it starts the same step with that script."""
    yield place
    if depth >= _MAX_DEPTH:
        return
    for command in place.script.commands:
        text = _started(project, place.folder, command)
        if text:
            yield from _followed(project, replace(place, script=parse_script(text)), depth + 1)


def _started(project: Project, folder: str, command: Command) -> str:
    """Return the text of the recipe or script that the command starts; empty where it starts none that is here."""
    words = bare_words(command.words)
    if words[:1] == ("just",) or words[:1] == ("make",):
        names = ("justfile", "Justfile", ".justfile") if words[0] == "just" else ("Makefile", "makefile")
        texts = (project.tree.text(joined(folder, name)) or project.tree.text(name) for name in names)
        recipes = read_recipes(next(filter(None, texts), ""))
        wanted = [word for word in words[1:] if word in recipes] or list(recipes)[:1]
        return "\n".join(_with_needed(recipes, name) for name in wanted)
    named = next((word for word in command.words[:2] if word.endswith((".sh", ".bash"))), "")
    return (project.tree.text(joined(folder, named)) or project.tree.text(joined("", named)) or "") if named else ""


def scripts_of(project: Project, place: Place) -> Iterator[tuple[str, Script]]:
    """Yield the shell scripts of the repository that the step starts and whose failure it hears: path and content.

    A script stops at failures only where its first line, its caller or `set -e` says so.
    """
    if "$" in place.folder:
        return
    for command in place.script.commands:
        if command.name in {"cd", "pushd"}:
            return
        words = command.words
        is_called = command.name in {"bash", "sh"}
        options = [word for word in words[1:2] if word.startswith("-")] if is_called else []
        named = words[1 + len(options) :][:1] if is_called else words[:1]
        path = joined(place.folder, named[0]) if named else ""
        text = project.tree.text(path) if path and (is_called or "/" in named[0]) else None
        first = (text or "").partition("\n")[0]
        if text is None or command.unheard or not (is_called or re.match(r"#!.*\b(?:ba)?sh\b", first)):
            continue
        flags = options[0] if is_called and options else "" if is_called else " ".join(first.split()[1:])
        shell = f"bash {flags} {{0}}"
        yield path, parse_script(text, shell=shell)


def read_recipes(text: str) -> dict[str, tuple[tuple[str, ...], str]]:
    """Return the recipes of a justfile or Makefile: what each needs, and its script."""
    found: dict[str, tuple[tuple[str, ...], str]] = {}
    name = ""
    for line in text.splitlines():
        head = re.match(r"@?([A-Za-z_][\w-]*)\b([^\n:]*):(?!=)\s*([^#\n]*)", line)
        if head is not None:
            name = head[1]
            found[name] = (tuple(re.findall(r"[A-Za-z_][\w-]*", head[3])), "")
        elif name and line[:1] in {" ", "\t"}:
            needed, script = found[name]
            words = re.sub(r"\{\{\s*(\w+)[^}]*\}\}|\$\((\w+)\)", lambda one: f"${{{one[1] or one[2]}}}", line.strip())
            found[name] = (needed, f"{script}{words.lstrip('@-')}\n")
        elif line.strip() and not line.startswith("#"):
            name = ""
    return found


def _with_needed(recipes: Mapping[str, tuple[tuple[str, ...], str]], name: str) -> str:
    seen: list[str] = []
    left = [name]
    while left:
        one = left.pop()
        if one in recipes and one not in seen:
            seen.append(one)
            left += recipes[one][0]
    return "\n".join(recipes[one][1] for one in seen)
