"""An executed notebook, read: its answer, its findings, what it is about, and its outputs as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from kotaci.model import Finding
from kotaci.report import markdown as md
from kotaci.report.blocks import ANSWER_MIME, FINDINGS_MIME, PAGE_MIME

CONTRACT_CELLS = ("answer", "data", "actions")
"""Cells that every notebook has, and that a digest keeps longest."""

INCOMPLETE = "> **This report is not complete.**"
"""How a digest begins whose notebook did not run to its end."""

_PART_BUDGET = 6_000
_ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")


def to_findings(node: Any) -> list[Finding]:
    """Return the findings that the notebook showed, each once, in the order shown."""
    shown = [Finding.from_json(data) for bundle in _of(node, FINDINGS_MIME) for data in bundle]
    return list({finding.id: finding for finding in shown}.values())


def to_answer(node: Any) -> dict[str, str]:
    """Return the answer as `markdown`, `html` and `tone`; empty words where the notebook gave none."""
    return next(iter(_of(node, ANSWER_MIME)), {"markdown": "", "html": "", "tone": "calm"})


def to_page(node: Any) -> dict[str, str]:
    """Return what the report is about (repo, scope, window, as_of, version); nothing where it did not say."""
    return next(iter(_of(node, PAGE_MIME)), {})


def to_digest(node: Any, *, error: str) -> str:
    """Return the outputs as Markdown that fits a comment on GitHub: all, then shortened, then what matters most."""
    warning = f"{INCOMPLETE} {md.escape_text(error)}\n\n" if error else ""
    parts = list(_parts(node))

    def rendered(kept: list[tuple[str, str]]) -> str:
        return warning + "\n\n".join(text for _, text in kept) + "\n"

    def rungs() -> Iterator[str]:
        yield rendered(parts)
        yield rendered([(cell, md.cut(text, _PART_BUDGET)) for cell, text in parts])
        kept = [(cell, text) for cell, text in parts if cell in CONTRACT_CELLS or text.startswith("# ")]
        yield rendered([(cell, md.cut(text, _PART_BUDGET)) for cell, text in kept])

    return md.fit(rungs(), md.COMMENT_BUDGET)


def _of(node: Any, mime: str) -> Iterator[Any]:
    for cell in node.cells:
        for output in cell.get("outputs", []):
            if mime in output.get("data", {}):
                yield output["data"][mime]


def _parts(node: Any) -> Iterator[tuple[str, str]]:
    """Yield (cell id, Markdown) for prose and for each output; chatter on stderr and tracebacks are left out."""
    for cell in node.cells:
        if cell.cell_type == "markdown":
            yield cell.get("id", ""), cell.source.strip()
        for output in cell.get("outputs", []):
            text = _output_markdown(output)
            if text:
                yield cell.get("id", ""), text


def _output_markdown(output: Any) -> str:
    data = output.get("data", {})
    if "text/markdown" in data:
        return str(data["text/markdown"]).strip()
    if "text/plain" in data:
        return md.fence(_ANSI.sub("", data["text/plain"]))
    if output.output_type == "stream" and output.name == "stdout":
        return md.fence(_ANSI.sub("", output.text.rstrip()))
    return ""
