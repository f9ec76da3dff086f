"""`kotaci report`: notebooks, headless."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table as TextTable

from kotaci.cli.configuring import config_option
from kotaci.cli.terminal import complain, out, progress, store_option
from kotaci.model import BadInput, ExitCode, Severity, Window, plural
from kotaci.places import ENVIRONMENT, default_repo, notebooks_folder


@click.command("report")
@click.argument("names", nargs=-1)
@click.option("--repo", default="", help="owner/name; without it the only one in the store.")
@click.option("--since", default=None, help="A date, a length back (30d), or `all`.  [default: the notebook's]")
@click.option("--until", default=None, help="A date, included.  [default: the last fetch, else the newest run]")
@click.option("-p", "given", multiple=True, metavar="NAME=VALUE", help="A parameter of the notebooks.")
@click.option("--out", "out_path", type=click.Path(path_type=Path), default=Path("kotaci-report"), show_default=True)
@click.option("--sample", "is_sample", is_flag=True, help="The bundled sample instead of the store.")
@config_option
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
    config_path: str,
    jobs: int,
    fail_on: str | None,
    folder: Path | None,
    store_path: Path,
) -> None:
    """Run notebooks headless and write HTML, Markdown and findings.

    NAMES are notebooks (`ci_health`) or paths of .ipynb files; without one, all of them.
    """
    from kotaci.config import config_in_force
    from kotaci.facts import build_facts, read_history
    from kotaci.report import runner
    from kotaci.sample import SAMPLE, open_sample
    from kotaci.store import open_store

    threshold = Severity.parse(fail_on) if fail_on else None
    chosen = _choose(names, folder or notebooks_folder())
    parameters = _parse_given(given)
    if "store" in parameters:
        raise BadInput(f"store={parameters['store']}", "is not set with -p", "use --store, or --sample")
    for name, value in (("repo", repo or None), ("since", since), ("until", until), ("config", config_path or None)):
        if value is not None:
            parameters[name] = value
    known = {parameter.name for notebook in chosen for parameter in notebook.parameters}
    if not parameters.get("repo") and "repo" in known and default_repo(ENVIRONMENT):
        parameters["repo"] = default_repo(ENVIRONMENT)
    for notebook in chosen:
        its = {parameter.name for parameter in notebook.parameters}
        runner.check_parameters(notebook, {key: value for key, value in parameters.items() if key in its})
    if "store" not in known:
        raise BadInput(chosen[0].path, "has no parameter `store`", "give notebooks of kotaci")
    Window.parse(since=parameters.get("since", ""), until=parameters.get("until", ""))
    told = parameters.get("config", "")
    # Before anything is made: a wrong file is refused at once. The store's own one is only known later.
    config_in_force(told=told, environment=ENVIRONMENT)
    is_sample = is_sample or str(store_path) == SAMPLE
    store = open_sample() if is_sample else open_store(store_path)
    with store, progress("tables") as tell:
        build_facts(store, on_progress=tell)
        history = read_history(
            store,
            repo=parameters.get("repo", ""),
            since=parameters.get("since", ""),
            until=parameters.get("until", ""),
            tables=[],
        )
        # The checkout that one stands in says nothing of the sample.
        here = None if is_sample else Path.cwd()
        config = config_in_force(told=told, environment=ENVIRONMENT, store=store, repo=history.repo, folder=here)
    parameters["store"] = str(store.path.resolve())
    if config.path is not None and (told or "config" in known):
        parameters["config"] = str(config.path.resolve())
    with progress("notebooks") as tell:
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
        n_bad = sum(f.severity >= threshold for report in reports for f in report.findings)
        complain(f"{plural(n_bad, 'finding')} of severity {fail_on} or above (--fail-on {fail_on})")
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
        table.add_row(report.name, plain(answer), told or "none")
    Console(highlight=False, markup=False, emoji=False).print(table)
    out.print(f"\nOpen {out_path.resolve() / 'index.html'}")


def plain(markdown: str) -> str:
    import html
    import re

    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", re.sub(r"</?[a-z]+>", "", markdown))
    return html.unescape(re.sub(r"(?<!\\)[*`]|\\(?=[^\w\s])", "", text)).replace("\u200b", "").replace("\u2060", "")
