"""cargo's status words on crates; R: recorded from a real cargo, or in a real log."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kotaci.logs.cargo import parse_units

HEAD = "2026-03-02T09:00:"


def log(*lines: str) -> str:
    """Return the lines with time stamps, a second apart."""
    return "".join(f"{HEAD}{number:02d}.0000000Z {line}\n" for number, line in enumerate(lines))


BUILD = (  # R
    "  Downloaded serde v1.0.219",
    "   Compiling serde v1.0.219",
    "\x1b[1m\x1b[92m   Compiling\x1b[0m tokio v1.44.2",
    "   Compiling patched v0.1.0 (https://github.com/octo/patched#0a1b2c3d)",
    "   Compiling kvstore-core v0.3.1 (/home/runner/work/kvstore/kvstore/crates/kvstore-core)",
    "    Checking kvstore v0.3.1 (D:\\a\\kvstore\\kvstore)",
    "    Finished `test` profile [unoptimized + debuginfo] target(s) in 5.00s",
)


def test_a_build_is_read_crate_by_crate() -> None:
    units = parse_units(log(*BUILD))
    assert [(unit.action, unit.unit, unit.version, unit.is_local) for unit in units] == [
        ("Downloaded", "serde", "1.0.219", False),
        ("Compiling", "serde", "1.0.219", False),
        ("Compiling", "tokio", "1.44.2", False),
        ("Compiling", "patched", "0.1.0", False),
        ("Compiling", "kvstore-core", "0.3.1", True),
        ("Checking", "kvstore", "0.3.1", True),
    ]
    assert [unit.line for unit in units] == [1, 2, 3, 4, 5, 6]
    assert {unit.wall_s for unit in units} == {1.0}


def test_the_last_word_has_no_length() -> None:
    (unit,) = parse_units(log("   Compiling serde v1.0.219"))
    assert unit.wall_s is None


def test_words_of_others_are_no_crates() -> None:
    assert (
        parse_units(log("Running tests", "Compiling 12 files with javac", "Fresh install", "I am Checking x v1")) == []
    )


@given(st.lists(st.sampled_from(BUILD) | st.text(max_size=80), max_size=30))
def test_any_text_is_read_in_its_order(lines: list[str]) -> None:
    text = log(*[line.replace("\n", " ") for line in lines])
    numbers = [unit.line for unit in parse_units(text)]
    assert numbers == sorted(set(numbers))
    assert len(numbers) >= sum(line in BUILD[:-1] for line in lines)
