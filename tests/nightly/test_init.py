"""`kotaci init` writes what runs, says what it wrote, and takes nothing away."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from kotaci.cli import main
from kotaci.cli.starting import CONFIG, WORKFLOW, source_of
from kotaci.config import Config, read_config
from kotaci.places import first_config, scheduled_workflow

Init = Callable[..., tuple[int, str, str]]
ROOT = Path(__file__).parent.parent.parent
WHAT = "git+https://github.com/octo-org/kotaci@" + "a" * 40


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / ".git").mkdir()
    return tmp_path


@pytest.fixture
def init(checkout: Path, capsys: pytest.CaptureFixture[str]) -> Init:
    def command(*words: str, path: Path = checkout) -> tuple[int, str, str]:
        code = main(["init", str(path), *words])
        told = capsys.readouterr()
        return code, told.out, told.err

    return command


def written(checkout: Path) -> dict[str, str]:
    found = (checkout / ".github").rglob("*")
    return {file.relative_to(checkout).as_posix(): file.read_text("utf-8") for file in found if file.is_file()}


def test_writes_our_own_workflow_and_a_configuration_with_nothing_set(init: Init, checkout: Path) -> None:
    code, out, _ = init()
    assert code == 0
    assert written(checkout) == {
        WORKFLOW: (ROOT / WORKFLOW).read_text("utf-8"),
        CONFIG: first_config().read_text("utf-8"),
    }
    assert f"Wrote {WORKFLOW}\nWrote {CONFIG}\n" in out
    assert "gh variable set KOTACI_INSTALL" in out
    assert read_config(written(checkout)[CONFIG], source=CONFIG).settings() == Config().settings()


def test_the_workflow_is_one_file(checkout: Path) -> None:
    assert scheduled_workflow() == ROOT / WORKFLOW


def test_the_first_configuration_is_valid_once_its_marks_are_taken_away() -> None:
    text = re.sub(r"(?m)^# (?=\[|[a-z_]+ = |\")", "", first_config().read_text("utf-8"))
    config = read_config(text, source=CONFIG)
    assert config.base_branch == "develop"
    assert sum(one.origin != "default" for one in config.settings()) >= 9


def test_what_to_install_is_written_into_the_workflow(init: Init, checkout: Path) -> None:
    code, out, _ = init("--install", WHAT)
    assert (code, "KOTACI_INSTALL" in out) == (0, False)
    assert f"  KOTACI_INSTALL: '{WHAT}'\n" in written(checkout)[WORKFLOW]
    assert "vars.KOTACI_INSTALL" not in written(checkout)[WORKFLOW]


@pytest.mark.parametrize(
    ("url", "commit", "source"),
    [
        ("https://github.com/octo-org/kotaci", "a" * 40, WHAT),
        ("https://octocat:password@example.com/kotaci", "a" * 40, ""),
        ("https://example.com/it's", "a" * 40, ""),
        ("file:///home/octocat/kotaci", "a" * 40, ""),
        ("https://github.com/octo-org/kotaci", "main", ""),
    ],
)
def test_what_was_installed_from_a_public_commit_is_installed_there_too(url: str, commit: str, source: str) -> None:
    assert source_of(json.dumps({"url": url, "vcs_info": {"vcs": "git", "commit_id": commit}})) == source


def test_what_was_installed_otherwise_is_asked_for() -> None:
    assert source_of("{}") == source_of('{"url": "file:///src", "dir_info": {"editable": true}}') == ""


def test_the_same_twice_changes_nothing(init: Init, checkout: Path) -> None:
    init()
    before = written(checkout)
    code, out, _ = init()
    assert (code, out.count("is as it would be written.")) == (0, 2)
    assert written(checkout) == before


def test_a_changed_workflow_is_replaced_by_force_only(init: Init, checkout: Path) -> None:
    init()
    (checkout / WORKFLOW).write_text("mine", "utf-8")
    (checkout / CONFIG).unlink()
    code, _, err = init()
    assert (code, "is there and differs; nothing was written; --force replaces it" in err) == (2, True)
    assert written(checkout) == {WORKFLOW: "mine"}
    code, out, _ = init("--force")
    assert (code, f"Replaced {WORKFLOW}" in out) == (0, True)
    assert written(checkout)[WORKFLOW] == (ROOT / WORKFLOW).read_text("utf-8")


def test_a_configuration_is_kept_whatever_is_asked(init: Init, checkout: Path) -> None:
    (checkout / ".github").mkdir()
    (checkout / CONFIG).write_text('base_branch = "next"\n', "utf-8")
    code, out, _ = init("--force")
    assert (code, f"{CONFIG} is there and is kept." in out) == (0, True)
    assert written(checkout)[CONFIG] == 'base_branch = "next"\n'


def test_dry_run_writes_nothing(init: Init, checkout: Path) -> None:
    code, out, _ = init("--dry-run")
    assert (code, out.count("Would write ")) == (0, 2)
    assert not (checkout / ".github").exists()


@pytest.mark.parametrize("what", ["", "it's", "two\nlines", "${{ github.token }}"])
def test_what_would_break_out_of_the_workflow_is_refused(init: Init, checkout: Path, what: str) -> None:
    code, _, err = init("--install", what)
    assert (code, "is nothing that pip installs" in err) == (2, True)
    assert not (checkout / ".github").exists()


def test_bad_places(init: Init, checkout: Path) -> None:
    assert "is not the top folder of a git checkout" in init(path=checkout / "src")[2]
    (checkout / WORKFLOW).mkdir(parents=True)
    assert "is no plain file" in init()[2]
    assert written(checkout) == {}
