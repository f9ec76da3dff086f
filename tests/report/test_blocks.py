"""What each block says, in HTML and in Markdown."""

import re
from html.parser import HTMLParser

import pandas as pd
import pytest

from kotaci.model import Certainty, Finding, Link, Price, Severity, Window
from kotaci.report import blocks
from kotaci.report.blocks import Card, Col, ExcerptLine, Gap, GridRow, Inline, StripCell, Tile

TAGS = {
    "p",
    "span",
    "b",
    "div",
    "em",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "article",
    "header",
    "h3",
    "pre",
    "small",
    "i",
    "code",
    "details",
    "summary",
    "style",
}
ATTRIBUTES = {"class", "data-n", "data-s", "title", "id", "role", "aria-label", "tabindex", "scope"}


class Seen(HTMLParser):
    """The tags, attributes and addresses of a piece of HTML, as a browser would read it."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.addresses: list[str | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.addresses += [value for name, value in attrs if name in {"href", "src", "srcset"}]


def finding(name: str, *, severity: Severity = Severity.HIGH, minutes: float | None = None) -> Finding:
    return Finding(
        id=name,
        kind="flaky",
        subject=f"tests::{name}",
        claim="Failed and passed on one commit.",
        verdict="flaky",
        certainty=Certainty.PROVED,
        severity=severity,
        n=86,
        method="same commit, later attempt",
        remedy="Measure relative time.",
        price=Price(minutes=minutes, basis="measured" if minutes else "none"),
        evidence=(Link("run 7", "https://github.com/a/b/actions/runs/7"), Link("a saved log")),
    )


def test_sentence_escapes_values_and_keeps_our_marks() -> None:
    told = blocks.sentence(
        "**{n} of {m:,} runs failed.** {job} first; `cargo test`.", n=3, m=1200, job=blocks.code("a<b")
    )
    assert told.html == "<b>3 of 1,200 runs failed.</b> <code>a&lt;b</code> first; <code>cargo test</code>."
    assert told.markdown == "**3 of 1,200 runs failed.** `a<b` first; `cargo test`."
    named = blocks.sentence("**{job}**", job="**x** <i> @me")
    assert named.html == "<b>**x** &lt;i&gt; @me</b>"
    assert named.markdown == r"**\*\*x\*\* &lt;i&gt; @&#8203;me**"
    assert blocks.sentence("{a}", a=None).html == "–"


@pytest.mark.parametrize("template", ["**open", "`open", "`{n}`", "**a `b** c`"])
def test_sentence_refuses_what_is_not_closed(template: str) -> None:
    with pytest.raises(ValueError, match=r"not closed|inside"):
        blocks.sentence(template, n=1)


@pytest.mark.parametrize(
    "url",
    ["", None, float("nan"), "javascript:alert(1)", "data:text/html,x", "//evil.test", "https://", "http://a@b", "/x"],
)
def test_links_only_lead_to_the_web(url: object) -> None:
    assert blocks.link("run <7>", url).html == "run &lt;7&gt;"


def test_links_cannot_be_left() -> None:
    made = blocks.link("a]b", 'https://x.org/a)b"><script>|`\n')
    assert made.html == '<a href="https://x.org/a%29b%22%3E%3Cscript%3E%7C%60">a]b</a>'
    assert made.markdown == r"[a\]b](https://x.org/a%29b%22%3E%3Cscript%3E%7C%60)"


def test_page_carries_what_the_report_is_about() -> None:
    block = blocks.page(
        repo="a/b",
        scope="main",
        window=Window.parse(since="2026-11-01", until="2026-11-07"),
        as_of=pd.Timestamp("2026-11-22T18:40Z"),
        version="0.1",
    )
    assert block.markdown == "a/b · main · 1 Nov 2026, 00:00 UTC to 8 Nov 2026, 00:00 UTC"
    assert block.data[blocks.PAGE_MIME]["as_of"] == "22 Nov 2026, 18:40 UTC"
    assert block.data[blocks.PAGE_MIME]["moment"].startswith("2026-11-22T18:40:")
    assert block._repr_mimebundle_()["text/html"].startswith('<div class="kotaci"><style>')
    empty = blocks.page(repo="a/b", scope="", window=Window(), as_of=None, version="0.1")
    assert (empty.markdown, empty.data[blocks.PAGE_MIME]["as_of"]) == ("a/b · all that is stored", "")


def test_answer_is_found_by_its_mime_type() -> None:
    block = blocks.answer(blocks.sentence("**Yes.**"), tone="good")
    assert block.data[blocks.ANSWER_MIME] == {"markdown": "**Yes.**", "html": "<b>Yes.</b>", "tone": "good"}
    with pytest.raises(KeyError, match="'green' is none of bad, warn"):
        blocks.answer(blocks.sentence("x"), tone="green")


def test_table_writes_each_kind() -> None:
    frame = pd.DataFrame(
        {
            "job": ["lint | <b>", "docs"],
            "url": ["https://github.com/x", None],
            "failure_rate": [0.31, 0.5],
            "low": [0.23, 0.1],
            "high": [0.42, 0.9],
            "n": [86, 3],
            "wall_s": pd.array([6720.0, None], dtype="Float64"),
            "started_at": pd.to_datetime(["2026-11-22T18:40Z", None]),
            "verdict": ["flaky", "masked"],
            "history": [[StripCell("ok", "run 1"), StripCell("failed", '"2"')], []],
        }
    )
    shown = blocks.table(
        frame,
        [
            Col("job", link="url"),
            Col("failure_rate", "failed", kind="interval", n="n"),
            Col("n", kind="number"),
            Col("wall_s", "median", kind="duration"),
            Col("started_at", "since", kind="time"),
            Col("verdict", kind="badge", tones={"flaky": "warn"}),
            Col("history", kind="strip"),
        ],
    )
    assert shown.markdown.splitlines() == [
        "| job | failed | n | median | since | verdict | history |",
        "| --- | ---: | ---: | ---: | --- | --- | --- |",
        (
            "| [lint &#124; &lt;b&gt;](https://github.com/x) | 31 % \\[23, 42\\] | 86 | 1 h 52 | 22 Nov 2026, 18:40 UTC"
            " | ◐ flaky | `▫■` |"
        ),
        "| docs | too few runs (n = 3) | 3 | – | – | ○ masked | ` ` |",
    ]
    assert '<td class="k-n">31 % [23, 42]</td>' in shown.html
    assert '<span class="k-badge k-warn" data-s="◐">flaky</span>' in shown.html
    assert '<i class="k-failed" title="&#34;2&#34;"></i>' in shown.html


def test_table_says_what_it_left_out_and_that_it_is_empty() -> None:
    frame = pd.DataFrame({"job": [f"job {n}" for n in range(30)]})
    assert blocks.table(frame, [Col("job")], limit=10, more="jobs").markdown.endswith("\n\n… and 20 jobs")
    empty = blocks.table(frame.head(0), [Col("job")], none="No job failed.")
    assert (empty.markdown, empty.html) == ("No job failed.", '<p class="k-note">No job failed.</p>')


def test_card_shows_lines_history_and_remedy() -> None:
    block = blocks.cards(
        [
            Card(
                "tests::a",
                badge=blocks.badge("regression", "bad"),
                meta=blocks.sentence("9 runs"),
                excerpt=[ExcerptLine(98, "ok\tx"), Gap(1), ExcerptLine(101, "``` <b> panicked", is_hit=True)],
                strip=blocks.strip([StripCell("ok"), StripCell("rerun")], caption="oldest left"),
                do=blocks.sentence("read it."),
                facts=[("why", blocks.sentence("9 of 9."))],
                anchor='A "b"',
            )
        ]
    )
    assert block.markdown == (
        "### `tests::a` ▲ regression\n\n9 runs\n\n"
        "````text\n 98   ok  x\n      ⋯ 1 line\n101 > ``` <b> panicked\n````\n\n"
        "`▫◪` oldest left\n\n- why: 9 of 9.\n\n**Do:** read it."
    )
    assert '<article class="k-card" id="a-b">' in block.html
    assert '<span class="k-hit" data-n="101">``` &lt;b&gt; panicked</span>' in block.html
    assert 'aria-label="oldest left: 1 passed, 1 passed when run again"' in block.html


def test_a_grid_shows_names_marks_ends_and_legend() -> None:
    cells = [StripCell("ok", "c1"), StripCell("retried", "c2", "https://github.com/a/b"), StripCell("none")]
    rows = [GridRow(blocks.code(f"t{n}"), blocks.sentence("n = {n}", n=n), cells) for n in range(3)]
    block = blocks.grid(rows, first="24 Nov", last="25 Nov", limit=2)
    assert block.markdown == (
        "|  | 24 Nov → 25 Nov |\n| --- | --- |\n| `t0` · n = 0 | `▫◩·` |\n| `t1` · n = 1 | `▫◩·` |\n\n"
        "`▫` passed, `◩` passed by its runner's retry, `·` not run\n\n… and 1 more"
    )
    assert '<a class="k-retried" title="c2" href="https://github.com/a/b"></a><i class="k-none"' in block.html
    assert "1 passed, 1 passed by its runner&#39;s retry, 1 not run" in block.html
    assert blocks.grid([], first="", last="", none="Nothing ran.").markdown == "Nothing ran."


def test_what_is_to_be_copied_stays_as_it_is() -> None:
    block = blocks.copyable("a 'b' \\\n  ``` <c>", caption=blocks.sentence("Run it:"))
    assert block.markdown == "Run it:\n\n````text\na 'b' \\\n  ``` <c>\n````"
    assert '<pre tabindex="0">a &#39;b&#39; \\\n  ``` &lt;c&gt;</pre>' in block.html


def test_findings_are_ranked_and_all_of_them_are_data() -> None:
    found = [
        finding("low", severity=Severity.LOW, minutes=900),
        finding("dear", minutes=94),
        finding("cheap"),
    ]
    block = blocks.findings(found, limit=2)
    assert re.findall(r"tests::(\w+)", block.markdown) == ["dear", "cheap"]
    assert [told["id"] for told in block.data[blocks.FINDINGS_MIME]] == ["dear", "cheap", "low"]
    assert "flaky, certainty proved · n = 86 · 94 min (measured) · same commit, later attempt" in block.markdown
    assert "Evidence: [run 7](https://github.com/a/b/actions/runs/7) · a saved log" in block.markdown
    assert "… and 1 more in findings.json" in block.html
    assert Finding.from_json(block.data[blocks.FINDINGS_MIME][0]) == found[1]


def test_no_finding_is_a_sentence_and_an_empty_list() -> None:
    block = blocks.findings([])
    assert block.data == {blocks.FINDINGS_MIME: []}
    assert block.markdown == "Nothing to do: no finding in this window."


def test_details_keep_what_is_inside_and_its_data() -> None:
    block = blocks.details("86 runs @me", [blocks.findings([finding(name)]) for name in "ab"], is_open=True)
    assert block.markdown.startswith("<details open>\n<summary>86 runs @&#8203;me</summary>\n\n1. ")
    assert [told["id"] for told in block.data[blocks.FINDINGS_MIME]] == ["a", "b"]


def test_strangers_text_is_escaped_everywhere(hostile: list[str]) -> None:
    for name in hostile:
        frame = pd.DataFrame({"job": [name], "url": [name], "verdict": [name]})
        made = [
            blocks.page(repo=name, scope=name, window=name, as_of=None, version=name),
            blocks.answer(blocks.sentence("{x}", x=name), tone="bad"),
            blocks.note(blocks.join([blocks.bold(name), blocks.code(name), blocks.link(name, name)])),
            blocks.tiles([Tile(name, name, name)]),
            blocks.table(frame, [Col("job", name, link="url"), Col("verdict", kind="badge"), Col("job", kind="code")]),
            blocks.cards([Card(name, excerpt=[ExcerptLine(1, name)], anchor=name)]),
            blocks.strip([StripCell("ok", name, name)], caption=name),
            blocks.grid(
                [GridRow(blocks.code(name), Inline.of(name), [StripCell("ok", name, name)])], first=name, last=""
            ),
            blocks.copyable(name, caption=Inline.of(name)),
            blocks.details(name, []),
        ]
        for block in made:
            seen = Seen()
            seen.feed(block.html)
            assert seen.tags <= TAGS
            assert seen.attributes <= ATTRIBUTES
            assert not seen.addresses
            outside_fences = re.sub(r"(`{3,})text\n.*?\n\1", "", block.markdown, flags=re.DOTALL)
            outside_code = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", outside_fences)
            assert not re.search(r"@\w|(?<!&)#\d|\bGH-\d|://|<script|<img|<svg|<iframe", outside_code)
