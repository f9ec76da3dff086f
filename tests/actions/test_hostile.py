"""Strangers' text through every kind of body: none of it does anything, and no body is too long."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from kotaci.actions import Held, Kind, Plan, Stage, plan_comment, plan_findings, plan_publish, to_annotations
from kotaci.actions.identity import END, find_sections, merge
from kotaci.model import Certainty, Finding, Link, Price, Repo, Severity
from kotaci.report import inline
from kotaci.report.folder import Part, ReportFolder
from tests.actions.reports import REPO, finding
from tests.conftest import HOSTILE

WHERE = Repo.parse(REPO)
SEEDS = (
    "@octocat", "@example/team", "a@octocat", "#1", "GH-1", "o/r#1", "fixes #2", "closes o/r#3", "Resolves: #4",
    "https://github.com/o/r/issues/1", "www.evil.test", "<script>alert(1)</script>", "<img src=x onerror=a>", "<b>",
    "<!-- kotaci:1 kind=publish id=x -->", END, "<!--", "-->", "```", "~~~", "````", "`", "``", "|", "\n", "\n\n", "\r",
    "# title", "- item", "1. one", "> quote", "---", "===", "[a](https://evil.test)", "![a](https://evil.test/a.png)",
    "[x]: https://evil.test", "[^1]", "$x$", "**bold**", "__u__", "~~s~~", "\\", "\\@octocat", "&#64;octocat", "&lt;b>",
    "\x1b[31mred\x1b[0m", "\x1b]8;;https://evil.test\x07here", "\x00", "\x07", "\u202egnp.exe", "\u2066x\u2069",
    "\u200f", "::error::x", "%0A::error::y", "</details>", "<details>", "- [ ] task", ":tada:", "{{ x }}",
)  # fmt: skip
GIANTS = ("x" * 70_000, "a b " * 9_000, "@octocat #1 " * 3_000, "`" * 2_500, "[" * 2_500)
CONTROLS = r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]"
ACTIVE = re.compile(rf"@\w|#\d|\bGH-\d|://\w|\bwww\.\w|{CONTROLS}", re.IGNORECASE)
parse = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse
OURS = re.compile(r"</?(?:details|summary|sub|code)>|<!-- (?:/?kotaci:1|kotaci:history )[^<>]*-->")
"""All HTML that is written by us."""


def hostile(n: int = 200) -> list[str]:
    """Return that many strings that a stranger would try, the same each time."""
    rng = random.Random(8)  # noqa: S311
    made = [*HOSTILE, *GIANTS, *SEEDS]
    while len(made) < n:
        made.append("".join(rng.choice(SEEDS) + rng.choice(["", " ", "\n", "x"]) for _ in range(rng.randint(2, 7))))
    return made[:n]


def poisoned(text: str, n: int = 1) -> list[Finding]:
    """Return findings of which every text is a stranger's."""
    told = dict.fromkeys(("subject", "claim", "verdict", "method", "remedy"), text)
    links = (Link(text, "https://github.com/o/r/actions/runs/7"), Link(text, text), Link("x", f"https://a.test/{text}"))
    price = Price(minutes=3.0, basis=text)
    return [
        finding(kind, id=f"{kind}:{place}:{text}", evidence=links, price=price, workflow=text or "w", **told)
        for place in range(n)
        for kind in ("flaky-test", "red-now", "failure")
    ]


def report_of(found: Sequence[Finding], text: str) -> ReportFolder:
    """Return a report in memory, its answer and figures made as notebooks make them."""
    answer = inline.sentence("**{a}** and {b}", a=text, b=inline.code(text)).markdown
    parts = (Part("night", text, answer, (f"**{inline.Inline.of(text).markdown}**",), tuple(found), True),)
    return ReportFolder(Path("gone"), REPO, text, text, datetime(2026, 11, 20, tzinfo=UTC), "0" * 16, parts)


def plans(report: ReportFolder) -> Iterator[Plan]:
    """Yield plans with every kind of body."""
    fresh = plan_findings(report, Held(), repo=WHERE)
    yield fresh
    yield plan_publish(report, repo=WHERE, issue=12, report_url="https://example.org/r")
    for target, stage in (("issue:12", Stage.START), ("pull:12", Stage.PROGRESS), ("issue:12", Stage.RESULT)):
        yield plan_comment(report, repo=WHERE, target=target, stage=stage, fixed=[report.scope])
    yield plan_comment(report, repo=WHERE, target=f"commit:{'a' * 40}")


def check_body(body: str) -> None:
    """Assert that nothing in a body takes effect but what is ours."""
    (section,) = find_sections(body)
    assert body.startswith(section.marker.line())
    assert body.endswith(END)
    texts: list[str] = []
    for token in parse(body):
        if token.type == "html_block":
            rest = OURS.sub("", token.content).strip()
            assert rest in {"", "History"}, token.content
        for child in token.children or ():
            if child.type == "html_inline":
                assert OURS.fullmatch(child.content), child.content
            elif child.type == "link_open":
                assert re.match(r"https://(?:github\.com/o/r/actions/runs/7|example\.org/r)$", str(child.attrs["href"]))
            else:
                assert child.type != "image"
                # GitHub makes no mention or reference of what stands in code.
                if child.type != "code_inline":
                    texts.append(child.content)
    for text in texts:
        shown = text.replace("Investigating CI issue #12", "")
        assert not ACTIVE.search(shown), (ACTIVE.search(shown), shown[:300])


def test_two_hundred_strings_through_every_kind_of_body() -> None:
    strings = hostile()
    assert len(set(strings)) == 200
    kinds = set()
    for text in strings:
        report = report_of(poisoned(text), text)
        for plan in plans(report):
            for action in plan.actions:
                kinds.add(action.kind)
                check_body(action.body)
                assert not ACTIVE.search(action.title)
                assert len(action.title) <= 200
                assert "\n" not in action.title
            for action in plan.actions[:1]:
                merged = merge(f"Words.\n\n{action.body}", action.body)
                assert merged.startswith("Words.\n\n")
                assert len(find_sections(merged)) == 1
        for line in to_annotations(report.findings):
            assert not re.search(r"[\n\r\x00-\x08\x1b\u202a-\u202e]", line)
            assert re.match(r"::(?:warning|notice) title=[^:,]*::", line)
    assert kinds == {Kind.CREATE_ISSUE, Kind.COMMENT_ISSUE, Kind.COMMENT_PULL, Kind.COMMENT_COMMIT}


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(hostile()) | st.text(max_size=60), st.integers(0, 400), st.sampled_from(list(Severity)))
def test_no_body_is_too_long(text: str, n: int, severity: Severity) -> None:
    found = [
        Finding(
            id=f"failure:{place}", kind="failure", subject=f"{place} {text}", claim=text * 4, verdict=text,
            certainty=Certainty.LOW, severity=severity, n=1, method=text * 3, workflow="ci.yml",
        )
        for place in range(n)
    ]  # fmt: skip
    for plan in plans(report_of(found, text)):
        for action in plan.actions:
            assert len(action.body) <= 65_536
            assert len(find_sections(action.body)) == 1


@pytest.mark.parametrize(
    ("n", "said"),
    [
        (3, "**How sure:**"),
        (90, "**High**"),
        (700, "more findings"),
    ],
)
def test_the_ladder(n: int, said: str) -> None:
    found = [
        finding("failure", f"job {place}", claim="c" * 500, workflow="ci.yml", id=f"failure:{place}")
        for place in range(n)
    ]
    (action,) = plan_findings(report_of(found, "x"), Held(), repo=WHERE).actions
    assert said in action.body


def test_the_last_rung_counts() -> None:
    from kotaci.actions.fitting import fit_findings

    found = [finding("failure", f"job {place}", claim="c" * 500) for place in range(50)]
    assert fit_findings(found, lambda told: told, budget=120) == (
        "50 findings, too many to name:\n\n- 50 × failure, high"
    )
