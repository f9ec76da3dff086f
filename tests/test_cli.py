"""The command line from outside: exit codes, one-line errors that name the value, and nothing changed by them."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kotaci.cli import main
from kotaci.cli.reporting import plain
from kotaci.places import default_store
from kotaci.report.runner import Report
from tests.builders import failed, in_2026, write_zip

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs `kotaci WORDS --store STORE` in process and returns (exit code, out, err)."""

    def command(*words: str | Path, store: Path | None = tmp_path / "store") -> tuple[int, str, str]:
        extra = [] if store is None else ["--store", str(store)]
        code = main([*(str(word) for word in words), *extra])
        told = capsys.readouterr()
        return code, told.out, told.err

    return command


@pytest.fixture
def run_log(tmp_path: Path) -> Path:
    """A zip of a run with one failed job, as GitHub makes it."""
    return write_zip(tmp_path / "logs.zip", in_2026({"test (linux)": failed("test (linux)")}))


def fails(run: Run, *words: str | Path, store: Path | None = None) -> str:
    """Run a command that must exit 2 with one line on stderr; return that line."""
    code, _, err = run(*words, store=store)
    lines = [line for line in err.splitlines() if not line.startswith(("importing:", "tables:"))]
    assert code == 2
    assert len(lines) == 1, err
    assert "Traceback" not in err
    return lines[0]


def test_import_store_report(run: Run, run_log: Path, tmp_path: Path) -> None:
    code, out, _ = run("import", run_log, "--repo", "example/kvstore")
    assert (code, "Stored" in out) == (0, True)
    code, out, _ = run("store", "--json")
    told = json.loads(out)
    assert (told["runs"], told["jobs"], told["failed_jobs"], told["logs"]["present"]) == (1, 1, 1, 1)
    code, out, _ = run("report", "failure_triage", "--out", tmp_path / "reports")
    assert (code, (tmp_path / "reports" / "failure_triage.html").is_file()) == (0, True)


def test_import_again_changes_nothing(run: Run, run_log: Path) -> None:
    run("import", run_log, "--repo", "example/kvstore")
    code, out, _ = run("import", run_log, "--repo", "example/kvstore")
    assert (code, out.splitlines()[0].startswith("Nothing new")) == (0, True)


def test_fail_on_gives_exit_1(run: Run, run_log: Path, tmp_path: Path) -> None:
    run("import", run_log, "--repo", "example/kvstore")
    code, _, _ = run("report", "failure_triage", "--fail-on", "medium", "--out", tmp_path / "out")
    assert code == 1


def test_a_notebook_that_fails_gives_exit_5_and_the_rest(run: Run, run_log: Path, tmp_path: Path) -> None:
    run("import", run_log, "--repo", "example/kvstore")
    folder = tmp_path / "notebooks"
    folder.mkdir()
    source = 'store: str = "sample"  # folder\nsince: str = "90d"  # window'
    for name, cell in (("good", "1 + 1"), ("bad", "1 / 0")):
        (folder / f"{name}.ipynb").write_text(notebook(source, cell), encoding="utf-8")
    code, out, _ = run("report", "--notebooks", folder, "--out", tmp_path / "out")
    assert code == 5
    assert (tmp_path / "out" / "good.html").is_file()
    assert (tmp_path / "out" / "bad.ipynb").is_file()
    assert "ZeroDivisionError" in out


def notebook(parameters: str, cell: str) -> str:
    """Return a notebook with a parameters cell and one more."""
    cells = [
        {"cell_type": "markdown", "id": "question", "metadata": {}, "source": "# Does it run?"},
        {"cell_type": "code", "id": "settings", "metadata": {"tags": ["parameters"]}, "source": parameters},
        {"cell_type": "code", "id": "answer", "metadata": {}, "source": cell},
    ]
    for entry in cells[1:]:
        entry.update(outputs=[], execution_count=None)
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["report", "--since", "last tuesday"], "last tuesday: is not a date; write 2026-11-22"),
        (["report", "--since", "2026-02-30"], "2026-02-30: is not a date"),
        (
            ["report", "--since", "2026-03-01", "--until", "2026-02-01"],
            "is an empty window; put the earlier date first",
        ),
        (["report", "--repo", "kvstore"], "kvstore: is not a repository; write it as owner/name"),
        (["report", "--repo", "example/other"], "example/other: is not in the store"),
        (["report", "ci_helth"], "ci_helth: is not a notebook; did you mean ci_health?"),
        (["report", "-p", "sinse=30d"], "since"),
        (["report", "-p", "github_token=abc"], "github_token"),
        (["report", "-p", "since"], "since: is not a parameter; write it as name=value"),
        (["report", "--fail-on", "urgent"], "urgent: is not a severity; use low, medium or high"),
        (["report", "--jobs", "0"], "see kotaci report --help"),
        (["import"], "was given nothing to read"),
        (["import", "nowhere.zip"], "nowhere.zip: does not exist"),
        (["import", "--git", "."], "is not"),
        (["store", "prune"], "Give one of --before and --max-size; see kotaci store prune --help"),
        (["store", "prune", "--max-size", "5 apples"], "5 apples: is not a size; write it as 500MB or 2GB"),
        (["sing"], "No such command 'sing'"),
    ],
)
def test_bad_words_get_one_line(run: Run, run_log: Path, tmp_path: Path, words: list[str], said: str) -> None:
    run("import", run_log, "--repo", "example/kvstore")
    before = snapshot(tmp_path / "store")
    words = [str(tmp_path) if word == "." else word for word in words]
    named = tmp_path / "store" if words[0] in {"report", "import"} else None
    assert said in fails(run, *words, store=named)
    assert snapshot(tmp_path / "store") == before


def snapshot(folder: Path) -> dict[str, bytes]:
    """Return every database of a store by name."""
    return {file.name: file.read_bytes() for file in folder.glob("*.sqlite")}


def test_truncated_zip(run: Run, run_log: Path, tmp_path: Path) -> None:
    run_log.write_bytes(run_log.read_bytes()[:-40])
    assert "is not a whole zip" in fails(run, "import", run_log, store=tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_saved_404_body(run: Run, tmp_path: Path) -> None:
    saved = tmp_path / "logs.zip"
    saved.write_text('{"message":"Not Found","documentation_url":"https://docs.github.com","status":"404"}')
    assert "holds Not Found (404), not a log" in fails(run, "import", saved, store=tmp_path / "new")


def test_entry_that_leads_out(run: Run, tmp_path: Path) -> None:
    evil = write_zip(tmp_path / "evil.zip", {"../../0_test.txt": "hello"})
    assert "leads out of it" in fails(run, "import", evil, store=tmp_path / "new")
    assert not (tmp_path.parent.parent / "0_test.txt").exists()


def test_store_of_a_newer_kotaci(run: Run, run_log: Path, tmp_path: Path) -> None:
    run("import", run_log, "--repo", "example/kvstore")
    with sqlite3.connect(tmp_path / "store" / "index.sqlite") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    assert "written by a newer kotaci (schema 99" in fails(run, "store", store=tmp_path / "store")


def test_foreign_database(run: Run, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    connection = sqlite3.connect(tmp_path / "other" / "index.sqlite")
    connection.execute("CREATE TABLE people (name)")
    connection.close()
    assert "is not a database of kotaci" in fails(run, "store", store=tmp_path / "other")


def test_notebook_that_is_none(run: Run, run_log: Path, tmp_path: Path) -> None:
    run("import", run_log, "--repo", "example/kvstore")
    (tmp_path / "letter.ipynb").write_text("Dear reader")
    assert "letter.ipynb" in fails(run, "report", tmp_path / "letter.ipynb", store=tmp_path / "store")


def test_output_folder_that_cannot_be_written(run: Run, run_log: Path, tmp_path: Path) -> None:
    run("import", run_log, "--repo", "example/kvstore")
    (tmp_path / "taken").write_text("a file")
    assert "taken" in fails(run, "report", "--out", tmp_path / "taken", store=tmp_path / "store")


def test_empty_window_is_a_report_that_says_so(run: Run, run_log: Path, tmp_path: Path) -> None:
    run("import", run_log, "--repo", "example/kvstore")
    code, out, _ = run("report", "--since", "2001-01-01", "--until", "2001-02-01", "--out", tmp_path / "out")
    assert code == 0
    assert out.count("No runs in this window") == 5


def test_no_token_reaches_any_output(
    run_log: Path, token: str, sample_reports: dict[str, Report], tmp_path: Path
) -> None:
    environment = {**os.environ, "GITHUB_TOKEN": token, "KOTACI_STORE": str(tmp_path / "store")}
    out = ["--out", str(tmp_path / "out")]
    for words in (["import", str(run_log), "--repo", "example/kvstore"], ["report", "failure_triage", *out]):
        done = subprocess.run(
            [sys.executable, "-m", "kotaci", "--log-json", *words], env=environment, capture_output=True, check=True
        )
        assert token.encode() not in done.stdout + done.stderr
    files = [file for folder in ("store", "out") for file in (tmp_path / folder).rglob("*") if file.is_file()]
    assert len(files) > 5
    # Those of all notebooks were made with the same token.
    files += [file for report in sample_reports.values() for file in report.paths.values()]
    assert len(files) > 25
    assert not any(token.encode() in file.read_bytes() for file in files)


def test_help_names_every_exit_code(run: Run) -> None:
    code, out, _ = run("--help", store=None)
    assert code == 0
    assert all(f"{number} " in out for number in range(6))


def test_store_is_named_before_or_after_the_subcommand(run: Run, run_log: Path, tmp_path: Path) -> None:
    run("import", run_log)
    assert run("store", "check")[0] == 0
    assert run("store", "--store", tmp_path / "store", "check", store=None)[0] == 0
    assert "holds no store" in fails(run, "store", "check", store=tmp_path / "other")


def test_prune_says_what_would_go_and_then_does_it(run: Run, run_log: Path) -> None:
    run("import", run_log)
    code, out, _ = run("store", "prune", "--before", "2026-04-01", "--dry-run")
    assert (code, out.startswith("Would drop 1 logs")) == (0, True)
    code, out, _ = run("store", "prune", "--before", "2026-04-01")
    assert (code, out.startswith("Dropped 1 logs")) == (0, True)
    told = json.loads(run("store", "--json")[1])
    assert (told["logs"]["present"], told["logs"]["pruned"], told["failed_jobs"]) == (0, 1, 1)


def test_prune_to_a_size(run: Run, run_log: Path, tmp_path: Path) -> None:
    run("import", run_log)
    assert run("store", "prune", "--max-size", "1GB")[:2] == (0, "Dropped 0 logs (0.0 MB).\n")
    code, out, _ = run("store", "prune", "--max-size", "1kB", "--dry-run")
    assert (code, out.startswith("Would drop 1 logs")) == (0, True)
    assert "1kB: is less than the" in fails(run, "store", "prune", "--max-size", "1kB", store=tmp_path / "store")
    assert json.loads(run("store", "--json")[1])["logs"]["pruned"] == 1


def test_brackets_in_a_path_are_no_markup(run: Run, run_log: Path, tmp_path: Path) -> None:
    _, out, _ = run("import", run_log, store=tmp_path / "a [bold] :bug: store")
    assert "a [bold] :bug: store" in out


def test_a_damaged_log_is_forgotten_on_demand_and_imported_again(run: Run, run_log: Path, tmp_path: Path) -> None:
    run("import", run_log)
    (file,) = (tmp_path / "store").glob("logs-*.sqlite")
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE logs SET body = x'00'")
    connection.close()
    code, _, err = run("store", "check")
    assert (code, "is damaged in 1 places; run it with --forget" in err) == (2, True)
    code, out, _ = run("store", "check", "--forget")
    assert (code, out.startswith("Forgot 1 damaged things")) == (0, True)
    code, out, _ = run("import", run_log)
    assert (code, out.startswith("Stored 1 new things")) == (0, True)
    assert run("store", "check")[0] == 0


def test_the_store_is_not_a_parameter(run: Run, run_log: Path, tmp_path: Path) -> None:
    run("import", run_log)
    assert "is not set with -p; use --store" in fails(run, "report", "-p", "store=/nowhere", store=tmp_path / "store")


def test_reports_do_not_overwrite_the_notebooks(run: Run, run_log: Path, tmp_path: Path) -> None:
    run("import", run_log)
    folder = tmp_path / "notebooks"
    folder.mkdir()
    (folder / "own.ipynb").write_text(notebook('store: str = ""  # folder', "1 + 1"), encoding="utf-8")
    words = ["report", "--notebooks", folder, "--out", folder]
    assert "holds own.ipynb, which would be overwritten" in fails(run, *words, store=tmp_path / "store")


def test_a_default_store_in_the_home_folder_is_found(tmp_path: Path) -> None:
    assert default_store({"KOTACI_STORE": "~/kept"}) == Path.home() / "kept"
    assert default_store({}).name == "store"


def test_answers_on_the_terminal_are_plain_text() -> None:
    assert plain("**2 of 3** [ci.yml](https://x.example) `a b` <code>c&#124;d</code> @&#8203;octocat 1\\*2") == (
        "2 of 3 ci.yml a b c|d @octocat 1*2"
    )


def test_what_is_no_log_in_a_folder_is_skipped_and_said(run: Run, run_log: Path, tmp_path: Path) -> None:
    folder = tmp_path / "downloads"
    folder.mkdir()
    run_log.rename(folder / "logs.zip")
    (folder / ".DS_Store").write_bytes(b"\0\0\0\1Bud1\0")
    code, out, err = run("import", folder)
    assert (code, "Stored" in out) == (0, True)
    assert ".DS_Store: is a binary file" in err


def test_what_is_logged_says_all_that_was_told(run_log: Path, tmp_path: Path) -> None:
    words = ["import", str(run_log), "--store", str(tmp_path / "store"), "--run", "5"]
    told = [
        subprocess.run(
            [sys.executable, "-m", "kotaci", flag, *words], capture_output=True, text=True, check=True
        ).stderr
        for flag in ("--verbose", "--log-json")
    ]
    assert re.search(r"stored, batches 1, changed \d+, months \['2026-03'\]", told[0])
    assert "stored" in [json.loads(line)["message"] for line in told[1].splitlines()]
