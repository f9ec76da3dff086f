"""Signs by which any tool's output says that it failed, or that it only seems to: data, tried on a line at once.

A weight is how far such a line explains a failure when it stands in the failing step (0..1). The causes' own rules,
which name one cause, and the test runners' results go before these.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from kotaci.logs.patterns import PatternSet

_END = r"(?:[^\w./=-]|[.]\s|[.]?$)"
"""After a word that says something failed: not a part of a name such as `error-chain` or `errors.rs`."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One sign: what it means, how much it weighs, its patterns. Of those that match a line the heaviest counts."""

    name: str
    weight: float
    patterns: tuple[str, ...]


TOLD_AS_A_WARNING = Mark(
    "told as a warning",
    0.85,
    (
        r"^WARNING: (?:DATA RACE|ThreadSanitizer)",
        r"^\[warn\] (?:Code style issues |\S+\.(?:[cm]?[jt]sx?|json|mdx?|ya?ml|s?css|html|vue|svelte)$)",
    ),
)
"""What fails a check though it reads like a warning."""

SIGNS = (
    Mark("error mark", 0.90, (r"^##\[error\]",)),
    Mark("panic", 0.90, (r"panicked at ", r"^(?:fatal error: |panic: )", r"^thread .* panicked")),
    Mark(
        "crash",
        0.90,
        (
            r"(?i)segmentation fault",
            r"(?i)\bworker .{0,40}\bcrashed\b",
            r"\(core dumped\)",
            r"(?i)received signal:? ?\w*\d*",
            r"\bsignal: \d+",
            r"\bSIG(?:SEGV|ABRT|KILL|BUS|ILL|FPE)\b",
            r"(?i)\bout of memory\b",
            r"AddressSanitizer: |ThreadSanitizer: |LeakSanitizer: |UndefinedBehaviorSanitizer: |runtime error: ",
        ),
    ),
    TOLD_AS_A_WARNING,
    Mark(
        "compiler's error",
        0.85,
        (
            r"^\s*error(?:\[[\w:-]+\])?: ",
            r"^\s*error[ :]+[A-Z]{1,5}\d+",
            r"[:)] (?:fatal )?error(?: [A-Z]{1,4}\d+)?: ",
            r" - error TS\d+",
            r"^\s*(?:[A-Za-z]:)?[\w./\\+-]+:\d+(?::\d+)?:? (?:fatal )?error\b",
            r"\[ERROR\] .*\.\w+:\[\d+,\d+\]",
            r"^e: ",
            r"^\* What went wrong:",
        ),
    ),
    Mark(
        "exception",
        0.80,
        (
            r"^(?:E +)?(?:[\w.$]+\.)?[A-Z]\w*(?:Error|Exception|Failure|Failed|Fault)(?:: |$)",
            r"^(?:E +)?(?:[\w.$]+\.)?[A-Z]\w*(?:Interrupt|Timeout|Warning)(?:: |$)",
            r"^Exception in thread ",
            r"^Uncaught |^Unhandled ",
            r"^!{5,} .* !{5,}$",
        ),
    ),
    Mark("fatal", 0.80, (r"(?i)(?:^|[\s\]])fatal(?: error)?: ", r"^FATAL\b", r"^\s*fatal ")),
    Mark(
        "failed line",
        0.70,
        (
            r"^\s*(?:\[[\w :.-]+\]\s+)?(?:FAIL|FAILED|FAILURE)\b[:! ]",
            r"^\s*(?:FAIL|FAILED)$",
            r"[✖✗✘❌🛑🚫⛔]",
            r"^\s*(?:ERROR|Error|error)\b[: ]",
            r"\bFAIL(?:ED|URE)?\b[:!]",
            r"^\s*not ok \d",
            r"\.\.\. ?(?:FAILED|FAIL|ERROR|mismatch|failed)\b",
            r"\bFAILED$",
            r"<<< (?:FAILURE|ERROR)!",
            r"\.{3,}(?:\([^)]*\))?Failed$",
        ),
    ),
    Mark("pytest's error", 0.70, (r"^E {2,}\S",)),
    Mark("trace", 0.60, (r"^\s*Traceback \(most recent call last\)", r"^\s*Caused by: \S")),
    Mark("prefixed error", 0.60, (r"^\S{0,40}\s*\[?(?:ERROR|ERR!|SEVERE|CRITICAL|FATAL)\]?[: ]", r"^npm error ")),
    Mark(
        "refusal",
        0.55,
        (
            r"(?i)command not found|: not found$|no such file or directory|cannot find ",
            r"(?i)permission denied|access denied|(?:^|[\s:(])(?:unauthorized|forbidden)(?:$|[\s:,.!)])",
            r"(?i)connection (?:refused|reset|timed out)|could not resolve|no route to host|network is unreachable",
            r"(?i)no space left on device|disk quota exceeded",
            r"(?i)\btimed out\b|\btime(?:d )?-?out (?:exceeded|expired|after|of)\b|deadline exceeded",
            r"(?i)\b(?:refusing to|refused to|is not allowed|not permitted)\b",
            r"(?i)\b(?:unrecogni[sz]ed|unexpected|unknown|invalid|unsupported) (?:argument|option|flag|command|input)",
            r"(?i)\b(?:unrecogni[sz]ed|unexpected|unknown|invalid|unsupported) (?:value|token|character|syntax)",
        ),
    ),
    Mark(
        "says it failed",
        0.40,
        (
            rf"(?i)\b(?:error|errors|failed|failure|failures|fails){_END}",
            r"(?i)\b(?:could not|couldn't|cannot|can't|unable to|did not|was not able)\b",
            r"(?i)\bassert(?:ion)?\b",
            r"(?i)\b(?:exception|aborted|aborting|killed|crashed|rejected|violation|violations|mismatch)\b",
            r"(?i)\b(?:missing|not found|doesn't exist|does not exist)\b",
        ),
    ),
)
"""Heaviest first."""

SUMMARIES = Mark(
    "summary",
    0.45,
    (
        r"^##\[error\]Process completed with exit code",
        r"(?i)\bexit(?:ed|ing)?(?: with)?(?: exit)?(?: code| status|:)+ ?:?'?[1-9]\d*",
        r"(?i)\breturned (?:a )?(?:non-zero|nonzero|an error|error|exit code|exit status|\d+)\b",
        r"\bcould not compile `",
        r"^test result: FAILED",
        r"^error: (?:test failed|test run failed|\d+ targets? failed|aborting due to|build failed|process didn't exit)",
        r"(?i)^\s*(?:build|tests?|compilation|checks?|lint|pipeline|job|task|step) (?:failed|failure)[.!]?$",
        r"\b[1-9]\d* (?:tests? )?(?:failed|failing|failures?|errors?|problems?)\b",
        r"\b(?:Failures|Errors|Failed): *[1-9]",
        r"^FAILED \(|^Found [1-9]\d* errors?|BUILD FAILED|BUILD FAILURE",
        r"^npm (?:ERR!|error) (?:code|errno|Exit status|Test failed|A complete log|Lifecycle|Failed at)",
        r"(?i)\bELIFECYCLE\b|^error Command failed",
        r"^make(?:\[\d+\])?: \*\*\* ",
        r"^ninja: build stopped|^gmake",
        r"^warning: build failed",
        r"marked build as failure$|Your build exited with [1-9]|^The command .* (?:failed and )?exited with [1-9]",
    ),
)
"""Lines that report a failure told elsewhere: shown with it, and alone only where nothing else tells."""

DECOYS = Mark(
    "decoy",
    0.0,
    (
        r"(?i)^\s*(?:##\[)?(?:\[?warn(?:ing)?\]?|warning|note|info|debug|notice|hint)\b[\]:! ]",
        r"(?i)^\s*\[(?:info|warn|warning|debug)\]",
        r"^W: ",
        r"^npm (?:ERR!|error) +(?:-|\[-|Usage:|Options:|aliases?:|Run \"npm help|npm \w+$|For a full report see|/\S+$)",
        r"^npm (?:ERR!|error) {4,}[A-Z][\w`-]* \S+ \S",
        r"(?i)\b(?:no|0|zero|without) (?:errors?|failures?|failed|failing|problems?|violations?|conflicts?)\b",
        r"(?i)\b(?:errors?|failures?|failed|fail)\s*[:=]\s*(?:0|none|false)\b",
        r"(?i)\.\.\.\s*(?:ok|passed|success|skipped|ignored)\b",
        r"^\s*(?:PASS|ok|OK)\b|[✓✔✅√]|\bPASSED\b|\bPASS$|^\S+\.py::\S+ *$",
        r"^.{0,60}(?:^|[\s|\[(=-])(?:INFO|DEBUG|TRACE|WARN|WARNING|NOTICE)(?:[\s:|\])]|$)",
        r"\blevel=(?:debug|info|warn|warning)\b",
        r"(?i)^\s*(?:compiling|downloading|downloaded|checking|installing|collecting|unpacking|setting up|preparing)\b",
        r"(?i)^\s*(?:selecting|adding|updating|fetching|requirement already|using cached|fresh|running|building)\b",
        r"(?i)^\s*(?:copying|creating|extracting|inflating|cloning|receiving|resolving|remote:|progress|get:\d+)\b",
        r"(?i)^\s*\+ (?:'\[|\[|set |export |echo|local |return|true|false|test|case|grep|trap)",
        r"(?i)\bwill be (?:treated as|an? )?errors? in\b|\bdeprecat(?:ed|ion)\b",
        r"^(?:Finished: (?:FAILURE|ABORTED|UNSTABLE)$|Sending e-mails? to|Archiving artifacts|\[WS-CLEANUP\])",
        r"^Recording test results",
        r"(?i)\bcontinue-on-error\b|fail-fast|if-no-files-found|on-failure|error-on|--\w*(?:error|fail)",
        r"(?i)\bretry(?:ing)?\b.*\b(?:in|attempt)\b",
    ),
)
"""Lines that only seem to say that something failed."""


@cache
def _set() -> tuple[PatternSet, list[Mark]]:
    marks = [mark for mark in (*SIGNS, SUMMARIES, DECOYS) for _ in mark.patterns]
    patterns = [pattern for mark in (*SIGNS, SUMMARIES, DECOYS) for pattern in mark.patterns]
    return PatternSet(patterns), marks


def find_marks(text: str) -> list[Mark]:
    """Return the marks that the line bears, each once, heaviest first; a mark of an error outweighs a decoy's word."""
    patterns, marks = _set()
    return list(dict.fromkeys(marks[place] for place in patterns.found_in(text)))
