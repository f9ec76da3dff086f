"""Cache steps, and the patterns of hashFiles."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kotaci.archives.checkout import tree_of
from kotaci.audit import Project
from kotaci.audit.cachesteps import cache_steps, hash_patterns, key_of, matches_file, system_of

PATHS = frozenset({"Cargo.lock", "sub/Cargo.lock", "web/a/package.json"})


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ("**/Cargo.lock", True),
        ("Cargo.lock", True),
        ("./Cargo.lock", True),
        ("*/Cargo.lock", True),
        ("*/package.json", False),
        ("web/**", True),
        ("web", True),
        ("cargo.lock", True),
        ("**/yarn.lock", False),
        ("[", True),
    ],
)
def test_patterns_of_hash_files(pattern, fits) -> None:
    assert matches_file(pattern, PATHS) is fits


@given(st.text(max_size=30))
def test_no_pattern_is_too_strange(text) -> None:
    assert matches_file(text, PATHS) in {True, False}
    assert isinstance(hash_patterns(f"hashFiles('{text}"), list)


def test_calls_of_hash_files_are_read() -> None:
    assert hash_patterns("a-${{ hashFiles('x', '**/y') }}-${{ hashFiles(format('{0}', 1)) }}") == [("x", "**/y"), None]


def test_a_key_is_filled_in_for_a_leg() -> None:
    text = """on: push
jobs:
  a:
    runs-on: ${{ matrix.os }}
    env:
      V: "2"
    strategy:
      matrix:
        os: [ubuntu-24.04-arm]
    steps:
      - uses: actions/cache@v4
        with:
          path: |
            target
            # why
            !target/doc
          key: ${{ runner.os }}-${{ runner.arch }}-${{ matrix.os }}-${{ env.V }}-${{ hashFiles( 'x' ) }}
"""
    (cache,) = cache_steps(Project(tree_of({".github/workflows/a.yml": text})))
    assert cache.paths == ("target",)
    assert cache.holds_target
    assert key_of(cache, cache.place.job.legs[0]) == "Linux-ARM64-ubuntu-24.04-arm-2-${{hashFiles('x')}}"


@pytest.mark.parametrize(
    ("label", "system"),
    [
        ("ubuntu-latest", "Linux-X64"),
        ("windows-11-arm", "Windows-ARM64"),
        ("macos-13", "macOS-X64"),
        ("macos-14", "macOS-ARM64"),
        ("macos-latest-large", "macOS-X64"),
        ("mine", "mine"),
    ],
)
def test_systems(label, system) -> None:
    assert system_of((label,), None) == system
