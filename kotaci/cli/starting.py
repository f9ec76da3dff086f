"""`kotaci init`: the scheduled workflow and a configuration to begin with, into a checkout."""

from __future__ import annotations

import json
import re
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import click

from kotaci.cli.terminal import out
from kotaci.model import BadInput
from kotaci.places import first_config, scheduled_workflow

WORKFLOW, CONFIG = ".github/workflows/ci-report.yml", ".github/kotaci.toml"

_TOLD = "${{ vars.KOTACI_INSTALL }}"
"""What the workflow installs where `init` writes no better: the repository's variable."""


@click.command("init")
@click.argument("path", type=click.Path(path_type=Path), default=Path())
@click.option(
    "--install",
    default=None,
    metavar="WHAT",
    help="What pip shall install there, such as git+https://HOST/OWNER/kotaci@COMMIT.  [default: as it was here]",
)
@click.option("--force", is_flag=True, help="Replace a workflow that differs; a configuration is never replaced.")
@click.option("--dry-run", is_flag=True, help="Only say what would be written.")
def init_command(*, path: Path, install: str | None, force: bool, dry_run: bool) -> None:
    """Write a workflow that reports on a repository's CI every night, and a configuration with nothing set.

    PATH is the top folder of a checkout, by default this one.
    """
    if not (path / ".git").exists():
        raise BadInput(path, "is not the top folder of a git checkout", "name one: kotaci init PATH")
    wanted = _source() if install is None else install.strip()
    if install is not None and (not wanted.isprintable() or not wanted or "'" in wanted or "${{" in wanted):
        raise BadInput(install, "is nothing that pip installs", "write git+https://HOST/OWNER/kotaci@COMMIT")
    workflow = scheduled_workflow().read_text(encoding="utf-8")
    if wanted:
        workflow = workflow.replace(_TOLD, f"'{wanted}'")
    texts = {WORKFLOW: workflow, CONFIG: first_config().read_text(encoding="utf-8")}
    states = {name: _state(path / name, text) for name, text in texts.items()}
    if states[WORKFLOW] == "differs" and not force:
        raise BadInput(path / WORKFLOW, "is there and differs", "nothing was written; --force replaces it")
    for name, text in texts.items():
        if states[name] == "same":
            out.print(f"{name} is as it would be written.")
        elif states[name] == "differs" and name == CONFIG:
            out.print(f"{name} is there and is kept.")
        else:
            verb = ("Would write", "Would replace") if dry_run else ("Wrote", "Replaced")
            if not dry_run:
                _write(path / name, text)
            out.print(f"{verb[states[name] == 'differs']} {name}")
    out.print(_next(wanted))


def _source() -> str:
    try:
        return source_of(distribution("kotaci").read_text("direct_url.json") or "{}")
    except PackageNotFoundError:
        return ""


def source_of(direct_url: str) -> str:
    """Return what pip shall be told to install the same again, from how it came here (PEP 610); "" where that is of
    this machine alone, names no commit or holds a password."""
    told = json.loads(direct_url)
    url, commit = told.get("url", ""), told.get("vcs_info", {}).get("commit_id", "")
    is_public = re.fullmatch(r"https://[\w./-]+", url) is not None
    return f"git+{url}@{commit}" if is_public and re.fullmatch(r"[0-9a-f]{40,64}", commit) else ""


def _state(file: Path, text: str) -> str:
    if file.is_symlink() or (file.exists() and not file.is_file()):
        raise BadInput(file, "is no plain file", "move it away")
    if not file.is_file():
        return "missing"
    return "same" if file.read_bytes() == text.encode() else "differs"


def _write(file: Path, text: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode())
    except OSError as error:
        raise BadInput(file, f"cannot be written ({error.strerror})", "check the folder") from error


def _next(wanted: str) -> str:
    install = "gh variable set KOTACI_INSTALL --body git+https://github.com/OWNER/kotaci@COMMIT"
    told = "" if wanted else f"Tell it what to install: {install}\n"
    return (
        f"\nNext:\n{told}Commit both and push them to the default branch.\n"
        'An issue for it to keep up to date: gh issue create --title "CI report" --body ""\n'
        "Its number: gh variable set KOTACI_ISSUE --body NUMBER\n"
        "Run it once: gh workflow run ci-report.yml\n"
        "It opens issues of its own too: take the last step of the job publish away where you do not want that."
    )
