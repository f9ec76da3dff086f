"""Which of the test files (targets of Cargo) the workflows run.

Read from every call that runs tests, also in recipes and scripts that a step starts: without a choice a call takes
every target of the packages it selects, and so it does where a choice is not known; one in a variable is looked up by
name in the script and matrix around it. What a filter of names leaves of a target counts as nothing. Conditions of
jobs, features and `#[ignore]` are not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kotaci.audit.cargo import CargoCall
from kotaci.audit.history.legs import is_started
from kotaci.audit.project import Project
from kotaci.audit.runs import Roster, read_roster
from kotaci.audit.targets import Target, selected_packages, selects

_BINARY = re.compile(r"\bbinary(?:_id)?\(\s*[=~]?\s*([^)]+?)\s*\)")
_COVERAGE = {"llvm-cov", "tarpaulin"}
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
    if not project.is_rust:
        return Selection(frozenset(), frozenset(), frozenset(), frozenset())
    roster = read_roster(project)
    packages = [package for workspace in roster.workspaces for package in workspace.packages]
    tests = {(package.folder, target.path): target for package in packages for target in package.of_kind("test")}
    plain, covered, elsewhere = set[str](), set[str](), set[str]()
    for call in roster.calls:
        if call.place.file is None:
            continue
        triggers = (call.place.file.trigger(event) for event in _PULL_REQUEST)
        is_of_change = any(trigger is not None and is_started(trigger, base) for trigger in triggers)
        kind = elsewhere if not is_of_change else covered if _COVERAGE & set(call.verbs) else plain
        kind |= set(_selected(roster, call, tests))
    paths = frozenset(path for _, path in tests)
    covered -= plain
    return Selection(paths, frozenset(plain), frozenset(covered), frozenset(elsewhere - plain - covered))


def _selected(roster: Roster, call: CargoCall, tests: Mapping[tuple[str, str], Target]) -> Iterator[str]:
    filters = call.value("-E", "--filterset", "--filter-expr")
    is_positive = "not " not in filters
    if call.names or (is_positive and "kind(lib)" in filters):
        return
    reached = selected_packages(roster.workspaces, call)
    folders = None if reached is None else {package.folder for package in reached[1]}
    names = _BINARY.findall(filters) if is_positive else []
    for (folder, path), target in tests.items():
        is_wanted = selects(call, target) and _may_be(call, target)
        if (folders is None or folder in folders) and is_wanted and (not names or target.name in names):
            yield path


def _may_be(call: CargoCall, target: Target) -> bool:
    """Tell whether the choice is written out, or the target is named in the script or matrix that a variable of it
    may take its value from."""
    if not any("$" in one for one in call.selected):
        return True
    place = call.place
    around = [place.step.run, *place.env.values(), *(str(leg.values) for leg in (place.job.legs if place.job else ()))]
    return any(re.search(rf"(?<![\w-]){re.escape(target.name)}(?![\w-])", text) for text in around)
