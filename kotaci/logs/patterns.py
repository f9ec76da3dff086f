"""Many regular expressions tried on a line at once, in time linear in the line; the only user of RE2.

RE2 never backtracks, so that no pattern, also none of a repository's own file, can take for ever on a hostile line.
It has no look-around and no back-references.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import re2


def _options() -> re2.Options:
    options = re2.Options()
    options.log_errors = False
    return options


_OPTIONS = _options()


class PatternSet:
    """Patterns that are searched together: first for the literals that they need, then only those that may match.

    One automaton of all patterns is no alternative: of several hundred unanchored ones it has too many states. A
    Turkish capital İ in a pattern is never found.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        """Compile the patterns. Raises ValueError that names the one that is no regular expression of RE2."""
        self.patterns = tuple(patterns)
        for pattern in self.patterns:
            if problem := pattern_problem(pattern):
                raise ValueError(f"{pattern!r}: {problem}")
        self._filters = tuple(_filters(self.patterns, 0)) if self.patterns else ()

    def found_in(self, text: str) -> list[int]:
        """Return the places, ascending, of the patterns that the text matches somewhere."""
        return sorted(first + place for first, found in self._filters for place in found.Match(text) or ())


def _filters(patterns: Sequence[str], first: int) -> Iterator[tuple[int, re2.Filter]]:
    """Yield filters, each with the place of its first pattern; where one would be too large for RE2, several."""
    whole = re2.Filter()
    for pattern in patterns:
        whole.Add(pattern, _OPTIONS)
    try:
        whole.Compile()
    except re2.error:
        if len(patterns) == 1:
            raise ValueError(f"{patterns[0]!r}: too large") from None
        middle = len(patterns) // 2
        yield from _filters(patterns[:middle], first)
        yield from _filters(patterns[middle:], first + middle)
    else:
        yield first, whole


def pattern_problem(pattern: str) -> str:
    """Return what is wrong with a pattern, or an empty string."""
    try:
        re2.compile(pattern, _OPTIONS)
    except re2.error as error:
        told = error.args[0] if error.args else error
        return told.decode("utf-8", "replace") if isinstance(told, bytes) else str(told)
    return ""
