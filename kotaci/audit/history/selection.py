"""Which of the test files (targets of Cargo) the commands of the workflows run.

Read from the words of `cargo test`, `cargo nextest run` and `cargo llvm-cov`: a run without a choice takes every
target. A choice in a variable or a matrix is looked up by name in the script and the matrix around it. What a
filter of names leaves of a target counts as nothing. What `just` or a script of the repository starts, conditions of
jobs, features and `#[ignore]` are not seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import pairwise

from kotaci.audit.history.legs import is_started
from kotaci.audit.project import Place, Project
from kotaci.audit.shell import Command

_KINDS = {"--lib", "--bins", "--bin", "--doc", "--examples", "--example", "--benches", "--bench", "--no-run"}
_OF_TEST = re.compile(r"(?P<folder>(?:.*/)?)tests/(?P<name>[^/]+)(?:\.rs|/main\.rs)")
_BINARY = re.compile(r"\bbinary(?:_id)?\(\s*[=~]?\s*([^)]+?)\s*\)")


_COVERAGE = {"llvm-cov", "tarpaulin"}
_WITH_VALUE = re.compile(
    r"--(?:features|package|test|bin|example|bench|target|target-dir|manifest-path|profile|jobs|color|config|exclude"
    r"|message-format|cargo-profile|partition|filterset|filter-expr|retries|test-threads|archive-file|lcov|output-path"
    r"|output-dir|ignore-filename-regex|fail-under-lines|run-ignored|no-tests|out|timeout|workspace-remap|failure-output"
    r"|success-output|status-level|final-status-level)|-[FpjZPECo]"
)
_PULL_REQUEST = ("pull_request", "pull_request_target")


@dataclass(frozen=True)
class Selection:
    """The test files of a tree by path, and, each file once, what runs it: a job of a pull request to the base branch;
    else only such a job's measuring of coverage; else only other events."""

    targets: frozenset[str]
    on_pull_request: frozenset[str]
    under_coverage: frozenset[str]
    elsewhere: frozenset[str]

    @property
    def left_out(self) -> tuple[str, ...]:
        """Return the test files that no job runs."""
        return tuple(sorted(self.targets - self.on_pull_request - self.under_coverage - self.elsewhere))


def select_tests(project: Project, *, base: str) -> Selection:
    """Return what the workflows of the project run of its test targets."""
    targets = dict(_targets(project))
    plain, covered, elsewhere = set[str](), set[str](), set[str]()
    for place, command in project.commands("cargo"):
        if place.file is None or not _runs_tests(command):
            continue
        triggers = (place.file.trigger(event) for event in _PULL_REQUEST)
        is_of_change = any(trigger is not None and is_started(trigger, base) for trigger in triggers)
        kind = elsewhere if not is_of_change else covered if _COVERAGE & set(command.words) else plain
        kind |= _selected(place, command, targets, project)
    covered -= plain
    return Selection(frozenset(targets), frozenset(plain), frozenset(covered), frozenset(elsewhere - plain - covered))


def _targets(project: Project) -> Iterator[tuple[str, str]]:
    """Yield path and name of each test target that Cargo finds by itself beside a manifest with a package."""
    packages = {path.removesuffix("Cargo.toml") for path, data in project.manifests.items() if "package" in data}
    for path in project.tree.paths:
        found = _OF_TEST.fullmatch(path)
        if found is not None and found["folder"] in packages:
            yield path, found["name"]


def _runs_tests(command: Command) -> bool:
    words = [word for word in command.words[1:] if not word.startswith(("-", "+"))]
    if words[:1] == ["nextest"]:
        return words[1:2] in (["run"], ["r"])
    if words[:1] == ["llvm-cov"]:
        return words[1:2] not in (["report"], ["clean"], ["show-env"], ["run"])
    return words[:1] in (["test"], ["t"], ["tarpaulin"])


def _selected(place: Place, command: Command, targets: Mapping[str, str], project: Project) -> set[str]:
    own = command.words[: command.words.index("--")] if "--" in command.words else command.words
    names = [value for flag, value in _flags(own) if flag == "--test"]
    packages = [value for flag, value in _flags(own) if flag in {"-p", "--package"}]
    filters = " ".join(value for flag, value in _flags(own) if flag in {"-E", "--filterset", "--filter-expr"})
    open_to = _within(targets, packages, project)
    if "--no-run" in own or _has_name_filter(own):
        return set()
    if names:
        chosen = {path for name in names for path in open_to if _is_named(targets[path], name, place)}
    elif any(word.partition("=")[0] in _KINDS for word in own) and not {"--tests", "--all-targets"} & set(own):
        chosen = set()
    else:
        chosen = set(open_to)
    if _BINARY.search(filters) and "not " not in filters:
        wanted = _BINARY.findall(filters)
        chosen = {path for path in chosen if any(_is_named(targets[path], name, place) for name in wanted)}
    elif "kind(lib)" in filters and "not " not in filters:
        chosen = set()
    return chosen


def _flags(words: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for place, word in enumerate(words):
        flag, equals, value = word.partition("=")
        yield flag, value if equals else "".join(words[place + 1 : place + 2])


def _has_name_filter(own: tuple[str, ...]) -> bool:
    """Tell whether a word stands alone that is neither the subcommand nor the value of a flag."""
    words = [
        word
        for before, word in pairwise(own)
        if not word.startswith(("-", "+", "$")) and not _WITH_VALUE.fullmatch(before) and not word.isdigit()
    ]
    is_nested = words[:1] == ["nextest"] or words[:2] in (["llvm-cov", "nextest"], ["llvm-cov", "test"])
    return len(words) > (2 if is_nested else 1)


def _within(targets: Mapping[str, str], packages: list[str], project: Project) -> set[str]:
    if not packages or any("$" in name for name in packages):
        return set(targets)
    named = {
        path.removesuffix("Cargo.toml"): data["package"].get("name", "")
        for path, data in project.manifests.items()
        if isinstance(data.get("package"), dict)
    }
    return {path for path in targets if named.get(path[: path.rindex("tests/")]) in packages}


def _is_named(target: str, name: str, place: Place) -> bool:
    if "$" not in name:
        return fnmatchcase(target, name)
    around = [place.step.run, *(text for _, text in (*place.step.env, *(place.job.env if place.job else ())))]
    if place.job is not None:
        around += [str(leg.values) for leg in place.job.legs]
    return any(re.search(rf"(?<![\w-]){re.escape(target)}(?![\w-])", text) for text in around)
