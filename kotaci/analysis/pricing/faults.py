"""What is to be priced, and what a price says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from kotaci.model import Price


@dataclass(frozen=True)
class Fault:
    """A place in a workflow file: the path of the file, the key of the job, the step as GitHub shows it, and for an
    edge the job that is waited for; empty where it is about none. `method` is a key of METHODS; `also` are further
    places (job, step, need) of the file where the same stands."""

    identity: str
    method: str
    workflow: str
    job: str = ""
    step: str = ""
    need: str = ""
    also: tuple[tuple[str, str, str], ...] = ()


class Priced(NamedTuple):
    """What a fault cost over the window, from how many runs, and how that was found or why it cannot be told.

    A price of 0 minutes says that nothing was lost so far; one without minutes that it is not known.
    """

    price: Price
    n: int
    method: str


UNPRICED = "not priced: "
"""What the method begins with where there is no price; the reason follows."""


def unpriced(why: str, *, n: int = 0) -> Priced:
    """Return that there is no price, and why."""
    return Priced(Price(), n, UNPRICED + why)


@dataclass(frozen=True)
class PricingOptions:
    """Thresholds; printed with the result."""

    fewest_runs: int = 6
    """Below this many runs nothing is priced."""
    n_resamples: int = 200
    """So many draws make the interval of a replay."""
    minutes_worth: float = 5.0
    """A minute that people wait is held to be worth so many of machines: an assumption that only ranks."""
    high: float = 0.8
    """Where proved counts 1, a finding of high certainty counts so much when findings are ranked."""
    medium: float = 0.5
    """And one of medium certainty."""
    low: float = 0.2
    """And one of low certainty."""


PRICING = PricingOptions()
