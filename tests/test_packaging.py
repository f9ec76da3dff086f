"""What people install: the same needs everywhere, and a wheel that works with what it names and nothing else."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
import tomllib
import venv
import zipfile
from collections import Counter
from collections.abc import Iterable
from importlib.metadata import Distribution, distribution, distributions
from pathlib import Path, PurePosixPath

import pytest
from packaging.requirements import Requirement

from kotaci.workflows.nodes import read_tree, to_plain
from tests.test_house import FILES, imported_names, room_of

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
    """Run a program that sees no checkout of kotaci, and return what it said."""
    environment = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
    words = [str(word) for word in arguments]
    done = subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def needed(one: Distribution) -> dict[str, Distribution]:
    """Return what a distribution needs, and what that needs in turn; each must be there within its bounds."""
    found: dict[str, Distribution] = {}
    left, seen = [(one, "")], set[tuple[str, str]]()
    while left:
        one, extra = left.pop()
        seen.add((one.name, extra))
        for wanted in map(Requirement, one.requires or ()):
            if wanted.marker is None or wanted.marker.evaluate({"extra": extra}):
                brought = found[wanted.name] = distribution(wanted.name)
                assert wanted.specifier.contains(brought.version, prereleases=True), wanted
                left += [(brought, more) for more in ("", *wanted.extras) if (brought.name, more) not in seen]
    return found


def recorded(one: Distribution) -> list[PurePosixPath]:
    """Return the files of a distribution, as seen from the folder of packages."""
    return [PurePosixPath(row[0]) for row in csv.reader((one.read_text("RECORD") or "").splitlines())]


def place(installed: Iterable[Distribution], site: Path) -> None:
    """Put these distributions, and no other, into a folder of packages, as links to where they are installed."""
    n_owners = Counter(top for one in distributions() for top in {file.parts[0] for file in recorded(one)})
    for one in installed:
        for file in recorded(one):
            # A folder is linked as a whole, with its compiled code, where it is of this distribution alone.
            part = file.parts[0] if file.parts[0] != ".." and n_owners[file.parts[0]] == 1 else file
            source, target = Path(str(one.locate_file(part))), Path(os.path.normpath(site / part))
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                target.symlink_to(source.resolve())


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="links are for administrators there")
def test_wheel_makes_a_report_beside_nothing_but_what_it_needs(tmp_path: Path) -> None:
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path / "dist", ROOT, cwd=tmp_path)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    home = tmp_path / "home"
    venv.create(home, symlinks=True)
    python = home / "bin" / "python"
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=tmp_path).strip())
    with zipfile.ZipFile(wheel) as file:
        file.extractall(site)
    # A vendored importlib_metadata that some test before this one loaded tells each distribution once more.
    (itself,) = {one.name: one for one in distributions(path=[str(site)])}.values()
    place(needed(itself).values(), site)
    there = {one.name for one in distributions(path=[str(site)])}
    assert {"kotaci", "pandas"} <= there
    assert {"pytest", "hypothesis", "jupyterlab"} & there == set()
    # What only `[lab]` brings is imported in the lab alone, which tells where that is missing.
    batch = [path for path in FILES if room_of(path) != "lab"]
    imported = {name.split(".")[0] for path in batch for name in imported_names(path)} - sys.stdlib_module_names
    looked_for = "import importlib.util as u, sys; print([name for name in sys.argv[1:] if u.find_spec(name) is None])"
    assert run(python, "-c", looked_for, *sorted(imported), cwd=tmp_path) == "[]\n"
    ours = {path.name: path.read_bytes() for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert {path.name: path.read_bytes() for path in (site / "kotaci" / "notebooks").iterdir()} == ours
    name = "ci-report.yml"
    assert (site / "kotaci" / name).read_bytes() == (ROOT / ".github" / "workflows" / name).read_bytes()
    said = run(python, "-m", "kotaci", "report", "ci_health", "--sample", "--out", tmp_path / "reports", cwd=tmp_path)
    assert "index.html" in said
    assert {path.name for path in (tmp_path / "reports").glob("*.html")} == {"index.html", "ci_health.html"}
