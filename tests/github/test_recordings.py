"""Files of figures all the way: a real command watched, uploaded, served, fetched, drawn into tables, shown."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from kotaci.analysis.resources import assess_resources
from kotaci.facts import build_facts, read_history
from kotaci.pages import resources as shown
from kotaci.store import Store, open_store
from kotaci.watch import read_recording
from tests.github.fetching import fetch_from
from tests.github.test_traps import history, serving
from tests.github_server.state import File, State


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "store", create=True) as opened:
        yield opened


BUSY = "held = bytearray(30_000_000); sum(range(10**6)); open('out', 'wb').write(held)"


def put(state: State, *, name: str, files: dict[str, bytes]) -> int:
    """Make an artifact of the run a zip of these files, as upload-artifact does; return its run."""
    with io.BytesIO() as made:
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
            for inner, body in files.items():
                archive.writestr(inner, body)
        body = made.getvalue()
    number, told = next(iter(state.artifacts.items()))
    state.artifacts[number] = {**told, "name": name, "expired": False}
    state.files[number] = File(f"{name}.zip", "application/zip", body)
    return int(told["run_id"])


def test_a_watched_command_is_read_back_from_its_artifact(store: Store, tmp_path: Path) -> None:
    out = tmp_path / "kotaci-watch.json"
    words = [sys.executable, "-m", "kotaci", "watch", "--every", "0.05", "--out", out, "--", sys.executable, "-c", BUSY]
    assert subprocess.run(words, cwd=tmp_path, check=False).returncode == 0
    state = history(n_runs=3, n_reruns=0)
    run_id = put(state, name="kotaci-watch", files={"kotaci-watch.json": out.read_bytes()})
    jobs = [one for one in state.jobs[run_id, 1] if one["conclusion"] != "skipped"]
    number = next(iter(state.artifacts))
    state.artifacts[number]["name"] = f"kotaci-watch-{jobs[-1]['name']}".replace("/", "-")
    with serving(state) as server:
        fetch_from(server, store)
    build_facts(store)
    told = read_history(store, since="all", tables=shown.TABLES)
    (one,) = told["usages"].to_dict("records")
    recording = read_recording(out)
    whole = recording.summary()
    assert (one["run_id"], one["job_id"], one["artifact_id"]) == (run_id, jobs[-1]["id"], number)
    assert (one["n_cores"], one["memory_bytes"]) == (recording.n_cores, recording.memory_bytes)
    assert (one["peak_rss_bytes"], one["written_bytes"]) == (whole.peak_rss_bytes, whole.written_bytes)
    assert one["cpu_s"] == pytest.approx(whole.cpu_s)
    assert len(told["usage_samples"]) == whole.n_samples >= 1
    resources = assess_resources(**{name: told[name] for name in shown.TABLES})
    assert jobs[-1]["name"] in shown.resources_table(resources).markdown
    assert shown.resources_figure(resources).markdown.startswith(f"*Figure:* {jobs[-1]['name']}: ")


def test_a_broken_recording_is_kept_as_the_text_that_it_is(store: Store) -> None:
    state = history(n_runs=3)
    put(state, name="kotaci-watch", files={"torn.json": b'{"version": 1, "command": ["cargo"', "other.json": b"{}"})
    with serving(state) as server:
        done = fetch_from(server, store)
    assert not store.payload_keys(done.repo, "recording")
    assert {key.rpartition("/")[2] for key in store.payload_keys(done.repo, "report")} >= {"torn.json", "other.json"}


def test_timings_and_benchmarks_are_read_from_an_artifact(store: Store) -> None:
    state = history(n_runs=3)
    units = [{"i": 0, "name": "kv", "version": "0.1.0", "mode": "todo", "target": "", "start": 0.5, "duration": 2.0}]
    report = f"<html><script>const UNIT_DATA = {json.dumps(units)};</script></html>".encode()
    files = {"cargo-timing.html": report, "cargo-timing-20260302T090000Z.html": report, "index.html": report}
    sizes = b'[{"name": "size", "unit": "MB", "value": 12.5}]'
    run_id = put(state, name="timings", files={**files, "bench/sizes.json": sizes})
    with serving(state) as server:
        fetch_from(server, store)
    build_facts(store)
    told = read_history(store, since="all", tables=("unit_times", "benchmarks"))
    (unit,) = told["unit_times"].to_dict("records")
    assert (unit["run_id"], unit["unit"], unit["started_s"], unit["wall_s"]) == (run_id, "kv", 0.5, 2.0)
    (size,) = told["benchmarks"].to_dict("records")
    assert (size["run_id"], size["tool"], size["name"], size["value"]) == (
        run_id, "github-action-benchmark", "size", 12.5
    )  # fmt: skip
