"""The desk: what it offers, and that each choice shows what the notebook's own functions give for it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kotaci import lab
from kotaci.facts import read_history
from kotaci.lab.exploring import Explorer
from kotaci.lab.picking import PAGES, Desk
from kotaci.model import BadInput
from kotaci.report.blocks import Block
from kotaci.store import open_store
from tests.builders import api_batch, write_all

CI = ".github/workflows/ci.yml"


def desk(store: Path, *, shows: str = "failure_triage", **asked: str) -> Desk:
    words = {"store": str(store), "repo": "", "since": "90d", "until": "", "config": "", **asked}
    return Desk(**words, shows=shows)


def shown(made: Desk) -> str:
    return "\n".join(output["data"]["text/markdown"] for output in made.output.outputs)


@pytest.fixture(scope="module")
def of_sample(sample: Path) -> Desk:
    return desk(sample)


def test_it_opens_with_what_the_notebook_shows(of_sample: Desk) -> None:
    assert of_sample.repo.options == ("example/kvstore",)
    assert (of_sample.repo.value, of_sample.workflow.value, of_sample.branch.value) == ("example/kvstore", "", "")
    assert of_sample.since.value == "90d"
    assert "the bundled sample" in shown(of_sample)
    assert "**Nothing that must pass fails for good" in shown(of_sample)
    assert "runs failed" in shown(of_sample)
    assert of_sample.said.value == ""


def test_a_workflow_and_a_branch_narrow_what_is_shown_and_explored(of_sample: Desk) -> None:
    explored = Explorer()
    of_sample.tell(explored.show)
    whole = len(explored.list.options)
    of_sample.workflow.value = CI
    assert 0 < len(explored.list.options) < whole
    assert all("ci.yml / " in label for label, _ in explored.list.options)
    branch = of_sample.branch.options[1][1]
    of_sample.branch.value = branch
    assert of_sample.chosen is not None
    assert set(of_sample.chosen.part["runs"]["branch"]) == {branch}
    of_sample.workflow.value = ""
    of_sample.branch.value = ""
    assert len(explored.list.options) == whole


def test_another_window_is_read_anew(sample: Path) -> None:
    made = desk(sample)
    made.since.value = "30d"
    assert made.chosen is not None
    assert len(made.chosen.history["runs"]) == len(read_history(sample, since="30d")["runs"])
    assert "30 days" in shown(made)


def test_health_of_a_part(sample: Path) -> None:
    made = desk(sample, shows="ci_health")
    whole = shown(made)
    made.workflow.value = CI
    assert "ci.yml" in shown(made)
    assert "runs failed" in shown(made)
    assert shown(made) != whole


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """A store of two repositories."""
    store = open_store(tmp_path / "store", create=True)
    write_all(store, api_batch(conclusion="failure"), api_batch(7, repo="example/other"))
    return store.path


def test_another_repository(two: Path) -> None:
    made = desk(two, repo="Example/KVstore")
    assert made.repo.options == ("example/kvstore", "example/other")
    assert made.repo.value == "example/kvstore"
    explored = lab.explorer(made)
    assert len(explored.list.options) == 1
    assert "index::grows ... FAILED" in explored.log.pane.value
    made.repo.value = "example/other"
    assert "Nothing is red" in shown(made)
    assert explored.list.options == ()
    assert explored.log.pane.value == ""


def test_it_opens_with_the_repository_of_the_notebook(two: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOTACI_REPO", "example/other")
    assert desk(two).repo.value == "example/other"
    assert desk(two, repo="example/kvstore").repo.value == "example/kvstore"


def test_an_empty_store_says_what_to_do_and_stays_usable(tmp_path: Path) -> None:
    open_store(tmp_path / "store", create=True).close()
    made = desk(tmp_path / "store")
    assert "holds no repository yet; fetch one below" in made.said.value
    explored = lab.explorer(made)
    assert explored.list.options == ()
    store = open_store(tmp_path / "store")
    write_all(store, api_batch(conclusion="failure"))
    made.fetch._on_done("example/kvstore")
    assert made.repo.value == "example/kvstore"
    assert len(explored.list.options) == 1


def test_a_wrong_word_is_a_sentence(two: Path) -> None:
    made = desk(two, until="yesterday")
    assert "yesterday" in made.said.value
    assert 'role="alert"' in made.said.value
    with pytest.raises(BadInput, match="is no page for a desk; choose from failure_triage, ci_health"):
        desk(two, shows="nothing")


def test_without_ipywidgets_a_sentence_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, sample: Path) -> None:
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    made = lab.desk(store=str(sample), repo="", since="90d", until="", config="")
    assert isinstance(made, Block)
    assert "pip install" in made.markdown
    assert isinstance(lab.explorer(made), Block)


def test_the_pages_are_notebooks() -> None:
    assert set(PAGES) <= {path.stem for path in (Path(__file__).parents[2] / "notebooks").glob("*.ipynb")}
