"""Pieces of a line, as HTML and as Markdown at once: the only way a value gets into a sentence.

Templates are ours, values are strangers' text: a value is escaped for both forms unless it is an Inline.
"""

from __future__ import annotations

import html as html_escapes
import re
import string
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any
from urllib.parse import quote, urlsplit

from kotaci.report.markdown import code_span, escape_text
from kotaci.report.words import one_line

SYMBOLS = {"bad": "▲", "warn": "◐", "info": "◇", "calm": "○", "good": "●"}
"""The tones of the kit, and the sign that tells them apart without colour."""

_MARKS = re.compile(r"(\*\*|`)")


@dataclass(frozen=True)
class Inline:
    """A piece of a line that is safe in both forms."""

    html: str
    markdown: str

    @classmethod
    def of(cls, value: Any) -> Inline:
        """Return the value itself where it is an Inline, else its text, escaped; a dash where it is missing."""
        if isinstance(value, Inline):
            return value
        return cls(html=_escape(one_line(value)), markdown=escape_text(one_line(value)))


def sentence(template: str, **values: Any) -> Inline:
    """Return our own small Markdown (`**bold**`, `` `code` ``) with `{name}` filled in, as by str.format.

    Raises ValueError where a mark is not closed or a value stands inside `code` (use code() as the value), and
    KeyError where a value is missing.
    """
    html, markdown, opened = "", "", ""
    for literal, name, spec, _ in string.Formatter().parse(template):
        for part in _MARKS.split(literal):
            if part not in {"**", "`"} or (opened.endswith("`") and part != "`"):
                html, markdown = html + _escape(part), markdown + part
                continue
            tag = "b" if part == "**" else "code"
            is_closing = opened.endswith(part)
            html += f"</{tag}>" if is_closing else f"<{tag}>"
            markdown += part
            opened = opened.removesuffix(part) if is_closing else opened + part
        if name is None:
            continue
        if opened.endswith("`"):
            raise ValueError(f"{{{name}}} stands inside `code`; pass code(...) as the value: {template!r}")
        value = values[name]
        piece = Inline.of(format(value, spec) if spec else value)
        html, markdown = html + piece.html, markdown + piece.markdown
    if opened:
        raise ValueError(f"{opened[-1]!r} is not closed: {template!r}")
    return Inline(html=html, markdown=markdown)


def join(parts: Iterable[Any], *, sep: str = " · ") -> Inline:
    """Return the parts in a row; empty text and None are left out. `sep` is ours."""
    pieces = [Inline.of(part) for part in parts if part is not None and part != ""]
    return Inline(
        html=_escape(sep).join(piece.html for piece in pieces),
        markdown=sep.join(piece.markdown for piece in pieces),
    )


def code(text: Any) -> Inline:
    """Return the text as code."""
    return Inline(html=f"<code>{_escape(one_line(text))}</code>", markdown=code_span(one_line(text)))


def coded(text: str) -> Inline:
    """Return a sentence in which what stands between backticks is code; all of it may be a stranger's words."""
    parts = re.split(r"(\s?)`([^`]+)`(\s?)", one_line(text))
    html, markdown = "", ""
    for plain, before, within, after in zip_longest(parts[::4], parts[1::4], parts[2::4], parts[3::4], fillvalue=""):
        html += _escape(plain)
        # Behind a comma, for only the first part begins a line.
        markdown += escape_text(f",{plain}").removeprefix(",") if markdown else escape_text(plain)
        if within:
            html, markdown = (
                f"{html}{before}{code(within).html}{after}",
                f"{markdown}{before}{code(within).markdown}{after}",
            )
    return Inline(html=html, markdown=markdown)


def bold(text: Any) -> Inline:
    """Return the text, or Inline, in bold."""
    inner = Inline.of(text)
    return Inline(html=f"<b>{inner.html}</b>", markdown=f"**{inner.markdown}**")


def stacked(text: Any, remark: Any) -> Inline:
    """Return a piece with a quiet remark below it; beside it in Markdown, where a cell has one line."""
    above, below = Inline.of(text), Inline.of(remark)
    return Inline(html=f"{above.html}<small>{below.html}</small>", markdown=f"{above.markdown} · {below.markdown}")


def link(text: Any, url: Any) -> Inline:
    """Return a link; the plain text where the address is empty, missing or not plain http(s)."""
    inner, address = Inline.of(text), safe_url(url)
    if not address:
        return inner
    return Inline(html=f'<a href="{_escape(address)}">{inner.html}</a>', markdown=f"[{inner.markdown}]({address})")


def to_notebook(name: str) -> Inline:
    """Return a link to another notebook, which in a report leads to its report; only the name in Markdown."""
    return Inline(html=f'<a href="{_escape(name)}.ipynb">{_escape(name)}</a>', markdown=code(name).markdown)


def badge(text: Any, tone: str, symbol: str = "") -> Inline:
    """Return a word in a coloured pill with a sign; `tone` is a key of SYMBOLS. Raises KeyError for another."""
    inner, sign = Inline.of(text), symbol or SYMBOLS[tone]
    return Inline(
        html=f'<span class="k-badge k-{_escape(tone)}" data-s="{_escape(sign)}">{inner.html}</span>',
        markdown=f"{escape_text(sign)} {inner.markdown}",
    )


def safe_url(url: Any) -> str:
    """Return an http(s) address or a `#place` in this page with odd characters quoted; else nothing."""
    text = "" if not isinstance(url, str) else url.strip()
    if re.fullmatch(r"#[\w=-]+", text):
        return text
    try:
        parts = urlsplit(text)
    except ValueError:
        return ""
    if parts.scheme not in {"http", "https"} or not parts.hostname or re.search(r"[\s\\@]", parts.netloc):
        return ""
    return quote(text, safe="/:?#=&%+,~-._")


def _escape(text: str) -> str:
    return html_escapes.escape(text)
