"""An investigation in a real JupyterLab in a real Chromium: pick a repository, find a failure, read its log, fetch,
comment on an issue of the server on loopback."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kotaci.lab.reading import WINDOW
from kotaci.store import open_store
from tests.builders import api_batch, job_log, script, set_up, write_all
from tests.github.fetching import TOKEN
from tests.github_server import Limits, Rights, State, serve
from tests.test_lab import run_all, start, stop

N_LINES = 60_000
SOON = 20_000
"""Milliseconds in which a click has its effect, on a machine that is busy."""


@pytest.fixture
def server() -> Iterator[Any]:
    ends_at = datetime.now(UTC).replace(microsecond=0)
    state = State.generated(n_runs=6, n_jobs=2, n_reruns=0, seed=3, ends_at=ends_at)
    at = {"created_at": "2026-03-02T12:00:00Z", "updated_at": "2026-03-02T12:00:00Z", "user": "octocat"}
    state.issues[1] = {**at, "id": 1, "number": 1, "title": "Mine", "state": "open", "labels": []}
    with serve(state, {TOKEN: Rights()}, Limits(10**6, points_per_minute=None)) as served:
        yield served


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store of two repositories: one is green, the other failed with a log of 4 MB, and with a small one."""
    noise = [f"compiling part {number} of the whole" for number in range(N_LINES)]
    steps = [
        set_up(),
        script(2, "cargo test", *noise, "test index::grows ... FAILED", "error: test failed", exit_code=1),
    ]
    log = job_log(steps)
    assert 3.5e6 < len(log) < 4.5e6
    store = open_store(tmp_path / "store", create=True)
    small = job_log([set_up(), script(2, "cargo fmt --check", "<b id='owned'>Diff</b> in a.rs:1:", exit_code=1)])
    write_all(
        store,
        api_batch(1, conclusion="failure", log=log),
        api_batch(2, conclusion="failure", log=small, sha="1" * 40),
        api_batch(7, repo="example/other"),
    )
    return store.path


class Lab:
    """JupyterLab as its user sees it."""

    def __init__(self, page: Any) -> None:
        self.page = page

    def of(self, label: str) -> Any:
        """Return the field with that label."""
        return self.page.locator(f".jupyter-widgets:has(> label:text-is('{label}'))").locator("select, input").first

    def pick(self, label: str, text: str) -> None:
        self.of(label).select_option(label=text)

    def press(self, name: str) -> None:
        """Press a button from the keyboard."""
        self.page.get_by_role("button", name=name, exact=True).press("Enter")

    def shows(self, text: str, *, within: str = ".jp-Notebook") -> None:
        self.page.locator(within).get_by_text(text).first.wait_for(timeout=SOON)

    def n_lines(self) -> int:
        return int(self.page.locator(".k-log span[data-n]").count())


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is no signal that one process can send another there")
def test_an_investigation(  # noqa: PLR0915  (one path, step by step)
    browser: Any, folder: Path, server: Any, tmp_path: Path
) -> None:
    told = {"GITHUB_TOKEN": TOKEN, "GITHUB_API_URL": server.api_url}
    process, _, address = start(
        tmp_path, "--store", str(folder), "--repo", "example/other", "--with-token", environment=told
    )
    page = browser.new_page(viewport={"width": 1300, "height": 2400})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    lab = Lab(page)
    try:
        run_all(page, address.replace("ci_health", "failure_triage"))
        lab.of("Repository").wait_for(timeout=40_000)
        lab.shows("0 of 0 groups.")

        lab.pick("Repository", "example/kvstore")
        lab.shows("2 of 2 groups.")
        lab.of("Filter").fill("index::grows")
        lab.shows("1 of 2 groups.")
        lab.shows("index::grows ... FAILED", within=".k-card")
        lab.shows("index::grows ... FAILED", within=".k-log")
        assert page.locator(".k-log .k-hit").count() == 1
        assert page.locator(".k-log .k-hit").is_visible()

        lab.press("First lines")
        lab.shows("Current runner version", within=".k-log")
        assert lab.n_lines() == WINDOW
        lab.press("Forward")
        lab.shows("compiling part 180 of the whole", within=".k-log")
        lab.of("Search").fill("part 59999 of")
        lab.of("Search").press("Enter")
        lab.shows("1 of 1 line with “part 59999 of”")
        assert page.locator(".k-log mark").inner_text() == "part 59999 of"
        lab.of("Filter").fill("exit code 1")
        lab.shows("<b id='owned'>Diff</b> in a.rs:1:", within=".k-log")
        assert page.locator("#owned").count() == 0
        look(page, tmp_path / "light.png")

        lab.of("Fetch").fill("no repository")
        lab.press("Fetch from GitHub")
        lab.shows("is not a repository; write it as owner/name")
        lab.of("Fetch").fill(server.state.full_name)
        lab.press("Fetch from GitHub")
        lab.shows("new things")
        lab.pick("Repository", server.state.full_name)
        lab.shows(server.state.full_name, within=".k-crumb")
        lab.pick("Write", "comment: work begins")
        lab.of("Where").fill("issue:1")
        lab.press("Preview")
        lab.shows("nothing is written yet")
        assert server.state.comments == {}
        look(page, tmp_path / "preview.png")
        page.get_by_label("I have read it, and it may be written to GitHub").check()
        lab.press("Apply")
        lab.shows("Written; applied again, it would write nothing.")
        (comment,) = server.state.comments.values()
        assert "Investigating CI issue #1" in comment["body"]
        lab.pick("Repository", "example/kvstore")
        lab.shows("1 of 2 groups.")

        light = colour(page)
        page.get_by_role("menuitem", name="Settings", exact=True).click()
        page.get_by_text("Theme", exact=True).hover()
        page.get_by_text("JupyterLab Dark", exact=True).click()
        page.locator("[data-jp-theme-light=false]").wait_for(state="attached", timeout=SOON)
        assert colour(page) != light
        look(page, tmp_path / "dark.png")
        assert overflowing(page) == []
        assert page.locator("[data-mime-type='application/vnd.jupyter.stderr']").count() == 0
        page.close()
    except BaseException:
        page.screenshot(path=tmp_path / "failed.png")
        raise
    finally:
        stop(process)
    assert {url.split("/")[2].split(":")[0] for url in asked if url.startswith("http")} <= {"localhost", "127.0.0.1"}
    node = json.loads((tmp_path / "mine" / "failure_triage.ipynb").read_text("utf-8"))
    assert TOKEN not in json.dumps(node)


def look(page: Any, path: Path) -> None:
    page.locator(".jp-Cell:has(.k-log), .jp-Cell:has(.widget-dropdown)").last.scroll_into_view_if_needed()
    page.screenshot(path=path)


def colour(page: Any) -> str:
    return str(page.locator(".widget-html .kotaci").last.evaluate("box => getComputedStyle(box).backgroundColor"))


def overflowing(page: Any) -> list[str]:
    """Return what is wider than the cell that it stands in."""
    found = page.evaluate(
        """() => [...document.querySelectorAll('.widget-html .kotaci')].filter(box =>
        box.getBoundingClientRect().right > box.closest('.jp-OutputArea').getBoundingClientRect().right + 1)
        .map(box => box.textContent.slice(0, 40))"""
    )
    return [str(one) for one in found]
