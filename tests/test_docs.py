"""The README tells the truth: every command, notebook, parameter and room in it exists, and the other way round."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from kotaci.audit import read_cards
from kotaci.cli import cli
from kotaci.logs.causes import read_catalogue
from kotaci.model import ExitCode, Verdict
from kotaci.pages.causes import causes_page
from kotaci.pages.rules import rules_page
from kotaci.report.parameters import read_notebooks

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = sorted(path for path in [ROOT / "README.md", ROOT / "CHANGELOG.md", *ROOT.glob("kotaci/**/*.md")])


def all_commands(group: click.Group, *, prefix: str = "kotaci") -> set[str]:
    """Return every command as a person types it."""
    found = set()
    for name, command in group.commands.items():
        found.add(f"{prefix} {name}")
        if isinstance(command, click.Group):
            found |= all_commands(command, prefix=f"{prefix} {name}")
    return found


def table_of(head: str) -> list[str]:
    """Return the first cells, without code marks, of the README's table whose first title is `head`."""
    rows = README.split(f"| {head} |", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    return [row.split("|")[1].strip().strip("`") for row in rows]


def test_commands() -> None:
    assert set(table_of("command")) == all_commands(cli)


def test_options_named_exist() -> None:
    commands = [cli, *cli.commands.values()]
    known = {option for command in commands for parameter in command.params for option in parameter.opts}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", README)) - known == {"--log", "--help"}


def test_causes() -> None:
    told = README.split("tells these causes apart:", 1)[1].split("\n\n", 1)[0]
    assert re.findall(r"`([a-z-]+)`", told.replace("`undecided`", "")) == list(read_catalogue().causes)


def test_the_page_of_causes_is_current() -> None:
    page = (ROOT / "kotaci/logs/CAUSES.md").read_text(encoding="utf-8")
    assert page == causes_page(read_catalogue()), "run `make causes`"


def test_the_page_of_rules_is_current() -> None:
    page = (ROOT / "kotaci/audit/RULES.md").read_text(encoding="utf-8")
    assert page == rules_page(read_cards()), "run `make rules`"


def test_every_command_has_help() -> None:
    assert all(command.help for command in cli.commands.values())


def test_notebooks_and_parameters() -> None:
    notebooks = read_notebooks(ROOT / "notebooks")
    assert set(table_of("notebook")) == {notebook.name for notebook in notebooks}
    assert set(table_of("parameter")) == {parameter.name for book in notebooks for parameter in book.parameters}
    meanings = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", README, re.MULTILINE))
    for notebook in notebooks:
        assert notebook.question in README
        assert {one.name: one.help for one in notebook.parameters}.items() <= meanings.items(), notebook.name


def test_verdicts() -> None:
    told = [word for row in table_of("verdict") for word in row.split(", ")]
    assert told == [verdict.value for verdict in Verdict]


def test_rooms() -> None:
    drawn = set(
        re.findall(r"^  ([\w.]+?)/? {2,}\S", README.split("```\nkotaci/", 1)[1].split("```", 1)[0], re.MULTILINE)
    )
    built = {
        path.name for path in (ROOT / "kotaci").iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()
    }
    assert drawn == built - {"__init__.py", "__main__.py"} | {"sample"}


def test_make_targets() -> None:
    targets = set(re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"(?:`|^)make ([a-z]+)", README, re.MULTILINE)) <= targets


def test_exit_codes() -> None:
    told = README.split("Exit codes:", 1)[1].split("\n\n", 1)[0]
    assert [int(number) for number in re.findall(r"(?:^|· )\s*(\d) ", told)] == [int(code) for code in ExitCode]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", path.read_text(encoding="utf-8")):
        if not target.startswith("https://"):
            assert (path.parent / target).exists(), target


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_british_english(path: Path) -> None:
    american = re.findall(r"\b(?:color|behavior|analyze|optimize|catalog(?!ue))\w*", path.read_text(encoding="utf-8"))
    assert american == []
