"""A folder such as `kotaci report` writes, with findings of a test's own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import nbformat

from kotaci.model import Certainty, Finding, Link, Price, Severity
from kotaci.report import words
from kotaci.report.blocks import ANSWER_MIME, PAGE_MIME
from kotaci.report.digest import INCOMPLETE
from kotaci.report.folder import ReportFolder, read_report

REPO = "example/generated"
NIGHT = "20 Nov 2026, 14:28 UTC"
LATER = "21 Nov 2026, 14:28 UTC"


def run_link(run_id: int) -> Link:
    """Return evidence of one run."""
    return Link(f"run {run_id}", f"https://github.com/{REPO}/actions/runs/{run_id}")


def finding(kind: str = "flaky-test", subject: str = "store reopens", *, run_id: int = 7, **changed: Any) -> Finding:
    """Return a finding of high severity, with the evidence of one run."""
    told: dict[str, Any] = {
        "id": f"{kind}:{subject}", "kind": kind, "subject": subject, "claim": "failed 6 of the 88 times that it ran",
        "verdict": "flaky", "certainty": Certainty.PROVED, "severity": Severity.HIGH, "n": 88, "method": "counted",
        "remedy": "Find what differs.", "price": Price(minutes=44.3, basis="measured"), "workflow": "ci.yml",
        "evidence": (run_link(run_id),),
    }  # fmt: skip
    return Finding(**{**told, **changed})


def red_now(workflow: str = "ci.yml", *, run_id: int = 9, **changed: Any) -> Finding:
    """Return the finding of a workflow that is red on main."""
    claim = "has been red on main since 12 Nov 2026 (8 days, 3 failed runs and none that passed)"
    return finding(
        "red-now", workflow, run_id=run_id, workflow=workflow, **{"claim": claim, "verdict": "red now", **changed}
    )


def write_report(
    folder: Path,
    parts: Mapping[str, Sequence[Finding]],
    *,
    repo: str = REPO,
    as_of: str = NIGHT,
    second: int = 0,
    scope: str = "all branches and events",
    incomplete: Sequence[str] = (),
    answer: str = "**34 of 137 runs failed**.",
    figures: Sequence[str] = ("**25 %** of 137 runs failed [18, 33]",),
) -> ReportFolder:
    """Write a report and read it back."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    page = {"repo": repo, "scope": scope, "window": f"30 days to {as_of}", "as_of": as_of, "version": "1"}
    page["moment"] = words.moment(datetime.strptime(as_of, "%d %b %Y, %H:%M UTC")) if as_of else ""  # noqa: DTZ007
    page["moment"] = page["moment"].replace(":00Z", f":{second:02}Z")
    for name, found in parts.items():
        output = nbformat.v4.new_output("display_data", {PAGE_MIME: page, ANSWER_MIME: {"markdown": answer}})
        cell = nbformat.v4.new_code_cell(outputs=[output], id="answer")
        (folder / f"{name}.ipynb").write_text(nbformat.writes(nbformat.v4.new_notebook(cells=[cell])), "utf-8")
        warning = f"{INCOMPLETE} cell 3\n\n" if name in incomplete else ""
        shown = "\n".join(f"- {figure}" for figure in figures)
        text = f"{warning}# Question of {name}?\n\n{repo}\n\n{answer}\n\n{shown}\n\n## More\n\n- **no** figure\n"
        (folder / f"{name}.md").write_text(text, "utf-8")
        (folder / f"{name}.findings.json").write_text(json.dumps([one.to_json() for one in found]), "utf-8")
    merged = {one.id: one.to_json() for found in parts.values() for one in found}
    (folder / "findings.json").write_text(json.dumps(list(merged.values())), "utf-8")
    return read_report(folder)
