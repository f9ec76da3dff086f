"""The two languages of patterns."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kotaci.audit.globs import fits, hashed_pattern


@pytest.mark.parametrize(
    ("pattern", "path", "is_hashed"),
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
def test_what_is_hashed(pattern: str, path: str, is_hashed: bool) -> None:
    assert (hashed_pattern(pattern).fullmatch(path) is not None) is is_hashed


@pytest.mark.parametrize(
    ("pattern", "path", "is_fit"),
    [
        ("*", "README.md", True),
        ("*", "docs/a.md", False),
        ("*.jsx?", "page.js", True),
        ("*.jsx?", "page.jsx", True),
        ("**", "all/the/files.md", True),
        ("*.js", "js/index.js", False),
        ("**.js", "src/js/app.js", True),
        ("docs/*", "docs/file.txt", True),
        ("docs/*", "docs/a/file.txt", False),
        ("docs/**", "docs/a/file.txt", True),
        ("**/docs/**", "docs/hello.md", True),
        ("**/docs/**", "dir/docs/a.txt", True),
        ("**/README.md", "README.md", True),
        ("**/*-post.md", "path/blog-post.md", True),
        ("!README.md", "README.md", True),
        ("v[12].[0-9]+.[0-9]+", "v1.10.1", True),
        ("v[12].[0-9]+.[0-9]+", "v3.1.1", False),
        ("src", "src/a.rs", False),
        ("a.b", "aXb", False),
    ],
)
def test_what_starts_a_workflow(pattern: str, path: str, is_fit: bool) -> None:
    assert fits(pattern, path) is is_fit


@given(st.text(alphabet=st.sampled_from("ab*/.?+[]!\\-{}()|^$"), max_size=14), st.text(alphabet="ab/", max_size=20))
def test_no_pattern_breaks_it(pattern: str, path: str) -> None:
    hashed_pattern(pattern)
    fits(pattern, path)
