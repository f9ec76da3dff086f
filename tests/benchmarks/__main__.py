"""`python -m tests.benchmarks [PART ...]`: a Markdown table of what was measured on this machine, just now."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.auditing import measure_audit
from tests.benchmarks.changes import measure_changes
from tests.benchmarks.durations import measure_durations
from tests.benchmarks.earlier import measure_earlier
from tests.benchmarks.explaining import measure_explain
from tests.benchmarks.fetching import measure_fetch, measure_memory
from tests.benchmarks.measure import (
    Row,
    in_own_process,
    measure_histories,
    measure_import,
    measure_install,
    measure_notebooks,
    run_step,
)
from tests.benchmarks.scrolling import measure_scrolling
from tests.benchmarks.timing import measure_timing
from tests.benchmarks.watching import measure_watch

PARTS = (
    "install", "import", "history", "notebooks", "fetch", "memory", "explain", "changes", "durations", "timing",
    "watch", "scrolling", "audit", "audit-history",
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the parts asked for and print them."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; without one, all")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000], help="jobs of the histories")
    parser.add_argument("--logs", type=int, default=2_000, help="small logs to import; large ones are a twentieth")
    parser.add_argument("--rounds", type=int, default=3, help="times that each side of an import is measured")
    parser.add_argument("--corpus", type=Path, help="folder of */log.txt to explain; without it the sample's failures")
    parser.add_argument("--peers", type=Path, default=Path(sys.executable), help="interpreter that has the peers")
    parser.add_argument("--megabytes", type=int, nargs="+", default=[1, 2, 4, 8, 50, 100, 200], help="of large logs")
    parser.add_argument("--step", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--jobs", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.step:
        print(json.dumps(run_step(options.step, options.folder, options.jobs)))
        return
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f"{', '.join(sorted(unknown))}: choose from {', '.join(PARTS)}")
    print(f"Python {platform.python_version()}, {platform.system()}, {os.cpu_count()} cores\n")
    print("| measured | value |\n|---|---|")
    with tempfile.TemporaryDirectory(prefix="kotaci-benchmarks-") as name:
        folder = Path(name)
        for part in options.parts or PARTS:
            for what, value in measure(part, folder, options):
                print(f"| {what} | {value} |")
                sys.stdout.flush()


def measure(part: str, folder: Path, options: argparse.Namespace) -> list[Row]:
    """Return the rows of one part."""
    if part == "history":
        return measure_histories(folder, options.sizes)
    if part == "fetch":
        return measure_fetch(folder)
    if part == "changes":
        return measure_changes()
    if part == "durations":
        return measure_durations(peers=options.peers)
    if part == "timing":
        return measure_timing(folder, options.sizes, measured=in_own_process)
    if part == "audit-history":
        return measure_earlier(folder)
    if part == "scrolling":
        return measure_scrolling()
    if part == "audit":
        return measure_audit(folder)
    if part == "watch":
        return measure_watch(folder)
    if part == "memory":
        return measure_memory(folder)
    if part == "explain":
        return measure_explain(folder, corpus=options.corpus, peers=options.peers, megabytes=options.megabytes)
    if part == "install":
        return measure_install(folder)
    if part == "notebooks":
        return measure_notebooks(folder)
    small = measure_import(folder, n_logs=options.logs, n_lines=30, n_rounds=options.rounds)
    n_large = max(1, options.logs // 20)
    return [*small, *measure_import(folder, n_logs=n_large, n_lines=6_000, n_rounds=options.rounds)]


if __name__ == "__main__":
    main()
