"""The notebooks on the bundled sample, executed for real and opened in a real Chromium; then on hostile names."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from matplotlib.image import imread

from kotaci.analysis.health import assess_health
from kotaci.facts import History, build_facts, read_history
from kotaci.places import notebooks_folder, sample_folder
from kotaci.report.runner import Report, read_notebooks, run
from kotaci.store import Batch, Log, open_store
from tests.builders import AT, REPO, job_log, job_payload, run_payload, script, set_up, write_all

TRUTHS = json.loads((sample_folder() / "truths.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def history(sample: Path) -> History:
    """The sample's tables."""
    tables = (
        "runs",
        "jobs",
        "steps",
        "setups",
        "failures",
        "annotations",
        "commits",
        "workflow_jobs",
        "caches",
        "artifacts",
    )
    return read_history(sample, tables=tables)


def truth(kind: str) -> dict[str, Any]:
    """Return the one planted truth of that kind."""
    (found,) = [entry for entry in TRUTHS["truths"] if entry["kind"] == kind]
    return found


def test_counts_are_those_of_the_truths(history: History) -> None:
    runs, jobs, counts = history["runs"], history["jobs"], TRUTHS["counts"]
    assert runs["run_id"].nunique() == counts["runs"]
    assert len(runs) == counts["attempts"]
    assert len(jobs) == counts["jobs"]
    assert (jobs["outcome"] == "failure").sum() == counts["failed_jobs"]
    assert (jobs["outcome"] == "cancelled").sum() == counts["cancelled_jobs"]
    assert (jobs["log_state"] == "present").sum() == counts["logs"]


def test_every_commit_that_ran_is_known_with_its_jobs(history: History) -> None:
    shas = set(history["runs"]["head_sha"])
    assert shas <= set(history["commits"]["commit_sha"])
    known = history["jobs"]["is_downstream"].notna()
    assert known.all()


def test_what_fell_silent_is_found(history: History) -> None:
    health = assess_health(history["runs"], history["jobs"], as_of=history.as_of, default_branch=history.default_branch)
    silent = [finding.subject for finding in health.findings if finding.kind == "silent-workflow"]
    assert silent == [Path(truth("silent_workflow")["where"]["workflow"]).name]
    masked = {finding.subject.rpartition(" / ")[2] for finding in health.findings if finding.kind == "masked-job"}
    assert masked == {truth("masked_job")["where"]["job"]}
    assert int(health.workflows["n_superseded"].sum()) == len(truth("superseded")["run_ids"])


def test_reports_are_whole(sample_reports: dict[str, Report]) -> None:
    for report in sample_reports.values():
        assert report.error == ""
        assert {path.suffix for path in report.paths.values()} == {".ipynb", ".html", ".md", ".json"}
        page = report.paths["html"].read_text(encoding="utf-8")
        assert report.question in page
        assert "http-equiv" in page
        assert len(report.paths["md"].read_text(encoding="utf-8")) <= 65_536


@pytest.mark.browser
@pytest.mark.parametrize("width", [1100, 390])
def test_no_request_and_no_sideways_scroll(sample_reports: dict[str, Report], browser: Any, width: int) -> None:
    folder = next(iter(sample_reports.values())).paths["html"].parent
    pages = sorted(folder.glob("*.html"))
    assert len(pages) == len(sample_reports) + 1
    for path in pages:
        told = look_at(browser, path, width=width)
        assert told == {"requests": [], "dialogs": [], "overflows": False, "titles": 1}, path.name


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_is_cut_has_a_shadow_at_its_edge(sample_reports: dict[str, Report], browser: Any, scheme: str) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 800}, color_scheme=scheme)
    page.goto(next(iter(sample_reports.values())).paths["html"].parent.joinpath("failure_triage.html").as_uri())
    for selector in (".k-scroll", ".k-card pre"):
        cut = [box for box in page.locator(selector).all() if box.evaluate("box => box.scrollWidth > box.clientWidth")]
        box = cut[0]
        before = edges(box)
        box.evaluate("box => { box.scrollLeft = box.scrollWidth }")
        after = edges(box)
        assert before[1] != after[1], "the shadow is at the right until there is nothing more"
        assert before[0] != after[0], "and at the left from then on"
    page.close()


def edges(box: Any) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the colours at the left and right edge of an element, in its lowest row that holds no text."""
    row = imread(io.BytesIO(box.screenshot()), format="png")[-5]
    return tuple(row[3].tolist()), tuple(row[-4].tolist())


def look_at(browser: Any, path: Path, *, width: int = 1100) -> dict[str, Any]:
    """Open the page and return what it asked for, what popped up, and whether it scrolls sideways."""
    context = browser.new_context(viewport={"width": width, "height": 900})
    page = context.new_page()
    requests: list[str] = []
    dialogs: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.goto(path.as_uri())
    overflows = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    titles = page.locator("h1").count()
    context.close()
    outside = [url for url in requests if not url.startswith(("file:", "data:"))]
    return {"requests": outside, "dialogs": dialogs, "overflows": overflows, "titles": titles}


@pytest.mark.browser
def test_hostile_names_are_harmless(hostile: list[str], browser: Any, tmp_path: Path) -> None:
    store = open_store(tmp_path / "store", create=True)
    write_all(store, *(hostile_batch(number, text) for number, text in enumerate(hostile, start=1)))
    build_facts(store)
    done = run(read_notebooks(notebooks_folder()), parameters={"store": str(store.path)}, out=tmp_path / "out")
    assert {report.name: report.error for report in done} == dict.fromkeys(
        ["build_time", "cache_analysis", "ci_health", "failure_triage", "flaky_tests", "workflow_audit"], ""
    )
    for path in sorted((tmp_path / "out").glob("*.html")):
        assert look_at(browser, path) == {"requests": [], "dialogs": [], "overflows": False, "titles": 1}, path.name


def hostile_batch(number: int, text: str) -> Batch:
    """One failed run whose workflow, branch, job, step, title and log lines are a stranger's words."""
    at = AT + timedelta(hours=number)
    steps = [set_up(job=text), script(2, text.replace("\n", " "), *text.split("\n"), exit_code=1)]
    run_named = run_payload(
        number, at=at, conclusion="failure", head_branch=text, display_title=text, name=text, path=f"{text}.yml"
    )
    job_named = job_payload(number, 1, number, at=at, conclusion="failure", name=text, runner_name=text)
    log = Log(number, 1, number, at, job_log(steps, at=at).encode())
    return Batch(REPO, "api", [run_named, job_named], [log])


def test_plain_papermill_works_with_the_defaults(tmp_path: Path) -> None:
    environment = {**os.environ, "KOTACI_STORE": str(tmp_path / "none")}
    words = ["papermill", str(notebooks_folder() / "failure_triage.ipynb"), "out.ipynb", "-p", "since", "30d"]
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "30 days" in (tmp_path / "out.ipynb").read_text(encoding="utf-8")
