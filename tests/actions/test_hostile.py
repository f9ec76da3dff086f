"""Strangers' text through every kind of body, read by a CommonMark parser and shown in a real Chromium: none of it does
anything, and no body is too long."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from kotaci.actions import (
    CONTENT_BUDGET,
    Action,
    Ground,
    Held,
    Kind,
    Plan,
    PlannedFile,
    Stage,
    plan_comment,
    plan_findings,
    plan_handoff,
    plan_publish,
    to_annotations,
)
from kotaci.actions.identity import END, find_sections, merge
from kotaci.actions.patches import Remedy, plan_patches
from kotaci.analysis.flakes import Flakiness
from kotaci.analysis.handover import CHANGE_COLUMNS
from kotaci.analysis.health import Health, assess_health
from kotaci.analysis.metrics import METRIC_COLUMNS
from kotaci.config import CodeOwners, Owners
from kotaci.facts import History
from kotaci.model import Certainty, Finding, Link, Price, Repo, Severity, Window, workflow_url
from kotaci.pages.handoff import Handoff, handoff_page
from kotaci.pages.workflows import WorkflowFacts
from kotaci.report import inline
from kotaci.report.folder import Part, ReportFolder
from tests.actions.reports import REPO, finding
from tests.analysis.flaky import Story
from tests.analysis.frames import at
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
    "<script>ran=1</script>",
    "<svg onload=ran=1>", "<details open ontoggle=ran=1>", "<iframe srcdoc='<script>top.ran=1</script>'></iframe>",
    "<form action=https://evil.test><button autofocus onfocus=ran=1>", "<base href=https://evil.test>", "</article>",
    "<link rel=stylesheet href=https://evil.test/a.css>", "<style>*{background:url(https://evil.test/b.png)}</style>",
)  # fmt: skip
GIANTS = ("x" * 70_000, "a b " * 9_000, "@octocat #1 " * 3_000, "`" * 2_500, "[" * 2_500)
CONTROLS = r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]"
ACTIVE = re.compile(rf"@\w|#\d|\bGH-\d|://\w|\bwww\.\w|{CONTROLS}", re.IGNORECASE)
markdown = MarkdownIt("commonmark").enable(["table", "strikethrough"])
"""HTML passes: that GitHub takes most of it out is not to be relied on."""
OURS = re.compile(r"</?(?:details|summary|sub|code)>|<!-- (?:/?kotaci:1|kotaci:history )[^<>]*-->")
"""All HTML that is written by us."""
PLACES = re.compile(
    rf"https://(?:github\.com/(?:o/r|octo/widgets|{REPO})/(?:actions/(?:runs|workflows)|commit)/[\w./%~-]+|example\.org/r)"
)
"""All links that are."""


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
    parts = (Part("night", text, answer, (f"**1 {inline.Inline.of(text).markdown}**",), tuple(found), True),)
    return ReportFolder(Path("gone"), REPO, text, text, datetime(2026, 11, 20, tzinfo=UTC), "0" * 16, parts)


def plans(report: ReportFolder) -> Iterator[Plan]:
    """Yield plans with every kind of body."""
    fresh = plan_findings(report, Held(), repo=WHERE)
    yield fresh
    yield plan_publish(report, repo=WHERE, issue=12, report_url="https://example.org/r")
    for target, stage in (("issue:12", Stage.START), ("pull:12", Stage.PROGRESS), ("issue:12", Stage.RESULT)):
        yield plan_comment(report, repo=WHERE, target=target, stage=stage, fixed=[report.scope])
    yield plan_comment(report, repo=WHERE, target=f"commit:{'a' * 40}")
    path = f".github/workflows/{report.scope}.yml"
    file = PlannedFile(path, "on: push")
    remedy = Remedy("job-without-timeout", path, report.findings, (report.scope,) * 30, (file,), "", ("a",))
    yield plan_patches([remedy], Ground("develop", "d" * 40, "2026-11-20T00:00:00Z", {}), repo=WHERE)


@cache
def assessed() -> tuple[History, Health, Flakiness]:
    """Return a short history with a flaky test and a restless job, and what is told of it."""
    story, as_of = Story(), at(9)
    for attempt, letter, outcome in ((1, "F", "failure"), (2, "P", "success")):
        story.tell(7, {"wobbles": letter}, attempt=attempt).tell(8, None, attempt=attempt, outcome=outcome)
    tables = story.tables()
    health = assess_health(tables["runs"], tables["jobs"], as_of=as_of, default_branch="main")
    return History(REPO, Window(None, None), as_of, tables, tables["runs"], "main", True), health, story.assessed()


def handoff_of(texts: Sequence[str]) -> Handoff:
    """Return a hand-off of which every text is a stranger's."""
    history, health, flakiness = assessed()
    (flow,), (flake,), (job,) = health.workflows.to_dict("records"), flakiness.tests, flakiness.jobs
    paths = {f".github/workflows/{text}.yml": text for text in texts}
    flows = [{**flow, "path": path, "workflow": text, "url": workflow_url(REPO, path)} for path, text in paths.items()]
    changes = [(f"{n:040x}", text, pd.Timestamp(at(n)), text, (f"{text}.yml", text)) for n, text in enumerate(texts)]
    told = [dict.fromkeys(("workflow", "job", "suite", "test", "location"), text) for text in texts]
    empty = pd.DataFrame(columns=["path", "workflow", "job_base", "attempt", "family", "result"])
    owners = Owners(tuple((f"{text[:9]}*", text) for text in texts))
    flows_told = pd.DataFrame(flows)
    return Handoff(
        history=history,
        since=None,
        changes=pd.DataFrame(changes, columns=CHANGE_COLUMNS),
        flakiness=replace(
            flakiness,
            tests=[replace(flake, evidence=[Link(one["job"], flake.evidence[0].url)], **one) for one in told],
            jobs=[replace(job, workflow=text, job=text) for text in texts],
        ),
        health=replace(health, workflows=flows_told),
        metrics=pd.DataFrame(columns=METRIC_COLUMNS),
        findings=[replace(one, evidence=one.evidence[:1]) for text in texts for one in poisoned(text)[:1]],
        workflows=WorkflowFacts(
            REPO, dict.fromkeys(paths, "on: push"), "5" * 40, "w", flows_told, empty, empty, owners, CodeOwners(), 1
        ),
    )


def check_body(body: str, tokens: Sequence[Token]) -> None:
    """Assert that nothing in a body takes effect but what is ours; the tokens are the parser's."""
    (section,) = find_sections(body)
    assert body.startswith(section.marker.line())
    assert body.endswith(END)
    texts: list[str] = []
    for token in tokens:
        if token.type == "html_block":
            rest = OURS.sub("", token.content).strip()
            assert rest in {"", "History"}, token.content
        for child in token.children or ():
            if child.type == "html_inline":
                assert OURS.fullmatch(child.content), child.content
            elif child.type == "link_open":
                assert PLACES.fullmatch(str(child.attrs["href"]))
            else:
                assert child.type != "image"
                # GitHub makes no mention or reference of what stands in code.
                if child.type != "code_inline":
                    texts.append(child.content)
    for text in texts:
        shown = text.replace("Investigating CI issue #12", "")
        assert not ACTIVE.search(shown), (ACTIVE.search(shown), shown[:300])


@pytest.fixture(scope="module")
def written() -> list[tuple[Action, list[Token]]]:
    """Return for each of the strings actions with every kind of body, and what a parser makes of these."""
    strings, as_of = hostile(), datetime(2026, 11, 20, tzinfo=UTC)
    pages = (handoff_page(handoff_of(strings[place::10]), budget=CONTENT_BUDGET) for place in range(10))
    planned = chain(
        (plan for text in strings for plan in plans(report_of(poisoned(text), text))),
        (
            plan_handoff(page, repo=WHERE, issue=12, as_of=as_of, note=strings[place])
            for place, page in enumerate(pages)
        ),
    )
    return [(action, markdown.parse(action.body)) for plan in planned for action in plan.actions]


def test_two_hundred_strings_through_every_kind_of_body(written: list[tuple[Action, list[Token]]]) -> None:
    assert len(set(hostile())) == 200
    for action, tokens in written:
        check_body(action.body, tokens)
        assert not ACTIVE.search(action.title)
        assert len(action.title) <= 200
        assert "\n" not in action.title
        if action.change:
            assert not ACTIVE.search(action.change.message.replace("\n", ""))
        merged = merge(f"Words.\n\n{action.body}", action.body)
        assert merged.startswith("Words.\n\n")
        assert len(find_sections(merged)) == 1
    assert {action.kind for action, _ in written} == {
        Kind.CREATE_ISSUE, Kind.COMMENT_ISSUE, Kind.COMMENT_PULL, Kind.COMMENT_COMMIT, Kind.HAND_OFF,
        Kind.OPEN_PULL,
    }  # fmt: skip


def test_two_hundred_strings_as_annotations() -> None:
    for text in hostile():
        for line in to_annotations(poisoned(text)):
            assert not re.search(r"[\n\r\x00-\x08\x1b\u202a-\u202e]", line)
            assert re.match(r"::(?:warning|notice)(?: title=[^:,]+)?::", line)


LOOK = r"""() => {
  const told = {bodies: 0, tags: new Set(), attributes: new Set(), links: new Set(), headings: new Set(),
                comments: new Set(), active: [], controls: [], outside: document.body.childNodes.length}
  const active = /@\w|#\d|\bGH-\d|:\/\/\w|\bwww\.\w/i, controls = /[\0-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]/
  for (const body of document.querySelectorAll("body > article")) {
    told.bodies += 1
    body.normalize()
    const walker = document.createTreeWalker(body)
    while (walker.nextNode()) {
      const node = walker.currentNode, tag = node.nodeName.toLowerCase()
      if (node.nodeType == Node.COMMENT_NODE) { told.comments.add(node.data.split(/[ :]/)[1]); continue }
      if (node.nodeType == Node.TEXT_NODE) {
        const text = node.data.replace("Investigating CI issue #12", "")
        if (!node.parentElement.closest("code, pre") && active.test(text)) told.active.push(text.slice(0, 200))
        if (controls.test(text)) told.controls.push(text.slice(0, 200))
        continue
      }
      told.tags.add(tag)
      for (const {name, value} of node.attributes) told.attributes.add(name == "href" ? "href" : `${name}=${value}`)
      if (node.href) told.links.add(node.href)
      if (/^h[1-6]$/.test(tag)) told.headings.add(node.textContent)
    }
  }
  for (const [name, value] of Object.entries(told)) if (value instanceof Set) told[name] = [...value]
  return {...told, ran: window.ran ?? null}
}"""
"""What a page shows: each kind of element, attribute, link, heading and HTML comment in it, and what does something."""
WRITTEN = set(re.findall(r"\w+", "p strong em sub code a ul li h1 h2 details summary table thead tbody tr th td"))
"""Elements that are written by us."""
HEADINGS = {
    "CI report", f"CI hand-off: {REPO}", "Changes to CI of all that is held", "Remaining flaky tests", "Performance",
    "Open findings", "Whom to tag",
}  # fmt: skip


@pytest.mark.browser
def test_two_hundred_strings_shown_in_a_browser_do_nothing(
    written: list[tuple[Action, list[Token]]], browser: Any, tmp_path: Path
) -> None:
    bodies = [markdown.renderer.render(tokens, markdown.options, {}) for _, tokens in written]
    # Few of them first: where something takes effect, all at once would keep the browser busy for minutes.
    for shown in (bodies[:50], bodies):
        check_page(browser, shown, tmp_path / "bodies.html")


def check_page(browser: Any, bodies: Sequence[str], file: Path) -> None:
    """Assert that nothing happens on a page of these bodies, and that nothing is on it but what is ours."""
    articles = "".join(f"<article>{body}</article>" for body in bodies)
    file.write_text(f"<!doctype html><meta charset=utf-8><body>{articles}</body>", encoding="utf-8")
    page, asked, popped = browser.new_page(), [], []
    page.add_init_script("window.alert = () => { window.ran = 1 }")
    page.on("request", lambda request: asked.append(request.url))
    page.on("popup", lambda popup: popped.append(popup.url))
    page.route(re.compile("^(?!file)"), lambda route: route.abort())
    page.goto(file.as_uri(), wait_until="domcontentloaded")
    told = page.evaluate(LOOK)
    page.close()
    assert (set(asked), popped, told["ran"]) == ({file.as_uri()}, [], None)
    assert told["bodies"] == told["outside"] == len(bodies)
    assert (told["active"], told["controls"]) == ([], [])
    assert set(told["tags"]) <= WRITTEN
    assert set(told["attributes"]) <= {"href", "style=text-align:right"}
    assert [one for one in told["links"] if not PLACES.fullmatch(one)] == []
    assert set(told["comments"]) <= {"kotaci", "/kotaci"}
    assert set(told["headings"]) <= HEADINGS


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
