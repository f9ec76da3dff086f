"""The sample's store is filled once; and again where that was cut short, or another sample was filled in."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from kotaci.sample import open_sample
from kotaci.store import open_store


@pytest.mark.parametrize("mark", [None, "of another sample"])
def test_only_what_was_filled_to_the_end_is_marked(mark: str | None, sample: Path, tmp_path: Path) -> None:
    folder = tmp_path / "store"
    shutil.copytree(sample, folder)
    with open_store(sample) as store:
        whole = store.summary()
    marked = folder / "sample.unpacked"
    marked.unlink()
    if mark is not None:
        marked.write_text(mark)
    with open_sample(folder) as store:
        assert store.summary()["payloads"] == whole["payloads"]
        assert store.summary()["logs"] == whole["logs"]
    filled = marked.stat().st_mtime_ns
    assert marked.read_text() == (sample / "sample.unpacked").read_text()
    open_sample(folder).close()
    assert marked.stat().st_mtime_ns == filled
