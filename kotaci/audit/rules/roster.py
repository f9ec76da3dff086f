"""Rules of tests that do not run, of the class `gates`; what each is for stands on its card."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from kotaci.audit.cargo import CargoCall
from kotaci.audit.conditions import can_hold, worlds_of
from kotaci.audit.marks import Mark
from kotaci.audit.project import Project
from kotaci.audit.runs import Roster, read_roster
from kotaci.audit.targets import Package, Target, selected_packages

_TEST = re.compile(r"#\[(?:[\w:]+::)?(?:test|rstest|test_case|case|quickcheck|proptest)\b|\bproptest!|\bquickcheck!")
_IGNORED = re.compile(r"^\s*#\[ignore\b", re.MULTILINE)
_GATED = re.compile(r"^\s*#!\[cfg\((?:all\()?((?:\s*feature\s*=\s*\"[\w-]+\"\s*,?)+)\)?\)\]", re.MULTILINE)


def _tests_of(project: Project, target: Target) -> int:
    return len(_TEST.findall(project.tree.text(target.path) or ""))


def _packages(roster: Roster) -> Iterator[Package]:
    """Yield the members of workspaces in which some command runs tests: others may be examples or borrowed code."""
    reached = [selected_packages(roster.workspaces, call) for call in roster.calls]
    tested = {one[0].folder for one in reached if one is not None}
    for workspace in roster.workspaces:
        if workspace.folder in tested:
            yield from workspace.packages


def tests_in_no_job(project: Project) -> Iterator[Mark]:
    """Fire on test targets with tests that no command of any job selects."""
    roster = read_roster(project) if project.workflows and project.is_rust else None
    if roster is None or not roster.is_whole or not roster.calls:
        return
    for package in _packages(roster):
        targets = [one for one in package.of_kind("test") if _tests_of(project, one)]
        missed = [one for one in targets if not roster.running(package, one)]
        if not missed:
            continue
        n_tests = sum(_tests_of(project, one) for one in missed)
        yield Mark(
            missed[0].path,
            1,
            f"package {package.name}, tests that no job runs",
            f"{len(missed)} of {len(targets)} test targets of {package.name} ({n_tests} tests) run in no job: "
            f"{_listed([one.name for one in missed])}; what tests it is {_commands(roster, package)}",
            also=tuple((one.path, 1) for one in missed[1:]),
        )


def _commands(roster: Roster, package: Package) -> str:
    """Return in words what runs anything of the package."""
    found: dict[str, None] = {}
    for call in roster.calls:
        reached = selected_packages(roster.workspaces, call)
        if reached is not None and package in reached[1]:
            found[f"`cargo {call.verb}{''.join(f' {one}' for one in call.selected)}`"] = None
    return _listed(list(found)) or "no command at all"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


_ASKS_FOR_BRANCH = re.compile(
    r"github\.(?:ref|base_ref|event_name|head_ref)|GITHUB_(?:REF|BASE_REF|EVENT_NAME|HEAD_REF)"
)
_OF_PULL_REQUESTS = ("pull_request", "merge_group", "pull_request_target", "workflow_call")


def tests_not_before_merge(project: Project) -> Iterator[Mark]:
    """Fire on test targets without which a pull request may pass: other events run them, or a script for a branch."""
    roster = read_roster(project) if project.workflows and project.is_rust else None
    if roster is None or not roster.is_whole:
        return
    before = [call for call in roster.calls if _may_run_before_merge(call)]
    sure = [call for call in before if not _is_asked_for(call)]
    certain = {id(call) for call in sure}
    if not sure:
        return
    for package in _packages(roster):
        targets = [one for one in package.of_kind("test") if _tests_of(project, one)]
        running = {one.name: roster.running(package, one) for one in targets}
        missed = [one for one in targets if running[one.name] and certain.isdisjoint(map(id, running[one.name]))]
        if not missed:
            continue
        others = sorted({(call.place.path, call.command.line) for one in missed for call in running[one.name]})
        asking = sorted((call.place.path, call.command.line) for call in before if id(call) not in certain)
        where = [f"{path.rpartition('/')[2]}:{line}" for path, line in others]
        path, line = next((one for one in asking if one in others), others[0])
        yield Mark(
            path,
            line,
            f"package {package.name}, tests that a pull request may skip",
            f"a pull request may pass without {len(missed)} of {len(targets)} test targets of {package.name} "
            f"({_listed([one.name for one in missed])}): {_listed(where)} runs them only on other events, for a label "
            "or where the script asks for the branch",
            also=tuple(one for one in others if one != (path, line)),
        )


def _is_asked_for(call: CargoCall) -> bool:
    """Tell whether a label decides that the call runs, or its script by the branch or event."""
    conditions = f"{call.place.job.condition if call.place.job else ''} {call.place.step.condition}"
    return "labels" in conditions or any(map(_ASKS_FOR_BRANCH.search, call.command.under))


def _may_run_before_merge(call: CargoCall) -> bool:
    """Tell whether a pull request may start the call, as far as conditions of its job and step tell."""
    file, job = call.place.file, call.place.job
    if file is None or job is None:
        return True
    worlds = [one for one in worlds_of(file) if one.said.partition(" ")[0] in _OF_PULL_REQUESTS]
    return any(can_hold(job.condition, one) and can_hold(call.place.step.condition, one) for one in worlds)


def feature_never_enabled(project: Project) -> Iterator[Mark]:
    """Fire on test targets behind a feature that no command which runs them turns on."""
    roster = read_roster(project) if project.workflows and project.is_rust else None
    if roster is None or not roster.is_whole:
        return
    for package in _packages(roster):
        for target in package.of_kind("test"):
            wanted, path, line = _gates(project, package, target)
            calls = roster.running(package, target) if wanted else ()
            if not calls or not _tests_of(project, target):
                continue
            missing = set(wanted)
            for call in calls:
                missing &= _missing(package, call, wanted)
            if missing and not _enabled_by_others(project, package, missing):
                names = " and ".join(f"`{one}`" for one in sorted(missing))
                yield Mark(
                    path,
                    line,
                    f"test target {target.name} of {package.name}",
                    f"the {_tests_of(project, target)} tests of {target.name} need the feature {names}, "
                    "which no command that runs them turns on",
                )


def _gates(project: Project, package: Package, target: Target) -> tuple[tuple[str, ...], str, int]:
    """Return the features without which the target has no tests, and where that stands."""
    text = project.tree.text(target.path) or ""
    found = _GATED.search(text)
    if found is not None:
        line = text.count("\n", 0, found.start(1)) + 1
        return (*target.required_features, *re.findall(r"\"([\w-]+)\"", found[1])), target.path, line
    line = project.line_of(package.manifest, rf"name\s*=\s*\"{re.escape(target.name)}\"")
    return target.required_features, package.manifest, line


def _missing(package: Package, call: CargoCall, wanted: Sequence[str]) -> set[str]:
    """Return which of the features the call does not turn on; none where that cannot be told."""
    if any("$" in name or "{" in name for name in call.features) or "hack" in call.verbs or call.open_words:
        return set()
    return set(wanted) - package.enabled(call)


def _enabled_by_others(project: Project, package: Package, features: set[str]) -> bool:
    """Tell whether some manifest depends on the package with one of these features."""
    pattern = re.compile(
        rf"^\s*[\"']?{re.escape(package.name)}[\"']?\s*=.*features|package\s*=\s*\"{re.escape(package.name)}\""
    )
    texts = (project.tree.text(path) or "" for path in project.manifests)
    lines = [line for text in texts for line in text.splitlines() if pattern.search(line)]
    return any(f'"{feature}"' in line for feature in features for line in lines)


def ignored_never_run(project: Project) -> Iterator[Mark]:
    """Fire on integration tests with `#[ignore]` that no command runs with --ignored or --include-ignored."""
    roster = read_roster(project) if project.workflows and project.is_rust else None
    if roster is None or not roster.is_whole or not roster.calls:
        return
    for package in _packages(roster):
        found = []
        for target in package.of_kind("test"):
            text = project.tree.text(target.path) or ""
            places = [text.count("\n", 0, one.end()) + 1 for one in _IGNORED.finditer(text)]
            if places and not any(map(_runs_ignored, roster.running(package, target))):
                found += [(target.path, line) for line in places]
        if found:
            files = list(dict.fromkeys(path.rpartition("/")[2] for path, _ in found))
            yield Mark(
                found[0][0],
                found[0][1],
                f"package {package.name}, ignored tests",
                f"{len(found)} integration tests of {package.name} are ignored, and no job runs them with "
                f"`--ignored`: in {_listed(files)}",
                also=tuple(found[1:]),
            )


def _runs_ignored(call: CargoCall) -> bool:
    words = (*call.rest, *call.options)
    return any("$" in one for one in (*call.rest, *call.names)) or any(
        one.startswith(("--ignored", "--include-ignored", "--run-ignored")) for one in words
    )


_VALUES = {"--test-threads", "--skip", "--format", "--color", "--logfile", "-Z", "--shuffle-seed"}


def selects_no_test(project: Project) -> Iterator[Mark]:
    """Fire on `cargo test` that runs nothing: its filter fits no name in the package, or it wants ignored tests of a
    target that has none."""
    roster = read_roster(project) if project.workflows and project.is_rust else None
    for call in roster.calls if roster is not None else ():
        reached = selected_packages(roster.workspaces, call) if roster is not None else None
        if reached is None or call.verbs != ("test",) or call.place.script.is_broken or not _is_of_workflow(call):
            continue
        said = _empty_ignored(project, reached[1], call) or _empty_filter(project, reached[1], call)
        if said:
            yield Mark(
                call.place.path,
                call.command.line,
                call.place.subject,
                said,
                end_line=call.command.end_line,
                job=call.place.job_key,
            )


def _is_of_workflow(call: CargoCall) -> bool:
    """Tell whether the call stands in the step itself, not in a recipe or script that it starts."""
    return call.place.step.run_line <= call.command.line <= call.place.step.end_line


_MAY_IGNORE = re.compile(r"\bignore\b|^\s*(?:pub )?mod \w+;|include!|macro_rules!", re.MULTILINE)


def _empty_ignored(project: Project, packages: Sequence[Package], call: CargoCall) -> str:
    names = [one.removeprefix("--test ") for one in call.selected]
    is_plain = all(one.startswith("--test ") for one in call.selected) and not any(
        set("*?[$") & set(one) for one in names
    )
    if "--ignored" not in call.rest or not names or not is_plain:
        return ""
    targets = [one for package in packages for one in package.of_kind("test") if one.name in names]
    texts = [project.tree.text(one.path) or "" for one in targets]
    if not targets or any(
        re.search(r"\bignore\b|^\s*(?:pub )?mod \w+;|include!|macro_rules!", one, re.MULTILINE) for one in texts
    ):
        return ""
    return f"`{_shown(call)}` runs no test: {_listed([one.path for one in targets])} has none with #[ignore]"


def _empty_filter(project: Project, packages: Sequence[Package], call: CargoCall) -> str:
    words = list(call.names)
    for place, word in enumerate(call.rest):
        if not word.startswith("-") and (place == 0 or call.rest[place - 1] not in _VALUES):
            words.append(word)
    if not words or not packages or {"--doc", "--example", "--examples"} & set(call.selected):
        return ""
    if any(not re.fullmatch(r"[A-Za-z_][\w:]*", word) for word in words):
        return ""
    if any(_may_fit(project, packages, word) for word in words):
        return ""
    return f"`{_shown(call)}` runs no test: no name in {_listed([one.name for one in packages])} holds `{words[0]}`"


def _may_fit(project: Project, packages: Sequence[Package], word: str) -> bool:
    """Tell whether each part of the filter stands somewhere in the sources of these packages, or in a file's name."""
    parts = [part for part in word.split("::") if part]
    paths = [
        path
        for path in sorted(project.tree.paths)
        if path.endswith(".rs") and any(not one.folder or path.startswith(f"{one.folder}/") for one in packages)
    ]
    left = {part for part in parts if not part.startswith("case_") and not any(part in path for path in paths)}
    for path in paths:
        if not left:
            return True
        text = project.tree.text(path) or ""
        left = {part for part in left if part not in text}
    return not left


def _shown(call: CargoCall) -> str:
    words = " ".join(call.command.words)
    return words if len(words) <= 100 else f"{words[:97]}..."


RULES: dict[str, Callable[[Project], Iterable[Mark]]] = {
    "tests-in-no-job": tests_in_no_job,
    "tests-not-before-merge": tests_not_before_merge,
    "feature-never-enabled": feature_never_enabled,
    "ignored-never-run": ignored_never_run,
    "selects-no-test": selects_no_test,
}
