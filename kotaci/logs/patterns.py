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


class LinePatterns:
    """A few patterns, most of them anchored, that are searched in one line or in many at once.

    `^` and `$` are those of a line, and no pattern may match the end of a line. Searching a whole text costs a small
    part of searching its lines one by one.
    """

    def __init__(self, patterns: Sequence[str], *, before: str = "", many: str = "") -> None:
        """Compile the patterns; `before` may stand between the start of a line and an anchored pattern in a text.

        `many` is the form of whole lines that come in long rows and that one of the patterns finds too: a row of them
        is found at once. Raises ValueError that names the one that is no regular expression of RE2.
        """
        self._one = re2.Set.SearchSet(_OPTIONS)
        for pattern in patterns:
            if problem := pattern_problem(pattern):
                raise ValueError(f"{pattern!r}: {problem}")
            self._one.Add(pattern)
        self._one.Compile()
        anchored = "|".join(f"(?:{pattern[1:]})" for pattern in patterns if pattern.startswith("^"))
        free = "".join(f"|(?:{pattern})" for pattern in patterns if not pattern.startswith("^"))
        # `before` stands once, not with every pattern: else there are more states than fit into RE2's memory.
        row = f"^(?:(?:{before})(?:{many})\n)+|" if many else ""
        self._any = re2.compile(f"(?m){row}^(?:{before})(?:{anchored}){free}", _OPTIONS)

    def found_in(self, line: str) -> list[int]:
        """Return the places, ascending, of the patterns that the line matches."""
        found = self._one.Match(line)
        return sorted(found) if found else []

    def lines_of(self, text: str) -> list[int]:
        """Return the numbers, from 0 and ascending, of the lines in which one of the patterns is found."""
        # The wrapper counts characters of a str anew for every match; in bytes it need not.
        body = text.encode("utf-8", "surrogatepass") + b"\n"
        numbers: list[int] = []
        number = at = 0
        for match in self._any.finditer(body):
            start, end = match.span()
            number += body.count(b"\n", at, start)
            at = start
            numbers.extend(range(number, number + max(1, body.count(b"\n", start, end))))
        return list(dict.fromkeys(numbers))


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
