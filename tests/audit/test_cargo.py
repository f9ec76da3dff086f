"""Cargo's command lines: what is built, how, and what for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kotaci.archives.checkout import tree_of
from kotaci.audit import Project
from kotaci.audit.cargo import Work, calls_of, cargo_calls, is_in_branch

PATH = ".github/workflows/ci.yml"


def call_of(script, *, env="", files=None):
    """Return the first call of cargo in a script of one step."""
    lines = "\n".join(f"          {line}" for line in script.splitlines())
    text = f"on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: |\n{lines}\n{env}"
    return next(cargo_calls(Project(tree_of({PATH: text, **(files or {})}))), None)


@pytest.mark.parametrize(
    ("script", "work", "verb"),
    [
        ("cargo build", Work.BUILD, "build"),
        ("cargo b -r", Work.BUILD, "build"),
        ("cargo +nightly clippy -- -D warnings", Work.LINT, "clippy"),
        ("time cargo nextest run --lib", Work.TEST, "nextest run"),
        ("timeout 300 cargo t", Work.TEST, "test"),
        ("sudo -E env A=1 cargo bench", Work.BENCH, "bench"),
        ("rustup run nightly cargo doc", Work.DOC, "doc"),
        ("cargo llvm-cov nextest --lcov", Work.TEST, "llvm-cov nextest"),
        ("cargo llvm-cov report", Work.OTHER, "llvm-cov report"),
        ("cargo hack --feature-powerset check", Work.CHECK, "hack check"),
        ("cargo hack test --each-feature", Work.TEST, "hack test"),
        ("cargo miri nextest run", Work.TEST, "miri nextest run"),
        ("cross build --target x", Work.BUILD, "build"),
        ("${{ env.CARGO }} test", Work.TEST, "test"),
        ("cargo -q --locked doc", Work.DOC, "doc"),
        ("cargo fmt --all --check", Work.FORMAT, "fmt"),
        ("cargo audit", Work.OTHER, "audit"),
        ("/root/.cargo/bin/cargo clean", Work.CLEAN, "clean"),
    ],
)
def test_the_work_is_known(script, work, verb) -> None:
    call = call_of(script)
    assert (call.work, call.verb) == (work, verb)


@pytest.mark.parametrize(
    "script", ["echo cargo build", "cargo", "cargo --version", "rustup update", "sudo apt install cargo make"]
)
def test_other_programs_are_none(script) -> None:
    assert call_of(script) is None


def test_options_are_read() -> None:
    call = call_of(
        "cargo +1.85 test -p a --package=b -F x,y --features 'z w' --no-default-features --lib --test it --locked "
        "name --target wasm32-wasip1 --profile ci --manifest-path sub/Cargo.toml -- --ignored --test-threads 1"
    )
    assert call.toolchain == "1.85"
    assert call.packages == ("a", "b")
    assert call.features == frozenset("xyzw")
    assert not call.has_default_features
    assert call.selected == ("--lib", "--test it")
    assert (call.profile, call.target, call.manifest) == ("ci", "wasm32-wasip1", "sub/Cargo.toml")
    assert call.names == ("name",)
    assert call.rest == ("--ignored", "--test-threads", "1")
    assert call.runs_tests


def test_the_profile_of_nextest_is_not_cargos() -> None:
    assert call_of("cargo nextest run --profile ci").profile == "test"
    assert call_of("cargo nextest run --cargo-profile fast").profile == "fast"
    assert call_of("cargo build").profile == "dev"
    assert call_of("cargo bench").profile == "bench"


def test_variables_of_the_script_are_filled_in_and_others_stay_open() -> None:
    call = call_of('F="a,b"\ncargo build --features "$F" --target ${{ matrix.t }} $FLAGS')
    assert call.features == frozenset("ab")
    assert call.open_words == ("${{ matrix.t }}", "$FLAGS")
    assert call_of('F="a"\nF="b"\ncargo build --features "$F"').open_words == ("$F",)


def test_a_leg_fills_in_its_values() -> None:
    text = """on: push
jobs:
  a:
    runs-on: ubuntu-latest
    strategy:
      matrix:
        f: ["", "--features x"]
    steps:
      - run: cargo test ${{ matrix.f }}
"""
    project = Project(tree_of({PATH: text}))
    (place,) = project.places
    found = [next(calls_of(project, place, leg=leg)) for leg in place.job.legs]
    assert [sorted(call.features) for call in found] == [[], ["x"]]
    assert not any(call.open_words for call in found)


def test_an_alias_is_written_out() -> None:
    call = call_of("cargo xt --lib", files={".cargo/config.toml": "[alias]\nxt = 'test --all-features'\n"})
    assert call.verbs == ("test",)
    assert call.has_all_features
    assert call.selected == ("--lib",)


def test_equal_builds_are_equal_and_flags_tell_them_apart() -> None:
    assert call_of("cargo build --features a,b").build == call_of("cargo build -F b -F a -q").build
    assert call_of("cargo build").build != call_of("cargo build --release").build
    assert call_of("RUSTFLAGS=-g cargo build").build != call_of("cargo build").build


@pytest.mark.parametrize(
    ("script", "is_in"),
    [
        ("cargo build", False),
        ("if x; then\n  cargo build\nfi", True),
        ("if x; then y; fi", None),
        ("if x; then cargo build; fi", True),
        ("case $x in\n  a) y ;;\nesac\ncargo build", False),
        ("if x; then\n  y\nfi\nfor z in 1 2; do\n  cargo build\ndone", False),
    ],
)
def test_branches_of_a_script(script, is_in) -> None:
    call = call_of(script)
    assert (None if call is None else is_in_branch(call.place, call.command)) is is_in


@given(st.lists(st.text(st.characters(codec="ascii", exclude_characters="\r\n\0"), max_size=12), max_size=8))
def test_no_command_line_is_too_strange(words) -> None:
    call = call_of("cargo build " + " ".join(words))
    assert call is None or call.verbs
