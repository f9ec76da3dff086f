"""Rules of weight: what each pull request builds, fetches or keeps that it does not need; more on the cards."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from kotaci.audit.cachesteps import input_line, only_for_pull_requests, read_cache_step
from kotaci.audit.cargo import CargoCall, Work, calls_of, cargo_calls, cargo_config, is_in_branch
from kotaci.audit.edits import insert_word, set_input, set_inputs
from kotaci.audit.marks import Mark, Patch, mark_job
from kotaci.audit.project import Place, Project
from kotaci.workflows import WorkflowFile, WorkflowJob

SHOWN = 4
"""So many names a claim spells out; the rest is counted."""

TEST_FILES = 20
"""From so many test binaries of one package on, linking takes minutes (a rule of thumb)."""

PACKAGES = 200
"""From so many packages in Cargo.lock on, debug information weighs gigabytes (a rule of thumb)."""

LEGS = 9
"""More legs on every pull request than three systems times three compilers are a full matrix."""

RETENTION_DAYS = 7
"""What the patch sets for artifacts of pull requests; GitHub keeps them for 90 days."""

_MAY_SET = re.compile(r"\./.*|.*(?:rust|cargo|toolchain|setup-ci).*", re.IGNORECASE)
"""Actions that may set CARGO_INCREMENTAL=0 for the steps after them where it is not set, as dtolnay/rust-toolchain
does; rust-cache does so in any case."""

_OF_EVENT = re.compile(r"github\.(?:event|ref|base_ref|head_ref|repository|actor)|inputs\.|needs\.|vars\.")
_MEASURES = re.compile(r"bench|perf|criterion|profil|regression|stress", re.IGNORECASE)
_TARGET = re.compile(r"(?:\./)?target/?(?:(?:[\w-]+/)?(?:debug|release)/?)?(?:\*\*?)?")
_BINARY = re.compile(r"(?:\./)?target/(?:[^/\s]+/)?(?:debug|release)/[^/\s]+")
_PLAIN_ACTIONS = re.compile(
    r"dtolnay/rust-toolchain|actions-rs/toolchain|swatinem/rust-cache|actions/(?:cache(?:/\w+)?|setup-\w+)"
    r"|actions/(?:up|down)load-artifact|taiki-e/install-action|mozilla-actions/sccache-action"
)
_PLAIN_COMMANDS = {
    "cargo",
    "rustup",
    "echo",
    "mkdir",
    "cp",
    "mv",
    "ls",
    "rm",
    "cat",
    "test",
    "[",
    "set",
    "export",
    "exit",
}
_PLAIN_VERBS = {"build", "check", "clippy", "test", "nextest", "doc", "fmt", "bench", "audit", "deny", "run", "install"}
_READS_GIT = re.compile(r"\b(?:vergen\w*|git-version|shadow-rs|built|git2|gix|git_version|git describe|rev-parse)\b")


def doc_with_dependencies(project: Project) -> Iterator[Mark]:
    """Fire on `cargo doc` that documents every dependency too."""
    for call in cargo_calls(project):
        if call.verbs != ("doc",) or call.has("--no-deps") or call.program != "cargo":
            continue
        text, words = project.tree.text(call.place.path) or "", call.command.words
        claim = f"`{call.command.text}` documents all dependencies too, for want of --no-deps"
        start = " ".join(words[: words.index("doc") + 1]) if "doc" in words else ""
        patch = insert_word(text, call.place.path, call.command.line, "--no-deps", after=start) if start else None
        yield _mark(call.place, call.command.line, claim, patch=patch)


def history_unused(project: Project) -> Iterator[Mark]:
    """Fire where the whole history is fetched and no step of the job can be seen to read it."""
    for file, job in project.jobs:
        places = project.of_job(file, job)
        deep = [place for place in places if place.step.action == "actions/checkout"]
        deep = [place for place in deep if place.step.input("fetch-depth") == "0"]
        if len(deep) != 1 or not all(_is_plain(place) for place in places if place is not deep[0]):
            continue
        if _reads_git(project):
            return
        patch = set_input(project.tree.text(file.path) or "", file, job, deep[0].step, "fetch-depth", "1")
        claim = "fetch-depth: 0 fetches the whole history, and no step of the job reads it"
        yield _mark(deep[0], input_line(project, deep[0], "fetch-depth"), claim, patch=patch)


def incremental_in_ci(project: Project) -> Iterator[Mark]:
    """Fire where builds of a fresh machine write incremental data for a next build that never comes."""
    off = _profile(project, "dev").get("incremental") is False
    for file in project.workflows:
        found = []
        for job in file.jobs:
            places = project.of_job(file, job)
            text = " ".join(step.run for step in job.steps)
            caches = [cache for place in places if (cache := read_cache_step(place)) is not None]
            is_kept = any(cache.holds_target for cache in caches) or "self-hosted" in job.runs_on
            may_set = any(_MAY_SET.fullmatch(step.action) for step in job.steps)
            is_set = may_set or "CARGO_INCREMENTAL" in text or is_kept
            calls = [call for place in places for call in calls_of(project, place)]
            if any(cache.is_rust_cache for cache in caches):
                continue
            certain = [call for call in calls if not is_in_branch(call.place, call.command, or_loop=True)]
            found += [call for call in certain if _is_incremental(call, is_off=off or is_set)][:1]
        if found:
            names = [call.place.job.key for call in found if call.place.job]
            claim = (
                f"{_jobs(names)} with incremental compilation (CARGO_INCREMENTAL is not 0) for no later build to use"
            )
            first, *rest = found
            also = tuple((file.path, call.command.line) for call in rest)
            yield Mark(file.path, first.command.line, "CARGO_INCREMENTAL", claim, job=names[0], also=also)


def optimised_on_pull_request(project: Project) -> Iterator[Mark]:
    """Fire where pull requests build with fat link-time optimisation or one codegen unit, and not to measure."""
    for file in project.workflows:
        found: dict[str, CargoCall] = {}
        for job in file.jobs:
            if _runs_on_pull_requests(file, job) and not _MEASURES.search(f"{job.key} {job.name or ''}"):
                places = [place for place in project.of_job(file, job) if not _OF_EVENT.search(place.step.condition)]
                calls = (call for place in places for call in calls_of(project, place))
                certain = (one for one in calls if not is_in_branch(one.place, one.command))
                call = next((one for one in certain if _dear_settings(project, one)), None)
                if call is not None and not _MEASURES.search(call.command.text):
                    found[job.key] = call
        if found:
            first, *rest = found.values()
            dear = " and ".join(_dear_settings(project, first))
            claim = f"on pull requests {_jobs(list(found))} with {dear}, first in `{first.command.text}`"
            also = tuple((file.path, call.command.line) for call in rest)
            yield Mark(file.path, first.command.line, "optimised builds", claim, job=next(iter(found)), also=also)


def full_matrix_on_pull_request(project: Project) -> Iterator[Mark]:
    """Fire where a job that compiles has many legs on each pull request."""
    for file, job in project.jobs:
        if len(job.legs) < LEGS or not _runs_on_pull_requests(file, job):
            continue
        if any(call.compiles for place in project.of_job(file, job) for call in calls_of(project, place)):
            keys = dict.fromkeys(key for leg in job.legs for key in leg.values)
            claim = f"every pull request runs all {len(job.legs)} legs of {', '.join(keys)}"
            yield mark_job(file, job, claim, key="strategy")


def one_binary_per_test_file(project: Project) -> Iterator[Mark]:
    """Fire where each of many files below `tests` is linked into a program of its own."""
    if not any(call.work is Work.TEST for call in cargo_calls(project)):
        return
    files: dict[str, int] = defaultdict(int)
    for one in project.tree.paths:
        found = re.fullmatch(r"((?:.+/)?)tests/(?:[^/]+\.rs|[^/]+/main\.rs)", one)
        if found is not None:
            files[found[1]] += 1
    for path, manifest in project.manifests.items():
        package = manifest.get("package")
        folder = path.removesuffix("Cargo.toml")
        if not isinstance(package, Mapping):
            continue
        declared = manifest.get("test")
        n_declared = len(declared) if isinstance(declared, list) else 0
        n = n_declared if package.get("autotests") is False else max(files[folder], n_declared)
        if n >= TEST_FILES:
            claim = (
                f"{n} files of {folder}tests are as many test binaries, each linked with the crate and its dependencies"
            )
            yield Mark(path, project.line_of(path, r"^\s*\[package\]"), f"{folder}tests", claim)


def artifact_of_target(project: Project) -> Iterator[Mark]:
    """Fire where a whole target folder is uploaded."""
    for place in project.places:
        paths = _uploaded(place)
        whole = [path for path in paths if _TARGET.fullmatch(path)]
        if whole and not any(path.startswith("!") for path in paths):
            claim = f"uploads {', '.join(whole)} as a whole, dependencies' files and all"
            yield _mark(place, input_line(project, place, "path"), claim)


def artifact_without_retention(project: Project) -> Iterator[Mark]:
    """Fire where pull requests upload programs that stay for GitHub's 90 days."""
    found: dict[str, list[Place]] = defaultdict(list)
    for place in project.places:
        if place.file is None or place.job is None or place.step.input("retention-days"):
            continue
        if any(_BINARY.fullmatch(path) for path in _uploaded(place)) and _runs_on_pull_requests(place.file, place.job):
            found[place.path].append(place)
    for path, places in found.items():
        text = project.tree.text(path) or ""
        names = [place.step.input("name") or "artifact" for place in places]
        claim = (
            f"every pull request uploads {', '.join(names[:SHOWN])}, kept for GitHub's 90 days without retention-days"
        )
        yield Mark(
            path,
            places[0].step.line,
            "retention-days",
            claim,
            job=places[0].job_key,
            also=tuple((path, place.step.line) for place in places[1:]),
            patch=set_inputs(text, places, "retention-days", str(RETENTION_DAYS), "keep artifacts for a week"),
        )


def debug_information(project: Project) -> Iterator[Mark]:
    """Fire where a large project's tests are built with full debug information."""
    n = (project.tree.text("Cargo.lock") or "").count("[[package]]")
    profile = _profile(project, "test")
    debug, packages = profile.get("debug", True), profile.get("package")
    others = packages.get("*") if isinstance(packages, Mapping) else None
    if isinstance(others, Mapping) and others.get("debug", 2) not in {True, 2, "full"}:
        return
    if n < PACKAGES or debug not in {True, 2, "full"}:
        return
    for file in project.workflows:
        calls: dict[str, CargoCall] = {}
        for job in file.jobs:
            for call in (one for place in project.of_job(file, job) for one in calls_of(project, place)):
                is_full = call.work is Work.TEST and call.profile in {"dev", "test"} and call.verbs[0] != "miri"
                is_lowered = any(re.fullmatch(r"CARGO_PROFILE_(?:DEV|TEST)_DEBUG", name) for name in call.env)
                if is_full and not is_lowered and "CARGO_PROFILE" not in " ".join(step.run for step in job.steps):
                    calls.setdefault(job.key, call)
        if calls and file.events & {"pull_request", "push", "merge_group"}:
            first, *rest = calls.values()
            claim = (
                f"{_jobs(list(calls))} tests of {n} packages with full debug information, of which CI reads backtraces"
            )
            also = tuple((file.path, call.command.line) for call in rest)
            yield Mark(file.path, first.command.line, "debug information", claim, job=next(iter(calls)), also=also)


def _mark(place: Place, line: int, claim: str, *, patch: Patch | None = None) -> Mark:
    return Mark(place.path, line, place.subject, claim, job=place.job_key, patch=patch)


def _reads_git(project: Project) -> bool:
    """Return whether a manifest or a build script names something that reads the history."""
    paths = project.tree.matching("Cargo.toml", "*/Cargo.toml", "build.rs", "*/build.rs")
    return any(_READS_GIT.search(project.tree.text(path) or "") for path in paths)


def _is_plain(place: Place) -> bool:
    """Return whether a step is of a kind that does not read the history."""
    step, script = place.step, place.script
    if step.uses:
        return _PLAIN_ACTIONS.fullmatch(step.action) is not None
    names = {command.name for command in script.commands}
    verbs = {word for command in script.commands if command.name == "cargo" for word in command.words[1:2]}
    return script.is_known and not script.is_broken and names <= _PLAIN_COMMANDS and verbs <= _PLAIN_VERBS


def _is_incremental(call: CargoCall, *, is_off: bool) -> bool:
    value = call.env.get("CARGO_INCREMENTAL")
    is_dev = (
        call.compiles
        and call.work is not Work.DOC
        and call.profile in {"dev", "test"}
        and call.program == "cargo"
        and call.verbs[0] != "miri"
    )
    return is_dev and (value in {"1", "true"} or (value is None and not is_off))


def _profile(project: Project, name: str) -> dict[str, Any]:
    """Return the settings of a profile of cargo's, those it inherits included."""
    above = {"test": "dev", "bench": "release"}
    found: dict[str, Any] = {}
    for source in (project.manifests.get("Cargo.toml", {}), cargo_config(project)):
        profiles = source.get("profile")
        profiles = profiles if isinstance(profiles, Mapping) else {}
        chain = [name]
        while len(chain) < len(profiles) + 3:
            held = profiles.get(chain[-1])
            held = held if isinstance(held, Mapping) else {}
            parent = held.get("inherits") or above.get(chain[-1])
            if not isinstance(parent, str) or parent in chain:
                break
            chain.append(parent)
        for one in reversed(chain):
            held = profiles.get(one)
            found.update(held if isinstance(held, Mapping) else {})
    return found


def _dear_settings(project: Project, call: CargoCall) -> list[str]:
    """Return the settings of its profile that make an optimised build slow."""
    if call.work not in {Work.BUILD, Work.TEST, Work.BENCH} or not call.compiles or call.profile in {"dev", "test"}:
        return []
    profile = _profile(project, call.profile)
    name = call.profile.upper().replace("-", "_")
    lto = call.env.get(f"CARGO_PROFILE_{name}_LTO", profile.get("lto", False))
    units = call.env.get(f"CARGO_PROFILE_{name}_CODEGEN_UNITS", profile.get("codegen-units", 16))
    found = ["fat link-time optimisation"] if lto is True or lto in {"fat", "true"} else []
    return [*found, "one codegen unit"] if str(units) == "1" else found


def _runs_on_pull_requests(file: WorkflowFile, job: WorkflowJob) -> bool:
    """Return whether pull requests run the job, whatever they change but workflows."""
    pull = file.trigger("pull_request")
    if pull is None or (pull.paths and all(path.startswith((".github/", "!")) for path in pull.paths)):
        return False
    if pull.types and not {"opened", "synchronize"} & set(pull.types):
        return False
    is_open = not _OF_EVENT.search(job.condition)
    return is_open or (only_for_pull_requests(job.condition) and "label" not in job.condition)


def _uploaded(place: Place) -> list[str]:
    if place.step.action != "actions/upload-artifact":
        return []
    return [line.strip() for line in place.step.input("path").splitlines() if line.strip()]


def _jobs(names: Sequence[str]) -> str:
    shown = names if len(names) <= SHOWN else [*names[: SHOWN - 1], f"{len(names) - SHOWN + 1} more"]
    return f"job {names[0]} compiles" if len(names) == 1 else f"jobs {', '.join(shown[:-1])} and {shown[-1]} compile"


RULES: dict[str, Callable[[Project], Iterable[Mark]]] = {
    "doc-with-dependencies": doc_with_dependencies,
    "history-unused": history_unused,
    "incremental-in-ci": incremental_in_ci,
    "optimised-on-pull-request": optimised_on_pull_request,
    "full-matrix-on-pull-request": full_matrix_on_pull_request,
    "one-binary-per-test-file": one_binary_per_test_file,
    "artifact-of-target": artifact_of_target,
    "artifact-without-retention": artifact_without_retention,
    "debug-information": debug_information,
}
