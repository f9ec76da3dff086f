"""Rules of sight: what CI does not tell, of tests, benchmarks and dependencies; more on the cards."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from kotaci.audit.cargo import CargoCall, Work, cargo_calls
from kotaci.audit.edits import upload_junit
from kotaci.audit.marks import Mark
from kotaci.audit.project import Place, Project
from kotaci.audit.shell import Command
from kotaci.workflows import legs_of
from kotaci.workflows.expressions import fill
from kotaci.workflows.nodes import TreeError, read_tree, to_plain

NEXTEST = ".config/nextest.toml"

ALERT_PERCENT = 110
"""From which a benchmark should be told to have become slower (the brief's alert)."""

_RUST_RESULTS = re.compile(r"cargo2junit|libtest-json|unstable-options.*--format[ =]json|target/nextest")
_PYTEST_RESULTS = re.compile(r"--junit-?xml|junit_family|pytest-results|--report-log")
_BASES = re.compile(
    r"benchmark-action/|codspeed|bencherdev/|bencher run|criterion-compare|critcmp|--(?:save-)?baseline|iai-callgrind",
    re.IGNORECASE,
)
_RENOVATE = re.compile(r"(?:\.github/|\.gitlab/)?(?:renovate\.json5?|\.renovaterc(?:\.json5?)?)")
_DEPENDABOT = (".github/dependabot.yml", ".github/dependabot.yaml")
_CACHES = re.compile(r"swatinem/rust-cache|actions/cache|mozilla-actions/sccache|actions-rust-lang/setup-rust")
_DEVELOP = {"develop", "development", "dev"}


def no_test_results(project: Project) -> Iterator[Mark]:
    """Fire once where Rust's tests run, and nothing writes their results for a machine; and once for pytest's."""
    if not _has_rust_results(project):
        tests = [(call.place, call.command) for call in cargo_calls(project) if call.runs_tests and call.place.job]
        yield from _without_results(project, tests)
    if not _PYTEST_RESULTS.search(_ci_text(project)):
        commands = project.commands("pytest", "python", "python3")
        yield from _without_results(
            project,
            [
                (place, command)
                for place, command in commands
                if place.job
                and (command.name == "pytest" or command.words[1:3] == ("-m", "pytest"))
                and not command.has("--benchmark-json")
            ],
        )


def _without_results(project: Project, tests: Sequence[tuple[Place, Command]]) -> Iterator[Mark]:
    if not tests:
        return
    asked = [(place, command) for place, command in tests if place.file and place.file.trigger("pull_request")]
    nextest = [(place, command) for place, command in asked or tests if "nextest" in command.words]
    place, command = (nextest or asked or tests)[0]
    patch = None
    if nextest and place.file and place.job:
        text = project.tree.text(place.path) or ""
        patch = upload_junit(text, place.file, place.job, place.step, config=project.tree.text(NEXTEST))
    others = f" and {len(tests) - 1} other test commands leave" if len(tests) > 1 else " leaves"
    claim = f"`{command.shown}`{others} no results but the log"
    yield Mark(place.path, command.line, "tests", claim, job=place.job_key, patch=patch)


def _has_rust_results(project: Project) -> bool:
    return "junit" in (project.tree.text(NEXTEST) or "") or _RUST_RESULTS.search(_ci_text(project)) is not None


def _ci_text(project: Project) -> str:
    """Return the texts in which a reporter would be named."""
    names = ("justfile", "Makefile", "Makefile.toml", "pyproject.toml", "pytest.ini", "setup.cfg", "tox.ini")
    paths = [*(file.path for file in project.workflows), *(action.path for action in project.actions), *names]
    return "\n".join(text for path in paths if (text := project.tree.text(path)))


def _nextest_calls(project: Project) -> list[CargoCall]:
    return [call for call in cargo_calls(project) if "nextest" in call.verbs and call.runs_tests and call.place.job]


def _profiles(project: Project) -> Mapping[str, Mapping[str, Any]]:
    found = project.toml(NEXTEST).get("profile")
    return {name: one for name, one in found.items() if isinstance(one, dict)} if isinstance(found, dict) else {}


def no_slow_limit(project: Project) -> Iterator[Mark]:
    """Fire once where nextest runs tests, and none of its profiles ends a test that hangs."""
    calls = _nextest_calls(project)
    if not calls or "terminate-after" in (project.tree.text(NEXTEST) or ""):
        return
    if any(call.has("--config-file", "--tool-config-file") for call in calls):
        return
    has_file = NEXTEST in project.tree.paths
    where = f"{NEXTEST} has no slow-timeout with terminate-after" if has_file else f"there is no {NEXTEST}"
    claim = f"a test that hangs under `{calls[0].command.shown}` is not ended by nextest: {where}"
    yield Mark(calls[0].place.path, calls[0].command.line, "tests", claim, job=calls[0].place.job_key)


def retries_without_record(project: Project) -> Iterator[Mark]:
    """Fire on tests that are tried again, where no file keeps which of them needed it."""
    calls = _nextest_calls(project)
    if not calls or _has_rust_results(project):
        return
    for name, profile in _profiles(project).items():
        retries = profile.get("retries")
        count = retries.get("count") if isinstance(retries, dict) else retries
        if isinstance(count, int) and count > 0:
            line = project.line_of(NEXTEST, r"^\s*retries\b")
            claim = f"profile {name} tries a failing test {count} times more, and no JUnit file keeps which needed it"
            yield Mark(NEXTEST, line, f"profile {name}", claim)
    for call in calls:
        tries = call.value("--retries")
        if tries not in {"", "0"}:
            claim = f"`--retries {tries}` tries failing tests again, and no JUnit file keeps which needed it"
            yield Mark(call.place.path, call.command.line, call.place.subject, claim, job=call.place.job_key)


def benchmark_without_base(project: Project) -> Iterator[Mark]:
    """Fire once a job that runs benchmarks and compares them with nothing."""
    told = set[tuple[str, str]]()
    for call in cargo_calls(project):
        file, job = call.place.file, call.place.job
        is_run = call.work is Work.BENCH and not call.has("--no-run") and "--test" not in call.rest
        if not is_run or file is None or job is None or (file.path, job.key) in told:
            continue
        told.add((file.path, job.key))
        if not any(_BASES.search(f"{step.uses} {step.run}") for step in job.steps):
            claim = f"`{call.command.shown}` is compared with no base, so nobody sees that something became slower"
            yield Mark(file.path, call.command.line, f"job {job.key}", claim, job=job.key)


def benchmark_alert_late(project: Project) -> Iterator[Mark]:
    """Fire on github-action-benchmark where its alert comes late, or to nobody."""
    for place in project.places:
        step = place.step
        if step.action != "benchmark-action/github-action-benchmark":
            continue
        threshold = step.input("alert-threshold") or "200%"
        number = re.fullmatch(r"(\d+(?:\.\d+)?)%", threshold.strip())
        if all(step.input(name) in {"", "false"} for name in ("fail-on-alert", "comment-on-alert")):
            claim = "neither fails nor comments on an alert, so nobody is told"
        elif number and float(number[1]) > ALERT_PERCENT:
            given = "" if step.input("alert-threshold") else ", its default"
            claim = f"alerts from {threshold}{given}: less than {float(number[1]) / 100:g} times as slow is not told"
        else:
            continue
        yield Mark(place.path, step.line, place.subject, claim, job=place.job_key)


def _dependabot(project: Project) -> tuple[str, list[dict[str, Any]]]:
    """Return path and entries of Dependabot's file; an empty path without one."""
    path = next((path for path in _DEPENDABOT if path in project.tree.paths), "")
    try:
        data = to_plain(read_tree(project.tree.text(path) or "")[0]) if path else None
    except TreeError:
        data = None
    entries = data.get("updates") if isinstance(data, dict) else None
    return path, [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _has_renovate(project: Project) -> bool:
    return any(_RENOVATE.fullmatch(path) for path in project.tree.paths)


def _ecosystem(entry: Mapping[str, Any]) -> str:
    return str(entry.get("package-ecosystem", ""))


def no_dependency_updates(project: Project) -> Iterator[Mark]:
    """Fire once where neither Dependabot nor Renovate is set up."""
    path, _ = _dependabot(project)
    depends = project.is_rust or any(step.uses for _, job in project.jobs for step in job.steps)
    if depends and project.workflows and not path and not _has_renovate(project):
        claim = "neither Dependabot nor Renovate raises versions of dependencies and actions"
        yield Mark(project.workflows[0].path, 1, "dependency updates", claim)


def updates_left_out(project: Project) -> Iterator[Mark]:
    """Fire once where Dependabot leaves out what the repository depends on."""
    path, entries = _dependabot(project)
    if not entries or _has_renovate(project):
        return
    asked = {_ecosystem(entry) for entry in entries}
    missing = [
        name
        for name, is_used in (
            ("github-actions", any(step.uses for _, job in project.jobs for step in job.steps)),
            ("cargo", "Cargo.lock" in project.tree.paths),
        )
        if is_used and name not in asked
    ]
    if missing:
        line = project.line_of(path, r"^updates\s*:")
        yield Mark(path, line, "updates", f"updates of {' and '.join(missing)} are not asked for")


def updates_to_default_branch(project: Project) -> Iterator[Mark]:
    """Fire once where work goes to `develop`, and Dependabot names no branch."""
    path, entries = _dependabot(project)
    without = [_ecosystem(entry) for entry in entries if not entry.get("target-branch")]
    if not without:
        return
    for file in project.workflows:
        trigger = file.trigger("pull_request")
        branch = next((branch for branch in trigger.branches if branch in _DEVELOP), "") if trigger else ""
        if branch:
            line = project.line_of(path, r"package-ecosystem")
            claim = (
                f"{', '.join(without)} name no target-branch, so updates go to the default branch and not to {branch}"
            )
            also = ((file.path, trigger.line if trigger else 1),)
            yield Mark(path, line, "updates", f"{claim}, if that is another", also=also)
            return


def updates_one_by_one(project: Project) -> Iterator[Mark]:
    """Fire once where Dependabot opens a pull request for each dependency."""
    path, entries = _dependabot(project)
    alone = [
        _ecosystem(entry)
        for entry in entries
        if not entry.get("groups") and not entry.get("multi-ecosystem-group") and _opens(entry) > 1
    ]
    if alone:
        line = project.line_of(path, rf"package-ecosystem.*{re.escape(alone[0])}")
        claim = f"{', '.join(alone)} {'have' if len(alone) > 1 else 'has'} no groups, so each update is a run of CI"
        yield Mark(path, line, "updates", claim)


def _opens(entry: Mapping[str, Any]) -> float:
    """Return how many pull requests may be open at once; Dependabot's default is 5."""
    limit = entry.get("open-pull-requests-limit", 5)
    return limit if isinstance(limit, int | float) else 5


CRITICAL_FILES = {
    "dependency updates": r"\.github/dependabot\.ya?ml|(?:\.github/)?renovate\.json5?",
    "rust-toolchain.toml": r"rust-toolchain(?:\.toml)?",
    ".cargo/config.toml": r"\.cargo/config(?:\.toml)?",
    ".config/nextest.toml": r"\.config/nextest\.toml",
    "justfile": r"\.?[Jj]ustfile|Makefile(?:\.toml)?|xtask/Cargo\.toml",
    "CHANGELOG.md": r"(?:[^/]+/)?CHANGELOG(?:\.md)?",
    ".github/workflows/README.md": r"\.github/workflows/README\.md",
}
"""The files that steer the CI of a Rust repository, in the words they are missed by."""

_RELEASES = re.compile(
    r"action-gh-release|gh release|create-release|cargo publish|upload-release|release-plz|cargo-dist"
)

_BENCHES = re.compile(r"cargo\s+(?:\+\S+\s+)?(?:bench|criterion|codspeed)")


def files_missing(project: Project) -> Iterator[Mark]:
    """Fire once a Rust repository (by its manifest at the root), with the files and patterns that its CI lacks."""
    if "Cargo.toml" not in project.manifests or not project.workflows:
        return
    steps = [f"{step.uses} {step.run}" for _, job in project.jobs for step in job.steps]
    systems = {
        (fill(label, matrix=leg.values if leg else None) or label).partition("-")[0]
        for _, job in project.jobs
        for _, leg in legs_of(job)
        for label in job.runs_on
    }
    has_release = any("release" in file.path for file in project.workflows)
    has_bench = any("bench" in file.path for file in project.workflows)
    jobs = ("\n".join(f"{step.uses} {step.run}" for step in job.steps) for _, job in project.jobs)
    patterns = {
        "release workflow": has_release or any(_RELEASES.search(step) for step in steps),
        "benchmark workflow": has_bench or any(_BASES.search(job) and _BENCHES.search(job) for job in jobs),
        "cache of builds": any(_CACHES.match(step.casefold()) for step in steps),
        "matrix of systems": len(systems) > 1,
    }
    missing = [name for name, is_there in patterns.items() if not is_there]
    missing += [
        name
        for name, pattern in CRITICAL_FILES.items()
        if not any(re.fullmatch(pattern, path, re.IGNORECASE) for path in project.tree.paths)
    ]
    if missing:
        yield Mark(project.workflows[0].path, 1, "repository", f"there is no {', no '.join(missing)}")


RULES: dict[str, Callable[[Project], Iterable[Mark]]] = {
    "no-test-results": no_test_results,
    "no-slow-limit": no_slow_limit,
    "retries-without-record": retries_without_record,
    "benchmark-without-base": benchmark_without_base,
    "benchmark-alert-late": benchmark_alert_late,
    "no-dependency-updates": no_dependency_updates,
    "updates-left-out": updates_left_out,
    "updates-to-default-branch": updates_to_default_branch,
    "updates-one-by-one": updates_one_by_one,
    "files-missing": files_missing,
}
