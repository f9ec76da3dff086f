"""The catalogue of causes: every pattern on its examples, the ids, what is refused, and what a repository adds."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kotaci.logs.causes import GROUPS, UNDECIDED, OwnCause, Rule, parse_catalogue, read_catalogue
from kotaci.logs.patterns import PatternSet
from kotaci.model import BadInput

CATALOGUE = read_catalogue()
RULES = [
    pytest.param(rule, id=f"{cause.id}-{number}")
    for cause in CATALOGUE.causes.values()
    for number, rule in enumerate(cause.rules, 1)
]
IDS = [
    "test-assertion",
    "snapshot",
    "compile",
    "type-check",
    "lint",
    "format",
    "link",
    "docs",
    "race-condition",
    "file-system",
    "disk-full",
    "network",
    "rate-limit",
    "memory",
    "timeout",
    "timing-threshold",
    "cancelled",
    "runner-lost",
    "dependency",
    "toolchain",
    "config",
    "permission",
    "docker",
    "artifact",
    "cache",
    "security-advisory",
    "deploy",
    "gate",
]
PLAYBOOK = {
    "Race Conditions": ["race-condition"],
    "File System": ["file-system", "disk-full"],
    "Network Issues": ["network", "rate-limit"],
    "Memory Issues": ["memory"],
    "Timeouts": ["timeout", "timing-threshold"],
}


def test_the_ids_and_groups_are_the_known_ones() -> None:
    assert list(CATALOGUE.causes) == IDS
    assert UNDECIDED not in CATALOGUE.causes
    assert {cause.group for cause in CATALOGUE.causes.values()} == set(GROUPS)


def test_the_five_common_issues_are_marked_and_have_their_remedies() -> None:
    marked = {cause.id: cause.playbook for cause in CATALOGUE.causes.values() if cause.playbook}
    assert {name: [one for one, of in marked.items() if of == name] for name in PLAYBOOK} == PLAYBOOK
    for one, word in [
        ("race-condition", "RUST_TEST_THREADS=1"),
        ("file-system", "TempDir::new()"),
        ("network", "CARGO_NET_RETRY"),
        ("memory", "CARGO_BUILD_JOBS"),
        ("timeout", "timeout-minutes"),
    ]:
        assert any(word in remedy for remedy in CATALOGUE.causes[one].remedies)


@pytest.mark.parametrize("rule", RULES)
def test_examples_tell_their_own_cause(rule: Rule) -> None:
    told = {line: CATALOGUE.find(line) for line in rule.examples}
    assert [line for line, found in told.items() if rule not in found] == []
    assert {line: found[0].cause for line, found in told.items() if found[0].cause != rule.cause} == {}


@pytest.mark.parametrize("rule", RULES)
def test_every_pattern_is_shown_and_leaves_the_harmless_alone(rule: Rule) -> None:
    patterns = PatternSet(rule.patterns)
    shown = {place for line in rule.examples for place in patterns.found_in(line)}
    assert [pattern for place, pattern in enumerate(rule.patterns) if place not in shown] == []
    assert [line for line in rule.harmless if patterns.found_in(line)] == []


@pytest.mark.parametrize(
    "line",
    [
        "   Compiling error-chain v0.12.4",
        "   Compiling thiserror v1.0.0",
        "test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.02s",
        "test tests::network_is_down ... ok",
        "    Finished `test` profile [unoptimized + debuginfo] target(s) in 0.12s",
        "Cache restored successfully",
        "Cache not found for input keys: shelf-1",
        "Installed 12 packages in 3s",
        "added 120 packages, and audited 121 packages in 3s",
        "",
    ],
)
def test_lines_of_green_logs_tell_nothing(line: str) -> None:
    assert CATALOGUE.find(line) == []


def test_lines_that_report_a_success_tell_nothing() -> None:
    passing = PatternSet(CATALOGUE.passing.patterns)
    shown = {line: passing.found_in(line) for line in CATALOGUE.passing.examples}
    assert sorted({place for places in shown.values() for place in places}) == list(range(len(passing.patterns)))
    assert [line for line, places in shown.items() if not places or CATALOGUE.find(line)] == []
    assert [line for line in CATALOGUE.passing.harmless if passing.found_in(line)] == []


def test_a_repository_may_tell_a_cause_by_such_a_line() -> None:
    own = OwnCause("skipped-suite", "The suite was skipped", ["suite .* ok"], ["suite of nothing ... ok"])
    (rule,) = read_catalogue([own]).find("test suite of nothing: connection refused ... ok")
    assert rule.cause == "skipped-suite"


def test_a_marker_before_the_line_is_passed_over() -> None:
    (rule,) = CATALOGUE.find("##[error]FAILURES!")
    assert (rule.cause, rule.tool) == ("test-assertion", "other test runners")
    assert CATALOGUE.find("##[error]Error: The operation was canceled.")[0].cause == "cancelled"


def test_the_specific_goes_before_the_general() -> None:
    found = CATALOGUE.find("error[E0463]: can't find crate for `std`")
    assert [rule.cause for rule in found] == ["toolchain", "compile"]
    assert found[0].confidence > found[1].confidence


@given(st.text(max_size=200))
def test_any_line_has_an_answer_in_order(line: str) -> None:
    found = [rule.confidence for rule in CATALOGUE.find(line)]
    assert found == sorted(found, reverse=True)


def test_what_is_beyond_the_longest_line_is_not_looked_at() -> None:
    assert CATALOGUE.find("x" * 10_000_000 + " no space left on device") == []
    assert CATALOGUE.find("x " * 100 + "no space left on device")


# -- a repository's own ------------------------------------------------------------------------------------------

LICENCE_SERVER = OwnCause(
    "licence-server", "The licence server is down", ["licence server .* refused"], ["licence server one refused"]
)


def test_a_repository_adds_a_cause() -> None:
    catalogue = read_catalogue([LICENCE_SERVER])
    assert list(catalogue.causes) == [*IDS, "licence-server"]
    cause = catalogue.causes["licence-server"]
    assert (cause.group, cause.playbook, cause.is_own, cause.retry) == ("", "", True, None)
    assert [rule.cause for rule in catalogue.find("licence server two refused: 503 Service Unavailable")] == [
        "licence-server",
        "network",
    ]
    assert CATALOGUE.find("licence server two refused") == []


def test_a_repository_adds_to_a_cause_and_keeps_what_it_does_not_say() -> None:
    own = replace(LICENCE_SERVER, id="network", title="Our network")
    cause = read_catalogue([own]).causes["network"]
    known = CATALOGUE.causes["network"]
    assert (cause.title, cause.is_own) == ("Our network", True)
    assert (cause.group, cause.remedies, cause.retry) == (known.group, known.remedies, known.retry)
    assert list(cause.rules[1:]) == list(known.rules)
    changed = read_catalogue([replace(own, group="environment", remedies=("Ask.",), retry=False)]).causes["network"]
    assert (changed.group, changed.remedies, changed.retry) == ("environment", ("Ask.",), False)


# -- what is refused ----------------------------------------------------------------------------------------------

WHOLE = """
[[cause]]
id = "a"
title = "A"
group = "code"
definition = "An a."
remedies = ["Mend it."]
[[cause.rule]]
tool = "t"
confidence = 0.5
patterns = ["a+"]
examples = ["aa"]
"""


def test_a_small_catalogue_is_read() -> None:
    (cause,) = parse_catalogue(WHOLE, source="x.toml").causes.values()
    assert cause.rules == (Rule("a", "t", ("a+",), 0.5, examples=("aa",)),)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("title =", "titel =", "x.toml: cause 1: has the key titel; did you mean title?"),
        ('title = "A"', "title = 3", "x.toml: cause 1: has title = 3; write a text"),
        ('title = "A"', "", "x.toml: cause 1: lacks title; write a text"),
        ('title = "A"', 'title = ""', "x.toml: cause 1: has an empty title; fill it, or leave it out"),
        ('"code"', '"cods"', "x.toml: cause 1 (a): has the group 'cods'; write one of code, reliability, environment"),
        ('id = "a"', 'id = "undecided"', "x.toml: cause 1 (undecided): has an id that is none"),
        ("0.5", "1.5", "x.toml: cause 1 (a), rule 1: has the confidence 1.5"),
        ("0.5", "1", "x.toml: cause 1 (a), rule 1: has confidence = 1; write a number with a point"),
        ('"a+"', '"a("', "x.toml: cause 1 (a), rule 1: has 'a(', which is no regular expression (missing ): a()"),
        ('["aa"]', '["aa", "aa"]', "x.toml: cause 1 (a), rule 1: has examples that are not texts, each once"),
        ("[[cause.rule]]", "[cause.rule]", "x.toml: cause 1: has rule = {"),
        ("[[cause]]", "[[cause", "x.toml: is not TOML"),
        (WHOLE, f"passing = 3\n{WHOLE}", "x.toml: has passing = 3; write a table"),
        (WHOLE, WHOLE + WHOLE, "x.toml: cause 2: has the id a of another"),
        (WHOLE, "cause = [3]", "x.toml: cause 1: is not a table"),
        (WHOLE, "", "x.toml: lacks cause; write a list"),
    ],
)
def test_what_is_wrong_is_named(old: str, new: str, told: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_catalogue(WHOLE.replace(old, new, 1), source="x.toml")
    assert str(caught.value).startswith(told)
