"""What any other GET gives: the repository, the account, commits, files, issues, pull requests."""

from __future__ import annotations

from kotaci.model import parse_moment
from tests.github_server import shapes
from tests.github_server.asking import Ask, Missing, page
from tests.github_server.policy import Answer
from tests.github_server.shapes import Body, moment
from tests.github_server.state import matching


def repo(ask: Ask) -> Answer:
    return Answer(body=shapes.full_repo(ask.repo, sum(told["state"] == "open" for told in ask.state.issues.values())))


def rate_limit(ask: Ask) -> Answer:
    return Answer(body=ask.meter.body())


def user(ask: Ask) -> Answer:
    return Answer(body=ask.state.account(), headers={"X-OAuth-Scopes": "repo, workflow"})


def meta(ask: Ask) -> Answer:
    return Answer(body={"verifiable_password_authentication": False, "actions": ["127.0.0.0/8"]})


# -- commits and files -----------------------------------------------------------------------------------------


def commit_of(ask: Ask, ref: str | None) -> Body:
    """Return the commit that a reference names, by default the head of the default branch. Raises Missing."""
    told = ask.state.commit_of(ref or ask.repo["default_branch"])
    if told is None:
        raise Missing
    return told


def commits(ask: Ask) -> Answer:
    path, since, until = (ask.query.get(name) or "" for name in ("path", "since", "until"))
    begin, end = (moment(parse_moment(text)) if text else "" for text in (since, until))

    def is_asked(told: Body) -> bool:
        at = told["commit"]["committer"]["date"]
        names = [file["filename"] for file in told["files"]]
        is_there = not path or any(name == path or name.startswith(f"{path}/") for name in names)
        return begin <= at <= (end or "~") and is_there

    found = [told for told in ask.state.history(commit_of(ask, ask.query.get("sha"))["sha"]) if is_asked(told)]
    return page(ask, found, lambda told: shapes.commit(ask.repo, told))


def commit(ask: Ask) -> Answer:
    told = commit_of(ask, ask.names["ref"])
    # The files of a commit are paged, 300 at most on one page.
    return Answer(body=shapes.full_commit(ask.repo, told, told["files"][:300]))


def branches(ask: Ask) -> Answer:
    names = sorted(name.removeprefix("heads/") for name in ask.state.refs if name.startswith("heads/"))
    return page(ask, names, lambda name: _short_branch(ask, name))


def _short_branch(ask: Ask, name: str) -> Body:
    sha = ask.state.refs[f"heads/{name}"]
    url = f"{shapes.repo_url(ask.repo)}/commits/{sha}"
    return {"name": name, "commit": {"sha": sha, "url": url}, "protected": False}


def branch(ask: Ask) -> Answer:
    name = ask.names["branch"]
    return Answer(body=shapes.branch(ask.repo, name, ask.state.commits[ask.state.refs[f"heads/{name}"]]))


def git_ref(ask: Ask) -> Answer:
    return Answer(body=shapes.git_ref(ask.repo, ask.names["ref"], ask.state.refs[ask.names["ref"]]))


def git_tree(ask: Ask) -> Answer:
    objects, sha = ask.state.objects, ask.names["tree_sha"]
    if sha not in objects.trees:
        sha = commit_of(ask, sha)["root_tree"]
    return Answer(body=shapes.tree(ask.repo, objects, sha, is_deep="recursive" in ask.query))


def git_blob(ask: Ask) -> Answer:
    return Answer(body=shapes.blob(ask.repo, ask.state.objects, ask.names["file_sha"]))


def content(ask: Ask) -> Answer:
    objects, path = ask.state.objects, ask.names.get("path", "").strip("/")
    ref = ask.query.get("ref") or ask.repo["default_branch"]
    found = objects.find(commit_of(ask, ref)["root_tree"], path)
    if found is None:
        raise Missing
    if found.kind == "blob":
        return Answer(body=shapes.content(ask.repo, objects, path, found, ref, is_whole=True))
    rows = [
        shapes.content(ask.repo, objects, f"{path}/{entry.name}".lstrip("/"), entry, ref, is_whole=False)
        for entry in objects.trees[found.sha]
    ]
    return Answer(body=rows)


# -- issues and pull requests ----------------------------------------------------------------------------------


def issue_body(ask: Ask, told: Body) -> Body:
    """Return an issue in full."""
    return shapes.issue(ask.repo, told, ask.state.labels, ask.state.n_comments(told["number"]))


def issues(ask: Ask) -> Answer:
    asked, labels = ask.query.get("state") or "open", set(filter(None, (ask.query.get("labels") or "").split(",")))
    wanted = {"state": None if asked == "all" else asked}
    found = [told for told in ask.state.issues.values() if matching(wanted, told) and labels <= set(told["labels"])]
    found.sort(key=lambda told: told["number"], reverse=True)
    return page(ask, found, lambda told: issue_body(ask, told))


def issue(ask: Ask) -> Answer:
    number = ask.number("issue_number")
    if number in ask.state.pulls:
        n_comments = ask.state.n_comments(number)
        return Answer(body=shapes.issue_of_pull(ask.repo, ask.state.pulls[number], n_comments))
    return Answer(body=issue_body(ask, ask.state.issues[number]))


def comments(ask: Ask) -> Answer:
    number = ask.number("issue_number")
    if number not in ask.state.issues and number not in ask.state.pulls:
        raise Missing
    found = [told for told in ask.state.comments.values() if told["issue"] == number]
    return page(ask, found, lambda told: shapes.comment(ask.repo, told))


def comment(ask: Ask) -> Answer:
    return Answer(body=shapes.comment(ask.repo, ask.state.comments[ask.number("comment_id")]))


def commit_comments(ask: Ask) -> Answer:
    sha = ask.state.commits[ask.names["commit_sha"]]["sha"]
    found = [told for told in ask.state.commit_comments.values() if told["commit_id"] == sha]
    return page(ask, found, lambda told: shapes.commit_comment(ask.repo, told))


def commit_comment(ask: Ask) -> Answer:
    return Answer(body=shapes.commit_comment(ask.repo, ask.state.commit_comments[ask.number("comment_id")]))


def labels(ask: Ask) -> Answer:
    return page(ask, list(ask.state.labels.values()), lambda told: shapes.label(ask.repo, told))


def pulls(ask: Ask) -> Answer:
    asked, head, base = (ask.query.get(name) or "" for name in ("state", "head", "base"))
    owner = ask.repo["owner"]["login"]
    found = [
        told
        for told in ask.state.pulls.values()
        if asked in {"all", told["state"]} or (not asked and told["state"] == "open")
        if head in {"", f"{owner}:{told['head']['ref']}"} and base in {"", told["base"]["ref"]}
    ]
    return page(ask, found[::-1], lambda told: shapes.pull(ask.repo, told))
