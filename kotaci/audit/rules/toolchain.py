"""Rules of toolchain and determinism: what may come out otherwise tomorrow or elsewhere."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TypeAlias

from kotaci.audit.cargo import CargoCall, Work, cargo_calls
from kotaci.audit.edits import insert_word
from kotaci.audit.images import copied, read_recipe
from kotaci.audit.marks import Mark, mark_job
from kotaci.audit.project import Place, Project
from kotaci.audit.rules import testsources
from kotaci.audit.shell import SHOWN, Command, Unheard
from kotaci.audit.toolchains import (
    Run,
    channel_of_file,
    has_file_of_its_own,
    is_floating,
    is_same,
    is_version,
    runs_of,
)
from kotaci.model import Severity
from kotaci.workflows import legs_of
from kotaci.workflows.expressions import fill

NAMED = 4
"""Further jobs that a claim names."""

_OLD = re.compile(r"msrv|min(?:imum)?[-_ ]?(?:supported[-_ ]?)?rust|rust[-_ ]?version", re.IGNORECASE)
_DENIES = re.compile(r"(?:-D|--deny|-F|--forbid)[ =]?warnings")


def toolchain_file_wins(project: Project) -> Iterator[Mark]:
    """Fire where a job installs one Rust, and the toolchain file makes rustup take another; once a step."""
    channel = channel_of_file(project)
    if not channel:
        return
    for file, job in project.jobs:
        if has_file_of_its_own(project, file, job):
            continue
        told = set[int]()
        for run in runs_of(project, file, job):
            installed = run.installed
            if installed is None or run.call.toolchain or not run.call.compiles or not installed.channel:
                continue
            if "$" in installed.channel or is_same(installed.channel, channel) or installed.place.step.number in told:
                continue
            told.add(installed.place.step.number)
            claim = (
                f"installs {installed.channel}, but {project.toolchain_file} makes `{run.call.command.shown}` in line"
                f" {run.call.command.line} run with {channel}"
            )
            severity = Severity.LOW if installed.channel == "stable" else Severity.HIGH
            place = installed.place
            yield Mark(file.path, place.step.line, place.subject, claim, job=job.key, severity=severity)


def msrv_differs(project: Project) -> Iterator[Mark]:
    """Fire on jobs that are there for the oldest Rust, but run another than `rust-version` declares."""
    declared = _declared(project)
    if not declared:
        return
    for file, job in project.jobs:
        if not _OLD.search(f"{job.key} {job.name or ''}"):
            continue
        used = {channel for run in runs_of(project, file, job) if is_version(channel := _channel(project, run))}
        if used and not any(is_same(one, other) for one in used for other in declared):
            said, wanted = ", ".join(sorted(used)), ", ".join(sorted(declared))
            yield mark_job(file, job, f"runs Rust {said}, but rust-version in the manifests is {wanted}")


def _channel(project: Project, run: Run) -> str:
    return run.call.toolchain or channel_of_file(project) or (run.installed.channel if run.installed else "")


def _declared(project: Project) -> set[str]:
    found = set()
    for manifest in project.manifests.values():
        workspace = manifest.get("workspace")
        for holder in (manifest, workspace if isinstance(workspace, dict) else {}):
            package = holder.get("package")
            version = package.get("rust-version") if isinstance(package, dict) else None
            if isinstance(version, str):
                found.add(version)
    return found


def toolchain_too_old(project: Project) -> Iterator[Mark]:
    """Fire where the Rust of a job or a Dockerfile cannot read the lockfile, or the edition."""
    needs = sorted(_needs(project), reverse=True)
    if not needs:
        return
    for file, job in project.jobs:
        for run in runs_of(project, file, job):
            channel, call = _channel(project, run), run.call
            if not call.compiles or call.manifest or call.place.folder or not is_version(channel):
                continue
            need = next((need for need in needs if _version(channel) < need[0]), None)
            if need and not (need[2] and (call.packages or not call.is_workspace)):
                claim = f"`{call.command.shown}` runs with Rust {channel}, but {need[1]} {_dotted(need[0])}"
                yield Mark(file.path, call.command.line, call.place.subject, claim, job=job.key)
                break
    yield from _images_too_old(project, needs)


Need: TypeAlias = tuple[tuple[int, ...], str, bool]
"""The oldest version that will do, why, and whether that is only so for some packages."""

_EDITIONS = {"2021": (1, 56), "2024": (1, 85)}
_LOCKFILES = {4: (1, 78)}
"""The first Rust that reads an edition, and a version of the lockfile (Cargo's changelog)."""


def _needs(project: Project) -> Iterator[Need]:
    version = project.toml("Cargo.lock").get("version")
    if isinstance(version, int) and version in _LOCKFILES:
        yield _LOCKFILES[version], f"version {version} of Cargo.lock needs", False
    manifest = project.manifests.get("Cargo.toml", {})
    package = manifest.get("package")
    edition = package.get("edition") if isinstance(package, dict) else None
    if isinstance(edition, str) and edition in _EDITIONS:
        yield _EDITIONS[edition], f"edition {edition} needs", "workspace" in manifest


_IMAGE = re.compile(r"(?:--platform=\S+\s+)?(?:\S+/)?rust:(\d+\.\d+(?:\.\d+)?)(?![\d.])", re.IGNORECASE)
_BUILDS = re.compile(r"\bcargo\s+(?:build|check|test|run|install\s+--path|chef)\b")


def _images_too_old(project: Project, needs: Sequence[Need]) -> Iterator[Mark]:
    """Fire once a stage that builds what it copied; not where the toolchain file came along, which rustup obeys."""
    if "Cargo.lock" in (project.tree.text(".dockerignore") or ""):
        return
    for path in project.tree.matching("Dockerfile*"):
        stages: dict[int, tuple[str, int, set[str]]] = {}
        for one in read_recipe(project.tree.text(path) or ""):
            found = _IMAGE.match(one.rest) if one.word == "FROM" else None
            if found:
                stages[one.stage] = found[1], one.line, set()
            if one.stage not in stages:
                continue
            version, line, taken = stages[one.stage]
            taken.update(copied(one))
            is_pinned = project.toolchain_file and ("." in taken or project.toolchain_file in taken)
            if one.word == "RUN" and _BUILDS.search(one.rest) and taken & {".", "Cargo.lock", "Cargo.*"}:
                del stages[one.stage]
                need = next((need for need in needs if _version(version) < need[0] and not need[2]), None)
                if need and not is_pinned:
                    claim = f"builds with rust:{version}, but {need[1]} {_dotted(need[0])}"
                    yield Mark(path, line, f"image rust:{version}", claim)


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def floating_denies_warnings(project: Project) -> Iterator[Mark]:
    """Fire once a file where warnings are errors under a compiler that becomes another by itself."""
    for file in project.workflows:
        found: dict[str, tuple[Run, str]] = {}
        for job in file.jobs:
            own = has_file_of_its_own(project, file, job)
            for run in runs_of(project, file, job):
                call = run.call
                channel = call.toolchain or ("" if own else channel_of_file(project))
                channel = channel or (run.installed.channel if run.installed else "")
                if is_floating(channel) and call.compiles and _denies(call):
                    found.setdefault(job.key, (run, channel))
                    break
        if not found:
            continue
        key, (run, channel) = next(iter(found.items()))
        claim = f"`{run.call.command.shown}` takes warnings for errors with {channel}, which brings new ones by itself"
        if len(found) > 1:
            others = [other for other in found if other != key]
            more = f" and {len(others) - NAMED} more" if len(others) > NAMED else ""
            claim = f"{claim}; so in jobs {', '.join(others[:NAMED])}{more}"
        yield Mark(file.path, run.call.command.line, f"job {key}", claim, job=key)


def _denies(call: CargoCall) -> bool:
    flags = call.env.get("RUSTDOCFLAGS", "") if call.work is Work.DOC else ""
    if call.work is Work.LINT:
        flags = " ".join(call.rest)
    return bool(_DENIES.search(flags) or _DENIES.search(call.env.get("RUSTFLAGS", "")))


RETIRED_LABELS = {
    "macos-14": ("2026-11-02", 13518),
    "macos-13": ("2025-12-08", 13046),
    "macos-12": ("2024-12-03", 10721),
    "macos-11": ("2024-06-28", 9255),
    "macos-10.15": ("2022-12-01", 5583),
    "windows-2019": ("2025-06-30", 12045),
    "windows-2016": ("2022-04-01", 4312),
    "ubuntu-20.04": ("2025-04-15", 11101),
    "ubuntu-18.04": ("2023-04-03", 6002),
}
"""Labels of machines that GitHub no longer has: since when, and the issue of actions/runner-images that says so."""


def retired_runner(project: Project) -> Iterator[Mark]:
    """Fire on jobs and legs that ask for a machine that GitHub no longer has."""
    for file, job in project.jobs:
        labels = (fill(label, matrix=leg.values if leg else None) for _, leg in legs_of(job) for label in job.runs_on)
        for label in dict.fromkeys(filter(None, labels)):
            found = RETIRED_LABELS.get(re.sub(r"-(?:large|xlarge)$", "", label))
            if found and len(job.runs_on) == 1:
                since, issue = found
                claim = f"asks for {label}, which is unsupported since {since} (actions/runner-images issue {issue})"
                yield mark_job(file, job, claim, key="runs-on")


_RETIRED_ACTION = re.compile(
    r"actions/(?:upload|download)-artifact@v[123](?:[.-].*)?|actions/cache(?:/(?:save|restore))?@v[12](?:[.-].*)?",
    re.IGNORECASE,
)


def retired_action(project: Project) -> Iterator[Mark]:
    """Fire on versions of GitHub's own actions whose service was switched off."""
    for place in project.places:
        if _RETIRED_ACTION.fullmatch(place.step.uses):
            claim = f"uses {place.step.uses}, whose service GitHub has switched off, so the step fails"
            line = place.step.lines.get("uses", place.step.line)
            yield Mark(place.path, line, place.subject, claim, job=place.job_key)


def no_lockfile(project: Project) -> Iterator[Mark]:
    """Fire once where the root package is a program, and there is no Cargo.lock."""
    package = project.manifests.get("Cargo.toml", {}).get("package")
    if not isinstance(package, dict) or "Cargo.lock" in project.tree.paths:
        return
    has_bin = "src/main.rs" in project.tree.paths or "bin" in project.manifests["Cargo.toml"]
    if has_bin and any(call.compiles for call in cargo_calls(project)):
        claim = f"{package.get('name', 'the package')} is a program, but the repository holds no Cargo.lock"
        yield Mark("Cargo.toml", 1, "lockfile", claim)


def lockfile_not_held(project: Project) -> Iterator[Mark]:
    """Fire once where Cargo.lock is committed, and no command of any workflow is told to keep to it."""
    if "Cargo.lock" not in project.tree.paths:
        return
    calls = [call for call in cargo_calls(project) if call.compiles and call.place.job and not call.manifest]
    if not calls or any(call.has("--locked", "--frozen") for call in calls):
        return
    first = calls[0]
    files = len({call.place.path for call in calls})
    claim = f"none of {len(calls)} cargo commands in {files} files says --locked, so Cargo.lock may change as they run"
    yield Mark(first.place.path, first.command.line, "lockfile", claim, job=first.place.job_key)


def tool_not_locked(project: Project) -> Iterator[Mark]:
    """Fire once a file where `cargo install` builds a tool with whatever its dependencies are that day."""
    told: dict[str, list[CargoCall]] = {}
    for call in cargo_calls(project):
        is_remote = call.names and not call.has("--path", "--git", "--list", "--help")
        if call.work is Work.INSTALL and "install" in call.verbs and is_remote and not call.has("--locked", "--frozen"):
            told.setdefault(call.place.path, []).append(call)
    for path, calls in told.items():
        first = calls[0]
        said = _by_job([(call.place.job_key, call.names) for call in calls])
        claim = f"cargo install {said} lacks --locked, so the newest dependencies of that day are built"
        also = tuple((path, call.command.line) for call in calls[1:])
        text = project.tree.text(path) or ""
        patch = insert_word(text, path, first.command.line, "--locked", after="cargo install") if not also else None
        yield Mark(path, first.command.line, "cargo install", claim, job=first.place.job_key, also=also, patch=patch)


def download_without_retry(project: Project) -> Iterator[Mark]:
    """Fire once a step on downloads by curl that fail the step at the first hiccup."""
    told = set[tuple[str, int]]()
    for place, command in _commands_of(project.places):
        if command.name != "curl" or command.has("--retry") or not _is_download(command):
            continue
        # An unpacker at the end of the pipe fails for what curl did not bring; a shell or a `tee` is content.
        is_unpacked = command.unheard is Unheard.PIPE and not _UNPACKS.isdisjoint(command.piped_to[:2])
        is_heard = is_unpacked or command.unheard in {Unheard.NO, Unheard.SUBSTITUTED}
        if not is_heard or _LOOP.search(place.step.run):
            continue
        if (place.path, place.step.line) in told:
            continue
        told.add((place.path, place.step.line))
        url = next((word for word in command.words if "://" in word), "")
        text = project.tree.text(place.path) or ""
        patch = insert_word(text, place.path, command.line, "--retry 3", after="curl")
        shown = url if len(url) <= SHOWN else f"{url[: SHOWN - 1]}…"
        claim = f"curl of {shown} has no --retry, so one time-out or 5xx breaks the step"
        yield Mark(place.path, command.line, place.subject, claim, job=place.job_key, patch=patch)


_UNPACKS = frozenset({"tar", "gunzip", "gzip", "unzip", "xz", "zstd", "bsdtar"})
_LOOP = re.compile(r"^\s*(?:for|until|while)\b|\bretry\b", re.MULTILINE)
_LOCAL = re.compile(r"://(?:localhost|127\.|0\.0\.0\.0|\[::1\]|host\.docker)|health|/status\b|/ping\b", re.IGNORECASE)
_SENDS = re.compile(r"-X|--request|-d|--data.*|-F|--form|-T|--upload-file|--json|-I|--head")


def _is_download(command: Command) -> bool:
    url = next((word for word in command.words if re.match(r"https?://", word)), "")
    if not url or _LOCAL.search(url) or any(_SENDS.fullmatch(word) for word in command.words):
        return False
    kept = any(re.fullmatch(r"-[a-zA-Z]*[oO][a-zA-Z]*|--output|--remote-name(?:-all)?", word) for word in command.words)
    return kept or bool(command.piped_to) or bool(command.redirects) or command.unheard is Unheard.SUBSTITUTED


_PROBES = {"curl", "wget", "nc", "psql", "pg_isready", "redis-cli", "grpcurl", "http"}


def sleep_for_readiness(project: Project) -> Iterator[Mark]:
    """Fire once a script that starts something and sleeps, or sleeps and then asks, instead of waiting until ready."""
    for place in project.places:
        if _LOOP.search(place.step.run):
            continue
        commands = [_bare(command) for command in place.script.commands]
        for at, command in enumerate(commands):
            if command.name != "sleep" or not _seconds(command):
                continue
            started = next((one for one in commands[:at] if _starts(one)), None)
            asks = next((one for one in commands[at + 1 :] if one.name not in {"echo", "printf", "time"}), None)
            if started is not None:
                claim = f"`{command.text}` waits for `{started.shown}` instead of asking whether it is ready"
            elif asks is not None and asks.name in _PROBES and not asks.has("--retry"):
                claim = f"`{command.text}` before `{asks.shown}` waits a fixed time instead of asking until it answers"
            else:
                continue
            yield Mark(place.path, command.line, place.subject, claim, job=place.job_key)
            break


def _starts(command: Command) -> bool:
    text = command.text
    return command.unheard is Unheard.BACKGROUND or bool(
        re.match(r"docker run .*(?:-d|--detach)\b|docker[ -]compose .*up .*(?:-d|--detach)\b(?!.*--wait)", text)
        or re.match(r"systemctl (?:re)?start|service \S+ (?:re)?start|nohup ", text)
    )


def _seconds(command: Command) -> float:
    try:
        return float(command.words[1].rstrip("s")) if len(command.words) == 2 else 0
    except ValueError:
        return 0


def npm_install_for_ci(project: Project) -> Iterator[Mark]:
    """Fire on `npm install` without names where a lockfile lies beside."""
    for place in project.places:
        folder = place.folder.strip("./")
        for command in place.script.commands:
            if command.name == "cd" and len(command.words) == 2:
                folder = f"{folder}/{command.words[1].strip('./')}".strip("/")
            if command.name != "npm" or len(command.words) < 2 or command.words[1] not in {"install", "i"}:
                continue
            lock = f"{folder}/package-lock.json".lstrip("/")
            if all(word.startswith("-") for word in command.words[2:]) and lock in project.tree.paths:
                if command.has("-g", "--global", "--package-lock-only"):
                    continue
                claim = f"`{command.shown}` may change {lock} and install something else; npm ci keeps to it"
                yield Mark(place.path, command.line, place.subject, claim, job=place.job_key)


def apt_without_update(project: Project) -> Iterator[Mark]:
    """Fire once a job on packages that are installed from the list that the machine's image came with."""
    for file, job in project.jobs:
        if any(step.uses.startswith("./") or "apt" in step.action for step in job.steps):
            continue
        for place, command in _commands_of(project.of_job(file, job)):
            if command.name in {"apt-get", "apt"} and command.has("update"):
                break
            if command.words[:1] and (command.words[0].startswith(("./", ".github/")) or ".sh" in command.text):
                break
            if command.name in {"apt-get", "apt"} and command.has("install") and not _LOCAL_DEB.search(command.text):
                claim = f"`{command.shown}` comes without apt-get update, so it fails once its package was replaced"
                yield Mark(file.path, command.line, place.subject, claim, job=job.key)
                break


_LOCAL_DEB = re.compile(r"\.deb\b|--reinstall")


def pip_without_versions(project: Project) -> Iterator[Mark]:
    """Fire once a file where pip installs packages by name alone."""
    told: dict[str, list[tuple[Place, Command, list[str]]]] = {}
    for place, command in _commands_of(project.places):
        words = list(command.words)
        if words[:1] and re.fullmatch(r"python[\d.]*", command.name) and words[1:3] == ["-m", "pip"]:
            words = words[2:]
        if not words or not re.fullmatch(r"(?:.*/)?pip[\d.]*", words[0]) or words[1:2] != ["install"]:
            continue
        if command.has("--no-index", "--find-links", "-c", "--constraint", "--force-reinstall"):
            continue
        if re.search(r"pip[\d.]* install .*(?:-r|--requirement)\b", place.step.run):
            continue
        names = [name for name in _pip_names(words[2:]) if name not in {"pip", "setuptools", "wheel"}]
        if names:
            told.setdefault(place.path, []).append((place, command, names))
    for path, found in told.items():
        said = _by_job([(place.job_key, names) for place, _, names in found])
        claim = f"pip installs {said} without versions, so the file's jobs change with every release of theirs"
        (place, first, _), also = found[0], tuple((path, command.line) for _, command, _ in found[1:])
        yield Mark(path, first.line, "pip install", claim, job=place.job_key, also=also)


def _by_job(found: Iterable[tuple[str, Iterable[str]]]) -> str:
    """Return names with the job each belongs to."""
    held: dict[str, dict[str, None]] = {}
    for job, names in found:
        held.setdefault(job, {}).update(dict.fromkeys(names))
    return "; ".join(", ".join(names) + (f" in job {job}" if job else "") for job, names in held.items())


def _pip_names(words: list[str]) -> Iterator[str]:
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word in {"-r", "--requirement", "-e", "--editable", "-t", "--target", "-i", "--index-url"}:
            skip = True
        elif re.fullmatch(r"[A-Za-z][\w.-]*(?:\[[\w,-]+\])?", word) and not word.endswith((".whl", ".txt", ".gz")):
            yield word


def _commands_of(places: Iterable[Place]) -> Iterator[tuple[Place, Command]]:
    for place in places:
        for command in place.script.commands:
            yield place, _bare(command)


def _bare(command: Command) -> Command:
    """Return the command without `sudo`, `time` and `env A=b` before it."""
    words = command.words
    while words and (words[0] in {"sudo", "time", "env", "-E", "--"} or re.match(r"[A-Z_]+=", words[0])):
        words = words[1:]
    return command if words == command.words else replace(command, words=words)


RULES: dict[str, Callable[[Project], Iterable[Mark]]] = {
    "toolchain-file-wins": toolchain_file_wins,
    "msrv-differs": msrv_differs,
    "toolchain-too-old": toolchain_too_old,
    "floating-denies-warnings": floating_denies_warnings,
    "retired-runner": retired_runner,
    "retired-action": retired_action,
    "no-lockfile": no_lockfile,
    "lockfile-not-held": lockfile_not_held,
    "tool-not-locked": tool_not_locked,
    "download-without-retry": download_without_retry,
    "sleep-for-readiness": sleep_for_readiness,
    "npm-install-for-ci": npm_install_for_ci,
    "apt-without-update": apt_without_update,
    "pip-without-versions": pip_without_versions,
    **testsources.RULES,
}
