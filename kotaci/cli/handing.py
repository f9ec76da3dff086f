"""`kotaci handoff`: what the next one needs to know of CI, and the page about its workflows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kotaci.cli.acting import say_plan
from kotaci.cli.configuring import config_here, config_option
from kotaci.cli.terminal import complain, err, progress, store_option
from kotaci.model import BadInput, Repo, Window
from kotaci.places import ENVIRONMENT, default_repo

if TYPE_CHECKING:
    from kotaci.actions import Plan
    from kotaci.pages.handoff import Handoff

README = Path(".github/workflows/README.md")
TITLE = "# Workflows\n"
FILE = "handoff.md"


@click.command("handoff")
@click.option("--repo", default="", help="owner/name; without it the only one in the store.")
@click.option("--since", default="30d", show_default=True, help="Changes since: a date, a length back, or all.")
@click.option("--window", default="90d", show_default=True, help="What figures rest on: a date, a length back, or all.")
@click.option("--out", "out_path", type=click.Path(path_type=Path), help="Folder for handoff.md and README.md.")
@click.option(
    "--workspace",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Checkout whose .github/workflows/README.md is brought up to date.",
)
@click.option("--issue", type=click.IntRange(1), help="Plan it as the one comment on that issue.")
@click.option("--tag", "tags", multiple=True, help="Whom the comment notifies: @user or @org/team.  [default: nobody]")
@click.option(
    "--plan", "plan_path", type=click.Path(path_type=Path), default=Path("plan.json"), show_default=True,
    help="File of that plan, for `kotaci apply`.",
)  # fmt: skip
@click.option("--sample", "is_sample", is_flag=True, help="The bundled sample instead of the store.")
@click.option("--json", "as_json", is_flag=True, help="The hand-off as JSON.")
@config_option
@store_option
def handoff_command(
    *,
    repo: str,
    since: str,
    window: str,
    out_path: Path | None,
    workspace: Path | None,
    issue: int | None,
    tags: Sequence[str],
    plan_path: Path,
    is_sample: bool,
    as_json: bool,
    config_path: str,
    store_path: Path,
) -> None:
    """Tell the next one of CI: changes made, flaky tests, performance, open findings, whom to tag.

    It is printed as Markdown, and written to a folder with --out, beside a page about every workflow: triggers, jobs,
    graph of needs, time-outs, caches, times, failure rates, owners. In a README that is there, only what stands between
    kotaci's markers is replaced.

    With --issue nothing is written to GitHub yet: `kotaci apply` does, as one comment that the next hand-off renews. It
    names people as code, which notifies nobody; --tag does.
    """
    from kotaci.config import Config
    from kotaci.facts import build_facts, read_history
    from kotaci.pages.files import newest_files
    from kotaci.pages.handoff import TABLES, handoff_page, said_of, to_handoff, to_json
    from kotaci.pages.workflows import workflows_page
    from kotaci.sample import SAMPLE, open_sample
    from kotaci.store import open_store

    readmes = [] if out_path is None else [out_path / "README.md"]
    if workspace is not None:
        if not (workspace / README.parent).is_dir():
            raise BadInput(workspace, f"has no {README.parent}", "name the folder of a checkout with --workspace")
        readmes.append(workspace / README)
    for path in readmes:
        _with_section(path, "")
    is_sample = is_sample or str(store_path) == SAMPLE
    if issue is not None:
        _check_issue(tags, is_sample=is_sample)
    asked = "" if is_sample else repo or default_repo(ENVIRONMENT)
    settings = Config() if is_sample else config_here(store_path=store_path, repo=asked, config_path=config_path)
    with open_sample() if is_sample else open_store(store_path) as store:
        with progress("tables") as tell:
            build_facts(store, on_progress=tell)
        history = read_history(store, repo=asked, since=window, tables=TABLES)
        if settings.base_branch:
            history = replace(history, default_branch=settings.base_branch)
        begin = Window.parse(since=since, as_of=history.as_of).since
        everything = read_history(store, repo=asked, since="all", tables=["runs", "commits"])
        sha, texts = newest_files(store, replace(everything, default_branch=history.default_branch))
        handoff = to_handoff(history, settings, texts=texts, commit_sha=sha, since=begin)
    page, section = handoff_page(handoff), workflows_page(handoff.workflows)
    plan = None if issue is None else _planned(handoff, plan_path, issue=issue, tags=tags)
    written = [] if plan is None else [plan_path]
    if out_path is not None:
        out_path.mkdir(parents=True, exist_ok=True)
        (out_path / FILE).write_text(page, encoding="utf-8")
        written.append(out_path / FILE)
    if readmes and not texts:
        complain("no workflow file is held, so no README is written; import a clone with `kotaci import --git`")
        readmes = []
    for path in readmes:
        _write(path, _with_section(path, section))
        written.append(path)
    if as_json:
        click.echo(json.dumps(to_json(handoff), indent=1, ensure_ascii=False))
    elif plan is not None:
        say_plan(plan, plan_path)
    elif out_path is None:
        click.echo(page, nl=False)
    for path in written:
        err.print(f"Written: {path}")
    err.print(f"{handoff.history.repo}: {said_of(handoff)}")


def _check_issue(tags: Sequence[str], *, is_sample: bool) -> None:
    from kotaci.actions import check_tags

    if is_sample:
        raise BadInput("--issue", "does not go with the sample, an invented repository", "hand over your own")
    check_tags(tags)


def _planned(handoff: Handoff, path: Path, *, issue: int, tags: Sequence[str]) -> Plan:
    """Write the plan of the comment on that issue, and return it."""
    from kotaci.actions import CONTENT_BUDGET, plan_handoff, write_plan
    from kotaci.pages.handoff import handoff_page, said_of

    history = handoff.history
    page, note = handoff_page(handoff, budget=CONTENT_BUDGET), said_of(handoff)
    repo, as_of = Repo.parse(history.repo), history.as_of
    plan = plan_handoff(page, repo=repo, issue=issue, as_of=as_of, note=note, tags=tags)
    write_plan(plan, path)
    return plan


def _with_section(path: Path, section: str) -> str:
    """Return the README at `path`, or a new one, with that section. Raises BadInput for one that cannot hold it."""
    from kotaci.pages.workflows import NAME
    from kotaci.report.sections import replace_section

    try:
        text = path.read_bytes().decode("utf-8") if path.exists() else TITLE
    except UnicodeDecodeError as error:
        raise BadInput(path, "is not UTF-8", "save it as UTF-8 and run it again") from error
    return replace_section(text, section, name=NAME, source=path)


def _write(path: Path, text: str) -> None:
    """Replace the file in one step."""
    new = path.with_suffix(".md.new")
    new.write_bytes(text.encode("utf-8"))
    new.replace(path)
