"""Which tests can we not trust, and what do they cost? Tests and jobs that failed and passed on one commit.

`executions` tells when each test ran and which failures are proved flaky, `judging` makes rates and a status of that,
`costs` minutes; `together` finds what fails in the same runs; `assessing` joins it all into `records`, of which
`findings` says what to do and `quarantine` writes the lists.
"""

from kotaci.analysis.flakes.assessing import assess_flakes
from kotaci.analysis.flakes.executions import allowed_to_fail
from kotaci.analysis.flakes.judging import FIXED, FLAKY, MAYBE_FIXED, SUSPECTED
from kotaci.analysis.flakes.options import DEFAULTS, FlakeOptions
from kotaci.analysis.flakes.quarantine import Quarantine, to_quarantine
from kotaci.analysis.flakes.records import (
    CALLED_FLAKY,
    NO_LOG,
    OUTAGE,
    PASSED_AGAIN,
    Flake,
    Flakiness,
    RestlessJob,
)

__all__ = [
    "CALLED_FLAKY",
    "DEFAULTS",
    "FIXED",
    "FLAKY",
    "MAYBE_FIXED",
    "NO_LOG",
    "OUTAGE",
    "PASSED_AGAIN",
    "SUSPECTED",
    "Flake",
    "FlakeOptions",
    "Flakiness",
    "Quarantine",
    "RestlessJob",
    "allowed_to_fail",
    "assess_flakes",
    "to_quarantine",
]
