"""Parameters are read from source, never by running it, and checked before anything runs."""

from collections.abc import Callable
from pathlib import Path

import pytest

from kotaci.model import BadInput
from kotaci.report.runner import Notebook, Parameter, check_parameters, read_notebook, read_notebooks

SOURCE = """repo: str = "a/b"  # owner/name
n_runs: int = 30  # how many runs
share: float = 0.5
deep: bool = False  # look deeper
labels: list[str] = ["x"]  # which labels"""


@pytest.fixture
def notebook(write_notebook: Callable[..., Path]) -> Notebook:
    return read_notebook(write_notebook("health", [("title", "# Is CI well?\n\nprose"), ("p", SOURCE, "parameters")]))


def test_a_notebook_is_its_question_and_its_parameters(notebook: Notebook) -> None:
    assert (notebook.name, notebook.question) == ("health", "Is CI well?")
    assert notebook.parameters == (
        Parameter("repo", "str", "a/b", "owner/name"),
        Parameter("n_runs", "int", 30, "how many runs"),
        Parameter("share", "float", 0.5, ""),
        Parameter("deep", "bool", False, "look deeper"),
        Parameter("labels", "list[str]", ["x"], "which labels"),
    )


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("repo", "7", "7"),
        ("n_runs", "7", 7),
        ("share", "1e-3", 0.001),
        ("deep", "true", True),
        ("deep", "False", False),
        ("labels", "a, b", ["a", "b"]),
        ("labels", '["a,b", "c"]', ["a,b", "c"]),
        ("labels", "", []),
    ],
)
def test_words_become_the_declared_type(notebook: Notebook, name: str, text: str, value: object) -> None:
    assert check_parameters(notebook, {name: text}) == {name: value}


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("n_run", "7", "n_run: is not a parameter of health; did you mean n_runs?"),
        ("zzz", "7", "zzz: is not a parameter of health; there are repo, n_runs, share, deep, labels"),
        ("n_runs", "7.5", "n_runs=7.5: is not of type int; give one such as 30"),
        ("share", "nan", "share=nan: is not of type float; give one such as 0.5"),
        ("deep", "yes", "deep=yes: is not of type bool; use true or false"),
        ("labels", "[1]", 'labels=[1]: is not of type list[str]; write a,b or ["a", "b"]'),
        ("labels", "[", 'labels=[: is not of type list[str]; write a,b or ["a", "b"]'),
    ],
)
def test_other_words_are_refused(notebook: Notebook, name: str, text: str, said: str) -> None:
    with pytest.raises(BadInput) as refusal:
        check_parameters(notebook, {name: text})
    assert str(refusal.value) == said


@pytest.mark.parametrize("name", ["token", "GITHUB_TOKEN", "api_key", "my_password", "credentials", "pat"])
def test_secrets_are_refused_and_not_repeated(notebook: Notebook, name: str) -> None:
    with pytest.raises(BadInput, match="looks like a secret") as refusal:
        check_parameters(notebook, {name: "hunter2hunter2"})
    assert "hunter2" not in str(refusal.value)


@pytest.mark.parametrize(
    "secret",
    [
        "ghp_" + "a1B2" * 9,
        "glpat-" + "a1B2" * 5,
        "npm_" + "a1B2" * 9,
        "https://bot:" + "hunter22@git.example/x.git",
        "sk-ant-" + "a1B2" * 9,
    ],
)
def test_a_secret_under_a_good_name_is_refused(notebook: Notebook, secret: str) -> None:
    with pytest.raises(BadInput, match="looks like a secret") as refusal:
        check_parameters(notebook, {"repo": secret})
    assert secret not in str(refusal.value)


def test_a_word_that_is_no_text_is_no_secret(notebook: Notebook) -> None:
    assert check_parameters(notebook, {"repo": "caf\udce9"}) == {"repo": "caf\udce9"}


@pytest.mark.parametrize("name", ["path", "cache_key", "author", "pattern", "since"])
def test_words_that_only_resemble_secrets_are_names(write_notebook: Callable[..., Path], name: str) -> None:
    path = write_notebook("x", [("title", "# Why?"), ("p", f"{name}: str = 'a'", "parameters")])
    assert check_parameters(read_notebook(path), {name: "b"}) == {name: "b"}


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("n = 3", "has `n = 3` in its parameters cell"),
        ("n: int = 1 + 2", "computes `n: int = 1 \\+ 2`"),
        ("n: int = '3'", "has `n: int = '3'`"),
        ("n: dict = {}", "has `n: dict = {}`"),
        ("n: bool = 1", "has `n: bool = 1`"),
        ("import os", "has `import os`"),
        ("n: int =", "is not Python \\(line 1\\)"),
        ("token: str = ''", "declares the parameter token"),
    ],
)
def test_a_parameters_cell_holds_only_typed_literals(
    write_notebook: Callable[..., Path], source: str, said: str
) -> None:
    path = write_notebook("x", [("title", "# Why?"), ("p", source, "parameters")])
    with pytest.raises(BadInput, match=said):
        read_notebook(path)


def test_what_is_no_notebook_is_refused(tmp_path: Path, write_notebook: Callable[..., Path]) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        read_notebooks(tmp_path / "absent")
    with pytest.raises(BadInput, match="holds no notebook"):
        read_notebooks(tmp_path)
    for text in ("{", "[]", "{}", '{"cells": 3, "nbformat": 4, "nbformat_minor": 5, "metadata": {}}', "\x00"):
        (tmp_path / "broken.ipynb").write_text(text, encoding="utf-8")
        with pytest.raises(BadInput, match="is not a notebook"):
            read_notebooks(tmp_path)
    (tmp_path / "broken.ipynb").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput, match="is not a notebook"):
        read_notebooks(tmp_path)
    with pytest.raises(BadInput, match="has no title"):
        read_notebook(write_notebook("untitled", [("p", "n: int = 1", "parameters")]))
    with pytest.raises(BadInput, match="has 0 cells tagged `parameters`"):
        read_notebook(write_notebook("bare", [("title", "# Why?")]))
