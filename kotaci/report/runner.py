"""The strict notebook runner: checked parameters in, executed notebooks, pages, digests and findings out.

papermill executes, in this process and with this interpreter as the kernel, several notebooks at a time. What a
notebook shows is written even where it fails; nothing that looks like a secret in the environment is.
"""

from __future__ import annotations

import html
import json
import logging
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import nbformat
from markupsafe import escape

from kotaci.model import BadInput, Finding
from kotaci.report.digest import to_answer, to_digest, to_findings, to_page
from kotaci.report.export import Entry, to_html, to_index_html
from kotaci.report.markdown import escape_text
from kotaci.report.parameters import (
    SECRET_NAME,
    Notebook,
    Parameter,
    Value,
    check_parameters,
    read_node,
    read_notebook,
    read_notebooks,
    refuse_secret,
    unknown_parameter,
)
from kotaci.report.words import one_line

__all__ = [
    "Notebook",
    "Parameter",
    "Report",
    "check_parameters",
    "read_notebook",
    "read_notebooks",
    "run",
    "without_tokens",
]

_WITHHELD = re.compile(r"^(GH|GITHUB|ACTIONS|KOTACI)_", re.IGNORECASE)
_SHORTEST_SECRET = 8
# Over this length of folder, the kernel's socket files would not fit the 104 bytes that an address may have.
_LONGEST_SOCKET_FOLDER = 70


@dataclass(frozen=True)
class Report:
    """What one notebook gave: `error` is empty where it ran to its end, else the cell and the last line of it."""

    name: str
    question: str
    answer_markdown: str
    findings: Sequence[Finding]
    paths: Mapping[str, Path]
    """by kind: ipynb, html, md, findings"""
    error: str
    wall_s: float


Progress = Callable[[Notebook, Report | None], None]


def run(
    notebooks: Sequence[Notebook],
    *,
    parameters: Mapping[str, str],
    out: Path,
    jobs: int = 2,
    on_progress: Progress | None = None,
) -> list[Report]:
    """Execute the notebooks and write NAME.ipynb, .html, .md and .findings.json each, index.html and findings.json.

    A parameter goes to each notebook that has it. `on_progress` is called from one worker thread at a time: with
    None when a notebook starts, with its report when it is written. Cells tagged `interactive` are not executed.
    Reports come back in the order of the notebooks. Raises BadInput, before anything runs, for a parameter that
    no notebook has or that is of another type, and for a folder that cannot be written.
    """
    _check_names(notebooks)
    checked = _check_all(notebooks, parameters)
    for notebook in notebooks:
        if notebook.path.resolve().parent == out.resolve():
            raise BadInput(
                out, f"holds {notebook.path.name}, which would be overwritten", "choose another folder with --out"
            )
    _claim_folder(out)
    logging.getLogger("papermill").setLevel(logging.CRITICAL)
    # Imported here, in one thread: two seconds that only this command pays, and no race between the workers.
    import nbconvert  # noqa: F401
    import papermill  # noqa: F401

    lock = Lock()

    def tell(notebook: Notebook, report: Report | None) -> None:
        if on_progress is not None:
            with lock:
                on_progress(notebook, report)

    names = [notebook.name for notebook in notebooks]

    def work(pair: tuple[Notebook, Mapping[str, Value]]) -> tuple[Report, Entry, Mapping[str, str]]:
        notebook, values = pair
        tell(notebook, None)
        done = _run_one(notebook, values=values, out=out, beside=names)
        tell(notebook, done[0])
        return done

    with ThreadPoolExecutor(max_workers=max(1, jobs)) as pool:
        results = list(pool.map(work, zip(notebooks, checked, strict=True)))
    reports = [report for report, _, _ in results]
    about: Mapping[str, str] = next((page for _, _, page in results if page), {})
    _write(out / "index.html", to_index_html([entry for _, entry, _ in results], page=about))
    merged = {finding.id: finding for report in reports for finding in report.findings}
    _write(out / "findings.json", _findings_json(list(merged.values())))
    return reports


def _check_names(notebooks: Sequence[Notebook]) -> None:
    names = ["index", *(notebook.name for notebook in notebooks)]
    for notebook in notebooks:
        if names.count(notebook.name) > 1:
            raise BadInput(notebook.path, f"would write {notebook.name}.html twice", "give the notebook another name")


def _check_all(notebooks: Sequence[Notebook], given: Mapping[str, str]) -> list[dict[str, Value]]:
    known = {parameter.name: parameter for notebook in notebooks for parameter in notebook.parameters}
    for name, text in given.items():
        refuse_secret(name, text)
        if name not in known:
            raise unknown_parameter(name, known=known, of="of any notebook")
    return [
        check_parameters(notebook, {p.name: given[p.name] for p in notebook.parameters if p.name in given})
        for notebook in notebooks
    ]


def _claim_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise BadInput(out, f"cannot be written ({error.strerror})", "name another output folder") from None


def _run_one(
    notebook: Notebook, *, values: Mapping[str, Value], out: Path, beside: Sequence[str]
) -> tuple[Report, Entry, Mapping[str, str]]:
    began = time.monotonic()
    node, error = _execute(notebook, values)
    findings, answer = to_findings(node), to_answer(node)
    paths = {
        "ipynb": out / f"{notebook.name}.ipynb",
        "html": out / f"{notebook.name}.html",
        "md": out / f"{notebook.name}.md",
        "findings": out / f"{notebook.name}.findings.json",
    }
    _write(paths["ipynb"], nbformat.writes(node) + "\n")  # type: ignore[no-untyped-call]
    _write(paths["html"], to_html(node, name=notebook.name, question=notebook.question, error=error, beside=beside))
    _write(paths["md"], to_digest(node, error=error))
    _write(paths["findings"], _findings_json(findings))
    report = Report(
        name=notebook.name,
        question=notebook.question,
        answer_markdown=answer["markdown"],
        findings=findings,
        paths=paths,
        error=error,
        wall_s=time.monotonic() - began,
    )
    entry = Entry(
        name=notebook.name,
        question=notebook.question,
        answer_html=answer["html"],
        tone=answer["tone"],
        findings=findings,
        error=error,
    )
    return report, entry, to_page(node)


def _execute(notebook: Notebook, values: Mapping[str, Value]) -> tuple[Any, str]:
    """Return the executed notebook, free of secrets, clocks and machine paths, and why it stopped early, if so."""
    import papermill
    from jupyter_core.utils import ensure_event_loop
    from traitlets.config import Config

    source = read_node(notebook.path)
    with tempfile.TemporaryDirectory(prefix="kotaci-", ignore_cleanup_errors=True) as folder:
        room = Path(folder)
        work, saved, said = room / "work", room / "executed.ipynb", room / "kernel.log"
        work.mkdir()
        problem = ""
        try:
            papermill.execute_notebook(
                source,
                str(saved),
                parameters=dict(values),
                kernel_name="python3",
                language="python",
                progress_bar=False,
                kernel_manager_class=_kernel_manager(said),
                config=Config(
                    {
                        "KernelManager": {
                            "connection_file": str(room / "k.json"),
                            "transport": "ipc"
                            if os.name == "posix" and len(folder) < _LONGEST_SOCKET_FOLDER
                            else "tcp",
                        }
                    }
                ),
                resources={"metadata": {"path": str(work)}},
                skip_cells_with_tag="interactive",
                record_timing=False,
            )
        except papermill.PapermillExecutionError:
            pass  # Told below, from the notebook that papermill saved.
        except Exception as error:
            # Whatever else stops a kernel (it died, it never started) must not stop the other notebooks.
            last = said.read_text("utf-8", errors="replace").strip().splitlines() if said.exists() else []
            problem = f"{type(error).__name__}: {last[-1] if last else error}"
        finally:
            # nbclient opens one for each thread, and leaves it open.
            ensure_event_loop().close()
        node = _without_traces(read_node(saved) if saved.exists() else source)
    node = _redacted(node)
    return node, _redacted(_what_failed(node) or problem)


def without_tokens(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for a kernel: all but GitHub's tokens and ours, which no notebook needs."""
    return {
        name: text for name, text in environment.items() if not (SECRET_NAME.search(name) and _WITHHELD.match(name))
    }


def _kernel_manager(said: Path) -> type:
    """Return a kernel manager that starts this interpreter, whatever kernels are registered, and keeps it quiet.

    The kernel's own words go to the file `said`; GitHub's tokens stay out of its environment.
    """
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager

    class ThisInterpreter(AsyncKernelManager):
        @property
        def kernel_spec(self) -> KernelSpec:
            return KernelSpec(
                argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
                display_name="Python 3",
                language="python",
                name="python3",
            )

        async def _async_pre_start_kernel(self, **options: Any) -> Any:
            return await super()._async_pre_start_kernel(**{**options, "env": without_tokens(os.environ)})

        async def _async_launch_kernel(self, kernel_cmd: list[str], **options: Any) -> None:
            with said.open("wb") as log:
                await super()._async_launch_kernel(kernel_cmd, **options, stdout=log, stderr=subprocess.STDOUT)

    return ThisInterpreter


def _what_failed(node: Any) -> str:
    for cell in node.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "error" and not (output.ename == "SystemExit" and output.evalue in {"", "0"}):
                lines = output.evalue.strip().splitlines()
                return f"Cell {cell.id} failed: {output.ename}{': ' + one_line(lines[-1]) if lines else ''}"
    return ""


def _without_traces(node: Any) -> Any:
    """Return the notebook without papermill's clocks, paths and error banners, so the same data gives the same file."""
    node.cells = [cell for cell in node.cells if "papermill-error-cell-tag" not in cell.metadata.get("tags", [])]
    node.metadata.pop("papermill", None)
    for index, cell in enumerate(node.cells):
        cell.metadata.pop("papermill", None)
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.id = f"injected-parameters-{index}"
    return node


def _redacted(value: Any) -> Any:
    """Return text, or a notebook with all its texts, without the values of secrets that the environment holds.

    As they are and as our blocks, and print, write them; a value that a cell took apart or encoded is not found.
    """
    secrets = {
        written
        for name, text in os.environ.items()
        if SECRET_NAME.search(name) and len(text) >= _SHORTEST_SECRET
        for written in (text, html.escape(text), str(escape(text)), escape_text(text), repr(text)[1:-1], one_line(text))
    }
    return _replaced(value, sorted(secrets, key=len, reverse=True))


def _replaced(value: Any, secrets: Sequence[str]) -> Any:
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, "***")
        return value
    if isinstance(value, dict):
        for key in value:
            value[key] = _replaced(value[key], secrets)
    elif isinstance(value, list):
        value[:] = [_replaced(item, secrets) for item in value]
    return value


def _findings_json(findings: Sequence[Finding]) -> str:
    return json.dumps([finding.to_json() for finding in findings], indent=1, ensure_ascii=False) + "\n"


def _write(path: Path, text: str) -> None:
    """Write the text so that a reader sees the old file or the new one, never half of it."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
