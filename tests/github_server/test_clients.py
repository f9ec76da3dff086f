"""Clients that others wrote, unchanged: PyGithub, and the `gh` of a distribution."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from github import Auth, Github

from tests.github_server import Server
from tests.github_server.test_shapes import RUN

Gh = Callable[..., str]


@pytest.fixture(scope="module")
def github(sample: Server) -> Iterator[Github]:
    made = Github(
        auth=Auth.Token("token-one"), base_url=sample.api_url, per_page=100, seconds_between_requests=None, retry=None
    )
    yield made
    made.close()


def test_pygithub_lists_all_runs_and_their_jobs(github: Github, sample: Server) -> None:
    repo = github.get_repo("example/kvstore")
    assert [run.id for run in repo.get_workflow_runs()] == list(sample.state.newest_first())
    run = repo.get_workflow_run(RUN)
    assert run.run_attempt == 2
    assert {job.run_attempt for job in run.jobs("all")} == {1, 2}
    assert {job.run_attempt for job in run.jobs()} == {2}


def test_pygithub_resolves_the_link_to_a_log(github: Github, sample: Server) -> None:
    job = github.get_repo("example/kvstore").get_workflow_run(RUN).jobs()[0]
    url = job.logs_url()
    assert url.startswith(sample.blob_url)
    assert requests.get(url, timeout=30).content == sample.state.logs[job.id]


def test_pygithub_reads_artifacts_workflows_and_files(github: Github) -> None:
    repo = github.get_repo("example/kvstore")
    assert repo.get_artifacts().totalCount == 106
    assert {workflow.path for workflow in repo.get_workflows()} == {
        f".github/workflows/{name}.yml" for name in ("ci", "nightly", "docs", "release")
    }
    assert repo.get_contents(".github/workflows/ci.yml").decoded_content.startswith(b"name: CI")
    assert [file.name for file in repo.get_contents(".github")] == ["CODEOWNERS", "workflows"]


def test_pygithub_sends_back_the_etag(github: Github, sample: Server) -> None:
    repo = github.get_repo("example/kvstore")
    before = sample.counted()
    assert repo.update() is False
    assert sample.asked[-1].conditional
    assert sample.counted() == before


@pytest.fixture
def gh(sample: Server, tmp_path: Path) -> Iterator[Gh]:
    """Return what calls `gh`, the server standing in for a proxy on the way to a host of that name."""
    if shutil.which("gh") is None:
        pytest.skip("no gh")
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(tmp_path), "GH_HOST": "github.localhost", "GH_TOKEN": "token-one",
        "http_proxy": sample.api_url, "GH_REPO": "github.localhost/example/kvstore", "GH_NO_UPDATE_NOTIFIER": "1",
    }  # fmt: skip

    def call(*words: str) -> str:
        done = subprocess.run(["gh", *words], env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    sample.state.zips_have_steps = True
    yield call
    sample.state.zips_have_steps = False


def test_gh_follows_pages(gh: Gh, sample: Server) -> None:
    sample.forget()
    ids = gh("api", "--paginate", "repos/example/kvstore/actions/runs?per_page=100", "--jq", ".workflow_runs[].id")
    assert [int(line) for line in ids.split()] == list(sample.state.newest_first())
    # The addresses are in the client's own words, else it would go past its proxy and leave its token behind.
    assert [asked.token for asked in sample.asked] == ["token-one"] * 2


def test_gh_lists_runs(gh: Gh, sample: Server) -> None:
    told = json.loads(gh("run", "list", "-L", "30", "--json", "databaseId,conclusion"))
    assert [one["databaseId"] for one in told] == list(sample.state.newest_first())[:30]


def test_gh_shows_the_log(gh: Gh, sample: Server) -> None:
    sample.state._zips.clear()
    lines = gh("run", "view", str(RUN), "--log").splitlines()
    whole = b"".join(log for job in sample.state.jobs[RUN, 2] if isinstance(log := sample.state.logs[job["id"]], bytes))
    assert len(lines) == len(whole.decode().splitlines())
    assert lines[-1].split("\t")[2] in whole.decode()
    sample.state._zips.clear()
