"""The contract of every notebook, read from the files; that they run is tested with the sample."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest

from kotaci.report.parameters import read_notebook

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))
FORBIDDEN = (
    ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.For, ast.While, ast.Try, ast.With, ast.Lambda,
)  # fmt: skip


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def node(request: pytest.FixtureRequest) -> Any:
    return nbformat.read(request.param, as_version=4)


def code_cells(node: Any) -> list[Any]:
    return [cell for cell in node.cells if cell.cell_type == "code"]


def test_there_are_notebooks() -> None:
    assert {path.stem for path in NOTEBOOKS} >= {
        "ci_health",
        "failure_triage",
        "flaky_tests",
        "cache_analysis",
        "build_time",
        "workflow_audit",
    }


def test_title_is_a_question_and_parameters_come_second(node: Any) -> None:
    assert (node.nbformat, node.nbformat_minor) >= (4, 5)
    assert re.fullmatch(r"# .*\?", node.cells[0].source.splitlines()[0])
    assert node.cells[1].metadata.tags == ["parameters"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_parameters_are_typed_literal_and_explained(path: Path) -> None:
    notebook = read_notebook(path)
    assert {"store", "repo", "since", "until"} <= {parameter.name for parameter in notebook.parameters}
    assert all(parameter.help for parameter in notebook.parameters)


def test_committed_without_outputs(node: Any) -> None:
    assert all(not cell.outputs and cell.execution_count is None for cell in code_cells(node))
    assert "papermill" not in node.metadata


def test_cell_ids_are_readable_and_stable(node: Any) -> None:
    ids = [cell.id for cell in node.cells]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z][a-z0-9-]+", cell_id) for cell_id in ids)


def test_cells_hold_no_logic(node: Any) -> None:
    for cell in code_cells(node):
        assert len(cell.source.splitlines()) <= 8, cell.id
        assert not any(isinstance(part, FORBIDDEN) for part in ast.walk(ast.parse(cell.source))), cell.id


def test_imports_only_kotaci(node: Any) -> None:
    for cell in code_cells(node):
        for part in ast.walk(ast.parse(cell.source)):
            if isinstance(part, ast.ImportFrom):
                assert (part.module or "").split(".")[0] == "kotaci", cell.id
            assert not isinstance(part, ast.Import), cell.id


def test_answer_data_and_actions_in_order(node: Any) -> None:
    ids = [cell.id for cell in node.cells]
    assert ids.index("answer") < ids.index("actions") < ids.index("data")
