"""Rules of names that lead nowhere; what each is for stands on its card."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from kotaci.audit.cargo import CargoCall, Work, cargo_calls
from kotaci.audit.checks import ancestors, bare_words, is_local_call, steps_text
from kotaci.audit.images import Image, Instruction, copied, files_taken, images_of, reaches, read_recipe, taking
from kotaci.audit.marks import Mark
from kotaci.audit.paths import has_tree, is_made, joined
from kotaci.audit.project import Place, Project
from kotaci.audit.runs import read_recipes
from kotaci.audit.shell import Command, Unheard
from kotaci.audit.targets import Workspace, dependencies_of, selected_packages, workspaces
from kotaci.workflows import WorkflowFile, WorkflowJob, WorkflowStep
from kotaci.workflows.nodes import MappingNode, ScalarNode, SequenceNode, TreeError, read_tree

_INTERPRETERS = re.compile(r"bash|sh|python[\d.]*|node|deno|ruby|perl|source|\.|pwsh")
_SCRIPT = re.compile(r"[\w./-]*[\w-]\.(?:sh|py|js|mjs|cjs|ts|rb|pl|ps1|bash)")


def _files_of(command: Command) -> Iterator[str]:
    """Yield the files that must be there for the command to run."""
    words = bare_words(command.words)
    if not words:
        return
    first = command.words[0]
    if first.startswith(("./", "../")) or ("/" in first and _SCRIPT.fullmatch(first)):
        if _SCRIPT.fullmatch(first):
            yield first
    elif _INTERPRETERS.fullmatch(words[0]):
        script = next((word for word in words[1:] if not word.startswith("-")), "")
        if _SCRIPT.fullmatch(script) and "-c" not in words and "-m" not in command.words:
            yield script
    elif words[:2] in (("pip", "install"), ("pip3", "install")) or words[:3] == ("uv", "pip", "install"):
        for place, word in enumerate(words[:-1]):
            if word in {"-r", "--requirement", "-c"} and re.fullmatch(r"[\w./-]+\.(?:txt|in)", words[place + 1]):
                yield words[place + 1]
    elif words[0] == "pytest":
        yield from (word.partition("::")[0] for word in words[1:] if re.fullmatch(r"[\w./-]+\.py(?:::\S+)?", word))
    elif words[:2] == ("docker", "build") or words[:3] == ("docker", "buildx", "build"):
        name = command.value("-f", "--file")
        if name and name != "-":
            yield name


_FILE_INPUTS = {
    ("docker/build-push-action", "file"),
    ("hadolint/hadolint-action", "dockerfile"),
    ("actions/setup-python", "python-version-file"),
    ("actions/setup-node", "node-version-file"),
    ("actions/setup-go", "go-version-file"),
    ("actions/setup-java", "java-version-file"),
    ("ruby/setup-ruby", "ruby-version-file"),
    ("actions/labeler", "configuration-path"),
    ("github/codeql-action/init", "config-file"),
    ("taiki-e/install-action", "manifest-path"),
}


def missing_file(project: Project) -> Iterator[Mark]:
    """Fire on scripts, requirement lists, image recipes and files named to actions that the repository lacks."""
    for place in project.places:
        if not has_tree(place):
            continue
        assert place.job is not None  # noqa: S101
        for line, named, path in (*_named_in_script(place), *_named_in_inputs(place)):
            if not path or path in project.tree.paths or path in project.tree.folders:
                continue
            if not is_made(project, place, path):
                claim = f"`{named}` is no file of the repository, and no step before makes it"
                yield Mark(place.path, line, place.subject, claim, job=place.job.key)


def _named_in_script(place: Place) -> Iterator[tuple[int, str, str]]:
    if "$" in place.folder:
        return
    for command in place.script.commands:
        if command.name in {"cd", "pushd"}:
            return
        for named in _files_of(command):
            yield command.line, named, joined(place.folder, named)


def _named_in_inputs(place: Place) -> Iterator[tuple[int, str, str]]:
    step = place.step
    for action, name in _FILE_INPUTS:
        value = step.input(name)
        if step.action == action and value and "\n" not in value and "@" not in value and "://" not in value:
            yield step.lines.get("with", step.line), value, joined("", value)


def missing_folder(project: Project) -> Iterator[Mark]:
    """Fire on a working-directory, or a first `cd`, into a folder that the repository lacks."""
    for place in project.places:
        if not place.step.run or not has_tree(place):
            continue
        for line, named in _entered(place):
            path = joined("", named)
            if path and path not in project.tree.folders and not is_made(project, place, path):
                yield Mark(
                    place.path,
                    line,
                    place.subject,
                    f"`{named}` is no folder of the repository, and no step before makes it",
                    job=place.job_key,
                )
                break


def _entered(place: Place) -> Iterator[tuple[int, str]]:
    """Yield the folder that the step runs in, and the first that its script enters."""
    if place.folder:
        yield place.step.lines.get("working-directory") or place.step.line, place.folder
    first = next((one for one in place.script.commands if one.name in {"cd", "pushd"} and one.words[1:]), None)
    if first is not None and first.unheard == Unheard.NO and "$" not in place.folder:
        yield first.line, posixpath.join(place.folder, first.words[1])


def missing_action(project: Project) -> Iterator[Mark]:
    """Fire on a local action whose folder holds no action.yml."""
    for place in project.places:
        uses = place.step.uses
        if not uses.startswith("./") or "$" in uses or not has_tree(place):
            continue
        folder = joined("", uses)
        names = [joined(folder, name) for name in ("action.yml", "action.yaml", "Dockerfile")]
        if not any(name in project.tree.paths for name in names) and not is_made(project, place, folder):
            yield Mark(
                place.path,
                place.step.lines.get("uses", place.step.line),
                place.subject,
                f"`{uses}` holds no action.yml",
                job=place.job_key,
            )


_OUTPUT_OF = re.compile(r"steps\.([\w-]+)\.outputs\.([\w-]+)")
_PLAIN = {"echo", "printf", "cd", "test", "[", "[[", "grep", "sed", "awk", "jq", "git", "cut", "tr", "head", "tail"}
_PLAIN |= {"date", "mkdir", "rm", "ls", "cat", "sort", "uniq", "wc", "set", "export", "exit", "true", "false", ":"}
_PLAIN |= {
    "basename",
    "dirname",
    "find",
    "cp",
    "mv",
    "sleep",
    "read",
    "local",
    "return",
    "curl",
    "cargo",
    "rustc",
    "tee",
}
_PLAIN |= {"npm", "pip", "docker", "tar", "sha256sum", "uname", "which", "command", "shift", "break", "continue", "gh"}
_PLAIN |= {"rustup", "sudo", "apt-get", "seq", "expr", "bc", "diff", "xargs", "touch", "chmod", "declare", "unset"}


def output_never_set(project: Project) -> Iterator[Mark]:
    """Fire on `steps.ID.outputs.NAME` where the script of step ID never writes NAME."""
    for file, job in project.jobs:
        known = {step.id: step for step in job.steps if step.id and step.run}
        seen: set[tuple[str, str]] = set()
        texts = [(step.line, step.end_line, steps_text([step])) for step in job.steps]
        texts += [(job.line, job.end_line, "\n".join(value for _, value in (*job.outputs, *job.env)))]
        for first, last, text in texts:
            for identity, name in _OUTPUT_OF.findall(text):
                step = known.get(identity)
                if step is None or (identity, name) in seen or _may_set(project, file, job, step, name):
                    continue
                seen.add((identity, name))
                used = f"steps.{identity}.outputs.{name}"
                lines = (project.tree.text(file.path) or "").splitlines()
                line = next((at for at in range(first, last + 1) if used in "".join(lines[at - 1 : at])), first)
                yield Mark(
                    file.path,
                    line,
                    f"job {job.key}, output {identity}.{name}",
                    f"`{used}` is always empty: the script of step “{step.title}” never sets `{name}`",
                    job=job.key,
                    also=((file.path, step.line),),
                )


def _may_set(project: Project, file: WorkflowFile, job: WorkflowJob, step: WorkflowStep, name: str) -> bool:
    """Tell whether the script may write that output: it names it, writes names it makes, or runs other programs."""
    if re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", step.run, re.IGNORECASE):
        return True
    place = next((one for one in project.of_job(file, job) if one.step is step), None)
    if place is None or not place.script.is_known or place.script.is_broken:
        return True
    names = {command.name for command in place.script.commands}
    if names - _PLAIN:
        return True
    for line in step.run.splitlines():
        if re.search(r"GITHUB_OUTPUT|set-output", line):
            written = re.search(
                r"(?:echo|printf)\s+(?:-\w+\s+)?[\"']?(?:::set-output name=)?([A-Za-z_][\w-]*)(?:=|<<|::)", line
            )
            if written is None and not re.search(r"echo\s+[\"']?(?:EOF|\w*DELIM\w*)[\"']?\s*>>", line):
                return True
    return False


def _artifact(step: WorkflowStep, *, default: str) -> re.Pattern[str]:
    """Return what names the artifact may have: what stands in `${{ }}` may be anything."""
    name = step.input("name") or default
    parts = re.split(r"\$\{\{.*?\}\}", name, flags=re.DOTALL)
    return re.compile(".+".join(re.escape(part) for part in parts))


def _uploads(
    project: Project, file: WorkflowFile
) -> tuple[list[tuple[WorkflowJob, WorkflowStep, re.Pattern[str]]], bool]:
    """Return the uploads of a workflow by job, and whether others may be hidden in what it calls."""
    found = []
    is_hidden = False
    for job in file.jobs:
        called = is_local_call(project, job) if job.uses else None
        if job.uses and called is None:
            is_hidden = True
        steps = [(job, step) for step in job.steps]
        if called is not None:
            inner, inner_hidden = _uploads(project, called) if called is not file else ([], True)
            is_hidden |= inner_hidden
            found += [(job, step, pattern) for _, step, pattern in inner]
        for owner, step in steps:
            if step.uses.startswith("./"):
                is_hidden = True
            elif step.action == "actions/upload-artifact" or step.action.startswith("actions/upload-artifact/"):
                found.append((owner, step, _artifact(step, default="artifact")))
            elif (
                re.search(r"artifact|upload-pages|scorecard|cargo-dist|maturin", step.action)
                and "download" not in step.action
            ):
                is_hidden = True
    return found, is_hidden


def _downloads(file: WorkflowFile) -> Iterator[tuple[WorkflowJob, WorkflowStep, re.Pattern[str]]]:
    for job in file.jobs:
        for step in job.steps:
            is_elsewhere = any(step.input(name) for name in ("run-id", "repository", "artifact-ids"))
            if step.action == "actions/download-artifact" and step.input("name") and not is_elsewhere:
                yield job, step, _artifact(step, default="")


def _may_be_same(step: WorkflowStep, wanted: re.Pattern[str], upload: WorkflowStep, given: re.Pattern[str]) -> bool:
    """Tell whether two names may be one; where both hold expressions they may."""
    name, other = step.input("name"), upload.input("name") or "artifact"
    if "${{" in name and "${{" in other:
        return True
    return wanted.fullmatch(other) is not None if "${{" in name else given.fullmatch(name) is not None


def artifact_of_nobody(project: Project) -> Iterator[Mark]:
    """Fire on downloads of an artifact that no job of the workflow uploads."""
    for file in project.workflows:
        uploads, is_hidden = _uploads(project, file)
        if is_hidden or "workflow_call" in file.events:
            continue
        for job, step, wanted in _downloads(file):
            if not any(_may_be_same(step, wanted, upload, given) for _, upload, given in uploads):
                name = step.input("name")
                yield Mark(
                    file.path,
                    step.line,
                    f"job {job.key}, step “{step.title}”",
                    f"no job of this workflow uploads the artifact `{name}`",
                    job=job.key,
                )


def artifact_without_needs(project: Project) -> Iterator[Mark]:
    """Fire on downloads in a job that does not wait for any that uploads the artifact."""
    for file in project.workflows:
        uploads, is_hidden = _uploads(project, file)
        if is_hidden or "workflow_call" in file.events:
            continue
        for job, step, wanted in _downloads(file):
            owners = [owner for owner, upload, given in uploads if _may_be_same(step, wanted, upload, given)]
            before = {one.key for one in ancestors(file, job)} | {job.key}
            if owners and not any(owner.key in before for owner in owners):
                yield Mark(
                    file.path,
                    step.line,
                    f"job {job.key}, step “{step.title}”",
                    f"downloads `{step.input('name')}`, which job {owners[0].key} uploads, but does not need that job: "
                    "it may start before",
                    job=job.key,
                    also=((file.path, owners[0].line),),
                )


def missing_recipe(project: Project) -> Iterator[Mark]:
    """Fire on recipes of just, make and npm that their file does not hold."""
    for place in project.places:
        if not has_tree(place) or "$" in place.folder or place.script.is_broken:
            continue
        assert place.job is not None  # noqa: S101
        for command in place.script.commands:
            if command.name in {"cd", "pushd"}:
                break
            for program, recipe, path, known in _recipes(project, place.folder, command):
                if recipe not in known:
                    claim = f"`{program} {recipe}` names a recipe that {path} does not hold"
                    yield Mark(place.path, command.line, place.subject, claim, job=place.job.key)


def _recipes(project: Project, folder: str, command: Command) -> Iterator[tuple[str, str, str, frozenset[str]]]:
    """Yield what the command calls: program, recipe, the file it stands in, and the recipes of that file."""
    words = bare_words(command.words)
    if words[:1] == ("just",) and re.fullmatch(r"[A-Za-z_][\w-]*", " ".join(words[1:2])):
        for path, text in _held(project, folder, "justfile", "Justfile", ".justfile"):
            if not re.search(r"^(?:import|mod)\??\s", text, re.MULTILINE):
                yield "just", words[1], path, _just_recipes(text)
    elif words[:1] == ("make",) and not command.has("-f", "--file", "-C", "--directory"):
        targets = [word for word in words[1:] if re.fullmatch(r"[A-Za-z_][\w-]*", word)]
        for path, text in _held(project, folder, "Makefile", "makefile", "GNUmakefile"):
            if not _MADE_TARGETS.search(text):
                wanted = [one for one in targets if not _exists(project, folder, one)]
                yield from (("make", one, path, _make_targets(text)) for one in wanted)
    elif words[:2] in (("npm", "run"), ("npm", "run-script")) and not command.has(*_ELSEWHERE):
        scripts = [word for word in words[2:] if re.fullmatch(r"[A-Za-z][\w:-]*", word)]
        for path, text in _held(project, folder, "package.json"):
            known = _npm_scripts(text)
            if scripts and known is not None:
                yield "npm run", scripts[0], path, known


_ELSEWHERE = ("--prefix", "-w", "--workspace", "--workspaces", "--if-present", "-C")
_MADE_TARGETS = re.compile(r"^-?s?include\b|%.*:|\$\(eval|^\$|^[^\t#\n]*\$[^\n]*:(?!=)", re.MULTILINE)


def _held(project: Project, folder: str, *names: str) -> Iterator[tuple[str, str]]:
    """Yield path and text of the first of these files that the folder holds."""
    for name in names:
        path = joined(folder, name)
        if (text := project.tree.text(path)) is not None:
            yield path, text
            return


def _exists(project: Project, folder: str, name: str) -> bool:
    path = joined(folder, name)
    return path in project.tree.paths or path in project.tree.folders


def _just_recipes(text: str) -> frozenset[str]:
    aliases = re.findall(r"^alias\s+([\w-]+)\s*:=", text, re.MULTILINE)
    return frozenset((*read_recipes(text), *aliases))


def _make_targets(text: str) -> frozenset[str]:
    heads = re.findall(r"^([^\s#=:][^=:\n]*):(?!=)", text, re.MULTILINE)
    phony = re.findall(r"^\.PHONY\s*:([^\n]*)", text, re.MULTILINE)
    return frozenset(word for head in (*heads, *phony) for word in head.split())


def _npm_scripts(text: str) -> frozenset[str] | None:
    try:
        data = json.loads(text)
    except ValueError:
        return None
    scripts = data.get("scripts") if isinstance(data, dict) else None
    return frozenset(scripts if isinstance(scripts, dict) else ()) | {"env", "start"}


def missing_workflow(project: Project) -> Iterator[Mark]:
    """Fire on `gh workflow run` of a workflow that is not there, or that cannot be started by hand."""
    by_file = {file.path.rpartition("/")[2]: file for file in project.workflows}
    for place, command in project.commands("gh"):
        words = command.words
        if words[1:3] != ("workflow", "run") or command.has("-R", "--repo"):
            continue
        named = next((word for word in words[3:] if re.fullmatch(r"[\w.-]+\.ya?ml", word)), "")
        called = by_file.get(named)
        if not named or (called is not None and "workflow_dispatch" in called.events):
            continue
        why = "is no workflow of the repository" if called is None else "has no trigger workflow_dispatch"
        yield Mark(
            place.path,
            command.line,
            place.subject,
            f"starts `{named}`, which {why}",
            job=place.job_key,
        )


def copy_of_nothing(project: Project) -> Iterator[Mark]:
    """Fire on COPY of what the context of the image does not hold: not in the repository, or left out of it."""
    for image in images_of(project):
        for instruction in read_recipe(project.tree.text(image.path) or ""):
            for source in copied(instruction):
                path = joined(image.context, source)
                if source in {".", "./"} or is_made(project, image.place, path):
                    continue
                if any(True for _ in files_taken(project, image, source)):
                    continue
                is_there = path in project.tree.paths or path in project.tree.folders
                why = "its .dockerignore leaves it out" if is_there else "the repository has no such file"
                yield _mark_image(image, instruction.line, f"copies `{source}`", f"`COPY {source}` fails: {why}")


_CARGO_IN_IMAGE = re.compile(
    r"\bcargo\s+(?:\+\S+\s+)?(?:build|test|check|clippy|fetch|install\s+--path|chef\s+prepare)"
)


def image_lacks_crate(project: Project) -> Iterator[Mark]:
    """Fire on a stage that runs cargo with a manifest whose declared parts were not copied into it."""
    for image in images_of(project):
        instructions = read_recipe(project.tree.text(image.path) or "")
        for stage in sorted({one.stage for one in instructions}):
            taken: list[str] = []
            ran = ""
            for one in (one for one in instructions if one.stage == stage):
                taken += copied(one)
                if one.word == "RUN" and _CARGO_IN_IMAGE.search(one.rest):
                    yield from _lacking(project, image, one, taken, ran)
                    break
                ran += f"{one.rest}\n" if one.word == "RUN" else ""


def _parts_of_manifest(project: Project, context: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield what cargo must find to read the manifest, in words, and the files of which one will do.

    A target with its own `path` is looked for only when it is built, so it is not among them.
    """
    data = project.manifests.get(joined(context, "Cargo.toml"), {})
    for kind, folder in (("bin", "src/bin"), ("test", "tests"), ("bench", "benches"), ("example", "examples")):
        tables = data.get(kind)
        for table in tables if isinstance(tables, list) else ():
            name = table.get("name")
            if isinstance(name, str) and "path" not in table and (kind != "bin" or name != _name_of(data)):
                yield f"{kind} `{name}`", (f"{folder}/{name}.rs", f"{folder}/{name}/main.rs")
    patched = data.get("patch")
    tables = [one for one in patched.values() if isinstance(one, dict)] if isinstance(patched, dict) else []
    said = [*dependencies_of(data), *(item for one in tables for item in one.items())]
    for name, about in said:
        if isinstance(about, dict) and isinstance(about.get("path"), str):
            yield f"`{name}` by its path", (joined("", f"{about['path']}/Cargo.toml"),)
    workspace = data.get("workspace")
    members = workspace.get("members") if isinstance(workspace, dict) else None
    for member in members if isinstance(members, list) else ():
        if isinstance(member, str) and "*" not in member:
            yield f"member `{member}`", (joined("", f"{member}/Cargo.toml"),)


def _name_of(data: Mapping[str, Any]) -> str:
    about = data.get("package")
    return str(about.get("name")) if isinstance(about, dict) else ""


def _lacking(project: Project, image: Image, run: Instruction, taken: Sequence[str], ran: str) -> Iterator[Mark]:
    def is_there(path: str) -> bool:
        return any(taking(source).match(path) for source in taken) and reaches(project, image, path)

    if not is_there("Cargo.toml") or "Cargo.toml" in ran + run.rest:
        return
    made = ran + run.rest
    missing = []
    for said, paths in _parts_of_manifest(project, image.context):
        folder, _, name = paths[0].removesuffix("/Cargo.toml").removesuffix(".rs").rpartition("/")
        is_made_here = name in made or (folder and folder in made and _MAKES_MANY.search(made))
        if not is_made_here and not any(map(is_there, paths)):
            missing.append(f"{said} ({paths[0]})")
    if missing:
        claim = f"cargo cannot read the manifest there: it declares {', '.join(missing)}, not copied before"
        yield _mark_image(image, run.line, f"cargo in stage {run.stage}", claim)


_MAKES_MANY = re.compile(r"\bfor\b|\$\(|\bsed\b|\bcargo\s+(?:init|new)\b|\*")


def _mark_image(image: Image, line: int, subject: str, claim: str) -> Mark:
    job = image.place.job_key
    return Mark(
        image.path, line, f"image {image.path}, {subject}", claim, job=job, also=((image.place.path, image.line),)
    )


_DEPENDABOT = (".github/dependabot.yml", ".github/dependabot.yaml")
_LOCKED = {
    "cargo": r"Cargo\.toml",
    "npm": r"package\.json",
    "bun": r"package\.json",
    "pip": r".*requirement.*|.*\.(?:txt|in)|pyproject\.toml|setup\.(?:py|cfg)|Pipfile|poetry\.lock",
    "uv": r"pyproject\.toml|uv\.lock|.*requirement.*|.*\.(?:txt|in)",
    "docker": r"(?i:.*dockerfile.*|.*containerfile.*)|.*\.ya?ml",
    "docker-compose": r".*compose.*\.ya?ml",
    "gomod": r"go\.mod",
    "bundler": r"Gemfile|.*\.gemspec",
    "composer": r"composer\.json",
    "gitsubmodule": r"\.gitmodules",
    "maven": r"pom\.xml",
    "rust-toolchain": r"rust-toolchain(?:\.toml)?",
}
"""What Dependabot looks for in the folder, by ecosystem. Others are not judged: github-actions looks elsewhere too."""


def dependabot_of_nothing(project: Project) -> Iterator[Mark]:
    """Fire on a folder of dependabot.yml that holds nothing of the ecosystem."""
    for path in _DEPENDABOT:
        for line, ecosystem, named in _dependabot_folders(project.tree.text(path) or ""):
            if ecosystem not in _LOCKED:
                continue
            folder = joined("", named.strip("/") or ".")
            wanted = re.compile(_LOCKED[ecosystem])
            start = f"{folder}/" if folder else ""
            names = (one[len(start) :] for one in project.tree.paths if one.startswith(start))
            if "*" not in named and not any("/" not in name and wanted.fullmatch(name) for name in names):
                yield Mark(
                    path,
                    line,
                    f"{ecosystem} in {named}",
                    f"Dependabot looks for {ecosystem} in `{named}`, which holds nothing of the kind",
                )


def _dependabot_folders(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield line, ecosystem and folder of each update that is declared; none where the file cannot be read."""
    try:
        root, _ = read_tree(text)
    except TreeError:
        return
    updates = root.get("updates") if isinstance(root, MappingNode) else None
    for one in updates.items if isinstance(updates, SequenceNode) else ():
        if not isinstance(one, MappingNode):
            continue
        ecosystem, folder, folders = (one.get(key) for key in ("package-ecosystem", "directory", "directories"))
        named = [folder, *(folders.items if isinstance(folders, SequenceNode) else ())]
        for item in named:
            if isinstance(item, ScalarNode) and isinstance(ecosystem, ScalarNode):
                yield item.line, ecosystem.text, item.text


_NAMED = {"--bin": "bin", "--test": "test", "--bench": "bench", "--example": "example"}


def missing_target(project: Project) -> Iterator[Mark]:
    """Fire on packages, targets and features that a cargo command names and the workspace does not have."""
    if not project.is_rust or not project.workflows:
        return
    found = workspaces(project)
    for call in cargo_calls(project):
        place = call.place
        if not call.compiles or call.work is Work.INSTALL or not has_tree(place) or place.script.is_broken:
            continue
        for said in _unknown_names(project, found, call):
            yield Mark(
                place.path,
                call.command.line,
                place.subject,
                said,
                end_line=call.command.end_line,
                job=place.job_key,
            )


def _unknown_names(project: Project, found: tuple[Workspace, ...], call: CargoCall) -> Iterator[str]:
    reached = selected_packages(found, call)
    if reached is None:
        return
    workspace, packages = reached
    known = {one.name for one in workspace.packages}
    lock = project.tree.text(joined(workspace.folder, "Cargo.lock"))
    for name in call.packages:
        is_plain = re.fullmatch(r"[\w-]+", name) is not None
        if is_plain and name not in known and lock is not None and f'name = "{name}"' not in lock:
            yield f"`-p {name}` names no package of the workspace, nor of its Cargo.lock"
    if not packages:
        return
    of = packages[0].name if len(packages) == 1 else f"the {len(packages)} packages it selects"
    for one in call.selected:
        flag, _, name = one.partition(" ")
        kind = _NAMED.get(flag, "")
        names = {target.name for package in packages for target in package.of_kind(kind)}
        if kind and re.fullmatch(r"[\w-]+", name) and name not in names:
            yield f"`{one}` names no {kind} target of {of}"
    is_readable = all(re.fullmatch(r"[\w/?-]+", one) for one in call.features)
    for feature in sorted(call.features) if is_readable else ():
        owner, _, name = feature.rpartition("/")
        held = [one for one in workspace.packages if one.name == owner] if owner else packages
        if held and not any(name in one.features for one in held):
            yield f"`--features {feature}` names no feature of {owner or of}"


RULES: dict[str, Callable[[Project], Iterable[Mark]]] = {
    "missing-file": missing_file,
    "missing-folder": missing_folder,
    "missing-action": missing_action,
    "output-never-set": output_never_set,
    "artifact-of-nobody": artifact_of_nobody,
    "artifact-without-needs": artifact_without_needs,
    "missing-recipe": missing_recipe,
    "missing-workflow": missing_workflow,
    "missing-target": missing_target,
    "dependabot-of-nothing": dependabot_of_nothing,
    "copy-of-nothing": copy_of_nothing,
    "image-lacks-crate": image_lacks_crate,
}
