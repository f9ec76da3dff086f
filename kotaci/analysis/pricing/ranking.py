"""The order of findings: by what they cost and how sure they are."""

from __future__ import annotations

from kotaci.analysis.pricing.faults import PRICING, PricingOptions
from kotaci.model import Certainty, Finding


def worth_of(finding: Finding, *, options: PricingOptions = PRICING) -> float:
    """Return minutes of machines, and of people waiting at their worth, times how sure the finding is; 0 without a
    price. Only good to rank by."""
    share = {
        Certainty.PROVED: 1.0,
        Certainty.HIGH: options.high,
        Certainty.MEDIUM: options.medium,
        Certainty.LOW: options.low,
    }[finding.certainty]
    price = finding.price
    return share * ((price.minutes or 0.0) + options.minutes_worth * (price.people_minutes or 0.0))
