"""`kotaci triage`: why one run, job or log failed, in the terminal."""

from __future__ import annotations

import json
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.text import Text

from kotaci.cli.configuring import config_here, config_option
from kotaci.cli.terminal import complain, out, progress, store_option
from kotaci.model import BAD_OUTCOMES, BadInput, ExitCode, JobRef, Outcome, job_url
from kotaci.places import ENVIRONMENT

if TYPE_CHECKING:
    from kotaci.config import Config
    from kotaci.logs.causes import Catalogue
    from kotaci.logs.failure import Explanation
    from kotaci.store import Store

MAX_SHOWN = 400
"""Letters shown of one line."""
TESTS_SHOWN = 10
REMEDIES_SHOWN = 3


@dataclass(frozen=True)
class Told:
    """What is told of one failed job."""

    job: str
    url: str
    explanation: Explanation | None
    verdict: str = ""
    proof: str = ""
    differs: str = ""
    rerun: str = ""


@click.command("triage")
@click.argument("what")
@click.option("--green", type=click.Path(path_type=Path), help="Log of the same job when it last passed.")
@click.option("--max-lines", default=60, show_default=True, type=click.IntRange(5, 1000), help="Lines shown a job.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@config_option
@store_option
def triage_command(
    *, what: str, green: Path | None, max_lines: int, as_json: bool, config_path: str, store_path: Path
) -> None:
    """Tell why a run, a job or a log failed.

    WHAT is the address of a run or job on GitHub, a file (a job's log, `gh run view --log` output, a run's zip), or
    `-` for a log on stdin. A run that the store does not hold is fetched into it, with the last green one of its
    workflow to compare with; the verdict rests on the history that the store holds.
    """
    from kotaci.logs.causes import read_catalogue

    ref = JobRef.parse(what) if what.startswith(("https://", "http://")) else None
    config = config_here(store_path=store_path, repo=str(ref.repo) if ref else "", config_path=config_path)
    catalogue = read_catalogue(config.causes)
    if ref is not None:
        if green is not None:
            raise BadInput(green, "is not used with an address", "leave --green out: the last green log is found")
        told = _of_run(ref, store_path, catalogue, config, max_lines)
    else:
        told = list(_of_file(what, green, catalogue, max_lines))
    if as_json:
        click.echo(json.dumps([_to_json(one, catalogue) for one in told], indent=1, ensure_ascii=False))
    else:
        for one in told:
            _print(one, catalogue)
        if not told:
            out.print("No job failed.")


def _of_file(what: str, green: Path | None, catalogue: Catalogue, max_lines: int) -> Iterator[Told]:
    """Yield what is told of each failed job of a file, or of stdin."""
    from kotaci.logs import explain
    from kotaci.logs.ending import parse_ending

    last_green = _only_log(green) if green is not None else None
    with tempfile.TemporaryDirectory(prefix="kotaci-") as folder:
        path = Path(what)
        if what == "-":
            path = Path(folder) / "stdin.txt"
            path.write_bytes(sys.stdin.buffer.read())
        for job, text in _logs_in(path):
            # A log of another CI system has no marks of GitHub's: nothing tells that it passed.
            if parse_ending(text).outcome != Outcome.SUCCESS:
                yield Told(job, "", explain(text, last_green=last_green, max_lines=max_lines, catalogue=catalogue))


def _logs_in(path: Path) -> Iterator[tuple[str, str]]:
    """Yield name and text of each job's log in a file. Raises BadInput where it holds no log."""
    from kotaci.archives import Said, read_archive
    from kotaci.model import Repo, RunRef

    # Nothing of this is stored, so that a repository that nobody named does no harm.
    said = Said(repo=Repo("some", "repository"), run=RunRef(1, 1))
    for batch in read_archive(path, said=said):
        names = {int(one.body["id"]): one.body.get("name") or "" for one in batch.payloads if one.kind == "job"}
        for log in batch.logs:
            body = log.body.read_bytes() if isinstance(log.body, Path) else log.body
            if body:
                yield names.get(log.job_id, ""), body.decode("utf-8", "replace")


def _only_log(path: Path) -> str:
    logs = list(_logs_in(path))
    if len(logs) != 1:
        raise BadInput(path, f"holds {len(logs)} logs", "give the log of one job")
    return logs[0][1]


def _of_run(ref: JobRef, store_path: Path, catalogue: Catalogue, config: Config, max_lines: int) -> list[Told]:
    """Return what is told of the failed jobs of a run, or of the one job that is named."""
    from kotaci.analysis.failures import JUDGED
    from kotaci.analysis.verdicts import judge
    from kotaci.facts import build_facts, read_history
    from kotaci.facts.explanations import explain_job
    from kotaci.sample import SAMPLE, open_sample
    from kotaci.store import open_store

    is_sample = str(store_path) == SAMPLE
    with open_sample() if is_sample else open_store(store_path, create=True) as store:
        attempt = ref.attempt or store.last_attempts(str(ref.repo)).get(ref.run_id)
        if attempt is None or not _is_held(store, ref, attempt):
            _fetch(ref, store)
            attempt = ref.attempt or store.last_attempts(str(ref.repo)).get(ref.run_id)
        with progress("tables") as tell:
            build_facts(store, on_progress=tell)
        history = read_history(store, repo=str(ref.repo), since="all", tables=JUDGED)
        if config.base_branch:
            history = replace(history, default_branch=config.base_branch)
        frames = {name: history[name] for name in JUDGED}
        judged = judge(**frames, default_branch=history.default_branch, options=config.triage)
        verdicts = judged.set_index(["run_id", "attempt", "job_id"])
        jobs = history["jobs"]
        mine = jobs[(jobs["run_id"] == ref.run_id) & (jobs["attempt"] == attempt)]
        if ref.job_id is not None:
            mine = mine[mine["job_id"] == ref.job_id]
            if mine.empty:
                raise BadInput(
                    ref.job_id, f"is no job of attempt {attempt} of this run", "copy the job's address again"
                )
        told = []
        for job in mine[mine["outcome"].isin(BAD_OUTCOMES | {Outcome.CANCELLED})].to_dict("records"):
            key = (ref.run_id, int(attempt or 1), int(job["job_id"]))
            verdict = verdicts.loc[key]
            told.append(
                Told(
                    f"{job['workflow']} / {job['job']}",
                    job_url(history.repo, ref.run_id, key[2]),
                    explain_job(history, key=key, catalogue=catalogue, max_lines=max_lines),
                    str(verdict["verdict"]),
                    str(verdict["proof"]),
                    "" if _is_missing(verdict["differs"]) else str(verdict["differs"]),
                    f"gh run rerun {ref.run_id} --failed --repo {history.repo}",
                )
            )
        return told


def _is_missing(value: Any) -> bool:
    return value is None or value != value  # noqa: PLR0124  (NaN is not itself)


def _is_held(store: Store, ref: JobRef, attempt: int) -> bool:
    run = store.payload(str(ref.repo), "run", f"{ref.run_id}/{attempt}")
    return run is not None and run.get("status") in {None, "completed"}


def _fetch(ref: JobRef, store: Store) -> None:
    from kotaci.github import Clock, fetch_run_with_green, find_token, open_github
    from kotaci.model import RunRef

    api_url = ENVIRONMENT.get("GITHUB_API_URL") or "https://api.github.com"
    if ref.repo.host != "github.com":
        api_url = f"https://{ref.repo.host}/api/v3"
    token = find_token(ENVIRONMENT, host=ref.repo.host, is_named=True)
    stop = threading.Event()
    clock = Clock(time.monotonic, stop.wait, lambda: datetime.now(UTC), stop)
    client = open_github(token=token, clock=clock, api_url=api_url)
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


def _to_json(one: Told, catalogue: Catalogue) -> dict[str, Any]:
    why = one.explanation
    known = {"job": one.job, "url": one.url, "verdict": one.verdict, "proof": one.proof, "differs": one.differs}
    if why is None:
        return known | {"lines": [], "cause": "undecided", "rerun": one.rerun}
    return known | {
        "headline": why.headline,
        "cause": why.cause,
        "confidence": round(why.confidence, 2),
        "remedies": list(_remedies(why, catalogue)),
        "step": why.step,
        "exit_code": why.exit_code,
        "tests": [{key: value for key, value in asdict(test).items() if key not in {"spans"}} for test in why.tests],
        "has_green": why.has_green,
        "lines": [{"number": line.number, "text": line.text} for line in why.excerpt],
        "rerun": one.rerun,
    }


def _remedies(why: Explanation, catalogue: Catalogue) -> tuple[str, ...]:
    cause = catalogue.causes.get(why.cause)
    return tuple(cause.remedies) if cause is not None else ()


def _print(one: Told, catalogue: Catalogue) -> None:
    why = one.explanation
    out.print(Text(_plain(one.job or "log"), style="bold"))
    if one.url:
        out.print(Text(f"  {one.url}", style="dim"))
    if why is None:
        _row("log", "is not held: it has expired, was never written, or was not fetched", "yellow")
    else:
        if why.headline:
            out.print(Text(f"  {_plain(why.headline)}", style="bold red"))
        cause = catalogue.causes.get(why.cause)
        group = f", {cause.group}" if cause else ""
        _row("cause", f"{why.cause}{f' ({why.confidence:.0%})' if cause else ''}{group}", "yellow")
    if one.verdict:
        _row("verdict", f"{one.verdict}: {one.proof}", "cyan")
    if one.differs:
        _row("differs", one.differs)
    if why is not None:
        code = f", exit code {why.exit_code}" if why.exit_code is not None else ""
        if why.step or code:
            _row("step", f"{why.step or 'unknown'}{code}")
        for test in why.tests[:TESTS_SHOWN]:
            _row("test", " ".join(part for part in (test.test, test.location) if part), "magenta")
        if len(why.tests) > TESTS_SHOWN:
            _row("", f"and {len(why.tests) - TESTS_SHOWN} more")
        _print_lines(why)
        for remedy in _remedies(why, catalogue)[:REMEDIES_SHOWN]:
            _row("try", remedy, "green")
    if one.rerun:
        _row("again", one.rerun)
    out.print()


def _row(name: str, text: str, style: str = "") -> None:
    out.print(Text.assemble((f"  {name:<8}", "dim"), (_plain(text), style)))


def _plain(text: str) -> str:
    """Return strangers' text without what a terminal would obey, cut where it is longer than anybody reads."""
    shown = "".join(letter if letter.isprintable() or letter == "\t" else " " for letter in text)
    return shown if len(shown) <= MAX_SHOWN else f"{shown[: MAX_SHOWN - 1]}…"


def _is_headline(text: str, headline: str) -> bool:
    shown = " ".join(text.split())
    return shown != "" and headline.startswith(shown)


def _print_lines(why: Explanation) -> None:
    width = len(str(why.lines[-1])) if why.lines else 1
    before = None
    tests = {test.line for test in why.tests}
    for line in why.excerpt:
        if before is not None and line.number > before + 1:
            out.print(Text(f"  {'':>{width}} ·", style="dim"))
        before = line.number
        is_hit = line.mark == "error" or line.number in tests or _is_headline(line.text, why.headline)
        shown = (_plain(line.text), "red" if is_hit else "")
        out.print(Text.assemble((f"  {line.number:>{width}} ", "dim"), ("│ ", "dim"), shown))
