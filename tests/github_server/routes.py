"""The table of routes: what is asked with which method, by which right, and who answers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import unquote

from tests.github_server import repository, runs, writes
from tests.github_server.asking import Handler

REPO = "/repos/{owner}/{repo}"

_MANY = {"path", "ref", "branch"}
"""Names in a template that may hold slashes."""


@dataclass(frozen=True)
class Route:
    """A method and template, the function that answers, the right it needs (`actions=read`, or `none`).

    What `needs_token` is refused without one even where the repository is public.
    """

    method: str
    template: str
    handler: Handler
    need: str = "none"
    needs_token: bool = False

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Return what its paths look like."""

        def group(found: re.Match[str]) -> str:
            return f"(?P<{found[1]}>{'.+' if found[1] in _MANY else '[^/]+'})"

        return re.compile(re.sub(r"\\{(\w+)\\}", group, re.escape(self.template)))


def _table() -> list[Route]:
    run, attempt, issue = "/actions/runs/{run_id}", "/actions/runs/{run_id}/attempts/{attempt_number}", "/issues"
    gets: dict[str, dict[str, Handler]] = {
        "none": {"": repository.repo},
        "actions": {
            "/actions/workflows": runs.workflows,
            "/actions/workflows/{workflow_id}": runs.workflow,
            "/actions/workflows/{workflow_id}/runs": runs.runs_of_workflow,
            "/actions/runs": runs.runs,
            run: runs.run,
            f"{run}/jobs": runs.jobs,
            f"{run}/artifacts": runs.artifacts_of_run,
            attempt: runs.attempt,
            f"{attempt}/jobs": runs.jobs_of_attempt,
            "/actions/jobs/{job_id}": runs.job,
            "/actions/artifacts": runs.artifacts,
            "/actions/artifacts/{artifact_id}": runs.artifact,
            "/actions/caches": runs.caches,
            "/actions/cache/usage": runs.cache_usage,
        },
        "checks": {"/check-runs/{check_run_id}/annotations": runs.annotations_of},
        "contents": {
            "/commits": repository.commits,
            "/commits/{commit_sha}/comments": repository.commit_comments,
            "/comments/{comment_id}": repository.commit_comment,
            "/commits/{ref}": repository.commit,
            "/branches": repository.branches,
            "/branches/{branch}": repository.branch,
            "/git/ref/{ref}": repository.git_ref,
            "/git/trees/{tree_sha}": repository.git_tree,
            "/git/blobs/{file_sha}": repository.git_blob,
            "/contents": repository.content,
            "/contents/{path}": repository.content,
        },
        "issues": {
            issue: repository.issues,
            f"{issue}/{{issue_number}}": repository.issue,
            f"{issue}/{{issue_number}}/comments": repository.comments,
            f"{issue}/comments/{{comment_id}}": repository.comment,
            "/labels": repository.labels,
        },
        "pull_requests": {"/pulls": repository.pulls},
    }
    downloads = {
        "/actions/jobs/{job_id}/logs": runs.job_log,
        f"{run}/logs": runs.run_logs,
        f"{attempt}/logs": runs.run_logs,
        "/actions/artifacts/{artifact_id}/{archive_format}": runs.artifact_file,
    }
    changes = {
        "actions": {
            f"POST {run}/rerun": writes.rerun,
            f"POST {run}/rerun-failed-jobs": writes.rerun_failed,
            f"POST {run}/cancel": writes.cancel,
            "POST /actions/jobs/{job_id}/rerun": writes.rerun_job,
            "POST /actions/workflows/{workflow_id}/dispatches": writes.dispatch,
            "DELETE /actions/caches": writes.delete_caches,
            "DELETE /actions/caches/{cache_id}": writes.delete_cache,
        },
        "issues": {
            f"POST {issue}": writes.create_issue,
            f"PATCH {issue}/comments/{{comment_id}}": writes.change_comment,
            f"DELETE {issue}/comments/{{comment_id}}": writes.delete_comment,
            f"PATCH {issue}/{{issue_number}}": writes.change_issue,
            f"POST {issue}/{{issue_number}}/comments": writes.create_comment,
            "POST /labels": writes.create_label,
        },
        "contents": {
            "POST /git/refs": writes.create_ref,
            "POST /git/trees": writes.create_tree,
            "POST /git/commits": writes.create_commit,
            "PUT /contents/{path}": writes.put_content,
            "POST /commits/{commit_sha}/comments": writes.create_commit_comment,
            "PATCH /comments/{comment_id}": writes.change_commit_comment,
            "DELETE /comments/{comment_id}": writes.delete_commit_comment,
        },
        "pull_requests": {"POST /pulls": writes.create_pull},
    }
    return [
        Route("GET", "/rate_limit", repository.rate_limit),
        Route("GET", "/user", repository.user, needs_token=True),
        Route("GET", "/meta", repository.meta),
        *(
            Route("GET", REPO + path, handler, "none" if room == "none" else f"{room}=read")
            for room, paths in gets.items()
            for path, handler in paths.items()
        ),
        *(Route("GET", REPO + path, handler, "actions=read", True) for path, handler in downloads.items()),
        *(
            Route(words.split()[0], REPO + words.split()[1], handler, f"{room}=write", True)
            for room, paths in changes.items()
            for words, handler in paths.items()
        ),
    ]


ROUTES = _table()

BLOBS = ("/job-logs/{job_id}.txt", "/run-logs/{run_id}/{attempt_number}.zip", "/artifacts/{artifact_id}")
"""Templates of the blob host."""


Found = tuple[Route, dict[str, str]] | None
"""A route, and what the names in its template stand for."""


def find(method: str, path: str) -> Found:
    """Return the route of a path and what its names stand for."""
    for route in ROUTES:
        if route.method == method and (found := route.pattern.fullmatch(path)):
            return route, {name: unquote(text) for name, text in found.groupdict().items()}
    return None
