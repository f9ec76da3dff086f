"""The two languages of patterns."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kotaci.audit.globs import filter_pattern, hashed_pattern


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("**/Cargo.lock", "Cargo.lock", True),
        ("**/Cargo.lock", "a/b/Cargo.lock", True),
        ("Cargo.lock", "a/Cargo.lock", False),
        ("./a/*.toml", "a/x.toml", True),
        ("a/*.toml", "a/b/x.toml", False),
        ("a", "a/b/x.toml", True),
        ("a/**", "a/b", True),
        ("rust-toolchain*", "rust-toolchain.toml", True),
        ("v?.txt", "v1.txt", True),
        ("v[12].txt", "v3.txt", False),
    ],
)
def test_what_is_hashed(pattern: str, path: str, fits: bool) -> None:
    assert (hashed_pattern(pattern).fullmatch(path) is not None) is fits


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("src", "src/main.rs", False),
        ("src/**", "src/a/main.rs", True),
        ("*", "a/b", False),
        ("**", "a/b", True),
        ("**.md", "docs/a.md", True),
        ("**/docs/**", "docs/a.md", True),
        ("*.jsx?", "page.js", True),
        ("*.jsx?", "page.jsx", True),
        ("[ab].txt", "b.txt", True),
        ("a.txt", "abtxt", False),
    ],
)
def test_what_starts_a_workflow(pattern: str, path: str, fits: bool) -> None:
    assert (filter_pattern(pattern).fullmatch(path) is not None) is fits


@given(st.text(alphabet=st.sampled_from("ab*/.?+[]!\\-{}()|^$"), max_size=12))
def test_no_pattern_breaks_it(pattern: str) -> None:
    hashed_pattern(pattern)
    filter_pattern(pattern)
