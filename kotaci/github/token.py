"""Where a token comes from: the environment, else GitHub's own command line; it is never shown, stored or logged."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping

from kotaci.model import BadInput

VARIABLES = ("GITHUB_TOKEN", "GH_TOKEN")
ENTERPRISE_VARIABLES = ("GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN")
"""As gh reads them, for an Enterprise server."""


def find_token(environment: Mapping[str, str], *, host: str, is_named: bool = False) -> str:
    """Return the token for that host from the environment, else from `gh auth token`. Raises BadInput for none.

    A token of github.com goes to another host only where a person or GITHUB_API_URL names that host's API: one
    pasted address must not give it away.
    """
    names: tuple[str, ...] = ENTERPRISE_VARIABLES
    if host == "github.com" or host.endswith(".ghe.com"):
        names = VARIABLES
    elif is_named:
        names = (*ENTERPRISE_VARIABLES, *VARIABLES)
    told = next(((name, environment[name].strip()) for name in names if environment.get(name, "").strip()), None)
    if told is None:
        told = ("gh auth token", _of_gh(host))
    source, token = told
    if not token:
        where = "" if names[0] == VARIABLES[0] else f" --hostname {host}"
        told_names = f"{names[0]} or {VARIABLES[0]}" if is_named and names[0] != VARIABLES[0] else names[0]
        hint = f"set {told_names}, or log in once with: gh auth login{where}"
        raise BadInput(host, "cannot be asked without a token", hint)
    if not token.isascii() or any(character.isspace() for character in token):
        raise BadInput(source, "holds no token: there are spaces or letters in it that none has", "set it again")
    return token


def _of_gh(host: str) -> str:
    gh = shutil.which("gh")
    if gh is None:
        return ""
    told = subprocess.run(
        [gh, "auth", "token", "--hostname", host], capture_output=True, text=True, check=False, timeout=30
    )
    return told.stdout.strip() if told.returncode == 0 else ""
