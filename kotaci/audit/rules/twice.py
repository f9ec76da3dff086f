"""Rules of work done twice: two runs of one commit, the same build or suite again, tools built from source."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from kotaci.audit.cachesteps import RUST_CACHE, read_cache_step, system_of
from kotaci.audit.cargo import CargoCall, Work, calls_of, cargo_calls, default_toolchain, is_in_branch, toolchain_steps
from kotaci.audit.edits import replace_run
from kotaci.audit.marks import Mark, Patch, mark_job
from kotaci.audit.project import Place, Project
from kotaci.model import Certainty
from kotaci.workflows import Leg, Trigger, WorkflowFile, WorkflowJob

SHOWN = 4
"""So many names a claim spells out; the rest is counted."""

PREBUILT = {
    *("cargo-about", "cargo-audit", "cargo-binstall", "cargo-careful", "cargo-deb", "cargo-deny", "cargo-fuzz"),
    *("cargo-hack", "cargo-insta", "cargo-llvm-cov", "cargo-machete", "cargo-make", "cargo-minimal-versions"),
    *("cargo-mutants", "cargo-nextest", "cargo-semver-checks", "cargo-shear", "cargo-sort", "cargo-spellcheck"),
    *("cargo-tarpaulin", "cargo-udeps", "cargo-vet", "cargo-zigbuild", "cross", "git-cliff", "grcov", "hyperfine"),
    *("just", "mdbook", "release-plz", "sccache"),
}
"""Tools that taiki-e/install-action fetches as binaries (its TOOLS.md and manifests/)."""

INSTALLS = "taiki-e/install-action@cb33e69fad06166ca28a42b2575e4dadabf62ee8 # v2.85.8"
_NOISE = re.compile(
    r"CARGO_(?:TERM|NET|HTTP|REGISTRIES)_\w+|CARGO_INCREMENTAL|RUSTUP_MAX_RETRIES|RUST_BACKTRACE|RUST_LOG|CI|\w*COLOR\w*"
)
_OF_EVENT = re.compile(
    r"github\.(?:event|ref|base_ref|head_ref|actor|repository)|inputs\.|matrix\.|runner\.|vars\.|needs\."
)
_CHANGES_CODE = {"sed", "perl", "patch", "awk", "git", "jq", "tee"}
_REPEATED = re.compile(r"run|iteration|attempt|repeat|round|seed|shard|partition|index|group|part|n|i", re.IGNORECASE)
_DEPLOYS = re.compile(r"deploy|publish|release|upload|notify|report|announce|docker|image|bench", re.IGNORECASE)


def push_and_pull_request(project: Project) -> Iterator[Mark]:
    """Fire where a commit on the branch of a pull request starts the workflow for both events."""
    for file in project.workflows:
        push, pull = file.trigger("push"), file.trigger("pull_request")
        if push is None or pull is None or (push.tags and not push.branches and not push.branches_ignore):
            continue
        topics = [branch for branch in push.branches if branch in {"*", "**"} or _is_topic(branch)]
        if push.branches and not topics:
            continue
        conditions = [job.condition for job in file.jobs]
        is_told_apart = all(re.search(r"github\.event_name|head\.repo|github\.ref\b", text) for text in conditions)
        groups = [one.group for one in (file.concurrency, *(job.concurrency for job in file.jobs)) if one is not None]
        if is_told_apart or any("head_ref" in group or "head.ref" in group for group in groups):
            continue
        which = f"branches {', '.join(topics)}" if topics else "every branch"
        which += f" but {', '.join(push.branches_ignore)}" if push.branches_ignore else ""
        n_jobs = f"{len(file.jobs)} jobs" if len(file.jobs) > 1 else "1 job"
        claim = (
            f"push runs it on {which}, and pull_request for the same commit of an open pull request: {n_jobs}, twice"
        )
        yield Mark(
            file.path,
            push.line,
            "on: push and pull_request",
            claim,
            also=((file.path, pull.line),) if pull.line != push.line else (),
        )


def tool_compiled(project: Project) -> Iterator[Mark]:
    """Fire where `cargo install` compiles a tool that is published as a binary."""
    found: dict[tuple[str, str], list[CargoCall]] = defaultdict(list)
    for call in cargo_calls(project):
        is_source = call.verbs[:1] == ("install",) and not call.has("--path", "--git", "--list", "--root")
        for name in call.names if is_source and _is_hosted(call.place) else ():
            tool = name.partition("@")[0]
            if tool in PREBUILT:
                found[call.place.path, tool].append(call)
    for (path, tool), every in found.items():
        calls = [call for call in every if not _keeps_tools(project, call.place)] or every
        first = calls[0]
        jobs = list(dict.fromkeys(call.place.job.key for call in calls if call.place.job))
        is_kept = _keeps_tools(project, first.place)
        where = f" in {_jobs(jobs)}" if jobs else ""
        unless = ", unless a cache holds it" if is_kept else " in every run"
        yield Mark(
            path,
            first.command.line,
            f"cargo install {tool}",
            f"`{first.command.text}` compiles {tool} from source{where}{unless}",
            job=jobs[0] if jobs else "",
            also=tuple((path, call.command.line) for call in calls[1:]),
            certainty=Certainty.MEDIUM if is_kept else None,
            patch=_prebuilt(project.tree.text(path) or "", tool, calls),
        )


def suite_twice(project: Project) -> Iterator[Mark]:
    """Fire where jobs of one event run the same tests, lints, checks or builds of the same code."""
    found: dict[tuple[object, ...], list[CargoCall]] = defaultdict(list)
    for file, job in project.jobs:
        places = project.of_job(file, job)
        if any(_changes_code(place) for place in places):
            continue
        for leg in job.legs or (None,):
            seen = set()
            for place in places:
                for call in calls_of(project, place, leg=leg):
                    key = _suite(project, job, places, call, leg)
                    if key is not None and key not in seen:
                        seen.add(key)
                        found[key].append(call)
    for calls in found.values():
        first = calls[0]
        together = [call for call in calls[1:] if _run_together(first.place, call.place)]
        if not together:
            continue
        also = tuple(dict.fromkeys((call.place.path, call.command.line) for call in together))
        names = list(dict.fromkeys(_named(call.place, first.place) for call in (first, *together)))
        claim = f"`{first.command.text}` runs in {_joined(_cut(names))} for the same commit"
        yield Mark(
            first.place.path,
            first.command.line,
            f"{first.verb} {' '.join(first.options)}",
            claim,
            job=first.place.job_key,
            also=also,
        )


def check_before_build(project: Project) -> Iterator[Mark]:
    """Fire where `cargo check` stands before a command that checks the same code again."""
    for file, job in project.jobs:
        calls = [call for place in project.of_job(file, job) for call in calls_of(project, place)]
        for at, check in enumerate(calls):
            is_certain = not check.open_words and not check.place.step.condition
            if check.verbs != ("check",) or not is_certain or is_in_branch(check.place, check.command):
                continue
            later = next((call for call in calls[at + 1 :] if _covers(call, check)), None)
            if later is not None:
                claim = (
                    f"`{check.command.text}` checks what `{later.command.text}` (line {later.command.line}) does again"
                )
                yield Mark(
                    file.path,
                    check.command.line,
                    check.place.subject,
                    claim,
                    job=job.key,
                    also=((file.path, later.command.line),),
                )


def matrix_key_unused(project: Project) -> Iterator[Mark]:
    """Fire where the legs of a matrix differ in a key that the job never reads."""
    for file, job in project.jobs:
        if len(job.legs) < 2 or job.strategy is None:
            continue
        text = _without_strategy(project, file, job)
        if re.search(r"matrix\s*(?:\)|\}|,)|matrix\.\*", text):
            continue
        keys = dict.fromkeys(key for leg in job.legs for key in leg.values)
        for key in keys:
            values = {repr(leg.values.get(key)) for leg in job.legs}
            others = {tuple((k, repr(v)) for k, v in leg.values.items() if k != key) for leg in job.legs}
            is_read = re.search(
                rf"matrix(?:\.{re.escape(key)}\b|\[\s*['\"]{re.escape(key)}['\"]\s*\])", text, re.IGNORECASE
            )
            if len(values) < 2 or len(others) == len(job.legs) or is_read or _REPEATED.fullmatch(key):
                continue
            claim = (
                f"the matrix has {len(values)} values of {key}, which the job never reads:"
                f" {len(job.legs)} legs do the work of {len(others)}"
            )
            yield mark_job(file, job, claim, key="strategy")


def matrix_rebuilds(project: Project) -> Iterator[Mark]:
    """Fire where every leg of a matrix makes the same build on the same kind of machine."""
    if any(re.search(r"\b(?:pyo3|cpython|neon|napi)\b", project.tree.text(path) or "") for path in project.manifests):
        return
    for file, job in project.jobs:
        systems = {system_of(job.runs_on, leg) for leg in job.legs}
        if len(job.legs) < 2 or len(systems) > 1 or "${{" in f"{job.env}{job.container}{systems}":
            continue
        places = project.of_job(file, job)
        if any("matrix." in f"{place.step.inputs}{place.step.run}" for place, _ in toolchain_steps(places)):
            continue
        for place in places:
            if "matrix." in f"{place.step.env}{place.step.condition}{place.folder}":
                continue
            call = next(
                (one for one in calls_of(project, place) if one.work is Work.BUILD and one.verbs != ("run",)), None
            )
            if call is None or is_in_branch(place, call.command):
                continue
            if not call.open_words and call.program == "cargo":
                all_keys = dict.fromkeys(key for leg in job.legs for key in leg.values)
                keys = ", ".join(key for key in all_keys if len({repr(leg.values.get(key)) for leg in job.legs}) > 1)
                claim = f"`{call.command.text}` is the same in all {len(job.legs)} legs, which differ in {keys}"
                yield Mark(file.path, call.command.line, place.subject, claim, job=job.key)
                break


def built_after_download(project: Project) -> Iterator[Mark]:
    """Fire where a job downloads what another one built and then builds it again."""
    for file, job in project.jobs:
        given = {one.key: one for one in file.jobs}
        places = project.of_job(file, job)
        for download in (place for place in places if place.step.action == "actions/download-artifact"):
            wanted = download.step.input("name")
            for other in (given[name] for name in job.needs if name in given):
                uploads = [one for one in other.steps if one.action == "actions/upload-artifact"]
                fitting = [one for one in uploads if one.input("name") == wanted and _is_binary(one.input("path"))]
                earlier = [call for place in project.of_job(file, other) for call in calls_of(project, place)]
                for call in (one for place in places for one in calls_of(project, place)):
                    is_same = call.work is Work.BUILD and any(call.build == one.build for one in earlier)
                    is_same = is_same and not is_in_branch(call.place, call.command)
                    if fitting and is_same and not call.place.step.condition and not call.open_words:
                        claim = f"`{call.command.text}` builds what job {other.key} built and artifact {wanted} brings"
                        yield Mark(
                            file.path,
                            call.command.line,
                            call.place.subject,
                            claim,
                            job=job.key,
                            also=((file.path, download.step.line), (file.path, fitting[0].line)),
                        )


def needs_without_reason(project: Project) -> Iterator[Mark]:
    """Fire where jobs that test or build wait for others and take nothing from them."""
    for file in project.workflows:
        waiting = [job for job in file.jobs if job.needs and _only_waits(project, file, job)]
        if waiting:
            shown = _cut([f"{job.key} (for {', '.join(job.needs)})" for job in waiting])
            start = "job" if len(waiting) == 1 else "jobs"
            verbs = ("waits", "takes") if len(waiting) == 1 else ("wait", "take")
            claim = (
                f"{start} {_joined(shown)} {verbs[0]} for others and {verbs[1]} no output, artifact or cache from them"
            )
            lines = [job.lines.get("needs", job.line) for job in waiting]
            yield Mark(
                file.path,
                lines[0],
                "needs",
                claim,
                job=waiting[0].key,
                also=tuple((file.path, line) for line in lines[1:]),
            )


def _is_topic(branch: str) -> bool:
    """Return whether a pattern fits branches that pull requests come from."""
    return re.match(r"(?:feature|feat|fix|bugfix|hotfix|topic|chore|dependabot|renovate)[-/]", branch) is not None


def _keeps_tools(project: Project, place: Place) -> bool:
    """Return whether a step before restores what `cargo install` leaves, or one that asked for it missed."""
    if place.file is None or place.job is None or "cache-hit" in place.step.condition:
        return place.job is not None
    before = [one for one in project.of_job(place.file, place.job) if one.step.number < place.step.number]
    caches = [cache for one in before if (cache := read_cache_step(one)) is not None]
    return any(cache.holds_binaries for cache in caches) or any(one.step.action == RUST_CACHE for one in before)


def _prebuilt(text: str, tool: str, calls: Sequence[CargoCall]) -> Patch | None:
    """Return one patch that fetches the tool in all these steps; None where one of them does more than install it."""
    patches = []
    for place, call in ((call.place, call) for call in calls):
        if place.file is None or place.job is None or not _only_installs(call):
            return None
        lines = [f"uses: {INSTALLS}", "with:", f"  tool: {_tool(call)}"]
        patches.append(replace_run(text, place.file, place.job, place.step, lines))
    edits = [edit for patch in patches if patch is not None for edit in patch.edits]
    is_whole = all(patch is not None for patch in patches)
    return Patch(calls[0].place.path, tuple(edits), f"fetch {tool} as a binary") if is_whole else None


def _tool(call: CargoCall) -> str:
    """Return the tool with its version, as install-action wants it."""
    version = call.value("--version", "--vers")
    return f"{call.names[0]}@{version}" if version else call.names[0]


def _is_hosted(place: Place) -> bool:
    """Return whether every leg has a fresh machine of GitHub's, which keeps no tool from the run before."""
    job = place.job
    if job is None:
        return True
    legs: Sequence[Leg | None] = job.legs or (None,)
    systems = [system_of(job.runs_on, leg) for leg in legs]
    return "self-hosted" not in job.runs_on and all(re.match(r"(?:Linux|macOS|Windows)-", one) for one in systems)


def _only_installs(call: CargoCall) -> bool:
    """Return whether the step does nothing but install one tool as it is, outside of a container."""
    only = (
        len(call.names) == 1
        and "\n" not in call.place.step.run.strip()
        and len(call.place.script.commands) == 1
        and not call.open_words
        and not call.toolchain
    )
    plain = not call.has("--features", "-F", "--no-default-features", "--all-features", "--target")
    return only and plain and call.place.job is not None and not call.place.job.container


def _changes_code(place: Place) -> bool:
    """Return whether a step may change what is compiled, or its environment."""
    is_moved = place.step.action == "actions/checkout" and (place.step.input("ref") or place.step.input("repository"))
    changes = {command.name for command in place.script.commands} & _CHANGES_CODE
    cargo = any(
        command.words[1:2] in (("update",), ("add",), ("generate-lockfile",)) for command in place.script.commands
    )
    return bool(is_moved or changes or cargo) or "GITHUB_ENV" in place.step.run or not place.script.is_known


def _suite(
    project: Project, job: WorkflowJob, places: Sequence[Place], call: CargoCall, leg: Leg | None
) -> tuple[object, ...] | None:
    """Return what makes a run of it the same elsewhere; None where it is no such work or the files do not tell."""
    is_work = call.work in {Work.CHECK, Work.LINT, Work.TEST, Work.DOC, Work.BUILD} and call.compiles
    if not is_work or call.open_words or call.has("--no-run") or is_in_branch(call.place, call.command):
        return None
    toolchain = call.toolchain or default_toolchain(project, places, leg=leg)
    env = tuple(sorted((name, value) for name, value in call.env.items() if not _NOISE.fullmatch(name)))
    around = (job.container, job.services, system_of(job.runs_on, leg), toolchain)
    if "${{" in f"{around}{env}":
        return None
    return (*around, call.build[:-1], frozenset(call.options), call.names, call.rest, env)


def _run_together(one: Place, other: Place) -> bool:
    """Return whether both run for one event of one commit, in different jobs."""
    if one.file is None or other.file is None or one.job is None or other.job is None:
        return False
    if (one.path, one.job.key) == (other.path, other.job.key):
        return False
    conditions = [(place.job.condition if place.job else "", place.step.condition) for place in (one, other)]
    if conditions[0] != conditions[1] and any(_OF_EVENT.search(text) for pair in conditions for text in pair):
        return False
    if one.path == other.path:
        return True
    events = one.file.events & other.file.events & {"push", "pull_request", "merge_group"}
    return any(_meet(one.file.trigger(event), other.file.trigger(event)) for event in events)


def _meet(one: Trigger | None, other: Trigger | None) -> bool:
    """Return whether some commit passes the filters of both."""
    if one is None or other is None:
        return False
    for first, second in ((one.branches, other.branches), (one.paths, other.paths)):
        if first and second and not set(first) & set(second):
            return False
    is_of_tags = [bool(trigger.tags and not trigger.branches) for trigger in (one, other)]
    return is_of_tags[0] == is_of_tags[1]


def _covers(later: CargoCall, check: CargoCall) -> bool:
    """Return whether the later command compiles all that the check does, with the same options."""
    same = ("toolchain", "packages", "excluded", "is_workspace", "manifest", "features", "has_all_features")
    if later.work not in {Work.LINT, Work.BUILD, Work.TEST} or later.program != check.program or later.open_words:
        return False
    if len(later.verbs) > 1 or later.place.step.condition or is_in_branch(later.place, later.command):
        return False
    if later.place.folder != check.place.folder:
        return False
    is_same = all(getattr(later, name) == getattr(check, name) for name in (*same, "has_default_features", "target"))
    profiles = {"test": "dev"}.get(later.profile, later.profile) == check.profile
    selected = later.selected == check.selected or "--all-targets" in later.selected
    return is_same and profiles and selected and later.env == check.env


def _without_strategy(project: Project, file: WorkflowFile, job: WorkflowJob) -> str:
    """Return the lines of a job but those of its `strategy`."""
    lines = (project.tree.text(file.path) or "").splitlines()
    first = job.lines["strategy"]
    end = min((line for line in job.lines.values() if line > first), default=job.end_line + 1)
    return "\n".join((*lines[job.line - 1 : first - 1], *lines[end - 1 : job.end_line]))


def _is_binary(path: str) -> bool:
    return re.search(r"(?:^|/)target/", path) is not None


def _only_waits(project: Project, file: WorkflowFile, job: WorkflowJob) -> bool:
    """Return whether a job compiles, and neither reads from the jobs it needs nor does what they must guard."""
    lines = (project.tree.text(file.path) or "").splitlines()[job.line - 1 : job.end_line]
    text = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
    if re.search(r"needs\.|secrets\.|always\(\)|failure\(\)|download-artifact|docker", text) or job.environment:
        return False
    if _DEPLOYS.search(f"{job.key} {job.name or ''}") or job.uses:
        return False
    keys = _cache_keys(project, file, [job.key])
    places = project.of_job(file, job)
    has_work = any(call.compiles for place in places for call in calls_of(project, place))
    return has_work and not keys & _cache_keys(project, file, job.needs)


def _cache_keys(project: Project, file: WorkflowFile, names: Collection[str]) -> set[str]:
    jobs = [job for job in file.jobs if job.key in names]
    caches = [read_cache_step(place) for job in jobs for place in project.of_job(file, job)]
    return {
        cache.key for cache in caches if cache and (not cache.is_rust_cache or cache.place.step.input("shared-key"))
    }


def _named(place: Place, first: Place) -> str:
    name = f"job {place.job.key}" if place.job else "the action"
    return name if place.path == first.path else f"{name} of {place.path.rpartition('/')[2]}"


def _jobs(names: list[str]) -> str:
    return f"job {names[0]}" if len(names) == 1 else f"jobs {_joined(_cut(names))}"


def _cut(names: list[str]) -> list[str]:
    return names if len(names) <= SHOWN else [*names[: SHOWN - 1], f"{len(names) - SHOWN + 1} more"]


def _joined(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"


RULES: dict[str, Callable[[Project], Iterable[Mark]]] = {
    "push-and-pull-request": push_and_pull_request,
    "tool-compiled": tool_compiled,
    "suite-twice": suite_twice,
    "check-before-build": check_before_build,
    "matrix-key-unused": matrix_key_unused,
    "matrix-rebuilds": matrix_rebuilds,
    "built-after-download": built_after_download,
    "needs-without-reason": needs_without_reason,
}
