"""`kotaci reproduce`: a job that failed in CI, run here, and whether it fails alike."""

from __future__ import annotations

import json
import platform
import shlex
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kotaci.cli.configuring import config_here, config_option
from kotaci.cli.telling import TESTS_SHOWN, plain
from kotaci.cli.terminal import err, out, progress, store_option
from kotaci.cli.triaging import open_with_run
from kotaci.model import BAD_OUTCOMES, BadInput, ExitCode, JobRef, Repo, job_url, plural, short_workflow
from kotaci.places import ENVIRONMENT, cache_folder, default_repo

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

    from kotaci.facts import History
    from kotaci.logs.causes import Catalogue
    from kotaci.logs.comparing import Comparison
    from kotaci.logs.failure import Explanation
    from kotaci.workflows.local import LocalJob

NAMED = 5
"""Jobs named where one has to be chosen."""


@dataclass(frozen=True)
class _Failed:
    """One failed job of CI: its row and its run's, and its log where it is held."""

    repo: str
    default_branch: str
    job: dict[str, Any]
    run: dict[str, Any]
    log: str | None

    @property
    def key(self) -> tuple[int, int, int]:
        return int(self.job["run_id"]), int(self.job["attempt"]), int(self.job["job_id"])

    @property
    def name(self) -> str:
        return f"{short_workflow(self.job['workflow'])} / {self.job['job']}"


@click.command("reproduce")
@click.argument("what", metavar="JOB")
@click.option("--repo", default="", help="owner/name, where JOB is a number or a name; without it the only one held.")
@click.option(
    "--workspace",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=Path(),
    help="Folder of the repository, at the commit that failed.  [default: this one]",
)
@click.option("--skip", multiple=True, metavar="STEP", help="Leave out a step, by its name, id or action; repeatable.")
@click.option("--docker", "wants_container", is_flag=True, help="In a container of act's rather than on this machine.")
@click.option("--dry-run", is_flag=True, help="Print the command and what it lacks, and run nothing.")
@click.option("--commands", "as_commands", is_flag=True, help="Print the plain commands of the steps, and run nothing.")
@click.option("--json", "as_json", is_flag=True, help="The answer as JSON; what the steps print goes to stderr.")
@config_option
@store_option
def reproduce_command(
    *,
    what: str,
    repo: str,
    workspace: Path,
    skip: tuple[str, ...],
    wants_container: bool,
    dry_run: bool,
    as_commands: bool,
    as_json: bool,
    config_path: str,
    store_path: Path,
) -> None:
    """Run a job that failed in CI on this machine, and compare.

    JOB is the address or number of a job, of a run with one failed job, or WORKFLOW/JOB, such as "ci.yml/lint": then
    its newest failure. Its steps are run by act (https://nektosact.com) with the job's workflow file, event and matrix
    leg: on this machine itself and as you, in a copy of the workspace; in a container with --docker, and where a job
    for Linux meets another system. Secrets are taken from the environment, or asked for by name, and never stored.

    The exit code is 0 where it fails here as it did in CI, and 1 where it passes here or fails otherwise.
    """
    from kotaci.cli.act import find_act, has_docker, run_act
    from kotaci.logs import explain
    from kotaci.logs.act import ActLog
    from kotaci.logs.causes import read_catalogue
    from kotaci.logs.comparing import Comparison, Sameness, compare
    from kotaci.workflows.local import run_title, to_local, to_script

    failed = _failed(what, repo, store_path)
    path = str(failed.job["workflow"])
    file = workspace / path
    if not path.startswith(".github/workflows/") or not file.is_file():
        hint = "name the repository's folder with --workspace, at the commit that failed"
        raise BadInput(workspace.resolve(), f"has no {path}", hint)
    local = to_local(
        file.read_text(encoding="utf-8", errors="replace"),
        path=path,
        shown_name=str(failed.job["job"]),
        system=platform.system(),
        has_docker=has_docker(ENVIRONMENT),
        wants_container=wants_container,
        skip=skip,
    )
    if as_commands:
        click.echo(to_script(local), nl=False)
        return
    act = ["act"] if dry_run else find_act(ENVIRONMENT)
    words = [*act, *_arguments(local, failed, workspace)]
    to = err if as_json else out
    _print_before(to, failed, local, words, workspace)
    if dry_run:
        if as_json:
            click.echo(json.dumps(_to_object(failed, local, words, None, None, None), indent=1, ensure_ascii=False))
        return
    if local.blocking:
        raise BadInput(failed.name, local.blocking[0].said, "--commands prints the plain commands of its steps")
    catalogue = read_catalogue(config_here(store_path=store_path, repo=failed.repo, config_path=config_path).causes)
    there = explain(failed.log, catalogue=catalogue) if failed.log is not None else None
    log = ActLog([run_title(step) for step in local.steps], _runner_workspace(failed.repo))
    with tempfile.TemporaryDirectory(prefix="kotaci-") as artifacts:
        more = ["--artifact-server-path", artifacts] if local.uses_artifacts else []
        environment = _environment(local)
        code = run_act([*words, *more], log=log, environment=environment, on_line=lambda text: to.print(plain(text)))
    here = None
    if log.job_result == "" and code == 0:
        compared = Comparison(
            Sameness.UNTOLD, "act ran nothing: the job's `if` is not met by what the run's record tells"
        )
    elif log.job_result == "":
        said = plain(log.problems[-1]) if log.problems else f"ended with {code}"
        raise BadInput("act", said, "run the command above yourself; --commands prints the plain commands")
    else:
        here = explain(log.text, catalogue=catalogue) if log.job_result == "failure" else None
        compared = compare(there, here)
    if as_json:
        told = _to_object(failed, local, words, compared, there, here)
        click.echo(json.dumps(told, indent=1, ensure_ascii=False))
    else:
        _print_after(compared, there, here, catalogue)
    if compared.answer != Sameness.SAME:
        raise SystemExit(ExitCode.BAD_FINDING)


# -- which job ------------------------------------------------------------------------------------------------


def _failed(what: str, repo: str, store_path: Path) -> _Failed:
    """Return the failed job that is meant. Raises BadInput where none is, or more than one may be."""
    from kotaci.facts import build_facts, read_history
    from kotaci.sample import SAMPLE, open_sample
    from kotaci.store import open_store

    if not what.strip():
        raise BadInput("nothing", "cannot be reproduced", "name a job: its address, its number, or WORKFLOW/JOB")
    ref = JobRef.parse(what) if what.startswith(("https://", "http://")) else None
    asked = repo or default_repo(ENVIRONMENT)
    if ref is not None:
        opened, name = open_with_run(ref, store_path), str(ref.repo)
    else:
        is_sample = str(store_path) == SAMPLE
        opened = open_sample() if is_sample else open_store(store_path)
        name = str(Repo.parse(asked)) if asked and not is_sample else ""
    with opened as store:
        with progress("tables") as tell:
            build_facts(store, on_progress=tell)
        history = read_history(store, repo=name, since="all", tables=["runs", "jobs"])
        job = _of_ref(ref, history) if ref is not None else _of_words(what.strip(), history)
        runs = history["runs"]
        run = runs[(runs["run_id"] == job["run_id"]) & (runs["attempt"] == job["attempt"])].iloc[0].to_dict()
        log = history.log(int(job["run_id"]), int(job["attempt"]), int(job["job_id"]))
        return _Failed(history.repo, history.default_branch, job, run, log)


def _of_ref(ref: JobRef, history: History) -> dict[str, Any]:
    jobs = history["jobs"]
    mine = jobs[jobs["run_id"] == ref.run_id]
    if ref.job_id is not None:
        return _one(mine[mine["job_id"] == ref.job_id], history, f"job {ref.job_id}")
    attempt = ref.attempt if ref.attempt is not None else mine["attempt"].max()
    return _one(mine[mine["attempt"] == attempt], history, f"run {ref.run_id}")


def _of_words(what: str, history: History) -> dict[str, Any]:
    jobs = history["jobs"]
    if what.isascii() and what.isdigit():
        number = int(what) if len(what) < 19 else 0
        of_job = jobs[jobs["job_id"] == number]
        if len(of_job):
            return _one(of_job, history, f"job {what}")
        of_run = jobs[jobs["run_id"] == number]
        return _one(of_run[of_run["attempt"] == of_run["attempt"].max()], history, f"run {what}")
    wanted = _folded(what)
    names = {
        (flow, job, base): {
            _folded(f"{where}/{name}") for where in (flow, short_workflow(flow)) for name in (job, base)
        }
        for flow, job, base in set(zip(jobs["workflow"], jobs["job"], jobs["job_base"], strict=True))
    }
    named = {key[:2] for key, spellings in names.items() if wanted in spellings}
    if not named:
        known = sorted({f"{short_workflow(flow)}/{base}" for flow, _, base in names})
        near = _nearest(what, known)
        raise BadInput(what, "is no job that is held", f"write it as WORKFLOW/JOB, such as {near or 'ci.yml/lint'}")
    mine = jobs[[key in named for key in zip(jobs["workflow"], jobs["job"], strict=True)]]
    bad = mine[mine["outcome"].isin(BAD_OUTCOMES)].sort_values(["started_at", "attempt", "job_id"])
    if bad.empty:
        raise BadInput(what, f"never failed in the {plural(len(mine), 'job')} held", "there is nothing to reproduce")
    return _row(bad.iloc[-1])


def _folded(text: str) -> str:
    return "/".join(part.strip() for part in text.split("/")).casefold()


def _nearest(what: str, known: list[str]) -> str:
    import difflib

    return next(iter(difflib.get_close_matches(what, known, n=1, cutoff=0.3)), known[0] if known else "")


def _one(jobs: pd.DataFrame, history: History, what: str) -> dict[str, Any]:
    """Return the one failed job of these; what only failed because another did, or may fail, is left aside."""
    import pandas as pd

    from kotaci.analysis.flakes import allowed_to_fail

    if jobs.empty:
        raise BadInput(what, "is not held", "give its address, or fetch it first")
    bad = jobs[jobs["outcome"].isin(BAD_OUTCOMES)]
    if bad.empty:
        said = sorted(set(jobs["outcome"]))
        raise BadInput(what, f"did not fail ({', '.join(said)})", "there is nothing to reproduce")
    own = bad[~bad["is_downstream"].fillna(False).astype(bool)]
    own = own[
        ~pd.MultiIndex.from_frame(own[["workflow", "job"]]).isin(allowed_to_fail(history["runs"], history["jobs"]))
    ]
    chosen = own if len(own) else bad
    if len(chosen) > 1:
        named = [f"{row['job']} ({row['job_id']})" for row in chosen.head(NAMED).to_dict("records")]
        raise BadInput(what, f"has {len(chosen)} failed jobs", f"give the number of one: {', '.join(named)}")
    return _row(chosen.iloc[0])


def _row(row: pd.Series) -> dict[str, Any]:
    return {str(name): value for name, value in row.items()}


# -- the command ----------------------------------------------------------------------------------------------


def _runner_workspace(repo: str) -> str:
    name = repo.rpartition("/")[2]
    return f"/home/runner/work/{name}/{name}"


def _arguments(local: LocalJob, failed: _Failed, workspace: Path) -> list[str]:
    """Return what act is told; the job's own workflow file and event are written into the user's cache."""
    from kotaci.workflows.local import act_arguments, to_event

    run = failed.run
    known = {name: value if isinstance(value, str) else "" for name, value in run.items()}
    number = run["pr_number"]
    event = to_event(
        known["event"] or "push",
        repo=failed.repo,
        branch=known["branch"],
        base_branch=known["base_branch"],
        default_branch=failed.default_branch,
        pr_number=int(number) if isinstance(number, int) else None,
        head_sha=known["head_sha"],
        is_of_tags=local.is_of_tags,
    )
    folder = cache_folder() / "reproduce" / "-".join(map(str, failed.key))
    folder.mkdir(parents=True, exist_ok=True)
    workflow, payload = folder / Path(local.path).name, folder / "event.json"
    workflow.write_text(local.text, encoding="utf-8")
    payload.write_text(json.dumps(event, indent=1), encoding="utf-8")
    words = act_arguments(local, event=known["event"] or "push", event_path=str(payload), workflow_path=str(workflow))
    given = [word for name in local.variables if name in ENVIRONMENT for word in ("--var", name)]
    return [*words, "-C", str(workspace.resolve()), *given]


def _environment(local: LocalJob) -> dict[str, str]:
    """Return what act's process sees: this one's environment without GitHub's tokens, and the secrets asked for."""
    from kotaci.report.runner import without_tokens

    environment = without_tokens(ENVIRONMENT)
    for name in local.secrets:
        value = ENVIRONMENT.get(name)
        if value is None:
            value = _asked(name)
        environment[name] = value
    return environment


def _asked(name: str) -> str:
    if not err.is_terminal:
        hint = "set it in the environment, or leave its step out with --skip"
        raise BadInput(f"secret {name}", "is read by the job and not in the environment", hint)
    return str(click.prompt(f"secret {name}", hide_input=True, default="", show_default=False, err=True))


# -- what is told ---------------------------------------------------------------------------------------------


def _print_before(to: Console, failed: _Failed, local: LocalJob, words: list[str], workspace: Path) -> None:
    from kotaci.archives.git import commit_at
    from kotaci.workflows.local import IMAGE

    to.print(plain(f"{failed.name}, {job_url(failed.repo, *failed.key[::2]) or f'run {failed.key[0]}'}"), style="bold")
    to.print(f"$ {shlex.join(words)}")
    for limit in local.limits:
        to.print(plain(f"  {'cannot run here' if limit.blocks else 'differs'}: {limit.said}"))
    for step in local.skipped:
        to.print(plain(f"  left out: {step}"))
    for name in local.secrets:
        to.print(f"  secret: {name}, {'from the environment' if name in ENVIRONMENT else 'to be asked for'}")
    for name in local.variables:
        if name not in ENVIRONMENT:
            to.print(f"  differs: the repository's variable {name} is empty here; set it in the environment")
    here, ran = commit_at(workspace), str(failed.run["head_sha"])
    if here and here != ran:
        to.print(plain(f"  differs: the workspace is at {here[:10]}, and {ran[:10]} failed: git checkout {ran[:10]}"))
    to.print(f"  The steps run {f'in {IMAGE}' if local.is_in_container else 'on this machine, as you'}.")


def _print_after(
    compared: Comparison, there: Explanation | None, here: Explanation | None, catalogue: Catalogue
) -> None:
    out.print()
    out.print(f"Answer: {compared.answer} ({compared.why})", style="bold")
    for where, why in (("in CI", there), ("here", here)):
        if why is None:
            continue
        out.print(plain(f"{where}: {why.headline or 'the log says no more than that it ended'}"))
        title = catalogue.causes[why.cause].title if why.cause in catalogue.causes else why.cause
        out.print(plain(f"  cause: {why.cause} ({title}); step: {why.step or 'unknown'}; exit code: {why.exit_code}"))
        tests = why.failed_tests
        for test in tests[:TESTS_SHOWN]:
            out.print(plain(f"  test: {test}"))
        if len(tests) > TESTS_SHOWN:
            out.print(f"  and {len(tests) - TESTS_SHOWN} more")


def _to_object(
    failed: _Failed,
    local: LocalJob,
    words: list[str],
    compared: Comparison | None,
    there: Explanation | None,
    here: Explanation | None,
) -> dict[str, Any]:
    run_id, attempt, job_id = failed.key
    return {
        "answer": str(compared.answer) if compared else None,
        "why": compared.why if compared else None,
        "repo": failed.repo,
        "run_id": run_id,
        "attempt": attempt,
        "job_id": job_id,
        "job": failed.name,
        "url": job_url(failed.repo, run_id, job_id) or None,
        "command": words,
        "secrets": list(local.secrets),
        "limits": [{"said": limit.said, "blocks": limit.blocks} for limit in local.limits],
        "left_out": list(local.skipped),
        "in_ci": _side(there),
        "here": _side(here),
    }


def _side(why: Explanation | None) -> dict[str, Any] | None:
    from kotaci.logs.comparing import signatures

    if why is None:
        return None
    return {
        "signature": why.signature or None,
        "signatures": sorted(signatures(why)),
        "headline": why.headline,
        "cause": why.cause,
        "step": why.step or None,
        "exit_code": why.exit_code,
        "tests": list(why.failed_tests),
    }
