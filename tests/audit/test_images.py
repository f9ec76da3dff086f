"""Image recipes as instructions, and what they take."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kotaci.audit.images import copied, read_recipe, taking

RECIPE = """# syntax=docker/dockerfile:1
FROM rust AS build
COPY a b \\
  # said between
  c /to/
RUN <<END
COPY no text
END
FROM debian
copy ["one file", "other", "/"]
ADD https://example.org/x /x
"""


def test_instructions_have_stage_line_and_joined_words() -> None:
    found = [(one.word, one.stage, one.line) for one in read_recipe(RECIPE)]
    assert found == [("FROM", 0, 2), ("COPY", 0, 3), ("RUN", 0, 6), ("FROM", 1, 9), ("COPY", 1, 10), ("ADD", 1, 11)]
    taken = [copied(one) for one in read_recipe(RECIPE)]
    assert [one for one in taken if one] == [("a", "b", "c"), ("one file", "other")]


@pytest.mark.parametrize(
    ("source", "path", "fits"),
    [
        (".", "a/b", True),
        ("src/", "src/a.rs", True),
        ("src", "src2/a.rs", False),
        ("*.toml", "Cargo.toml", True),
        ("*.toml", "a/Cargo.toml", False),
        ("a/**/b", "a/x/y/b", True),
    ],
)
def test_what_a_source_takes(source: str, path: str, fits: bool) -> None:
    assert (taking(source).match(path) is not None) is fits


@given(st.text(alphabet=st.sampled_from("COPYFROMRUN ab./*?[]<\\\n\"'#$-={}"), max_size=120))
def test_no_recipe_breaks_it(text: str) -> None:
    for one in read_recipe(text):
        assert 1 <= one.line <= text.count("\n") + 1
        for source in copied(one):
            taking(source)
