"""Strangers' text does nothing in Markdown, and what is too long is cut where it may be cut."""

import re

from hypothesis import example, given
from hypothesis import strategies as st
from mistune import create_markdown

from kotaci.report import markdown as md

# Words that a stranger would try, besides any text at all.
nasty = st.lists(
    st.one_of(
        st.sampled_from(
            ["@octocat", "#12", "fixes ", "octo/repo#7", "GH-3", "https://github.com/a/b/issues/1", "www.x.org", "```",
             "~~~", "|", "\n", "`", "\\", "<b>", "<!--", "[a](b)",
              "![a](b)", "**", "_", "- ", "1. ", "# ", "&#64;", "$"]
        ),
        st.text(max_size=8),
    ),
    max_size=12,
).map("".join)  # fmt: skip

ACTIVE = re.compile(r"@\w|#\d|\bGH-\d|://\w|\bwww\.\w", re.IGNORECASE)
to_html = create_markdown(escape=False, plugins=["table", "strikethrough", "url", "footnotes"])


def text_of(html: str) -> str:
    return re.sub(r"<[^>]*>", "", html)


@given(nasty)
@example("\\@octocat")
@example("@@octocat##12")
@example("&#64;octocat")
@example("1. one")
def test_escaped_text_has_nothing_active(text: str) -> None:
    escaped = md.escape_text(text)
    assert not ACTIVE.search(re.sub(r"&#\d+;", "\u200b", escaped))
    assert "\n" not in escaped
    assert "|" not in escaped
    tags = set(re.findall(r"</?([a-z0-9]+)", to_html(escaped)))
    assert tags <= {"p"}


@given(nasty)
def test_escaped_text_reads_the_same(text: str) -> None:
    import html

    from kotaci.report.words import one_line

    shown = html.unescape(text_of(to_html(f"x {md.escape_text(text)} x"))).replace("\u200b", "")
    assert " ".join(shown.split()) == " ".join(f"x {one_line(text, width=2000)} x".replace("\u200b", "").split())


@given(nasty)
@example("``a`")
@example("a|b` @octocat")
def test_code_spans_hold(text: str) -> None:
    html = to_html(f"before {md.code_span(text)} after")
    inside = re.fullmatch(r"<p>before <code>(.*)</code> after</p>\n", html, re.DOTALL)
    assert inside
    assert "<" not in inside[1]


@given(nasty)
@example("```\n# out\n```")
@example("`````")
def test_fences_hold(text: str) -> None:
    html = to_html(f"{md.fence(text)}\n\nafter")
    assert html.count("<pre>") == 1
    assert html.endswith("</code></pre>\n<p>after</p>\n")
    assert "<" not in html.split('<code class="language-text">')[1].split("</code>")[0]


@given(st.lists(st.tuples(nasty, nasty), min_size=1, max_size=4))
def test_tables_keep_their_columns(rows: list[tuple[str, str]]) -> None:
    cells = [[md.escape_text(left), md.code_span(right)] for left, right in rows]
    html = to_html(md.table(["a", "b"], cells, right=[False, True]))
    assert html.count("<tr>") == 1 + len(rows)
    assert html.count("<td") == 2 * len(rows)


# What reports consist of: paragraphs, tables, code blocks with anything in them, and folded parts of these.
inside_code = st.lists(st.sampled_from(["text", "```", "````text", "~~~", "<details>", "</details>", ""]), max_size=6)
report_block = st.one_of(
    st.just("text\ntext"),
    st.just("| a | b |\n| --- | --- |\n| ```` | c |"),
    st.just("~~~\n```\n~~~~"),
    inside_code.map("\n".join).map(md.fence),
)
report = st.recursive(
    st.lists(report_block, max_size=5),
    lambda inner: st.builds(
        lambda before, inside: [*before, "\n\n".join(["<details>\n<summary>more</summary>", *inside, "</details>"])],
        inner,
        inner,
    ),
    max_leaves=6,
).map("\n\n".join)


@given(report, st.integers(min_value=0, max_value=300))
def test_cut_never_exceeds_the_budget_and_closes_what_it_opened(text: str, budget: int) -> None:
    short = md.cut(text, budget)
    assert len(short) <= budget
    if short != text and short:
        assert re.search(r"… and \d+ more lines?$", short)
        # The words about what is missing must be a paragraph: outside of any code block or folded part.
        html = to_html(short)
        assert re.search(r"<p>(?:(?!</p>).)*… and \d+ more lines?</p>\n$", html, re.DOTALL)
        outside_code = re.sub(r"<pre>.*?</pre>", "", html, flags=re.DOTALL)
        assert outside_code.count("<details>") == outside_code.count("</details>")


@given(st.lists(st.text(), min_size=1, max_size=5), st.integers(min_value=0, max_value=100))
def test_fit_takes_the_first_that_fits(rungs: list[str], budget: int) -> None:
    fitted = md.fit(iter(rungs), budget)
    assert len(fitted) <= budget
    fitting = [rung for rung in rungs if len(rung) <= budget]
    if fitting:
        assert fitted == fitting[0]


def test_cut_says_how_much_is_missing() -> None:
    assert md.cut("\n".join(f"line {n}" for n in range(100)), 40) == "line 0\nline 1\n\n… and 98 more lines"


def test_quiet_html_leaves_entities_and_addresses() -> None:
    quiet = md.quiet_html('<a href="https://x.org/#1">a&#x27;s @me #12</a>')
    assert quiet == '<a href="https://x.org/#1">a&#x27;s @&#8203;me #&#8203;12</a>'


def test_hostile_names_are_plain_words(hostile: list[str]) -> None:
    html = "".join(to_html(md.escape_text(name)) for name in hostile)
    assert set(re.findall(r"</?([a-z0-9]+)", html)) == {"p"}
