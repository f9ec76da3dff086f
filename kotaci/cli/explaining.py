"""`kotaci causes`: the causes of failure that are told apart, and what to do about each."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.table import Table as TextTable

from kotaci.cli.configuring import config_here, config_option
from kotaci.cli.terminal import out, store_option
from kotaci.model import BadInput

if TYPE_CHECKING:
    from kotaci.logs.causes import Catalogue, Cause


@click.command("causes")
@click.argument("cause_id", default="", metavar="[ID]")
@click.option(
    "--repo", default="", help="owner/name, whose own causes are shown; without it the only one in the store."
)
@config_option
@click.option("--json", "as_json", is_flag=True, help="As JSON, with every pattern and example.")
@click.option("--markdown", "as_markdown", is_flag=True, help="The bundled catalogue as a page of Markdown.")
@store_option
def causes_command(
    *, cause_id: str, repo: str, config_path: str, as_json: bool, as_markdown: bool, store_path: Path
) -> None:
    """Tell the causes of failure that are told apart, or all about the one named ID."""
    from kotaci.logs.causes import read_catalogue

    if as_markdown:
        from kotaci.pages.causes import causes_page

        click.echo(causes_page(read_catalogue()), nl=False)
        return
    catalogue = read_catalogue(config_here(store_path=store_path, repo=repo, config_path=config_path).causes)
    shown = [_named(catalogue, cause_id)] if cause_id else list(catalogue.causes.values())
    if as_json:
        click.echo(json.dumps([asdict(cause) for cause in shown], indent=1))
    elif cause_id:
        _print_card(shown[0])
    else:
        _print_table(shown)


def _named(catalogue: Catalogue, cause_id: str) -> Cause:
    import difflib

    if cause_id in catalogue.causes:
        return catalogue.causes[cause_id]
    near = difflib.get_close_matches(cause_id, catalogue.causes, n=1)
    hint = f"did you mean {near[0]}?" if near else "`kotaci causes` lists them"
    raise BadInput(cause_id, "is not a cause", hint)


def _print_table(causes: list[Cause]) -> None:
    from kotaci.report.words import one_line

    table = TextTable(show_edge=False, pad_edge=False, header_style="bold", box=None, padding=(0, 2, 0, 0))
    for name in ("cause", "at fault"):
        table.add_column(name, no_wrap=True)
    table.add_column("what", overflow="fold")
    for cause in causes:
        name = f"{cause.id} (own)" if cause.is_own else cause.id
        title = one_line(cause.title, width=120)
        table.add_row(name, cause.group, f"{title} (playbook: {cause.playbook})" if cause.playbook else title)
    out.print(table, soft_wrap=False)
    out.print("\n`kotaci causes ID` tells remedies, and the lines that tell the cause.")


def _print_card(cause: Cause) -> None:
    from kotaci.logs.causes import OWN
    from kotaci.pages.causes import at_fault
    from kotaci.report.words import one_line

    out.print(f"{cause.id}: {one_line(cause.title, width=120)}", style="bold")
    if cause.definition != cause.title:
        out.print(one_line(cause.definition, width=500))
    out.print(f"At fault: {at_fault(cause)}.")
    if cause.playbook:
        out.print(f"Playbook: {cause.playbook}.")
    if cause.retry is not None:
        out.print(f"Run it again: {'worth a try' if cause.retry else 'seldom helps'}.")
    if cause.is_own:
        is_new = all(rule.tool == OWN for rule in cause.rules)
        out.print(f"The repository's own configuration adds {'it' if is_new else 'to it'}.")
    for number, remedy in enumerate(cause.remedies, 1):
        out.print(f"{number}. {one_line(remedy, width=500)}")
    out.print("\nTold by lines such as", style="bold")
    for rule in cause.rules:
        marks = [f"{rule.confidence:.0%}", *["sums up"] * rule.is_summary, *["weak"] * rule.is_weak]
        out.print(f"{one_line(rule.tool, width=80)} ({', '.join(marks)})")
        out.print(f"    {one_line(rule.examples[0], width=200)}", style="dim")
