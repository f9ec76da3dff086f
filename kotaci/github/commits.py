"""Commits and the workflow files at each, with as few requests as its parent allows."""

from __future__ import annotations

import base64
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from kotaci.github.place import SOURCE, Place, gone
from kotaci.model import parse_moment
from kotaci.store import Batch, Payload, Store, Want


def lacks_commit(store: Store, place: Place, want: Want) -> bool | None:
    """Return True where it is not held: a clone may have brought it."""
    return True if store.payload(place.repo, "commit", want.key) is None else None


def fetch_commit(place: Place, want: Want, _: object) -> Batch:
    """Return the commit, without its diffs; its workflow files are to be looked for next."""
    met = [(want.kind, want.key)]
    reply = place.client.get(f"{place.path}/commits/{want.key}")
    if reply.status != 200:
        place.check_visible()
        return Batch(place.repo, SOURCE, [gone(want, reply, "commit")], met=met)
    body = dict(reply.body)
    # Whole diffs would outweigh all else; which files changed is what is asked of them.
    body["files"] = [{key: value for key, value in file.items() if key != "patch"} for file in body.get("files", [])]
    at = committed_at(body)
    return Batch(
        place.repo, SOURCE, [Payload("commit", want.key, body, at)], wants=[Want("tree", want.key, want.at)], met=met
    )


def committed_at(commit: Mapping[str, Any]) -> datetime | None:
    """Return when it was committed; GitHub may know nobody who did."""
    date = ((commit["commit"].get("committer") or commit["commit"].get("author")) or {}).get("date")
    return parse_moment(date) if date else None


MAX_COMMIT_FILES = 300
"""A commit's page lists no more files; one that is full may have changed workflows as well."""


@dataclass(frozen=True)
class _Tree:
    """A commit whose workflow files are looked for, its tree where the parent tells it, and the trees held."""

    commit: Mapping[str, Any]
    tree: str | None = None
    trees: Collection[str] = field(default=(), repr=False)
    files: Collection[str] = field(default=(), repr=False)


def lacks_tree(store: Store, place: Place, want: Want) -> _Tree | None:
    """Return what is known of the commit's workflow files; those of its parent, where it did not change them."""
    commit = store.payload(place.repo, "commit", want.key)
    if commit is None or "workflows_tree" in commit:
        return None
    parents = [parent if isinstance(parent, str) else parent["sha"] for parent in commit.get("parents", [])]
    parent = store.payload(place.repo, "commit", parents[0]) if parents else None
    files = commit.get("files", [])
    names = [name for file in files for name in (file["filename"], file.get("previous_filename") or "")]
    is_same = len(files) < MAX_COMMIT_FILES and not any(name.startswith(".github/") for name in names)
    tree = (parent or {}).get("workflows_tree") if is_same else None
    if tree is not None:
        return _Tree(commit, tree)
    return _Tree(
        commit, None, store.payload_keys(place.repo, "workflow_tree"), store.payload_keys(place.repo, "workflow_file")
    )


def fetch_tree(place: Place, want: Want, known: _Tree) -> Batch:
    """Return the commit with the id of its workflow folder, and the files that are not held."""
    payloads: list[Payload] = []
    tree = known.tree
    if tree is None:
        reply = place.client.get(f"{place.path}/contents/.github", parameters={"ref": want.key})
        if reply.status != 200:
            place.check_visible()
        if reply.status not in {200, 404}:
            return Batch(place.repo, SOURCE, [gone(want, reply, "workflow files")], met=[(want.kind, want.key)])
        entries = reply.body if isinstance(reply.body, list) else []
        tree = next((one["sha"] for one in entries if one["name"] == "workflows" and one["type"] == "dir"), "")
        if tree and tree not in known.trees:
            payloads += _fetch_workflow_files(place, tree, known.files)
    at = committed_at(known.commit)
    payloads.append(Payload("commit", want.key, {**known.commit, "workflows_tree": tree}, at))
    return Batch(place.repo, SOURCE, payloads, met=[(want.kind, want.key)])


def _fetch_workflow_files(place: Place, tree: str, held: Collection[str]) -> list[Payload]:
    reply = place.client.get(f"{place.path}/git/trees/{tree}")
    if reply.status != 200:
        place.check_visible()
        return []
    files = {
        f".github/workflows/{one['path']}": one["sha"]
        for one in reply.body["tree"]
        if one["type"] == "blob" and one["path"].lower().endswith((".yml", ".yaml"))
    }
    payloads = []
    for sha in files.values():
        if sha not in held and (text := fetch_text(place, sha)) is not None:
            payloads.append(Payload("workflow_file", sha, text))
    return [*payloads, Payload("workflow_tree", tree, files)]


def fetch_text(place: Place, blob: str) -> str | None:
    """Return a file's text by git's id of it; None where it is gone."""
    reply = place.client.get(f"{place.path}/git/blobs/{blob}")
    if reply.status != 200:
        place.check_visible()
        return None
    return base64.b64decode(reply.body["content"]).decode("utf-8", "replace")
