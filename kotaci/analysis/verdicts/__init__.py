"""What is a failed or cancelled job: flaky, a regression, the infrastructure, only a consequence? With its proof."""

from kotaci.analysis.verdicts.differences import name_differences
from kotaci.analysis.verdicts.judging import VERDICT_COLUMNS, judge
from kotaci.analysis.verdicts.options import DEFAULTS, VerdictOptions
from kotaci.analysis.verdicts.retries import RETRIED_COLUMNS, find_retried

__all__ = [
    "DEFAULTS",
    "RETRIED_COLUMNS",
    "VERDICT_COLUMNS",
    "VerdictOptions",
    "find_retried",
    "judge",
    "name_differences",
]
