"""The Parquet files and the manifest that says which of them are the tables; the only user of pyarrow.

`FACTS/TABLE/repo=OWNER%2FNAME/month=YYYY-MM/DIGEST.parquet`, so that other engines read the tables as they are.
A file is never changed; the manifest flips all tables at once, and only then are files that it no longer names
removed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from kotaci.model import BadInput
from kotaci.tables import DTYPES, Table

MANIFEST = "manifest.json"
FORMAT = 1
REMEDY = "remove the facts folder; it is built again, but for what only pruned logs told"


@dataclass(frozen=True)
class Part:
    """One month of one repository's tables (or a table without months): what it was made from, and its files."""

    made_from: str
    files: Mapping[str, str]


@dataclass
class Manifest:
    """Which files are the tables: parts by repository and by month or table name."""

    repos: dict[str, dict[str, Part]] = field(default_factory=dict)

    def files(self) -> set[str]:
        """Return the paths of all files named."""
        return {path for parts in self.repos.values() for part in parts.values() for path in part.files.values()}


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest; an empty one where there is none. Raises BadInput for one that a newer kotaci wrote."""
    try:
        data = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if int(data["format"]) > FORMAT:
            raise BadInput(folder / MANIFEST, "was written by a newer kotaci", "upgrade kotaci")
        return Manifest(
            {
                repo: {name: Part(part["made_from"], dict(part["files"])) for name, part in parts.items()}
                for repo, parts in data["repos"].items()
            }
        )
    except FileNotFoundError:
        return Manifest()
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BadInput(folder / MANIFEST, "is damaged", REMEDY) from error


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Replace the manifest in one step."""
    data = {
        "format": FORMAT,
        "repos": {
            repo: {name: {"made_from": part.made_from, "files": dict(part.files)} for name, part in parts.items()}
            for repo, parts in manifest.repos.items()
        },
    }
    replace_file(folder / MANIFEST, json.dumps(data, indent=1, sort_keys=True).encode())


def remove_strays(folder: Path, manifest: Manifest) -> None:
    """Remove the tables' files that the manifest does not name: of earlier builds, and of a killed one.

    Engines that read the folder as it is would count them. Only for who holds the builders' lock.
    """
    kept = manifest.files()
    for file in folder.rglob("*"):
        if file.suffix == ".part" or (file.suffix == ".parquet" and file.relative_to(folder).as_posix() not in kept):
            # Windows refuses while somebody reads it; the next build removes it.
            with contextlib.suppress(PermissionError):
                file.unlink(missing_ok=True)


def replace_file(path: Path, body: bytes) -> None:
    """Write the bytes to the path in one step: a reader sees the old file or the new one, never half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    waiting = path.with_name(f"{path.name}.part")
    with waiting.open("wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    waiting.replace(path)


def write_table(folder: Path, table: Table, frame: pd.DataFrame, *, repo: str, part: str) -> str:
    """Write one part of a table under a name made from its content; return its path relative to the folder.

    The column `repo` stands in the path alone, as readers of partitioned Parquet expect.
    """
    arrow = pa.Table.from_pandas(frame.drop(columns="repo"), preserve_index=False).replace_schema_metadata(None)
    sink = pa.BufferOutputStream()
    pq.write_table(arrow, sink, compression="zstd")
    body = sink.getvalue().to_pybytes()
    name = f"{hashlib.blake2b(body, digest_size=12).hexdigest()}.parquet"
    path = f"{table.name}/repo={quote(repo, safe='')}/month={part}/{name}"
    if not (folder / path).exists():
        replace_file(folder / path, body)
    return path


def read_table(
    folder: Path, table: Table, paths: Iterable[str], *, repo: str, columns: Iterable[str] | None = None
) -> pd.DataFrame:
    """Return the parts of a table as one frame of the contract's types, with only the columns asked for."""
    wanted = [column for column in table.columns if columns is None or column.name in set(columns)]
    frames = []
    for path in paths:
        with pq.ParquetFile(folder / path) as file:
            held = set(file.schema_arrow.names)
            arrow = file.read([column.name for column in wanted if column.name in held])
        frames.append(_to_frame(arrow, wanted, repo=repo))
    if not frames:
        empty: pd.DataFrame = table.to_frame([])[[column.name for column in wanted]]
        return empty
    return pd.concat(frames, ignore_index=True) if len(frames) > 1 else frames[0]


_ARROW = {pa.int64(): pd.Int64Dtype(), pa.float64(): pd.Float64Dtype(), pa.bool_(): pd.BooleanDtype()}


def _to_frame(arrow: pa.Table, wanted: list[Any], *, repo: str) -> pd.DataFrame:
    frame = arrow.to_pandas(types_mapper=_ARROW.get)
    for column in wanted:
        if column.name not in frame:
            frame[column.name] = repo if column.name == "repo" else None
        if str(frame[column.name].dtype) != DTYPES[column.kind]:
            frame[column.name] = frame[column.name].astype(DTYPES[column.kind])
    return frame[[column.name for column in wanted]]
