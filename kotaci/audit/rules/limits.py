"""Rules of time-outs, concurrency, triggers and conditions; what each is for stands on its card."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from kotaci.audit.edits import insert_key
from kotaci.audit.marks import Mark, mark_job
from kotaci.audit.project import Project

LIMIT_MIN = 30
"""What a time-out is set to where no run was measured: long enough for a cold build, far below GitHub's 360."""


def job_without_timeout(project: Project) -> Iterator[Mark]:
    """Fire on jobs with steps whose time-out is GitHub's default; not where every step has one."""
    for file, job in project.jobs:
        if job.uses or job.timeout_text or not job.steps or all(step.timeout_text for step in job.steps):
            continue
        text = project.tree.text(file.path) or ""
        yield mark_job(
            file,
            job,
            "has no timeout-minutes, so a hanging step runs for GitHub's 360 minutes",
            patch=insert_key(text, file, job, f"timeout-minutes: {LIMIT_MIN}", after="runs-on"),
        )


RULES: dict[str, Callable[[Project], Iterable[Mark]]] = {"job-without-timeout": job_without_timeout}
