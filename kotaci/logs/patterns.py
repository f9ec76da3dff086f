"""Many regular expressions tried on a line at once, in time linear in the line; the only user of RE2.

RE2 never backtracks, so that no pattern, also none of a repository's own file, can take for ever on a hostile line.
It has no look-around and no back-references.
"""

from __future__ import annotations

from collections.abc import Sequence

import re2

_MEMORY_BYTES = 256 * 2**20
"""What the automaton of a set may grow to; RE2's own 8 MiB do not hold a few hundred patterns."""


def _options() -> re2.Options:
    options = re2.Options()
    options.max_mem = _MEMORY_BYTES
    options.log_errors = False
    return options


_OPTIONS = _options()


class PatternSet:
    """Patterns that are searched together."""

    def __init__(self, patterns: Sequence[str]) -> None:
        """Compile the patterns. Raises ValueError that names the one that is no regular expression of RE2."""
        self.patterns = tuple(patterns)
        self._set = re2.Set.SearchSet(_OPTIONS)
        for pattern in self.patterns:
            if problem := pattern_problem(pattern):
                raise ValueError(f"{pattern!r}: {problem}")
            self._set.Add(pattern)
        if self.patterns:
            self._set.Compile()

    def found_in(self, text: str) -> list[int]:
        """Return the places, ascending, of the patterns that the text matches somewhere."""
        return sorted(self._set.Match(text) or ()) if self.patterns else []


def pattern_problem(pattern: str) -> str:
    """Return what is wrong with a pattern, or an empty string."""
    try:
        re2.compile(pattern, _OPTIONS)
    except re2.error as error:
        told = error.args[0] if error.args else error
        return told.decode("utf-8", "replace") if isinstance(told, bytes) else str(told)
    return ""
