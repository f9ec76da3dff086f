"""The recorder records real cargo, and composes the same bytes from the same recordings."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from .bundle import packed
from .history import write_history
from .record import RUNNER_WORKSPACE, Bench, Line, Recorder, Recording, Recordings, failed_tests, joined
from .registry import read_crates, serving
from .render import scaled
from .truths import to_truths

FINISHED = Line(1.0, "    Finished `test` profile [unoptimized + debuginfo] target(s) in 0.98s")


@pytest.fixture(scope="module")
def recorder(tmp_path_factory: pytest.TempPathFactory) -> Recorder:
    made = Recorder(Bench(root=tmp_path_factory.mktemp("bench"), port=0, jobs=1))
    made.reset()
    return made


@pytest.mark.cargo
def test_cargo_is_recorded_as_a_runner_would_show_it(recorder: Recorder) -> None:
    with serving() as port:
        recorder.bench.use_registry(port)
        recording = recorder.take("log", ("cargo", "test", "-p", "kvstore-log", "--lib"))
    assert recording.exit_code == 0
    assert recorder.recordings["log"] is recording
    assert "Updating crates.io index" in recording.text
    assert "Downloaded example-crc32 v1.2.0" in recording.text
    assert f"Compiling kvstore-log v0.7.0 ({RUNNER_WORKSPACE}/crates/kvstore-log)" in recording.text
    assert "test result: ok." in recording.text
    assert "\x1b[" in recording.lines[0].text
    assert str(recorder.bench.root) not in recording.text
    times = [line.at_s for line in recording.lines]
    assert times == sorted(times)


@pytest.mark.cargo
def test_a_patch_changes_the_outcome_and_goes_away_again(recorder: Recorder) -> None:
    check = ("cargo", "fmt", "--all", "--check")
    recorder.reset("fmt")
    assert recorder.run(check).exit_code == 1
    recorder.reset()
    assert recorder.run(check).exit_code == 0


@pytest.mark.cargo
def test_what_never_comes_is_an_error(recorder: Recorder) -> None:
    with pytest.raises(RuntimeError, match="no wanted take in 1 tries"):
        recorder.take("no", ("cargo", "--version"), wanted=lambda recording: recording.exit_code == 1, tries=1)


def test_the_lock_file_names_the_crates_that_are_served(recorder: Recorder) -> None:
    lock = (recorder.bench.tree / "Cargo.lock").read_text()
    for crate in read_crates():
        assert hashlib.sha256(crate.archive).hexdigest() in lock


def test_build_and_run_are_joined_at_finished() -> None:
    build = Recording((Line(0.5, "   Compiling a"), FINISHED, Line(1.1, "  Executable x")), 0)
    run = Recording((Line(0.1, "    Finished again in 0.00s"), Line(0.2, "test a::b - c (line 3) ... FAILED")), 101)
    both = joined(build, run)
    assert [line.text for line in both.lines] == [
        "   Compiling a",
        FINISHED.text,
        "test a::b - c (line 3) ... FAILED",
    ]
    assert both.exit_code == 101
    assert failed_tests(both) == {"a::b - c (line 3)"}


def test_only_the_build_is_stretched() -> None:
    lines = scaled((Line(0.5, "   Compiling a"), FINISHED, Line(1.25, "running 1 test")), build_s=95.0)
    assert lines[1].text.endswith("in 1m 35s")
    assert round(lines[1].at_s) == 95
    assert round(lines[2].at_s - lines[1].at_s, 2) == 0.25


def _stand_in() -> Recordings:
    """A short recording for every key that the history asks for."""
    green = Recording((Line(0.5, "   Compiling a"), FINISHED, Line(1.2, "test a ... ok")), 0)
    red = Recording((*green.lines, Line(1.3, "error: no")), 101)
    keys = "fmt/ok clippy/ok tests/base/build-cold doc/base doc/env-fixed doc/feature-off stress/build-cold "
    keys += "stress/build-hit stress/ok soak/build-cold soak/ok soak/hang bench/over release/build docs/ok "
    keys += "coverage/base/build-cold integration/full/build-cold tests/regression/build-warm "
    for state in ("base", "env-fixed", "feature-off"):
        keys += f"tests/{state}/build-warm tests/{state}/ok-0 tests/{state}/flaky-0 "
        keys += f"coverage/{state}/build-hit coverage/{state}/ok-0 "
    for name in ("full", "short"):
        keys += f"integration/{name}/build-warm integration/{name}/ok-0 "
    failing = "fmt/diff clippy/clippy clippy/type-error strict/failed tests/regression/failed-0 coverage/base/race-0 "
    failing += "stress/oom outage/503 outage/refused integration/full/path-0 integration/full/rare-0 "
    failing += "integration/short/path-0 integration/short/rare-0"
    return dict.fromkeys(keys.split(), green) | dict.fromkeys(failing.split(), red)


@pytest.mark.slow
def test_the_same_recordings_and_seed_give_the_same_bytes(tmp_path: Path) -> None:
    first = write_history(_stand_in(), tmp_path / "one", seed=7)
    second = write_history(_stand_in(), tmp_path / "two", seed=7)
    assert packed(first) == packed(second)
    assert to_truths(first, seed=7) == to_truths(second, seed=7)


@pytest.mark.slow
def test_another_seed_changes_durations_and_not_the_story(tmp_path: Path) -> None:
    first = write_history(_stand_in(), tmp_path / "one", seed=7)
    second = write_history(_stand_in(), tmp_path / "two", seed=8)
    assert packed(first) != packed(second)
    assert [(a.trigger, a.incident, a.conclusion) for a in first.attempts] == [
        (a.trigger, a.incident, a.conclusion) for a in second.attempts
    ]
