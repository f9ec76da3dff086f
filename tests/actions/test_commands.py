"""`kotaci plan`, `apply` and `publish` as they are typed: what they say, write and return."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from kotaci.cli import main
from kotaci.model import ExitCode, Severity
from tests.actions.conftest import TOKEN, writes
from tests.actions.reports import finding, red_now, write_report
from tests.github_server import Rights, Server


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a report's folder; the token is set, and no configuration is near."""
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    monkeypatch.delenv("KOTACI_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    write_report(tmp_path / "night", {"ci_health": [red_now()], "flaky_tests": [finding()]})
    return tmp_path / "night"


def kotaci(server: Server, *words: str) -> int:
    """Run the command line against the server."""
    return main([*words, "--api-url", server.api_url, "--points", "0"])


def test_plan_then_apply(server: Server, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert kotaci(server, "plan", "night") == ExitCode.DONE
    said = capsys.readouterr().out
    assert "create-issue · a new issue: CI: ci.yml failing on main [ci] · found, and no issue" in said
    assert "  jq -r '.actions[1].body' plan.json | gh issue create --repo example/generated --title" in said
    assert "2 actions in plan.json; nothing is written yet: kotaci apply plan.json" in said
    assert writes(server) == []
    assert kotaci(server, "apply", "plan.json", "--dry-run") == ExitCode.DONE
    assert capsys.readouterr().out.count("would be created · create-issue") == 2
    assert writes(server) == []
    assert kotaci(server, "apply", "plan.json") == ExitCode.DONE
    assert re.search(
        r"created · create-issue · a new issue: CI: \S.* https://github\.com/example/generated/issues/4",
        capsys.readouterr().out,
    )
    assert len(writes(server)) == 2
    assert kotaci(server, "apply", "plan.json") == ExitCode.DONE
    assert capsys.readouterr().out.count("nothing to do · create-issue") == 2
    assert writes(server) == []


def test_publish_is_one_comment(server: Server, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("publish", "night", "--issue", "1", "--report-url", "https://example.org/report.html")
    assert kotaci(server, *words, "--dry-run") == ExitCode.DONE
    said = capsys.readouterr().out
    assert "## CI report" in said
    assert "would be created · comment-issue · issue #1" in said
    assert writes(server) == []
    assert [kotaci(server, *words) for _ in range(2)] == [ExitCode.DONE] * 2
    (told,) = server.state.comments.values()
    assert "[The whole report](https://example.org/report.html)" in told["body"]


def test_summary_and_annotations(
    server: Server, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = [finding(subject=f"test {n}: a,b\n::error::x", severity=Severity(1 + n % 3)) for n in range(60)]
    write_report(folder, {"flaky_tests": found})
    assert kotaci(server, "publish", "night", "--summary") == ExitCode.BAD_INPUT
    summary = tmp_path / "summary.md"
    summary.write_text("Before.\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    capsys.readouterr()
    assert kotaci(server, "publish", "night", "--summary", "--annotations") == ExitCode.DONE
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" ")[0] for line in lines] == ["::warning"] * 10 + ["::notice"] * 10
    assert lines[0].startswith("::warning title=test 2%3A a%2Cb %3A%3Aerror%3A%3Ax::failed 6 of the 88")
    assert summary.read_text().startswith("Before.\n## CI report\n")
    assert writes(server) == []
    summary.write_text("x" * (1024 * 1024 - 3_000))
    assert kotaci(server, "publish", "night", "--summary") == ExitCode.DONE
    assert 1024 * 1024 - 3_000 < summary.stat().st_size <= 1024 * 1024
    summary.write_text("x" * (1024 * 1024 - 300))
    assert kotaci(server, "publish", "night", "--summary") == ExitCode.DONE
    assert "the summary is left out" in capsys.readouterr().err


def test_refusals_have_a_sentence_and_an_exit_code(
    server: Server, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = [
        (("publish", "night"), ExitCode.BAD_INPUT, "publish: is told no place; give --issue N, --summary or"),
        (("publish", "night", "--issue", "2"), ExitCode.BAD_INPUT, "example/generated#2: is closed; "),
        (("publish", "night", "--issue", "1", "--repo", "other/name"), ExitCode.BAD_INPUT, "not of other/name"),
        (("publish", "nowhere", "--issue", "1"), ExitCode.BAD_INPUT, "holds no findings.json; give a folder"),
        (("apply", "nowhere.json"), ExitCode.BAD_INPUT, "nowhere.json: cannot be read (FileNotFoundError)"),
        (("plan", "night", "--on", "me"), ExitCode.BAD_INPUT, "me: is nothing to write to"),
        (("plan", "night", "--on", "pull:3", "--claim", "night/findings.json"), ExitCode.BAD_INPUT, "is no claim"),
    ]
    for words, code, said in cases:
        assert kotaci(server, *words) == code, words
        assert said in capsys.readouterr().err
    assert writes(server) == []
    server.tokens[TOKEN] = Rights(issues="read")
    assert kotaci(server, "publish", "night", "--issue", "1") == ExitCode.REFUSED
    assert "this token may not write it (403" in capsys.readouterr().err
    assert server.state.comments == {}


def test_the_samples_report_is_refused(server: Server, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_report(folder, {"flaky_tests": [finding()]}, scope="the bundled sample")
    for words in (("plan", "night"), ("publish", "night", "--issue", "1"), ("plan", "night", "--on", "issue:1")):
        assert kotaci(server, *words) == ExitCode.BAD_INPUT
        assert "is a report of the bundled sample, an invented repository" in capsys.readouterr().err
    assert server.asked == [] or writes(server) == []


def test_a_comment_on_work_needs_no_token_to_plan(
    server: Server, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    claim = {"ratio": 0.7, "low": 0.65, "high": 0.76, "n_before": 40, "n_after": 38, "metric": "duration"}
    (tmp_path / "claim.json").write_text(json.dumps(claim))
    monkeypatch.delenv("GITHUB_TOKEN")
    words = (
        "--on",
        "pull:3",
        "--stage",
        "progress",
        "--fixed",
        "Resolved flaky test in ci.yml",
        "--claim",
        "claim.json",
    )
    assert kotaci(server, "plan", "night", *words, "-o", "fix.json") == ExitCode.DONE
    assert "comment-pull · pull request #3 · asked for" in capsys.readouterr().out
    assert server.asked == []
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    assert kotaci(server, "apply", "fix.json") == ExitCode.DONE
    (told,) = server.state.comments.values()
    assert "CI fix: Resolved flaky test in ci.yml. Build time: -30% [-35%, -24%], n = 40 and 38 runs" in told["body"]


def test_labels_of_the_configuration(server: Server, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("kotaci.toml").write_text('[labels]\nevery = ["FLAKY", "gone"]\n')
    assert kotaci(server, "plan", "night", "--config", "kotaci.toml", "--max-new", "1") == ExitCode.DONE
    said = capsys.readouterr().out
    assert "failing on flaky test store reopens [flaky] · found" in said
    assert "left out · label gone: example/generated has none of that name" in said
    assert "left out · 1 new issue over the limit of 1 a run: CI: ci.yml failing on main" in said
