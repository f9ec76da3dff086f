"""The way out: findings to a plan that a person can read, and the plan to GitHub; nothing else writes there."""

from kotaci.actions.apply import CannotApply, apply_plan, fetch_held
from kotaci.actions.files import read_plan, to_json, write_plan
from kotaci.actions.fitting import CONTENT_BUDGET
from kotaci.actions.handing import check_tags, plan_handoff
from kotaci.actions.held import Held, HeldIssue
from kotaci.actions.model import Action, Change, Kind, Plan, PlannedFile
from kotaci.actions.planning import PLAN, PlanOptions, Stage, check_report, plan_comment, plan_findings, plan_publish
from kotaci.actions.pulls import Ground, HeldPull, fetch_base, fetch_ground, needs
from kotaci.actions.texts import SUMMARY_BYTES, Measured, digest, to_annotations
from kotaci.actions.writer import Applied

__all__ = [
    "CONTENT_BUDGET",
    "PLAN",
    "SUMMARY_BYTES",
    "Action",
    "Applied",
    "CannotApply",
    "Change",
    "Ground",
    "Held",
    "HeldIssue",
    "HeldPull",
    "Kind",
    "Measured",
    "Plan",
    "PlanOptions",
    "PlannedFile",
    "Stage",
    "apply_plan",
    "check_report",
    "check_tags",
    "digest",
    "fetch_base",
    "fetch_ground",
    "fetch_held",
    "needs",
    "plan_comment",
    "plan_findings",
    "plan_handoff",
    "plan_publish",
    "read_plan",
    "to_annotations",
    "to_json",
    "write_plan",
]
