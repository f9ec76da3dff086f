"""What `kotaci triage` tells of failed jobs, for a person and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any

from rich.text import Text

from kotaci.cli.terminal import out
from kotaci.model import Verdict, plural, rerun_command

if TYPE_CHECKING:
    from kotaci.logs.causes import Catalogue, Cause
    from kotaci.logs.failure import Explanation

MAX_SHOWN = 400
"""Letters shown of one line."""
TESTS_SHOWN = 10
REMEDIES_SHOWN = 3
CULPRITS_SHOWN = 5

QUIET = (Verdict.MASKED, Verdict.CONSEQUENCE, Verdict.SUPERSEDED, Verdict.CANCELLED)
"""Verdicts of jobs that did not make the run red, or only followed: told last, in a line each."""
RERUN_HELPS = frozenset({"", Verdict.FLAKY, Verdict.FLAKY_INSIDE, Verdict.INFRASTRUCTURE, Verdict.UNDECIDED})
CAUSE_OF = {Verdict.TIMED_OUT: "timeout"}
"""Where the verdict is proved, its cause goes before what the log looks like."""


@dataclass(frozen=True)
class Culprit:
    """A commit of which one is to blame."""

    sha: str
    subject: str
    url: str


@dataclass(frozen=True)
class Told:
    """What is told of one failed job; of a file there is no more than job and explanation."""

    job: str
    explanation: Explanation | None
    repo: str = ""
    key: tuple[int, int, int] | None = None
    base: str = ""
    leg: str = ""
    last_attempt: int = 1
    url: str = ""
    verdict: str = ""
    certainty: str = ""
    proof: str = ""
    differs: str = ""
    culprits: Sequence[Culprit] = field(default_factory=tuple)
    is_of_the_code: bool = False
    """The same commit would fail so again, surely enough."""

    @property
    def attempt(self) -> int:
        """The attempt of the run; 1 for a file."""
        return self.key[1] if self.key else 1

    @property
    def rerun(self) -> str:
        """The command that runs it again, where that may help: not an attempt that was run again already, nor an
        undecided failure of the code alone."""
        if self.key is None or self.attempt < self.last_attempt or self.verdict not in RERUN_HELPS:
            return ""
        if self.verdict == Verdict.UNDECIDED and self.is_of_the_code:
            return ""
        return rerun_command(self.repo, self.key[0])


def _cause(one: Told, catalogue: Catalogue) -> tuple[Cause | None, float]:
    """Return the cause to show, and how sure it is: that of a proved verdict, else the log's."""
    proved = CAUSE_OF.get(Verdict(one.verdict)) if one.verdict else None
    if proved is not None:
        return catalogue.causes[proved], 1.0
    why = one.explanation
    return (None, 0.0) if why is None else (catalogue.causes.get(why.cause), why.confidence)


def to_json(told: Sequence[Told], catalogue: Catalogue) -> str:
    """Return a list of objects, one a failed job, first what made the run red; unknown is null."""
    return json.dumps([_to_object(one, catalogue) for one in _in_order(told)], indent=1, ensure_ascii=False)


def _to_object(one: Told, catalogue: Catalogue) -> dict[str, Any]:
    why = one.explanation
    cause, confidence = _cause(one, catalogue)
    run_id, attempt, job_id = one.key or (None, None, None)
    return {
        "job": one.job or None,
        "run_id": run_id,
        "attempt": attempt,
        "job_id": job_id,
        "url": one.url or None,
        "verdict": one.verdict or None,
        "certainty": one.certainty or None,
        "proof": one.proof or None,
        "differs": one.differs or None,
        "culprits": [asdict(culprit) for culprit in one.culprits],
        "headline": why.headline if why else None,
        "signature": (why.signature or None) if why else None,
        "cause": cause.id if cause else "undecided",
        "confidence": round(confidence, 2),
        "at_fault": cause.group if cause else None,
        "remedies": list(cause.remedies) if cause else [],
        "step": (why.step or None) if why else None,
        "exit_code": why.exit_code if why else None,
        "tests": [
            {key: value for key, value in asdict(test).items() if key != "spans"} for test in (why.tests if why else ())
        ],
        "has_green": why.has_green if why else False,
        "lines": [{"number": line.number, "text": line.text} for line in (why.excerpt if why else ())],
        "rerun": one.rerun or None,
    }


def _in_order(told: Sequence[Told]) -> list[Told]:
    """Return them with what made the run red first, the last attempt before earlier ones."""
    return sorted(told, key=lambda one: (one.verdict in QUIET, -one.attempt))


def print_told(told: Sequence[Told], catalogue: Catalogue, *, min_confidence: float) -> None:
    """Print each failure once, its legs together; what only followed in a line each."""
    if not told:
        out.print("No job failed.")
        return
    loud = [one for one in _in_order(told) if one.verdict not in QUIET]
    quiet = [one for one in _in_order(told) if one.verdict in QUIET]
    if told[0].key is not None:
        out.print(Text(_summary(loud, quiet), style="bold"))
        out.print()
    for _, alike in groupby(sorted(loud, key=_alike), key=_alike):
        _print(list(alike), catalogue, min_confidence)
    for one in quiet:
        line = f"{one.job}{_of_attempt(one)}: {one.proof}"
        out.print(Text.assemble((f"{one.verdict:<12}", "dim"), plain(line)))


def _summary(loud: Sequence[Told], quiet: Sequence[Told]) -> str:
    counts: dict[str, int] = {}
    for one in (*loud, *quiet):
        counts[one.verdict] = counts.get(one.verdict, 0) + 1
    said = ", ".join(f"{n} {verdict}" for verdict, n in counts.items())
    return f"{plural(len(loud) + len(quiet), 'job')} did not pass: {said}"


def _alike(one: Told) -> tuple[int, str, str, str]:
    why = one.explanation
    return -one.attempt, one.base or one.job, one.verdict, why.headline if why else ""


def _of_attempt(one: Told) -> str:
    return f" (attempt {one.attempt} of {one.last_attempt})" if one.last_attempt > 1 else ""


def _print(alike: Sequence[Told], catalogue: Catalogue, min_confidence: float) -> None:
    one = alike[0]
    why = one.explanation
    legs = [other.leg for other in alike if other.leg]
    name = f"{one.job.removesuffix(f' ({one.leg})')} ({'; '.join(legs)})" if len(legs) > 1 else one.job
    out.print(Text(plain((name or "log") + _of_attempt(one)), style="bold"))
    for url in [other.url for other in alike if other.url]:
        out.print(Text(f"  {url}", style="dim"))
    cause, confidence = _cause(one, catalogue)
    is_sure = cause is not None and confidence >= min_confidence
    if why is None:
        _row("log", "is not held: it has expired, was never written, or was not fetched", "yellow")
    elif why.headline:
        out.print(Text(f"  {plain(why.headline)}", style="bold red"))
    if cause is not None and is_sure:
        _row("cause", f"{cause.id} ({confidence:.0%}), {cause.group or 'at fault: not said'}", "yellow")
    elif why is not None:
        _row("cause", f"undecided, perhaps {cause.id} ({confidence:.0%})" if cause else "undecided", "yellow")
    if one.verdict:
        _row("verdict", f"{one.verdict}: {one.proof}", "cyan")
    for culprit in one.culprits[:CULPRITS_SHOWN]:
        _row("commit", f"{culprit.sha[:10]} {culprit.subject}", "cyan")
    _more(len(one.culprits) - CULPRITS_SHOWN)
    if one.differs:
        _row("differs", one.differs)
    if why is not None:
        _print_why(why)
    for remedy in cause.remedies[:REMEDIES_SHOWN] if cause is not None and is_sure else ():
        _row("try", remedy, "green")
    if one.rerun:
        _row("again", one.rerun)
    out.print()


def _print_why(why: Explanation) -> None:
    code = f", exit code {why.exit_code}" if why.exit_code is not None else ""
    if why.step or code:
        _row("step", f"{why.step or 'unknown'}{code}")
    for test in why.tests[:TESTS_SHOWN]:
        _row("test", " ".join(part for part in (test.test, test.location) if part), "magenta")
    _more(len(why.tests) - TESTS_SHOWN)
    width = len(str(why.lines[-1])) if why.lines else 1
    before = None
    tests = {test.line for test in why.tests}
    for line in why.excerpt:
        if before is not None and line.number > before + 1:
            out.print(Text(f"  {'':>{width}} ·", style="dim"))
        before = line.number
        is_hit = line.mark == "error" or line.number in tests or _is_headline(line.text, why.headline)
        shown = (plain(line.text), "red" if is_hit else "")
        out.print(Text.assemble((f"  {line.number:>{width}} ", "dim"), ("│ ", "dim"), shown))


def _is_headline(text: str, headline: str) -> bool:
    shown = " ".join(text.split())
    return shown != "" and headline.startswith(shown)


def _more(n: int) -> None:
    if n > 0:
        _row("", f"and {n} more")


def _row(name: str, text: str, style: str = "") -> None:
    out.print(Text.assemble((f"  {name:<8}", "dim"), (plain(text), style)))


def plain(text: str) -> str:
    """Return strangers' text without what a terminal would obey, cut where it is longer than anybody reads."""
    shown = "".join(letter if letter.isprintable() or letter == "\t" else " " for letter in text)
    return shown if len(shown) <= MAX_SHOWN else f"{shown[: MAX_SHOWN - 1]}…"
