"""Owners of paths: the last pattern that fits counts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kotaci.config import CodeOwners, parse_codeowners


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("*", "src/lib.rs", True),
        ("*.rs", "src/deep/lib.rs", True),
        ("*.rs", "src/lib.rs.txt", False),
        ("/src/", "src/deep/lib.rs", True),
        ("/src/", "crates/src/lib.rs", False),
        ("src/", "crates/src/lib.rs", True),
        ("/build/logs", "build/logs/a.txt", True),
        ("docs/*", "docs/start.md", True),
        ("docs/*", "docs/build/troubles.md", False),
        ("docs/**", "docs/build/troubles.md", True),
        ("/crates/*/src/", "crates/core/src/lib.rs", True),
        ("**/logs", "build/deep/logs/a.txt", True),
        ("Makefile", "crates/core/Makefile", True),
        ("lib.r?", "src/lib.rs", True),
    ],
)
def test_a_pattern_fits_as_on_github(pattern: str, path: str, fits: bool) -> None:
    assert bool(parse_codeowners(f"{pattern} @octocat").of(path)) == fits


def test_the_last_that_fits_counts_also_when_it_names_nobody() -> None:
    owners = parse_codeowners("* @all # everybody\n\n/src/ @core @team/core\n/src/made/\n!bad @x\n[ab].rs @y\n")
    assert owners.of("README.md") == ("@all",)
    assert owners.of("src/lib.rs") == ("@core", "@team/core")
    assert owners.of("src/made/table.rs") == ()
    assert owners.of("a.rs") == ("@all",)
    assert CodeOwners().of("README.md") == ()


@given(st.text(), st.text())
def test_any_text_is_read_and_any_path_asked(text: str, path: str) -> None:
    assert isinstance(parse_codeowners(text).of(path), tuple)


def test_many_stars_cost_no_more_than_their_product() -> None:
    assert parse_codeowners("*a" * 400 + "b @octocat").of("a" * 4000) == ()
