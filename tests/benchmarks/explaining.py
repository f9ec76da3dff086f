"""Speed and memory of `explain`: beside grep with the same patterns, beside two peers, and as logs and lines grow."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

from kotaci.logs import explain
from kotaci.logs.causes import read_catalogue
from kotaci.logs.lines import parse_lines
from kotaci.logs.marks import DECOYS, SIGNS, SUMMARIES
from kotaci.sample import open_sample
from tests.benchmarks.measure import Row, Step, in_own_process

PEERS = Path(__file__).with_name("peers.py")

ERE = (
    (r"(?i)", ""), (r"(?:", "("), (r"\d", "[0-9]"), (r"\s", "[[:space:]]"), (r"\S", "[^[:space:]]"), (r"\/", "/"),
    (r"\-", "-"), (r"\"", '"'), (r"\'", "'"),
)  # fmt: skip
"""How what RE2 and grep spell differently is spelled for grep; ranges that hold `\\s` are left out."""


def to_ere(pattern: str) -> str | None:
    """Return the pattern as grep -E reads it, or None where it has no such spelling."""
    if re.search(r"\[[^\]]*\\[sSdDwW]|\\[xpP]|\(\?[^:i]|[^\x00-\x7f]", pattern):
        return None
    for ours, theirs in ERE:
        pattern = pattern.replace(ours, theirs)
    return pattern


def all_patterns() -> list[str]:
    """Return every pattern that `explain` tries on a line of a log."""
    marks = [pattern for mark in (*SIGNS, SUMMARIES, DECOYS) for pattern in mark.patterns]
    rules = [rule for cause in read_catalogue().causes.values() for rule in cause.rules]
    return [*marks, *(pattern for rule in rules for pattern in rule.patterns)]


def grep_seconds(logs: Path, folder: Path) -> tuple[float, int]:
    """Return seconds of grep -E -f over all logs, once with the patterns of any case, and how many patterns it had."""
    kinds: dict[tuple[str, ...], list[str]] = {(): [], ("-i",): []}
    for pattern in all_patterns():
        if (spelled := to_ere(pattern)) is not None:
            kinds[("-i",) if "(?i)" in pattern else ()].append(spelled)
    seconds, n_patterns = 0.0, 0
    for options, patterns in kinds.items():
        listed = folder / "patterns.txt"
        listed.write_text("\n".join(patterns) + "\n", encoding="utf-8")
        began = perf_counter()
        files = sorted(str(path) for path in logs.glob("*.txt"))
        done = subprocess.run(
            ["grep", "-E", "-c", *options, "-f", str(listed), *files], capture_output=True, check=False
        )
        if done.returncode > 1:
            raise RuntimeError(done.stderr.decode()[:300])
        seconds += perf_counter() - began
        n_patterns += len(patterns)
    return seconds, n_patterns


def measure_explain(
    folder: Path, *, corpus: Path | None, peers: Path, megabytes: Sequence[int], measured: Step = in_own_process
) -> list[Row]:
    """Return the rows: `corpus` holds `*/log.txt` (without one: the failed jobs of the sample), `peers` is the
    interpreter of an environment that has them, `megabytes` are the sizes of generated logs."""
    logs = folder / "explain-logs"
    logs.mkdir()
    for place, text in enumerate(_texts(folder, corpus)):
        (logs / f"{place:05}.txt").write_text(text, encoding="utf-8", newline="")
    texts = [path.read_text(encoding="utf-8") for path in sorted(logs.glob("*.txt"))]
    total = sum(len(text) for text in texts) / 1e6
    read_catalogue().find("warm")
    began = perf_counter()
    for text in texts:
        explain(text)
    ours = perf_counter() - began
    began = perf_counter()
    for text in texts:
        sum(1 for _ in parse_lines(text))
    lines = perf_counter() - began
    rows = [
        (f"explain, {len(texts):,} logs of {total:,.1f} MB together", f"{total / ours:,.1f} MB/s"),
        ("of that, only making the lines", f"{total / lines:,.1f} MB/s"),
    ]
    seconds, n_patterns = grep_seconds(logs, folder)
    of_all = f"{n_patterns:,} of its {len(all_patterns()):,} patterns"
    rows.append((f"grep -E -f, {of_all}, counting lines", _beside(total, seconds, ours)))
    told = json.loads(subprocess.run([peers, PEERS, logs], capture_output=True, text=True, check=True).stdout)
    for name, seconds in told.items():
        rows.append((name, _beside(total, seconds, ours)))
    rows += _growth("one line of {} MB", "one_line", megabytes[:4], folder, measured)
    rows += _growth("a log of {} MB", "large_log", megabytes, folder, measured)
    return rows


def _beside(megabytes: float, seconds: float, ours: float) -> str:
    return f"{megabytes / seconds:,.2f} MB/s, explain takes {ours / seconds:.2f}x its time"


def _texts(folder: Path, corpus: Path | None) -> list[str]:
    if corpus is not None:
        paths = sorted(corpus.glob("*/log.txt"))
        if not paths:
            raise SystemExit(f"{corpus}: holds no */log.txt; name the folder whose folders hold one log each")
        return [path.read_bytes().decode("utf-8", "replace") for path in paths]
    with open_sample(folder / "sample") as store:
        (repo,) = store.repos()
        keys = [key.split("/") for key, _, body in store.payloads(repo, "job") if body["conclusion"] == "failure"]
        found = (store.log(repo, *map(int, key)) for key in keys)
        return [text for text in found if text is not None]


def _growth(what: str, step: str, sizes: Sequence[int], folder: Path, measured: Step) -> list[Row]:
    """Return seconds and peak memory at each size, and how they grow from the first, in processes of their own."""
    base = measured("nothing", folder, 0)["peak_mb"]
    rows, first = list[Row](), 0.0
    for size in sizes:
        told = measured(step, folder, size)
        first = first or told["seconds"]
        growth = f", {told['seconds'] / first:.1f}x of {sizes[0]} MB" if size != sizes[0] else ""
        over = f"{told['peak_mb'] - base:,.0f} MB above a process that does nothing"
        rows.append((f"explain, {what.format(size)}", f"{told['seconds']:,.2f} s{growth}, {over}"))
    return rows


def explain_one_line(_: Path, megabytes: int) -> None:
    """Explain a log of one failing step whose output is one long hostile line."""
    line = ("error: " + "a" * 60 + " [E0308] (((" + " " * 60) * (megabytes * 10**6 // 139)
    explain(f"##[group]Run x\n##[endgroup]\n{line}\n##[error]Process completed with exit code 1.\n")


def explain_large_log(_: Path, megabytes: int) -> None:
    """Explain a log of that size: builds and passing tests, one failure near its end."""
    block = "".join(
        f"2026-03-02T09:00:00.0000000Z    Compiling crate{n} v1.{n}.0\n"
        f"2026-03-02T09:00:00.0000000Z test module{n}::tests::case_{n}_holds ... ok\n"
        f"2026-03-02T09:00:00.0000000Z warning: unused variable `x{n}`, in file src/module{n}/mod.rs\n"
        for n in range(1_000)
    )
    error = "2026-03-02T09:00:00.0000000Z error[E0308]: mismatched types\n"
    end = "2026-03-02T09:00:00.0000000Z ##[error]Process completed with exit code 101.\n"
    explain(block * (megabytes * 10**6 // len(block)) + error + end)


EXPLAIN_STEPS = {"one_line": explain_one_line, "large_log": explain_large_log}
"""Steps in a process of their own; their number is megabytes."""
