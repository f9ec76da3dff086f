"""GitHub on loopback: its REST API for one repository and the host of its logs, over real HTTP, for tests.

`serve` runs a `State` (the bundled sample, any store, or an invented history) with tokens, limits, latency and faults,
and keeps a list of what was asked. `python -m tests.github_server --help` runs it by hand.
"""

from tests.github_server.policy import Fault, Limits, Rights
from tests.github_server.server import Asked, Server, serve
from tests.github_server.state import File, State

__all__ = ["Asked", "Fault", "File", "Limits", "Rights", "Server", "State", "serve"]
