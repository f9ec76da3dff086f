"""Our own workflows are clean under the linters that we recommend, and do what the README says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from kotaci.archives.checkout import Tree, read_checkout
from kotaci.audit import audit
from kotaci.cli.auditing import audit_command

ROOT = Path(__file__).parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TOOLS = Path(sys.executable).parent


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(word) for word in words], cwd=ROOT, capture_output=True, text=True, check=False)


def test_actionlint() -> None:
    done = run(TOOLS / "actionlint", "-shellcheck", TOOLS / "shellcheck", *WORKFLOWS)
    assert (done.returncode, done.stdout) == (0, "")


def test_zizmor() -> None:
    done = run(TOOLS / "zizmor", "--offline", "--no-progress", *WORKFLOWS, "action.yml")
    assert done.returncode == 0, done.stdout


def test_audit() -> None:
    tree = read_checkout(ROOT)
    # The stand-ins of the nightly test are no actions of ours, and what is not CI's is read by nobody.
    ours = frozenset(path for path in tree.paths if not path.startswith(("tests/", "kotaci/")))
    found = audit(Tree(ours, tree.read)).marks
    assert [(mark.path, mark.line, mark.rule, mark.claim) for mark in found] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_and_jobs_limited(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    used = re.findall(r"uses: (\S+)", text)
    assert used
    assert all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action) for action in used)
    assert text.count("timeout-minutes:") == text.count("runs-on:")


def test_ci_calls_the_test_command_of_the_readme() -> None:
    assert "make test" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert (ROOT / ".ci" / "run").read_text(encoding="utf-8").rstrip().endswith("make test")
    assert "run: .ci/run" in (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")


def test_the_hook_calls_the_audit_for_the_files_that_it_reads() -> None:
    text = (ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")
    (hook,) = YAML(typ="safe").load(text)
    assert (hook["id"], hook["entry"], hook["pass_filenames"]) == ("kotaci-audit", "kotaci audit", False)
    for path in (
        ".github/workflows/ci.yml",
        "action.yml",
        "crates/a/Cargo.toml",
        "tests/it.rs",
        ".config/nextest.toml",
    ):
        assert re.search(hook["files"], path)
    assert not re.search(hook["files"], "src/lib.rs")
    options = {option for parameter in audit_command.params for option in parameter.opts}
    assert set(hook["args"]) - {"medium"} <= options
