"""The workspace as cargo sees it, and what a command selects of it."""

import pytest

from kotaci.archives.checkout import tree_of
from kotaci.audit.cargo import CargoCall, cargo_calls
from kotaci.audit.project import Project
from kotaci.audit.runs import read_recipes, read_roster
from kotaci.audit.targets import selected_packages, selects, workspaces

FILES = {
    "Cargo.toml": """
[workspace]
members = ["crates/*"]
exclude = ["crates/old"]
default-members = ["crates/core"]

[package]
name = "root"

[dependencies]
tool = { path = "tool" }

[[test]]
name = "renamed"
path = "tests/odd.rs"

[[test]]
name = "off"
test = false
""",
    "src/lib.rs": "",
    "src/main.rs": "",
    "src/bin/extra.rs": "",
    "src/bin/big/main.rs": "",
    "tests/odd.rs": "",
    "tests/off.rs": "",
    "tests/plain.rs": "",
    "tests/deep/main.rs": "",
    "tests/deep/part.rs": "",
    "crates/core/Cargo.toml": '[package]\nname = "core"\nautotests = false\n',
    "crates/core/tests/a.rs": "",
    "crates/old/Cargo.toml": '[package]\nname = "old"\n',
    "tool/Cargo.toml": """
[package]
name = "tool"

[features]
default = ["a"]
a = ["b", "dep:x"]
b = []
c = ["y?/z"]

[dependencies]
x = { version = "1", optional = true }
y = { version = "1", optional = true }
""",
    "tool/tests/t.rs": "",
}


def project_of(*commands: str, folder: str = ".") -> Project:
    """Return the repository above with one job that runs these commands."""
    steps = "".join(f"      - run: {command}\n        working-directory: {folder}\n" for command in commands)
    workflow = f"on: push\njobs:\n  test:\n    runs-on: ubuntu-latest\n    steps:\n{steps}"
    return Project(tree_of({**FILES, ".github/workflows/ci.yml": workflow}))


def call_of(command: str, *, folder: str = ".") -> tuple[Project, CargoCall]:
    """Return the repository and the command read."""
    project = project_of(command, folder=folder)
    return project, next(cargo_calls(project))


def test_members_and_targets_are_those_that_cargo_finds() -> None:
    found = {one.folder: one for one in workspaces(project_of())}
    assert [one.name for one in found[""].packages] == ["root", "core", "tool"]
    assert [one.name for one in found[""].default] == ["core"]
    assert [one.name for one in found["crates/old"].packages] == ["old"]
    root, core, _ = found[""].packages
    assert [one.name for one in root.of_kind("test")] == ["renamed", "deep", "plain"]
    assert {one.name for one in root.of_kind("bin")} == {"root", "extra", "big"}
    assert [one.name for one in root.of_kind("lib")] == ["root"]
    assert core.of_kind("test") == ()


@pytest.mark.parametrize(
    ("command", "folder", "packages"),
    [
        ("cargo test", ".", ["core"]),
        ("cargo test --workspace", ".", ["root", "core", "tool"]),
        ("cargo test --workspace --exclude root", ".", ["core", "tool"]),
        ("cargo test -p tool", ".", ["tool"]),
        ("cargo test -p 't*'", ".", ["tool"]),
        ("cargo test", "tool", ["tool"]),
        ("cargo test --manifest-path tool/Cargo.toml", ".", ["tool"]),
        ("cargo test", "crates/core/src", ["core"]),
        ("cargo test $OPTIONS", ".", None),
        ("cargo test --target ${{ matrix.target }}", "tool", ["tool"]),
        ("cd tool && cargo test", ".", None),
        ("cargo test", "${{ matrix.folder }}", None),
    ],
)
def test_which_packages_a_command_means(command: str, folder: str, packages: list[str] | None) -> None:
    project, call = call_of(command, folder=folder)
    found = selected_packages(workspaces(project), call)
    assert (found if found is None else [one.name for one in found[1]]) == packages


@pytest.mark.parametrize(
    ("command", "is_selected"),
    [
        ("cargo test", True),
        ("cargo test --tests", True),
        ("cargo test --lib", False),
        ("cargo test --doc", False),
        ("cargo test --test plain", False),
        ("cargo test --test deep", True),
        ("cargo nextest run --test 'd*'", True),
        ("cargo test --test ${{ matrix.test }}", True),
        ("cargo test some_name", True),
    ],
)
def test_which_targets_a_command_runs(command: str, is_selected: bool) -> None:
    project, call = call_of(command)
    target = next(one for one in workspaces(project)[0].packages[0].of_kind("test") if one.name == "deep")
    assert selects(call, target) is is_selected


@pytest.mark.parametrize(
    ("command", "features"),
    [
        ("cargo test", {"default", "a", "b", "x"}),
        ("cargo test --no-default-features", set()),
        ("cargo test --no-default-features -F tool/b", {"b"}),
        ("cargo test --no-default-features --features c", {"c", "y"}),
        ("cargo test --all-features", {"default", "a", "b", "c", "y"}),
    ],
)
def test_what_a_feature_turns_on(command: str, features: set[str]) -> None:
    project, call = call_of(command)
    tool = next(one for one in workspaces(project)[0].packages if one.name == "tool")
    assert tool.enabled(call) == features


@pytest.mark.parametrize(
    ("command", "is_whole"),
    [
        ("cargo test", True),
        ("cargo xtask test", False),
        ("cargo run -p ci -- all", False),
        ("cargo run --bin server", True),
        ("cargo special test", False),
        ("./ci/missing-tests.sh", False),
        ("python3 tools/test_all.py", False),
        ("docker run app cargo test", False),
        ("echo cargo test", True),
        ("nix build", False),
    ],
)
def test_what_may_run_tests_unseen(command: str, is_whole: bool) -> None:
    assert read_roster(project_of(command)).is_whole is is_whole


def test_recipes_say_what_they_need_and_run() -> None:
    text = "flags := '-q'\n\ntest name='x': build\n    @cargo test {{name}}\n\nbuild:\n    cargo build\n"
    assert read_recipes(text) == {"test": (("build",), "cargo test ${name}\n"), "build": ((), "cargo build\n")}
