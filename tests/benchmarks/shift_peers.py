"""Change points that others find in the same durations, each in the environment of the interpreter that runs this.

`PYTHON tests/benchmarks/shift_peers.py` reads JSON from stdin, a list of series of seconds, and prints JSON: for each
peer that is installed there, with its version, the positions it finds. Each has the settings that it comes with;
ruptures has no penalty of its own, and gets the one of its examples.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import version

Find = Callable[[Sequence[float]], list[int]]


def otava() -> Find:
    """Return Hunter's method: E-divisive with Student's t-test, in windows of 50."""
    series = import_module("otava.series")

    def find(values: Sequence[float]) -> list[int]:
        told = series.Series(
            "build", None, list(range(len(values))), {"s": series.Metric(1, 1.0)}, {"s": list(values)}, {}
        ).analyze()
        return [int(change.index) for change in told.change_points["s"]]

    return find


def e_divisive() -> Find:
    """Return MongoDB's E-divisive with a permutation test at p .05."""
    found = import_module("signal_processing_algorithms.energy_statistics.energy_statistics").e_divisive
    return lambda values: sorted(int(place) for place in found(list(values), 0.05, 100))


def ruptures_rbf() -> Find:
    """Return PELT with the cost of a Gaussian kernel and a penalty of 10."""
    ruptures, numpy = import_module("ruptures"), import_module("numpy")

    def find(values: Sequence[float]) -> list[int]:
        return [
            int(at) for at in ruptures.KernelCPD(kernel="rbf").fit(numpy.array(values)[:, None]).predict(pen=10)[:-1]
        ]

    return find


PEERS = (
    ("apache-otava", "", otava),
    ("signal-processing-algorithms", " e-divisive", e_divisive),
    ("ruptures", " PELT rbf, penalty 10", ruptures_rbf),
)


def main() -> None:
    """Print what each peer finds."""
    told = {}
    histories = json.load(sys.stdin)
    for package, how, make in PEERS:
        try:
            find = make()
        except ImportError:
            continue
        told[f"{package} {version(package)}{how}"] = [find(values) for values in histories]
    print(json.dumps(told))


if __name__ == "__main__":
    main()
