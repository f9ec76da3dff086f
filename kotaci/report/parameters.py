"""Notebooks before they run: their question, and their parameters read from source, typed and checked."""

from __future__ import annotations

import ast
import difflib
import io
import json
import math
import re
import tokenize
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

from kotaci.model import BadInput
from kotaci.redaction import redact

SECRET_NAME = re.compile(
    r"token|secret|passw|passphrase|credential|api_?key|access_?key|private_?key|(^|_)(pat|auth|bearer|cookie)(_|$)",
    re.IGNORECASE,
)
"""Names of what must come from the environment and be seen nowhere."""

_HOLDS = "keep one line a parameter: `name: type = value  # help`, with str, int, float, bool or list[str]"
_WORDS_OF_TRUTH = {"true": True, "True": True, "false": False, "False": False}

Value = str | int | float | bool | list[str]


@dataclass(frozen=True)
class Parameter:
    """One line of the parameters cell; `type` is str, int, float, bool or list[str]."""

    name: str
    type: str
    default: Value
    help: str


@dataclass(frozen=True)
class Notebook:
    """A notebook as it lies on disk: `name` without the ending, and the question that is its title."""

    name: str
    path: Path
    question: str
    parameters: tuple[Parameter, ...]


def read_notebooks(folder: Path) -> list[Notebook]:
    """Return the notebooks of a folder by name. Raises BadInput for none, or one that breaks the contract."""
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".ipynb")
    except OSError as error:
        raise BadInput(folder, f"cannot be read ({error.strerror})", "name a folder with notebooks") from None
    if not paths:
        raise BadInput(folder, "holds no notebook", "name a folder with .ipynb files")
    return [read_notebook(path) for path in paths]


def read_notebook(path: Path) -> Notebook:
    """Return one notebook. Raises BadInput where it is none, or has no question or parameters cell."""
    node = read_node(path)
    heads = (cell.source.strip().splitlines() for cell in node.cells if cell.cell_type == "markdown")
    titles = [lines[0][2:].strip() for lines in heads if lines and lines[0].startswith("# ")]
    if not titles:
        raise BadInput(path, "has no title", "begin with a Markdown cell `# A question?`")
    tagged = [cell for cell in node.cells if "parameters" in cell.metadata.get("tags", [])]
    if len(tagged) != 1:
        raise BadInput(path, f"has {len(tagged)} cells tagged `parameters`", "tag exactly one code cell `parameters`")
    return Notebook(
        name=path.stem, path=path, question=titles[0], parameters=parse_parameters(tagged[0].source, path=path)
    )


def read_node(path: Path) -> Any:
    """Return the notebook's content as nbformat has it. Raises BadInput where it is not a notebook."""
    try:
        node = nbformat.reads(path.read_text("utf-8"), as_version=4)  # type: ignore[no-untyped-call]
        nbformat.validate(node)
    except OSError as error:
        raise BadInput(path, f"cannot be read ({error.strerror})", "name a notebook file") from None
    except (ValueError, AttributeError, KeyError, TypeError, nbformat.ValidationError):
        raise BadInput(path, "is not a notebook", "save it again from JupyterLab, as .ipynb") from None
    return node


def parse_parameters(source: str, *, path: Path) -> tuple[Parameter, ...]:
    """Return the parameters of the cell's source. Raises BadInput for a line that is not `name: type = literal`."""
    try:
        statements = ast.parse(source).body
        comments = {
            token.start[0]: token.string.lstrip("# ").strip()
            for token in tokenize.generate_tokens(io.StringIO(source).readline)
            if token.type == tokenize.COMMENT
        }
    except SyntaxError as error:
        raise BadInput(path, f"has a parameters cell that is not Python (line {error.lineno})", _HOLDS) from None
    return tuple(
        _parameter(statement, comments.get(statement.end_lineno or statement.lineno, ""), path=path)
        for statement in statements
    )


def _parameter(statement: ast.stmt, comment: str, *, path: Path) -> Parameter:
    line = ast.unparse(statement)
    if not (
        isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name) and statement.value is not None
    ):
        raise BadInput(path, f"has `{line}` in its parameters cell", _HOLDS)
    name, declared = statement.target.id, ast.unparse(statement.annotation)
    if SECRET_NAME.search(name):
        raise BadInput(path, f"declares the parameter {name}", "secrets come from the environment only")
    try:
        default = ast.literal_eval(statement.value)
    except ValueError:
        raise BadInput(path, f"computes `{line}` in its parameters cell", _HOLDS) from None
    if not _is_of(default, declared):
        raise BadInput(path, f"has `{line}` in its parameters cell", _HOLDS)
    return Parameter(name=name, type=declared, default=default, help=comment)


def _is_of(value: object, declared: str) -> bool:
    if declared == "list[str]":
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    return type(value).__name__ == declared and declared in _READERS


def check_parameters(notebook: Notebook, given: Mapping[str, str]) -> dict[str, Value]:
    """Return the given words as values of the declared types.

    Raises BadInput for a name that the notebook does not have, a word of another type, or a secret.
    """
    known = {parameter.name: parameter for parameter in notebook.parameters}
    checked: dict[str, Value] = {}
    for name, text in given.items():
        refuse_secret(name, text)
        if name not in known:
            raise unknown_parameter(name, known=known, of=f"of {notebook.name}")
        checked[name] = to_value(text, known[name])
    return checked


def refuse_secret(name: str, text: str) -> None:
    """Raise BadInput, which does not repeat the text, where a name or its text looks like a secret."""
    _, n_secrets = redact(text.encode("utf-8", "replace"))
    if SECRET_NAME.search(name) or n_secrets:
        raise BadInput(name, "looks like a secret", "set it in the environment; parameters are written into reports")


def unknown_parameter(name: str, *, known: Mapping[str, object], of: str) -> BadInput:
    """Return the refusal of a name that is none of the known ones, with the nearest of them."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known) or 'none'}"
    return BadInput(name, f"is not a parameter {of}", hint)


def to_value(text: str, parameter: Parameter) -> Value:
    """Return the text as the parameter's type. Raises BadInput."""
    try:
        return _READERS[parameter.type](text)
    except ValueError:
        hint = {"bool": "use true or false", "list[str]": 'write a,b or ["a", "b"]'}.get(
            parameter.type, f"give one such as {parameter.default}"
        )
        raise BadInput(f"{parameter.name}={text}", f"is not of type {parameter.type}", hint) from None


def _read_bool(text: str) -> bool:
    if text.strip() not in _WORDS_OF_TRUTH:
        raise ValueError
    return _WORDS_OF_TRUTH[text.strip()]


def _read_float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError
    return value


def _read_list(text: str) -> list[str]:
    if not text.strip().startswith("["):
        return [item.strip() for item in text.split(",") if item.strip()]
    items = json.loads(text)
    if not all(isinstance(item, str) for item in items):
        raise ValueError
    return list(items)


_READERS: Mapping[str, Callable[[str], Value]] = {
    "str": str,
    "int": int,
    "float": _read_float,
    "bool": _read_bool,
    "list[str]": _read_list,
}
