"""The way in: GitHub's API to the store, politely and resumably; the only user of PyGithub."""

from kotaci.github.client import API_URL, Client, Forbidden, Refused, Reply, Unanswered, Unreachable, open_github
from kotaci.github.errands import ERRANDS
from kotaci.github.fetch import WHICH_LOGS, WhichLogs, fetch, fetch_run_with_green, first_day
from kotaci.github.fetching import Fetched, Progress
from kotaci.github.hosts import open_client_of
from kotaci.github.lists import fetch_repository
from kotaci.github.pace import Clock
from kotaci.github.planning import Plan, plan_fetch
from kotaci.github.token import find_token
from kotaci.github.trees import fetch_tree

__all__ = [
    "API_URL",
    "ERRANDS",
    "WHICH_LOGS",
    "Client",
    "Clock",
    "Fetched",
    "Forbidden",
    "Plan",
    "Progress",
    "Refused",
    "Reply",
    "Unanswered",
    "Unreachable",
    "WhichLogs",
    "fetch",
    "fetch_repository",
    "fetch_run_with_green",
    "fetch_tree",
    "find_token",
    "first_day",
    "open_client_of",
    "open_github",
    "plan_fetch",
]
