"""Files of figures in artifacts, and which job each is of."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

T = TypeVar("T")

PREFIX = re.compile(r"^(?:kotaci-watch|cargo-timings?|bench(?:mark)?s?)-?")
"""What an artifact's name begins with before the name of its job."""


@dataclass(frozen=True)
class Found(Generic[T]):
    """What was read in `file`, of the artifact of that id and name."""

    artifact_id: int
    artifact: str
    file: str
    told: T


def read_found(key: str, body: Mapping[str, Any], parse: Callable[[str], T]) -> Found[T]:
    """Return what stands in a file that was stored. Raises BadInput as `parse` does."""
    _, _, artifact_id, file = key.split("/", 3)
    return Found(int(artifact_id), body["artifact"], file, parse(body["text"]))


@dataclass(frozen=True)
class Uploaders:
    """The jobs of an attempt: what each is called, the logs that are held, and the one that ran, if only one did."""

    names: Mapping[int, Sequence[str]]
    logs: Mapping[int, str] = field(default_factory=dict)
    only_job: int | None = None

    def job_of(self, found: Found[Any]) -> int | None:
        """Return the job that an artifact is of, None where it cannot be told: it is not guessed.

        That is the one job that ran, else the one whose log says that it uploaded it (upload-artifact from v4 on), else
        the one that the artifact is named after: `kotaci-watch-build-linux` after `build (linux)`.
        """
        if self.only_job is not None:
            return self.only_job
        said = re.compile(rf"Artifact download URL: \S+/artifacts/{found.artifact_id}\b")
        told = [job_id for job_id, text in self.logs.items() if said.search(text)]
        if not told:
            wanted = {_plain(found.artifact), _plain(PREFIX.sub("", found.artifact.removesuffix(".json")))} - {""}
            told = [job_id for job_id, called in self.names.items() if not wanted.isdisjoint(map(_plain, called))]
        return told[0] if len(told) == 1 else None


def _plain(name: str) -> str:
    """Return a name with all that an artifact's name may not hold, or that people write otherwise, as `-`."""
    return re.sub(r"[^\w.]+", "-", name.lower()).strip("-")
