"""`kotaci triage`: why one run, job or log failed."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kotaci.cli.asking import open_client
from kotaci.cli.configuring import config_here, config_option
from kotaci.cli.telling import Culprit, Told, print_told, to_json
from kotaci.cli.terminal import complain, progress, store_option
from kotaci.model import BAD_OUTCOMES, BadInput, ExitCode, JobRef, Outcome, Repo, RunRef, commit_url, job_url
from kotaci.places import ENVIRONMENT, default_repo

if TYPE_CHECKING:
    import pandas as pd

    from kotaci.config import Config
    from kotaci.facts import History
    from kotaci.logs.causes import Catalogue
    from kotaci.store import Store


@click.command("triage")
@click.argument("what")
@click.option("--repo", default="", help="owner/name, where WHAT is the number of a run.")
@click.option("--green", type=click.Path(path_type=Path), help="Log of the same job when it last passed.")
@click.option("--max-lines", default=60, show_default=True, type=click.IntRange(5, 1000), help="Lines shown a job.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@config_option
@store_option
def triage_command(
    *, what: str, repo: str, green: Path | None, max_lines: int, as_json: bool, config_path: str, store_path: Path
) -> None:
    """Tell why a run, a job or a log failed.

    WHAT is the address or number of a run, the address of a job, a file (a job's log, `gh run view --log` output, a
    run's zip, any other log), or `-` for stdin. A run that the store does not hold is fetched into it, with the last
    green one of its workflow to compare with; the verdict rests on the history that the store holds.
    """
    from kotaci.logs.causes import read_catalogue

    ref = _ref(what, repo)
    config = config_here(store_path=store_path, repo=str(ref.repo) if ref else "", config_path=config_path)
    catalogue = read_catalogue(config.causes)
    if ref is not None and green is not None:
        raise BadInput(green, "is not used with a run", "leave --green out: the last green log is found")
    if ref is not None:
        told = _of_run(ref, store_path, catalogue, config, max_lines)
    else:
        told = list(_of_file(what, green, catalogue, max_lines))
    least = config.triage.min_cause_confidence
    if as_json:
        click.echo(to_json(told, catalogue))
    else:
        print_told(told, catalogue, min_confidence=least)


def _ref(what: str, repo: str) -> JobRef | None:
    """Return the run or job that is asked about; None for a file or stdin. Raises BadInput."""
    if not what.strip():
        raise BadInput("nothing", "cannot be explained", "name a run, a job, a file, or - for stdin")
    if what.startswith(("https://", "http://")):
        return JobRef.parse(what)
    if what.isascii() and what.isdigit() and not Path(what).exists():
        asked = repo or default_repo(ENVIRONMENT)
        if not asked:
            raise BadInput(what, "is the number of a run of nobody says which repository", "name it with --repo")
        return JobRef(Repo.parse(asked), RunRef.parse(what).run_id)
    return None


def _of_file(what: str, green: Path | None, catalogue: Catalogue, max_lines: int) -> Iterator[Told]:
    """Yield what is told of each failed job of a file, or of stdin."""
    from kotaci.archives.reading import read_log_texts
    from kotaci.logs import explain

    last_green = None
    if green is not None:
        logs = list(read_log_texts(green))
        if len(logs) != 1:
            raise BadInput(green, f"holds {len(logs)} logs", "give the log of one job")
        last_green = logs[0][1]
    with tempfile.TemporaryDirectory(prefix="kotaci-") as folder:
        path = Path(what)
        if what == "-":
            path = Path(folder) / "stdin.txt"
            path.write_bytes(sys.stdin.buffer.read())
        try:
            for job, text in read_log_texts(path):
                if _may_have_failed(text):
                    why = explain(text, last_green=last_green, max_lines=max_lines, catalogue=catalogue)
                    yield Told(job, explanation=why)
        except BadInput as problem:
            if what == "-":
                raise BadInput("stdin", problem.problem, problem.hint) from problem
            raise


def _may_have_failed(text: str) -> bool:
    """Tell whether a log is one of a job that failed, or of one of which nothing tells that it passed: a log of
    another system has no marks of GitHub's, and one that ends well may hold an error that nobody outlived."""
    from kotaci.logs.ending import parse_ending
    from kotaci.logs.lines import parse_lines

    return parse_ending(text).outcome != Outcome.SUCCESS or any(line.mark == "error" for line in parse_lines(text))


def _of_run(ref: JobRef, store_path: Path, catalogue: Catalogue, config: Config, max_lines: int) -> list[Told]:
    """Return what is told of the failed jobs of a run, of all its attempts, or of the attempt or job that is named."""
    from kotaci.analysis.failures import JUDGED
    from kotaci.analysis.verdicts import judge
    from kotaci.facts import build_facts, read_history

    with open_with_run(ref, store_path) as store:
        with progress("tables") as tell:
            build_facts(store, on_progress=tell)
        history = read_history(store, repo=str(ref.repo), since="all", tables=JUDGED)
        if config.base_branch:
            history = replace(history, default_branch=config.base_branch)
        jobs = history["jobs"]
        mine = jobs[jobs["run_id"] == ref.run_id]
        if ref.attempt is not None:
            mine = mine[mine["attempt"] == ref.attempt]
        if ref.job_id is not None:
            mine = mine[mine["job_id"] == ref.job_id]
        if mine.empty:
            raise BadInput(ref.job_id or ref.run_id, "is no job of this run", "copy the address again")
        frames = {name: history[name] for name in JUDGED}
        judged = judge(**frames, default_branch=history.default_branch, options=config.triage)
        verdicts = judged.set_index(["run_id", "attempt", "job_id"])
        bad = mine[mine["outcome"].isin(BAD_OUTCOMES | {Outcome.CANCELLED})]
        return [_of_job(job, history, verdicts, catalogue, config, max_lines) for job in bad.to_dict("records")]


def _of_job(
    job: dict[str, Any],
    history: History,
    verdicts: pd.DataFrame,
    catalogue: Catalogue,
    config: Config,
    max_lines: int,
) -> Told:
    import pandas as pd

    from kotaci.analysis.failures import DETERMINISTIC
    from kotaci.facts.explanations import explain_job

    key = (int(job["run_id"]), int(job["attempt"]), int(job["job_id"]))
    verdict = verdicts.loc[key]
    commits = history["commits"].set_index("commit_sha")["subject"]
    blamed = [] if pd.isna(verdict["culprits"]) else str(verdict["culprits"]).split()
    why = explain_job(history, key=key, catalogue=catalogue, max_lines=max_lines)
    attempts = history["runs"].loc[history["runs"]["run_id"] == key[0], "attempt"]
    return Told(
        f"{job['workflow']} / {job['job']}",
        repo=history.repo,
        key=key,
        base=str(job["job_base"]),
        leg=str(job["leg"]),
        last_attempt=int(attempts.max()),
        url=job_url(history.repo, key[0], key[2]),
        explanation=why,
        verdict=str(verdict["verdict"]),
        certainty=str(verdict["certainty"]),
        proof=str(verdict["proof"]),
        differs="" if pd.isna(verdict["differs"]) else str(verdict["differs"]),
        culprits=[Culprit(sha, str(commits.get(sha, "")), commit_url(history.repo, sha)) for sha in blamed],
        is_of_the_code=why is not None
        and why.cause in DETERMINISTIC
        and why.confidence >= config.triage.min_cause_confidence,
    )


def open_with_run(ref: JobRef, store_path: Path) -> Store:
    """Return the store with that run in it, fetched where it is not held. Raises BadInput where it is not to be had."""
    from kotaci.sample import SAMPLE, open_sample
    from kotaci.store import open_store

    if str(store_path) == SAMPLE:
        sample = open_sample()
        if not _holds(sample, ref):
            sample.close()
            raise BadInput(ref.run_id, "is no run of the sample", "`truths.json` beside it names some")
        return sample
    if (store_path / "index.sqlite").is_file():
        store = open_store(store_path)
        if _holds(store, ref):
            return store
        store.close()
    try:
        client = open_client(ref.repo)
    except BadInput as problem:
        said = f"is not in the store {store_path}, and {problem.value} {problem.problem}"
        raise BadInput(ref.run_id, said, problem.hint) from problem
    store = open_store(store_path, create=True)
    try:
        _fetch(ref, store, client)
    except BaseException:
        store.close()
        raise
    return store


def _holds(store: Store, ref: JobRef) -> bool:
    """Tell whether that run, or the attempt that is named, has ended and is held."""
    attempt = ref.attempt or store.last_attempts(str(ref.repo)).get(ref.run_id)
    run = None if attempt is None else store.payload(str(ref.repo), "run", f"{ref.run_id}/{attempt}")
    return run is not None and run.get("status") in {None, "completed"}


def _fetch(ref: JobRef, store: Store, client: Any) -> None:
    from kotaci.github import fetch_run_with_green

    with progress("fetching", every_s=5.0) as tell:
        done = fetch_run_with_green(
            store,
            ref.repo,
            RunRef(ref.run_id, ref.attempt or 1),
            client=client,
            on_progress=lambda now: tell(now.what, now.n_done, now.n_done + now.n_left or None),
        )
    for note in (*done.notes, done.stopped):
        if note is not None:
            complain(note)
    if done.is_refused:
        raise SystemExit(ExitCode.REFUSED)
    if done.stopped is not None:
        raise SystemExit(ExitCode.INCOMPLETE)
