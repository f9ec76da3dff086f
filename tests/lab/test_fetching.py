"""The fetch panel against the server on loopback: progress, cancel, and every problem as a sentence."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kotaci.github import Client, open_github
from kotaci.lab.fetching import FetchPanel, ask_github
from kotaci.model import Repo
from kotaci.sample import open_sample
from kotaci.store import Store, open_store
from tests.builders import AT
from tests.github.clock import still_clock
from tests.github.fetching import TOKEN
from tests.github_server import Limits, Rights, State, serve

Opener = Callable[[Repo, threading.Event], Client]


@pytest.fixture
def server() -> Iterator[Any]:
    state = State.generated(n_runs=12, n_jobs=2, n_reruns=1, seed=3, ends_at=AT)
    limits = Limits(10**6, points_per_minute=None)
    with serve(state, {TOKEN: Rights()}, limits, now=AT) as served:
        yield served


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "store", create=True) as made:
        yield made


def opener(server: Any, *, token: str = TOKEN) -> Opener:
    def open_client(repo: Repo, stop: threading.Event) -> Client:
        clock = replace(still_clock(utc=server.now), stop=stop)
        return open_github(token=token, clock=clock, api_url=server.api_url, points_per_minute=None)

    return open_client


def panel(store: Store, server: Any, told: list[str], **options: Any) -> FetchPanel:
    made = FetchPanel(store, repo="", on_done=told.append, open_client=opener(server, **options))
    made.repo.value, made.since.value = server.state.full_name, "all"
    return made


def test_a_click_fetches_and_tells_what_came(server: Any, store: Store) -> None:
    told: list[str] = []
    made = panel(store, server, told)
    seen: list[float] = []
    made.bar.observe(lambda change: seen.append(change["new"]), names="value")
    made.start.click()
    made.wait()
    assert told == [server.state.full_name] == store.repos()
    assert "new things" in made.said.value
    assert "k-problem" not in made.said.value
    assert max(seen) >= 12
    assert (made.start.disabled, made.cancel.disabled, made.bar.layout.display) == (False, True, "none")
    made.start.click()
    made.wait()
    assert "nothing new" in made.said.value
    assert len(told) == 1


def test_cancel_stops_it_and_keeps_what_came(server: Any, store: Store) -> None:
    made = panel(store, server, [])
    made.bar.observe(lambda change: made.cancel.click() if change["new"] >= 2 else None, names="value")
    made.start.click()
    made.wait()
    assert "was stopped" in made.said.value
    assert "still to fetch" in made.said.value
    assert store.payload_keys(server.state.full_name, "run")
    assert not made.start.disabled


@pytest.mark.parametrize(
    ("repo", "token", "said"),
    [
        ("no repository", TOKEN, "is not a repository; write it as owner/name"),
        ("someone/else", TOKEN, "someone/else"),
        ("", "another-token", "401"),
    ],
)
def test_a_problem_is_a_sentence(server: Any, store: Store, repo: str, token: str, said: str) -> None:
    made = panel(store, server, [], token=token)
    made.repo.value = repo or server.state.full_name
    made.start.click()
    made.wait()
    assert said in made.said.value
    assert 'role="alert"' in made.said.value
    assert "Traceback" not in made.said.value
    assert token not in made.said.value
    assert not made.start.disabled


def test_what_nobody_expected_is_a_sentence_too(store: Store) -> None:
    def broken(repo: Repo, stop: threading.Event) -> Client:
        raise RuntimeError("<b>a surprise</b>")

    made = FetchPanel(store, repo="o/r", on_done=lambda _: None, open_client=broken)
    made.start.click()
    made.wait()
    assert "This went wrong: RuntimeError: &lt;b&gt;a surprise" in made.said.value


def test_without_a_token_it_says_how_to_get_one(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GITHUB_TOKEN", "GH_TOKEN", "GITHUB_API_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", "")
    made = FetchPanel(store, repo="o/r", on_done=lambda _: None, open_client=ask_github)
    made.start.click()
    made.wait()
    assert "cannot be asked without a token; set GITHUB_TOKEN" in made.said.value
    assert not [widget for widget in vars(made).values() if "password" in type(widget).__name__.lower()]


def test_nothing_is_fetched_into_the_sample(sample: Path) -> None:
    with open_sample() as store:
        made = FetchPanel(store, repo="o/r", on_done=lambda _: None)
    assert made.start.disabled
    assert "bundled sample" in made.said.value
