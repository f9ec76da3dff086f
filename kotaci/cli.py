"""The command table: `kotaci import`, `store`, `report`; the only place that knows the terminal and environment."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table as TextTable

from kotaci import __version__
from kotaci.model import BAD_OUTCOMES, BadInput, ExitCode, KotaciError, Outcome, Repo, RunRef, Severity, Window
from kotaci.places import ENVIRONMENT, default_store, is_ci, notebooks_folder

EXIT_CODES = """
\b
Exit codes: 0 done · 1 done, and a finding is at or above --fail-on · 2 bad input or configuration ·
3 incomplete but kept, run again · 4 GitHub refused · 5 a notebook failed, the rest was delivered
"""

# Paths and names hold brackets, which are no markup of ours.
out = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)


def store_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --store, the same for every command."""
    return click.option(
        "--store",
        "store_path",
        type=click.Path(path_type=Path),
        default=lambda: default_store(ENVIRONMENT),
        show_default="KOTACI_STORE, else the user's data folder",
        help="Folder of the store.",
    )(command)


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, epilog=EXIT_CODES)
@click.version_option(__version__, prog_name="kotaci")
@click.option("--verbose", is_flag=True, help="Say on stderr what is done.")
@click.option("--log-json", is_flag=True, help="The same as JSON, one object a line.")
def cli(*, verbose: bool, log_json: bool) -> None:
    """Investigate GitHub Actions that are red, flaky or slow."""
    _start_logging(verbose=verbose, as_json=log_json)


@cli.command("import")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--git", "clones", multiple=True, type=click.Path(path_type=Path), help="A clone: commits and workflow files."
)
@click.option("--repo", help="owner/name of these files; wins over what they tell.")
@click.option("--run", "run_text", help="The run of these logs: its id, RUN/ATTEMPT, or its address.")
@click.option("--workflow", default="", help="Path of the workflow file, where the files do not tell it.")
@store_option
def import_command(
    *,
    paths: Sequence[Path],
    clones: Sequence[Path],
    repo: str | None,
    run_text: str | None,
    workflow: str,
    store_path: Path,
) -> None:
    """Fill the store from what you have.

    PATHS are run-log zips or folders, saved `gh run view --log` output, single job logs, JUnit XML, or a tinuous
    tree (folder or tar). Importing the same twice changes nothing.
    """
    from kotaci.archives import Said, read_archive
    from kotaci.archives.git import read_clone
    from kotaci.store import Batch, open_store

    if not paths and not clones:
        raise BadInput("import", "was given nothing to read", "name a file or folder, or a clone with --git")
    said = Said(Repo.parse(repo) if repo else None, RunRef.parse(run_text) if run_text else None, workflow)
    missing = [path for path in (*paths, *clones) if not path.exists()]
    if missing:
        raise BadInput(missing[0], "does not exist", "check the spelling")

    skipped: list[tuple[Path, BadInput]] = []

    def batches() -> Iterator[Batch]:
        for path in paths:
            yield from read_archive(path, said=said, on_skipped=lambda file, error: skipped.append((file, error)))
        for clone in clones:
            # Commits last: one that is stored has its workflow files, also after a kill.
            payloads = sorted(read_clone(clone), key=lambda payload: payload.kind == "commit")
            name = said.repo or Repo.parse(_remote_of(payloads, clone))
            for start in range(0, len(payloads), 200):
                yield Batch(str(name), "git", payloads[start : start + 200])

    # Everything is read once before the store is made, where that is cheap: a wrong file leaves nothing behind.
    stream = _peeked(batches())
    with open_store(store_path, create=True) as store, _progress("importing") as tell:
        written = None
        for written in store.write(stream):
            tell(f"batches, {written.n_log_bytes / 1e6:,.0f} MB of logs", written.n_batches, None)
        summary = store.summary()
    if written is None or written.n_changed == 0:
        out.print(f"Nothing new; the store at {store_path} holds all of it.")
    else:
        out.print(
            f"Stored {written.n_changed:,} new things in {store_path}; "
            f"{written.n_log_bytes / 1e6:,.1f} MB of logs were read."
        )
    for file, error in skipped[:10]:
        err.print(f"skipped {file}: {error.problem}")
    if len(skipped) > 10:
        err.print(f"skipped {len(skipped) - 10} more files that hold no log")
    if written is not None and written.n_redacted:
        out.print(f"Replaced {written.n_redacted} secrets on the way in.")
    _say_held(summary)


def _remote_of(payloads: Sequence[Any], clone: Path) -> str:
    head: dict[str, Any] = next((payload.body for payload in payloads if payload.kind == "head"), {})
    if not head.get("remote"):
        raise BadInput(clone, "does not tell its repository", "say it with --repo owner/name")
    return str(head["remote"])


def _peeked(batches: Iterator[Any]) -> Iterator[Any]:
    first = next(batches, None)

    def chained() -> Iterator[Any]:
        if first is not None:
            yield first
        yield from batches

    return chained()


@cli.group("store", invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@store_option
@click.pass_context
def store_group(context: click.Context, *, as_json: bool, store_path: Path) -> None:
    """Tell what is in the store; check it, prune it."""
    context.default_map = {name: {"store_path": store_path} for name in ("check", "prune")}
    if context.invoked_subcommand is None:
        told = _describe(store_path)
        if as_json:
            click.echo(json.dumps(told, indent=1, default=str))
        else:
            _print_store(told)


@store_group.command("check")
@click.option("--forget", is_flag=True, help="Forget what is lost or damaged, so that it can come back.")
@store_option
def check_command(*, forget: bool, store_path: Path) -> None:
    """Read everything back and say what is wrong."""
    from kotaci.store import open_store

    with open_store(store_path) as store:
        problems = store.check()
        for problem in problems:
            err.print(problem)
        if problems and forget:
            out.print(f"Forgot {store.forget_broken():,} damaged things; import or fetch them again.")
            problems = store.check()
    if problems:
        hint = "import anew what is named above" if forget else "run it with --forget, then import again"
        raise BadInput(store_path, f"is damaged in {len(problems)} places", hint)
    out.print(f"{store_path}: every payload and log reads back as it was stored.")


@store_group.command("prune")
@click.option("--before", required=True, help="A date, or a length such as 180d back from the newest run.")
@click.option("--repo", help="Only this repository.")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@store_option
def prune_command(*, before: str, repo: str | None, dry_run: bool, store_path: Path) -> None:
    """Drop the logs of whole months that end before a date; the tables drawn from them stay."""
    from kotaci.facts import build_facts
    from kotaci.store import open_store

    name = str(Repo.parse(repo)) if repo else None
    with open_store(store_path) as store:
        build_facts(store)
        told = _describe(store_path)
        window = Window.parse(
            since=before, as_of=told["window"]["until"] and datetime.fromisoformat(told["window"]["until"])
        )
        if window.since is None:
            raise BadInput(before, "is not a date", "write 2026-01-01, or 180d")
        if dry_run:
            n_logs, n_bytes = store.prunable(before=window.since, repo=name)
        else:
            n_logs, n_bytes = store.prune(before=window.since, repo=name)
    verb = "Would drop" if dry_run else "Dropped"
    out.print(f"{verb} {n_logs:,} logs ({n_bytes / 1e6:,.1f} MB) of months before {window.since:%Y-%m}.")


@cli.command("report")
@click.argument("names", nargs=-1)
@click.option("--repo", default="", help="owner/name; without it the only one in the store.")
@click.option("--since", default=None, help="A date, a length back (30d), or `all`.  [default: the notebook's]")
@click.option("--until", default=None, help="A date, included.  [default: the newest run]")
@click.option("-p", "given", multiple=True, metavar="NAME=VALUE", help="A parameter of the notebooks.")
@click.option("--out", "out_path", type=click.Path(path_type=Path), default=Path("kotaci-report"), show_default=True)
@click.option("--sample", "is_sample", is_flag=True, help="The bundled sample instead of the store.")
@click.option("--jobs", default=2, show_default=True, type=click.IntRange(1, 16), help="Notebooks at a time.")
@click.option("--fail-on", default=None, help="Exit 1 on a finding of this severity or above: low, medium, high.")
@click.option(
    "--notebooks", "folder", type=click.Path(path_type=Path), default=None, help="Another folder of notebooks."
)
@store_option
def report_command(
    *,
    names: Sequence[str],
    repo: str,
    since: str | None,
    until: str | None,
    given: Sequence[str],
    out_path: Path,
    is_sample: bool,
    jobs: int,
    fail_on: str | None,
    folder: Path | None,
    store_path: Path,
) -> None:
    """Run notebooks headless and write HTML, Markdown and findings.

    NAMES are notebooks (`ci_health`) or paths of .ipynb files; without one, all of them.
    """
    from kotaci.facts import build_facts, read_history
    from kotaci.report import runner
    from kotaci.sample import SAMPLE, open_sample
    from kotaci.store import open_store

    threshold = Severity.parse(fail_on) if fail_on else None
    chosen = _choose(names, folder or notebooks_folder())
    parameters = _parse_given(given)
    if "store" in parameters:
        raise BadInput(f"store={parameters['store']}", "is not set with -p", "use --store, or --sample")
    for name, value in (("repo", repo or None), ("since", since), ("until", until)):
        if value is not None:
            parameters[name] = value
    for notebook in chosen:
        known = {parameter.name for parameter in notebook.parameters}
        runner.check_parameters(notebook, {key: value for key, value in parameters.items() if key in known})
    if not any("store" in {parameter.name for parameter in notebook.parameters} for notebook in chosen):
        raise BadInput(chosen[0].path, "has no parameter `store`", "give notebooks of kotaci")
    Window.parse(since=parameters.get("since", ""), until=parameters.get("until", ""))
    store = open_sample() if is_sample or str(store_path) == SAMPLE else open_store(store_path)
    with store, _progress("tables") as tell:
        build_facts(store, on_progress=tell)
        read_history(
            store,
            repo=parameters.get("repo", ""),
            since=parameters.get("since", ""),
            until=parameters.get("until", ""),
            tables=[],
        )
    parameters["store"] = str(store.path.resolve())
    with _progress("notebooks") as tell:
        n_done = 0

        def on_progress(notebook: runner.Notebook, report: runner.Report | None) -> None:
            nonlocal n_done
            n_done += report is not None
            state = "" if report is None else f" done in {report.wall_s:.1f} s" if not report.error else " failed"
            tell(f"{notebook.name}{state}", n_done, len(chosen))

        reports = runner.run(chosen, parameters=parameters, out=out_path, jobs=jobs, on_progress=on_progress)
    _print_reports(reports, out_path)
    out.print(f"Read from the store {store.path}")
    if any(report.error for report in reports):
        raise SystemExit(ExitCode.NOTEBOOK_FAILED)
    if threshold is not None and any(f.severity >= threshold for report in reports for f in report.findings):
        raise SystemExit(ExitCode.BAD_FINDING)


def _choose(names: Sequence[str], folder: Path) -> list[Any]:
    import difflib

    from kotaci.report.runner import read_notebook, read_notebooks

    if not names:
        return read_notebooks(folder)
    known = {path.stem: path for path in sorted(folder.glob("*.ipynb"))}
    chosen = []
    for name in names:
        if name not in known and not name.endswith(".ipynb"):
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"choose from {', '.join(known)}"
            raise BadInput(name, "is not a notebook", hint)
        chosen.append(read_notebook(known.get(name, Path(name))))
    return chosen


def _parse_given(given: Sequence[str]) -> dict[str, str]:
    parameters = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise BadInput(text, "is not a parameter", "write it as name=value")
        parameters[name.strip()] = value
    return parameters


def _print_reports(reports: Sequence[Any], out_path: Path) -> None:
    table = TextTable(show_edge=False, pad_edge=False, header_style="bold", box=None, padding=(0, 2))
    for column in ("report", "answer", "findings"):
        table.add_column(column, overflow="fold")
    for report in reports:
        answer = report.error or report.answer_markdown
        counts = [sum(finding.severity == level for finding in report.findings) for level in reversed(Severity)]
        told = ", ".join(f"{n} {level.name.lower()}" for n, level in zip(counts, reversed(Severity), strict=True) if n)
        table.add_row(report.name, _plain(answer), told or "none")
    Console(highlight=False, markup=False, emoji=False).print(table)
    out.print(f"\nOpen {out_path.resolve() / 'index.html'}")


def _plain(markdown: str) -> str:
    import html
    import re

    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", re.sub(r"</?[a-z]+>", "", markdown))
    return html.unescape(re.sub(r"(?<!\\)[*`]|\\(?=[^\w\s])", "", text)).replace("\u200b", "").replace("\u2060", "")


def _describe(store_path: Path) -> dict[str, Any]:
    from kotaci.facts import build_facts, read_history
    from kotaci.store import open_store

    with open_store(store_path) as store:
        build_facts(store)
        summary = store.summary()
        repos, states = {}, dict.fromkeys(summary["logs"], 0)
        for repo in store.repos():
            history = read_history(store, repo=repo)
            runs, jobs = history["runs"], history["jobs"]
            repos[repo] = {
                "since": None if runs.empty else runs["started_at"].min().isoformat(),
                "until": history.as_of.isoformat() if history.as_of else None,
                "runs": int(runs["run_id"].nunique()),
                "attempts": len(runs),
                "jobs": len(jobs),
                "failed_jobs": int(jobs["outcome"].isin(BAD_OUTCOMES).sum()),
                "cancelled_jobs": int((jobs["outcome"] == Outcome.CANCELLED).sum()),
            }
            for state, n in jobs["log_state"].value_counts().items():
                states[state] = states.get(state, 0) + int(n)
    counts = ("runs", "attempts", "jobs", "failed_jobs", "cancelled_jobs")
    ends = [repo["until"] for repo in repos.values() if repo["until"]]
    starts = [repo["since"] for repo in repos.values() if repo["since"]]
    return {
        "store": str(store_path),
        "window": {"since": min(starts, default=None), "until": max(ends, default=None)},
        **{name: sum(int(repo[name] or 0) for repo in repos.values()) for name in counts},
        **summary,
        "logs": states,
        "repos": repos,
    }


def _print_store(told: dict[str, Any]) -> None:
    out.print(f"Store {told['store']}, {told['size'] / 1e6:,.1f} MB on disk")
    window = told["window"]
    if window["since"]:
        out.print(f"From {window['since'][:16]} to {window['until'][:16]} UTC")
    table = TextTable(show_edge=False, pad_edge=False, header_style="bold", box=None, padding=(0, 2))
    table.add_column("repository")
    for name in ("runs", "attempts", "jobs", "failed", "cancelled"):
        table.add_column(name, justify="right")
    for repo, held in told["repos"].items():
        numbers = (held[key] for key in ("runs", "attempts", "jobs", "failed_jobs", "cancelled_jobs"))
        table.add_row(repo, *(f"{number:,}" for number in numbers))
    out.print(table)
    _say_held(told)


def _say_held(summary: dict[str, Any]) -> None:
    logs = ", ".join(f"{n:,} {state.replace('_', ' ')}" for state, n in summary["logs"].items() if n) or "none"
    out.print(
        f"Logs: {logs}; {summary['log_bytes'] / 1e6:,.1f} MB kept in {summary['stored_log_bytes'] / 1e6:,.1f} MB. "
        f"Secrets replaced: {summary['redacted']}."
    )
    others = ", ".join(f"{n:,} {kind}" for kind, n in summary["payloads"].items() if kind not in {"run", "job"})
    if others:
        out.print(f"Besides: {others}.")


@contextmanager
def _progress(what: str) -> Iterator[Callable[[str, int, int | None], None]]:
    """Yield a function (text, done, total) that shows progress: a bar on a terminal, plain lines elsewhere."""
    if not err.is_terminal or is_ci(ENVIRONMENT):
        yield lambda text, done, total: click.echo(f"{what}: {done}{f'/{total}' if total else ''} {text}", err=True)
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda text, done, total: bar.update(task, description=f"{what}: {text}", completed=done, total=total)


def _start_logging(*, verbose: bool, as_json: bool) -> None:
    logger = logging.getLogger("kotaci")
    if not verbose and not as_json:
        logger.addHandler(logging.NullHandler())
        return
    from pythonjsonlogger.json import JsonFormatter

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter("{asctime}{levelname}{name}{message}", style="{"))
    if not as_json:
        handler.setFormatter(logging.Formatter("%(asctime)s %(name)s: %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; errors are one line on stderr."""
    try:
        cli.main(args=None if arguments is None else list(arguments), prog_name="kotaci", standalone_mode=False)
    except KotaciError as error:
        click.echo(f"kotaci: {error}", err=True)
        return error.exit_code
    except OSError as error:
        # A disk that fills while a report is written, a folder that vanishes: what stands is whole, each file being
        # replaced in one step.
        click.echo(
            f"kotaci: {error.filename or 'disk'}: {error.strerror or error}; mend that and run it again", err=True
        )
        return ExitCode.INCOMPLETE
    except click.exceptions.Abort:
        click.echo("kotaci: stopped; what was stored is kept, run it again to go on", err=True)
        return ExitCode.INCOMPLETE
    except click.ClickException as error:
        click.echo(f"kotaci: {error.format_message()}; see kotaci --help", err=True)
        return ExitCode.BAD_INPUT
    except SystemExit as ended:
        return int(ended.code or 0)
    except Exception as error:
        # The contract knows no other exit codes; the trace is there for whoever asks for it.
        logging.getLogger("kotaci").exception("unexpected")
        words = " ".join(str(error).split())[:200]
        hint = "run `kotaci store check`; if that is clean, kotaci is at fault, and `kotaci --verbose` shows where"
        click.echo(f"kotaci: {type(error).__name__}: {words}; {hint}", err=True)
        return ExitCode.BAD_INPUT
    return ExitCode.DONE


if __name__ == "__main__":
    sys.exit(main())
