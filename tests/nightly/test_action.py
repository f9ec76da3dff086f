"""The action does what the workflow does: the same steps, the same pins, and nothing of a stranger's in its scripts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kotaci.workflows.nodes import read_tree, to_plain

ROOT = Path(__file__).parent.parent.parent


def read(path: str) -> dict[str, Any]:
    tree, problems = read_tree((ROOT / path).read_text("utf-8"))
    assert problems == []
    read: dict[str, Any] = to_plain(tree)
    return read


WORKFLOW, ACTION = read(".github/workflows/ci-report.yml"), read("action.yml")
STEPS = [step for job in WORKFLOW["jobs"].values() for step in job["steps"]]
OURS = ACTION["runs"]["steps"]


def test_the_scripts_are_the_same_but_for_what_is_installed() -> None:
    scripts = {step["name"]: step["run"] for step in STEPS if "run" in step}
    assert {step["name"]: step["run"] for step in OURS if "run" in step and step["name"] != "Install kotaci"} == {
        name: script for name, script in scripts.items() if name != "Install kotaci"
    }
    (install,) = (step["run"] for step in OURS if step.get("name") == "Install kotaci")
    assert install.endswith('-- "$GITHUB_ACTION_PATH"')


def test_the_pins_are_the_same() -> None:
    assert {step["uses"] for step in OURS if "uses" in step} < {step["uses"] for step in STEPS if "uses" in step}


@pytest.mark.parametrize("step", [*STEPS, *OURS], ids=lambda step: step.get("name") or step["uses"].partition("@")[0])
def test_no_expression_in_a_script(step: dict[str, Any]) -> None:
    assert "${{" not in step.get("run", "")


def test_scripts_of_the_action_are_strict_and_its_inputs_told() -> None:
    # `shell: bash` is GitHub's `bash --noprofile --norc -eo pipefail`.
    assert {step["shell"] for step in OURS if "run" in step} == {"bash"}
    assert WORKFLOW["defaults"]["run"]["shell"] == "bash"
    assert all(told["description"] for told in ACTION["inputs"].values())
    text = (ROOT / "action.yml").read_text("utf-8")
    assert all(f"inputs.{name}" in text for name in ACTION["inputs"])


def test_each_job_may_no_more_than_it_must() -> None:
    assert WORKFLOW["permissions"] == {}
    assert {name: job["permissions"] for name, job in WORKFLOW["jobs"].items()} == {
        "report": {"actions": "read", "checks": "read", "contents": "read"},
        "publish": {"contents": "read", "issues": "write"},
        "tidy": {"actions": "write"},
    }
