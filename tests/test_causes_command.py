"""`kotaci causes`: the list, one card, JSON, the repository's own, and the page."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from kotaci.cli import main
from kotaci.logs.causes import Catalogue, OwnCause, read_catalogue
from kotaci.pages.causes import causes_page

Run = Callable[..., tuple[int, str, str]]

OWN = """
[[cause]]
id = "network"
title = "Our proxy [bold]"
patterns = ["proxy said no"]
examples = ["proxy said no"]
remedy = "Restart the proxy."

[[cause]]
id = "licence-server"
title = "The licence server is down"
patterns = ["no licence left"]
examples = ["no licence left"]
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs `kotaci causes` in an empty folder and returns (exit code, out, err)."""
    monkeypatch.delenv("KOTACI_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)

    def command(*words: str | Path) -> tuple[int, str, str]:
        code = main(["causes", "--store", str(tmp_path / "store"), *(str(word) for word in words)])
        told = capsys.readouterr()
        return code, told.out, told.err

    return command


def test_all_causes_are_listed(run: Run) -> None:
    code, out, _ = run()
    assert code == 0
    assert all(f"\n{cause_id} " in out for cause_id in read_catalogue().causes)
    assert "(own)" not in out
    assert all(len(line) <= 80 for line in out.splitlines())
    assert len(out.splitlines()) < 45, "a screen or two: the rest is in `kotaci causes ID`"
    assert "Race Conditions" in out
    assert "RUST_TEST_THREADS" not in out


def test_one_cause_is_told_in_full(run: Run) -> None:
    code, out, _ = run("race-condition")
    assert code == 0
    assert "At fault: reliability" in out
    assert "Playbook: Race Conditions." in out
    assert "RUST_TEST_THREADS=1" in out
    assert "WARNING: ThreadSanitizer" in out


def test_json_holds_every_pattern(run: Run) -> None:
    told = json.loads(run("--json")[1])
    assert [cause["id"] for cause in told] == list(read_catalogue().causes)
    (memory,) = json.loads(run("memory", "--json")[1])
    assert memory["group"] == "reliability"
    assert "std::bad_alloc" in [pattern for rule in memory["rules"] for pattern in rule["patterns"]]


def test_the_repository_s_own_are_marked(run: Run, tmp_path: Path) -> None:
    (tmp_path / ".github").mkdir()
    (tmp_path / ".github/kotaci.toml").write_text(OWN)
    out = run()[1]
    assert "network (own)" in out
    assert "licence-server (own)" in out
    assert "network: Our proxy [bold]" in run("network")[1]
    assert "At fault: nobody said." in run("licence-server")[1]
    (network,) = json.loads(run("network", "--json", "--config", tmp_path / ".github/kotaci.toml")[1])
    assert (network["is_own"], network["remedies"], network["group"]) == (True, ["Restart the proxy."], "reliability")
    assert [rule["tool"] for rule in network["rules"]][:2] == ["this repository", "name lookup"]


def test_of_the_repository_s_own_only_what_it_said_is_told(run: Run, tmp_path: Path) -> None:
    (tmp_path / ".github").mkdir()
    (tmp_path / ".github/kotaci.toml").write_text(OWN)
    _, out, _ = run("licence-server")
    assert out.count("The licence server is down") == 1
    assert "Run it again" not in out
    assert "The repository's own configuration adds it." in out
    assert "Run it again: worth a try." in run("network")[1]
    assert "The repository's own configuration adds to it." in run("network")[1]
    (told,) = json.loads(run("licence-server", "--json")[1])
    assert told["retry"] is None


def test_a_name_that_is_none_gets_the_nearest(run: Run) -> None:
    assert run("netwrk")[0::2] == (2, "kotaci: netwrk: is not a cause; did you mean network?\n")
    assert "`kotaci causes` lists them" in run("weather")[2]


def test_the_page_leaves_out_the_repository_s_own(run: Run, tmp_path: Path) -> None:
    (tmp_path / ".github").mkdir()
    (tmp_path / ".github/kotaci.toml").write_text(OWN)
    assert run("--markdown") == (0, causes_page(read_catalogue()), "")


def test_strangers_words_do_nothing_on_the_page() -> None:
    catalogue = read_catalogue([OwnCause("x", "<b>@octocat</b>", ["a"], ["`` | #1"])])
    page = causes_page(Catalogue({"x": catalogue.causes["x"]}))
    assert "<b>" not in page
    assert "@octocat" not in page
    assert "#1<" not in page
