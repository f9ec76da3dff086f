"""A real history in which commits passed and failed, and none of it was flaky: five cancelled twins, two events.

It is no part of the repository: KOTACI_TINUOUS_TREE names an archive of logs as tinuous keeps them.
"""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest

from kotaci.analysis.failures import TABLES, assess_failures
from kotaci.archives.reading import Said, read_archive
from kotaci.facts import build_facts, read_history
from kotaci.store import open_store

ARCHIVE = os.environ.get("KOTACI_TINUOUS_TREE", "")
KEYS = ["run_id", "attempt", "job_id"]


@pytest.mark.slow
@pytest.mark.skipif(not ARCHIVE, reason="KOTACI_TINUOUS_TREE names no archive")
def test_no_flip_of_a_real_history_is_called_flaky(tmp_path: Path) -> None:
    with open_store(tmp_path / "store", create=True) as store:
        for _ in store.write(read_archive(Path(ARCHIVE), said=Said())):
            pass
        build_facts(store)
        history = read_history(store, since="all", tables=TABLES)
    triage = assess_failures(history.tables, default_branch=history.default_branch, as_of=history.as_of)
    about = history["runs"][["run_id", "attempt", "head_sha", "event"]]
    jobs = history["jobs"].merge(about, on=["run_id", "attempt"])
    passed = jobs[jobs["outcome"] == "success"]
    place = ["workflow", "job", "head_sha"]
    flips = triage.judged.merge(jobs[[*KEYS, *place, "outcome"]], on=KEYS)
    flips = flips[pd.MultiIndex.from_frame(flips[place]).isin(pd.MultiIndex.from_frame(passed[place]))]
    assert len(flips) >= 5
    assert not flips["verdict"].str.startswith("flaky").any()
    cancelled = flips["outcome"] == "cancelled"
    assert set(flips.loc[cancelled, "verdict"]) == {"superseded"}
    assert all("proves nothing: event pull_request → push" in proof for proof in flips.loc[~cancelled, "proof"])
