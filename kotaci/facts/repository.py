"""What belongs to a repository rather than to an attempt: commits, workflow files, caches, artifacts, to rows."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from kotaci.facts.rows import Declared
from kotaci.store import Store
from kotaci.workflows import parse_workflow, shown_jobs, to_rows

REPOSITORY_TABLES: dict[str, tuple[int, tuple[str, ...]]] = {
    "commits": (2, ("commit",)),
    "workflow_jobs": (1, ("workflow_tree", "workflow_file")),
    "caches": (1, ("caches",)),
    "artifacts": (1, ("artifacts",)),
}
"""Tables drawn from a repository's payloads: version of the extractor, and the kinds it reads."""


def to_table_rows(store: Store, repo: str, table: str) -> list[tuple[Any, ...]]:
    """Return all rows of one of REPOSITORY_TABLES."""
    return {
        "commits": _commit_rows,
        "workflow_jobs": _workflow_rows,
        "caches": _cache_rows,
        "artifacts": _artifact_rows,
    }[table](store, repo)


class Workflows:
    """The workflow files of a repository by commit, read once each; nothing where no clone was imported."""

    def __init__(self, store: Store, repo: str) -> None:
        self._store, self._repo = store, repo
        self._jobs_of_tree = cache(self._read_tree)

    def declared(self, *, head_sha: str, workflow: str) -> Declared:
        """Return what that workflow at that commit declares; nothing where the commit is not known.

        For a pull request the merge commit's file ran, which may differ.
        """
        commit = self._store.payload(self._repo, "commit", head_sha) if head_sha else None
        tree = (commit or {}).get("workflows_tree") or ""
        return self._jobs_of_tree(tree).get(workflow, Declared()) if tree else Declared()

    def _read_tree(self, tree: str) -> dict[str, Declared]:
        texts = workflow_texts(self._store, self._repo, tree)
        files = {path: parse_workflow(text, path=path) for path, text in texts.items()}
        return {
            path: Declared(
                shown_jobs(path, files=files),
                {job.key: job.needs for job in file.jobs},
                frozenset(job.key for job in file.jobs if job.continue_on_error),
                is_known=True,
            )
            for path, file in files.items()
        }


def workflow_texts(store: Store, repo: str, tree: str) -> dict[str, str]:
    """Return the text of each file of a `.github/workflows` folder, by its path; nothing where none is held."""
    files = store.payload(repo, "workflow_tree", tree) or {}
    texts = {path: store.payload(repo, "workflow_file", blob) for path, blob in files.items()}
    return {path: text for path, text in texts.items() if text is not None}


def _workflow_rows(store: Store, repo: str) -> list[tuple[Any, ...]]:
    trees = [key for key, _, _ in store.payloads(repo, "workflow_tree")]
    return [
        row
        for tree in trees
        for row in to_rows(repo=repo, workflows_tree=tree, files=workflow_texts(store, repo, tree))
    ]


def _commit_rows(store: Store, repo: str) -> list[tuple[Any, ...]]:
    return [
        (
            repo,
            key,
            " ".join(_sha(parent) for parent in body.get("parents", [])),
            body["commit"]["author"]["name"],
            body["commit"]["author"]["date"],
            body["commit"]["committer"]["date"],
            body["commit"]["message"].split("\n", 1)[0],
            body["commit"]["message"],
            len(body.get("files", [])),
            "\n".join(file["filename"] for file in body.get("files", [])),
            body.get("workflows_tree"),
        )
        for key, _, body in store.payloads(repo, "commit")
    ]


def _sha(parent: str | Mapping[str, str]) -> str:
    return parent if isinstance(parent, str) else parent["sha"]


def _cache_rows(store: Store, repo: str) -> list[tuple[Any, ...]]:
    return [
        (
            repo,
            as_of,
            entry["id"],
            entry["key"],
            entry.get("version"),
            entry.get("ref"),
            entry.get("size_in_bytes"),
            entry.get("created_at"),
            entry.get("last_accessed_at"),
        )
        for as_of, _, body in store.payloads(repo, "caches")
        for entry in body["actions_caches"]
    ]


def _artifact_rows(store: Store, repo: str) -> list[tuple[Any, ...]]:
    return [
        (
            repo,
            int(run_id),
            entry["id"],
            entry["name"],
            entry.get("size_in_bytes"),
            entry.get("digest"),
            entry.get("expired"),
            entry.get("created_at"),
            entry.get("expires_at"),
        )
        for run_id, _, body in store.payloads(repo, "artifacts")
        for entry in body["artifacts"]
    ]
