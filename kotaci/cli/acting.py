"""`kotaci plan`, `kotaci apply`, `kotaci publish`: from a report to GitHub, first as a plan that a person can read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kotaci.cli.asking import POINTS, open_client
from kotaci.cli.terminal import complain, out
from kotaci.model import BadInput, ExitCode, Repo, plural
from kotaci.places import ENVIRONMENT, default_repo, is_ci

if TYPE_CHECKING:  # PyGithub takes half a second to import
    from kotaci.actions import Applied, Plan
    from kotaci.report.folder import ReportFolder

MIN_SUMMARY = 400
"""Characters below which a summary is left out: others have filled it."""

_STAGES = ("start", "progress", "result")


def api_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --api-url and --points, the same for all three."""
    command = click.option(
        "--points", default=POINTS, show_default=True, type=click.IntRange(0), help="Requests a minute; 0: any."
    )(command)
    return click.option("--api-url", show_default="that of the repository's host", help="GitHub Enterprise.")(command)


@click.command("plan")
@click.argument("report", type=click.Path(path_type=Path), required=False)
@click.option("--repo", default="", help="owner/name; it must be the report's.  [default: the report's]")
@click.option("-o", "--out", "out_path", type=click.Path(path_type=Path), default=Path("plan.json"), show_default=True)
@click.option(
    "--max-new", default=5, show_default=True, type=click.IntRange(0, 50), help="New issues, or pull requests, at most."
)
@click.option(
    "--on", "target", default="", help="One comment instead: issue:12, pull:34, commit:SHA; or run:ID/ATTEMPT."
)
@click.option("--stage", type=click.Choice(_STAGES), default="start", show_default=True, help="Which comment on work.")
@click.option("--fixed", multiple=True, help='What was resolved: "Resolved flaky test in ci.yml".')
@click.option("--claim", "claim_path", type=click.Path(path_type=Path), help="What `kotaci claim --json` printed.")
@click.option("--patch", "is_patch", is_flag=True, help="Pull requests with what `kotaci audit` can mend, instead.")
@click.option(
    "--workspace",
    type=click.Path(path_type=Path),
    show_default="the base branch on GitHub",
    help="With --patch: the checkout whose files are audited.",
)
@click.option("--rule", "rules", multiple=True, metavar="ID", help="With --patch: only this rule; may be given again.")
@click.option(
    "--config",
    "config_path",
    default="",
    metavar="FILE",
    show_default="KOTACI_CONFIG, else .github/kotaci.toml here or above",
    help="Configuration file, for the labels and the base branch.",
)
@api_options
def plan_command(
    *,
    report: Path | None,
    repo: str,
    out_path: Path,
    max_new: int,
    target: str,
    stage: str,
    fixed: Sequence[str],
    claim_path: Path | None,
    is_patch: bool,
    workspace: Path | None,
    rules: Sequence[str],
    config_path: str,
    api_url: str | None,
    points: int,
) -> None:
    """Plan what to write to GitHub from a report; nothing is written there.

    REPORT is a folder that `kotaci report` wrote. Without --on: issues for failing workflows and flaky tests, opened,
    brought up to date, closed where green again, opened again where it returns.

    With --patch: what the audit can mend by machine, as draft pull requests to the base branch, one for a
    rule in a file. REPORT is then where their prices are from, and may be left out; --repo may not.
    """
    from kotaci.actions import Measured, PlanOptions, Stage, fetch_held, plan_comment, plan_findings, write_plan
    from kotaci.config import config_in_force

    if is_patch:
        if target:
            raise BadInput("--patch", "does not go with --on", "leave one of them out")
        client_options = {"api_url": api_url, "points_per_minute": points or None}
        plan = _plan_patches(
            report,
            repo,
            workspace,
            rules=rules,
            max_new=max_new,
            config_path=config_path,
            client_options=client_options,
        )
        write_plan(plan, out_path)
        say_plan(plan, out_path)
        return
    if report is None:
        raise BadInput("plan", "is told no report", "name a folder that `kotaci report` wrote, or give --patch")
    told, name = _open_report(report, repo)
    if target:
        change = Measured.parse(_read(claim_path)) if claim_path else None
        plan = plan_comment(told, repo=name, target=target, stage=Stage(stage), fixed=fixed, change=change)
    else:
        labels = config_in_force(told=config_path, environment=ENVIRONMENT, repo=str(name), folder=Path.cwd()).labels
        client = open_client(name, api_url=api_url, points_per_minute=points or None)
        options = PlanOptions(max_new=max_new)
        plan = plan_findings(told, fetch_held(client, name), repo=name, labels=labels, options=options)
    write_plan(plan, out_path)
    say_plan(plan, out_path)


def _plan_patches(
    report: Path | None,
    repo: str,
    workspace: Path | None,
    *,
    rules: Sequence[str],
    max_new: int,
    config_path: str,
    client_options: Mapping[str, Any],
) -> Plan:
    from kotaci.actions import fetch_base, fetch_ground
    from kotaci.actions.patches import PatchOptions, plan_patches, to_remedies
    from kotaci.archives.checkout import read_checkout
    from kotaci.audit import audit, read_cards
    from kotaci.config import config_in_force
    from kotaci.github import fetch_tree

    for rule in rules:
        if rule not in read_cards():
            raise BadInput(rule, "is no rule", f"choose from {', '.join(read_cards())}")
    told = None if report is None else _open_report(report, repo)
    name = told[1] if told else Repo.parse(repo or default_repo(ENVIRONMENT))
    prices = {one.id: (one.price, one.n, one.method) for one in told[0].findings} if told else {}
    folder = (workspace or Path()).resolve()
    config = config_in_force(told=config_path, environment=ENVIRONMENT, repo=str(name), folder=folder)
    client, base = open_client(name, **client_options), config.base_branch
    if workspace is None:
        base = fetch_base(client, name, base=base)
        tree = fetch_tree(client, name, base)
    else:
        tree = read_checkout(workspace)
    remedies, left_out = to_remedies(tree, audit(tree, rules=rules).marks, prices=prices)
    ground = fetch_ground(
        client,
        name,
        base=base,
        paths={file.path for remedy in remedies for file in remedy.files},
        branches=[remedy.branch for remedy in remedies],
        max_new=max_new,
    )
    source = {"report": str(told[0].path), "digest": told[0].digest} if told else {}
    options = PatchOptions(max_new=max_new)
    return plan_patches(remedies, ground, repo=name, left_out=left_out, options=options, **source)


def say_plan(plan: Plan, path: Path) -> None:
    """Tell what the plan in that file would write, an action in two lines."""
    from kotaci.actions import needs
    from kotaci.report.words import one_line

    for place, action in enumerate(plan.actions):
        what = f": {one_line(action.title)}" if action.title else ""
        labels = f" [{', '.join(map(one_line, action.labels))}]" if action.labels else ""
        out.print(f"{action.kind} · {action.target}{what}{labels} · {one_line(action.reason)}")
        out.print(f"  {one_line(action.gh(plan=path.name, place=place))}")
    for told in plan.left_out:
        out.print(f"left out · {one_line(told)}")
    if needs(plan):
        out.print(f"note · {needs(plan)}")
    n = plural(len(plan.actions), "action")
    out.print(f"{n} in {path}; nothing is written yet" + (f": kotaci apply {path}" if plan.actions else "."))


@click.command("apply")
@click.argument("plan", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only look and say what would be done.")
@api_options
def apply_command(*, plan: Path, dry_run: bool, api_url: str | None, points: int) -> None:
    """Write to GitHub what PLAN says, each action once, however often it is applied.

    Where one action cannot be done nothing is written. Stopped half-way it goes on when applied again. The token
    needs issues: write; pull-requests: write, contents: write or actions: write for pull requests, commits, re-runs;
    for patches of workflow files the `workflow` scope, or Workflows: write.
    """
    from kotaci.actions import read_plan

    _apply(read_plan(plan), api_url=api_url, points=points, is_dry=dry_run)


def _apply(plan: Plan, *, api_url: str | None, points: int, is_dry: bool) -> None:
    from kotaci.actions import CannotApply, apply_plan, needs
    from kotaci.github import Refused

    if needs(plan) and is_ci(ENVIRONMENT):
        complain(f"note: {needs(plan)}")
    done = set[str]()

    def on_done(one: Applied) -> None:
        done.add(one.action.id)
        _say_done(one)

    client = open_client(Repo.parse(plan.repo), api_url=api_url, points_per_minute=points or None)
    try:
        if is_dry:
            for one in apply_plan(plan, client=client, is_dry=True):
                _say_done(one)
        else:
            apply_plan(plan, client=client, on_done=on_done)
    except Refused:
        for action in plan.actions:
            if action.change is not None and action.id not in done:
                click.echo(action.change.diff, nl=False)
        raise
    except CannotApply as refused:
        for refusal in refused.refusals:
            complain(refusal)
        complain("nothing was written")
        raise SystemExit(ExitCode.BAD_INPUT) from None
    if not plan.actions:
        out.print("The plan has no actions: nothing to do.")


def _say_done(one: Applied) -> None:
    from kotaci.report.words import one_line

    besides = f"; {one.besides}" if one.besides else ""
    title = f": {one_line(one.action.title)}" if one.action.title else ""
    out.print(f"{one.done} · {one.action.kind} · {one.action.target}{title}{besides} {one.url}".rstrip())


@click.command("publish")
@click.argument("report", type=click.Path(path_type=Path))
@click.option("--issue", type=click.IntRange(1), help="The issue that gets the report in short, as one comment.")
@click.option("--repo", default="", help="owner/name; it must be the report's.  [default: the report's]")
@click.option("--report-url", default="", help="Where the whole report lies.")
@click.option("--dry-run", is_flag=True, help="Only show the comment and say what would be done.")
@click.option("--summary", "writes_summary", is_flag=True, help="The same into $GITHUB_STEP_SUMMARY.")
@click.option("--annotations", "prints_annotations", is_flag=True, help="Findings as ::warning and ::notice lines.")
@api_options
def publish_command(
    *,
    report: Path,
    issue: int | None,
    repo: str,
    report_url: str,
    dry_run: bool,
    writes_summary: bool,
    prints_annotations: bool,
    api_url: str | None,
    points: int,
) -> None:
    """Put a report in short where people work: answers, findings, figures, links.

    REPORT is a folder that `kotaci report` wrote. The comment on --issue is one: the next report takes its place.
    """
    from kotaci.actions import plan_publish, to_annotations

    if issue is None and not writes_summary and not prints_annotations:
        raise BadInput("publish", "is told no place", "give --issue N, --summary or --annotations")
    told, name = _open_report(report, repo)
    plan = plan_publish(told, repo=name, issue=issue, report_url=report_url) if issue is not None else None
    if writes_summary:
        _write_summary(told, report_url)
    if prints_annotations:
        for line in to_annotations(told.findings):
            click.echo(line)
    if plan is not None:
        if dry_run:
            click.echo(plan.actions[0].body)
        _apply(plan, api_url=api_url, points=points, is_dry=dry_run)


def _write_summary(report: ReportFolder, report_url: str) -> None:
    from kotaci.actions import CONTENT_BUDGET, SUMMARY_BYTES, digest

    where = ENVIRONMENT.get("GITHUB_STEP_SUMMARY", "")
    if not where:
        raise BadInput("GITHUB_STEP_SUMMARY", "is not set", "leave out --summary outside of a workflow")
    path = Path(where)
    n_held = path.stat().st_size if path.is_file() else 0
    # A character is four bytes at most.
    room = (SUMMARY_BYTES - n_held) // 4 - 1
    if room < MIN_SUMMARY:
        complain(f"{path.name}: holds {n_held:,} bytes, near GitHub's limit; the summary is left out")
        return
    with path.open("a", encoding="utf-8", newline="\n") as file:
        file.write(digest(report, report_url=report_url, budget=min(CONTENT_BUDGET, room)) + "\n")


def _open_report(folder: Path, repo: str) -> tuple[ReportFolder, Repo]:
    from kotaci.report.folder import read_report

    # The plan names the folder, and is applied from anywhere.
    report = read_report(folder.resolve())
    if not repo and not report.repo:
        raise BadInput(folder, "does not tell its repository", "name it with --repo")
    return report, Repo.parse(repo or report.repo)


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(
            path, f"cannot be read ({type(error).__name__})", "give a file of `kotaci claim --json`"
        ) from None
