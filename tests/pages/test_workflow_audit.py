"""What the page of the audit shows: for workflow files made up here, with runs and without, and for the sample."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from kotaci.analysis.pricing import METHODS, worth_of
from kotaci.archives.checkout import tree_of
from kotaci.audit import read_cards
from kotaci.audit.reach import rules_for_workflows
from kotaci.config import Config
from kotaci.facts import History, build_facts, read_history
from kotaci.model import BadInput, Window
from kotaci.pages import workflow_audit as shown
from kotaci.pages.pricing import Audited, audit_history, to_audited
from kotaci.places import sample_folder
from kotaci.report.blocks import FINDINGS_MIME, Block
from kotaci.report.inline import coded
from kotaci.store import Payload, open_store
from kotaci.tables import CACHE_EVENTS, PHASES, SETUPS, UNITS
from tests.analysis.frames import CI, REPO, frame
from tests.analysis.pipelines import Tables
from tests.builders import AT, Batch, write_all

SHA = "0123456789" * 4
BOUND = """\
on: push
jobs:
  test:
    runs-on: ubuntu-24.04
    timeout-minutes: 9
    steps:
      - run: cargo test
"""
LOOSE = BOUND.replace("    timeout-minutes: 9\n", "")
RULES = ["job-without-timeout"]


def history(*minutes: int) -> History:
    """Return runs two days apart, each of one job of so many minutes; what takes an hour failed."""
    told = Tables()
    for number, length in enumerate(minutes, start=1):
        outcome = "failure" if length >= 60 else "success"
        run_told = {"hours": 48.0 * number, "outcome": outcome}
        told.add({"test": []}, {"test": [(0, 60 * length)]}, run_told=run_told, test={"outcome": outcome})
    none = {"cache_events": CACHE_EVENTS, "setups": SETUPS, "units": UNITS, "phases": PHASES}
    tables = told.frames() | {name: frame(table, []) for name, table in none.items()}
    return History(REPO, Window(), None, tables, tables["runs"], "main", True)


def audited(text: str | None, *minutes: int, unasked: tuple[str, ...] = ()) -> Audited:
    """Return the audit of that file with such runs."""
    tree = replace(tree_of({} if text is None else {CI: text}, origin="the store"), commit_sha=SHA)
    return to_audited(tree, history(*minutes), Config(), rules=RULES, unasked=unasked)


def answered(text: str | None, *minutes: int) -> str:
    return shown.audit_answer(history(*minutes), audited(text, *minutes)).markdown


HUNG = (3,) * 15 + (60,)


def test_a_finding_is_priced_a_month_and_leads_to_its_line() -> None:
    found = audited(LOOSE, *HUNG)
    (finding,) = found.findings
    assert (finding.price.minutes, finding.n, finding.price.basis) == (55, 16, "replayed")
    assert f"/blob/{SHA}/{CI}#L3" in finding.evidence[0].url
    assert "has no timeout-minutes" in answered(LOOSE, *HUNG)
    assert "55 min and 55 min of waiting a month (replayed)" in answered(LOOSE, *HUNG)
    assert "replayed, n = 16" in shown.ranking_table(found).markdown
    assert "Priced over 30 days of runs" in shown.prices_note(found).markdown


def test_what_lost_nothing_is_said_to_have_cost_nothing() -> None:
    assert "None of them cost anything that these 15 runs tell." in answered(LOOSE, *HUNG[:15])


def test_a_price_needs_runs_and_that_is_said() -> None:
    few = audited(LOOSE, 3, 3)
    assert few.findings[0].price.minutes is None
    assert "2 passed jobs, too few for a limit" in shown.prices_note(few).markdown
    assert "not priced: 2 passed jobs" in shown.other_cards(few).markdown


def test_without_runs_it_is_still_an_audit() -> None:
    bare = audited(LOOSE)
    assert "None has a price: the store holds no run of this window." in answered(LOOSE)
    assert "costs a month" not in shown.ranking_table(bare).markdown
    assert "`kotaci fetch`" in shown.prices_note(bare).markdown
    assert "3 >   test:" in shown.other_cards(bare).markdown


def test_a_patch_is_a_diff_to_copy() -> None:
    told = shown.patches(audited(LOOSE)).markdown
    assert "1 patch in 1 file" in told
    assert "+    timeout-minutes: 30\n" in told
    assert f"--- a/{CI}\n+++ b/{CI}\n" in told


def test_nothing_found_is_said_with_what_was_asked() -> None:
    assert answered(BOUND) == "**Nothing found** in 1 workflow file by 1 rule."


BLOCKS = [
    shown.audit_tiles,
    shown.ranking_table,
    shown.prices_note,
    shown.classes_figure,
    shown.gate_cards,
    shown.other_cards,
    shown.audit_actions,
    shown.patches,
    shown.unread_note,
]


def all_blocks(found: Audited) -> list[Block]:
    return [block(found) for block in BLOCKS]


@pytest.mark.parametrize("text", [None, BOUND])
def test_every_block_has_words_for_nothing(text: str | None) -> None:
    assert all(block.markdown for block in all_blocks(audited(text)))


def test_without_files_the_answer_says_how_to_get_them() -> None:
    assert "no workflow file is held" in answered(None)
    assert "`kotaci import --git`" in answered(None)


def test_what_was_not_read_is_named() -> None:
    told = shown.unread_note(audited("on: push\njobs: [", unasked=("missing-file",))).markdown
    assert "1 workflow file of the store at 0123456789, by 1 rule" in told
    assert "`missing-file`" in told
    assert "`ci.yml`" in told


def test_hostile_files_stay_text(hostile: list[str]) -> None:
    steps = "".join(f"      - name: {json.dumps(text)}\n        run: {json.dumps(text)}\n" for text in hostile)
    for block in all_blocks(audited(LOOSE.split("      - run")[0] + steps)):
        assert "<script>" not in block.html
        assert '<img src="https' not in block.html


def test_backticks_of_a_claim_are_code_and_all_else_is_text() -> None:
    assert coded("holds `a | b` and <b>").html == "holds <code>a | b</code> and &lt;b&gt;"
    assert coded("`a`: b, then `c`").markdown == "`a`: b, then `c`"
    assert coded("# `a` @octocat").markdown == f"{coded('# x').markdown[:-1]}`a` {coded('@octocat').markdown}"
    assert coded("`a`, `b` `c`").html == "<code>a</code>, <code>b</code> <code>c</code>"
    assert coded("one ` alone").html == "one ` alone"


def test_rules_that_look_for_other_files_are_not_asked_of_workflow_files_alone() -> None:
    alone, beyond = rules_for_workflows()
    assert {*alone, *beyond} == set(read_cards())
    assert "job-without-timeout" in alone
    assert all(read_cards()[rule].group not in {"references", "sight"} for rule in alone)


def test_the_price_of_a_card_is_a_method() -> None:
    assert {card.price for card in read_cards().values()} <= {"", *METHODS}


# -- stores ---------------------------------------------------------------------------------------------------

OLD, NEW = "a" * 40, "b" * 40


def imported(path: Path) -> None:
    """Fill a store as a clone does: two commits, HEAD the older of them, no run."""
    commits = [
        Payload("commit", sha, {
            "sha": sha, "parents": [], "files": [], "workflows_tree": tree,
            "commit": {"author": {"name": "octocat", "date": day}, "committer": {"name": "octocat", "date": day},
                       "message": "Turn"},
        }, AT)
        for sha, tree, day in ((OLD, "c" * 40, "2026-03-02T09:00:00Z"), (NEW, "d" * 40, "2026-03-03T09:00:00Z"))
    ]  # fmt: skip
    files = [
        Payload("workflow_tree", "c" * 40, {CI: "e" * 40}),
        Payload("workflow_tree", "d" * 40, {CI: "f" * 40}),
        Payload("workflow_file", "e" * 40, LOOSE),
        Payload("workflow_file", "f" * 40, BOUND),
        Payload("head", "HEAD", {"sha": OLD, "branch": "main", "default_branch": "main", "remote": ""}),
    ]
    with open_store(path, create=True) as store:
        write_all(store, Batch(REPO, "git", [*commits, *files]))
        build_facts(store)


def test_a_store_of_a_clone_is_audited_at_its_head(tmp_path: Path) -> None:
    imported(tmp_path / "store")
    told = read_history(tmp_path / "store", tables=shown.TABLES)
    found = audit_history(told, Config(), store=str(tmp_path / "store"))
    assert (found.found.project.tree.commit_sha, len(found.findings), found.n_runs) == (OLD, 1, 0)


def test_a_workspace_is_audited_by_all_rules(tmp_path: Path) -> None:
    (tmp_path / ".github" / "workflows").mkdir(parents=True)
    (tmp_path / CI).write_text(LOOSE)
    found = audit_history(history(), Config(), workspace=str(tmp_path))
    assert "job-without-timeout" in {finding.kind for finding in found.findings}
    assert (found.unasked, found.n_asked) == ((), len(read_cards()))
    with pytest.raises(BadInput, match="is no folder"):
        audit_history(history(), Config(), workspace=str(tmp_path / "gone"))


PLANTED = {
    "missing-timeout": ("job-without-timeout", "replayed"),
    "masked-strict-lints": ("check-may-fail", "measured"),
    "gate-blind-to-cancelled": ("gate-is-blind", "measured"),
    "key-without-lockfile": ("cache-key-constant", "none"),
}
"""What is planted in the sample's workflow files, the rule that finds it, and how its price is known."""


def test_the_faults_planted_in_the_sample_are_found_priced_and_ranked(sample: Path) -> None:
    told = read_history(sample, since="all", tables=shown.TABLES)
    found = audit_history(told, Config(), store=str(sample))
    truths = json.loads((sample_folder() / "truths.json").read_text(encoding="utf-8"))["truths"]
    where = {truth["id"]: truth["where"] for truth in truths}
    told_of = {(one.mark.rule, one.mark.path, one.mark.job): one.finding.price.basis for one in found.placed}
    for truth, (rule, basis) in PLANTED.items():
        assert told_of[rule, where[truth]["workflow"], where[truth]["job"]] == basis, truth
    worth = [round(worth_of(finding), 1) for finding in found.findings]
    assert worth == sorted(worth, reverse=True)
    data = shown.audit_actions(found).data[FINDINGS_MIME]
    assert len(data) == len(found.findings)
    assert data[0]["severity"] == max(finding.severity for finding in found.findings).name.lower()
