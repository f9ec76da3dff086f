"""`kotaci lab`: JupyterLab on the user's own copies of the notebooks, with the store at hand."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from kotaci.cli.terminal import err, progress, store_option
from kotaci.model import BadInput, Repo
from kotaci.places import ENVIRONMENT, default_repo, notebooks_folder

FIRST = "ci_health.ipynb"
"""The notebook that is open when JupyterLab comes up."""

PATIENCE_S = 20
"""How long JupyterLab may take to end its kernels before it is ended itself."""


@click.command("lab")
@click.argument("folder", type=click.Path(path_type=Path), default=Path("kotaci-notebooks"))
@click.option("--repo", default="", help="owner/name; without it the only one in the store.")
@click.option("--sample", "is_sample", is_flag=True, help="The bundled sample instead of the store.")
@click.option("--no-browser", is_flag=True, help="Only print the address.")
@click.option("--port", type=click.IntRange(0, 65535), default=None, help="Port; 0 takes a free one.  [default: 8888]")
@click.option("--with-token", is_flag=True, help="Leave GitHub's tokens to the notebooks, so that they can fetch.")
@store_option
def lab_command(
    *, folder: Path, repo: str, is_sample: bool, no_browser: bool, port: int | None, with_token: bool, store_path: Path
) -> None:
    """Open the notebooks in JupyterLab; Ctrl-C ends it.

    FOLDER gets your own copies of them (without it: kotaci-notebooks). A copy that you changed is never overwritten:
    a newer version is put beside it. GitHub's tokens are withheld from JupyterLab, whose kernels need them only to
    fetch: whatever runs in a notebook can read what --with-token leaves there.
    """
    from kotaci.facts import build_facts, read_history
    from kotaci.report.runner import without_tokens
    from kotaci.sample import SAMPLE, open_sample
    from kotaci.store import open_store

    if importlib.util.find_spec("jupyterlab") is None:
        raise BadInput("jupyterlab", "is not installed", "install it with: pip install 'kotaci[lab]'")
    asked = repo or default_repo(ENVIRONMENT)
    name = str(Repo.parse(asked)) if asked else ""
    with open_sample() if is_sample or str(store_path) == SAMPLE else open_store(store_path) as store:
        with progress("tables") as tell:
            build_facts(store, on_progress=tell)
        repos = store.repos()
        if name:
            name = read_history(store, repo=name, tables=[]).repo
        path = store.path.resolve()
    for sentence in copy_notebooks(notebooks_folder(), folder):
        err.print(sentence)
    if not name and len(repos) > 1:
        err.print(f"The store holds {len(repos)} repositories: set `repo` in a notebook, or start with --repo.")
    environment = {
        **(ENVIRONMENT if with_token else without_tokens(ENVIRONMENT)),
        "KOTACI_STORE": str(path),
        # Else a kernel of the same name that is registered for the user would win over this interpreter's.
        "JUPYTER_PREFER_ENV_PATH": "1",
    }
    if name:
        environment["KOTACI_REPO"] = name
    if environment.get("KOTACI_CONFIG"):
        environment["KOTACI_CONFIG"] = str(Path(environment["KOTACI_CONFIG"]).expanduser().resolve())
    err.print(f"JupyterLab opens {folder.resolve()} on the store {path}; Ctrl-C ends it.")
    _serve(_command(folder, no_browser=no_browser, port=port), environment)


def _command(folder: Path, *, no_browser: bool, port: int | None) -> list[str]:
    words = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder.resolve()}", "--log-level=WARN"]
    words += ["--LabApp.log_level=WARN", f"--LabApp.default_url=/lab/tree/{FIRST}"]
    if no_browser:
        words.append("--no-browser")
    if port is not None:
        words.append(f"--ServerApp.port={port}")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        # In a container there is often no other user.
        words.append("--allow-root")
    return words


def _serve(command: Sequence[str], environment: Mapping[str, str]) -> None:
    """Run JupyterLab until it ends or this process is told to; leave no process behind. Raises BadInput."""
    with _stop_signals():
        # In a session of its own, Ctrl-C reaches us alone, and JupyterLab is ended in order.
        process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, start_new_session=True)
        try:
            code = process.wait()
        except KeyboardInterrupt:
            code = 0
        finally:
            _end(process)
    if code:
        raise BadInput("jupyterlab", f"ended with code {code}", "what it said stands above; try another --port")


@contextmanager
def _stop_signals() -> Iterator[None]:
    """Let a hang-up and a request to end do what Ctrl-C does."""
    signals = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.signal(number, signal.default_int_handler) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(timeout=PATIENCE_S)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        process.kill()
        process.wait()


def copy_notebooks(source: Path, folder: Path) -> list[str]:
    """Copy the notebooks of `source` into `folder` and return what was done, one sentence each.

    A copy carries the digest of the cells that it was made from; where its own cells have another, its user changed
    it, and it stays as it is. Outputs are no change. Raises BadInput for a folder that cannot be one.
    """
    if folder.resolve() == source.resolve():
        raise BadInput(folder, "holds kotaci's own notebooks", "name another folder for your copies")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(folder, f"cannot be made ({error.strerror})", "name another folder") from None
    said, n_copied = list[str](), 0
    for original in sorted(source.glob("*.ipynb")):
        node = json.loads(original.read_text("utf-8"))
        digest = _digest(node)
        node["metadata"]["kotaci"] = {"copied": digest}
        target = folder / original.name
        state = _state(target, digest)
        if state == "behind its user":
            target = folder / f"{original.stem}-new-{digest[:8]}.ipynb"
            if target.exists():
                continue
            said.append(f"{original.name} is changed by you and stays; the newer version is {target.name} beside it.")
        elif state == "as it is":
            continue
        n_copied += 1
        _write(target, json.dumps(node, indent=1, ensure_ascii=False) + "\n")
    if n_copied:
        said.append(f"Copied {n_copied} {'notebook' if n_copied == 1 else 'notebooks'} to {folder.resolve()}.")
    return said


def _state(copy: Path, digest: str) -> str:
    """Return what to do with a copy: `to write`, `as it is`, or `behind its user`, who changed an older version."""
    if not copy.exists():
        return "to write"
    try:
        node = json.loads(copy.read_text("utf-8"))
        now, then = _digest(node), node["metadata"].get("kotaci", {}).get("copied", "")
    except (ValueError, KeyError, TypeError, AttributeError):
        return "behind its user"
    if digest in {now, then}:
        return "as it is"
    return "to write" if now == then else "behind its user"


def _digest(node: Mapping[str, Any]) -> str:
    cells = [[cell["cell_type"], "".join(cell["source"])] for cell in node["cells"]]
    return hashlib.blake2b(json.dumps(cells).encode(), digest_size=16).hexdigest()


def _write(path: Path, text: str) -> None:
    """Write the text so that a reader, and a start that is stopped, sees the old file or the new one."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8", newline="\n")
    part.replace(path)
