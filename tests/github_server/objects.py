"""Git's objects as far as GitHub shows them: blobs and trees with the ids that git gives them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath


@dataclass(frozen=True)
class Entry:
    """One name in a tree: `kind` is blob or tree."""

    name: str
    kind: str
    sha: str

    @property
    def mode(self) -> str:
        """Return the mode as git and GitHub write it."""
        return "040000" if self.kind == "tree" else "100644"


def object_id(kind: str, body: bytes) -> str:
    """Return the id that git gives an object."""
    return hashlib.sha1(f"{kind} {len(body)}\0".encode() + body, usedforsecurity=False).hexdigest()


@dataclass
class Objects:
    """Blobs and trees by id."""

    blobs: dict[str, bytes] = field(default_factory=dict)
    trees: dict[str, tuple[Entry, ...]] = field(default_factory=dict)

    def add_blob(self, body: bytes, *, sha: str | None = None) -> str:
        """Keep the content and return its id; `sha` is the id that a source told."""
        sha = sha or object_id("blob", body)
        self.blobs[sha] = body
        return sha

    def add_tree(self, entries: Iterable[Entry], *, sha: str | None = None) -> str:
        """Keep a folder and return its id; `sha` is the id that a source told."""
        # Git sorts a folder as if its name ended in a slash.
        ordered = tuple(sorted(entries, key=lambda entry: entry.name + "/" * (entry.kind == "tree")))
        body = b"".join(
            f"{entry.mode.lstrip('0')} {entry.name}\0".encode() + bytes.fromhex(entry.sha) for entry in ordered
        )
        sha = sha or object_id("tree", body)
        self.trees[sha] = ordered
        return sha

    def put(self, tree: str | None, path: str, entry_sha: str, *, kind: str = "blob") -> str:
        """Return the id of the tree in which `path` is that object, made of `tree` (or of nothing)."""
        top, _, rest = path.partition("/")
        entries = {entry.name: entry for entry in self.trees.get(tree or "", ())}
        if rest:
            below = entries.get(top)
            inner = self.put(below.sha if below else None, rest, entry_sha, kind=kind)
            entries[top] = Entry(top, "tree", inner)
        else:
            entries[top] = Entry(top, kind, entry_sha)
        return self.add_tree(entries.values())

    def root(self, files: Mapping[str, str], *, workflows: str | None = None) -> str:
        """Return the id of a root tree with these blobs by path, and that `.github/workflows` tree."""
        tree: str | None = None
        for path, sha in files.items():
            tree = self.put(tree, path, sha)
        if workflows:
            tree = self.put(tree, ".github/workflows", workflows, kind="tree")
        return tree or self.add_tree(())

    def find(self, tree: str, path: str) -> Entry | None:
        """Return what stands at `path` below the tree; the empty path is the tree itself."""
        found: Entry | None = Entry("", "tree", tree)
        for name in PurePosixPath(path).parts:
            if found is None:
                return None
            found = next((entry for entry in self.trees.get(found.sha, ()) if entry.name == name), None)
        return found
