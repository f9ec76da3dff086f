"""Workflow commands: the lines by which a step tells GitHub what to show beside files and on the run's page."""

from __future__ import annotations

from kotaci.report.words import one_line

MAX_ANNOTATIONS = 10
"""GitHub shows ten errors, ten warnings and ten notices of a step."""


def to_command(level: str, message: str, **properties: object) -> str:
    """Return `::LEVEL name=value,…::message`, every value escaped as GitHub reads it; an empty one is left out."""
    named = ",".join(
        f"{name}={_escaped(one_line(value, width=400)).replace(':', '%3A').replace(',', '%2C')}"
        for name, value in properties.items()
        if value not in {"", 0, None}
    )
    return f"::{level} {named}".rstrip() + f"::{_escaped(one_line(message, width=600))}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
