"""Which configuration is in force: the first there is of one told, the environment's, the store's, the checkout's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from kotaci.config.reading import read_config
from kotaci.config.values import Config
from kotaci.model import BadInput
from kotaci.store import Store

PLACE = ".github/kotaci.toml"
"""Where a repository keeps its configuration."""

LARGEST = 2**20
"""Bytes; no person writes more, and a wrong file is refused before it is read whole."""


def config_in_force(
    *,
    told: str = "",
    environment: Mapping[str, str],
    store: Store | None = None,
    repo: str = "",
    folder: Path | None = None,
) -> Config:
    """Return the file `told`, else KOTACI_CONFIG, else what `store` holds of `repo`, else what is at or above `folder`.

    Without any of these it is the defaults. Raises BadInput for a file that cannot be read, or that is wrong.
    """
    named = told or environment.get("KOTACI_CONFIG", "")
    if named:
        return read_config_file(Path(named).expanduser())
    stored = stored_config(store, repo) if store is not None and repo else None
    if stored is not None:
        return stored
    found = find_config(folder, repo=repo) if folder is not None else None
    return Config() if found is None else read_config_file(found)


def read_config_file(path: Path) -> Config:
    """Return the configuration in a file. Raises BadInput."""
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
    except OSError as error:
        raise BadInput(path, f"cannot be read ({error.strerror})", f"name a {PLACE}") from None
    if len(raw) > LARGEST:
        raise BadInput(path, "is larger than 1 MB", f"name a {PLACE}")
    try:
        # Editors on Windows put a mark before the text, which TOML does not know.
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(path, f"is not UTF-8 (byte {error.start})", "save it as UTF-8") from None
    return replace(read_config(text, source=str(path)), path=path)


def stored_config(store: Store, repo: str) -> Config | None:
    """Return the configuration that was stored with the repository; None where there is none. Raises BadConfig."""
    name = next((known for known in store.repos() if known.lower() == repo.lower()), repo)
    held = store.payload(name, "config", "config")
    if held is None:
        return None
    told = read_config(held["text"], source=f"the store: {held['path']} of {name}")
    return replace(told, source="the store")


def find_config(folder: Path, *, repo: str = "") -> Path | None:
    """Return the file of the checkout that the folder is in: looked for upwards, no further than its root.

    None also where git's remotes there tell other repositories than `repo`.
    """
    for place in (folder, *folder.parents):
        if (place / PLACE).is_file():
            return place / PLACE if _may_be_of(place, repo) else None
        if (place / ".git").exists():
            return None
    return None


_REMOTE = re.compile(r"^\s*url\s*=\s*\S*?([\w.-]+/[\w.-]+?)(?:\.git)?/?\s*$", re.MULTILINE)


def _may_be_of(checkout: Path, repo: str) -> bool:
    """Tell whether a checkout may be one of the repository: it is, or its remotes tell nothing."""
    try:
        text = (checkout / ".git" / "config").read_text("utf-8", errors="replace")
    except OSError:
        return True
    told = {name.lower() for name in _REMOTE.findall(text)}
    return not repo or not told or repo.lower() in told
