"""Marks as findings."""

from kotaci.audit import Mark, to_findings
from kotaci.model import Price

PATH = ".github/workflows/ci.yml"


def mark(line: int) -> Mark:
    """Return a mark on that line."""
    return Mark(PATH, line, "job test", "has no timeout-minutes", end_line=line + 2, rule="job-without-timeout")


def test_a_finding_has_its_card_place_and_price() -> None:
    sha = "0123456789" * 4
    prices = {mark(4).identity: (Price(minutes=12.5, basis="measured"), 40, "longest runs")}
    (found,) = to_findings([mark(4)], repo="example/kvstore", commit_sha=sha, prices=prices)
    assert (found.kind, found.workflow, found.price.minutes, found.n) == ("job-without-timeout", "ci.yml", 12.5, 40)
    assert found.subject == "ci.yml: job test"
    assert found.evidence[0].url == f"https://github.com/example/kvstore/blob/{sha}/{PATH}#L4-L6"


def test_its_id_stays_when_lines_move_and_two_of_a_kind_are_two() -> None:
    before, after = to_findings([mark(4)]), to_findings([mark(9), mark(12)])
    assert before[0].id == after[0].id
    assert after[1].id == f"{before[0].id}-2"
    assert after[0].evidence[0].url == ""
