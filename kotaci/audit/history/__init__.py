"""The audit of earlier versions of the files: when faults came and went, legs, tests, limits, bursts, claims."""

from kotaci.audit.history.bursts import BurstOptions, Bursts, find_bursts
from kotaci.audit.history.claims import Claimed, ClaimOptions, find_claims
from kotaci.audit.history.faults import Fault, Span, follow_faults
from kotaci.audit.history.legs import Legs, legs_by_event
from kotaci.audit.history.limits import Limit, limits_of
from kotaci.audit.history.loosening import LimitChange, LimitSeries, follow_limits
from kotaci.audit.history.selection import Selection, select_tests
from kotaci.audit.history.versions import AuditHistory, HistoryOptions, Version, audit_history

__all__ = [
    "AuditHistory",
    "BurstOptions",
    "Bursts",
    "ClaimOptions",
    "Claimed",
    "Fault",
    "HistoryOptions",
    "Legs",
    "Limit",
    "LimitChange",
    "LimitSeries",
    "Selection",
    "Span",
    "Version",
    "audit_history",
    "find_bursts",
    "find_claims",
    "follow_faults",
    "follow_limits",
    "legs_by_event",
    "limits_of",
    "select_tests",
]
