"""How long the audit of earlier versions takes, on a clone made for it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter, process_time

from kotaci.archives.past import read_past
from kotaci.audit.history import HistoryOptions, audit_history

Row = tuple[str, str]

N_WORKFLOWS = 14
N_TESTS = 50
_STARTED = 1_767_258_000


def measure_earlier(folder: Path, *, n_versions: int = 200) -> list[Row]:
    """Return the seconds for that many versions; one changes a workflow, the next a test file."""
    clone = folder / "clone"
    write_clone(clone, n_versions=n_versions)
    began, worked = perf_counter(), process_time()
    found = audit_history(read_past(clone, ref="main"), options=HistoryOptions(most_versions=n_versions))
    took, cpu = perf_counter() - began, process_time() - worked
    what = f"audit of {len(found.versions)} versions, {N_WORKFLOWS} workflows and {N_TESTS} test files"
    told = f"{took:.1f} s, {1000 * took / len(found.versions):.0f} ms a version, {cpu:.1f} s of CPU"
    return [(what, f"{told}; {len(found.faults)} faults, {len(found.limits)} limits that changed")]


def write_clone(clone: Path, *, n_versions: int) -> None:
    """Write a bare clone whose branch main has that many commits, each with a change that an audit reads."""
    subprocess.run(["git", "init", "-q", "--bare", clone], check=True)
    stream = "".join(_commits(n_versions)).encode()
    subprocess.run(["git", "fast-import", "--quiet"], cwd=clone, input=stream, check=True)


def _commits(n: int) -> Iterator[str]:
    files = {"Cargo.toml": '[package]\nname = "kv"\nversion = "0.1.0"\nedition = "2021"\n', "src/lib.rs": ""}
    files |= {f".github/workflows/flow{number}.yml": _workflow(number, 10) for number in range(N_WORKFLOWS)}
    files |= {f"tests/case{number}.rs": _test(number, 50) for number in range(N_TESTS)}
    for version in range(n):
        message = f"ci: change {version}, builds {version % 50 + 10}% faster"
        yield f"commit refs/heads/main\ncommitter a <a@example.org> {_STARTED + 600 * version} +0000\n"
        yield f"data {len(message)}\n{message}\n"
        for path, text in files.items():
            yield f"M 100644 inline {path}\ndata {len(text.encode())}\n{text}\n"
        place = version // 2
        files = (
            {f".github/workflows/flow{place % N_WORKFLOWS}.yml": _workflow(place % N_WORKFLOWS, 11 + version)}
            if version % 2
            else {f"tests/case{place % N_TESTS}.rs": _test(place % N_TESTS, 51 + version)}
        )


def _workflow(number: int, minutes: int) -> str:
    jobs = "".join(
        f"""  job{job}:
    runs-on: ubuntu-24.04
    timeout-minutes: {minutes + job}
    strategy:
      matrix:
        toolchain: [stable, beta]
    steps:
      - uses: actions/checkout@v5
      - uses: Swatinem/rust-cache@v2
      - name: Build
        run: cargo build --locked --features a{job}
      - name: Test
        run: |
          set -euo pipefail
          cargo test --locked --test case{(number * 4 + job) % N_TESTS} | tee log.txt
          ./scripts/check.sh --fail-under {minutes} || true
"""
        for job in range(4)
    )
    return f"name: flow {number}\non:\n  pull_request:\n  push:\n    branches: [main]\njobs:\n{jobs}"


def _test(number: int, ms: int) -> str:
    body = f"    assert!(began.elapsed() < Duration::from_millis({ms}));\n"
    return "".join(f"#[test]\nfn case_{number}_{one}() {{\n{body}}}\n\n" for one in range(20))
