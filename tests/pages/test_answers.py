"""The sentence that a report begins with, for stories whose answer the eye sees."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from kotaci.analysis.failures import assess_failures
from kotaci.facts import build_facts, read_history
from kotaci.pages.triage import TABLES, triage_answer
from kotaci.store import open_store
from tests.builders import AT, api_batch, write_all


@pytest.mark.parametrize(
    ("conclusions", "begins"),
    [
        ("P", "**Nothing is red.** No job failed in 1 run."),
        ("PF", "**1 failure fails now.** Start with "),
        ("FP", "**Nothing is known to fail now.** Most often it was "),
    ],
)
def test_the_answer_of_triage(conclusions: str, begins: str, tmp_path: Path) -> None:
    words = {"P": "success", "F": "failure"}
    with open_store(tmp_path / "store", create=True) as store:
        batches = (
            api_batch(number, at=AT + timedelta(hours=number), conclusion=words[letter], sha=f"{number:040x}")
            for number, letter in enumerate(conclusions, start=1)
        )
        write_all(store, *batches)
        build_facts(store)
        history = read_history(store, tables=TABLES)
    triage = assess_failures(history.tables, default_branch=history.default_branch, as_of=history.as_of)
    assert triage_answer(history, triage).markdown.startswith(begins)
