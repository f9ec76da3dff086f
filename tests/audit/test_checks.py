"""Commands as checks, and as what publishes."""

import pytest

from kotaci.audit.checks import check_of
from kotaci.audit.shell import parse_script


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("cargo test --workspace", "cargo test"),
        ("cargo +nightly --locked clippy", "cargo clippy"),
        ("time timeout 60 cargo nextest run --lib", "cargo nextest run"),
        ("cargo hack --each-feature check", "cargo check"),
        ("cargo llvm-cov --lcov", "cargo llvm-cov"),
        ("cargo llvm-cov report", ""),
        ("cargo miri nextest run", "cargo nextest run"),
        ("cross test", "cargo test"),
        ("cargo fmt --all -- --check", "cargo fmt --check"),
        ("cargo fmt", ""),
        ("cargo test --no-run", "cargo test --no-run"),
        ("cargo install cargo-audit", ""),
        ("cargo audit --version", ""),
        ("cargo nextest list", ""),
        ("cargo insta test --unreferenced reject", "cargo insta test"),
        ("cargo insta test --accept", ""),
        ("RUST_LOG=debug python3 -m pytest tests", "pytest"),
        ("uv run --locked pytest", "pytest"),
        ("npx eslint .", "eslint"),
        ("npm test", "npm test"),
        ("npm ci", ""),
        ("npm run lint:fix", "npm run lint:fix"),
        ("just ci", "just ci"),
        ("make release", ""),
        ("go test ./...", "go test"),
        ("ruff format --check .", "ruff format"),
        ("ruff format .", ""),
        ("black --check src", "black"),
        ("test -f x", ""),
        ("kill 5", ""),
    ],
)
def test_what_a_command_checks(text: str, name: str) -> None:
    found = check_of(parse_script(text).commands[0])
    assert (found.name if found else "") == name
