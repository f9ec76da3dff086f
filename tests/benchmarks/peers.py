"""Two peers that pip installs, timed on the same logs, each in the environment of the interpreter that runs this.

`PYTHON tests/benchmarks/peers.py FOLDER` prints JSON: seconds of each that is installed there, and their versions.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any


def actions_radar() -> Callable[[str], Any]:
    """Return its choice of lines, without the report around it."""
    radar = import_module("radar")
    return lambda log: radar.find_causes(radar.clean_lines(log))


def ci_log_intelligence() -> Callable[[str], Any]:
    """Return its whole reduction of one log."""
    return import_module("ci_log_intelligence").analyze_log  # type: ignore[no-any-return]


PEERS = {"actions-radar": actions_radar, "ci-log-intelligence": ci_log_intelligence}


def main(folder: Path) -> None:
    """Time each peer on every `*.txt` of the folder."""
    logging.disable(logging.CRITICAL)
    logs = [path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.txt"))]
    told = {}
    for name, make in PEERS.items():
        try:
            work = make()
        except ImportError:
            continue
        began = perf_counter()
        for log in logs:
            work(log)
        told[f"{name} {version(name)}"] = perf_counter() - began
    print(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
