"""What a person is told where nothing can be fetched: one sentence, the right exit code, nothing changed."""

from __future__ import annotations

import dataclasses
import logging
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kotaci.cli import main
from kotaci.model import ExitCode
from kotaci.store import open_store
from tests.github_server import Fault, Limits, Rights, State, serve

TOKEN = "ghp_" + "SecretSecretSecretSecretSecretSecret"
REPO = "/repos/{owner}/{repo}"

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def server() -> Iterator[Any]:
    state = State.generated(n_runs=8, n_jobs=2, n_reruns=1, days=6, ends_at=datetime.now(UTC).replace(microsecond=0))
    with serve(state, tokens={TOKEN: Rights()}, limits=Limits(10**6, points_per_minute=None)) as served:
        yield served


@pytest.fixture
def run(
    server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Run]:
    """Return a function that runs `kotaci fetch` and returns its exit code and all it says, tokens being no part."""
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    monkeypatch.setenv("GH_CONFIG_DIR", str(tmp_path / "gh"))
    monkeypatch.setenv("GITHUB_API_URL", server.api_url)

    def fetch(*words: str, repo: str = "example/generated") -> tuple[int, str]:
        store = ("--store", str(tmp_path / "store"), "--points", "0", "--since", "all")
        code = main(["--verbose", "fetch", repo, *store, *words])
        told = capfd.readouterr()
        assert TOKEN not in told.out + told.err
        lines = [line for line in told.err.splitlines() if line.startswith("kotaci: ")]
        return code, "\n".join(lines) if code else told.out

    yield fetch
    logger = logging.getLogger("kotaci")
    for handler in list(logger.handlers):
        logger.removeHandler(handler)


def holds(folder: Path) -> list[str]:
    """Return the repositories in the store there, if one was made."""
    if not (folder / "index.sqlite").is_file():
        return []
    with open_store(folder) as store:
        return store.repos()


def test_a_fetch_that_works_says_what_it_did_and_nothing_of_the_token(run: Run, tmp_path: Path) -> None:
    code, said = run()
    assert code == ExitCode.DONE
    assert "example/generated: stored" in said
    for file in (tmp_path / "store").rglob("*"):
        assert file.is_dir() or TOKEN.encode() not in file.read_bytes()


def test_an_unknown_repository(run: Run, tmp_path: Path) -> None:
    code, said = run(repo="example/nothing")
    assert code == ExitCode.REFUSED
    assert said == (
        "kotaci: example/nothing: is unknown to GitHub, or hidden from this token (404); "
        "check the spelling and the token"
    )
    assert holds(tmp_path / "store") == []


@pytest.mark.parametrize("repo", ["generated", "a/b/c/d", "example/gen erated", "../x"])
def test_what_is_no_repository(run: Run, repo: str) -> None:
    code, said = run(repo=repo)
    assert code == ExitCode.BAD_INPUT
    assert "is not a repository; write it as owner/name" in said


def test_no_token(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GITHUB_TOKEN", "GH_TOKEN", "GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    code, said = run()
    assert code == ExitCode.BAD_INPUT
    assert said == (
        "kotaci: 127.0.0.1: cannot be asked without a token; "
        "set GH_ENTERPRISE_TOKEN or GITHUB_TOKEN, or log in once with: gh auth login --hostname 127.0.0.1"
    )
    assert not (tmp_path / "store").exists()


def test_a_wrong_token(run: Run, server: Any, tmp_path: Path) -> None:
    server.tokens.clear()
    assert run() == (
        ExitCode.REFUSED,
        f"kotaci: {server.api_url}: does not know this token (401); set GITHUB_TOKEN to one that is valid",
    )
    assert holds(tmp_path / "store") == []


def test_a_token_without_the_right_to_read_actions(run: Run, server: Any) -> None:
    server.tokens[TOKEN] = Rights(actions="none")
    code, said = run()
    assert code == ExitCode.REFUSED
    assert f"{server.api_url} /actions/workflows: this token may not read it (403" in said
    assert "give it actions: read" in said


def test_a_token_without_the_right_to_read_checks_fetches_the_rest(run: Run, server: Any, tmp_path: Path) -> None:
    server.tokens[TOKEN] = Rights(checks="none")
    code, said = run()
    assert code == ExitCode.REFUSED
    assert "give it checks: read" in said
    with open_store(tmp_path / "store") as store:
        assert store.summary()["logs"]["present"]
        assert "annotations" not in store.summary()["payloads"]
    server.tokens[TOKEN] = Rights()
    assert run()[0] == ExitCode.DONE


def test_single_sign_on(run: Run, server: Any) -> None:
    server.tokens[TOKEN] = dataclasses.replace(Rights(), sso=True)
    code, said = run()
    assert code == ExitCode.REFUSED
    assert "is behind single sign-on (403); authorise the token at https://github.com/orgs/example/sso" in said
    assert "authorization_request" not in said


def test_an_api_that_is_not_githubs(run: Run, server: Any, tmp_path: Path) -> None:
    for url, words in {
        "ftp://example": "is not an address of an API; write https://HOST/api/v3, or https://api.github.com",
        "nonsense": "is not an address of an API",
        "http://ghe.example/api/v3": "would be sent the token in the clear; write it with https://",
        server.blob_url: "does not answer like GitHub's API; check --api-url",
        "https://no-such-host.invalid": "cannot be reached (unknown host); check the network",
    }.items():
        code, said = run("--api-url", url)
        assert words in said
        assert code != ExitCode.DONE
    assert holds(tmp_path / "store") == []


def test_nobody_answers(run: Run) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        code, said = run("--api-url", f"http://127.0.0.1:{taken.getsockname()[1]}")
    assert code == ExitCode.INCOMPLETE
    assert "cannot be reached (connection refused); check the network" in said


def test_a_proxys_page(run: Run, server: Any, tmp_path: Path) -> None:
    server.faults.append(Fault("html", times=10**6))
    code, said = run()
    assert code == ExitCode.BAD_INPUT
    assert "answered with a web page, not with data: a proxy or a login page stands in between" in said
    assert holds(tmp_path / "store") == []


@pytest.mark.parametrize(
    ("hours", "said"), [(3, "is behind GitHub's by 3 hours"), (-72, "is ahead of GitHub's by 3 days")]
)
def test_a_clock_that_is_off(run: Run, server: Any, tmp_path: Path, hours: int, said: str) -> None:
    server.advance(timedelta(hours=hours).total_seconds())
    code, told = run()
    assert code == ExitCode.BAD_INPUT
    assert f"UTC: the clock of this machine {said}; set it right" in told
    assert holds(tmp_path / "store") == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--since", "soon"], "soon: is not a date; write 2026-11-22, 2026-11-22T18:40Z, or a length such as 30d"),
        (["--since", "9000-01-01"], "9000-01-01: lies in the future"),
        (["--logs", "some"], "'some' is not one of 'all', 'failed', 'none'"),
        (["--max-requests", "0"], "0 is not in the range x>=1"),
        (["--git", "/nowhere"], "/nowhere"),
    ],
)
def test_bad_words(run: Run, tmp_path: Path, words: list[str], said: str) -> None:
    code, told = run(*words)
    assert code == ExitCode.BAD_INPUT
    assert said in told
    assert holds(tmp_path / "store") == []


def test_a_budget_says_what_is_left(run: Run) -> None:
    code, said = run("--max-requests", "12")
    assert (code, "--max-requests 12: is used up" in said) == (ExitCode.INCOMPLETE, True)


def test_the_plan_costs_little_and_changes_nothing(run: Run, server: Any, tmp_path: Path) -> None:
    code, said = run("--plan")
    assert code == ExitCode.DONE
    assert server.counted() <= 9
    assert holds(tmp_path / "store") == []
    assert "runs with their jobs" in said
    assert "requests for example/generated, 1 min or more" in said


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="mounts a small disk")
def test_a_disk_that_fills_keeps_what_was_told_and_goes_on_when_there_is_room(
    run: Run, server: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "store"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=700k", "none", folder], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("cannot mount here")
    try:
        code, said = run()
        assert code == ExitCode.INCOMPLETE
        assert "free some space and run the same again" in said
        subprocess.run(["mount", "-o", "remount,size=64m", folder], check=True)
        assert run()[0] == ExitCode.DONE
        with open_store(folder) as store:
            assert store.check() == []
    finally:
        subprocess.run(["umount", folder], check=True)
        shutil.rmtree(folder)
