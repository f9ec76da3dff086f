"""Which tests can we not trust, and what do they cost? Tests and jobs that failed and passed on one commit.

`executions` tells when each test ran and which failures are proved flaky, `judging` makes rates and a status of that,
`costs` minutes; `together` finds what fails in the same runs, `quarantine` writes the lists, `assessing` joins it all.
"""

from kotaci.analysis.flakes.assessing import Flake, Flakiness, RestlessJob, assess_flakes
from kotaci.analysis.flakes.options import DEFAULTS, FlakeOptions

__all__ = ["DEFAULTS", "Flake", "FlakeOptions", "Flakiness", "RestlessJob", "assess_flakes"]
