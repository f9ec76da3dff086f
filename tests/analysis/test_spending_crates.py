"""The slowest crates of builds that were timed."""

from __future__ import annotations

from kotaci.analysis.spending import slowest_units
from kotaci.pages.spending import slowest_units_table
from kotaci.tables import UNIT_TIMES

from .frames import REPO, Row, frame

TOLD = "How long a crate takes is not known"


def timed(run_id: int, unit: str, wall_s: float, *, own_s: float | None = None, target: str = "") -> Row:
    return {"repo": REPO, "run_id": run_id, "attempt": 1, "artifact_id": 70, "artifact": "cargo-timings",
            "file": "cargo-timing.html", "unit": unit, "version": "1.0.0", "mode": "todo", "target": target,
            "started_s": 0.0, "wall_s": wall_s, "is_critical": own_s is not None, "own_s": own_s,
            "build_s": 20.0}  # fmt: skip


BUILDS = [
    timed(1, "syn", 6, own_s=4), timed(1, "kv", 8, own_s=8), timed(1, "kv", 2, target="build-script"),
    timed(2, "syn", 8), timed(2, "libz-sys", 9, own_s=9),
]  # fmt: skip


def test_units_of_a_crate_are_one_and_the_share_is_of_all_builds() -> None:
    assert slowest_units(frame(UNIT_TIMES, BUILDS)).to_numpy().tolist() == [
        ["syn", 2, 7, 14, 1, 4, 0.1],
        ["kv", 1, 10, 10, 1, 8, 0.2],
        ["libz-sys", 1, 9, 9, 1, 9, 0.225],
    ]


def test_the_page_shows_crates_or_how_to_have_them_timed() -> None:
    shown = slowest_units_table(slowest_units(frame(UNIT_TIMES, BUILDS))).markdown
    assert "libz-sys" in shown
    assert TOLD not in shown
    none = slowest_units_table(slowest_units(frame(UNIT_TIMES, []))).markdown
    assert TOLD in none
    assert "`cargo build --timings`" in none
