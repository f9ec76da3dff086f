"""Run the server by hand: `python -m tests.github_server --sample`, or `--store FOLDER`, or `--generate N`."""

from __future__ import annotations

import argparse
import signal
from datetime import UTC, datetime
from pathlib import Path

from kotaci.model import parse_moment
from tests.github_server import Limits, Rights, State, serve


def main() -> None:
    """Serve until Ctrl-C (or SIGTERM)."""
    parser = argparse.ArgumentParser(prog="python -m tests.github_server", description=__doc__)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--sample", action="store_true", help="the bundled sample")
    source.add_argument("--store", type=Path, help="a store's folder")
    source.add_argument("--generate", type=int, metavar="N", help="an invented history of N runs")
    parser.add_argument("--jobs", type=int, default=8, help="jobs of a generated run")
    parser.add_argument("--days", type=int, default=80, help="days of a generated history")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--prefix", default="", help="what stands before every path, as /api/v3")
    parser.add_argument("--latency-ms", type=float, default=0)
    parser.add_argument("--points", default="900", help="points a minute, or none")
    parser.add_argument("--token", default="token-one")
    parser.add_argument("--now", type=parse_moment, help="the server's clock stands still at this moment")
    told = parser.parse_args()
    if told.store:
        state = State.of_store(told.store)
    elif told.sample:
        state = State.of_sample()
    else:
        ends_at = told.now or datetime.now(UTC).replace(microsecond=0)
        state = State.generated(told.generate, told.jobs, told.generate // 20, ends_at=ends_at, days=told.days)
    limits = Limits(points_per_minute=None if told.points == "none" else int(told.points))
    options = {"prefix": told.prefix, "port": told.port, "has_tally": True}
    tokens = {told.token: Rights()}
    stops = {signal.SIGINT, signal.SIGTERM}
    # Blocked before the server's threads begin, so that the signal waits for this one.
    signal.pthread_sigmask(signal.SIG_BLOCK, stops)
    with serve(state, tokens, limits, told.latency_ms / 1000, told.now, **options) as server:
        print(server.api_url)
        print(f"curl -H 'Authorization: Bearer {told.token}' {server.api_url}/repos/{state.full_name}/actions/runs")
        print(f"curl {server.api_url}/_asked   # what was asked; POST {server.api_url}/_forget clears it", flush=True)
        signal.sigwait(stops)


if __name__ == "__main__":
    main()
