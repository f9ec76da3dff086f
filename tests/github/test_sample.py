"""The bundled sample, served and fetched: every table and every report as if it had been read from its file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from kotaci.cli import main
from kotaci.facts import build_facts, read_history
from kotaci.model import ExitCode
from kotaci.report.runner import Report
from kotaci.store import Store, open_store
from kotaci.tables import TABLES
from tests.github.fetching import TOKEN, fetch_from
from tests.github_server import Limits, Rights, State, serve


@pytest.fixture(scope="module")
def bundled(sample: Path) -> Iterator[Store]:
    with open_store(sample) as store:
        yield store


@pytest.fixture(scope="module")
def fetched(bundled: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Return the sample as fetched at the moment for which its tables speak."""
    now = (read_history(bundled).as_of or datetime.now(UTC)).astimezone(UTC)
    limits = Limits(10**6, points_per_minute=None)
    with (
        serve(State.of_sample(), tokens={TOKEN: Rights()}, limits=limits, now=now) as server,
        open_store(tmp_path_factory.mktemp("fetched") / "store", create=True) as store,
    ):
        done = fetch_from(server, store)
        assert done.is_complete, (done.notes, done.stopped, done.left)
        build_facts(store)
        yield store


OTHERWISE = {"runs": ["source", "created_at"]}
"""How it came in; and GitHub gives a re-run a moment of its own, where the sample has the first attempt's."""


MAY_BE_EMPTY = {
    "benchmarks", "cache_events", "compiler_caches", "phases", "rosters", "test_times", "tests",
    "unit_times", "units", "usage_samples", "usages",
}  # fmt: skip
"""Tables that hold nothing for the runs that are compared."""


@pytest.mark.parametrize("name", sorted(set(TABLES) - {"caches", "artifacts"}))
def test_tables_are_equal(name: str, bundled: Store, fetched: Store) -> None:
    besides = OTHERWISE.get(name, [])
    one, other = (
        read_history(store, since="all", tables=[name])[name].drop(columns=besides) for store in (bundled, fetched)
    )
    keys = [column for column in TABLES[name].key if column in one]
    if name == "commits":
        # The sample holds every commit of its repository; a fetch brings those that ran.
        one = one[one["commit_sha"].isin(other["commit_sha"])]
    if name == "workflow_jobs":
        one = one[one["workflows_tree"].isin(other["workflows_tree"])]
    one, other = (frame.sort_values(keys, kind="stable", ignore_index=True) for frame in (one, other))
    assert len(one) or name in MAY_BE_EMPTY
    pd.testing.assert_frame_equal(one, other)


def test_reports_are_equal_figure_for_figure(
    bundled: Store, fetched: Store, sample_reports: dict[str, Report], tmp_path: Path
) -> None:
    assert main(["report", "--store", str(fetched.path), "--out", str(tmp_path / "other")]) == ExitCode.DONE
    made = sample_reports["ci_health"].paths["html"].parent
    told = [
        {file.name: _plain(file, store) for file in sorted(folder.iterdir()) if file.suffix != ".ipynb"}
        for folder, store in ((made, bundled), (tmp_path / "other", fetched))
    ]
    assert told[0].keys() == told[1].keys()
    for name in told[0]:
        assert told[0][name] == told[1][name], name


def _plain(file: Path, store: Store) -> Any:
    text = file.read_text(encoding="utf-8").replace(str(store.path), "STORE")
    text = text.replace("the bundled sample", "all branches and events")
    if file.suffix == ".json":
        return json.loads(text)
    # Times of the run and ids of marks differ from run to run.
    return re.sub(r"\b(?:id|href|xlink:href|clip-path)=\"[^\"]*\"|\d+\.\d s\b", "", text)
