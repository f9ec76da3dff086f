"""Cargo's command lines as what they do: which packages, features, profile and target, by which toolchain, and why.

Sources: the pages of `cargo build`, `cargo test`, `cargo install` in the Cargo book, and those of nextest,
cargo-llvm-cov and cross. Aliases of .cargo/config.toml are written out. Variables that the step, its job or the
script itself sets once are filled in, and so are a leg's values; what only a run can tell stays in `open_words`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

from kotaci.audit.project import Place, Project
from kotaci.audit.shell import Command
from kotaci.workflows import Leg
from kotaci.workflows.expressions import fill


class Work(StrEnum):
    """What a command is for."""

    CHECK = "check"
    LINT = "lint"
    """clippy"""
    BUILD = "build"
    """also `cargo run`"""
    TEST = "test"
    """also under nextest, llvm-cov, tarpaulin and miri"""
    BENCH = "bench"
    DOC = "doc"
    INSTALL = "install"
    FORMAT = "format"
    CLEAN = "clean"
    OTHER = "other"


@dataclass(frozen=True)
class CargoCall:
    """One call of cargo, with its options read.

    `verbs` are the subcommand in full, aliases written out: ("build",), ("nextest", "run"), ("llvm-cov", "nextest").
    `packages` are empty where the folder decides. `selected` are the targets asked for, as written (`--lib`,
    `--test x`); `names` the words without a flag: filters of tests, or what is installed. `rest` stands behind `--`.
    """

    place: Place
    command: Command
    program: str
    """cargo or cross, or the variable that stands for it"""
    work: Work
    verbs: tuple[str, ...]
    toolchain: str
    """as `+nightly`, `rustup run` or RUSTUP_TOOLCHAIN says; empty where the folder decides"""
    packages: tuple[str, ...]
    excluded: tuple[str, ...]
    is_workspace: bool
    manifest: str
    features: frozenset[str]
    has_all_features: bool
    has_default_features: bool
    profile: str
    """dev, test, release, bench or one's own"""
    target: str
    """empty: that of the machine"""
    selected: tuple[str, ...]
    names: tuple[str, ...]
    rest: tuple[str, ...]
    options: tuple[str, ...]
    """every word between subcommand and `--`, variables filled in"""
    open_words: tuple[str, ...] = ()
    """words that hold an expression or variable whose value is not known"""

    @property
    def verb(self) -> str:
        """Return the subcommand as one text."""
        return " ".join(self.verbs)

    @property
    def compiles(self) -> bool:
        """Return whether it compiles this repository's code (also only to check it)."""
        return self.work in {Work.CHECK, Work.LINT, Work.BUILD, Work.TEST, Work.BENCH, Work.DOC} and not self.has(
            "--archive-file", "--help", "--version"
        )

    @property
    def runs_tests(self) -> bool:
        """Return whether tests are run, not only compiled or listed."""
        return self.work is Work.TEST and not self.has("--no-run") and not {"list", "archive"} & set(self.verbs)

    @property
    def env(self) -> dict[str, str]:
        """Return what is set for it: around the step, in the script, and before the command itself."""
        set_before = {name: value for name, value, line in self.place.script.assigned if line <= self.command.line}
        return {**self.place.env, **set_before, **dict(self.command.env)}

    @property
    def build(self) -> tuple[object, ...]:
        """Return what tells two builds apart: equal ones in the same folder compile the same things."""
        kept = {name: value for name, value in self.env.items() if _CHANGES_BUILD.match(name)}
        return (
            *(self.program, self.verbs, self.toolchain, self.packages, self.excluded, self.is_workspace, self.manifest),
            *(self.features, self.has_all_features, self.has_default_features, self.profile, self.target),
            *(self.selected, self.place.folder, tuple(sorted(kept.items()))),
        )

    def has(self, *flags: str) -> bool:
        """Return whether one of these flags stands among its options, alone or before `=`."""
        return any(word == flag or word.startswith(f"{flag}=") for word in self.options for flag in flags)

    def value(self, *flags: str) -> str:
        """Return what follows the first of these flags, as the next word or behind `=`; empty where none does."""
        return next(iter(_values(self.options, flags)), "")


_CHANGES_BUILD = re.compile(
    r"(?:CARGO_(?:ENCODED_)?)?RUST(?:DOC)?FLAGS|CARGO_(?:PROFILE_\w+|BUILD_\w+|TARGET_\w+|INCREMENTAL)|RUSTUP_TOOLCHAIN"
)
_PROGRAMS = {"cargo", "cargo.exe", "cross"}
_VARIABLE_PROGRAM = re.compile(r"\$\{?CARGO\}?|\$\{\{\s*env\.CARGO\s*\}\}")
_AROUND = {"time", "sudo", "env", "timeout", "nice", "exec", "command", "nohup", "xvfb-run", "rustup", "ionice"}
_NO_PROGRAM = re.compile(r"-.*|[0-9.]+[smhd]?|[A-Za-z_]\w*=.*", re.DOTALL)
_OPEN = re.compile(r"\$\{\{.*?\}\}|\$\{?\w+|\$\(|`", re.DOTALL)
_VARIABLE = re.compile(r"\$\{\{\s*env\.(\w+)\s*\}\}|\$\{(\w+)\}|\$(\w+)")
_BUILT_IN = {"b": "build", "c": "check", "d": "doc", "t": "test", "r": "run", "rm": "remove"}
_TWO_WORDS = {"nextest", "llvm-cov", "hack", "miri", "careful", "criterion", "codspeed", "mutants", "fuzz", "apk"}
_WORKS = {
    "check": Work.CHECK,
    "clippy": Work.LINT,
    "build": Work.BUILD,
    "run": Work.BUILD,
    "rustc": Work.BUILD,
    "zigbuild": Work.BUILD,
    "xwin": Work.BUILD,
    "test": Work.TEST,
    "nextest": Work.TEST,
    "llvm-cov": Work.TEST,
    "tarpaulin": Work.TEST,
    "bench": Work.BENCH,
    "criterion": Work.BENCH,
    "doc": Work.DOC,
    "rustdoc": Work.DOC,
    "install": Work.INSTALL,
    "binstall": Work.INSTALL,
    "fmt": Work.FORMAT,
    "clean": Work.CLEAN,
}
_NOT_RUNNING = {"report", "clean", "show-env", "list-features", "setup", "self", "show-config"}
"""Second words that do nothing of what the first is for."""
_WITH_VALUE = {
    *("-p", "--package", "--exclude", "-F", "--features", "--profile", "--target", "--target-dir", "--manifest-path"),
    *("--bin", "--test", "--example", "--bench", "-j", "--jobs", "--color", "--message-format", "--config", "-Z", "-C"),
    *("--lockfile-path", "--artifact-dir", "--out-dir"),
    # cargo install
    *("--version", "--git", "--rev", "--tag", "--branch", "--root", "--path", "--index", "--registry"),
    # nextest, llvm-cov, tarpaulin, hack
    *("--cargo-profile", "-E", "--filter-expr", "--filterset", "-P", "--partition", "--archive-file", "--test-threads"),
    *("--retries", "--tool-config-file", "--config-file", "--run-ignored", "--success-output", "--failure-output"),
    *("--status-level", "--final-status-level", "--max-fail", "--build-jobs", "--output-path", "--output-dir", "--out"),
    *("--ignore-filename-regex", "--fail-under-lines", "--timeout", "--engine", "--depth", "--exclude-features"),
    *("--mutually-exclusive-features", "--at-least-one-of", "--include-features"),
}
_SELECTING = ("--lib", "--bins", "--tests", "--examples", "--benches", "--all-targets", "--doc")
_SELECTING_ONE = ("--bin", "--test", "--example", "--bench")


def is_in_branch(place: Place, command: Command, *, or_loop: bool = False) -> bool:
    """Return whether a command stands in an `if` or `case` of its script, by the words that lines begin with; with
    `or_loop` also in a loop, which may turn no time."""
    opens, closes = {"if", "case"}, {"fi", "esac"}
    if or_loop:
        opens, closes = opens | {"for", "while", "until"}, closes | {"done"}
    lines = place.step.run.splitlines()[: max(command.line - place.step.run_line + 1, 0)]
    words = [line.split(maxsplit=1)[0].rstrip(";") for line in lines if line.strip()]
    n_open = sum(word in opens for word in words) - sum(word in closes for word in words)
    return n_open > 0


def cargo_calls(project: Project) -> Iterator[CargoCall]:
    """Yield every call of cargo in workflows and composite actions, in the order of the files; matrix values open."""
    for place in project.places:
        yield from calls_of(project, place)


def calls_of(project: Project, place: Place, *, leg: Leg | None = None) -> Iterator[CargoCall]:
    """Yield the calls of cargo in one step, with the values of that leg filled in."""
    known = _open_calls(project).get(id(place)) if leg is None else None
    yield from _calls_of(project, place, leg) if known is None else known


# Many rules ask for the same calls of one project.
@lru_cache(maxsize=2)
def _open_calls(project: Project) -> Mapping[int, Sequence[CargoCall]]:
    return {id(place): tuple(_calls_of(project, place, None)) for place in project.places}


def _calls_of(project: Project, place: Place, leg: Leg | None) -> Iterator[CargoCall]:
    aliases = cargo_aliases(project)
    for command in place.script.commands:
        call = read_call(place, command, aliases=aliases, leg=leg)
        if call is not None:
            yield call


def cargo_config(project: Project) -> Mapping[str, Any]:
    """Return cargo's configuration file at the root, as data; empty without one."""
    return next((found for name in ("config.toml", "config") if (found := project.toml(f".cargo/{name}"))), {})


@lru_cache(maxsize=2)
def cargo_aliases(project: Project) -> dict[str, tuple[str, ...]]:
    """Return the words behind each alias of cargo's configuration."""
    written = cargo_config(project).get("alias")
    found = {}
    for name, words in written.items() if isinstance(written, Mapping) else ():
        listed = words.split() if isinstance(words, str) else words if isinstance(words, list) else []
        if listed and all(isinstance(word, str) for word in listed):
            found[name] = tuple(listed)
    return found


def read_call(
    place: Place, command: Command, *, aliases: Mapping[str, Sequence[str]] | None = None, leg: Leg | None = None
) -> CargoCall | None:
    """Return the command as a call of cargo; None where it is another program, or cargo without a subcommand."""
    env = _known_env(place, command)
    words = [part for word in command.words for part in _filled(word, env, leg)]
    at = _program_at(words)
    if at is None:
        return None
    toolchain = words[2] if at > 2 and words[:2] == ["rustup", "run"] else env.get("RUSTUP_TOOLCHAIN", "")
    program, words = words[at].rpartition("/")[2], words[at + 1 :]
    if words and words[0].startswith("+"):
        toolchain, words = words[0][1:], words[1:]
    before: list[str] = []
    while words and words[0].startswith("-"):
        n_taken = 2 if words[0] in _WITH_VALUE else 1
        before, words = before + words[:n_taken], words[n_taken:]
    if not words:
        return None
    words = _written_out(words, {} if aliases is None else aliases)
    verbs, words = _verbs(words)
    words = before + words
    end = words.index("--") if "--" in words else len(words)
    options, rest = words[:end], words[end + 1 :]
    return _read(place, command, program, verbs, toolchain, tuple(options), tuple(rest))


def _read(
    place: Place,
    command: Command,
    program: str,
    verbs: tuple[str, ...],
    toolchain: str,
    options: tuple[str, ...],
    rest: tuple[str, ...],
) -> CargoCall:
    work = _work_of(verbs)
    features = [name for text in _values(options, ("-F", "--features")) for name in re.split(r"[,\s]+", text) if name]
    selected = [flag for flag in _SELECTING if flag in options]
    selected += [f"{flag} {value}" for flag in _SELECTING_ONE for value in _values(options, (flag,))]
    return CargoCall(
        place=place,
        command=command,
        program=program,
        work=work,
        verbs=verbs,
        toolchain=toolchain,
        packages=tuple(sorted(_values(options, ("-p", "--package")))),
        excluded=tuple(sorted(_values(options, ("--exclude",)))),
        is_workspace=bool({"--workspace", "--all"} & set(options)) and work is not Work.FORMAT,
        manifest=next(iter(_values(options, ("--manifest-path",))), ""),
        features=frozenset(features),
        has_all_features="--all-features" in options,
        has_default_features="--no-default-features" not in options,
        profile=_profile(work, verbs, options),
        target=next(iter(_values(options, ("--target",))), ""),
        selected=tuple(sorted(selected)),
        names=tuple(_names(options)),
        rest=rest,
        options=options,
        open_words=tuple(word for word in (program, *verbs, *options) if _OPEN.search(word)),
    )


def _known_env(place: Place, command: Command) -> dict[str, str]:
    """Return the variables whose value the text decides: a name that the script sets twice is not among them."""
    known = dict(place.env)
    n_set: dict[str, int] = {}
    for name, value, line in place.script.assigned:
        n_set[name] = n_set.get(name, 0) + 1
        if line <= command.line:
            known[name] = value
    for name, count in n_set.items():
        if count > 1:
            known.pop(name, None)
    known.update(command.env)
    return {name: value for name, value in known.items() if "$(" not in value and "`" not in value}


def _filled(word: str, env: Mapping[str, str], leg: Leg | None) -> list[str]:
    """Return the words that the shell makes of one; several (or none) where a value stands for options."""
    if "$" not in word:
        return [word]
    text = _VARIABLE.sub(lambda found: env.get(found[1] or found[2] or found[3], found[0]), word)
    if leg is not None and "${{" in text:
        parts = (fill(part, matrix=leg.values) or "" if _is_of_matrix(part) else part for part in _split(text))
        text = "".join(parts)
    is_alone = _OPEN.match(word) is not None
    if is_alone and text != word and (not text.strip() or text.lstrip()[:1] in {"-", "+"}):
        return text.split()
    return [text]


def _split(text: str) -> list[str]:
    return re.split(r"(\$\{\{.*?\}\})", text, flags=re.DOTALL)


def _is_of_matrix(part: str) -> bool:
    return re.fullmatch(r"\$\{\{\s*matrix\.[\w.-]+\s*\}\}", part) is not None


def _program_at(words: list[str]) -> int | None:
    """Return where cargo stands: first, or behind programs that run another one."""
    at = 0
    while at < len(words) and words[at].rpartition("/")[2] in _AROUND:
        at += 3 if words[at : at + 2] == ["rustup", "run"] else 1
        while at < len(words) and _NO_PROGRAM.fullmatch(words[at]):
            at += 1
    found = at < len(words) and (words[at].rpartition("/")[2] in _PROGRAMS or _VARIABLE_PROGRAM.fullmatch(words[at]))
    return at if found else None


def _written_out(words: list[str], aliases: Mapping[str, Sequence[str]]) -> list[str]:
    seen = set()
    while words and words[0] in aliases and words[0] not in seen:
        seen.add(words[0])
        words = [*aliases[words[0]], *words[1:]]
    return words


def _verbs(words: list[str]) -> tuple[tuple[str, ...], list[str]]:
    first = _BUILT_IN.get(words[0], words[0])
    rest = words[1:]
    if first in {"hack", "miri", "careful", "xwin"}:
        # Their own options may stand before the subcommand they pass on to.
        for place, word in enumerate(rest):
            if word == "--":
                break
            if not word.startswith("-") and (place == 0 or rest[place - 1] not in _WITH_VALUE):
                taken, left = rest[place:], rest[:place]
                further, after = _verbs(taken)
                return (first, *further), [*left, *after]
    elif first in _TWO_WORDS and rest and not rest[0].startswith("-"):
        return (first, rest[0]), rest[1:]
    return (first,), rest


def _work_of(verbs: tuple[str, ...]) -> Work:
    if set(verbs[1:]) & _NOT_RUNNING:
        return Work.OTHER
    return next((_WORKS[verb] for verb in verbs if verb in _WORKS), Work.OTHER)


def _profile(work: Work, verbs: tuple[str, ...], options: tuple[str, ...]) -> str:
    if {"--release", "-r"} & set(options) and verbs != ("llvm-cov", "nextest"):
        return "release"
    named = _values(options, ("--cargo-profile",) if "nextest" in verbs else ("--profile",))
    if named:
        return named[0]
    return {Work.TEST: "test", Work.BENCH: "bench", Work.INSTALL: "release"}.get(work, "dev")


def _values(options: Sequence[str], flags: Sequence[str]) -> list[str]:
    found = []
    for place, word in enumerate(options):
        for flag in flags:
            if word == flag and place + 1 < len(options):
                found.append(options[place + 1])
            elif word.startswith(f"{flag}="):
                found.append(word[len(flag) + 1 :])
            elif len(flag) == 2 and word.startswith(flag) and len(word) > 2 and not word.startswith("--"):
                found.append(word[2:])
    return found


def _names(options: Sequence[str]) -> Iterator[str]:
    for place, word in enumerate(options):
        if word.startswith("-") or (place and options[place - 1] in _WITH_VALUE):
            continue
        yield word


FLOATING = ("stable", "beta", "nightly")
"""Names of toolchains that become another compiler with time."""
_TOOLCHAIN_ACTIONS = {
    "dtolnay/rust-toolchain",
    "actions-rs/toolchain",
    "actions-rust-lang/setup-rust-toolchain",
    "moonrepo/setup-rust",
    "hecrj/setup-rust-action",
}
_NAMED_TOOLCHAIN = re.compile(r"(?:stable|beta|nightly|\d+\.\d+(?:\.\d+)?)(?:-\d{4}-\d\d-\d\d)?")


def toolchain_steps(places: Sequence[Place], *, leg: Leg | None = None) -> Iterator[tuple[Place, str]]:
    """Yield the steps of a job that install or choose a toolchain, with its name; empty where none can be read."""
    for place in places:
        step = place.step
        if step.action in _TOOLCHAIN_ACTIONS:
            written = step.input("toolchain") or step.input("rust-version") or step.input("channel")
            version = step.uses.partition("@")[2]
            written = written or (version if _NAMED_TOOLCHAIN.fullmatch(version) else "")
            yield place, " ".join(_filled(written, place.env, leg))
        for command in place.script.commands:
            words = [word for word in command.words if not word.startswith("-")]
            if words[:2] in (["rustup", "default"], ["rustup", "override"]) or words[:3] == [
                "rustup",
                "toolchain",
                "install",
            ]:
                name = words[-1]
                yield place, name if _NAMED_TOOLCHAIN.fullmatch(name) else ""


def default_toolchain(project: Project, places: Sequence[Place], *, leg: Leg | None = None) -> str:
    """Return the toolchain a job works with: that of the repository's file, else the last one that it chooses.

    Empty where nothing says so; then it is that of the machine.
    """
    if project.toolchain_file:
        section = project.toml(project.toolchain_file).get("toolchain")
        channel = section.get("channel") if isinstance(section, Mapping) else None
        text = (project.tree.text(project.toolchain_file) or "").strip()
        return channel if isinstance(channel, str) else text if _NAMED_TOOLCHAIN.fullmatch(text) else ""
    return next((name for _, name in reversed(list(toolchain_steps(places, leg=leg)))), "")
