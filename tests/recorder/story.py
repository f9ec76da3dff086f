"""What happened to example/kvstore in ninety days: pull requests, commits and incidents, as plain data."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from .render import at_utc
from .repository import Edit

SINCE = at_utc("2026-08-25 00:00")
UNTIL = at_utc("2026-11-22 23:59")
MAINTAINER = "kvstore-maintainer"
CONTRIBUTOR = "kvstore-contributor"
DEPENDABOT = "dependabot[bot]"
STABLE_CHANGES = at_utc("2026-09-29 00:00")
IMAGE_CHANGES = at_utc("2026-10-06 00:00")
DOCS_STOP = at_utc("2026-11-02 00:00")


@dataclass(frozen=True)
class Push:
    """Commits that reach a branch together; `update` merges the base into the branch first."""

    at: datetime
    message: str
    edit: Edit
    is_update: bool = False


@dataclass(frozen=True)
class Pull:
    """A pull request against develop."""

    number: int
    branch: str
    author: str
    title: str
    pushes: tuple[Push, ...]
    merged_at: datetime | None


@dataclass(frozen=True)
class Direct:
    """A commit on develop without a pull request; `label` names it for the truths."""

    at: datetime
    message: str
    edit: Edit
    label: str = ""
    author: str = MAINTAINER


@dataclass(frozen=True)
class Promotion:
    """Develop is merged into main and tagged."""

    at: datetime
    version: str


_BAD = {"fmt": "fmt", "clippy": "clippy", "type": "type-error"}


def read_pulls(path: Path) -> tuple[Pull, ...]:
    """Reads the pull requests.

    `pushes` holds "minutes after opening:what it is", separated by spaces: ok, a mistake (fmt, clippy, type), its
    repair (fixed), or a merge of the base (update). `path` gets `words` at its head.
    """
    with path.open(newline="") as file:
        return tuple(_pull(row) for row in csv.DictReader(file))


def _pull(row: dict[str, str]) -> Pull:
    number, branch, path, words = int(row["number"]), row["branch"], row["path"], row["words"]
    start, hours = at_utc(row["opened"]), float(row["merged_after_h"] or 0)
    author = DEPENDABOT if branch.startswith("dependabot") else CONTRIBUTOR if number % 3 else MAINTAINER
    title = f"{branch.rsplit('/', 1)[1].replace('-', ' ')}: {words[:44].rstrip(' ,.')}"
    first = Edit(page=((path, f"# {words}\n"),)) if path.startswith("docs/") else Edit(reword=((path, words),))
    if branch.startswith("dependabot"):
        title, first = "ci: bump actions/checkout from 6 to 7", Edit(patches=("checkout-v7",))
    made: list[Push] = []
    wrong = ""
    for minutes, kind in (item.split(":") for item in row["pushes"].split()):
        at, message = start + timedelta(minutes=int(minutes)), title
        edit = first if not made else Edit(page=((f"docs/notes/{number}.md", f"# Notes on {number}\n\n{len(made)}\n"),))
        if kind in _BAD:
            wrong = _BAD[kind]
            edit = Edit(patches=(wrong,), reword=edit.reword)
        elif kind == "fixed":
            edit, message = (
                Edit(patches=(f"-{wrong}",)),
                f"make {'rustfmt' if wrong == 'fmt' else 'clippy'} content",
            )
        elif made:
            message = f"notes on {number}"
        made.append(Push(at, message, edit, kind == "update"))
    return Pull(number, branch, author, title, tuple(made), start + timedelta(hours=hours) if hours else None)


PULLS = read_pulls(Path(__file__).parent / "pulls.csv")

DIRECT = (
    Direct(at_utc("2026-08-27 16:05"), "docs: name the crates", Edit(page=(("docs/crates.md", "# Crates\n"),))),
    Direct(
        at_utc("2026-09-07 09:10"),
        "ci: cache the build of the tests\n\nUnit tests go from 6 minutes to about 2 minutes (-65 %).",
        Edit(patches=("ci-rust-cache",)),
        "claim_true",
    ),
    Direct(
        at_utc("2026-09-16 14:05"),
        "table: build the range of a scan once",
        Edit(patches=("regression",)),
        "regression",
    ),
    Direct(
        at_utc("2026-09-18 10:20"),
        "table: a scan includes its upper bound again",
        Edit(patches=("-regression",)),
        "regression_fix",
    ),
    Direct(at_utc("2026-09-29 08:10"), "version 0.8.0", Edit(version="0.8.0")),
    Direct(
        at_utc("2026-10-01 09:30"),
        "ci: eight build jobs at once\n\nThe tests finish 40 % faster.",
        Edit(patches=("ci-build-jobs",)),
        "claim_false",
    ),
    Direct(
        at_utc("2026-10-08 11:20"),
        "ci: shorten the integration job\n\nThe protocol is tested with the units; every test still runs.",
        Edit(patches=("ci-short-integration",)),
        "lost_target",
    ),
    Direct(
        at_utc("2026-10-13 10:15"),
        "ci: one cache for each run\n\nRuns cannot disturb each other any more.",
        Edit(patches=("ci-run-id-key",)),
        "cold_cache",
    ),
    Direct(
        at_utc("2026-10-20 14:30"),
        "ci: one cache for each toolchain again",
        Edit(patches=("ci-stable-key",)),
        "cold_cache_fix",
    ),
    Direct(
        at_utc("2026-10-26 09:45"),
        "config: tests that change the environment take turns",
        Edit(patches=("env-fixed",)),
        "race_env_fix",
    ),
    Direct(
        at_utc("2026-10-29 15:20"),
        "log: compression is a choice, not a default",
        Edit(patches=("feature-off",)),
        "lost_feature",
    ),
    Direct(at_utc("2026-11-05 08:30"), "version 0.8.1", Edit(version="0.8.1")),
    Direct(
        at_utc("2026-11-13 16:40"),
        "nightly: more codegen units\n\nThe stress job goes from 9 to 6 minutes.",
        Edit(patches=("nightly-codegen-units",)),
        "claim_undecidable",
    ),
)

PROMOTIONS = (Promotion(at_utc("2026-09-29 12:30"), "0.8.0"), Promotion(at_utc("2026-11-05 13:15"), "0.8.1"))
SUPERSEDED = (104, 116, 127)  # pull requests whose first run was still going at their second push
OUTAGE = {113: "503", 114: "refused", 115: "503"}
BY_HAND = (108, 1)  # pull request and push whose run was cancelled by hand
LOST_RUNNER = (121, 0)
OOM_NIGHT = at_utc("2026-10-12 02:17")
TIMEOUT_NIGHT = at_utc("2026-09-24 02:17")
