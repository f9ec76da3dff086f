"""Every answer against GitHub's own description, and read by a client whose types were made of that description."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from openapi_core import Config, OpenAPI
from openapi_core.contrib.requests import RequestsOpenAPIRequest, RequestsOpenAPIResponse

from tests.github_server import Server, State, serve
from tests.github_server.conftest import NOW, Client
from tests.github_server.routes import REPO, ROUTES

DESCRIPTION = Path(__file__).parents[3] / "shared" / "github-actions-openapi.json"

RUN, JOB, OTHER_JOB = 18127684502, 52180746400, 52110334103
ARTIFACT, ROOT, TREE = 6300100543, "heads/develop", "993ebb0405417b06fb56ac10aa6ea44324d57a03"
SHA, BLOB = "923cc02439042d702f4bea59a1ba59a6545dfb77", "060a1ab576d87bb6cbc66b0e620d6116d7cd89b7"

PATHS = {
    "/rate_limit": "~~/rate_limit",
    "/user": "~~/user",
    "/meta": "~~/meta",
    "": "",
    "/actions/workflows": "/actions/workflows",
    "/actions/workflows/{workflow_id}": "/actions/workflows/ci.yml",
    "/actions/workflows/{workflow_id}/runs": "/actions/workflows/141200302/runs?event=schedule",
    "/actions/runs": "/actions/runs?created=>=2026-09-01&status=failure&per_page=100",
    "/actions/runs/{run_id}": f"/actions/runs/{RUN}",
    "/actions/runs/{run_id}/jobs": f"/actions/runs/{RUN}/jobs?filter=all&per_page=100",
    "/actions/runs/{run_id}/artifacts": "/actions/runs/18103543128/artifacts",
    "/actions/runs/{run_id}/attempts/{attempt_number}": f"/actions/runs/{RUN}/attempts/2",
    "/actions/runs/{run_id}/attempts/{attempt_number}/jobs": f"/actions/runs/{RUN}/attempts/1/jobs",
    "/actions/jobs/{job_id}": f"/actions/jobs/{JOB}",
    "/actions/artifacts": "/actions/artifacts?name=docs",
    "/actions/artifacts/{artifact_id}": f"/actions/artifacts/{ARTIFACT}",
    "/actions/caches": "/actions/caches?per_page=100",
    "/actions/cache/usage": "/actions/cache/usage",
    "/check-runs/{check_run_id}/annotations": f"/check-runs/{OTHER_JOB}/annotations",
    "/commits": "/commits?per_page=50",
    "/commits/{commit_sha}/comments": f"/commits/{SHA}/comments",
    "/comments/{comment_id}": "/comments/400000001",
    "/commits/{ref}": f"/commits/{SHA}",
    "/branches": "/branches?per_page=100",
    "/branches/{branch}": "/branches/feature/next",
    "/git/ref/{ref}": "/git/ref/heads/develop",
    "/git/trees/{tree_sha}": f"/git/trees/{TREE}?recursive=1",
    "/git/blobs/{file_sha}": f"/git/blobs/{BLOB}",
    "/contents": "/contents",
    "/contents/{path}": "/contents/.github/workflows/ci.yml?ref=develop",
    "/issues": "/issues?state=all",
    "/issues/{issue_number}": "/issues/138",
    "/issues/{issue_number}/comments": "/issues/138/comments",
    "/issues/comments/{comment_id}": "/issues/comments/3000000001",
    "/labels": "/labels",
    "/pulls": "/pulls",
    "/actions/jobs/{job_id}/logs": f"/actions/jobs/{JOB}/logs",
    "/actions/runs/{run_id}/logs": f"/actions/runs/{RUN}/logs",
    "/actions/runs/{run_id}/attempts/{attempt_number}/logs": f"/actions/runs/{RUN}/attempts/2/logs",
    "/actions/artifacts/{artifact_id}/{archive_format}": f"/actions/artifacts/{ARTIFACT}/zip",
}
"""For every GET route, a path whose answer is looked at; the folder of `contents` is `/contents/{path}` too."""

WRITES = {
    "POST /issues": {"title": "A flaky test", "body": "It fails.", "labels": ["flaky"]},
    "PATCH /issues/138": {"state": "closed"},
    "POST /issues/138/comments": {"body": "Again."},
    "POST /labels": {"name": "ci", "color": "ff0000", "description": "About CI"},
    "POST /git/refs": {"ref": "refs/heads/quarantine", "sha": SHA},
    "POST /git/trees": {
        "base_tree": TREE,
        "tree": [{"path": "a/b.txt", "mode": "100644", "type": "blob", "content": "b"}],
    },
    "POST /git/commits": {"message": "Write", "tree": TREE, "parents": [SHA]},
    "PUT /contents/notes/one.md": {"message": "Write", "content": "bm90ZQ==", "branch": "quarantine"},
    "POST /pulls": {"title": "Quarantine", "head": "quarantine", "base": "develop"},
    "PATCH /issues/comments/3000000001": {"body": "Still."},
    f"POST /commits/{SHA}/comments": {"body": "It costs."},
    "PATCH /comments/400000001": {"body": "It costs more."},
}


def patched(description: Any) -> Any:
    """Return GitHub's description without what refuses legal answers and calls.

    `created` is called a date-time but takes ranges; a folder is a list, which has no `type` to tell it by; words that
    may be null do not list null.
    """
    contents = description["paths"][f"{REPO}/contents/{{path}}"]["get"]["responses"]["200"]["content"]
    del contents["application/json"]["schema"]["discriminator"]
    waiting: list[Any] = [description]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            waiting += node.values()
            if (node.get("name"), node.get("in")) == ("created", "query"):
                node["schema"].pop("format", None)
            if node.get("nullable") is True and isinstance(node.get("enum"), list):
                node["enum"].append(None)
        elif isinstance(node, list):
            waiting += node
    return description


class InOnePart:
    """A request as openapi-core sees it, a `path` or `ref` of several parts made one, which it cannot match else."""

    def __init__(self, request: RequestsOpenAPIRequest) -> None:
        self._request = request
        head, mark, tail = request.path.partition(next((m for m in self.MARKS if m in request.path), "\0"))
        self.path = head + mark + tail.replace("/", "-")

    MARKS = ("/contents/", "/git/ref/", "/branches/")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._request, name)


@pytest.fixture(scope="module")
def invented() -> Iterator[Server]:
    """Return a server of a generated history, which has what the sample has not: what still runs, odd ends."""
    with serve(State.generated(100, 4, 10, ends_at=NOW), now=NOW) as server:
        yield server


@pytest.fixture(scope="module")
def validate(sample: Server, invented: Server) -> Callable[[Any], None]:
    """Return what raises where an answer is not as GitHub describes it."""
    if not DESCRIPTION.is_file():
        pytest.skip("no description of GitHub's API beside the project")
    description = patched(json.loads(DESCRIPTION.read_text(encoding="utf-8")))
    description["servers"] = [{"url": server.api_url} for server in (sample, invented)]
    api = OpenAPI.from_dict(description, config=Config(spec_validator_cls=None))

    def check(response: Any) -> None:
        api.validate_response(InOnePart(RequestsOpenAPIRequest(response.request)), RequestsOpenAPIResponse(response))

    return check


@pytest.fixture(scope="module", autouse=True)
def written(sample: Server) -> Iterator[dict[str, Any]]:
    """Write an issue, a comment, a label, a file and a pull request; return the answers."""
    with Client(sample) as client:
        yield {words: client.ask(words.split()[1], words.split()[0], json=body) for words, body in WRITES.items()}


def test_every_read_is_looked_at() -> None:
    assert set(PATHS) == {route.template.removeprefix(REPO) for route in ROUTES if route.method == "GET"}


@pytest.mark.parametrize("template", PATHS)
def test_read_is_as_github_describes_it(
    sample: Server, client: Callable[..., Client], validate: Callable[[Any], None], template: str
) -> None:
    response = client(sample).ask(PATHS[template].removeprefix("~"))
    assert response.status_code in {200, 302}
    if template == "/contents":
        response = client(sample).ask("/contents/.github")
        assert [entry["type"] for entry in response.json()] == ["file", "dir"]
    validate(response)


@pytest.mark.parametrize(
    "path", ["/actions/runs", "/actions/artifacts", "/actions/caches", "/commits", "/branches/main"]
)
def test_an_invented_history_is_as_github_describes_it(
    invented: Server, client: Callable[..., Client], validate: Callable[[Any], None], path: str
) -> None:
    validate(client(invented).ask(f"{path}?per_page=100"))


def test_runs_of_every_end_are_as_github_describes_them(
    invented: Server, client: Callable[..., Client], validate: Callable[[Any], None]
) -> None:
    state, ask = invented.state, client(invented).ask
    for run_id in {state.latest(run_id)["conclusion"]: run_id for run_id in state.runs}.values():
        validate(ask(f"/actions/runs/{run_id}"))
        validate(ask(f"/actions/runs/{run_id}/jobs?filter=all"))
        for job in state.jobs[run_id, 1]:
            validate(ask(f"/check-runs/{job['id']}/annotations"))


@pytest.mark.parametrize("words", WRITES)
def test_write_is_as_github_describes_it(written: dict[str, Any], validate: Callable[[Any], None], words: str) -> None:
    assert written[words].status_code in {200, 201}
    validate(written[words])


REST = {
    "repo": lambda rest, who: rest.repos.get(*who),
    "workflows": lambda rest, who: rest.actions.list_repo_workflows(*who),
    "runs": lambda rest, who: rest.actions.list_workflow_runs_for_repo(*who, per_page=100),
    "runs of a workflow": lambda rest, who: rest.actions.list_workflow_runs(*who, "nightly.yml"),
    "run": lambda rest, who: rest.actions.get_workflow_run(*who, RUN),
    "attempt": lambda rest, who: rest.actions.get_workflow_run_attempt(*who, RUN, 2),
    "jobs": lambda rest, who: rest.actions.list_jobs_for_workflow_run(*who, RUN, filter_="all", per_page=100),
    "jobs of an attempt": lambda rest, who: rest.actions.list_jobs_for_workflow_run_attempt(*who, RUN, 1),
    "job": lambda rest, who: rest.actions.get_job_for_workflow_run(*who, JOB),
    "artifacts": lambda rest, who: rest.actions.list_artifacts_for_repo(*who, per_page=100),
    "artifacts of a run": lambda rest, who: rest.actions.list_workflow_run_artifacts(*who, 18103543128),
    "caches": lambda rest, who: rest.actions.get_actions_cache_list(*who),
    "cache usage": lambda rest, who: rest.actions.get_actions_cache_usage(*who),
    "annotations": lambda rest, who: rest.checks.list_annotations(*who, OTHER_JOB),
    "commits": lambda rest, who: rest.repos.list_commits(*who),
    "commit": lambda rest, who: rest.repos.get_commit(*who, SHA),
    "branch": lambda rest, who: rest.repos.get_branch(*who, "develop"),
    "tree": lambda rest, who: rest.git.get_tree(*who, TREE),
    "blob": lambda rest, who: rest.git.get_blob(*who, BLOB),
    "file": lambda rest, who: rest.repos.get_content(*who, ".github/workflows/ci.yml"),
    "folder": lambda rest, who: rest.repos.get_content(*who, ".github"),
    "issues": lambda rest, who: rest.issues.list_for_repo(*who, state="all"),
    "comments": lambda rest, who: rest.issues.list_comments(*who, 138),
    "labels": lambda rest, who: rest.issues.list_labels_for_repo(*who),
    "pulls": lambda rest, who: rest.pulls.list(*who),
    "rate limit": lambda rest, _: rest.rate_limit.get(),
    "account": lambda rest, _: rest.users.get_authenticated(),
}


@pytest.fixture(scope="module")
def rest(sample: Server) -> Iterator[Any]:
    """Return githubkit's client of the server, which neither retries nor caches."""
    from githubkit import GitHub, TokenAuthStrategy

    with GitHub(
        TokenAuthStrategy("token-one"), base_url=sample.api_url, http_cache=False, auto_retry=False, trust_env=False
    ) as github:
        yield github.rest


@pytest.mark.parametrize("what", REST)
def test_typed_client_reads_it(rest: Any, what: str) -> None:
    assert REST[what](rest, ("example", "kvstore")).parsed_data
