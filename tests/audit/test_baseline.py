"""The baseline: only what is new counts, what is gone is told, and the file reads well."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kotaci.archives.checkout import tree_of
from kotaci.audit import Mark, audit
from kotaci.audit.baseline import known_of, parse_baseline, split_known, to_text
from kotaci.model import BadInput

CI = ".github/workflows/ci.yml"
HEAD = "on: push\njobs:\n"
JOB = "  {name}:\n    runs-on: ubuntu-24.04\n    steps:\n      - run: cargo test\n"
RULE = "job-without-timeout"

marks = st.lists(
    st.builds(
        Mark,
        path=st.sampled_from(["a.yml", "b.yml"]),
        line=st.integers(1, 9),
        subject=st.sampled_from(["job a", "job “ä”"]),
        claim=st.sampled_from(["is so", "is not so"]),
        rule=st.sampled_from(["one", "two"]),
    ),
    max_size=8,
)


def test_only_what_is_new_counts_and_what_is_gone_is_told() -> None:
    before = audit(tree_of({CI: HEAD + JOB.format(name="old") + JOB.format(name="test")}), rules=[RULE])
    text = "# a line more\n" + HEAD + JOB.format(name="test") + JOB.format(name="new")
    after = audit(tree_of({CI: text}), rules=[RULE], baseline=known_of(before.marks))
    assert [mark.job for mark in after.marks] == ["new"]
    assert [mark.job for mark in after.known] == ["test"]
    assert [(known.subject, known.n) for known in after.gone] == [("job old", 1)]


def test_what_was_not_looked_for_is_not_gone() -> None:
    before = audit(tree_of({CI: HEAD + JOB.format(name="test")}), rules=[RULE])
    after = audit(tree_of({CI: HEAD}), rules=["idle-excuse"], baseline=known_of(before.marks))
    assert not after.gone


@settings(max_examples=40)
@given(marks)
def test_a_baseline_of_marks_knows_them_all(found) -> None:
    text = to_text(known_of(found))
    kept = parse_baseline(text)
    assert split_known(found, kept, is_judged=lambda _: True) == ([], found, [])
    assert to_text(reversed(kept)) == text
    assert len(text.splitlines()) == len(kept) + 2 + (not kept)


def test_a_person_can_read_it() -> None:
    found = audit(tree_of({CI: HEAD + JOB.format(name="test")}), rules=[RULE])
    (entry,) = json.loads(to_text(known_of(found.marks)))["known"]
    assert (entry["rule"], entry["path"], entry["subject"], entry["n"]) == (RULE, CI, "job test", 1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"version": 2, "known": []}',
        '{"version": 1, "known": [{}]}',
        "[" * 100_000,
        '{"version": 1, "known": [{"rule": "a", "path": "b", "subject": "c", "identity": "d", "n": 0}]}',
    ],
)
def test_anything_else_is_refused(text) -> None:
    with pytest.raises(BadInput, match="--write-baseline"):
        parse_baseline(text)
