"""What one would write first: PyGithub as it is out of the box, over runs, jobs and their logs; nothing is kept."""

from __future__ import annotations

import sys

import github
import requests


def main(api_url: str, repo: str) -> None:
    """Read every run, its jobs and their logs, one after the other."""
    client = github.Github(auth=github.Auth.Token("token-one"), base_url=api_url)
    for run in client.get_repo(repo).get_workflow_runs():
        for job in run.jobs():
            try:
                requests.get(job.logs_url(), timeout=60)
            except github.GithubException:
                continue  # skipped, expired


if __name__ == "__main__":
    main(*sys.argv[1:])
