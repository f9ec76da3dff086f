"""Rules of gates that don't gate; what each is for stands on its card."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise

from kotaci.audit.cargo import read_call
from kotaci.audit.checks import (
    Check,
    Kind,
    ancestors,
    cargo_words,
    check_of,
    checks_of,
    is_check_step,
    is_local_call,
    publishes,
    steps_text,
)
from kotaci.audit.marks import Edit, Mark, Patch, mark_job
from kotaci.audit.project import Place, Project
from kotaci.audit.required import required_names
from kotaci.audit.rules import roster
from kotaci.audit.runs import scripts_of
from kotaci.audit.shell import Command, Unheard, parse_script
from kotaci.model import Certainty
from kotaci.workflows import WorkflowFile, WorkflowJob, WorkflowStep

_OPTIONAL = re.compile(
    r"\b(?:optional|informational|non.?blocking|experimental|allow.?fail\w*|advisory|nightly|beta|coverage|best.effort)\b"
)
_LOOKED_AT = re.compile(r"\$\?|PIPESTATUS")
_STATUS_FUNCTION = re.compile(r"\b(?:always|failure|cancelled)\s*\(")
_RUNS_AFTER_FAILURE = re.compile(r"\balways\s*\(|!\s*cancelled\s*\(|\bfailure\s*\(")
_RESULT_OF = re.compile(r"needs\.([\w-]+)\.(?:result|outputs)|needs\[['\"]([\w-]+)['\"]\]")
_ALL_RESULTS = re.compile(r"needs\.\*\.result|tojson\(\s*needs\s*\)|join\(\s*needs", re.IGNORECASE)


def swallowed_failure(project: Project) -> Iterator[Mark]:
    """Fire on checks whose failure neither fails the step nor is looked at by the script."""
    for place, command, check in checks_of(project.places):
        script = place.step.run
        said = _why_unheard(command, check, script)
        if not said or _LOOKED_AT.search(script) or _is_run_again(project, place, command):
            continue
        found = Mark(
            place.path,
            command.line,
            place.subject,
            f"the failure of `{check.name}` is not heard: {said}",
            end_line=command.end_line,
            job=place.job_key,
            certainty=_certainty_unheard(command, script),
        )
        names = _names_of(place.file, place.job, place.step)
        if _OPTIONAL.search(names.casefold()) is None:
            yield found


def script_swallows(project: Project) -> Iterator[Mark]:
    """Fire on checks whose failure is lost in a script of the repository that a step starts."""
    seen = set()
    for place in project.places:
        for path, script in scripts_of(project, place) if place.job else ():
            text = project.tree.text(path) or ""
            if path in seen or _LOOKED_AT.search(text) or re.search(r"\btrap\b.*\bERR\b", text):
                continue
            seen.add(path)
            for command in script.commands:
                check = check_of(command)
                why = _why_unheard(command, check, text) if check is not None else ""
                if check is None or not why or check.kind == Kind.BUILD:
                    continue
                assert place.job is not None  # noqa: S101
                yield Mark(
                    path,
                    command.line,
                    f"script {path}, started by job {place.job.key}",
                    f"the failure of `{check.name}` is not heard: {why}",
                    end_line=command.end_line,
                    job=place.job.key,
                    certainty=_certainty_unheard(command, text),
                    also=((place.path, place.step.line),),
                )


def _is_run_again(project: Project, place: Place, command: Command) -> bool:
    """Tell whether a cargo test is only a first look: a later step of the job tests the whole, and is heard."""
    if place.file is None or place.job is None or cargo_words(command.words)[:1] not in (("test",), ("nextest",)):
        return False
    for later, other, check in checks_of(project.of_job(place.file, place.job)):
        call = read_call(later, other)
        is_whole = call is not None and not (call.packages or call.selected or call.rest)
        is_whole = is_whole and call is not None and (call.verbs == ("insta",) or not call.names)
        if (
            check.kind == Kind.TEST
            and is_whole
            and other.unheard == Unheard.NO
            and later.step.number > place.step.number
        ):
            return True
    return False


def _why_unheard(command: Command, check: Check, script: str) -> str:
    """Return in words what hides the failure; a build whose output is only searched is no check."""
    if command.unheard == Unheard.OR:
        return "what stands behind `||` cannot fail"
    is_searched = command.piped_to[:1] in (("grep",), ("rg",), ("awk",)) and check.kind == Kind.BUILD
    if command.unheard == Unheard.PIPE and command.piped_to and not is_searched:
        return f"its output goes to `{command.piped_to[0]}` in a shell without pipefail"
    if command.unheard == Unheard.BACKGROUND and not re.search(r"\bwait\b", script):
        return "it runs in the background and nothing waits for it"
    if command.unheard == Unheard.NOT_STOPPED:
        return "the shell runs on after a failure (no `-e`), and another command is the last"
    return ""


def _certainty_unheard(command: Command, script: str) -> Certainty:
    """Say less where the script reads what the check wrote: it may judge by that."""
    if command.unheard == Unheard.PIPE and command.piped_to[0] not in {"tee", "tail", "head", "cat", "sed", "sort"}:
        return Certainty.MEDIUM
    kept = [word for word in command.piped_to[1:] if not word.startswith("-")]
    kept += [name for one in command.redirects if (name := one.lstrip("0123456789&>| ").strip("\"'"))]
    files = {name for name in kept if re.fullmatch(r"[\w./-]*[A-Za-z][\w./-]*", name) and "/dev/" not in name}
    return Certainty.MEDIUM if any(script.count(name) > 1 for name in files) else Certainty.PROVED


def _is_meant(project: Project, path: str, line: int, names: str) -> bool:
    """Tell whether a name says that the check only informs, or a comment beside or above the line gives a reason."""
    lines = (project.tree.text(path) or "").splitlines()
    above, here = "".join(lines[line - 2 : line - 1]).strip(), "".join(lines[line - 1 : line])
    return above.startswith("#") or " #" in here or _OPTIONAL.search(names.casefold()) is not None


def _names_of(file: WorkflowFile | None, job: WorkflowJob | None, step: WorkflowStep | None = None) -> str:
    """Return all names around a step or job, the systems and toolchains of its legs among them."""
    legs = [str(value) for leg in job.legs for value in leg.values.values()] if job else []
    names = [file.name if file else "", f"{job.key} {job.name or ''}" if job else "", (step.name or "") if step else ""]
    return " ".join((*names, *(legs if legs and all(_OPTIONAL.search(one) for one in legs) else ())))


def _only_builds(places: Sequence[Place]) -> bool:
    """Tell whether these steps do no more than build, under names that speak of no check."""
    named = " ".join(f"{place.job.key if place.job else ''} {place.step.title}" for place in places)
    kinds = {check.kind for _, _, check in checks_of(places)}
    return kinds == {Kind.BUILD} and re.search(r"test|check|compat|msrv|verif|valid", named, re.IGNORECASE) is None


def check_may_fail(project: Project) -> Iterator[Mark]:
    """Fire on `continue-on-error: true` on a step that checks, or on a job that holds such a step."""
    for place in project.places:
        step = place.step
        if not step.continue_on_error or not is_check_step(place) or (place.job and place.job.continue_on_error):
            continue
        if _only_builds([place]):
            continue
        around = _text_of(place.job) if place.job else steps_text(place.action.steps if place.action else ())
        if step.id and f"steps.{step.id}." in around:
            continue
        what = next((check.name for _, _, check in checks_of([place])), step.action)
        found = Mark(
            place.path,
            step.lines.get("continue-on-error", step.line),
            place.subject,
            f"`{what}` may fail unheard: the step has `continue-on-error: true`, and nothing reads its outcome",
            job=place.job_key,
        )
        names = _names_of(place.file, place.job, step)
        if not _is_meant(project, found.path, found.line, names):
            yield found
    for file, job in project.jobs:
        if not job.continue_on_error:
            continue
        held = [place for place in project.of_job(file, job) if is_check_step(place)]
        if (
            held
            and not _only_builds(held)
            and not any(f"needs.{job.key}.result" in _text_of(other) for other in file.jobs)
        ):
            order = list(Kind)
            checks = sorted((check for _, _, check in checks_of(held)), key=lambda check: order.index(check.kind))
            what = checks[0].name if checks else held[0].step.action
            claim = f"may fail unheard: it holds `{what}`, and `continue-on-error: true` keeps the run green"
            found = mark_job(file, job, claim, key="continue-on-error")
            if not _is_meant(project, found.path, found.line, _names_of(file, job)):
                yield found


def _text_of(job: WorkflowJob) -> str:
    outputs = "\n".join(value for _, value in (*job.outputs, *job.env, *job.inputs))
    return f"{job.condition}\n{steps_text(job.steps)}\n{outputs}"


_WINDOWS = re.compile(r"\bwindows\b|windows-", re.IGNORECASE)


def pwsh_hears_the_last(project: Project) -> Iterator[Mark]:
    """Fire on checks in a script for pwsh that another program follows: only the last exit code counts there."""
    for file, job in project.jobs:
        where = _windows_leg(job)
        for place in project.of_job(file, job) if where else ():
            step = place.step
            shell = step.shell or job.shell or file.shell
            if not step.run or shell not in {"", "pwsh", "powershell"}:
                continue
            if "LASTEXITCODE" in step.run or "NativeCommandUseErrorActionPreference" in step.run:
                continue
            if re.search(r"runner\.os|matrix\.", step.condition):
                continue
            commands = parse_script(step.run, line=step.run_line).commands
            checks = [(command, check) for command in commands if (check := check_of(command)) is not None]
            for (command, check), (following, _) in pairwise(checks):
                is_lost = command.unheard == Unheard.NO and following.line > command.end_line
                if is_lost and check.kind != Kind.BUILD:
                    yield Mark(
                        place.path,
                        command.line,
                        place.subject,
                        f"on {where} the failure of `{check.name}` is not heard: the script runs in pwsh, where only "
                        f"the exit code of the last program counts, here `{' '.join(following.words[:2])}`",
                        end_line=command.end_line,
                        job=job.key,
                    )
                    break


def _windows_leg(job: WorkflowJob) -> str:
    """Return the label by which the job, or a leg of it, runs on Windows; empty where none is known to."""
    if not job.container and job.runs_on and all(_WINDOWS.match(label) for label in job.runs_on):
        return job.runs_on[0]
    found = re.fullmatch(r"\$\{\{\s*matrix\.([\w-]+)\s*\}\}", job.runs_on[0]) if len(job.runs_on) == 1 else None
    values = [leg.values.get(found[1]) for leg in job.legs] if found else []
    return next((value for value in values if isinstance(value, str) and _WINDOWS.match(value)), "")


_MENDS = {
    "cargo fmt": ("--check", "--help", "--version"),
    "ruff format": ("--check", "--diff"),
    "black": ("--check", "--diff", "--version"),
    "isort": ("--check", "--check-only", "-c", "--diff", "--version"),
}
_LOOKS_AT_CHANGES = re.compile(
    r"git\s+(?:diff|status|commit|add|push|stash|ls-files)|gh pr create|--exit-code|create-pull-request"
    r"|git-auto-commit|add-and-commit"
)


def formatter_mends(project: Project) -> Iterator[Mark]:
    """Fire on formatters that rewrite files in a job that never looks at what they changed."""
    for file, job in project.jobs:
        text = steps_text(job.steps) + "\n".join(step.uses for step in job.steps)
        if _LOOKS_AT_CHANGES.search(text):
            continue
        for place in project.of_job(file, job):
            for command in place.script.commands:
                words = [word for word in command.words if not word.startswith("+")]
                name = next((one for one in (" ".join(words[:2]), *words[:1]) if one in _MENDS), "")
                if not name or command.has(*_MENDS[name]) or command.unheard not in {Unheard.NO, Unheard.TESTED}:
                    continue
                if re.search(
                    r"gen(?:erat|\b)|bindgen|docs?\b|release|publish", f"{job.key} {place.step.title}".lower()
                ):
                    continue
                yield Mark(
                    place.path,
                    command.line,
                    place.subject,
                    f"`{command.text}` rewrites the files and ends well: without `--check` bad format never fails it",
                    job=job.key,
                    patch=_add_check(project, place, command, name),
                )


def _add_check(project: Project, place: Place, command: Command, name: str) -> Patch | None:
    """Return the patch that adds `--check`, where the command stands on one line as it is written."""
    lines = (project.tree.text(place.path) or "").replace("\r\n", "\n").split("\n")
    line = lines[command.line - 1]
    if command.end_line != command.line or line.count(name) != 1 or " -- " in line:
        return None
    return Patch(
        place.path,
        (Edit(command.line, command.line, (line.replace(name, f"{name} --check"),)),),
        f"add `--check` to `{name}`",
    )


_DENIES = re.compile(r"-D\s*[a-z]|--deny|-F\s*[a-z]|--forbid|denyWarnings|CARGO_BUILD_WARNINGS")
_DENIES_IN_SOURCE = re.compile(r"#!\[(?:cfg_attr\([^\]]*)?(?:deny|forbid)\(\s*(?:warnings|clippy::(?:all|pedantic))")
_DENYING_ACTIONS = ("actions-rust-lang/setup-rust-toolchain",)


def clippy_only_warns(project: Project) -> Iterator[Mark]:
    """Fire on `cargo clippy` where nothing turns its warnings into errors: no flag, variable, configuration, lint."""
    found = [
        (place, command)
        for place, command, check in checks_of(project.places)
        if check.name == "cargo clippy" and command.unheard == Unheard.NO and not _is_denied(place, command)
    ]
    if not found or _denied_in_repository(project):
        return
    for place, command in found:
        yield Mark(
            place.path,
            command.line,
            place.subject,
            f"`{command.text}` ends well whatever clippy warns of: nothing here denies warnings",
            end_line=command.end_line,
            job=place.job_key,
        )


def _is_denied(place: Place, command: Command) -> bool:
    """Tell whether warnings are errors there, or whether that cannot be told."""
    is_look = any(word in command.words for word in ("--fix", "+beta", "+nightly"))
    if place.job is None or "$" in command.text or command.piped_to or is_look:
        return True
    said = " ".join((command.text, *place.env.values(), *dict(command.env).values(), place.step.run))
    if _DENIES.search(said) or any(step.action in _DENYING_ACTIONS for step in place.job.steps):
        return True
    return any(re.search(r"RUSTFLAGS|CARGO_ENCODED", step.run) for step in place.job.steps)


def _denied_in_repository(project: Project) -> bool:
    config = " ".join(project.tree.text(path) or "" for path in (".cargo/config.toml", ".cargo/config"))
    if _DENIES.search(config) or re.search(r"warnings\s*=\s*\"deny\"", config):
        return True
    if any(re.search(r"\"(?:deny|forbid)\"", project.tree.text(path) or "") for path in project.manifests):
        return True
    roots = project.tree.matching("src/lib.rs", "src/main.rs", "*/src/lib.rs", "*/src/main.rs")
    return any(_DENIES_IN_SOURCE.search(project.tree.text(path) or "") for path in roots)


_GATE_NAME = re.compile(
    r"\b(?:all|required|pass(?:ed|es)?|success(?:ful)?|green|gate|ok|conclusion)\b|\bci.?(?:done|complete|status|result|end)\b"
)


def _is_gate(job: WorkflowJob) -> bool:
    """Tell whether the job only sums up others: it needs two or more, and neither checks out nor builds anything."""
    if len(job.needs) < 2 or job.uses or not job.steps or job.environment or job.outputs:
        return False
    named = re.sub(r"[_-]", " ", f"{job.key} {job.name or ''}".casefold())
    uses = [step.action for step in job.steps if step.uses]
    if any(action != "re-actors/alls-green" for action in uses):
        return False
    said = steps_text(job.steps)
    is_summary = bool(uses) or _RESULT_OF.search(said) is not None or _ALL_RESULTS.search(said) is not None
    commands = [command for step in job.steps for command in parse_script(step.run).commands]
    is_empty = all(command.name in {"echo", "exit", "true", ":", "printf"} for command in commands)
    if uses or (is_summary and "exit 1" in said):
        return True
    return _GATE_NAME.search(named) is not None and (is_empty or is_summary)


def gate_is_skipped(project: Project) -> Iterator[Mark]:
    """Fire on jobs that sum up others without `always()`: skipped when one fails, which counts as passed."""
    for file, job in project.jobs:
        if not _is_gate(job) or job.condition:
            continue
        if any(job.key in other.needs for other in file.jobs) or not file.events & {"pull_request", "merge_group"}:
            continue
        if not _GATE_NAME.search(re.sub(r"[_-]", " ", f"{job.key} {job.name or ''}".casefold())):
            continue
        yield mark_job(
            file,
            job,
            f"sums up {len(job.needs)} jobs without `if: always()`: when one fails it is skipped, "
            "and a skipped job counts as passed where it is required",
            key="needs",
        )


def gate_is_blind(project: Project) -> Iterator[Mark]:
    """Fire on jobs that sum up others and let an outcome pass: cancelled, skipped behind a failure, or one unread."""
    for file, job in project.jobs:
        if not _is_gate(job) or not _RUNS_AFTER_FAILURE.search(job.condition):
            continue
        said = f"{steps_text(job.steps)}\n{job.condition}\n" + "\n".join(value for _, value in job.env)
        is_alls_green = any(step.action == "re-actors/alls-green" for step in job.steps)
        looks_at_all = _ALL_RESULTS.search(said) is not None or is_alls_green
        named = {next(filter(None, found)).casefold() for found in _RESULT_OF.findall(said)}
        unread = [key for key in job.needs if key.casefold() not in named]
        if not looks_at_all and not named:
            yield mark_job(
                file, job, f"runs whatever became of the {len(job.needs)} jobs it needs, and reads no result"
            )
        elif not looks_at_all and unread:
            yield mark_job(file, job, f"reads no result of {_listed(unread)}, which it needs too", key="needs")
        elif looks_at_all and not is_alls_green and _passes_cancelled(said):
            yield mark_job(file, job, "looks only for `failure`: a job that is cancelled passes")
        elif looks_at_all and (hole := _hole(file, job, said, is_alls_green=is_alls_green)):
            waiting, failing = hole
            yield mark_job(
                file,
                job,
                f"lets skipped jobs pass, and does not need {failing}: when that fails, {_listed(waiting)} "
                f"{'is' if len(waiting) == 1 else 'are'} skipped and the gate is green",
                key="needs",
            )


def _passes_cancelled(said: str) -> bool:
    return re.search(r"['\"\\]failure", said) is not None and not re.search(r"cancelled['\"\\ ]|['\"\\ ]success", said)


def _hole(file: WorkflowFile, job: WorkflowJob, said: str, *, is_alls_green: bool) -> tuple[list[str], str] | None:
    """Return the needed jobs that are skipped when another fails, which the gate does not need; None without."""
    allowed = next((step.input("allowed-skips") for step in job.steps if is_alls_green and step.uses), "")
    if not is_alls_green and not _passes_skipped(said):
        return None
    needed = {key.casefold() for key in job.needs}
    found: dict[str, list[str]] = {}
    for other in file.jobs:
        if other.key.casefold() not in needed or _STATUS_FUNCTION.search(other.condition):
            continue
        if is_alls_green and other.key not in re.split(r"[\s,]+", allowed) and "toJSON(needs)" not in allowed:
            continue
        for before in other.needs:
            if before.casefold() not in needed:
                found.setdefault(before, []).append(other.key)
    return next(((waiting, failing) for failing, waiting in found.items()), None)


def _passes_skipped(said: str) -> bool:
    """Tell whether the words pass what was skipped: they name it as no fault, or name only the faults."""
    if re.search(r"!=\s*\\?['\"]skipped", said):
        return True
    return re.search(r"['\"\\]failure", said) is not None and not re.search(r"skipped|['\"\\ ]success", said)


def _listed(names: Iterable[str]) -> str:
    shown = list(names)
    return ", ".join(shown[:4]) + (f" and {len(shown) - 4} more" if len(shown) > 4 else "")


_FOR_CI_ITSELF = re.compile(r"bench|regression|baseline|preview|ci.?image|build.?image|builder|cache")
"""Words of jobs whose images are only for other jobs."""
_PUBLISHING_EVENTS = {"push", "release", "schedule", "create"}


def publishes_untested(project: Project) -> Iterator[Mark]:
    """Fire on jobs that publish on a push, tag or release, where neither they nor what they need checks anything."""
    for file, job in project.jobs:
        if not file.events & _PUBLISHING_EVENTS or "workflow_run" in file.events or job.environment:
            continue
        before = ancestors(file, job)
        places = project.of_job(file, job)
        published = next(((place, said) for place in places if (said := publishes(place))[0]), None)
        if published is None or "workflow_dispatch" in job.condition or "pull_request" in job.condition:
            continue
        if _FOR_CI_ITSELF.search(f"{file.path} {job.key} {job.name or ''}".casefold()):
            continue
        place, (what, line) = published
        if any(_is_checked(project, file, one) or one.environment for one in (job, *before)):
            continue
        if any(publishes(place)[0] for one in before for place in project.of_job(file, one)):
            continue
        needs = f"it and what it needs ({_listed(one.key for one in before)})" if before else "it, which needs no job,"
        verb = "run" if before else "runs"
        yield Mark(file.path, line, place.subject, f"{what}, and {needs} {verb} no test or lint", job=job.key)


def _is_checked(project: Project, file: WorkflowFile, job: WorkflowJob) -> bool:
    """Tell whether the job checks more than that it builds; a call that cannot be read counts as one."""
    if job.uses:
        called = is_local_call(project, job)
        return called is None or any(_is_checked(project, called, one) for one in called.jobs)
    for place in project.of_job(file, job):
        if not place.script.is_known or place.step.uses.startswith("./"):
            return True
        if any(check.kind != "build" for _, _, check in checks_of([place])) or (
            place.step.uses and is_check_step(place)
        ):
            return True
        if any(_may_check(command) for command in place.script.commands):
            return True
        if re.search(
            r"wait-on-check|check-runs|gh run (?:watch|list)|commits/.*/status", place.step.uses + place.step.run
        ):
            return True
    return False


def _may_check(command: Command) -> bool:
    """Tell whether a script, or a program named by a variable, may be a check."""
    if "/" in command.words[0] or command.name in {"bash", "sh", "python", "python3", "node"}:
        return re.search(r"test|check|lint|wait|verify|validate", " ".join(command.words[:2])) is not None
    return command.name.startswith("$") and bool({"test", "nextest", "clippy", "check"} & set(command.words[1:4]))


def publishes_after_failure(project: Project) -> Iterator[Mark]:
    """Fire on jobs and steps that publish though what stands before them failed."""
    for file, job in project.jobs:
        places = project.of_job(file, job)
        published = [(place, said) for place in places if (said := publishes(place))[0]]
        is_loose = _runs_whatever(job.condition) and "needs" not in job.condition.replace("needs.*", "")
        if published and job.needs and is_loose and "needs.*.result" not in job.condition:
            what = published[0][1][0]
            claim = f"{what} whatever became of {_listed(job.needs)}: `if: {_short(job.condition)}` looks at no result"
            yield mark_job(file, job, claim, key="if")
        for place, (what, _) in published:
            checks = [check.name for one, _, check in checks_of(places) if one.step.number < place.step.number]
            if checks and _runs_whatever(place.step.condition) and "steps." not in place.step.condition:
                yield Mark(
                    file.path,
                    place.step.lines.get("if", place.step.line),
                    place.subject,
                    f"{what} though `{checks[0]}` before it failed: `if: {_short(place.step.condition)}`",
                    job=job.key,
                )


def _runs_whatever(condition: str) -> bool:
    return re.search(r"\balways\s*\(|!\s*cancelled\s*\(", condition) is not None and "success(" not in condition


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else f"{line[:57]}..."


_RETRYING = re.compile(r"nick-fields/retry|nick-invision/retry|wandalen/wretry\.action|kiwicom/retry")


def retried_tests(project: Project) -> Iterator[Mark]:
    """Fire on tests that an action runs again until they pass."""
    for place in project.places:
        if not _RETRYING.match(place.step.action):
            continue
        commands = parse_script(place.step.input("command")).commands
        names = [check.name for command in commands if (check := check_of(command)) and check.kind == "test"]
        tries = place.step.input("max_attempts") or place.step.input("attempt_limit")
        if names:
            yield Mark(
                place.path,
                place.step.line,
                place.subject,
                f"`{names[0]}` is run again until it passes{f', {tries} times' if tries else ''}: "
                "a flaky test stays green, and nothing records it",
                job=place.job_key,
            )


_OF_OTHERS = re.compile(r"[\w.-]+/[\w./-]+|.*:.*|DCO|.*\bcla\b.*", re.IGNORECASE)
"""Names as apps give them: `codecov/patch`, `ci/circleci: build`."""


def required_of_nobody(project: Project) -> Iterator[Mark]:
    """Fire on required names that no job bears, where other names of the same file are borne."""
    found = required_names(project)
    told = {one.path for one in found if one.is_borne}
    for one in found:
        if not one.is_borne and one.path in told and not _OF_OTHERS.fullmatch(one.name):
            claim = f"“{one.name}” must pass before a merge, and no job of the workflows is shown by that name"
            yield Mark(one.path, one.line, f"required “{one.name}”", claim)


RULES: dict[str, Callable[[Project], Iterable[Mark]]] = {
    "swallowed-failure": swallowed_failure,
    "script-swallows": script_swallows,
    "check-may-fail": check_may_fail,
    "pwsh-hears-the-last": pwsh_hears_the_last,
    "formatter-mends": formatter_mends,
    "clippy-only-warns": clippy_only_warns,
    "gate-is-skipped": gate_is_skipped,
    "gate-is-blind": gate_is_blind,
    "publishes-untested": publishes_untested,
    "publishes-after-failure": publishes_after_failure,
    "retried-tests": retried_tests,
    "required-of-nobody": required_of_nobody,
    **roster.RULES,
}
