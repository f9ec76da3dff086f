"""Where the token comes from, with a real gh where it is installed; and that it is never told."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from kotaci.github import find_token
from kotaci.model import BadInput, ExitCode


def test_the_environment_first() -> None:
    assert find_token({"GITHUB_TOKEN": "one", "GH_TOKEN": "two"}, host="github.com") == "one"
    assert find_token({"GITHUB_TOKEN": " ", "GH_TOKEN": "two\n"}, host="github.com") == "two"


def test_another_host_has_its_own() -> None:
    told = {"GITHUB_TOKEN": "one", "GH_ENTERPRISE_TOKEN": "three"}
    assert find_token(told, host="ghe.example") == "three"
    assert find_token(told, host="github.com") == "one"
    assert find_token(told, host="octo.ghe.com") == "one"


def test_a_token_of_github_com_does_not_go_to_a_host_that_only_an_address_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GH_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("GH_TOKEN", "")
    monkeypatch.setenv("GITHUB_TOKEN", "")
    with pytest.raises(BadInput, match="set GH_ENTERPRISE_TOKEN, or log in once with: gh auth login --hostname"):
        find_token({"GITHUB_TOKEN": "one"}, host="gitlab.example")
    assert find_token({"GITHUB_TOKEN": "one"}, host="ghe.example", is_named=True) == "one"


@pytest.mark.skipif(shutil.which("gh") is None, reason="no gh")
def test_gh_is_asked_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.joinpath("hosts.yml").write_text("github.com:\n  oauth_token: from-gh\n  user: octocat\n")
    monkeypatch.setenv("GH_CONFIG_DIR", str(tmp_path))
    for name in ("GITHUB_TOKEN", "GH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    assert find_token({}, host="github.com") == "from-gh"


def test_no_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GH_CONFIG_DIR", str(tmp_path))
    for name in ("GITHUB_TOKEN", "GH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(BadInput, match="set GITHUB_TOKEN, or log in once with: gh auth login") as caught:
        find_token({}, host="github.com")
    assert caught.value.exit_code == ExitCode.BAD_INPUT


@pytest.mark.parametrize("token", ["two words", "tök", "a\nb"])
def test_what_is_no_token_is_refused_without_showing_it(token: str) -> None:
    with pytest.raises(BadInput, match="GITHUB_TOKEN: holds no token") as caught:
        find_token({"GITHUB_TOKEN": token}, host="github.com")
    assert token not in str(caught.value)
