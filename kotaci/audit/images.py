"""Image recipes (Dockerfiles) that CI builds: their instructions by stage, and which files of the context they copy.

Sources: Docker's pages Dockerfile reference and Build context (.dockerignore: the last pattern that fits decides).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from kotaci.audit.checks import bare_words
from kotaci.audit.paths import has_tree, joined
from kotaci.audit.project import Place, Project


@dataclass(frozen=True)
class Instruction:
    """One instruction: its word in capitals, the rest with its lines joined, the stage from 0, and its first line."""

    word: str
    rest: str
    stage: int
    line: int


@dataclass(frozen=True)
class Image:
    """A recipe that a step builds, and the folder of the repository that is its context."""

    path: str
    context: str
    place: Place
    line: int
    """the line of the workflow that builds it"""


def images_of(project: Project) -> Iterator[Image]:
    """Yield each recipe once that a step of a workflow builds from a folder of this repository."""
    seen = set()
    for place in project.places:
        for path, context, line in (*_built_by_action(place), *_built_by_command(project, place)):
            if path in project.tree.paths and (path, context) not in seen:
                seen.add((path, context))
                yield Image(path, context, place, line)


def _built_by_action(place: Place) -> Iterator[tuple[str, str, int]]:
    step = place.step
    if step.action != "docker/build-push-action":
        return
    context, name = step.input("context"), step.input("file")
    if context and not has_tree(place):
        return
    if not re.search(r"[$:{]", context + name):
        folder = joined("", context or ".")
        yield joined("", name) if name else joined(folder, "Dockerfile"), folder, step.line


_FLY = (("flyctl", "deploy"), ("fly", "deploy"))


def _built_by_command(project: Project, place: Place) -> Iterator[tuple[str, str, int]]:
    if not has_tree(place):
        return
    for command in place.script.commands:
        words = bare_words(command.words)
        if command.name in {"cd", "pushd"} or "$" in f"{place.folder}{command.text}":
            return
        if words[:2] == ("docker", "build") or words[:3] == ("docker", "buildx", "build"):
            context, name = words[-1], command.value("-f", "--file")
            if re.fullmatch(r"[\w./-]+", context) and not context.startswith("-"):
                folder = joined(place.folder, context)
                yield joined(place.folder, name) if name else joined(folder, "Dockerfile"), folder, command.line
        elif words[:2] in _FLY and not command.has("--image", "-i", "--dockerfile"):
            config = joined(place.folder, command.value("--config", "-c") or "fly.toml")
            build = project.toml(config).get("build")
            recipe = build.get("dockerfile") if isinstance(build, dict) else None
            if isinstance(recipe, str):
                yield joined(config.rpartition("/")[0], recipe), joined("", place.folder or "."), command.line


@lru_cache(maxsize=256)
def read_recipe(text: str) -> tuple[Instruction, ...]:
    """Return the instructions in their order; texts of here-documents belong to none."""
    found: list[Instruction] = []
    lines = text.replace("\r\n", "\n").split("\n")
    stage, at = -1, 0
    while at < len(lines):
        first, said = at, lines[at].strip()
        at += 1
        if not said or said.startswith("#"):
            continue
        while said.endswith("\\") and at < len(lines):
            follows = lines[at].strip()
            at += 1
            said = said[:-1] + ("\\" if follows.startswith("#") or not follows else f" {follows}")
        for name in re.findall(r"<<-?\s*[\"']?(\w+)", said):
            while at < len(lines) and lines[at].strip() != name:
                at += 1
            at += 1
        word, _, rest = said.partition(" ")
        if word.upper() == "FROM":
            stage += 1
        found.append(Instruction(word.upper(), rest.strip(), max(stage, 0), first + 1))
    return tuple(found)


def copied(instruction: Instruction) -> tuple[str, ...]:
    """Return what a COPY or ADD takes from the context; nothing where it takes from elsewhere, or by a variable."""
    flags = re.match(r"(?:--[\w-]+(?:=\S+)?\s+)*", instruction.rest)
    rest = instruction.rest[flags.end() :] if flags else instruction.rest
    if instruction.word not in {"COPY", "ADD"} or (flags and "--from" in flags[0]) or "<<" in rest:
        return ()
    words = _listed(rest) if rest.startswith("[") else rest.split()
    return tuple(word.removeprefix("./").lstrip("/") or "." for word in words[:-1] if not re.search(r"[$:]", word))


def _listed(text: str) -> list[str]:
    try:
        found = json.loads(text)
    except ValueError:
        return []
    return [one for one in found if isinstance(one, str)] if isinstance(found, list) else []


def reaches(project: Project, image: Image, path: str) -> bool:
    """Tell whether the file (named from the context) is there and not left out by .dockerignore."""
    if joined(image.context, path) not in project.tree.paths:
        return False
    own = project.tree.text(f"{image.path}.dockerignore")
    text = own if own is not None else project.tree.text(joined(image.context, ".dockerignore")) or ""
    is_out = False
    for line in text.splitlines():
        rule = line.strip()
        if rule and not rule.startswith("#") and _ignoring(rule.removeprefix("!")).match(path):
            is_out = not rule.startswith("!")
    return not is_out


def files_taken(project: Project, image: Image, source: str) -> Iterator[str]:
    """Return the files (named from the context) that a source of COPY fits and that reach the builder."""
    start = f"{image.context}/" if image.context else ""
    literal = re.split(r"[*?\[]", source)[0] if source not in {".", "./"} else ""
    fits = taking(source).match
    for path in project.tree.paths:
        if (
            path.startswith(f"{start}{literal}")
            and fits(path[len(start) :])
            and reaches(project, image, path[len(start) :])
        ):
            yield path[len(start) :]


@lru_cache(maxsize=512)
def _ignoring(pattern: str) -> re.Pattern[str]:
    return re.compile(f"{_globbed(pattern.strip().strip('/').removeprefix('./'))}(?:/|$)")


@lru_cache(maxsize=512)
def taking(source: str) -> re.Pattern[str]:
    """Return what fits a source of COPY: a file, a folder with all below it, or a pattern."""
    name = source.rstrip("/")
    return re.compile(".*" if name in {".", ""} else f"{_globbed(name)}(?:/.*)?$")


def _globbed(pattern: str) -> str:
    words = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    pieces = re.findall(r"\*\*/|\*\*|\*|\?|[^*?]+", pattern)
    return "".join(words.get(piece, re.escape(piece)) for piece in pieces)
