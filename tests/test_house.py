"""The walls of the house: who may import whom, which library sits behind which wall, and what stays outside."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "kotaci"

MAY_IMPORT = {
    "model": set(),
    "tables": set(),
    "redaction": set(),
    "places": {"model"},
    "logs": {"model"},
    "store": {"model", "redaction"},
    "workflows": {"model", "tables"},
    "watch": {"model", "redaction"},
    "archives": {"model", "logs", "store", "workflows", "watch"},
    "github": {"model", "logs", "store", "archives", "watch"},
    "facts": {"model", "tables", "logs", "store", "workflows", "watch"},
    "sample": {"model", "places", "store", "facts"},
    "audit": {"model", "workflows", "archives"},
    "analysis": {"model"},
    "config": {"model", "logs", "store", "analysis"},
    "report": {"model", "tables", "redaction"},
    "pages": {
        "model",
        "archives",
        "places",
        "logs",
        "store",
        "workflows",
        "config",
        "facts",
        "sample",
        "analysis",
        "report",
        "audit",
    },
    "actions": {"model", "logs", "archives", "github", "config", "report", "audit"},
    "lab": {"model", "places", "logs", "store", "config", "github", "facts", "sample", "analysis", "report", "pages"}
    | {"actions"},
    "cli": {"model", "places", "store", "config", "archives", "github", "facts", "sample", "report"}
    | {"logs", "workflows", "analysis", "pages", "watch", "actions", "audit"},
    "__main__": {"cli"},
}
"""For each room, the rooms below that it may use; a room may always use itself."""

WALLS = {
    "github": {"github"},
    "requests": {"github"},
    "papermill": {"report/runner.py"},
    "nbclient": {"report/runner.py"},
    "jupyter_client": {"report/runner.py"},
    "nbconvert": {"report/runner.py", "report/export.py"},
    "nbformat": {"report"},
    "nh3": {"report"},
    "matplotlib": {"report/charts"},
    "ipywidgets": {"lab"},
    "pyarrow": {"facts/files.py"},
    "ruamel": {"workflows"},
    "tree_sitter": {"audit/shell.py"},
    "tree_sitter_bash": {"audit/shell.py"},
    "re2": {"logs/patterns.py"},
    "scipy": {"analysis"},
    "ruptures": {"analysis/durations/splitting.py"},
    "jsonschema": {"config/reading.py"},
    "sqlite3": {"store"},
    "zstandard": {"store"},
    "junitparser": {"logs/results/junit.py"},
    "platformdirs": {"places.py"},
    "psutil": {"watch/processes.py"},
    "click": {"cli"},
    "rich": {"cli"},
    "subprocess": {"archives/git.py", "audit/linters.py", "cli/act.py", "cli/working.py"}
    | {"github/token.py", "report/runner.py", "watch/processes.py"},
}
"""For each library, the only files or rooms that may import it."""

FILES = sorted(path for path in PACKAGE.rglob("*.py") if "sample/" not in path.as_posix() or path.name == "__init__.py")


@cache
def imported_names(path: Path) -> set[str]:
    """Return the dotted names of all modules that the file imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add(node.module or "")
            if node.module == "kotaci":
                names.update(f"kotaci.{alias.name}" for alias in node.names)
    return names


def room_of(path: Path) -> str:
    """Return the room (first part below the package) that the file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_go_down_only(path: Path) -> None:
    room = room_of(path)
    if room == "__init__":
        return
    ours = {name.split(".")[1] for name in imported_names(path) if name.startswith("kotaci.")} - {"__version__"}
    assert ours - MAY_IMPORT[room] - {room} == set()


@pytest.mark.parametrize("library", WALLS)
def test_library_stays_behind_its_wall(library: str) -> None:
    users = {
        path.relative_to(PACKAGE).as_posix()
        for path in FILES
        if any(name.split(".")[0] == library for name in imported_names(path))
    }
    outside = {
        user for user in users if not any(user == wall or user.startswith(f"{wall}/") for wall in WALLS[library])
    }
    assert outside == set()


def test_no_clock_below_the_command_line() -> None:
    clock = re.compile(r"\.(?:now|utcnow|today)\(|time\.time\(|time\.sleep\(")
    users = {room_of(path) for path in FILES if clock.search(path.read_text(encoding="utf-8"))}
    # The lab asks GitHub at a person's click, as the command line does.
    assert users <= {"cli", "lab"}


def test_no_environment_below_the_command_line() -> None:
    users = {path.relative_to(PACKAGE).as_posix() for path in FILES if "os.environ" in path.read_text(encoding="utf-8")}
    # The runner withholds tokens from the kernels it starts, and git is given a quiet environment.
    assert users <= {"places.py", "report/runner.py", "archives/git.py"}


def test_one_place_alone_writes_to_github() -> None:
    users = {path.relative_to(PACKAGE).as_posix() for path in FILES if ".change(" in path.read_text(encoding="utf-8")}
    assert users == {"actions/place.py"}


def test_every_room_is_known() -> None:
    rooms = {room_of(path) for path in FILES} - {"__init__"}
    assert rooms == set(MAY_IMPORT)


def test_no_drawers() -> None:
    drawers = {"utils", "util", "helpers", "common", "misc", "v2"}
    assert {path.stem for path in ROOT.joinpath("kotaci").rglob("*")} & drawers == set()
