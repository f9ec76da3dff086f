"""Rules of caches: what a key lacks, who saves and who can read, what is thrown away; more on the cards."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations

from kotaci.audit.cachesteps import (
    CacheStep,
    Use,
    cache_steps,
    checkout_is_plain,
    env_of_key,
    hash_patterns,
    input_line,
    key_of,
    matches_file,
    only_for_pull_requests,
    read_cache_step,
    system_of,
)
from kotaci.audit.cargo import (
    FLOATING,
    CargoCall,
    Work,
    calls_of,
    cargo_config,
    default_toolchain,
    is_in_branch,
    toolchain_steps,
)
from kotaci.audit.edits import set_inputs
from kotaci.audit.marks import Mark
from kotaci.audit.project import Place, Project
from kotaci.audit.shell import Command, Unheard
from kotaci.workflows import Leg, WorkflowFile, WorkflowJob, WorkflowStep

SHOWN = 4
"""So many names a claim spells out; the rest is counted."""

LOCKFILES = {
    "cargo": ("Cargo.lock",),
    "node": ("package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock", "bun.lockb"),
    "python": ("poetry.lock", "uv.lock", "pdm.lock", "Pipfile.lock"),
}
"""Names of the files that fix versions, by what the cache holds."""

_NEW_EACH_RUN = re.compile(r"github\.(?:sha|run_id|run_number|run_attempt)\b")
_SAYS_TOOLCHAIN = re.compile(
    r"\$\{\{[^}]*(?:rust|toolchain|channel|version|msrv|steps\.|nightly|outputs)", re.IGNORECASE
)
_OF_DEFAULT = {"schedule", "pull_request_target", "workflow_run", "workflow_call", "repository_dispatch"}
_OF_DEFAULT_TOO = {"issue_comment", "issues", "page_build", "status", "check_suite", "check_run", "deployment_status"}
_WRITES_TARGET = {"build", "check", "clippy", "test", "bench", "doc", "run", "rustc", "nextest", "hack"}
_LONG_LIVED = ("main", "master", "develop", "dev", "trunk", "next")


def cache_key_constant(project: Project) -> Iterator[Mark]:
    """Fire where nothing in the key ever changes, though what is cached does."""
    for cache in cache_steps(project):
        kind = _kind(cache)
        if cache.is_rust_cache or cache.use is Use.RESTORE or not kind or not cache.key:
            continue
        legs = cache.place.job.legs if cache.place.job else ()
        if "${{" in re.sub(r"\$\{\{(?:matrix|runner)\.[\w.-]+\}\}", "", key_of(cache, legs[0] if legs else None)):
            continue
        claim = f"the key “{cache.key}” never changes, so what was saved first is kept and nothing is saved after it"
        yield _mark(project, cache, claim, name="key")


def cache_key_hash_of_nothing(project: Project) -> Iterator[Mark]:
    """Fire where `hashFiles` fits no file of the repository, and no step before could have made one."""
    for cache in cache_steps(project):
        place = cache.place
        if cache.is_rust_cache or not checkout_is_plain(place.file, place.job):
            continue
        if place.job is not None and any(step.run or step.action.startswith("./") for step in _before(place)):
            continue
        for patterns in hash_patterns(cache.key):
            wanted = [pattern for pattern in patterns or () if not pattern.startswith("!")]
            if wanted and not any(matches_file(pattern, project.tree.paths) for pattern in wanted):
                claim = f"hashFiles({_listed(wanted)}) fits no file, so that part of the key is always empty"
                yield _mark(project, cache, claim, name="key")


def cache_key_without_lockfile(project: Project) -> Iterator[Mark]:
    """Fire where the key hashes other files than the lockfile that the repository has."""
    for cache in cache_steps(project):
        kind = _kind(cache)
        calls = hash_patterns(cache.key)
        if cache.is_rust_cache or cache.use is Use.RESTORE or not kind or not calls or None in calls:
            continue
        if _NEW_EACH_RUN.search(cache.key) or not checkout_is_plain(cache.place.file, cache.place.job):
            continue
        folders = {f"{path.rpartition('/')[0]}/".lstrip("/") for path in map(_plain, cache.paths)} | {""}
        locks = sorted(f"{folder}{name}" for folder in folders for name in LOCKFILES[kind])
        locks = [path for path in locks if path in project.tree.paths]
        patterns = [pattern for call in calls for pattern in call or ()]
        if locks and not any(matches_file(pattern, frozenset(locks)) for pattern in patterns):
            claim = (
                f"the key hashes {_listed(patterns)}, not {_listed(locks)}: new versions there do not make a new cache"
            )
            yield _mark(project, cache, claim, name="key")


def cache_key_without_toolchain(project: Project) -> Iterator[Mark]:
    """Fire where `target` is kept under a key that stays the same when the compiler changes."""
    for cache in cache_steps(project):
        place = cache.place
        if cache.is_rust_cache or cache.use is Use.RESTORE or not cache.holds_target or place.file is None:
            continue
        if any(".rustup" in path for path in cache.paths):
            continue
        assert place.job is not None  # noqa: S101
        places = project.of_job(place.file, place.job)
        legs: Sequence[Leg | None] = place.job.legs or (None,)
        names = {default_toolchain(project, places, leg=leg) for leg in legs}
        if not hash_patterns(cache.key) or _NEW_EACH_RUN.search(cache.key) or _SAYS_TOOLCHAIN.search(cache.key):
            continue
        if any(_is_of_toolchain(cache.key, name) for name in names) or not names & {*FLOATING, ""}:
            continue
        name = next(iter(sorted(names & set(FLOATING))), "the machine's own")
        claim = (
            f"the key “{cache.key}” keeps `target` and names no compiler, which floats ({name}): after its next"
            " release every run compiles all again until another part of the key changes"
        )
        yield _mark(project, cache, claim, name="key")


def cache_key_shared_by_systems(project: Project) -> Iterator[Mark]:
    """Fire where legs on different systems or processors have one key for what was built on them."""
    for cache in cache_steps(project):
        job = cache.place.job
        is_built = cache.holds_target or cache.holds_binaries or any("node_modules" in path for path in cache.paths)
        if cache.is_rust_cache or job is None or not is_built or len(job.legs) < 2:
            continue
        groups = defaultdict(set)
        for leg in job.legs:
            system = system_of(job.runs_on, leg)
            if re.fullmatch(r"(?:Linux|macOS|Windows)-\w+", system):
                groups[key_of(cache, leg), system.startswith("Windows")].add(system)
        clashing = sorted({system for systems in groups.values() if len(systems) > 1 for system in systems})
        if clashing:
            claim = (
                f"the legs on {_joined(clashing)} share the key “{cache.key}”, and what one built is useless to others"
            )
            yield _mark(project, cache, claim, name="key")


def cache_never_hit(project: Project) -> Iterator[Mark]:
    """Fire where each run has a key of its own and nothing older may be restored."""
    caches = [cache for cache in cache_steps(project) if not cache.is_rust_cache]
    for cache in caches:
        found = _NEW_EACH_RUN.search(cache.key)
        if cache.use is not Use.BOTH or cache.restore_keys or not found:
            continue
        others = [one for one in caches if one is not cache and one.place.path == cache.place.path]
        if any(one.key == cache.key or any(cache.key.startswith(key) for key in one.restore_keys) for one in others):
            continue
        claim = (
            f"the key “{cache.key}” is new for each run ({found[0]}) and there are no restore-keys, so it never hits"
        )
        yield _mark(project, cache, claim, name="key")


def cache_of_different_builds(project: Project) -> Iterator[Mark]:
    """Fire where jobs or legs that build differently save under one key."""
    groups: dict[tuple[object, ...], list[tuple[CacheStep, Leg | None, frozenset[str]]]] = defaultdict(list)
    for cache in cache_steps(project):
        place = cache.place
        if place.file is None or place.job is None or not cache.holds_target or not cache.saves:
            continue
        places = project.of_job(place.file, place.job)
        for leg in place.job.legs or (None,):
            calls = [call for one in places for call in calls_of(project, one, leg=leg) if call.compiles]
            key = _identity(project, cache, places, leg)
            conditions = [place.step.input("save-if"), *(call.place.step.condition for call in calls)]
            is_open = any(call.open_words for call in calls) or any("matrix." in text for text in conditions)
            if key is not None and calls and not is_open:
                groups[key].append((cache, leg, frozenset(_built(call) for call in calls)))
    told = set[tuple[str, int]]()
    for group in groups.values():
        first = group[0][0]
        if len({built for _, _, built in group}) < 2 or (first.place.path, first.place.step.line) in told:
            continue
        told.add((first.place.path, first.place.step.line))
        said: dict[str, frozenset[str]] = {}
        for cache, leg, built in group:
            if built not in said.values():
                said[_named(cache, leg, first, is_alone=all(one.place is first.place for one, _, _ in group))] = built
        shown = _cut([f"{name} ({', '.join(sorted(built))})" for name, built in said.items()])
        label = f"the key “{first.key}”" if first.key else "rust-cache's key of that job"
        claim = f"{_joined(shown)} save under {label}: only the first to end is saved, the others compile what it lacks"
        places_of = dict.fromkeys((cache.place.path, _line(project, cache)) for cache, _, _ in group)
        yield Mark(
            first.place.path,
            _line(project, first),
            f"key {first.key or first.place.subject}",
            claim,
            job=first.place.job_key,
            also=tuple(places_of)[1:],
        )


def cached_twice(project: Project) -> Iterator[Mark]:
    """Fire where two steps of one job restore the same folder."""
    for _, _, caches in _by_job(project):
        restoring = [one for one in caches if one.use is not Use.SAVE and not one.place.step.condition]
        for first, second in combinations(restoring, 2):
            shared = [path for path in second.paths if any(_overlap(path, other) for other in first.paths)]
            if shared:
                claim = (
                    f"{_listed(shared)}: also kept by step “{first.place.step.title}”, so packed, stored and unpacked"
                    " twice, the later over the earlier"
                )
                yield Mark(
                    second.place.path,
                    second.place.step.line,
                    second.place.subject,
                    claim,
                    job=second.place.job_key,
                    also=((first.place.path, first.place.step.line),),
                )


def cache_nobody_reads(project: Project) -> Iterator[Mark]:
    """Fire where only runs of pull requests, topic branches or tags save a cache that other runs should restore."""
    groups = defaultdict(list)
    for cache in cache_steps(project):
        if cache.place.job is not None and cache.saves:
            groups[_family(cache)].append(cache)
    found = defaultdict(list)
    for group in groups.values():
        if not any(_saves_for_others(cache) for cache in group):
            for cache in group:
                found[cache.place.path].append(cache)
    for path, caches in found.items():
        file = caches[0].place.file
        if file is None or not file.events & {"pull_request", "push", "release"}:
            continue
        where = [name for name in ("pull_request", "push", "release") if name in file.events]
        claim = (
            f"{_jobs(caches, 'save')} caches only in runs of {_events(file, where)}, and no run of a base"
            " branch saves them: a new pull request, branch or tag starts cold"
        )
        yield Mark(
            path,
            caches[0].place.step.line,
            "caches",
            claim,
            job=caches[0].place.job_key,
            also=tuple((path, one.place.step.line) for one in caches[1:]),
        )


def cache_saved_by_pull_requests(project: Project) -> Iterator[Mark]:
    """Fire where rust-cache saves in pull requests too, though runs of a base branch save for everyone."""
    for path, caches in _saving(project).items():
        file = caches[0].place.file
        pull = file.trigger("pull_request") if file is not None else None
        if pull is None or not any(map(_saves_for_others, caches)):
            continue
        if pull.paths and all(one.startswith((".github/", "!")) for one in pull.paths):
            continue
        text, places = project.tree.text(path) or "", [one.place for one in caches]
        value = "${{ github.event_name != 'pull_request' }}"
        claim = (
            f"{_jobs(caches, 'save')} rust-cache's files from pull requests too, whenever one changes dependencies or"
            " compiler: only it can read them, and they push others out of GitHub's 10 GB"
        )
        yield Mark(
            path,
            caches[0].place.step.line,
            "rust-cache without save-if",
            claim,
            job=caches[0].place.job_key,
            also=tuple((path, one.place.step.line) for one in caches[1:]),
            patch=set_inputs(text, places, "save-if", value, "save caches only outside of pull requests"),
        )


def _can_fail(project: Project, cache: CacheStep) -> bool:
    """Tell whether a build of the job may fail it: where all may fail unheard, the cache is saved in any case."""
    file, job = cache.place.file, cache.place.job
    if file is None or job is None:
        return True
    calls = [call for place in project.of_job(file, job) for call in calls_of(project, place) if call.compiles]
    heard = [one for one in calls if not one.place.step.continue_on_error and one.command.unheard is Unheard.NO]
    return bool(heard) or not calls


def cache_saved_on_failure(project: Project) -> Iterator[Mark]:
    """Fire where rust-cache saves what a failed build left, under the key of the whole."""
    found = defaultdict(list)
    for cache in cache_steps(project):
        is_asked = cache.is_rust_cache and cache.place.step.input("cache-on-failure") == "true" and cache.saves
        if is_asked and _can_fail(project, cache):
            found[cache.place.path].append(cache)
    for path, caches in found.items():
        text, places = project.tree.text(path) or "", [one.place for one in caches]
        lines = [input_line(project, cache.place, "cache-on-failure") for cache in caches]
        names = _jobs(caches, "save") if caches[0].place.job else "the action saves"
        claim = f"{names} the cache of a failed build (cache-on-failure: true), which then stands in for a whole one"
        yield Mark(
            path,
            lines[0],
            "cache-on-failure",
            claim,
            job=caches[0].place.job_key,
            also=tuple((path, line) for line in lines[1:]),
            patch=set_inputs(
                text,
                places,
                "cache-on-failure",
                '"false"',
                "do not save caches of failed builds",
            ),
        )


def cache_thrown_away(project: Project) -> Iterator[Mark]:
    """Fire where `target` is restored and then deleted as a whole."""
    for file, job, caches in _by_job(project):
        kept = [one for one in caches if one.holds_target and one.use is not Use.SAVE and not one.place.step.condition]
        if not kept:
            continue
        number = kept[0].place.step.number
        for place in project.of_job(file, job):
            is_later = place.step.number > number and not place.step.condition
            wiped = next(filter(_wipes_target, place.script.commands), None) if is_later else None
            if wiped is not None and not is_in_branch(place, wiped):
                claim = f"`{wiped.text}` deletes `target`, which step “{kept[0].place.step.title}” restored"
                yield Mark(
                    file.path,
                    wiped.line,
                    place.subject,
                    claim,
                    job=job.key,
                    also=((file.path, kept[0].place.step.line),),
                )


def cache_of_unused_folder(project: Project) -> Iterator[Mark]:
    """Fire where the cached `target` is none of the folders that the job's builds write to."""
    for file, job, caches in _by_job(project):
        if not checkout_is_plain(file, job) or any("CARGO_TARGET_DIR" in step.run for step in job.steps):
            continue
        places = project.of_job(file, job)
        calls = [call for place in places for call in calls_of(project, place) if call.compiles]
        written = {_target_dir(project, call) for call in calls}
        if not written or "" in written:
            continue
        for cache in caches:
            kept = {_plain(path) for path in cache.paths if re.fullmatch(r"(?:\./)?(?:[\w-]+/)*target/?", path)}
            if kept and not any(_overlap(one, other) for one in kept for other in written):
                claim = f"keeps {_listed(sorted(kept))}, while the job's builds write to {_listed(sorted(written))}"
                yield _mark(project, cache, claim, name="path")


def cache_after_build(project: Project) -> Iterator[Mark]:
    """Fire where the cache is restored only after the first build that it is for."""
    for file, job, caches in _by_job(project):
        for cache in caches:
            if cache.use is Use.SAVE or not cache.holds_target or cache.place.step.condition:
                continue
            before = [place for place in project.of_job(file, job) if place.step.number < cache.place.step.number]
            call = next((call for place in before for call in calls_of(project, place) if call.compiles), None)
            if call is not None and not call.place.step.condition and call.program == "cargo":
                claim = (
                    f"`target` is restored after `{call.command.text}` (line {call.command.line}) has built without it"
                )
                yield _mark(project, cache, claim)


def rust_cache_before_toolchain(project: Project) -> Iterator[Mark]:
    """Fire where rust-cache reads the compiler's version before the job has installed its own."""
    if project.toolchain_file:
        return
    for file, job, caches in _by_job(project):
        steps = [
            (place, name) for place, name in toolchain_steps(project.of_job(file, job)) if not place.step.condition
        ]
        for cache in caches:
            if cache.is_rust_cache and steps and steps[0][0].step.number > cache.place.step.number:
                place, name = steps[0]
                claim = (
                    f"rust-cache makes its key from the machine's rustc, since step “{place.step.title}”"
                    f" installs {name or 'the toolchain'} only after it"
                )
                yield _mark(project, cache, claim)


def setup_cache_without_lockfile(project: Project) -> Iterator[Mark]:
    """Fire where setup-node or setup-python is to cache by a lockfile that does not exist."""
    wanted = {
        ("actions/setup-node", "npm"): ("package-lock.json", "npm-shrinkwrap.json", "yarn.lock"),
        ("actions/setup-node", "yarn"): ("yarn.lock",),
        ("actions/setup-node", "pnpm"): ("pnpm-lock.yaml",),
        ("actions/setup-python", "pip"): ("**/requirements.txt", "**/pyproject.toml"),
        ("actions/setup-python", "poetry"): ("**/poetry.lock",),
    }
    for place in project.places:
        step = place.step
        patterns = wanted.get((step.action, step.input("cache")))
        if patterns is None or not checkout_is_plain(place.file, place.job):
            continue
        given = [line.strip() for line in step.input("cache-dependency-path").splitlines() if line.strip()]
        if any("${{" in line for line in given) or any(
            one.run or one.action.startswith("./") for one in _before(place)
        ):
            continue
        if not any(matches_file(pattern, project.tree.paths) for pattern in given or patterns):
            claim = f"cache: {step.input('cache')} wants {_listed(given or patterns)}; there is none, so the step fails"
            yield Mark(
                place.path,
                input_line(project, place, "cache"),
                place.subject,
                claim,
                job=place.job_key,
            )


def sccache_without_effect(project: Project) -> Iterator[Mark]:
    """Fire where sccache is installed and no compiler call goes through it, or nothing it keeps outlives the runner."""
    build = cargo_config(project).get("build")
    has_wrapper = isinstance(build, dict) and "rustc-wrapper" in build
    for place in project.places:
        if place.step.action != "mozilla-actions/sccache-action" or place.file is None or place.job is None:
            continue
        around = project.of_job(place.file, place.job)
        names = {name for one in around for name in one.env} | {
            name for one in around for name, _, _ in one.script.assigned
        }
        scripts = " ".join(step.run for step in place.job.steps)
        if not has_wrapper and "RUSTC_WRAPPER" not in f"{' '.join(names)} {scripts}" and "sccache" not in scripts:
            claim = "sccache is installed, and RUSTC_WRAPPER is set nowhere: rustc does not go through it"
        elif not any(name.startswith("SCCACHE_") for name in names) and "SCCACHE_" not in scripts:
            claim = "sccache keeps its files on the runner: neither SCCACHE_GHA_ENABLED nor another store is set"
        else:
            continue
        yield Mark(place.path, place.step.line, place.subject, claim, job=place.job.key)


def _kind(cache: CacheStep) -> str:
    """Return which lockfile decides what the cache holds; empty where none does."""
    if cache.holds_target or cache.holds_registry:
        return "cargo"
    text = " ".join(cache.paths)
    if re.search(r"node_modules|\.npm\b|\.yarn\b|pnpm", text):
        return "node"
    return "python" if re.search(r"\.cache/(?:pip|pypoetry|uv)\b|\.venv\b", text) else ""


def _is_of_toolchain(key: str, name: str) -> bool:
    return bool(name) and name in re.sub(r"\$\{\{.*?\}\}", "", key)


def _before(place: Place) -> list[WorkflowStep]:
    return [step for step in place.job.steps if step.number < place.step.number] if place.job else []


def _mark(project: Project, cache: CacheStep, claim: str, *, name: str = "") -> Mark:
    place = cache.place
    line = input_line(project, place, name) if name else place.step.line
    return Mark(place.path, line, place.subject, claim, job=place.job_key)


def _line(project: Project, cache: CacheStep) -> int:
    name = "key" if not cache.is_rust_cache or cache.place.step.input("key") else "shared-key"
    return input_line(project, cache.place, name)


def _by_job(project: Project) -> Iterator[tuple[WorkflowFile, WorkflowJob, list[CacheStep]]]:
    """Yield each job that has cache steps, with them."""
    for file, job in project.jobs:
        caches = [cache for place in project.of_job(file, job) if (cache := read_cache_step(place)) is not None]
        if caches:
            yield file, job, caches


def _saving(project: Project) -> dict[str, list[CacheStep]]:
    """Return, by file, the steps of rust-cache that save whatever the event is."""
    found = defaultdict(list)
    for cache in cache_steps(project):
        if cache.is_rust_cache and cache.place.job is not None and not cache.place.step.input("save-if"):
            found[cache.place.path].append(cache)
    return found


def _identity(
    project: Project, cache: CacheStep, places: Sequence[Place], leg: Leg | None
) -> tuple[object, ...] | None:
    """Return what GitHub tells this cache by, as far as the files say; None where they do not."""
    job = cache.place.job
    assert job is not None  # noqa: S101
    system = system_of(job.runs_on, leg)
    if not cache.is_rust_cache:
        key = key_of(cache, leg)
        is_open = re.search(r"\$\{\{(?!hashFiles\(|github\.(?:ref|sha|head_ref|ref_name|base_ref)\}\})", key)
        return None if is_open else (key, cache.paths, system.startswith("Windows"))
    step = cache.place.step
    parts = [step.input(name) for name in ("prefix-key", "env-vars", "shared-key")]
    if not parts[-1]:
        parts += [step.input("key"), "" if step.input("add-job-id-key") == "false" else job.key]
    shared = key_of(replace(cache, key="\n".join(parts)), leg)
    before = [place for place in places if place.step.number < step.number]
    toolchain = default_toolchain(project, before, leg=leg)
    env = tuple((name, value) for name, value in env_of_key(cache.place).items())
    texts = (shared, system, toolchain, *(value for _, value in env))
    return None if any("${{" in text for text in texts) else (shared, system, toolchain, env, cache.paths)


def _built(call: CargoCall) -> str:
    """Return in words what a call leaves in `target`: for whom, checked or compiled, by which profile."""
    tool = next((verb for verb in call.verbs if verb in {"llvm-cov", "tarpaulin", "miri", "careful"}), "")
    profile = {"test": "dev", "bench": "release"}.get(call.profile, call.profile)
    mode = "checked" if call.work in {Work.CHECK, Work.LINT, Work.DOC} else "compiled"
    return " ".join(filter(None, (profile, mode, tool and f"by {tool}", call.target and f"for {call.target}")))


def _named(cache: CacheStep, leg: Leg | None, first: CacheStep, *, is_alone: bool) -> str:
    job = cache.place.job
    if is_alone and leg is not None:
        return f"leg {leg.text}"
    name = f"job {job.key}" if job else "the action"
    name += f" [{leg.text}]" if leg is not None else ""
    return name if cache.place.path == first.place.path else f"{name} of {cache.place.path.rpartition('/')[2]}"


def _family(cache: CacheStep) -> tuple[str, str]:
    """Return what the key begins with, which tells whose caches may be restored."""
    job = cache.place.job
    if cache.is_rust_cache:
        return "rust-cache", cache.place.step.input("shared-key") or f"{job.key if job else ''} {cache.key}"
    return "key", re.split(r"\$\{\{\s*(?:hashFiles|github\.)", cache.key)[0]


def _saves_for_others(cache: CacheStep) -> bool:
    """Return whether a run that saves it may be of a branch that other runs look into."""
    file, job = cache.place.file, cache.place.job
    if file is None or job is None or only_for_pull_requests(job.condition):
        return False
    if file.events & (_OF_DEFAULT | _OF_DEFAULT_TOO):
        return True
    push, pull = file.trigger("push"), file.trigger("pull_request")
    if push is None:
        return False
    if not push.branches:
        return bool(push.branches_ignore) or not push.tags
    bases = {*_LONG_LIVED, *(pull.branches if pull else ())}
    return any(branch in bases or branch[:1] in {"*", "$"} for branch in push.branches)


def _events(file: WorkflowFile, events: Sequence[str]) -> str:
    said = []
    for event in events:
        trigger = file.trigger(event)
        filters = (*trigger.branches, *trigger.tags) if trigger else ()
        said.append(f"{event} ({', '.join(filters[:SHOWN])})" if filters and event == "push" else event)
    return _joined(said)


def _wipes_target(command: Command) -> bool:
    words = command.words
    if list(words[:2]) == ["cargo", "clean"]:
        return not any(
            word.startswith(("-p", "--package", "--doc", "--release", "--profile", "--target")) for word in words
        )
    return bool(words) and words[0] == "rm" and any(re.fullmatch(r"(?:\./)?target/?", word) for word in words[1:])


def _target_dir(project: Project, call: CargoCall) -> str:
    """Return the folder that a call of cargo writes to, from the root; empty where the files do not tell."""
    build = cargo_config(project).get("build")
    config = build.get("target-dir", "") if isinstance(build, dict) else ""
    given = call.value("--target-dir") or call.env.get("CARGO_TARGET_DIR") or call.env.get("CARGO_BUILD_TARGET_DIR")
    if any(command.name in {"cd", "pushd"} for command in call.place.script.commands) or call.program != "cargo":
        return ""
    if call.verbs[0] not in _WRITES_TARGET or _plain(call.place.folder) not in project.tree.folders:
        return ""
    start = f"{call.place.folder}/{call.manifest.rpartition('/')[0]}"
    texts = (start, given or "", str(config))
    if any(sign in text for text in texts for sign in ("$", "~", "..")) or (given or "").startswith("/"):
        return "" if "$" in "".join(texts) or ".." in "".join(texts) else f"{given}"
    if given:
        return _plain(f"{call.place.folder}/{given}")
    if config:
        return _plain(str(config))
    folder = _plain(start)
    around = [folder[:end] for end in range(len(folder), 0, -1) if end == len(folder) or folder[end] == "/"]
    held = [one for one in dict.fromkeys((*around, "")) if f"{one}/Cargo.toml".lstrip("/") in project.manifests]
    root = next((one for one in held if "workspace" in project.manifests[f"{one}/Cargo.toml".lstrip("/")]), None)
    if not held:
        return ""
    return f"{held[0] if root is None else root}/target".lstrip("/")


def _plain(path: str) -> str:
    parts = [part for part in path.split("/") if part not in {"", ".", "**", "*"}]
    return "/".join(parts)


def _overlap(one: str, other: str) -> bool:
    first, second = _plain(one), _plain(other)
    return f"{first}/".startswith(f"{second}/") or f"{second}/".startswith(f"{first}/")


def _jobs(caches: Iterable[CacheStep], verb: str) -> str:
    """Return the names of the jobs with that verb."""
    names = list(dict.fromkeys(cache.place.job.key for cache in caches if cache.place.job))
    return f"job {names[0]} {verb}s" if len(names) == 1 else f"jobs {_joined(_cut(names))} {verb}"


def _cut(names: list[str]) -> list[str]:
    return names if len(names) <= SHOWN else [*names[: SHOWN - 1], f"{len(names) - SHOWN + 1} more"]


def _listed(texts: Sequence[str]) -> str:
    shown = ", ".join(texts[:SHOWN])
    return shown if len(texts) <= SHOWN else f"{shown} and {len(texts) - SHOWN} more"


def _joined(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"


RULES: dict[str, Callable[[Project], Iterable[Mark]]] = {
    "cache-key-constant": cache_key_constant,
    "cache-key-hash-of-nothing": cache_key_hash_of_nothing,
    "cache-key-without-lockfile": cache_key_without_lockfile,
    "cache-key-without-toolchain": cache_key_without_toolchain,
    "cache-key-shared-by-systems": cache_key_shared_by_systems,
    "cache-never-hit": cache_never_hit,
    "cache-of-different-builds": cache_of_different_builds,
    "cached-twice": cached_twice,
    "cache-nobody-reads": cache_nobody_reads,
    "cache-saved-by-pull-requests": cache_saved_by_pull_requests,
    "cache-saved-on-failure": cache_saved_on_failure,
    "cache-thrown-away": cache_thrown_away,
    "cache-of-unused-folder": cache_of_unused_folder,
    "cache-after-build": cache_after_build,
    "rust-cache-before-toolchain": rust_cache_before_toolchain,
    "setup-cache-without-lockfile": setup_cache_without_lockfile,
    "sccache-without-effect": sccache_without_effect,
}
