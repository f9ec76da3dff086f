"""Steps that keep files from one run to the next: what they hold, under which key, and who saves it.

Read are actions/cache with its halves `restore` and `save`, and Swatinem/rust-cache. Sources: their README files,
GitHub's page "Dependency caching reference", and src/config.ts of rust-cache for what its key is made of. GitHub tells
caches apart by key and list of paths; a run reads what its own branch, the base of its pull request, or the default
branch saved.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from kotaci.audit.project import Place, Project
from kotaci.workflows import Leg, WorkflowFile, WorkflowJob
from kotaci.workflows.expressions import fill, split_text

CACHE = "actions/cache"
RUST_CACHE = "swatinem/rust-cache"
_SYSTEMS = (("windows", "Windows"), ("macos", "macOS"), ("ubuntu", "Linux"), ("linux", "Linux"))
_ARM = re.compile(r"-arm\b|arm64|aarch64|macos-(?:latest|1[4-9]|[2-9]\d)(?!.*(?:intel|large))")


class Use(StrEnum):
    """What a step does with its cache."""

    BOTH = "restores and saves"
    RESTORE = "restores"
    SAVE = "saves"


@dataclass(frozen=True)
class CacheStep:
    """One step that restores or saves; `key` as written, for rust-cache what its inputs add to it."""

    place: Place
    use: Use
    is_rust_cache: bool
    paths: tuple[str, ...]
    key: str
    restore_keys: tuple[str, ...]

    @property
    def name(self) -> str:
        """Return the action, as people write it."""
        return "rust-cache" if self.is_rust_cache else self.place.step.action

    @property
    def holds_target(self) -> bool:
        """Return whether a folder `target` of cargo is among its paths."""
        return any(is_target(path) for path in self.paths)

    @property
    def holds_registry(self) -> bool:
        """Return whether what cargo downloads is among its paths."""
        return any(re.search(r"\.cargo(?:/(?:registry|git)\b.*|/?)$", path) for path in self.paths)

    @property
    def holds_binaries(self) -> bool:
        """Return whether what `cargo install` leaves is among its paths."""
        return any(re.search(r"\.cargo(?:/bin(?:/.*)?|/?\*?)$", path) for path in self.paths)

    @property
    def saves(self) -> bool:
        """Return whether it ever saves; an expression in save-if or lookup-only may."""
        step = self.place.step
        return self.use is not Use.RESTORE and step.input("save-if") != "false" and step.input("lookup-only") != "true"


def cache_steps(project: Project) -> Iterator[CacheStep]:
    """Yield the cache steps of workflows and composite actions, in the order of the files."""
    for place in project.places:
        step = read_cache_step(place)
        if step is not None:
            yield step


def read_cache_step(place: Place) -> CacheStep | None:
    """Return the step as a cache step; None where it uses another action."""
    step = place.step
    if step.action == RUST_CACHE:
        folders = [line.split("->") for line in (step.input("workspaces") or ".").strip().splitlines()]
        targets = [f"{parts[0].strip()}/{parts[1].strip() if len(parts) > 1 else 'target'}" for parts in folders]
        paths = ["~/.cargo/registry", "~/.cargo/git", *step.input("cache-directories").split()]
        paths += [] if step.input("cache-bin") == "false" else ["~/.cargo/bin"]
        paths += [] if step.input("cache-targets") == "false" else [target.removeprefix("./") for target in targets]
        key = step.input("shared-key") or step.input("key")
        return CacheStep(place, Use.BOTH, is_rust_cache=True, paths=tuple(paths), key=key, restore_keys=())
    uses = {CACHE: Use.BOTH, f"{CACHE}/restore": Use.RESTORE, f"{CACHE}/save": Use.SAVE}
    # GitHub has switched v1 and v2 off: such a step fails, and keeps nothing.
    if step.action not in uses or re.fullmatch(r"v[12](?:\..*)?", step.uses.partition("@")[2]):
        return None
    lines = [line.strip() for line in step.input("path").splitlines()]
    return CacheStep(
        place,
        uses[step.action],
        is_rust_cache=False,
        paths=tuple(line for line in lines if line and line[0] not in "#!"),
        key=step.input("key"),
        restore_keys=tuple(line.strip() for line in step.input("restore-keys").splitlines() if line.strip()),
    )


def is_target(path: str) -> bool:
    """Return whether a path is a folder `target` of cargo, or lies in one."""
    return re.search(r"(?:^|/)target(?:/(?:debug|release)?)?/?\*{0,2}$", path) is not None and "~" not in path


def input_line(project: Project, place: Place, name: str) -> int:
    """Return the line on which an input of the step is given; that of the step where none is."""
    lines = (project.tree.text(place.path) or "").splitlines()
    for number in range(place.step.lines.get("with", place.step.line), place.step.end_line + 1):
        if re.match(rf"\s*(?:with:\s*\{{.*\b)?['\"]?{re.escape(name)}['\"]?\s*:", lines[number - 1]):
            return number
    return place.step.line


def system_of(labels: tuple[str, ...], leg: Leg | None) -> str:
    """Return runner.os and runner.arch of a machine, from its labels; the labels where they do not tell."""
    filled = [fill(label, matrix=leg.values if leg else None) or label for label in labels]
    text = " ".join(filled).casefold()
    system = "" if "${{" in text else next((name for word, name in _SYSTEMS if word in text), "")
    return f"{system}-{'ARM64' if _ARM.search(text) else 'X64'}" if system else text


def key_of(cache: CacheStep, leg: Leg | None) -> str:
    """Return the key with what is known of the leg filled in; other expressions as written, blanks aside."""
    job, env = cache.place.job, cache.place.env
    machine = re.fullmatch(r"(Linux|macOS|Windows)-(\w+)", system_of(job.runs_on, leg) if job else "")
    known = {"runner.os": machine[1], "runner.arch": machine[2]} if machine else {}
    known["github.job"] = job.key if job else ""
    parts = []
    for literal, expression in split_text(cache.key):
        parts.append(literal)
        if expression is None:
            continue
        if known.get(expression):
            parts.append(known[expression])
        elif expression.startswith("env.") and "$" not in env.get(expression[4:], "$"):
            parts.append(env[expression[4:]])
        else:
            filled = fill(f"${{{{ {expression} }}}}", matrix=leg.values if leg else None)
            parts.append(f"${{{{{''.join(expression.split())}}}}}" if filled is None else filled)
    return "".join(parts)


def hash_patterns(key: str) -> list[tuple[str, ...] | None]:
    """Return the patterns of each `hashFiles(…)` in a text; None for one whose arguments are no plain texts."""
    found: list[tuple[str, ...] | None] = []
    for call in re.finditer(r"hashFiles\(((?:'(?:[^']|'')*'|[^()'])*)\)?", key, flags=re.IGNORECASE):
        literals = re.findall(r"'((?:[^']|'')*)'", call[1])
        is_plain = re.fullmatch(r"\s*'(?:[^']|'')*'(?:\s*,\s*'(?:[^']|'')*')*\s*", call[1]) is not None
        found.append(tuple(literals) if is_plain else None)
    return found


def matches_file(pattern: str, paths: frozenset[str]) -> bool:
    """Return whether a pattern of hashFiles fits one of these files: `**` crosses folders, `*` does not.

    One that cannot be read fits.
    """
    text = re.sub(r"^(?:\$\{\{\s*github\.workspace\s*\}\}|\$GITHUB_WORKSPACE)/|^(?:\./)+|^/+", "", pattern)
    pieces = re.split(r"(\*\*/|\*\*|\*|\?|\[[^\]]*\])", text)
    special = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    classes = {piece: "[" + re.sub(r"([\[\\&~|])", r"\\\1", piece[1:]) for piece in pieces if piece.startswith("[")}
    parts = [special.get(piece) or classes.get(piece) or re.escape(piece) for piece in pieces]
    try:
        fitting = re.compile("".join(parts) + r"(?:/.*)?", re.IGNORECASE)
    except re.error:
        return True
    return any(fitting.fullmatch(path) for path in paths)


def checkout_is_plain(file: WorkflowFile | None, job: WorkflowJob | None) -> bool:
    """Return whether the job's files are those of this tree, at the root: no other repository, commit or folder."""
    if file is None or job is None:
        return False
    checkouts = [step for step in job.steps if step.action == "actions/checkout"]
    moved = any(step.input(name) for step in checkouts for name in ("repository", "path", "ref", "submodules"))
    return bool(checkouts) and not moved


def only_for_pull_requests(condition: str) -> bool:
    """Return whether an `if:` lets only pull requests through."""
    text = condition.removeprefix("${{").removesuffix("}}")
    return "||" not in text and re.search(r"github\.event_name\s*==\s*'pull_request'", text) is not None


def env_of_key(place: Place) -> Mapping[str, str]:
    """Return the variables that rust-cache makes part of its key."""
    prefixes = ("CARGO", "CC", "CFLAGS", "CXX", "CMAKE", "RUST")
    return {name: value for name, value in sorted(place.env.items()) if name.startswith(prefixes)}
