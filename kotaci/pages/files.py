"""The workflow files that a store holds, at the commit that counts."""

from __future__ import annotations

from collections.abc import Iterator

from kotaci.facts import History
from kotaci.facts.repository import workflow_texts
from kotaci.store import Store


def newest_files(store: Store, history: History) -> tuple[str, dict[str, str]]:
    """Return the newest commit whose workflow files are held, and these; nothing where none are.

    The newest that ran on the default branch; else the head of the clone that was imported, the newest that ran
    anywhere, the newest commit. `history` has the tables runs and commits, over the time that counts.
    """
    commits = history["commits"]
    trees = {
        sha: tree
        for sha, tree in zip(commits["commit_sha"], commits["workflows_tree"], strict=True)
        if isinstance(tree, str) and tree
    }
    for sha in dict.fromkeys(_candidates(store, history)):
        if sha in trees:
            return sha, workflow_texts(store, history.repo, trees[sha])
    return "", {}


def _candidates(store: Store, history: History) -> Iterator[str]:
    runs = history["runs"].sort_values(["started_at", "run_id"], ascending=False)
    of_base = runs[(runs["branch"] == history.default_branch) & (runs["event"] != "pull_request")]
    yield from of_base["head_sha"].dropna().astype(str)
    yield (store.payload(history.repo, "head", "HEAD") or {}).get("sha") or ""
    yield from runs["head_sha"].dropna().astype(str)
    commits = history["commits"].sort_values(["committed_at", "commit_sha"], ascending=False)
    yield from commits["commit_sha"].astype(str)
