"""One attempt's payloads and logs to rows of the tables, in the column order of their contracts.

What GitHub says decides; where it says nothing (imported logs), times, outcome and steps are read off the log and
marked so (`outcome_source`, `step_source`).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from kotaci.facts.artifacts import Found, Uploaders
from kotaci.facts.measured import to_benchmark_rows, to_unit_time_rows
from kotaci.facts.placing import Part, Ran, place_parts, step_by_time
from kotaci.facts.testing import to_test_rows
from kotaci.facts.usage import to_usage_rows
from kotaci.logs import explain
from kotaci.logs.benchmarks import BenchmarkEntry, parse_benchmarks
from kotaci.logs.caches import parse_cache_events
from kotaci.logs.cargo import parse_phases, parse_units
from kotaci.logs.cargo_timings import TimedUnit
from kotaci.logs.ending import Ending, parse_ending, span_of
from kotaci.logs.lines import STAMP, Span, first_stamp, last_stamp, parse_spans, split_lines
from kotaci.logs.results import TestReport, parse_log_tests
from kotaci.logs.sccache import parse_compiler_caches
from kotaci.logs.setup import Queueing, SetupItem, parse_queueing, parse_setup
from kotaci.model import BAD_OUTCOMES, Outcome
from kotaci.tables import TABLES
from kotaci.watch import Recording
from kotaci.workflows import ShownJob, leg_of

ATTEMPT_TABLES = {
    "runs": 2,
    "jobs": 1,
    "steps": 1,
    "setups": 1,
    "tests": 2,
    "rosters": 2,
    "failures": 4,
    "cache_events": 5,
    "annotations": 1,
    "units": 3,
    "phases": 2,
    "benchmarks": 2,
    "compiler_caches": 1,
    "usages": 1,
    "usage_samples": 1,
    "test_times": 1,
    "unit_times": 1,
}
"""Tables drawn from attempts, with the version of their extractor: raise it when its rows would come out otherwise."""

Rows = dict[str, list[tuple[Any, ...]]]


LONGEST_JOB = timedelta(days=35)
"""GitHub ends a run after 35 days; a log whose stamps lie further apart was put together, and tells no end."""

_BREAKS = BAD_OUTCOMES | {Outcome.CANCELLED}
"""Outcomes of a needed job that make what waits for it fail or be skipped."""


@dataclass(frozen=True)
class Declared:
    """What the workflow file at the run's commit says: jobs as they are shown, the keys each waits for, and which
    keys may fail without breaking what waits for them; not `is_known` where there is no such file."""

    jobs: Sequence[ShownJob] = ()
    needs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    allowed_to_fail: frozenset[str] = frozenset()
    is_known: bool = False

    def key_of(self, shown_name: str) -> str:
        """Return the key of a job in the file; a job of a reusable workflow has its caller's; empty if unknown."""
        base, _ = leg_of(shown_name, declared=self.jobs)
        found = (job for job in self.jobs if shown_name == job.shown or (job.base and base == job.base))
        return next((job.job_key.partition(" / ")[0] for job in found), "")


@dataclass(frozen=True)
class Attempt:
    """All that the store holds of one attempt; `log` returns a job's text or None, `reports` are its JUnit files,
    `recordings`, `timings` and `benchmarks` what its artifacts hold of `kotaci watch`, cargo and benchmarks."""

    repo: str
    run: Mapping[str, Any]
    source: str
    jobs: Sequence[Mapping[str, Any]]
    annotations: Mapping[int, Sequence[Mapping[str, Any]]]
    logs: Mapping[int, tuple[str, int]]
    log: Callable[[int], str | None]
    is_last: bool
    declared: Declared = Declared()
    reports: Sequence[TestReport] = ()
    recordings: Sequence[Found[Recording]] = ()
    timings: Sequence[Found[Sequence[TimedUnit]]] = ()
    benchmarks: Sequence[Found[Sequence[BenchmarkEntry]]] = ()


@dataclass
class _Job:
    """A job's payload joined with what its log tells."""

    payload: Mapping[str, Any]
    text: str | None
    outcome: Outcome
    outcome_source: str
    ending: Ending
    created_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    runner: str
    labels: str
    steps: list[_Step]
    setups: Sequence[SetupItem]
    span: Span | None = None

    @cached_property
    def ran(self) -> Sequence[tuple[int, Ran]]:
        """Return the steps that ran, with their numbers."""
        return [
            (step.number, Ran(step.name, step.started_at, step.ended_at, step.outcome == Outcome.CANCELLED))
            for step in self.steps
            if step.outcome != Outcome.SKIPPED and step.started_at
        ]

    @cached_property
    def places(self) -> Sequence[tuple[int, int, int | None]]:
        """Return stretches of lines, in order, and the number of the step that printed each; none where no way is
        known to lay the log along the steps."""
        if any(step.first_line is not None for step in self.steps):
            return [(step.first_line or 0, step.last_line or 0, step.number) for step in self.steps]
        spans, lines = parse_spans(self.text or ""), split_lines(self.text or "")
        parts = [Part(span.name, _stamp(lines, range(span.first_line - 1, span.last_line))) for span in spans]
        placed = place_parts(parts, [step for _, step in self.ran])
        return [
            (span.first_line, span.last_line, None if place is None else self.ran[place][0])
            for span, place in zip(spans, placed, strict=False)
        ]

    @property
    def failed_step(self) -> str:
        bad = next((step.name for step in self.steps if step.outcome in BAD_OUTCOMES), "")
        if not bad and self.outcome == Outcome.CANCELLED:
            bad = next((step.name for step in self.steps if step.outcome == Outcome.CANCELLED), "")
        return bad


@dataclass(frozen=True, slots=True)
class _Step:
    number: int
    name: str
    outcome: Outcome
    started_at: datetime | None
    ended_at: datetime | None
    first_line: int | None
    last_line: int | None
    source: str


def to_rows(attempt: Attempt) -> Rows:
    """Return the attempt's rows of every table of ATTEMPT_TABLES, and the lists of names that its rosters point to."""
    rows: Rows = {name: [] for name in ATTEMPT_TABLES}
    run_id, number = int(attempt.run["id"]), int(attempt.run.get("run_attempt") or 1)
    key = (attempt.repo, run_id, number)
    jobs = [_read_job(attempt, payload) for payload in attempt.jobs]
    workflow = attempt.run.get("path") or attempt.run.get("name") or "unknown"
    workflow = workflow.partition("@")[0]
    ends = _ends_by_key(attempt, jobs)
    broken = {attempt.declared.key_of(job.payload.get("name") or "") for job in jobs if job.outcome in _BREAKS}
    broken -= {"", *attempt.declared.allowed_to_fail}
    for job in jobs:
        job_id = int(job.payload["id"])
        job_key = (*key, job_id)
        rows["jobs"].append(_job_row(attempt, job, job_key, workflow, ends, broken))
        rows["steps"].extend(
            (*job_key, s.number, s.name, s.outcome, s.started_at, s.ended_at, None, s.first_line, s.last_line, s.source)
            for s in job.steps
        )
        rows["setups"].extend((*job_key, item.item, item.name, item.version) for item in job.setups)
        if job.outcome in _BREAKS and job.text is not None:
            rows["failures"].append(_failure_row(job, job_key))
        if job.text is not None:
            rows["cache_events"].extend(_cache_rows(job, job_key))
            rows["units"].extend(_unit_rows(job, job_key))
            rows["phases"].extend(_phase_rows(job, job_key))
            rows["benchmarks"].extend(_benchmark_rows(job, job_key))
            rows["compiler_caches"].extend(_compiler_cache_rows(job, job_key))
        rows["annotations"].extend(
            (*job_key, a.get("annotation_level"), a.get("title"), a.get("message"), a.get("path"), a.get("start_line"))
            for a in attempt.annotations.get(job_id, ())
        )
    rows["runs"].append(_run_row(attempt, jobs, key, workflow))
    told = {int(job.payload["id"]): parse_log_tests(job.text) for job in jobs if job.text is not None}
    ran = [int(job.payload["id"]) for job in jobs if job.outcome != Outcome.SKIPPED]
    only_job = ran[0] if len(ran) == 1 else None
    rows.update(to_test_rows(key, told, attempt.reports, only_job=only_job))
    logs = {int(job.payload["id"]): job.text for job in jobs if job.text is not None}
    uploaders = Uploaders(_names(attempt), logs, only_job)
    rows.update(to_usage_rows(key, attempt.recordings, uploaders))
    rows["unit_times"] = to_unit_time_rows(key, attempt.timings, uploaders)
    printed = {name for *_, name, _value, _unit, _low, _high, _is_smaller in rows["benchmarks"]}
    rows["benchmarks"] += to_benchmark_rows(
        key, attempt.benchmarks, uploaders, head_sha=attempt.run.get("head_sha") or "", printed=printed
    )
    return rows


def _names(attempt: Attempt) -> dict[int, tuple[str, ...]]:
    """Return what each job is called: as GitHub shows it, and by its key in the file with its matrix leg."""
    found: dict[int, tuple[str, ...]] = {}
    for job in attempt.jobs:
        shown = job.get("name") or ""
        key, (_, leg) = attempt.declared.key_of(shown), leg_of(shown, declared=attempt.declared.jobs)
        found[int(job["id"])] = (shown, f"{key} {leg}" if key else "")
    return found


def _read_job(attempt: Attempt, payload: Mapping[str, Any]) -> _Job:
    text = attempt.log(int(payload["id"]))
    ending = parse_ending(text) if text is not None else Ending(Outcome.UNKNOWN)
    told = payload.get("conclusion") is not None or payload.get("status") != "completed"
    if told:
        outcome = Outcome.of(conclusion=payload.get("conclusion"), status=payload.get("status"))
    elif payload.get("is_partial") and ending.outcome == Outcome.SUCCESS:
        outcome = Outcome.UNKNOWN
    else:
        outcome = ending.outcome
    queueing = parse_queueing(payload.get("system") or text or "") if not told else Queueing()
    job = _Job(
        payload=payload,
        text=text,
        outcome=outcome,
        outcome_source="api" if told else "log",
        ending=ending,
        created_at=to_moment(payload.get("created_at") or queueing.queued_at),
        started_at=to_moment(payload.get("started_at") or _started(payload, queueing, text)),
        ended_at=to_moment(payload.get("completed_at") or (last_stamp(text) if text else None)),
        runner=payload.get("runner_name") or queueing.runner,
        labels=" ".join(payload.get("labels") or []) or queueing.labels,
        steps=[],
        setups=parse_setup(text) if text is not None else [],
    )
    if job.started_at and job.ended_at and job.ended_at - job.started_at > LONGEST_JOB:
        job.ended_at = None
    job.steps = _read_steps(job)
    if text is not None and ending.error_line is not None:
        spans = [
            Span(s.name, s.first_line, s.last_line)
            for s in job.steps
            if s.first_line is not None and s.last_line is not None
        ]
        job.span = span_of(ending.error_line, spans or parse_spans(text))
    return job


def _started(payload: Mapping[str, Any], queueing: Queueing, text: str | None) -> str | None:
    """A log that opens with the queueing lines (2021-10 to 2024-11) starts when the runner took the job."""
    if queueing.taken_at and not payload.get("system"):
        return queueing.taken_at
    return first_stamp(text) if text else None


def _read_steps(job: _Job) -> list[_Step]:
    told = job.payload.get("steps") or []
    if told and "n_lines" not in told[0]:
        return [
            _Step(
                int(step["number"]),
                step.get("name") or "",
                Outcome.of(conclusion=step.get("conclusion"), status=step.get("status")),
                to_moment(step.get("started_at")),
                to_moment(step.get("completed_at")),
                None,
                None,
                "api",
            )
            for step in told
        ]
    if job.text is None:
        return []
    spans: list[tuple[int, Span]] = []
    if told:
        first = 1
        for step in told:
            spans.append((int(step["number"]), Span(step["name"], first, first + step["n_lines"] - 1)))
            first += step["n_lines"]
    else:
        spans = list(enumerate(parse_spans(job.text), start=1))
    lines, source = split_lines(job.text), "files" if told else "log"
    return [
        _Step(
            number,
            span.name,
            _step_outcome(span, job),
            _stamp(lines, range(span.first_line - 1, span.last_line)),
            _stamp(lines, range(span.last_line - 1, span.first_line - 2, -1)),
            span.first_line,
            span.last_line,
            source,
        )
        for number, span in spans
        if span.last_line >= span.first_line
    ]


def _step_outcome(span: Span, job: _Job) -> Outcome:
    """Before the error: passed. The step with the error: as the job. After it, one cannot tell."""
    if job.ending.error_line is None or span.last_line < job.ending.error_line:
        return Outcome.SUCCESS if job.outcome != Outcome.UNKNOWN else Outcome.UNKNOWN
    return job.ending.outcome if span.first_line <= job.ending.error_line else Outcome.UNKNOWN


def _stamp(lines: Sequence[str], numbers: range) -> datetime | None:
    for number in numbers:
        if number < len(lines) and (found := STAMP.match(lines[number])):
            return to_moment(found[1])
    return None


def _ends_by_key(attempt: Attempt, jobs: Sequence[_Job]) -> dict[str, datetime]:
    """Return the end of the last leg of every declared job of this attempt."""
    ends: dict[str, datetime] = {}
    for job in jobs:
        key = attempt.declared.key_of(job.payload.get("name") or "")
        if key and job.ended_at:
            ends[key] = max(ends.get(key, job.ended_at), job.ended_at)
    return ends


def _job_row(
    attempt: Attempt, job: _Job, key: tuple[Any, ...], workflow: str, ends: Mapping[str, datetime], broken: set[str]
) -> tuple[Any, ...]:
    name = job.payload.get("name") or ""
    base, leg = leg_of(name, declared=attempt.declared.jobs)
    needs = attempt.declared.needs.get(attempt.declared.key_of(name))
    waited = [ends[need] for need in needs or () if need in ends]
    ready = max(job.created_at, *waited) if job.created_at and waited else job.created_at
    has_run = job.outcome != Outcome.SKIPPED
    state, n_bytes = attempt.logs.get(key[3], ("not_fetched", None))
    return (
        *key,
        workflow,
        name,
        base,
        leg,
        job.outcome,
        job.outcome_source,
        job.failed_step,
        job.ending.exit_code if job.outcome in BAD_OUTCOMES else None,
        job.created_at,
        job.started_at,
        job.ended_at,
        max(0.0, (job.started_at - ready).total_seconds()) if ready and job.started_at and has_run else None,
        None,
        job.runner,
        job.labels,
        len(job.steps),
        None if needs is None else not broken.isdisjoint(needs),
        state,
        n_bytes,
        None if job.text is None else len(split_lines(job.text)),
    )


def _failure_row(job: _Job, key: tuple[Any, ...]) -> tuple[Any, ...]:
    why = explain(job.text or "")
    return (
        *key,
        job.outcome,
        job.failed_step or (job.span.name if job.span else ""),
        job.ending.exit_code,
        job.ending.error,
        job.ending.error_line,
        why.lines[0] if why.lines else None,
        why.lines[-1] if why.lines else None,
        "\n".join(f"{line.number}\t{line.text}" for line in why.excerpt),
        "signs of failure in this log alone",
        why.headline,
        why.cause,
        why.confidence,
        why.signature or None,
    )


def _cache_rows(job: _Job, key: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    return [
        (
            *key,
            _step_at(job, event.line, event.at),
            event.action,
            event.operation,
            event.result,
            event.key,
            event.restored_key,
            event.size_bytes,
            event.wall_s,
            event.reason,
            event.line,
        )
        for event in parse_cache_events(job.text or "")
    ]


def _unit_rows(job: _Job, key: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    return [
        (
            *key,
            _step_at(job, unit.line, unit.at),
            unit.unit,
            unit.version,
            unit.action,
            unit.is_local,
            to_moment(unit.at),
            unit.wall_s,
        )
        for unit in parse_units(job.text or "")
    ]


def _phase_rows(job: _Job, key: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    return [
        (
            *key,
            _step_at(job, phase.first_line, phase.at),
            phase.phase,
            phase.tool,
            phase.version,
            to_moment(phase.at),
            phase.wall_s,
            phase.first_line,
            phase.last_line,
        )
        for phase in parse_phases(job.text or "")
    ]


def _benchmark_rows(job: _Job, key: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    return [
        (*key, one.line, one.tool, one.name, one.value, one.unit, one.low, one.high, one.is_smaller_better)
        for one in parse_benchmarks(job.text or "")
    ]


def _compiler_cache_rows(job: _Job, key: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    return [
        (
            *key,
            _step_at(job, block.line, block.at),
            block.line,
            "sccache",
            block.location,
            block.n_requests,
            block.n_hits,
            block.n_misses,
            block.n_uncacheable,
            block.n_errors,
            block.n_write_errors,
            block.size_bytes,
        )
        for block in parse_compiler_caches(job.text or "")
    ]


def _step_at(job: _Job, line: int, at: str) -> int | None:
    """Return the number of the step that printed the line: by lines where steps have them, else by the parts of the
    log laid along the steps, else, where these fit no way, by its time; None where it cannot be told."""
    if job.places:
        place = bisect_right(job.places, line, key=lambda known: known[0]) - 1
        first_line, last_line, number = job.places[place]
        return number if first_line <= line <= last_line else None
    ran = job.ran
    found = step_by_time(to_moment(at), [step for _, step in ran])
    return None if found is None else ran[found][0]


def _run_row(attempt: Attempt, jobs: Sequence[_Job], key: tuple[Any, ...], workflow: str) -> tuple[Any, ...]:
    run = attempt.run
    told = run.get("conclusion") is not None or run.get("status") != "completed"
    outcomes = {job.outcome for job in jobs}
    started = to_moment(run.get("run_started_at")) or min(
        filter(None, (job.created_at or job.started_at for job in jobs)), default=None
    )
    pulls = run.get("pull_requests") or []
    merge = next((item for job in jobs for item in job.setups if item.item == "workflow_ref"), None)
    number = pulls[0].get("number") if pulls else _pull_of(merge.version if merge else "")
    return (
        *key,
        workflow,
        run.get("name") or workflow,
        run.get("run_number"),
        run.get("event") or "unknown",
        run.get("head_branch") or "",
        ((pulls[0].get("base") or {}).get("ref") or "") if pulls else "",
        number,
        run.get("head_sha") or "",
        ((run.get("triggering_actor") or run.get("actor") or {}).get("login")) or "",
        run.get("display_title") or "",
        Outcome.of(conclusion=run.get("conclusion"), status=run.get("status")) if told else worst(outcomes),
        "api" if told else "log",
        to_moment(run.get("created_at")) or started,
        started,
        max(filter(None, (job.ended_at for job in jobs)), default=_end_without_jobs(run) if not jobs else None),
        None,
        len(jobs),
        sum(job.outcome in BAD_OUTCOMES for job in jobs),
        attempt.is_last,
        _is_workflow_exact(attempt),
        attempt.source,
    )


def _is_workflow_exact(attempt: Attempt) -> bool | None:
    """Tell whether the workflow file known for the run is the one that ran; None where none, or no event, is known.

    For a pull request the merge commit's file ran, or that of its base, and the API gives neither.
    """
    event = attempt.run.get("event") or "unknown"
    if not attempt.declared.is_known or event == "unknown":
        return None
    return event not in {"pull_request", "pull_request_target"}


def _end_without_jobs(run: Mapping[str, Any]) -> datetime | None:
    """A broken workflow file, or a run cancelled while it waited: GitHub's last word on it is its end."""
    is_over = run.get("status") == "completed" and run.get("conclusion") is not None
    return to_moment(run.get("updated_at") or run.get("run_started_at")) if is_over else None


def _pull_of(ref: str) -> int | None:
    words = ref.split("/")
    return int(words[2]) if words[:2] == ["refs", "pull"] and len(words) > 2 and words[2].isdigit() else None


def worst(outcomes: set[Outcome]) -> Outcome:
    """Return a run's outcome from those of its jobs: failed before cancelled before unknown before passed."""
    if outcomes & BAD_OUTCOMES:
        return Outcome.FAILURE
    for outcome in (Outcome.CANCELLED, Outcome.RUNNING, Outcome.UNKNOWN):
        if outcome in outcomes:
            return outcome
    return Outcome.SUCCESS if Outcome.SUCCESS in outcomes else Outcome.SKIPPED if outcomes else Outcome.UNKNOWN


def to_moment(text: str | None) -> datetime | None:
    """Return the moment, UTC where no zone is told; None for none, for what is no date, and for years no run was in.

    Year 1 is how some servers write "never", and a log may hold a line that only looks like a time stamp.
    """
    try:
        moment = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    if moment is None or not 1970 <= moment.year < 2200:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


assert set(ATTEMPT_TABLES) <= set(TABLES)  # noqa: S101
