"""Small real notebooks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

Cells = list[tuple[str, ...]]


@pytest.fixture
def write_notebook(tmp_path: Path) -> Callable[..., Path]:
    """Return a writer of a notebook from (id, source, *tags); a source that begins with # and a blank is Markdown."""

    def write(name: str, cells: Cells, *, folder: Path = tmp_path / "notebooks") -> Path:
        node = nbformat.v4.new_notebook()
        for cell_id, source, *tags in cells:
            is_prose = source.startswith("#") and not tags
            new = nbformat.v4.new_markdown_cell if is_prose else nbformat.v4.new_code_cell
            cell = new(source, id=cell_id)
            if tags:
                cell.metadata["tags"] = tags
            node.cells.append(cell)
        folder.mkdir(exist_ok=True)
        path = folder / f"{name}.ipynb"
        nbformat.write(node, path)
        return path

    return write
