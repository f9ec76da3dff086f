"""The limits of machines that were planted into the sample are found, and no others."""

from __future__ import annotations

import json
from pathlib import Path

from kotaci.analysis.resources import assess_resources
from kotaci.facts import read_history
from kotaci.pages.resources import TABLES
from kotaci.places import sample_folder
from kotaci.sample import open_sample


def test_the_build_that_was_killed_and_the_runner_that_was_lost_are_told(tmp_path: Path) -> None:
    with open_sample(tmp_path / "store") as store:
        history = read_history(store, since="all", tables=TABLES)
    found = assess_resources(**{name: history[name] for name in TABLES})
    truths = {one["id"]: one for one in json.loads((sample_folder() / "truths.json").read_text("utf-8"))["truths"]}
    planted = {"out-of-memory": truths["oom"], "runner-lost": truths["lost-runner"]}
    told = {(row["kind"], row["workflow"], row["job"], row["n_jobs"]) for row in found.pressures.to_dict("records")}
    assert told == {
        (kind, truth["where"]["workflow"].rpartition("/")[2], truth["where"]["job"], len(truth["run_ids"]))
        for kind, truth in planted.items()
    }
    assert {finding.kind for finding in found.findings} == set(planted)
    assert found.n_recordings == 0
