"""`kotaci lab`: copies that nobody overwrites, and a real JupyterLab in a real Chromium that leaves nothing behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from kotaci.cli import main
from kotaci.cli.working import copy_notebooks
from kotaci.model import BadInput
from tests.test_cli import notebook

PARAMETERS = 'store: str = ""  # folder'


def write(folder: Path, name: str, cell: str) -> Path:
    """Write a notebook of kotaci's own."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.ipynb"
    path.write_text(notebook(PARAMETERS, cell), encoding="utf-8")
    return path


def edit(path: Path, cell: str) -> None:
    """Change the last cell of a notebook, as a user does."""
    node = json.loads(path.read_text("utf-8"))
    node["cells"][-1]["source"] = cell
    path.write_text(json.dumps(node), encoding="utf-8")


def last_cell(path: Path) -> str:
    return "".join(json.loads(path.read_text("utf-8"))["cells"][-1]["source"])


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_copies_are_made_once(tmp_path: Path) -> None:
    write(tmp_path / "ours", "health", "1 + 1")
    assert copy_notebooks(tmp_path / "ours", tmp_path / "mine") == [f"Copied 1 notebook to {tmp_path / 'mine'}."]
    assert copy_notebooks(tmp_path / "ours", tmp_path / "mine") == []
    assert names(tmp_path / "mine") == ["health.ipynb"]


def test_a_copy_that_was_only_run_follows_a_newer_version(tmp_path: Path) -> None:
    write(tmp_path / "ours", "health", "1 + 1")
    copy_notebooks(tmp_path / "ours", tmp_path / "mine")
    mine = tmp_path / "mine" / "health.ipynb"
    node = json.loads(mine.read_text("utf-8"))
    node["cells"][-1].update(execution_count=3, source=["1 + 1"])
    mine.write_text(json.dumps(node), encoding="utf-8")
    write(tmp_path / "ours", "health", "2 + 2")
    copy_notebooks(tmp_path / "ours", tmp_path / "mine")
    assert (names(tmp_path / "mine"), last_cell(mine)) == (["health.ipynb"], "2 + 2")


def test_a_changed_copy_stays_and_the_newer_version_is_put_beside_it_once(tmp_path: Path) -> None:
    write(tmp_path / "ours", "health", "1 + 1")
    copy_notebooks(tmp_path / "ours", tmp_path / "mine")
    mine = tmp_path / "mine" / "health.ipynb"
    edit(mine, "my_own_work()")
    assert copy_notebooks(tmp_path / "ours", tmp_path / "mine") == []
    write(tmp_path / "ours", "health", "2 + 2")
    said = copy_notebooks(tmp_path / "ours", tmp_path / "mine")
    beside = next(name for name in names(tmp_path / "mine") if name.startswith("health-new-"))
    assert said[0] == f"health.ipynb is changed by you and stays; the newer version is {beside} beside it."
    assert (last_cell(mine), last_cell(tmp_path / "mine" / beside)) == ("my_own_work()", "2 + 2")
    edit(tmp_path / "mine" / beside, "more_work()")
    assert copy_notebooks(tmp_path / "ours", tmp_path / "mine") == []
    assert last_cell(tmp_path / "mine" / beside) == "more_work()"


@pytest.mark.parametrize("text", ["Dear reader", "[]", '{"cells": [1]}', '{"cells": [], "metadata": []}'])
def test_what_is_no_copy_of_ours_is_left_alone(text: str, tmp_path: Path) -> None:
    write(tmp_path / "ours", "health", "1 + 1")
    mine = tmp_path / "mine" / "health.ipynb"
    mine.parent.mkdir()
    mine.write_text(text)
    copy_notebooks(tmp_path / "ours", tmp_path / "mine")
    assert mine.read_text() == text
    assert len(names(tmp_path / "mine")) == 2


def test_folders_that_cannot_hold_copies(tmp_path: Path) -> None:
    write(tmp_path / "ours", "health", "1 + 1")
    with pytest.raises(BadInput, match="holds kotaci's own notebooks; name another folder"):
        copy_notebooks(tmp_path / "ours", tmp_path / "x" / ".." / "ours")
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(BadInput, match="cannot be made"):
        copy_notebooks(tmp_path / "ours", tmp_path / "taken")


def test_jupyterlab_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "jupyterlab", None)
    assert main(["lab", str(tmp_path / "mine"), "--sample"]) == 2
    assert capsys.readouterr().err == (
        "kotaci: jupyterlab: is not installed; install it with: pip install 'kotaci[lab]'\n"
    )
    assert not (tmp_path / "mine").exists()


def test_no_store_is_said_before_anything_is_copied(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lab", str(tmp_path / "mine"), "--store", str(tmp_path / "none")]) == 2
    assert "holds no store" in capsys.readouterr().err
    assert not (tmp_path / "mine").exists()


TOKEN = "ghp_" + "k0tac1" * 6


def start(
    tmp_path: Path, *options: str, environment: Mapping[str, str] | None = None
) -> tuple[subprocess.Popen[str], list[str], str]:
    """Start `kotaci lab` for itself, without options on the sample; return it, what it said, and the address it
    gave."""
    own = {f"JUPYTER_{name}_DIR": str(tmp_path / name) for name in ("CONFIG", "DATA", "RUNTIME")}
    environment = {**os.environ, **own, "GITHUB_TOKEN": TOKEN, "PYTHONUNBUFFERED": "1", **(environment or {})}
    options = options or ("--sample",)
    words = [sys.executable, "-m", "kotaci", "lab", "mine", *options, "--no-browser", "--port", "0"]
    process = subprocess.Popen(words, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
    said = []
    assert process.stderr is not None
    for line in process.stderr:
        said.append(line)
        found = re.search(r"http://(?:localhost|127\.0\.0\.1):\d+/lab\S*\?token=\w+", line)
        if found:
            return process, said, found[0]
    raise AssertionError("".join(said))


def stop(process: subprocess.Popen[str]) -> None:
    """End it as Ctrl-C does; it must end well, with everything that it started."""
    started = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    _, alive = psutil.wait_procs(started, timeout=10)
    assert (process.returncode, alive) == (0, []), said
    assert "Traceback" not in said
    assert len(started) >= 1


def run_all(page: Any, address: str) -> None:
    """Open the notebook and run its cells."""
    page.goto(address)
    page.locator(".jp-Notebook").wait_for(timeout=30_000)
    # Only the status bar tells it truly: run before, JupyterLab would ask for a kernel.
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=30_000)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()


def height_of_a_label(page: Any) -> float:
    """Put a card with one fact into the last output, among JupyterLab's own styles; return its label's height."""
    card = "<article class='k-card'><dl><dt>run again</dt><dd>2 of 3 went green</dd></dl></article>"
    last = page.locator(".jp-RenderedHTMLCommon .kotaci").last
    last.evaluate("(output, card) => output.insertAdjacentHTML('beforeend', card)", card)
    label = last.locator("dt")
    label.scroll_into_view_if_needed()
    return float(label.bounding_box()["height"])


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is no signal that one process can send another there")
def test_a_real_jupyterlab(browser: Any, tmp_path: Path) -> None:
    process, said, address = start(tmp_path)
    mine = tmp_path / "mine" / "ci_health.ipynb"
    try:
        assert "Ctrl-C ends it" in "".join(said)
        (server,) = [one for one in psutil.Process(process.pid).children() if "jupyterlab" in one.cmdline()]
        assert TOKEN not in server.environ().values()
        page = browser.new_page(viewport={"width": 1200, "height": 1000})
        run_all(page, address)
        page.locator(".jp-Notebook .kotaci details").last.wait_for(timeout=40_000)
        assert page.locator("[data-mime-type='application/vnd.jupyter.stderr']").count() == 0
        assert height_of_a_label(page) < 30, "JupyterLab's own rules for terms break a card's labels"
        page.keyboard.press("Control+s")
        page.locator(".jp-mod-dirty").wait_for(state="detached", timeout=10_000)
        page.close()
    finally:
        stop(process)
    outputs = [output for cell in json.loads(mine.read_text("utf-8"))["cells"] for output in cell.get("outputs", [])]
    assert [output["output_type"] for output in outputs if output["output_type"] == "error"] == []
    assert "runs failed" in json.dumps(outputs)
    assert "the bundled sample" in json.dumps(outputs)
    edit(mine, "my_own_work()")
    stop(start(tmp_path)[0])
    assert last_cell(mine) == "my_own_work()"
