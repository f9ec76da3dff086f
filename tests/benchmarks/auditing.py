"""What an audit takes: a generated repository of 14 workflows and 50 test files, read by the rules and as the command.

The workflows differ in every line that a reader may keep, so that nothing is read once for all.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from pathlib import Path
from time import perf_counter

from kotaci.archives.checkout import read_checkout
from kotaci.audit import audit
from tests.benchmarks.measure import Row

HEAD = """name: Workflow {number}
on:
  push:
    branches: [main, release-{number}]
  pull_request:
env:
  CARGO_TERM_COLOR: always
jobs:
"""
JOB = """  job{job}:
    name: job {job} of {number}
    runs-on: ${{{{ matrix.os }}}}
    strategy:
      matrix:
        os: [ubuntu-24.04, macos-15]
    steps:
      - uses: actions/checkout@v5
      - name: Restore {number}
        uses: actions/cache@v5
        with:
          path: |
            ~/.cargo/registry
            target
          key: cargo-{job}-${{{{ runner.os }}}}-${{{{ hashFiles('**/Cargo.lock') }}}}
      - name: Test part {job}
        run: |
          set -x
          for part in one two three; do
            cargo test --package "$part" --test suite{job} -- --nocapture | tee "out-{number}-$part.txt" || true
          done
      - name: Check {job}
        if: github.event_name == 'push'
        run: cargo clippy --all-targets -- -D warnings && cargo fmt --check
"""
TEST = """use std::time::{{Duration, Instant}};

#[test]
fn case{case}() {{
    let started = Instant::now();
    std::fs::create_dir_all("/tmp/suite{number}").unwrap();
    std::thread::sleep(Duration::from_millis({case}));
    assert!(started.elapsed() < Duration::from_secs(2), "case {case} of {number}");
}}
"""
MANIFEST = '[package]\nname = "kvstore"\nversion = "0.1.0"\nedition = "2024"\n'


def write_repository(folder: Path, *, n_workflows: int = 14, n_jobs: int = 4, n_tests: int = 50) -> None:
    """Write a Rust repository with that many workflows, jobs in each, and files of twenty tests."""
    workflows, tests = folder / ".github" / "workflows", folder / "tests"
    workflows.mkdir(parents=True)
    tests.mkdir()
    for number in range(n_workflows):
        jobs = "".join(JOB.format(number=number, job=job) for job in range(n_jobs))
        workflows.joinpath(f"workflow{number}.yml").write_text(HEAD.format(number=number) + jobs, encoding="utf-8")
    for number in range(n_tests):
        cases = "".join(TEST.format(number=number, case=case) for case in range(20))
        tests.joinpath(f"suite{number}.rs").write_text(cases, encoding="utf-8")
    folder.joinpath("Cargo.toml").write_text(MANIFEST, encoding="utf-8")


def measure_audit(folder: Path, *, n_workflows: int = 14, n_tests: int = 50, n_rounds: int = 3) -> list[Row]:
    """Return seconds of the rules alone, then of the whole command with and without linters, as medians."""
    at = folder / "audited"
    write_repository(at, n_workflows=n_workflows, n_tests=n_tests)
    began = perf_counter()
    n_marks = len(audit(read_checkout(at)).marks)
    rows = [
        (
            f"audit of {n_workflows} workflows, {n_tests} test files: rules, {n_marks} findings",
            _s(perf_counter() - began),
        )
    ]
    for what, words in (("whole command, no linters", ["--no-linters"]), ("whole command, with linters", [])):
        seconds = [_command(at, words) for _ in range(n_rounds)]
        rows.append((f"audit of the same: {what}", _s(statistics.median(seconds))))
    rows.append(
        ("audit: --help, what starting takes", _s(statistics.median(_command(at, ["--help"]) for _ in range(n_rounds))))
    )
    return rows


def _command(folder: Path, words: list[str]) -> float:
    began = perf_counter()
    subprocess.run([sys.executable, "-m", "kotaci", "audit", *words, folder], capture_output=True, check=True)
    return perf_counter() - began


def _s(seconds: float) -> str:
    return f"{seconds:.2f} s"
