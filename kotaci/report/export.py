"""An executed notebook → one HTML file that needs nothing else, runs nothing, and asks nobody for anything.

Two walls against strangers' text that slipped through a cell: an allow-list of tags and attributes, and a
content policy that forbids scripts and the network even if the first had a hole.
"""

from __future__ import annotations

import copy
import logging
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jinja2
import nh3
from markupsafe import Markup

from kotaci.model import Finding, Severity, plural
from kotaci.report.blocks import PAGE_MIME, Inline, badge
from kotaci.report.digest import to_page

TEMPLATES = Path(__file__).parent / "template"

_TAGS = frozenset(
    [
        "a",
        "article",
        "b",
        "blockquote",
        "br",
        "code",
        "dd",
        "del",
        "details",
        "div",
        "dl",
        "dt",
        "em",
        "figcaption",
        "figure",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "i",
        "img",
        "kbd",
        "li",
        "ol",
        "p",
        "picture",
        "pre",
        "s",
        "section",
        "small",
        "source",
        "span",
        "strong",
        "sub",
        "summary",
        "sup",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
        "ul",
    ]
)
_ATTRIBUTES: Mapping[str, set[str]] = {
    "*": {"class", "title", "id", "aria-label", "data-n", "data-s", "role", "tabindex"},
    "a": {"href"},
    "img": {"src", "alt", "width", "height"},
    "source": {"srcset", "media"},
    "details": {"open"},
    "th": {"scope", "colspan", "rowspan"},
    "td": {"colspan", "rowspan"},
    "ol": {"start"},
}
_PICTURE = re.compile(r"data:image/(?:svg\+xml|png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]*")
_HIDDEN_TAGS = {"interactive", "papermill-error-cell-tag"}


def clean_html(html: Any, *, beside: Collection[str] = ()) -> Markup:
    """Return HTML with only harmless tags and attributes; pictures only from within the page.

    A link to a notebook leads to its report where that lies beside the page: `beside` are the notebooks' names.
    """

    def keep(_tag: str, name: str, value: str) -> str | None:
        notebook = re.fullmatch(r"(\w+)\.ipynb", value) if name == "href" else None
        if notebook:
            return f"{notebook[1]}.html" if notebook[1] in beside else None
        return _keep_attribute(name, value)

    cleaned = nh3.clean(
        str(html),
        tags=set(_TAGS),
        attributes={tag: set(names) for tag, names in _ATTRIBUTES.items()},
        attribute_filter=keep,
        url_schemes={"http", "https", "data"},
    )
    return Markup(cleaned)  # noqa: S704


def _keep_attribute(name: str, value: str) -> str | None:
    if name in {"src", "srcset"}:
        return value if _PICTURE.fullmatch(value) else None
    if name == "href":
        return value if re.match(r"(?:https?://|#)", value) else None
    return value


def to_html(node: Any, *, name: str, question: str, error: str, beside: Collection[str] = ()) -> str:
    """Return the page of an executed notebook; `error` is shown above it where it did not run to its end.

    `beside` names the notebooks whose reports lie in the same folder.
    """
    # nbconvert takes two seconds to import, and only this function needs it.
    from nbconvert import HTMLExporter

    quiet = logging.getLogger(f"{__name__}.nbconvert")
    quiet.setLevel(logging.CRITICAL)
    exporter = HTMLExporter(  # type: ignore[no-untyped-call]
        template_name="kotaci",
        extra_template_basedirs=[str(TEMPLATES)],
        log=quiet,
        sanitize_html=True,
        exclude_input=True,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        exclude_anchor_links=True,
    )
    exporter.register_filter("clean_html", partial(clean_html, beside=beside))  # type: ignore[no-untyped-call]
    about = to_page(node)
    shown = {"name": name, "question": question, "error": error, "page": about}
    html, _ = exporter.from_notebook_node(_shown(node), resources={"kotaci": shown})
    return str(html)


def _shown(node: Any) -> Any:
    """Return a copy with only what a page shows: no widgets, no interactive cells, no chatter, no tracebacks."""
    kept = copy.deepcopy(node)
    kept.metadata.pop("widgets", None)
    kept.cells = [cell for cell in kept.cells if not _HIDDEN_TAGS & set(cell.metadata.get("tags", []))]
    for cell in kept.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if _is_shown(output)]
    return kept


def _is_shown(output: Any) -> bool:
    if output.output_type == "error" or (output.output_type == "stream" and output.name == "stderr"):
        return False
    return PAGE_MIME not in output.get("data", {})


@dataclass(frozen=True)
class Entry:
    """One report in the overview: the answer is an Inline's HTML; `error` is empty where it is complete."""

    name: str
    question: str
    answer_html: str
    tone: str
    findings: Sequence[Finding]
    error: str


def to_index_html(entries: Sequence[Entry], *, page: Mapping[str, str]) -> str:
    """Return the overview page over all reports: question, answer, findings by severity, link."""
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True)
    rows = [
        (entry, clean_html(entry.answer_html), Markup(" ".join(_counts(entry.findings))))  # noqa: S704
        for entry in entries
    ]
    return environment.get_template("index.html.j2").render(rows=rows, page=page) + "\n"


def _counts(found: Sequence[Finding]) -> list[str]:
    tones = {Severity.HIGH: "bad", Severity.MEDIUM: "warn", Severity.LOW: "calm"}
    counts = {severity: sum(finding.severity == severity for finding in found) for severity in tones}
    pills = [badge(f"{n} {severity.name.lower()}", tones[severity]).html for severity, n in counts.items() if n]
    return pills or [Inline.of(plural(0, "finding")).html]
