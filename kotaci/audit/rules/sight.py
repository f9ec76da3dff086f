"""Rules of the class `sight`; what each is for stands on its card."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from kotaci.audit.marks import Mark
from kotaci.audit.project import Project

RULES: dict[str, Callable[[Project], Iterable[Mark]]] = {}
