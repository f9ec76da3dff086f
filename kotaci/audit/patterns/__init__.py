"""Workflows to copy from, each of which the audit passes: CI, a matrix, Rust caching, benchmarks with their alert.

They expect a Cargo.lock, a toolchain named in rust-toolchain.toml, and a profile `ci` that writes JUnit XML in
.config/nextest.toml.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files


def read_patterns() -> Mapping[str, str]:
    """Return the text of each by its file name, in the order of the alphabet."""
    found = {
        one.name: one.read_text(encoding="utf-8") for one in files(__name__).iterdir() if one.name.endswith(".yml")
    }
    return dict(sorted(found.items()))
