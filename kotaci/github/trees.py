"""The files of a repository at one commit, through GitHub's API: the list at once, contents as they are asked for."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from urllib.parse import quote

from kotaci.archives.checkout import MAX_TEXT_BYTES, READ_TOGETHER, Tree
from kotaci.github.client import Client, Refused
from kotaci.github.lists import fetch_repository
from kotaci.model import Incomplete, Repo, plural

N_AT_ONCE = 8
"""Connections, as in a fetch."""

MAX_FILES = 400
"""Contents of CI's files that are asked for, a request each: GITHUB_TOKEN has 1,000 an hour."""

MAX_OTHERS = 100
"""Contents of other files."""


def fetch_tree(client: Client, repo: Repo, ref: str = "") -> Tree:
    """Return the files at a branch, tag or commit, of the default branch without one.

    A request each: those of CI together, at most MAX_FILES, workflows first; others when they are asked for. The origin
    of the tree says how many are not read. A file above 2 MiB is not read. Raises Refused where the repository or the
    reference is unknown, Incomplete where GitHub's list is cut.
    """
    told = fetch_repository(client, repo).body
    path = f"/repositories/{told['id']}"
    ref = ref or str(told["default_branch"])
    commit = client.get(f"{path}/commits/{quote(ref, safe='')}")
    if commit.status != 200:
        raise Refused(f"{repo}@{ref}", f"is no commit that GitHub knows ({commit.status})", "name a branch, tag or id")
    sha = str(commit.body["sha"])
    listed = client.get(f"{path}/git/trees/{commit.body['commit']['tree']['sha']}", parameters={"recursive": 1})
    if listed.status != 200:
        raise Refused(f"{repo}@{ref}", f"has no list of files ({listed.status})", "check the token: contents: read")
    if listed.body.get("truncated"):
        raise Incomplete(repo, "has more files than GitHub lists at once", "clone it, and audit the folder")
    blobs = {
        str(entry["path"]): str(entry["sha"])
        for entry in listed.body["tree"]
        if entry["type"] == "blob" and entry["mode"].startswith("100") and entry.get("size", 0) <= MAX_TEXT_BYTES
    }
    paths = frozenset(str(entry["path"]) for entry in listed.body["tree"] if entry["type"] == "blob")
    # `.github` sorts before letters.
    of_ci = [blobs[name] for name in sorted(blobs) if READ_TOGETHER.fullmatch(name)]
    n_left = max(0, len(of_ci) - MAX_FILES)
    origin = f"{repo} at {sha[:10]}" + (f", without {plural(n_left, 'file')} of CI" if n_left else "")
    return Tree(paths, _Blobs(client, path, blobs, of_ci[:MAX_FILES]).read, origin, sha)


@dataclass
class _Blobs:
    """Reads contents by path, and keeps them by blob id."""

    client: Client
    path: str
    blobs: Mapping[str, str]
    of_ci: Sequence[str]
    held: dict[str, bytes | None] = field(default_factory=dict)
    n_others: int = 0

    def read(self, name: str) -> bytes | None:
        sha = self.blobs.get(name, "")
        if not self.held and self.of_ci:
            with ThreadPoolExecutor(N_AT_ONCE) as pool:
                self.held.update(zip(self.of_ci, pool.map(self.content, self.of_ci), strict=True))
        if sha and sha not in self.held and self.n_others < MAX_OTHERS:
            self.n_others += 1
            self.held[sha] = self.content(sha)
        return self.held.get(sha)

    def content(self, sha: str) -> bytes | None:
        reply = self.client.get(f"{self.path}/git/blobs/{sha}")
        if reply.status != 200:
            return None
        try:
            return base64.b64decode(reply.body["content"])
        except (KeyError, TypeError, binascii.Error):
            return None
