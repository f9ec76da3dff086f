"""`kotaci audit`: what is wrong with workflow files and what they depend on, read as text."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kotaci.cli.marking import print_annotations, print_audit, print_rules, to_json
from kotaci.cli.terminal import complain, err, out
from kotaci.model import BadInput, Certainty, ExitCode, Repo, Severity, plural, repo_url
from kotaci.places import ENVIRONMENT
from kotaci.report.words import one_line

if TYPE_CHECKING:  # half a second to import, most of it for reading stores and logs
    from kotaci.archives.checkout import Tree
    from kotaci.audit import Audit, Known, Mark

FORMATS = ("text", "json", "sarif", "annotations", "markdown")


@click.command("audit")
@click.argument("what", default=".", metavar="[PATH | OWNER/REPO[@REF]]")
@click.option("--commit", default="", help="A branch, tag or commit of the clone at PATH, instead of its files.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True)
@click.option("--rule", "chosen", multiple=True, metavar="ID", help="Only this rule; may be given again.")
@click.option("--severity", default="low", show_default=True, help="The least that is shown: low, medium, high.")
@click.option("--certainty", default="low", show_default=True, help="The least: low, medium, high, proved.")
@click.option("--fail-on", default=None, help="Exit 1 on a finding of this severity or above: low, medium, high.")
@click.option("--no-linters", is_flag=True, help="Run neither zizmor nor actionlint.")
@click.option("--baseline", "baseline_path", type=click.Path(path_type=Path), help="Findings that are known already.")
@click.option("--write-baseline", "writes_baseline", is_flag=True, help="Write what is found into --baseline.")
@click.option("--fix", is_flag=True, help="Show the remedies that a machine can make, as one diff.")
@click.option("--write", "writes", is_flag=True, help="With --fix: make them, and audit again.")
@click.option("--rules", "lists_rules", is_flag=True, help="List the rules; with --format markdown as a page.")
@click.option("--patterns", "lists_patterns", is_flag=True, help="Print workflows that the audit passes, to copy from.")
@click.option("--history", "looks_back", is_flag=True, help="Audit earlier versions of the clone at PATH too.")
@click.option("--since", default="", help="With --history: from this date, or so long back (90d).  [default: all]")
@click.option("--base", default="", help="With --history: where pull requests go.  [default: the branch of HEAD]")
@click.option(
    "--versions",
    "most_versions",
    default=200,
    show_default=True,
    type=click.IntRange(1, 100_000),
    help="With --history: the newest so many.",
)
@click.option(
    "--store", "store_path", type=click.Path(path_type=Path), help="With --history: measure claims by its runs."
)
@click.option("--api-url", show_default="that of the repository's host", help="GitHub Enterprise.")
def audit_command(
    *,
    what: str,
    commit: str,
    form: str,
    chosen: Sequence[str],
    severity: str,
    certainty: str,
    fail_on: str | None,
    no_linters: bool,
    baseline_path: Path | None,
    writes_baseline: bool,
    fix: bool,
    writes: bool,
    lists_rules: bool,
    lists_patterns: bool,
    looks_back: bool,
    since: str,
    base: str,
    most_versions: int,
    store_path: Path | None,
    api_url: str | None,
) -> None:
    """Audit workflow files, and what CI depends on, without running anything.

    Read is the checkout at PATH (here, without one), or a repository on GitHub. zizmor and actionlint are run where
    they are installed. A comment `# kotaci: ignore[RULE] reason` on a line, or above it, excuses what is found there.

    --history reads the commits of a clone: when each finding came and went, job legs and tests over time, limits that
    were only loosened, bursts of commits, and what messages claim of the time it takes. Linters are left out.
    """
    from kotaci.audit import Linted, audit, run_linters
    from kotaci.audit.baseline import parse_baseline

    if lists_rules:
        _list_rules(form)
        return
    if lists_patterns:
        _list_patterns()
        return
    threshold = Severity.parse(fail_on) if fail_on else None
    is_shown = _filter(severity, certainty)
    _check_rules(chosen)
    if looks_back:
        if form not in {"text", "json"} or baseline_path is not None or writes_baseline or fix:
            raise BadInput("--history", "is told as text or JSON, and without the other options", "leave them out")
        from kotaci.cli.looking_back import look_back

        look_back(
            Path(what).expanduser(),
            ref=commit or "HEAD",
            since=since,
            base=base,
            most=most_versions,
            rules=chosen,
            is_shown=is_shown,
            as_json=form == "json",
            store_path=store_path,
        )
        return
    if since or base or store_path is not None:
        raise BadInput("--since, --base and --store", "are told without --history", "give both")
    _check_options(
        form=form, chosen=chosen, baseline=baseline_path, writes_baseline=writes_baseline, fix=fix, writes=writes
    )
    tree, repo, folder = _read(what, commit, api_url)
    if writes and folder is None:
        raise BadInput(what, "cannot be written to: only a checkout can", "give its folder, without --commit")
    baseline: tuple[Known, ...] = ()
    if baseline_path is not None and not writes_baseline:
        baseline = parse_baseline(_text(baseline_path), path=baseline_path)
    wants_linters = not no_linters and (not chosen or any("/" in rule for rule in chosen))

    def look() -> Audit:
        now = tree if folder is None else _checkout(folder, "")
        linted = run_linters(now, environment=ENVIRONMENT) if wants_linters else Linted()
        return audit(now, rules=chosen, linted=linted, baseline=baseline)

    found = look()
    if not found.project.workflows and not found.project.actions:
        hint = "name the root of a checkout, which has .github/workflows, or of a bare clone with --commit HEAD"
        raise BadInput(what, "holds no workflow files", hint)
    for linter in found.linters:
        if linter.failure:
            complain(linter)
    if writes_baseline and baseline_path is not None:
        _write_baseline(found, baseline_path)
        return
    shown = list(filter(is_shown, found.marks))
    if fix:
        shown = list(filter(is_shown, _fix(found, shown, folder if writes else None, look).marks))
    else:
        _print(found, shown, form=form, repo=repo)
    if threshold is not None:
        _judge(shown, threshold)


def _filter(severity: str, certainty: str) -> Callable[[Mark], bool]:
    """Return what tells whether a mark is shown. Raises BadInput."""
    least = Severity.parse(severity)
    order = [Certainty.PROVED, Certainty.HIGH, Certainty.MEDIUM, Certainty.LOW]
    if certainty not in order:
        raise BadInput(certainty, "is not a certainty", "use low, medium, high or proved")
    kept = order[: order.index(Certainty(certainty)) + 1]

    def is_shown(mark: Mark) -> bool:
        from kotaci.audit import describe

        said = describe(mark.rule)
        return (mark.severity or said.severity) >= least and (mark.certainty or said.certainty) in kept

    return is_shown


def _check_rules(chosen: Sequence[str]) -> None:
    import difflib

    from kotaci.audit import read_cards
    from kotaci.audit.auditing import LINTERS

    for rule in chosen:
        if rule not in read_cards() and rule.partition("/")[0] not in LINTERS:
            near = difflib.get_close_matches(rule, read_cards(), n=1)
            raise BadInput(
                rule, "is not a rule", f"did you mean {near[0]}?" if near else "`kotaci audit --rules` lists them"
            )


def _check_options(
    *, form: str, chosen: Sequence[str], baseline: Path | None, writes_baseline: bool, fix: bool, writes: bool
) -> None:
    if writes and not fix:
        raise BadInput("--write", "is told without --fix", "give both")
    if fix and form != "text":
        raise BadInput(f"--format {form}", "is not used with --fix, which prints a diff", "leave it out")
    if writes_baseline and baseline is None:
        raise BadInput("--write-baseline", "is told no file", "name it with --baseline")
    if writes_baseline and (chosen or fix):
        raise BadInput("--write-baseline", "holds all that is found", "leave --rule and --fix out")


def _read(what: str, commit: str, api_url: str | None) -> tuple[Tree, str, Path | None]:
    """Return the files, the repository where it is known, and the folder where one was read."""
    path = Path(what).expanduser()
    if path.exists():
        return _checkout(path, commit), "", None if commit else path
    name, at, ref = what.rpartition("@")
    if not at or name == "git":  # git@github.com:OWNER/REPO
        name, ref = what, ""
    try:
        repo = Repo.parse(name)
    except BadInput:
        raise BadInput(what, "does not exist here, and is no repository", "give a folder, or OWNER/REPO") from None
    if commit:
        raise BadInput(f"--commit {commit}", "is for a clone", f"write {name}@{commit}")
    from kotaci.cli.asking import open_client
    from kotaci.github import fetch_tree

    return fetch_tree(open_client(repo, api_url=api_url), repo, ref), str(repo), None


def _checkout(path: Path, commit: str) -> Tree:
    from kotaci.archives.checkout import read_checkout

    return read_checkout(path, commit=commit)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        raise BadInput(path, "is not UTF-8", "write it anew with --write-baseline") from None
    except OSError as error:
        raise BadInput(path, error.strerror or "cannot be read", "make it with --write-baseline") from None


def _write_baseline(found: Audit, path: Path) -> None:
    from kotaci.audit.baseline import known_of, parse_baseline, to_text

    run = {linter.name for linter in found.linters if linter.has_run}
    held = parse_baseline(_text(path), path=path) if path.exists() else ()
    # What a linter found that cannot be run here is not known to be gone.
    kept = [one for one in held if "/" in one.rule and one.rule.partition("/")[0] not in run]
    entries = [*known_of(found.marks), *kept]
    _replace(path, to_text(entries).encode("utf-8"))
    out.print(f"{plural(sum(one.n for one in entries), 'finding')} in {path}: from now on only what is new counts")


def _replace(path: Path, content: bytes) -> None:
    """Replace the file in one step, its mode kept."""
    import shutil

    part = path.with_name(f".{path.name}.part")
    part.write_bytes(content)
    if path.exists():
        shutil.copymode(path, part)
    part.replace(path)


def _print(found: Audit, shown: Sequence[Mark], *, form: str, repo: str) -> None:
    from kotaci import __version__

    sha = found.project.tree.commit_sha
    if form == "text":
        print_audit(found, shown, repo=repo)
    elif form == "json":
        click.echo(json.dumps(to_json(found, shown, repo=repo), indent=1, ensure_ascii=False))
    elif form == "sarif":
        from kotaci.audit.sarif import to_sarif

        told = to_sarif(shown, version=__version__, repo_url=repo_url(repo) if repo else "", commit_sha=sha)
        click.echo(json.dumps(told, indent=1, ensure_ascii=False))
    elif form == "annotations":
        print_annotations(shown)
    else:
        from kotaci.pages.audit import audit_markdown

        click.echo(audit_markdown(found, shown, repo=repo))


def _judge(shown: Sequence[Mark], threshold: Severity) -> None:
    from kotaci.audit import describe

    n_bad = sum((mark.severity or describe(mark.rule).severity) >= threshold for mark in shown)
    if n_bad:
        word = threshold.name.lower()
        complain(f"{plural(n_bad, 'finding')} of severity {word} or above (--fail-on {word})")
        raise SystemExit(ExitCode.BAD_FINDING)


def _fix(found: Audit, shown: Sequence[Mark], folder: Path | None, look: Callable[[], Audit]) -> Audit:
    """Print the changes, or make them in the folder; return the audit after it."""
    from kotaci.audit.mending import mend, to_diff

    tree = found.project.tree
    mended = mend(tree, shown, found=found.marks)
    click.echo(to_diff(tree, mended.texts), nl=False)
    for left, reason in mended.left:
        complain(f"left out: {left.path}:{left.line} {left.rule}: {reason}")
    if folder is None or not mended.texts:
        n_done = f"{len(mended.done):,} of {plural(len(shown), 'finding')} can be mended"
        more = "; nothing is written yet: add --write" if mended.texts else ""
        err.print(f"{n_done}, in {plural(len(mended.texts), 'file')}{more}")
        return found
    written = {path for path, text in mended.texts.items() if _write(folder, path, tree.text(path), text)}
    after = look()
    n_after = Counter(mark.identity for mark in after.marks)
    gone = Counter(mark.identity for mark in found.marks) - n_after
    for mark in (mark for mark in mended.done if mark.patch and mark.patch.path in written):
        word = "gone" if gone[mark.identity] > 0 else "still found"
        gone[mark.identity] -= 1
        err.print(f"{word}: {mark.path}:{mark.line} {mark.rule}: {one_line(mark.claim)}")
    fresh = n_after - Counter(mark.identity for mark in found.marks)
    for mark in after.marks:
        if fresh[mark.identity] > 0:
            fresh[mark.identity] -= 1
            err.print(f"new: {mark.path}:{mark.line} {mark.rule}: {one_line(mark.claim)}")
    err.print(f"{plural(len(written), 'file')} written; {plural(len(after.marks), 'finding')} left")
    return after


def _write(folder: Path, name: str, before: str | None, after: str) -> bool:
    """Make one change; tell and leave it where the file has changed meanwhile, or lies outside of the folder."""
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        complain(f"{name}: leads out of {folder}; it is left as it is")
        return False
    now = path.read_bytes() if path.exists() else None
    if now != (None if before is None else before.encode()):
        complain(f"{name}: has changed meanwhile; run it again")
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    _replace(path, after.encode())
    return True


def _list_rules(form: str) -> None:
    from kotaci.audit import read_cards

    cards = read_cards()
    if form == "markdown":
        from kotaci.pages.rules import rules_page

        click.echo(rules_page(cards), nl=False)
    elif form == "json":
        click.echo(json.dumps([asdict(card) for card in cards.values()], indent=1, default=str))
    elif form == "text":
        print_rules(cards)
    else:
        raise BadInput(f"--format {form}", "is no form of the rules", "use text, json or markdown")


def _list_patterns() -> None:
    from kotaci.audit.patterns import read_patterns

    for name, text in read_patterns().items():
        click.echo(f"# {'-' * 20} .github/workflows/{name}\n{text}")
