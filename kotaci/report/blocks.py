"""What notebook cells display: each block is HTML for the page, Markdown for the digest, and data for machines.

Values are strangers' text unless they are an Inline; they are escaped here, once, for both forms.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from kotaci.model import Finding, Price, Repo, Severity, Window, plural
from kotaci.report import markdown as md
from kotaci.report import words
from kotaci.report.inline import SYMBOLS, Inline, badge, bold, code, coded, join, link, safe_url, sentence

__all__ = [
    "ANSWER_MIME",
    "FINDINGS_MIME",
    "PAGE_MIME",
    "SYMBOLS",
    "Block",
    "Card",
    "Col",
    "ExcerptLine",
    "Gap",
    "GridRow",
    "Inline",
    "StripCell",
    "Tile",
    "answer",
    "badge",
    "bold",
    "cards",
    "code",
    "copyable",
    "details",
    "findings",
    "grid",
    "join",
    "link",
    "note",
    "page",
    "sentence",
    "strip",
    "style",
    "table",
    "tiles",
]

PAGE_MIME = "application/vnd.kotaci.page+json"
ANSWER_MIME = "application/vnd.kotaci.answer+json"
FINDINGS_MIME = "application/vnd.kotaci.findings+json"

STRIP_SIGNS = {"ok": "▫", "failed": "■", "rerun": "◪", "retried": "◩", "cancelled": "▨", "none": "·"}
"""What a cell of a strip can be, and its sign in Markdown."""

STRIP_WORDS = {
    "ok": "passed",
    "failed": "failed",
    "rerun": "passed when run again",
    "retried": "passed by its runner's retry",
    "cancelled": "cancelled",
    "none": "not run",
}

_SEVERITY_TONES = {Severity.HIGH: "bad", Severity.MEDIUM: "warn", Severity.LOW: "calm"}


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("kotaci.report", "template"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )


def _draw(name: str, **values: Any) -> str:
    """Return one macro of template/blocks.html.j2, filled in."""
    macro = getattr(_environment().get_template("blocks.html.j2").module, name)
    return str(macro(**values)).strip()


def _safe(piece: Inline | Block | None) -> Markup:
    """Return HTML that was made, and so escaped, in this package, for use in a template."""
    return Markup("" if piece is None else piece.html)  # noqa: S704


@dataclass(frozen=True)
class Block:
    """One thing that a cell shows: the same in HTML and Markdown, and data under further MIME types."""

    html: str
    markdown: str
    data: Mapping[str, Any] = field(default_factory=dict)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        """Return what IPython shows; the text form is the Markdown."""
        del include, exclude
        return {
            "text/html": f'<div class="kotaci">{self.html}</div>',
            "text/markdown": self.markdown,
            "text/plain": self.markdown,
            **self.data,
        }


def page(
    *, repo: Repo | str, scope: str, window: Window | str, as_of: datetime | pd.Timestamp | None, version: str
) -> Block:
    """Return what the report is about: the line above its title, its footer, and the style of all blocks.

    `scope` says which part (`main · pull requests`); `as_of` is the end of the data, None where there is none;
    for programs it stands there to the second too, as `moment`.
    """
    span = _window_words(window) if isinstance(window, Window) else words.one_line(window)
    told = {
        "repo": words.one_line(repo),
        "scope": words.one_line(scope),
        "window": span,
        "as_of": "" if words.is_missing(as_of) else words.time(as_of),
        "moment": "" if words.is_missing(as_of) else words.moment(as_of),
        "version": words.one_line(version),
    }
    crumb = [told[key] for key in ("repo", "scope", "window") if told[key]]
    return Block(
        html=_draw("page", crumb=crumb, style=Markup(style())),  # noqa: S704
        markdown=join(crumb).markdown,
        data={PAGE_MIME: told},
    )


def style() -> str:
    """Return the style of all blocks, as it stands in a notebook.

    JupyterLab styles code, tables and links itself; the class said three times outweighs it.
    """
    css = files("kotaci.report").joinpath("template/kotaci/blocks.css").read_text("utf-8")
    return css.replace(".kotaci ", ".kotaci" * 3 + " ")


def _window_words(window: Window) -> str:
    if window.since is None and window.until is None:
        return "all that is stored"
    if window.since is None:
        return f"up to {words.time(window.until)}"
    return (
        f"{words.time(window.since)} to {words.time(window.until)}"
        if window.until
        else f"since {words.time(window.since)}"
    )


def stack(*blocks: Block) -> Block:
    """Return the blocks as one, one under the other."""
    return Block(
        html="".join(block.html for block in blocks),
        markdown="\n\n".join(block.markdown for block in blocks),
        data={mime: value for block in blocks for mime, value in block.data.items()},
    )


def answer(inline: Inline, *, tone: str) -> Block:
    """Return the answer to the notebook's question, as one paragraph; `tone` is a key of SYMBOLS."""
    return Block(
        html=_draw("answer", text=_safe(inline), tone=_known(tone, SYMBOLS)),
        markdown=inline.markdown,
        data={ANSWER_MIME: {"markdown": inline.markdown, "html": inline.html, "tone": tone}},
    )


def note(inline: Inline) -> Block:
    """Return a quiet paragraph: what to see in the next figure, where a number comes from."""
    return Block(html=_draw("note", text=_safe(inline)), markdown=inline.markdown)


@dataclass(frozen=True)
class Tile:
    """One large figure: `31 %`, `of 86 runs failed [23, 42]`, and a coloured remark."""

    value: Any
    label: Any
    note: Any = ""
    tone: str = "calm"


def tiles(shown: Sequence[Tile]) -> Block:
    """Return the large figures in a row that wraps."""
    rows = [
        (Inline.of(tile.value), Inline.of(tile.label), Inline.of(tile.note), _known(tile.tone, SYMBOLS))
        for tile in shown
    ]
    return Block(
        html=_draw("tiles", tiles=[(_safe(v), _safe(label), _safe(remark), tone) for v, label, remark, tone in rows]),
        markdown="\n".join(
            f"- {bold(value).markdown} {label.markdown}" + (f" – {remark.markdown}" if remark.markdown else "")
            for value, label, remark, _ in rows
        ),
    )


@dataclass(frozen=True)
class StripCell:
    """One run in a strip: a key of STRIP_SIGNS, what a pointer resting on it tells, and where it leads."""

    outcome: str
    title: str = ""
    url: str = ""


def strip(cells: Sequence[StripCell], *, caption: str) -> Block:
    """Return runs as a row of small marks, in the order given; `caption` says which runs and which way."""
    row = _strip(cells)
    described = f"{caption}: {_count_outcomes(cells)}"
    return Block(
        html=_draw("strip", cells=_safe(row), caption=words.one_line(caption), described=described),
        markdown=f"{row.markdown} {md.escape_text(caption)}",
    )


def _strip(cells: Sequence[StripCell]) -> Inline:
    marks = "".join(_mark(cell) for cell in cells)
    return Inline(html=marks, markdown=code("".join(STRIP_SIGNS[cell.outcome] for cell in cells)).markdown)


def _mark(cell: StripCell) -> str:
    word, title, url = _known(cell.outcome, STRIP_SIGNS), words.one_line(cell.title), safe_url(cell.url)
    if url:
        return str(Markup('<a class="k-{}" title="{}" href="{}"></a>').format(word, title, url))
    return str(Markup('<i class="k-{}" title="{}"></i>').format(word, title))


def _count_outcomes(cells: Sequence[StripCell]) -> str:
    counts = {outcome: sum(cell.outcome == outcome for cell in cells) for outcome in STRIP_SIGNS}
    return ", ".join(f"{n} {STRIP_WORDS[outcome]}" for outcome, n in counts.items() if n)


@dataclass(frozen=True)
class GridRow:
    """One thing in a grid: its name, a quiet remark below it, and its cells in the order of the columns."""

    name: Inline
    remark: Inline
    cells: Sequence[StripCell]


def grid(
    rows: Sequence[GridRow], *, first: str, last: str, limit: int = 40, none: str = "Nothing to show in this window."
) -> Block:
    """Return things against time: a row of marks each, column by column the same moment; `first` and `last` name the
    ends of the axis. Past `limit` rows it tells how many more there are; for no rows it is the sentence `none`."""
    if not rows:
        return note(Inline.of(none))
    shown = rows[:limit]
    legend = [word for word in STRIP_SIGNS if any(cell.outcome == word for row in shown for cell in row.cells)]
    rest = f"… and {len(rows) - len(shown):,} more" if len(rows) > len(shown) else ""
    said = f"{words.one_line(first)} → {words.one_line(last)}"
    return Block(
        html=_draw(
            "grid",
            rows=[
                (_safe(row.name), _safe(row.remark), _safe(_strip(row.cells)), _count_outcomes(row.cells))
                for row in shown
            ],
            first=words.one_line(first),
            last=words.one_line(last),
            legend=[(word, STRIP_WORDS[word]) for word in legend],
            rest=rest,
        ),
        markdown=md.table(
            ["", md.escape_text(said)],
            [[join([row.name, row.remark]).markdown, _strip(row.cells).markdown] for row in shown],
            right=[False, False],
        )
        + "\n\n"
        + ", ".join(f"{code(STRIP_SIGNS[word]).markdown} {STRIP_WORDS[word]}" for word in legend)
        + (f"\n\n{md.escape_text(rest)}" if rest else ""),
    )


def copyable(text: str, *, caption: Inline) -> Block:
    """Return text to copy as it stands: one click selects it all."""
    shown = words.visible(text)
    return Block(
        html=_draw("copyable", text=shown, caption=_safe(caption)),
        markdown=f"{caption.markdown}\n\n{md.fence(shown)}",
    )


@dataclass(frozen=True)
class Col:
    """How one column of a frame is shown.

    `kind` is a key of KINDS. `link` names the column with the row's address. An `interval` takes its bounds from
    `low` and `high`; with `n` named, an interval or percent that rests on fewer than `few` is not shown.
    `tones` maps a badge's text to its tone.
    """

    name: str
    title: str = ""
    kind: str = "text"
    link: str = ""
    low: str = "low"
    high: str = "high"
    n: str = ""
    few: int = 5
    tones: Mapping[str, str] = field(default_factory=dict)


def table(
    frame: pd.DataFrame,
    columns: Sequence[Col],
    *,
    limit: int = 20,
    more: str = "more rows",
    none: str = "Nothing to show in this window.",
) -> Block:
    """Return the first `limit` rows as a table, and how many more there are; for no rows the sentence `none`."""
    if frame.empty:
        return note(Inline.of(none))
    shown = frame.head(limit)
    rows = [[_cell(row, column) for column in columns] for row in shown.to_dict("records")]
    titles = [column.title or column.name.replace("_", " ") for column in columns]
    is_number = [KINDS[column.kind].is_number for column in columns]
    rest = f"… and {len(frame) - len(shown):,} {more}" if len(frame) > len(shown) else ""
    return Block(
        html=_draw(
            "table",
            titles=list(zip(titles, is_number, strict=True)),
            rows=[
                [(_safe(cell), column.kind, right) for cell, column, right in zip(row, columns, is_number, strict=True)]
                for row in rows
            ],
            rest=rest,
        ),
        markdown=md.table(
            [md.escape_text(title) for title in titles],
            [[cell.markdown for cell in row] for row in rows],
            right=is_number,
        )
        + (f"\n\n{md.escape_text(rest)}" if rest else ""),
    )


def _cell(row: Mapping[Any, Any], column: Col) -> Inline:
    value = row[column.name]
    if isinstance(value, Inline):
        return value
    if words.is_missing(value):
        shown = Inline.of(words.MISSING)
    elif column.kind in {"interval", "percent"} and column.n and row[column.n] < column.few:
        shown = Inline.of(words.too_few(int(row[column.n])))
    else:
        shown = KINDS[column.kind].to_inline(value, row, column)
    return link(shown, row[column.link]) if column.link else shown


@dataclass(frozen=True)
class Kind:
    """A way to write a value: what turns it into an Inline, and whether it lines up to the right."""

    to_inline: Callable[[Any, Mapping[Any, Any], Col], Inline]
    is_number: bool = False


def _plain(to_words: Callable[[Any], str], *, is_number: bool = True) -> Kind:
    return Kind(lambda value, _row, _column: Inline.of(to_words(value)), is_number)


KINDS: Mapping[str, Kind] = {
    "text": _plain(words.one_line, is_number=False),
    "code": Kind(lambda value, _row, _column: code(value)),
    "number": _plain(words.number),
    "percent": _plain(words.percent),
    "interval": Kind(
        lambda value, row, column: Inline.of(words.interval(value, low=row[column.low], high=row[column.high])), True
    ),
    "duration": _plain(words.duration),
    "minutes": _plain(words.number),
    "time": _plain(words.time, is_number=False),
    "day": _plain(words.day, is_number=False),
    "badge": Kind(lambda value, _row, column: badge(value, column.tones.get(str(value), "calm"))),
    "strip": Kind(lambda value, _row, _column: _strip(value)),
    "stacked": _plain(words.one_line, is_number=False),
}
"""How values can be written: `minutes` are a number under a title that says so; a `strip` is a list of StripCell;
`stacked` are two short lines, as inline.stacked makes them, that must not wrap."""


@dataclass(frozen=True)
class ExcerptLine:
    """One line of a log with its number; `is_hit` marks the line that says what went wrong."""

    number: int
    text: str
    is_hit: bool = False


@dataclass(frozen=True)
class Gap:
    """Lines of a log left out of an excerpt."""

    n_lines: int


@dataclass(frozen=True)
class Card:
    """One thing that broke: its name, a verdict, the lines of the log, its history, and what to do."""

    title: str
    badge: Inline | None = None
    meta: Inline | None = None
    excerpt: Sequence[ExcerptLine | Gap] = ()
    strip: Block | None = None
    facts: Sequence[tuple[str, Inline]] = ()
    """what is known of it, each under a word or two"""
    more: Block | None = None
    do: Inline | None = None
    anchor: str = ""


def cards(shown: Sequence[Card]) -> Block:
    """Return the cards one under the other."""
    return Block(
        html="\n".join(_card_html(card) for card in shown),
        markdown="\n\n".join(_card_markdown(card) for card in shown),
    )


def _card_html(card: Card) -> str:
    lines = [
        ("gap", "", f"⋯ {plural(line.n_lines, 'line')}")
        if isinstance(line, Gap)
        else ("hit" if line.is_hit else "", line.number, _log_line(line.text))
        for line in card.excerpt
    ]
    return _draw(
        "card",
        title=words.one_line(card.title),
        anchor=re.sub(r"[^a-z0-9]+", "-", card.anchor.lower()).strip("-"),
        badge=_safe(card.badge),
        meta=_safe(card.meta),
        lines=lines,
        strip=_safe(card.strip),
        facts=[(words.one_line(name), _safe(told)) for name, told in card.facts],
        more=_safe(card.more),
        do=_safe(card.do),
    )


def _card_markdown(card: Card) -> str:
    head = join([Inline("", f"### {md.code_span(card.title)}"), card.badge], sep=" ")
    numbers = [line.number for line in card.excerpt if isinstance(line, ExcerptLine)]
    width = len(str(max(numbers, default=0)))
    lines = [
        f"{'':{width}}   ⋯ {plural(line.n_lines, 'line')}"
        if isinstance(line, Gap)
        else f"{line.number:{width}} {'>' if line.is_hit else ' '} {_log_line(line.text)}"
        for line in card.excerpt
    ]
    parts = [
        head.markdown,
        card.meta.markdown if card.meta else "",
        md.fence("\n".join(lines)) if lines else "",
        card.strip.markdown if card.strip else "",
        "\n".join(f"- {md.escape_text(name)}: {told.markdown}" for name, told in card.facts),
        card.more.markdown if card.more else "",
        f"**Do:** {card.do.markdown}" if card.do else "",
    ]
    return "\n\n".join(part for part in parts if part)


def _log_line(text: str) -> str:
    line = words.visible(text).replace("\n", " ").expandtabs(4).rstrip()
    return line if len(line) <= 300 else line[:299] + "…"


def details(summary: Any, blocks: Sequence[Block], *, is_open: bool = False) -> Block:
    """Return blocks behind a line that opens them; on paper they are open."""
    head = Inline.of(summary)
    inside = "\n\n".join(block.markdown for block in blocks)
    summary_line = f"<summary>{md.quiet_html(head.html)}</summary>"
    data: dict[str, Any] = {}
    for block in blocks:
        for mime, value in block.data.items():
            data[mime] = [*data[mime], *value] if mime in data and isinstance(value, list) else value
    return Block(
        html=_draw("details", summary=_safe(head), inside=[_safe(block) for block in blocks], is_open=is_open),
        markdown=f"<details{' open' if is_open else ''}>\n{summary_line}\n\n{inside}\n\n</details>",
        data=data,
    )


def findings(
    found: Sequence[Finding], *, limit: int = 10, none: str = "Nothing to do: no finding in this window."
) -> Block:
    """Return what to do, most urgent first, with evidence, n, method, certainty and price; all of it as data.

    Ranked by severity; within one severity the order given stays.
    """
    ranked = sorted(found, key=lambda finding: -finding.severity)
    data = {FINDINGS_MIME: [finding.to_json() for finding in ranked]}
    if not ranked:
        return Block(html=note(Inline.of(none)).html, markdown=md.escape_text(none), data=data)
    rest = f"… and {len(ranked) - limit:,} more in findings.json" if len(ranked) > limit else ""
    items = [_finding_pieces(finding) for finding in ranked[:limit]]
    return Block(
        html=_draw("findings", items=[{key: _safe(piece) for key, piece in item.items()} for item in items], rest=rest),
        markdown="\n".join(_finding_markdown(rank, item) for rank, item in enumerate(items, start=1))
        + (f"\n\n{md.escape_text(rest)}" if rest else ""),
        data=data,
    )


def _finding_pieces(finding: Finding) -> dict[str, Inline | None]:
    return {
        "badge": badge(finding.severity.name.lower(), _SEVERITY_TONES[finding.severity]),
        "subject": code(finding.subject),
        "claim": coded(finding.claim),
        "do": coded(finding.remedy) if finding.remedy else None,
        "meta": join(
            [
                f"{finding.verdict}, certainty {finding.certainty}",
                f"n = {finding.n:,}",
                _price_words(finding.price),
                finding.method,
            ]
        ),
        "evidence": join([link(piece.text, piece.url) for piece in finding.evidence]) if finding.evidence else None,
    }


def _finding_markdown(rank: int, item: Mapping[str, Inline | None]) -> str:
    def line(key: str, before: str = "") -> str:
        piece = item[key]
        return "" if piece is None else f"\n   {before}{piece.markdown}  "

    head = " ".join(piece.markdown for key in ("badge", "subject") if (piece := item[key]))
    return f"{rank}. {head}  " + line("claim") + line("do", "**Do:** ") + line("meta") + line("evidence", "Evidence: ")


def _price_words(price: Price) -> str:
    amounts = [
        words.minutes(price.minutes) if price.minutes is not None else "",
        f"{price.money_usd:,.2f} USD" if price.money_usd is not None else "",
        f"{words.minutes(price.people_minutes)} of people" if price.people_minutes is not None else "",
    ]
    told = ", ".join(amount for amount in amounts if amount)
    return f"{told} ({price.basis})" if told else ""


def _known(word: str, allowed: Mapping[str, Any]) -> str:
    """Return the word. Raises KeyError with the words there are, where it is none of them."""
    if word not in allowed:
        raise KeyError(f"{word!r} is none of {', '.join(allowed)}")
    return word
