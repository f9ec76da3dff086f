"""Is it the same failure? Two explanations, set side by side by signature and by the tests that failed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from kotaci.logs.failure import Explanation
from kotaci.logs.signatures import signature
from kotaci.model import plural


class Sameness(StrEnum):
    """What a run on this machine says of a failure in CI."""

    SAME = "same failure"
    ANOTHER = "another failure"
    PASSES = "passes here"
    UNTOLD = "cannot be told"


@dataclass(frozen=True)
class Comparison:
    """The answer, and on what it rests."""

    answer: Sameness
    why: str


def signatures(why: Explanation) -> frozenset[str]:
    """Return the signature of what is told first, and of each failed test: which of several is told first is luck."""
    tests = (signature(f"{one.test}: {one.message}" if one.message else one.test) for one in why.tests)
    return frozenset(filter(None, (why.signature, *tests)))


def compare(there: Explanation | None, here: Explanation | None) -> Comparison:
    """Compare a failure in CI with one here; `here` is None where all passed, `there` where CI's log is not held.

    Same is a failure here with the signature of CI's, or the same set of failed tests. Misleads where one signature has
    several causes (a network that is down here and there for different reasons).
    """
    if here is None:
        return Comparison(Sameness.PASSES, "every step passed")
    if there is None:
        return Comparison(Sameness.UNTOLD, "CI's log is not held: it has expired, or was not fetched")
    if there.signature in signatures(here):
        return Comparison(Sameness.SAME, f"the same signature, {there.signature}")
    theirs, ours = frozenset(there.failed_tests), frozenset(here.failed_tests)
    if theirs and theirs == ours:
        return Comparison(Sameness.SAME, f"{_counted(len(ours))} in both, with other words")
    if not there.signature or not here.signature:
        which = "CI's log" if not there.signature else "the log here"
        return Comparison(Sameness.UNTOLD, f"{which} says no more than that it ended")
    shared = sorted(theirs & ours)
    if shared:
        also = f"{len(shared)} of CI's {_counted(len(theirs))} here too"
        return Comparison(Sameness.ANOTHER, f"{there.signature} there, {here.signature} here; {also}")
    return Comparison(Sameness.ANOTHER, f"{there.signature} there, {here.signature} here")


def _counted(n_tests: int) -> str:
    return plural(n_tests, "failed test")
