"""Where things lie: notebooks, sample, default folders; the same editable, from a wheel, in a terminal and in CI."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

import platformdirs

from kotaci.model import BadInput


def notebooks_folder() -> Path:
    """Return the folder of our notebooks: inside the installed package, or beside it in a checkout."""
    package = Path(str(files("kotaci")))
    for folder in (package / "notebooks", package.parent / "notebooks"):
        if folder.is_dir():
            return folder
    raise BadInput(package, "has no notebooks beside it", "install kotaci again")


def scheduled_workflow() -> Path:
    """Return the file of the workflow that `kotaci init` writes: our own, in the package or in this checkout."""
    package = Path(str(files("kotaci")))
    for file in (package / "ci-report.yml", package.parent / ".github" / "workflows" / "ci-report.yml"):
        if file.is_file():
            return file
    raise BadInput(package, "has no workflow beside it", "install kotaci again")


def first_config() -> Path:
    """Return the file of the configuration that `kotaci init` writes, with nothing set in it."""
    return Path(str(files("kotaci"))) / "config" / "first.toml"


def sample_folder() -> Path:
    """Return the folder of the bundled sample."""
    return Path(str(files("kotaci"))) / "sample"


def default_store(environment: Mapping[str, str]) -> Path:
    """Return the store's folder where none is named: KOTACI_STORE, else the user's data folder."""
    told = environment.get("KOTACI_STORE", "")
    return Path(told).expanduser() if told else platformdirs.user_data_path("kotaci", appauthor=False) / "store"


def default_repo(environment: Mapping[str, str]) -> str:
    """Return the repository where none is named: KOTACI_REPO; empty where that is not set."""
    return environment.get("KOTACI_REPO", "")


def cache_folder() -> Path:
    """Return the user's cache folder for what can be made again, such as the unpacked sample."""
    # XDG_CACHE_HOME and its like are read by platformdirs.
    return platformdirs.user_cache_path("kotaci", appauthor=False, ensure_exists=False)


def is_ci(environment: Mapping[str, str]) -> bool:
    """Tell whether this runs in a CI system, where progress is printed as plain lines."""
    return bool(environment.get("CI")) or "GITHUB_ACTIONS" in environment


ENVIRONMENT: Mapping[str, str] = os.environ
"""The process's environment: read by the command line alone."""
