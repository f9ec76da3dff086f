"""`kotaci config`: which configuration is in force, key by key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kotaci.cli.terminal import err, store_option
from kotaci.model import Repo
from kotaci.places import ENVIRONMENT, default_repo

if TYPE_CHECKING:
    from kotaci.config import Config
    from kotaci.store import Store


def config_option(command: Any) -> Any:
    """Add --config, the same for every command that has it."""
    return click.option(
        "--config",
        "config_path",
        default="",
        metavar="FILE",
        show_default="KOTACI_CONFIG, else the one stored with the repository, else .github/kotaci.toml here or above",
        help="Configuration file.",
    )(command)


@click.command("config")
@click.option("--repo", default="", help="owner/name; without it the only one in the store.")
@config_option
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@store_option
def config_command(*, repo: str, config_path: str, as_json: bool, store_path: Path) -> None:
    """Check the configuration, and tell every key with its value and where that is from."""
    config = config_here(store_path=store_path, repo=repo, config_path=config_path)
    settings = config.settings()
    if as_json:
        entries = [{"key": one.key, "value": one.value, "from": one.origin} for one in settings]
        click.echo(json.dumps(entries, indent=1, default=str))
        return
    n_set = sum(one.origin != "default" for one in settings)
    err.print(f"In force: {config.source}, {n_set} keys set." if n_set else "In force: the defaults.")
    rows = [("key", "value", "from"), *((one.key, _shown(one.value), one.origin) for one in settings)]
    widths = [max(len(row[place]) for row in rows) for place in (0, 1)]
    for key, value, origin in rows:
        click.echo(f"{key:<{widths[0]}}  {value:<{widths[1]}}  {origin}")


def config_here(*, store_path: Path, repo: str, config_path: str) -> Config:
    """Return the configuration in force for a command that is run here. Raises BadInput."""
    from kotaci.config import config_in_force
    from kotaci.store import open_store

    asked = repo or default_repo(ENVIRONMENT)
    name = str(Repo.parse(asked)) if asked else ""
    told: dict[str, Any] = {"told": config_path, "environment": ENVIRONMENT, "folder": Path.cwd()}
    if (store_path / "index.sqlite").is_file():
        with open_store(store_path) as store:
            return config_in_force(**told, store=store, repo=name or _only_one(store))
    return config_in_force(**told)


def _only_one(store: Store) -> str:
    repos = store.repos()
    if len(repos) > 1:
        err.print(f"{store.path} holds {len(repos)} repositories, whose own files are left out; choose one with --repo")
    return repos[0] if len(repos) == 1 else ""


def _shown(value: Any) -> str:
    """Return a value in a few words on one line."""
    from kotaci.report.words import one_line

    if value is None or value in ("", [], ()):
        return "none"
    if isinstance(value, list | tuple):
        parts = (
            (f"{entry['on']} {entry['text']}" if "on" in entry else entry["id"] for entry in value if entry)
            if (isinstance(value[0], dict))
            else value
        )
        return one_line(", ".join(parts), width=60)
    return one_line(f"{value:g}" if isinstance(value, float) else value, width=60)
