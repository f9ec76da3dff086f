"""Patterns of paths, by the examples of GitHub's cheat sheet."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kotaci.audit.globs import fits


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
def test_patterns(pattern, path, is_fit) -> None:
    assert fits(pattern, path) is is_fit


@given(st.text(alphabet="ab/*?+[]!\\-^(", max_size=14), st.text(alphabet="ab/", max_size=20))
def test_no_pattern_breaks_it(pattern, path) -> None:
    fits(pattern, path)
