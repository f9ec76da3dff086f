"""A job of a workflow file as something that runs on a person's own machine, through nektos/act or line by line.

act runs a job's `needs` too, so the job is cut out of its file. What a machine at home lacks is told before anything
runs: `Limit`. Source of what act can do: https://nektosact.com/not_supported.html and the flags of act 0.2.89.
"""

from __future__ import annotations

import io
import re
import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from kotaci.model import BadInput, short_workflow
from kotaci.workflows.declared import WorkflowFile, WorkflowJob, WorkflowStep
from kotaci.workflows.expressions import Value, fill, split_text, to_text
from kotaci.workflows.matrix import Leg
from kotaci.workflows.naming import legs_of, name_pieces
from kotaci.workflows.nodes import MappingNode, read_tree, to_plain
from kotaci.workflows.reading import parse_workflow

CHECKOUT = "actions/checkout"
ARTIFACTS = ("actions/upload-artifact", "actions/download-artifact")
_SECRET = re.compile(r"\bsecrets(?:\.([A-Za-z_][A-Za-z0-9_]*)|\[\s*'([A-Za-z_][A-Za-z0-9_]*)'\s*\])", re.IGNORECASE)
_VARIABLE = re.compile(r"\bvars\.([A-Za-z_][A-Za-z0-9_]*)", re.IGNORECASE)
_OF_NEEDS = re.compile(r"\bneeds\s*[.\[]", re.IGNORECASE)
_SYSTEMS = {"ubuntu": "Linux", "windows": "Windows", "macos": "Darwin", "linux": "Linux"}
IMAGE = "catthehacker/ubuntu:act-latest"
"""act's own choice of a Linux machine in a container: much of what GitHub's image holds, not all."""
SHOWN = 5


@dataclass(frozen=True)
class Limit:
    """What differs from CI when the job runs here; with `blocks` it cannot run at all."""

    said: str
    blocks: bool = False


@dataclass(frozen=True)
class LocalJob:
    """One leg of one job, cut out of its workflow file.

    `text` is a workflow file with that job alone; `labels` are what `runs-on` asks for; `secrets` and `variables` the
    names that its expressions read; `skipped` the steps that were left out when asked to.
    """

    path: str
    key: str
    leg: Leg | None
    text: str
    labels: tuple[str, ...]
    steps: tuple[WorkflowStep, ...]
    secrets: tuple[str, ...]
    variables: tuple[str, ...]
    limits: tuple[Limit, ...]
    skipped: tuple[str, ...]
    is_of_tags: bool
    is_in_container: bool
    """in IMAGE, by a Docker engine; else on the machine itself"""

    @property
    def blocking(self) -> tuple[Limit, ...]:
        """What keeps it from running here."""
        return tuple(limit for limit in self.limits if limit.blocks)

    @property
    def uses_artifacts(self) -> bool:
        """Whether a step hands artifacts on, for which act needs a folder."""
        return any(step.uses.split("@")[0] in ARTIFACTS for step in self.steps)


def find_leg(file: WorkflowFile, shown_name: str) -> tuple[WorkflowJob, Leg | None]:
    """Return the job and leg that GitHub shows by that name; of a called workflow its caller. Raises BadInput."""
    for job in file.jobs:
        for _, leg in legs_of(job):
            pieces = name_pieces(job, leg)
            name = shown_name.partition(" / ")[0] if job.uses else shown_name
            if pieces == (name,) or (len(pieces) > 1 and name.startswith(pieces[0]) and name.endswith(pieces[-1])):
                return job, leg
    where = short_workflow(file.path)
    for job in file.jobs:
        if job.legs and shown_name.startswith(f"{job.name or job.key} ("):
            legs = _some([text for text, _ in legs_of(job)])
            raise BadInput(
                shown_name, f"is no leg of job {job.key} in the workspace's {where}", f"its legs are {legs}; {_BACK}"
            )
    jobs = _some([job.key for job in file.jobs]) if file.jobs else "none"
    raise BadInput(shown_name, f"is no job of the workspace's {where}", f"its jobs are {jobs}; {_BACK}")


_BACK = "check out the commit that ran"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def to_local(
    text: str,
    *,
    path: str,
    shown_name: str,
    system: str,
    has_docker: bool,
    wants_container: bool = False,
    skip: Collection[str] = (),
) -> LocalJob:
    """Return the job that GitHub shows by that name, ready to run on a machine of that system (Linux, Darwin, Windows).

    A job for Linux runs in a container where that is wanted, and where the machine has another system and an engine.
    `skip` names steps to leave out, by their name or what they use. Raises BadInput for a file that cannot be read, a
    job or leg that is not in it, and a step to skip that is not there.
    """
    file = parse_workflow(text, path=path)
    if file.problems and not file.jobs:
        first = file.problems[0]
        raise BadInput(path, f"cannot be read: line {first.line}: {first.message}", "check out the commit that ran")
    job, leg = find_leg(file, shown_name)
    dropped = _numbers_of(job, skip)
    alone = _cut_out(text, job.key, dropped)
    plain = _plain_of(alone)
    read = " ".join(_texts(plain))
    body = plain["jobs"][job.key]
    steps = tuple(step for step in job.steps if step.number not in dropped)
    labels = tuple(_filled(label, leg) for label in job.runs_on)
    is_for_linux = _systems(labels) <= {"Linux"}
    is_in_container = is_for_linux and (
        wants_container or (has_docker and system != "Linux" and bool(_systems(labels)))
    )
    if wants_container and not has_docker:
        raise BadInput("Docker", "does not answer here", "start its engine, or leave --docker out")
    if is_in_container:
        system = "Linux"
    return LocalJob(
        path=path,
        key=job.key,
        leg=leg,
        text=alone,
        labels=labels,
        steps=steps,
        secrets=_names(_SECRET, read),
        variables=_names(_VARIABLE, read),
        limits=tuple(_limits(file, job, leg, body, steps, labels, system=system, has_docker=has_docker, read=read)),
        skipped=tuple(step.title for step in job.steps if step.number in dropped),
        is_in_container=is_in_container,
        is_of_tags=any(one.event == "push" and one.tags and not one.branches for one in file.triggers),
    )


def _numbers_of(job: WorkflowJob, skip: Collection[str]) -> frozenset[int]:
    numbers = set()
    for name in skip:
        found = [step for step in job.steps if name in {step.name, step.id, step.uses, step.uses.split("@")[0]} - {""}]
        if not found:
            raise BadInput(
                name, f"is no step of job {job.key}", f"its steps are {_some([one.title for one in job.steps])}"
            )
        numbers |= {step.number for step in found}
    return frozenset(numbers)


def run_title(step: WorkflowStep) -> str:
    """Return the first words that the runner prints of a step: `Run`, and its first command or the action."""
    return f"Run {step.uses or (step.run.strip().splitlines() or [''])[0]}"


def _cut_out(text: str, key: str, dropped: Collection[int]) -> str:
    """Return the file with that job alone, without what it waits for and without those steps."""
    yaml = YAML()
    yaml.allow_duplicate_keys = True
    yaml.preserve_quotes = True
    yaml.width = 10_000
    try:
        root = yaml.load(text)
    except (YAMLError, ValueError) as error:
        said = " ".join(str(error).split())[:120]
        raise BadInput(
            f"job {key}", f"cannot be cut out of its file: {said}", "mend the file, or run act on it"
        ) from error
    if key not in root["jobs"]:
        raise BadInput(f"job {key}", "has a key that is not a name", "GitHub wants a letter or _ first: rename it")
    job = root["jobs"][key]
    job.pop("needs", None)
    if dropped:
        job["steps"] = [step for number, step in enumerate(job["steps"], start=1) if number not in dropped]
    root["jobs"] = {key: job}
    written = io.StringIO()
    yaml.dump(root, written)
    return written.getvalue()


def _plain_of(text: str) -> dict[str, Any]:
    tree, _ = read_tree(text)
    plain = to_plain(tree) if isinstance(tree, MappingNode) else {}
    return dict(plain)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str):
        yield value


def _names(pattern: re.Pattern[str], text: str) -> tuple[str, ...]:
    found = {next(filter(None, match.groups())) for match in pattern.finditer(text)}
    return tuple(sorted(found))


def _limits(
    file: WorkflowFile,
    job: WorkflowJob,
    leg: Leg | None,
    body: Mapping[str, Any],
    steps: Sequence[WorkflowStep],
    labels: Sequence[str],
    *,
    system: str,
    has_docker: bool,
    read: str,
) -> Iterator[Limit]:
    if job.is_dynamic:
        yield Limit("its matrix is made by another job while the run goes on: no leg can be chosen here", blocks=True)
    for wanted in sorted(_systems(labels)):
        if wanted != system:
            yield Limit(f"it asks for {', '.join(labels)}, and this machine runs {system}", blocks=True)
    if any(label.lower().endswith("-arm") for label in labels):
        yield Limit(f"{', '.join(labels)} is an ARM machine; this one may be of another kind")
    for part in ("container", "services"):
        if body.get(part):
            said = f"its `{part}` needs a Docker engine"
            yield Limit(said if has_docker else f"{said}, and none answers here", blocks=not has_docker)
    images = sorted({step.uses for step in steps if step.uses.startswith("docker://")})
    if images:
        said = f"{_some(images)} needs a Docker engine"
        yield Limit(said if has_docker else f"{said}, and none answers here", blocks=not has_docker)
    remote = dict.fromkeys(step.uses for step in steps if _is_remote(step))
    if job.uses and not job.uses.startswith("./"):
        remote[job.uses] = None
    if remote:
        yield Limit(f"fetched from GitHub before they run: {_some([*remote])}; leave steps out with --skip")
    if job.uses:
        yield Limit(f"every job of {job.uses} runs, not only the one that failed")
    if any(step.uses.split("@")[0] == CHECKOUT for step in steps):
        yield Limit("the checkout is a copy of the workspace as it lies there, without what .gitignore names")
    if job.needs and _OF_NEEDS.search(read):
        yield Limit(f"what it reads of {_some(job.needs)} is empty: jobs that it needs are not run")
    scopes = job.permissions if job.permissions is not None else file.permissions
    if scopes and any((scope, access) in {("id-token", "write"), ("all", "write")} for scope, access in scopes):
        yield Limit("no OIDC token is given here: steps that ask for one fail")
    if leg is not None and any(isinstance(value, list | dict) for value in leg.values.values()):
        yield Limit("legs that differ only in a list or a mapping cannot be told apart on act's command line")


def _systems(labels: Sequence[str]) -> set[str]:
    return {system for label in labels for word, system in _SYSTEMS.items() if label.lower().startswith(word)}


def _is_remote(step: WorkflowStep) -> bool:
    if not step.uses or step.uses.startswith(("./", "docker://")):
        return False
    return step.uses.split("@")[0] != CHECKOUT or "repository" in dict(step.inputs)


def _filled(text: str, leg: Leg | None) -> str:
    filled = fill(text, matrix=leg.values if leg else None)
    return text if filled is None else filled


def act_arguments(local: LocalJob, *, event: str, event_path: str, workflow_path: str) -> list[str]:
    """Return what act is told, without the program itself: event, job, file, leg, machine, names of secrets."""
    words = [event, "-j", local.key, "-W", workflow_path, "-e", event_path]
    for key, value in (local.leg.values if local.leg else {}).items():
        if not isinstance(value, list | dict):
            words += ["--matrix", f"{key}:{to_text(value)}"]
    for label in local.labels:
        words += ["-P", f"{label}={IMAGE if local.is_in_container else '-self-hosted'}"]
    for name in local.secrets:
        words += ["-s", name]
    return words


def to_event(
    event: str,
    *,
    repo: str,
    branch: str,
    base_branch: str,
    default_branch: str,
    pr_number: int | None,
    head_sha: str,
    is_of_tags: bool = False,
) -> dict[str, Any]:
    """Return as much of the event's payload as the run's record tells; inputs, labels and titles are not in it."""
    owner, name = repo.split("/")[-2:]
    payload: dict[str, Any] = {
        "repository": {
            "name": name,
            "full_name": f"{owner}/{name}",
            "owner": {"login": owner},
            "default_branch": default_branch,
        }
    }
    if event.startswith("pull_request"):
        pull = {"number": pr_number, "head": {"ref": branch, "sha": head_sha}, "base": {"ref": base_branch}}
        return {**payload, "action": "synchronize", "number": pr_number, "pull_request": pull}
    return {**payload, "ref": f"refs/{'tags' if is_of_tags else 'heads'}/{branch}", "after": head_sha}


def to_script(local: LocalJob) -> str:
    """Return the `run:` steps as a script for bash, the last resort without act.

    What only a run can tell stays as it is written, with a remark; `if:` and other shells are remarks too.
    """
    plain = _plain_of(local.text)
    job = plain["jobs"][local.key]
    lines = [f"# {short_workflow(local.path)} / {local.key}", "set -e", *_exports(plain.get("env"), local.leg)]
    lines += _exports(job.get("env"), local.leg)
    for step in job.get("steps") or ():
        if not isinstance(step, dict) or not isinstance(step.get("run"), str):
            name = step.get("name") or step.get("uses") if isinstance(step, dict) else None
            lines += ["", f"# left out: {_comment(name or 'a step')} (no command of its own)"]
            continue
        run = _filled_parts(step["run"].rstrip("\n"), local.leg)
        lines += ["", f"# {_comment(step.get('name') or 'Run ' + (step['run'].strip().splitlines() or [''])[0])}"]
        for key in ("if", "shell", "continue-on-error"):
            if step.get(key) is not None:
                lines.append(f"# {key}: {_comment(to_text(step[key]))}")
        if "${{" in run:
            lines.append("# what stands in ${{ }} is only known in a run: fill it in")
        folder = step.get("working-directory")
        inside = [*_exports(step.get("env"), local.leg)]
        inside += [f"cd {shlex.quote(_filled_parts(folder, local.leg))}"] if isinstance(folder, str) else []
        lines += ["(", *inside, run, ")"] if inside else [run]
    return "\n".join(lines) + "\n"


def _exports(env: Any, leg: Leg | None) -> list[str]:
    """Return `export` lines of a mapping; an expression that stays open is a remark, since bash cannot read it."""
    if not isinstance(env, dict):
        return []
    lines = []
    for name, value in env.items():
        text = _filled_parts(to_text(value), leg)
        is_name = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) is not None
        is_known = is_name and "${{" not in text
        lines.append(
            f"export {name}={shlex.quote(text)}" if is_known else f"# export {_comment(name)}={_comment(text)}"
        )
    return lines


def _filled_parts(text: str, leg: Leg | None) -> str:
    """Return the text with those expressions filled in that the leg decides; the others as they are written."""
    parts = []
    for literal, expression in split_text(text):
        parts.append(literal)
        if expression is not None:
            written = f"${{{{ {expression} }}}}"
            filled = fill(written, matrix=leg.values if leg else None)
            parts.append(written if filled is None else filled)
    return "".join(parts)


def _comment(text: Value) -> str:
    return " ".join(to_text(text).split())
