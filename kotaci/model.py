"""The words of the kit: outcomes, windows, references, findings, and the errors that a person reads.

What comes in as text becomes one of these types once, at the edge; inside, nobody checks again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from enum import IntEnum, StrEnum
from typing import Any
from urllib.parse import quote


class ExitCode(IntEnum):
    """The documented contract of every command; only `kotaci watch` returns another, that of the command it ran."""

    DONE = 0
    BAD_FINDING = 1
    BAD_INPUT = 2
    INCOMPLETE = 3
    REFUSED = 4
    NOTEBOOK_FAILED = 5


class KotaciError(Exception):
    """What went wrong, in one line for a person: the value, what is wrong with it, what to try."""

    exit_code = ExitCode.BAD_INPUT

    def __init__(self, value: object, problem: str, hint: str) -> None:
        self.value, self.problem, self.hint = value, problem, hint
        shown = " ".join(str(value).split())
        super().__init__(f"{shown[:200]}: {problem}; {hint}")


class BadInput(KotaciError):
    """A word, file or option that cannot be used; nothing was changed."""


class Incomplete(KotaciError):
    """Stopped early with everything so far kept; running the command again goes on."""

    exit_code = ExitCode.INCOMPLETE


class Outcome(StrEnum):
    """How a run, job or step ended: GitHub's conclusions, and `unknown` for words it may add tomorrow."""

    SUCCESS = "success"
    FAILURE = "failure"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"
    NEUTRAL = "neutral"
    TIMED_OUT = "timed_out"
    ACTION_REQUIRED = "action_required"
    STALE = "stale"
    STARTUP_FAILURE = "startup_failure"
    RUNNING = "running"
    UNKNOWN = "unknown"

    @classmethod
    def of(cls, *, conclusion: str | None, status: str | None = "completed") -> Outcome:
        """Return the outcome of a payload's `conclusion` and `status`; a word not listed is `unknown`."""
        if conclusion is None:
            return cls.RUNNING if status not in {None, "completed"} else cls.UNKNOWN
        try:
            return cls(conclusion)
        except ValueError:
            return cls.UNKNOWN


BAD_OUTCOMES = frozenset({Outcome.FAILURE, Outcome.TIMED_OUT, Outcome.STARTUP_FAILURE})
"""Outcomes that count as failed; `cancelled` is a third thing, neither failed nor passed."""

DECIDED_OUTCOMES = BAD_OUTCOMES | {Outcome.SUCCESS}
"""Outcomes that belong in the denominator of a failure rate: those that passed or failed."""


_OWN_HOSTS = frozenset({"github.com", "www.github.com", "api.github.com", "ssh.github.com"})

_SITE = r"(?:localhost|(?:[a-z0-9-]+\.)+[a-z0-9-]+|\[[0-9a-f:]+\]|[a-z0-9-]+(?=:))(?::[0-9]{1,5})?"
"""A host as gh writes it before a repository: with a dot or a port, so that it is not taken for an owner."""

_REPO = re.compile(
    rf"""
    (?:
      https?://(?:[^/@\s]*@)?(?P<site>{_SITE})/(?:repos/|api/v3/repos/)?
    | (?:ssh|git)://(?:[^/@\s]*@)?(?P<server>[^/:\s]+)(?::[0-9]{{1,5}})?/
    | [^/@:\s]+@(?P<remote>[^/:\s]+):/?
    | (?P<said>{_SITE})/
    )?
    (?-i:(?P<owner>[A-Za-z0-9][A-Za-z0-9_-]{{0,99}})/(?P<name>[A-Za-z0-9._-]{{1,100}}?))(?:\.git)?/?
    """,
    re.VERBOSE | re.IGNORECASE,
)


@dataclass(frozen=True, order=True)
class Repo:
    """A repository on GitHub, or on the host of a GitHub Enterprise Server (with its port, if it has one)."""

    owner: str
    name: str
    host: str = "github.com"

    @classmethod
    def parse(cls, text: str) -> Repo:
        """Read `owner/name`, `HOST/owner/name`, an address in the browser, or a remote of git. Raises BadInput.

        No credentials in an address survive.
        """
        words = _REPO.fullmatch(text.strip())
        if words is None or words["name"] in {".", ".."}:
            raise BadInput(text, "is not a repository", "write it as owner/name")
        host = (words["site"] or words["said"] or _web_host(words["server"] or words["remote"] or "")).lower()
        return cls(words["owner"], words["name"], "github.com" if not host or host in _OWN_HOSTS else host)

    def __str__(self) -> str:
        return f"{self.owner}/{self.name}" if self.host == "github.com" else f"{self.host}/{self.owner}/{self.name}"


def _web_host(server: str) -> str:
    """Return the host of an SSH remote; a word without a dot, or like `github.com-work`, is a name of the user's own
    for github.com in `~/.ssh/config`."""
    return server if "." in server and not server.lower().startswith("github.com-") else ""


_RUN = re.compile(
    r"(?:https?://\S+/actions/runs/)?([0-9]{1,18})(?:/(?:attempts/)?([0-9]{1,4}))?(?:/job/[0-9]+)?/?(?:[?#]\S*)?"
)


@dataclass(frozen=True, order=True)
class RunRef:
    """One attempt of one run. A re-run is another attempt of the same run id, never the same thing."""

    run_id: int
    attempt: int

    @classmethod
    def parse(cls, text: str) -> RunRef:
        """Read a run id (`123`), `123/2` with an attempt, or the URL of a run or of a job in it. Raises BadInput."""
        words = _RUN.fullmatch(text.strip())
        if words is None or int(words[1]) == 0 or words[2] == "0":
            raise BadInput(text, "is not a run", "give the number at the end of the run's address, or RUN/ATTEMPT")
        return cls(run_id=int(words[1]), attempt=int(words[2] or 1))


_JOB = re.compile(
    r"(?P<repo>https?://[^/\s]+/[^/\s]+/[^/\s]+)/actions/runs/(?P<run>[0-9]{1,18})"
    r"(?:/attempts/(?P<attempt>[0-9]{1,4}))?(?:/job/(?P<job>[0-9]{1,18}))?/?(?:[?#]\S*)?"
)


@dataclass(frozen=True)
class JobRef:
    """A run or one job of it, by its address in the browser; no attempt means the last, no job all of them."""

    repo: Repo
    run_id: int
    attempt: int | None = None
    job_id: int | None = None

    @classmethod
    def parse(cls, text: str) -> JobRef:
        """Read the address of a run, of an attempt, or of a job. Raises BadInput."""
        words = _JOB.fullmatch(text.strip())
        if words is None or int(words["run"]) == 0:
            hint = "copy it from the browser: https://github.com/OWNER/NAME/actions/runs/123456789"
            raise BadInput(text, "is not the address of a run or a job", hint)
        attempt, job = words["attempt"], words["job"]
        return cls(
            Repo.parse(words["repo"]), int(words["run"]), int(attempt) if attempt else None, int(job) if job else None
        )


_DURATION = re.compile(r"(\d{1,5})\s*(h|d|w|hours?|days?|weeks?)")
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def parse_moment(text: str, *, hint: str = "write 2026-11-22, or 2026-11-22T18:40Z") -> datetime:
    """Read an ISO date or date-time; without a zone it is UTC. Raises BadInput with that hint."""
    try:
        moment = datetime.fromisoformat(text.strip())
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise BadInput(text, "is not a date", hint) from None


def parse_duration(text: str) -> timedelta | None:
    """Read `12h`, `30d` or `4w`; None where the text is not of that form."""
    words = _DURATION.fullmatch(text.strip().lower())
    return None if words is None else int(words[1]) * _UNITS[words[2][0]]


@dataclass(frozen=True)
class Window:
    """A half-open span of time, UTC: `since` is in it, `until` is not. None means open on that side."""

    since: datetime | None = None
    until: datetime | None = None

    @classmethod
    def parse(cls, *, since: str = "", until: str = "", as_of: datetime | None = None) -> Window:
        """Read two words of a person: dates, moments, or for `since` a length back from `until` or `as_of`.

        `all` as `since` opens that side. A date as `until` means the end of that day. Raises BadInput, also where
        the window would be empty.
        """
        try:
            end = parse_moment(until) if until.strip() else None
            if end is not None and len(until.strip()) <= len("2026-11-22"):
                end += timedelta(days=1)
            start: datetime | None = None
            if since.strip() not in {"", "all"}:
                length = parse_duration(since)
                anchor = end or as_of
                if length is None:
                    start = parse_moment(since, hint="write 2026-11-22, 2026-11-22T18:40Z, or a length such as 30d")
                elif anchor is not None:
                    start = anchor - length
        except OverflowError:
            raise BadInput(f"{since} .. {until}", "leaves the calendar", "use years from 1 to 9998") from None
        if start is not None and end is not None and start >= end:
            raise BadInput(f"{since} .. {until}", "is an empty window", "put the earlier date first")
        return cls(since=start, until=end)

    def __contains__(self, moment: datetime) -> bool:
        return (self.since is None or moment >= self.since) and (self.until is None or moment < self.until)


class Verdict(StrEnum):
    """What a failed or cancelled job is, by proof; decided in this order, and `undecided` where no proof is."""

    SUPERSEDED = "superseded"
    CANCELLED = "cancelled by hand"
    TIMED_OUT = "timed out"
    CONSEQUENCE = "consequence"
    MASKED = "masked"
    FLAKY = "flaky"
    FLAKY_INSIDE = "flaky inside the run"
    ALREADY_FAILING = "already failing"
    INFRASTRUCTURE = "infrastructure"
    REGRESSION = "regression"
    UNDECIDED = "undecided"


class Severity(IntEnum):
    """How urgent a finding is, apart from how certain it is."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3

    @classmethod
    def parse(cls, text: str) -> Severity:
        """Read `low`, `medium` or `high`. Raises BadInput."""
        try:
            return cls[text.strip().upper()]
        except KeyError:
            raise BadInput(text, "is not a severity", "use low, medium or high") from None


class Certainty(StrEnum):
    """How sure a verdict is; by n where it rests on counting (30 and more: high, 10 and more: medium)."""

    PROVED = "proved"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"

    @classmethod
    def of_n(cls, n: int) -> Certainty:
        """Return the word for a count of independent observations (bands as in ciburn)."""
        return cls.HIGH if n >= 30 else cls.MEDIUM if n >= 10 else cls.LOW


@dataclass(frozen=True)
class Price:
    """What a finding costs over the window; `basis` says how it is known."""

    minutes: float | None = None
    money_usd: float | None = None
    people_minutes: float | None = None
    basis: str = "none"
    """measured, replayed, estimated or none"""


@dataclass(frozen=True)
class Link:
    """Evidence: a text and where it leads; an empty url where the thing has no address (imported logs)."""

    text: str
    url: str = ""


@dataclass(frozen=True)
class Finding:
    """One claim with its evidence: the record of every notebook, the audit, the terminal and the plan."""

    id: str
    kind: str
    subject: str
    claim: str
    verdict: str
    certainty: Certainty
    severity: Severity
    n: int
    method: str
    remedy: str = ""
    price: Price = field(default_factory=Price)
    evidence: Sequence[Link] = ()
    workflow: str = ""
    """the file of the workflow that it is about, without its folder; empty where it is about none or several"""

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values; severity and certainty as words."""
        return {
            **asdict(self),
            "severity": self.severity.name.lower(),
            "certainty": str(self.certainty),
            "evidence": [asdict(link) for link in self.evidence],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Finding:
        """Return the finding that `to_json` wrote."""
        return cls(
            **{
                **data,
                "severity": Severity.parse(data["severity"]),
                "certainty": Certainty(data["certainty"]),
                "price": Price(**data["price"]),
                "evidence": tuple(Link(**link) for link in data["evidence"]),
            }
        )


def plural(n: int, one: str, many: str = "") -> str:
    """Return `1 run`, `3 runs`, `12,000 runs`; `many` where an s at the end would be wrong."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def short_workflow(workflow: str) -> str:
    """Return the workflow without the folder that all share."""
    return workflow.removeprefix(".github/workflows/")


def run_url(repo: str, run_id: int, attempt: int = 1) -> str:
    """Return the address of a run; empty for a source id, which has none."""
    if run_id < 0:
        return ""
    return f"{repo_url(repo)}/actions/runs/{run_id}" + (f"/attempts/{attempt}" if attempt > 1 else "")


def job_url(repo: str, run_id: int, job_id: int) -> str:
    """Return the address of a job; empty for source ids."""
    return f"{repo_url(repo)}/actions/runs/{run_id}/job/{job_id}" if run_id > 0 and job_id > 0 else ""


def rerun_command(repo: str, run_id: int) -> str:
    """Return the command of GitHub's own tool that runs the failed jobs of a run again; empty for source ids."""
    return f"gh run rerun {run_id} --failed --repo {repo}" if run_id > 0 else ""


def commit_url(repo: str, sha: str) -> str:
    """Return the address of a commit; empty where its id is not whole."""
    return f"{repo_url(repo)}/commit/{sha}" if re.fullmatch(r"[0-9a-f]{40}", sha) else ""


def file_url(repo: str, sha: str, path: str, *, line: int = 0, end_line: int = 0) -> str:
    """Return the address of a file, and of lines of it, at a commit; empty where the commit's id is not whole."""
    if not re.fullmatch(r"[0-9a-f]{40}", sha):
        return ""
    lines = f"#L{line}" + (f"-L{end_line}" if end_line > line else "") if line else ""
    return f"{repo_url(repo)}/blob/{sha}/{quote(path)}{lines}"


def compare_url(repo: str, before: str, after: str) -> str:
    """Return the address of what changed from one commit to another; empty where an id is not whole."""
    is_whole = all(re.fullmatch(r"[0-9a-f]{40}", sha) for sha in (before, after))
    return f"{repo_url(repo)}/compare/{before}...{after}" if is_whole else ""


def workflow_url(repo: str, workflow: str) -> str:
    """Return the address of a workflow's list of runs; empty where its path is not known."""
    file = workflow.removeprefix(".github/workflows/")
    return f"{repo_url(repo)}/actions/workflows/{quote(file)}" if file != workflow else ""


def repo_url(repo: str) -> str:
    """Return the address of a repository, on GitHub or, as HOST/owner/name, on another host."""
    return f"https://{repo}" if repo.count("/") > 1 else f"https://github.com/{repo}"
