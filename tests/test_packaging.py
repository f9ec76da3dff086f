"""What people install: the same needs everywhere, and a wheel that works alone in an empty environment."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

import pytest

from kotaci.workflows.nodes import read_tree, to_plain

ROOT = Path(__file__).parent.parent
CONDA_NAMES = {"matplotlib": "matplotlib-base", "nbconvert": "nbconvert-core", "pygithub": "pygithub"}
"""Where conda-forge's lean package has another name."""


def test_environment_yml_is_in_step_with_pyproject() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {f"python{project['requires-python']}"}
    for requirement in [*project["dependencies"], *project["optional-dependencies"]["lab"]]:
        name, bound = re.fullmatch(r"([\w.-]+)(.*)", requirement).groups()  # type: ignore[union-attr]
        wanted.add(CONDA_NAMES.get(name.lower(), name.lower()) + bound)
    tree, problems = read_tree((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert problems == []
    assert set(to_plain(tree)["dependencies"]) == wanted


def run(*arguments: str | Path, cwd: Path) -> str:
    done = subprocess.run([str(word) for word in arguments], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.slow
def test_wheel_makes_a_report_in_an_empty_environment(tmp_path: Path) -> None:
    uv = shutil.which("uv")
    run(sys.executable, "-m", "build", "--wheel", "--outdir", tmp_path / "dist", ROOT, cwd=tmp_path)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    home = tmp_path / "home"
    if uv:
        run(uv, "venv", "--python", sys.executable, home, cwd=tmp_path)
    else:
        venv.create(home, with_pip=True)
    python = home / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    install = [uv, "pip", "install", "--python", python] if uv else [python, "-m", "pip", "install", "--quiet"]
    run(*install, wheel, cwd=tmp_path)
    said = run(python, "-m", "kotaci", "report", "--sample", "--out", tmp_path / "reports", cwd=tmp_path)
    assert "index.html" in said
    assert {path.name for path in (tmp_path / "reports").glob("*.html")} == {
        "index.html", "ci_health.html", "failure_triage.html", "flaky_tests.html", "cache_analysis.html",
    }  # fmt: skip
