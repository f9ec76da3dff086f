"""The page in a real browser: strangers' text is only text, nothing is asked of anybody, and it fits a phone."""

import json
from pathlib import Path
from typing import Any

import pytest

from kotaci.report.export import clean_html
from kotaci.report.runner import read_notebooks, run

SHOW = """from kotaci.report import blocks, charts
from kotaci.report.blocks import Card, Col, ExcerptLine, StripCell, Tile, code, link, sentence
from kotaci.model import Certainty, Finding, Link, Severity
from IPython.display import HTML, Javascript, Markdown, display
import json, pandas as pd
names = json.loads(hostile)"""
CELLS = [
    ("title", "# Whose words are these?"),
    ("parameters", 'hostile: str = "[]"  # names as JSON', "parameters"),
    ("setup", SHOW),
    ("page", "blocks.page(repo=names[0], scope=names[1], window=names[2], as_of=None, version=names[3])"),
    ("answer", "blocks.answer(sentence('**{n}** {x}', n=len(names), x=code(' '.join(names))), tone='bad')"),
    ("tiles", "blocks.tiles([Tile(name, name, name) for name in names])"),
    ("h-table", "## A table\n\nOf names."),
    (
        "table",
        (
            "frame = pd.DataFrame({'job': names, 'url': names, 'n': range(len(names))})\n"
            "blocks.table(frame, [Col('job', link='url'), Col('job', 'again', kind='code'), Col('n', kind='number'), "
            "Col('job', 'verdict', kind='badge')])"
        ),
    ),
    (
        "cards",
        (
            "blocks.cards([Card(n, blocks.badge(n, 'bad'), sentence('{n}', n=n), [ExcerptLine(1, n * 9, True)], "
            "blocks.strip([StripCell('failed', n)] * 40, caption=n), [(n, sentence('{n}', n=n))], "
            "anchor=n) for n in names])"
        ),
    ),
    (
        "chart",
        (
            "at = pd.Timestamp('2026-11-02', tz='UTC')\n"
            "cells = pd.DataFrame({'job': names, 'period_at': at, 'n': 9, 'n_failed': 3})\n"
            "charts.plot_heat(cells, title=names[1])"
        ),
    ),
    (
        "actions",
        (
            "blocks.findings([Finding(n, n, n, n, n, Certainty.LOW, Severity.LOW, 1, n, n, evidence=(Link(n, n),)) "
            "for n in names])"
        ),
    ),
    ("details", "blocks.details(names[0], [blocks.note(sentence('{x}', x=names[1]))])"),
    ("h-raw", "## Raw\n\nWhat slips past the blocks."),
    ("raw", "for name in names: display(HTML(name), Markdown(name), Javascript('alert(4)'), name, frame)"),
    ("print", "for name in names: print(name)"),
]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, hostile: list[str]) -> Path:
    """Return the address of a report on hostile names."""
    import nbformat

    folder = tmp_path_factory.mktemp("export")
    node = nbformat.v4.new_notebook()
    for cell_id, source, *tags in CELLS:
        new = nbformat.v4.new_markdown_cell if source.startswith("#") else nbformat.v4.new_code_cell
        node.cells.append(new(source, id=cell_id, metadata={"tags": tags} if tags else {}))
    nbformat.write(node, folder / "hostile.ipynb")
    given = {"hostile": json.dumps(hostile)}
    [report] = run(read_notebooks(folder), parameters=given, out=folder / "out", jobs=1)
    assert report.error == ""
    return report.paths["html"]


class Visit:
    """One look at a page: what it asked for, whether a dialog came up, what the console said."""

    def __init__(self, browser: Any, path: Path, **options: Any) -> None:
        self.asked: list[str] = []
        self.dialogs: list[str] = []
        self.tab = browser.new_page(**options)
        self.tab.on("request", lambda request: self.asked.append(request.url))
        self.tab.on("dialog", lambda dialog: (self.dialogs.append(dialog.message), dialog.dismiss()))
        self.tab.goto(path.as_uri(), wait_until="load")

    @property
    def outside(self) -> list[str]:
        """The addresses that are neither this file nor within it."""
        return [url for url in self.asked if not url.startswith(("file:", "data:"))]


@pytest.mark.browser
def test_hostile_names_do_nothing(browser: Any, page: Path, hostile: list[str]) -> None:
    visit = Visit(browser, page)
    assert visit.outside == []
    assert visit.dialogs == []
    tab = visit.tab
    assert tab.locator("script, iframe, object, embed, form, input, link, svg, [onerror], [onload]").count() == 0
    assert tab.locator("a[href^='javascript:'], a[href^='data:']").count() == 0
    assert tab.locator("main > p.k-crumb span").all_inner_texts()[0] == hostile[0]
    assert tab.locator("#cell-id\\=table tbody tr").count() == len(hostile)
    assert tab.locator("#cell-id\\=table th").all_inner_texts() == ["job", "again", "n", "verdict"]
    assert tab.locator("#cell-id\\=cards article.k-card").count() == len(hostile)
    assert tab.locator("#cell-id\\=chart img").evaluate("image => image.naturalWidth") > 500
    assert tab.locator("h2").all_inner_texts() == ["A table", "Raw"]
    assert tab.locator("#cell-id\\=title h1").inner_text() == "Whose words are these?"
    assert tab.locator("#cell-id\\=cards h3").nth(0).inner_text() == hostile[0]
    tab.close()


@pytest.mark.browser
def test_the_overview_is_as_safe(browser: Any, page: Path) -> None:
    visit = Visit(browser, page.with_name("index.html"))
    assert visit.outside == []
    assert visit.dialogs == []
    assert visit.tab.locator("script, iframe, img, svg, h1").count() == 1
    assert visit.tab.locator("article a").all_inner_texts() == ["Whose words are these?"]
    visit.tab.locator("article a").click()
    assert visit.tab.locator("h1").first.inner_text() == "Whose words are these?"
    visit.tab.close()


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1000])
@pytest.mark.parametrize("name", ["hostile.html", "index.html"])
def test_no_page_scrolls_sideways(browser: Any, page: Path, width: int, name: str) -> None:
    visit = Visit(browser, page.with_name(name), viewport={"width": width, "height": 800})
    assert visit.tab.evaluate("document.documentElement.scrollWidth") <= width
    visit.tab.close()


@pytest.mark.browser
def test_dark_and_paper(browser: Any, page: Path) -> None:
    visit = Visit(browser, page, color_scheme="dark")
    tab = visit.tab
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(15, 19, 24)"
    light = tab.locator("#cell-id\\=chart img").get_attribute("src")
    assert tab.locator("#cell-id\\=chart img").evaluate("image => image.currentSrc") != light
    assert not tab.locator("#cell-id\\=details .k-note").is_visible()
    tab.emulate_media(media="print", color_scheme="light")
    assert tab.locator("#cell-id\\=details .k-note").is_visible()
    assert tab.evaluate("getComputedStyle(document.querySelector('.k-card')).breakInside") == "avoid"
    tab.close()


@pytest.mark.parametrize(
    ("html", "kept"),
    [
        ('<h2 id="x" onclick="y">a</h2><script>b</script>', '<h2 id="x">a</h2>'),
        ('<img src="https://evil.test/x.png" alt="a">', '<img alt="a">'),
        ('<img src="data:image/png;base64,AAAA">', '<img src="data:image/png;base64,AAAA">'),
        ('<img src="data:text/html;base64,AAAA">', "<img>"),
        ('<source srcset="https://evil.test/x 2x">', "<source>"),
        ('<a href="data:image/png;base64,AAAA">a</a>', '<a rel="noopener noreferrer">a</a>'),
        ('<a href="#cell-id=answer">a</a>', '<a href="#cell-id=answer" rel="noopener noreferrer">a</a>'),
        ('<p style="position:fixed">a</p><style>b{}</style>', "<p>a</p>"),
        ('<table><thead><tr><th scope="col">a</th></tr></thead></table>',) * 2,
        ("<details open><summary>a</summary>b</details>", '<details open=""><summary>a</summary>b</details>'),
        ('<i class="k-ok" title="&lt;b&gt;"></i>', '<i class="k-ok" title="<b>"></i>'),
    ],
)
def test_only_what_is_allowed_is_kept(html: str, kept: str) -> None:
    assert str(clean_html(html)).replace("&lt;b&gt;", "<b>") == kept


@pytest.mark.parametrize("address", ["ci_health.ipynb", "../ci_health.ipynb", "javascript:ci_health.ipynb", "x.ipynb"])
def test_a_link_to_a_notebook_leads_to_its_report_where_there_is_one(address: str) -> None:
    html = str(clean_html(f'<a href="{address}">x</a>', beside=["ci_health"]))
    assert ('href="ci_health.html"' in html) == (address == "ci_health.ipynb")
    assert "ipynb" not in html
    assert "href" not in str(clean_html('<a href="ci_health.ipynb">x</a>'))
