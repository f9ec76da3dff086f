"""What GitHub always tells of a thing: users, repositories, runs, jobs, artifacts, commits, issues in full.

Every function takes what a state holds, which may be sparse, and returns a whole answer. All addresses begin with
`API`, which the server replaces by its own; the repository inside every run is a mark that `encoded` replaces, because
two of them in each of 100 runs would be most of the work.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from tests.github_server.objects import Entry, Objects

API = "https://api.github.com"
WEB = "https://github.com"

Body = dict[str, Any]

_REPO_MARK = "\x00repository"

_USER_PATHS = {
    "followers_url": "/followers", "following_url": "/following{/other_user}", "gists_url": "/gists{/gist_id}",
    "starred_url": "/starred{/owner}{/repo}", "subscriptions_url": "/subscriptions", "organizations_url": "/orgs",
    "repos_url": "/repos", "events_url": "/events{/privacy}", "received_events_url": "/received_events",
}  # fmt: skip

_REPO_PATHS = {
    "archive_url": "/{archive_format}{/ref}", "assignees_url": "/assignees{/user}", "blobs_url": "/git/blobs{/sha}",
    "branches_url": "/branches{/branch}", "collaborators_url": "/collaborators{/collaborator}",
    "comments_url": "/comments{/number}", "commits_url": "/commits{/sha}", "compare_url": "/compare/{base}...{head}",
    "contents_url": "/contents/{+path}", "contributors_url": "/contributors", "deployments_url": "/deployments",
    "downloads_url": "/downloads", "events_url": "/events", "forks_url": "/forks",
    "git_commits_url": "/git/commits{/sha}", "git_refs_url": "/git/refs{/sha}", "git_tags_url": "/git/tags{/sha}",
    "hooks_url": "/hooks", "issue_comment_url": "/issues/comments{/number}",
    "issue_events_url": "/issues/events{/number}", "issues_url": "/issues{/number}", "keys_url": "/keys{/key_id}",
    "labels_url": "/labels{/name}", "languages_url": "/languages", "merges_url": "/merges",
    "milestones_url": "/milestones{/number}", "notifications_url": "/notifications{?since,all,participating}",
    "pulls_url": "/pulls{/number}", "releases_url": "/releases{/id}", "stargazers_url": "/stargazers",
    "statuses_url": "/statuses/{sha}", "subscribers_url": "/subscribers", "subscription_url": "/subscription",
    "tags_url": "/tags", "teams_url": "/teams", "trees_url": "/git/trees{/sha}",
}  # fmt: skip


def encoded(body: Any, repo: Body) -> bytes:
    """Return the JSON of an answer, the repository put in wherever a run names it."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    if _REPO_MARK[1:] in text:
        text = text.replace(json.dumps(_REPO_MARK), json.dumps(minimal_repo(repo), separators=(",", ":")))
    return text.encode()


def moment(at: datetime) -> str:
    """Return the moment as the API writes it."""
    # Ten times as fast as strftime, which half the time of a generated page went into.
    return f"{at.isoformat()[:19]}Z"


def number_of(text: str) -> int:
    """Return a stable number for a name that came without an id."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest()) % 10**8 + 1000


def node_id(kind: str, number: int | str) -> str:
    """Return a node id: opaque, and different for every thing."""
    return f"{kind}_{base64.urlsafe_b64encode(str(number).encode()).decode().rstrip('=')}"


def user(told: Mapping[str, Any] | str | None) -> Body | None:
    """Return an account, of its login or of what a source told of it."""
    if not told:
        return None
    said = {"login": told} if isinstance(told, str) else dict(told)
    login = said.get("login") or "ghost"
    number, home = said.get("id") or number_of(login), f"{API}/users/{quote(login)}"
    return {
        "login": login, "id": number, "node_id": node_id("U", number),
        "avatar_url": f"https://avatars.githubusercontent.com/u/{number}?v=4", "gravatar_id": "", "url": home,
        "html_url": f"{WEB}/{quote(login)}", **{name: home + path for name, path in _USER_PATHS.items()},
        "type": said.get("type") or "User", "user_view_type": "public", "site_admin": False,
    }  # fmt: skip


def repo_url(repo: Body) -> str:
    """Return the address of the repository in the API."""
    return f"{API}/repos/{repo['full_name']}"


def minimal_repo(repo: Body) -> Body:
    """Return the repository as it stands inside other things."""
    home, web = repo_url(repo), f"{repo.get('web', WEB)}/{repo['full_name']}"
    return {
        "id": repo["id"], "node_id": node_id("R", repo["id"]), "name": repo["name"], "full_name": repo["full_name"],
        "private": repo["private"], "owner": user(repo["owner"]), "html_url": web,
        "description": repo.get("description"), "fork": False, "url": home,
        **{name: home + path for name, path in _REPO_PATHS.items()},
    }  # fmt: skip


def full_repo(repo: Body, n_issues: int) -> Body:
    """Return the repository as it answers for itself."""
    web, counts = (
        f"{repo.get('web', WEB)}/{repo['full_name']}",
        ("forks", "stargazers", "watchers", "subscribers", "network"),
    )
    place = web.removeprefix("https://")
    return {
        **minimal_repo(repo), "git_url": f"git://{place}.git", "ssh_url": f"git@{place.replace('/', ':', 1)}.git",
        "clone_url": f"{web}.git", "svn_url": web, "mirror_url": None, "homepage": None, "language": "Rust",
        **{f"{name}_count": 0 for name in counts}, "forks": 0, "watchers": 0, "size": 108,
        "open_issues_count": n_issues, "open_issues": n_issues, "default_branch": repo["default_branch"],
        "has_issues": True, "has_projects": True, "has_wiki": False, "has_pages": False, "has_discussions": False,
        "has_downloads": True, "archived": bool(repo.get("archived")), "disabled": False, "license": None,
        "allow_forking": True, "is_template": False, "web_commit_signoff_required": False, "topics": [],
        "visibility": "private" if repo["private"] else "public", "pushed_at": repo["pushed_at"],
        "created_at": repo["created_at"], "updated_at": repo["updated_at"],
    }  # fmt: skip


def workflow(repo: Body, told: Body) -> Body:
    """Return a workflow."""
    web = f"{repo.get('web', WEB)}/{repo['full_name']}"
    return {
        **told, "node_id": node_id("W", told["id"]), "url": f"{repo_url(repo)}/actions/workflows/{told['id']}",
        "html_url": f"{web}/blob/{repo['default_branch']}/{told['path']}",
        "badge_url": f"{web}/workflows/{quote(told['name'])}/badge.svg",
    }  # fmt: skip


def run(repo: Body, told: Body, commit: Body | None) -> Body:
    """Return an attempt of a run as `runs/{id}` and lists give it; `commit` is the one it ran on, where known."""
    home = f"{repo_url(repo)}/actions/runs/{told['id']}"
    suite, actor = told.get("check_suite_id") or told["id"] * 2 + 1, user(told.get("actor") or "ghost")
    before = told["run_attempt"] - 1
    return {
        **told, "node_id": node_id("WFR", told["id"]), "check_suite_id": suite,
        "check_suite_node_id": node_id("CS", suite), "url": home,
        "html_url": f"{repo.get('web', WEB)}/{repo['full_name']}/actions/runs/{told['id']}", "actor": actor,
        "triggering_actor": user(told.get("triggering_actor")) or actor,
        "pull_requests": [_pull_of_run(repo, pull, told) for pull in told.get("pull_requests") or ()],
        "referenced_workflows": told.get("referenced_workflows") or [],
        "jobs_url": f"{home}/jobs", "logs_url": f"{home}/logs", "artifacts_url": f"{home}/artifacts",
        "cancel_url": f"{home}/cancel", "rerun_url": f"{home}/rerun",
        "check_suite_url": f"{repo_url(repo)}/check-suites/{suite}",
        "previous_attempt_url": f"{home}/attempts/{before}" if before else None,
        "workflow_url": f"{repo_url(repo)}/actions/workflows/{told['workflow_id']}",
        "head_commit": _head_commit(commit), "repository": _REPO_MARK, "head_repository": _REPO_MARK,
    }  # fmt: skip


def _pull_of_run(repo: Body, told: Body, of_run: Body) -> Body:
    minimal = {"id": repo["id"], "url": repo_url(repo), "name": repo["name"]}
    refs = {"head": of_run["head_branch"] or "unknown", "base": repo["default_branch"]}
    ends = {
        end: {"ref": ref, "sha": of_run["head_sha"], **told.get(end, {}), "repo": minimal} for end, ref in refs.items()
    }
    number, home = told["number"], f"{repo_url(repo)}/pulls/{told['number']}"
    return {"id": number_of(home), **told, **ends, "number": number, "url": home}


def _head_commit(told: Body | None) -> Body | None:
    if told is None:
        return None
    people = {
        who: {"name": name["name"], "email": name.get("email") or _email(name["name"])}
        for who in ("author", "committer")
        if (name := told["commit"][who])
    }
    return {
        "id": told["sha"], "tree_id": told["root_tree"], "message": told["commit"]["message"],
        "timestamp": told["commit"]["committer"]["date"], **people,
    }  # fmt: skip


def _email(name: str) -> str:
    return f"{quote(name.replace(' ', '.'))}@users.noreply.github.com"


def job(repo: Body, told: Body, of_run: Body) -> Body:
    """Return a job."""
    home, number = repo_url(repo), told["id"]
    empty = {"labels": [], "steps": [], "runner_id": 0, "runner_name": "", "runner_group_id": 0}
    times = {"created_at": of_run["run_started_at"], "started_at": told.get("created_at") or of_run["run_started_at"]}
    return {
        **empty, "runner_group_name": "", "status": "completed", "conclusion": None, **times, "completed_at": None,
        **{name: value for name, value in told.items() if value is not None or name not in times},
        "run_id": of_run["id"], "run_attempt": of_run["run_attempt"], "head_sha": of_run["head_sha"],
        "head_branch": of_run["head_branch"], "workflow_name": of_run["name"], "node_id": node_id("CR", number),
        "run_url": f"{home}/actions/runs/{of_run['id']}", "url": f"{home}/actions/jobs/{number}",
        "html_url": f"{repo.get('web', WEB)}/{repo['full_name']}/actions/runs/{of_run['id']}/job/{number}",
        "check_run_url": f"{home}/check-runs/{number}",
    }  # fmt: skip


def artifact(repo: Body, told: Body, of_run: Body, *, now: str) -> Body:
    """Return an artifact, expired or not at that moment."""
    home = f"{repo_url(repo)}/actions/artifacts/{told['id']}"
    return {
        "node_id": node_id("MDg6QXJ0aWZhY3Q", told["id"]), **told, "url": home, "archive_download_url": f"{home}/zip",
        "expired": told.get("expired", False) or told["expires_at"] <= now,
        "workflow_run": {
            "id": of_run["id"], "repository_id": repo["id"], "head_repository_id": repo["id"],
            "head_branch": of_run["head_branch"], "head_sha": of_run["head_sha"],
        },
    }  # fmt: skip


def annotation(repo: Body, told: Body, sha: str) -> Body:
    """Return an annotation of a check run on that commit."""
    path = told.get("path") or ".github"
    empty = {"start_column": None, "end_column": None, "title": "", "raw_details": ""}
    line = told.get("start_line") or 1
    blob = f"{repo.get('web', WEB)}/{repo['full_name']}/blob/{sha}/{quote(path)}"
    return {**empty, "path": path, "blob_href": blob, "start_line": line, "end_line": line, **told}


def commit(repo: Body, told: Body) -> Body:
    """Return a commit as a list gives it; `full_commit` adds what it changed."""
    home, web, sha = repo_url(repo), f"{repo.get('web', WEB)}/{repo['full_name']}", told["sha"]
    people = {
        who: {"email": _email(name["name"]), **name} for who in ("author", "committer") if (name := told["commit"][who])
    }
    unsigned = {"verified": False, "reason": "unsigned", "signature": None, "payload": None, "verified_at": None}
    return {
        "sha": sha, "node_id": node_id("C", sha), "url": f"{home}/commits/{sha}", "html_url": f"{web}/commit/{sha}",
        "comments_url": f"{home}/commits/{sha}/comments",
        "commit": {
            **people, "message": told["commit"]["message"], "url": f"{home}/git/commits/{sha}", "comment_count": 0,
            "tree": {"sha": told["root_tree"], "url": f"{home}/git/trees/{told['root_tree']}"},
            "verification": unsigned,
        },
        "author": user(people["author"]["name"].replace(" ", "-")),
        "committer": user(people["committer"]["name"].replace(" ", "-")),
        "parents": [
            {"sha": parent, "url": f"{home}/commits/{parent}", "html_url": f"{web}/commit/{parent}"}
            for parent in told["parents"]
        ],
    }  # fmt: skip


def full_commit(repo: Body, told: Body, files: Sequence[Body]) -> Body:
    """Return a commit with these of its files."""
    home, web, sha = repo_url(repo), f"{repo.get('web', WEB)}/{repo['full_name']}", told["sha"]
    shown = []
    for file in files:
        path, counts = quote(file["filename"]), {"additions": 1, "deletions": int(file.get("status") == "modified")}
        counts = {name: file.get(name, value) for name, value in counts.items()}
        shown.append({
            "sha": hashlib.sha1(f"{sha}{path}".encode(), usedforsecurity=False).hexdigest(), "status": "modified",
            **counts, "changes": sum(counts.values()), **file, "blob_url": f"{web}/blob/{sha}/{path}",
            "raw_url": f"{web}/raw/{sha}/{path}", "contents_url": f"{home}/contents/{path}?ref={sha}",
        })  # fmt: skip
    totals = {name: sum(file[name] for file in shown) for name in ("additions", "deletions")}
    return {**commit(repo, told), "stats": {**totals, "total": sum(totals.values())}, "files": shown}


def branch(repo: Body, name: str, told: Body) -> Body:
    """Return a branch with the commit at its head."""
    home = f"{repo_url(repo)}/branches/{quote(name)}"
    checks = {"enforcement_level": "off", "contexts": [], "checks": []}
    return {
        "name": name, "commit": commit(repo, told), "protected": False, "protection_url": f"{home}/protection",
        "_links": {"self": home, "html": f"{repo.get('web', WEB)}/{repo['full_name']}/tree/{quote(name)}"},
        "protection": {"enabled": False, "required_status_checks": checks},
    }  # fmt: skip


def git_ref(repo: Body, name: str, sha: str) -> Body:
    """Return a reference; `name` is without `refs/`."""
    home = f"{repo_url(repo)}/git"
    return {
        "ref": f"refs/{name}", "node_id": node_id("REF", name), "url": f"{home}/refs/{quote(name)}",
        "object": {"type": "commit", "sha": sha, "url": f"{home}/commits/{sha}"},
    }  # fmt: skip


def git_commit(repo: Body, told: Body) -> Body:
    """Return a commit as git holds it."""
    whole = commit(repo, told)
    names = ("author", "committer", "message", "tree", "verification")
    home = f"{repo_url(repo)}/git/commits/{told['sha']}"
    held = {name: whole["commit"][name] for name in names}
    return {**{name: whole[name] for name in ("sha", "node_id", "html_url", "parents")}, **held, "url": home}


def tree(repo: Body, objects: Objects, sha: str, *, is_deep: bool) -> Body:
    """Return a tree, with everything below it if `is_deep`."""
    home = f"{repo_url(repo)}/git"

    def rows(of: str, prefix: str) -> list[Body]:
        found = []
        for entry in objects.trees[of]:
            row = {"path": prefix + entry.name, "mode": entry.mode, "type": entry.kind, "sha": entry.sha}
            size = {"size": len(objects.blobs[entry.sha])} if entry.sha in objects.blobs else {}
            found.append({**row, **size, "url": f"{home}/{entry.kind}s/{entry.sha}"})
            if is_deep and entry.sha in objects.trees:
                found += rows(entry.sha, f"{prefix}{entry.name}/")
        return found

    return {"sha": sha, "url": f"{home}/trees/{sha}", "tree": rows(sha, ""), "truncated": False}


def blob(repo: Body, objects: Objects, sha: str) -> Body:
    """Return a blob in base64, in lines of 60 as GitHub breaks them."""
    body = objects.blobs[sha]
    return {
        "sha": sha, "node_id": node_id("B", sha), "size": len(body), "url": f"{repo_url(repo)}/git/blobs/{sha}",
        "content": in_lines(body), "encoding": "base64",
    }  # fmt: skip


def in_lines(body: bytes) -> str:
    """Return base64 in lines of 60 characters."""
    text = base64.b64encode(body).decode()
    return "".join(f"{text[place : place + 60]}\n" for place in range(0, len(text), 60))


def content(repo: Body, objects: Objects, path: str, entry: Entry, ref: str, *, is_whole: bool) -> Body:
    """Return a file or folder as `contents` names it, with the file's text if `is_whole`."""
    home, web = repo_url(repo), f"{repo.get('web', WEB)}/{repo['full_name']}"
    address, is_file = f"{home}/contents/{quote(path)}?ref={quote(ref, safe='')}", entry.kind == "blob"
    git = f"{home}/git/{entry.kind}s/{entry.sha}"
    page = f"{web}/{entry.kind}/{quote(ref)}/{quote(path)}"
    raw = f"https://raw.githubusercontent.com/{repo['full_name']}/{quote(ref)}/{quote(path)}" if is_file else None
    body = objects.blobs.get(entry.sha, b"")
    text = {"content": in_lines(body), "encoding": "base64"} if is_file and is_whole else {}
    return {
        "name": entry.name, "path": path, "sha": entry.sha, "size": len(body), "url": address, "html_url": page,
        "git_url": git, "download_url": raw, "type": "file" if is_file else "dir", **text,
        "_links": {"self": address, "git": git, "html": page},
    }  # fmt: skip


def label(repo: Body, told: Body) -> Body:
    """Return a label."""
    number = number_of(told["name"])
    home = f"{repo_url(repo)}/labels/{quote(told['name'])}"
    empty = {"color": "ededed", "description": None, "default": False, "archived_at": None, "archived_by": None}
    return {"id": number, "node_id": node_id("LA", number), "url": home, **empty, **told}


def issue(repo: Body, told: Body, labels: Mapping[str, Body], n_comments: int) -> Body:
    """Return an issue; its labels are names, described by those of the repository."""
    home = f"{repo_url(repo)}/issues/{told['number']}"
    return {
        "assignee": None, "assignees": [], "milestone": None, "locked": False, "active_lock_reason": None,
        "state_reason": None, "closed_at": None, "body": None, **told, "node_id": node_id("I", told["id"]),
        "url": home, "repository_url": repo_url(repo), "labels_url": f"{home}/labels{{/name}}",
        "comments_url": f"{home}/comments", "events_url": f"{home}/events", "timeline_url": f"{home}/timeline",
        "html_url": f"{repo.get('web', WEB)}/{repo['full_name']}/issues/{told['number']}", "user": user(told["user"]),
        "labels": [label(repo, labels.get(name, {"name": name})) for name in told.get("labels", ())],
        "comments": n_comments, "author_association": told.get("author_association", "MEMBER"),
        "performed_via_github_app": None,
    }  # fmt: skip


def comment(repo: Body, told: Body) -> Body:
    """Return a comment on an issue or pull request."""
    of = f"{told['issue']}"
    return {
        "id": told["id"], "node_id": node_id("IC", told["id"]), "body": told["body"], "user": user(told["user"]),
        "url": f"{repo_url(repo)}/issues/comments/{told['id']}", "issue_url": f"{repo_url(repo)}/issues/{of}",
        "html_url": f"{repo.get('web', WEB)}/{repo['full_name']}/issues/{of}#issuecomment-{told['id']}",
        "created_at": told["created_at"], "updated_at": told["updated_at"],
        "author_association": told.get("author_association", "MEMBER"), "performed_via_github_app": None,
    }  # fmt: skip


def commit_comment(repo: Body, told: Body) -> Body:
    """Return a comment on a commit."""
    web = f"{repo.get('web', WEB)}/{repo['full_name']}/commit/{told['commit_id']}"
    return {
        "id": told["id"], "node_id": node_id("CC", told["id"]), "body": told["body"], "user": user(told["user"]),
        "url": f"{repo_url(repo)}/comments/{told['id']}", "html_url": f"{web}#commitcomment-{told['id']}",
        "path": None, "position": None, "line": None, "commit_id": told["commit_id"],
        "created_at": told["created_at"], "updated_at": told["updated_at"],
        "author_association": told.get("author_association", "MEMBER"),
    }  # fmt: skip


def issue_of_pull(repo: Body, told: Body, n_comments: int) -> Body:
    """Return a pull request as an issue, which each is too."""
    own = {name: told[name] for name in told if name not in {"head", "base"}}
    url = f"{repo_url(repo)}/pulls/{told['number']}"
    web = f"{repo.get('web', WEB)}/{repo['full_name']}/pull/{told['number']}"
    links = {"url": url, "html_url": web, "diff_url": f"{web}.diff", "patch_url": f"{web}.patch", "merged_at": None}
    return {**issue(repo, own, {}, n_comments), "html_url": web, "pull_request": links}


def pull(repo: Body, told: Body) -> Body:
    """Return a pull request as a list gives it."""
    home, issues = f"{repo_url(repo)}/pulls/{told['number']}", f"{repo_url(repo)}/issues/{told['number']}"
    web, owner = f"{repo.get('web', WEB)}/{repo['full_name']}/pull/{told['number']}", user(repo["owner"]) or {}
    addresses = {
        "self": home, "html": web, "issue": issues, "comments": f"{issues}/comments", "commits": f"{home}/commits",
        "review_comments": f"{home}/comments", "review_comment": f"{repo_url(repo)}/pulls/comments{{/number}}",
        "statuses": f"{repo_url(repo)}/statuses/{told['head']['sha']}",
    }  # fmt: skip
    ends = {
        end: {**told[end], "label": f"{owner['login']}:{told[end]['ref']}", "user": owner, "repo": full_repo(repo, 0)}
        for end in ("head", "base")
    }
    urls = {f"{name}_url": url for name, url in addresses.items() if name != "self"}
    return {
        "body": None, "closed_at": None, "merged_at": None, "merge_commit_sha": None, "assignee": None, "draft": False,
        "assignees": [], "requested_reviewers": [], "requested_teams": [], "labels": [], "milestone": None,
        "locked": False, **told, "node_id": node_id("PR", told["id"]), "url": home, "diff_url": f"{web}.diff",
        "patch_url": f"{web}.patch", **urls, "user": user(told["user"]), **ends,
        "author_association": told.get("author_association", "MEMBER"),
        "_links": {name: {"href": url} for name, url in addresses.items()}, "auto_merge": None,
    }  # fmt: skip
