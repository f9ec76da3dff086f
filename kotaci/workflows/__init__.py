"""Workflow files: triggers, jobs, legs, needs, limits, conditions, positions; the only YAML reader."""

from kotaci.workflows.declared import (
    ActionFile,
    Concurrency,
    Problem,
    Strategy,
    Trigger,
    WorkflowFile,
    WorkflowJob,
    WorkflowStep,
)
from kotaci.workflows.matrix import Leg
from kotaci.workflows.naming import ShownJob, leg_of, legs_of, shown_jobs
from kotaci.workflows.reading import parse_action, parse_workflow
from kotaci.workflows.rows import to_rows

__all__ = [
    "ActionFile",
    "Concurrency",
    "Leg",
    "Problem",
    "ShownJob",
    "Strategy",
    "Trigger",
    "WorkflowFile",
    "WorkflowJob",
    "WorkflowStep",
    "leg_of",
    "legs_of",
    "parse_action",
    "parse_workflow",
    "shown_jobs",
    "to_rows",
]
