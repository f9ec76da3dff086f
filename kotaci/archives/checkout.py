"""The files of a repository at one moment, from a folder or from a commit of a clone, read as they are asked for."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import translate
from functools import cached_property
from pathlib import Path

from kotaci.archives.git import list_commit, list_worktree, read_blobs
from kotaci.model import BadInput

MAX_TEXT_BYTES = 2 << 20
"""Larger files are not read: they are data, not something that CI depends on."""

_LEFT_OUT = {".git", "target", "node_modules", ".venv", "venv", "__pycache__"}


@dataclass(frozen=True)
class Tree:
    """The files of a repository: `paths` of all (with `/`), `text` of one; texts are kept once read."""

    paths: frozenset[str]
    read: Callable[[str], bytes | None] = field(repr=False)
    origin: str = ""
    """where they come from, in words"""
    commit_sha: str = ""
    """empty where they are no commit's"""
    _texts: dict[str, str | None] = field(default_factory=dict, repr=False, compare=False)

    def text(self, path: str) -> str | None:
        """Return the file as text, line ends as they are; None where there is no such file, or it is none to read."""
        if path not in self.paths:
            return None
        if path not in self._texts:
            content = self.read(path)
            self._texts[path] = None if content is None else content.decode("utf-8", "replace")
        return self._texts[path]

    @cached_property
    def folders(self) -> frozenset[str]:
        """Return all folders that hold a file; the root is the empty text."""
        found = {""}
        for path in self.paths:
            while (path := path.rpartition("/")[0]) and path not in found:
                found.add(path)
        return frozenset(found)

    def matching(self, *patterns: str) -> Iterator[str]:
        """Yield, in order, the paths that one of these shell patterns fits; `*` reaches over folders too."""
        fits = re.compile("|".join(map(translate, patterns))).match
        yield from sorted(path for path in self.paths if fits(path))


def tree_of(files: dict[str, str], *, origin: str = "") -> Tree:
    """Return a tree of these texts by path."""
    return Tree(frozenset(files), lambda path: files[path].encode() if path in files else None, origin)


def read_checkout(path: Path, *, commit: str = "", held: dict[str, bytes] | None = None) -> Tree:
    """Return the files of the folder `path`, of a clone only what git knows or would add; or those of a commit.

    `held` keeps contents by blob id: give one dict to many commits, and each version of a file is read once.
    Raises BadInput where the folder or the commit does not exist.
    """
    if not path.is_dir():
        raise BadInput(path, "is no folder", "name the folder of a checkout")
    if commit:
        sha, blobs = list_commit(path, commit)
        kept = {} if held is None else held
        return Tree(
            frozenset(blobs),
            lambda name: _blob(path, blobs, name, kept),
            f"{path.resolve().name} at {sha[:10]}",
            sha,
        )
    names = list_worktree(path)
    paths = frozenset(names if names is not None else _walk(path))
    return Tree(paths, lambda name: _read(path / name), path.resolve().name)


READ_TOGETHER = re.compile(
    r"\.github/.*|(?:.*/)?(?:Cargo\.(?:toml|lock)|action\.ya?ml|.*\.(?:toml|sh|just)|justfile|Makefile|Dockerfile.*)"
    r"|(?:.*/)?tests/[^/]+\.rs"
)
"""Files that an audit asks for; read with the first of them, since starting git costs more than reading."""

_SOURCES = re.compile(r"(?:.*/)?(?:src|tests)/.*\.rs")
"""Sources that may hold tests, read with the first of them too."""


def _blob(path: Path, blobs: Mapping[str, str], name: str, held: dict[str, bytes]) -> bytes:
    if blobs[name] not in held:
        together = _SOURCES if name.endswith(".rs") else READ_TOGETHER
        wanted = {blobs[one] for one in blobs if one == name or together.fullmatch(one)} - held.keys()
        held.update(read_blobs(path, sorted(wanted)))
    return held[blobs[name]]


def _walk(folder: Path) -> Iterator[str]:
    for here, folders, names in os.walk(folder):
        folders[:] = sorted(set(folders) - _LEFT_OUT)
        for name in names:
            yield (Path(here) / name).relative_to(folder).as_posix()


def _read(path: Path) -> bytes | None:
    """Return the file's bytes; None for what is no plain file, too large, or may not be read."""
    try:
        if not path.is_file() or path.stat().st_size > MAX_TEXT_BYTES:
            return None
        return path.read_bytes()
    except OSError:
        return None
