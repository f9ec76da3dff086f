"""What is asked and written is as GitHub describes its API."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from openapi_core import Config, OpenAPI
from openapi_core.contrib.requests import RequestsOpenAPIRequest

from kotaci.actions import Applied, Kind
from tests.actions.plans import plan_for
from tests.github_server import Server
from tests.github_server.test_shapes import DESCRIPTION, InOnePart, patched


@pytest.fixture(scope="module")
def description() -> Any:
    """Return GitHub's description of its API."""
    if not DESCRIPTION.is_file():
        pytest.skip("no description of GitHub's API beside the project")
    return patched(json.loads(DESCRIPTION.read_text(encoding="utf-8")))


@pytest.mark.parametrize("kind", Kind)
def test_every_request_is_as_github_describes_it(
    kind: Kind, server: Server, apply: Callable[..., list[Applied]], description: Any, tmp_path: Path
) -> None:
    api = OpenAPI.from_dict(
        {**description, "servers": [{"url": server.api_url}]}, config=Config(spec_validator_cls=None)
    )
    apply(plan_for(kind, server, tmp_path))
    # That its branch is not there yet is an answer.
    assert {one.status for one in server.asked} <= {200, 201, 204} | ({404} if kind == Kind.OPEN_PULL else set())
    assert any(one.method != "GET" for one in server.asked)
    for one in server.asked:
        sent = requests.Request(
            one.method,
            f"{server.api_url}{one.path}",
            params=one.query,
            data=one.content or None,
            headers={"Content-Type": "application/json"} if one.content else {},
        )
        api.validate_request(InOnePart(RequestsOpenAPIRequest(sent.prepare())))
