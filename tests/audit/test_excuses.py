"""Comments that excuse a finding: where they stand, what they must say, and what is told of those that do nothing."""

import pytest

from kotaci.archives.checkout import tree_of
from kotaci.audit import Mark, Project, audit
from kotaci.audit.excuses import read_excuses

CI = ".github/workflows/ci.yml"
JOB = "on: push\njobs:\n{above}  test:{behind}\n    runs-on: ubuntu-24.04\n    steps:\n      - run: cargo test\n"
RULE = "job-without-timeout"


def found_in(text, **options):
    return audit(tree_of({CI: text}), rules=[RULE, "idle-excuse"], **options)


@pytest.mark.parametrize(
    ("above", "behind"),
    [
        ("", " # kotaci: ignore[job-without-timeout] our own runner"),
        ("", " #kotaci:ignore[other-rule, job-without-timeout]: our own runner"),
        ("  # kotaci: ignore[job-without-timeout] our own runner\n", ""),
        ("  # kotaci: ignore[job-without-timeout] our own runner,\n  # where nobody waits\n", ""),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_comment_with_a_reason_excuses_its_line_or_the_next(above, behind, newline) -> None:
    found = found_in(JOB.format(above=above, behind=behind).replace("\n", newline))
    assert [one.mark.rule for one in found.excused] == [RULE]
    assert found.excused[0].excuse.reason.startswith("our own runner")
    assert RULE not in {mark.rule for mark in found.marks}


@pytest.mark.parametrize(
    ("above", "behind", "said"),
    [
        ("", " # kotaci: ignore[job-without-timeout]", "gives no reason"),
        ("", " # kotaci: ignore", "gives no reason"),
        ("", " # kotaci: ignore because", "names no rule"),
        ("", " # kotaci: ignore[job-with-timeout] because", "no rule that can be excused"),
        ("", " # kotaci: ignore[idle-excuse] because", "no rule that can be excused"),
        ("  # kotaci: ignore[job-without-timeout] because\n\n", "", "finds nothing on line 4"),
    ],
)
def test_one_that_excuses_nothing_is_told(above, behind, said) -> None:
    found = found_in(JOB.format(above=above, behind=behind))
    assert not found.excused
    assert said in " ".join(mark.claim for mark in found.marks if mark.rule == "idle-excuse")
    assert RULE in {mark.rule for mark in found.marks}


def test_one_in_the_first_line_excuses_what_is_found_of_the_whole_file() -> None:
    text = "# kotaci: ignore[broken-file] a template,\n# filled in later\njobs: {}\n"
    (excuse,) = read_excuses(Project(tree_of({CI: text})))
    assert all(excuse.rules_for(Mark(CI, line, "the file", "is broken", rule="broken-file")) for line in (1, 3))
    assert not excuse.rules_for(Mark(CI, 4, "the file", "is broken", rule="broken-file"))


def test_of_a_rule_that_was_not_looked_for_nothing_is_told() -> None:
    text = JOB.format(above="", behind=" # kotaci: ignore[zizmor/artipacked] the runner is thrown away")
    assert [mark.rule for mark in audit(tree_of({CI: text})).marks if mark.rule == "idle-excuse"] == []


def test_excuses_stand_in_other_files_too() -> None:
    files = {CI: JOB.format(above="", behind=""), "tests/it.rs": "// kotaci: ignore[no-such-rule] because\nfn a() {}\n"}
    found = audit(tree_of(files), rules=["idle-excuse"]).marks
    assert [(mark.path, mark.line) for mark in found] == [("tests/it.rs", 1)]
