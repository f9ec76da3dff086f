"""What is planted in the sample and where it shows, in a form that tests read.

The places are looked up in the composed history, so that the truths can never speak of a run that is not there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from .history import CI, DOCS, NIGHTLY, Attempt, History
from .jobs import Done
from .payloads import is_expired
from .record import ANSI
from .render import REPOSITORY
from .story import DOCS_STOP, IMAGE_CHANGES, SINCE, STABLE_CHANGES, UNTIL

Truth = dict[str, Any]
FLUSH = "config::tests::flush_interval_comes_from_the_environment"
SHARED_PATH = "/tmp/kvstore-segments"  # noqa: S108 - the planted fault
REOPENING = "reopening_continues_the_last_segment"
BLOOM = "false_positives_stay_below_four_percent"
SCANS = ["table::tests::scan_includes_the_upper_bound", "table::tests::scan_of_one_key_finds_it"]
PROTOCOL = [
    "a_deleted_key_is_gone",
    "a_missing_key_is_none",
    "a_scan_counts_keys",
    "a_scan_includes_its_upper_bound",
    "a_value_can_be_read_back",
    "a_value_can_be_replaced",
    "an_empty_scan_counts_zero",
    "deleting_nothing_says_none",
    "nonsense_is_an_error",
    "ping_is_answered",
    "set_says_ok",
]
COMPRESSION = [
    f"compression::tests::{name}"
    for name in (
        "binary_values_survive",
        "decode_reverses_encode",
        "empty_input_stays_empty",
        "long_runs_are_split",
        "odd_input_is_refused",
        "runs_are_counted",
        "single_bytes_are_kept",
        "text_without_runs_grows",
    )
]


def to_truths(history: History, *, seed: int) -> Truth:
    """The whole of `truths.json`."""
    jobs = [job for attempt in history.attempts for job in attempt.jobs]
    return {
        "repo": REPOSITORY,
        "window": {"since": _iso(SINCE), "until": _iso(UNTIL)},
        "seed": seed,
        "counts": {
            "runs": len({attempt.run_id for attempt in history.attempts}),
            "attempts": len(history.attempts),
            "jobs": len(jobs),
            "failed_jobs": sum(job.conclusion == "failure" for job in jobs),
            "cancelled_jobs": sum(job.conclusion == "cancelled" for job in jobs),
            "logs": sum(job.log is not None and not is_expired(a) for a in history.attempts for job in a.jobs),
        },
        "simulated": "Dates, durations, queues, runners, caches, payloads and the lines that runner and actions print.",
        "recorded": "What cargo, rustc, clippy, rustfmt, libtest and nextest print, from real runs of a workspace.",
        "truths": list(_Planted(history).truths()),
    }


def _iso(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


class _Planted:
    """Finds each planted thing in the history."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._label = history.labels

    def truths(self) -> Iterable[Truth]:
        yield from self._flakes()
        yield from self._code()
        yield from self._machines()
        yield from self._caches()
        yield from self._claims()
        yield from self._workflows()

    def _runs(self, wanted: Callable[[Attempt], bool]) -> list[Attempt]:
        return [attempt for attempt in self._history.attempts if wanted(attempt)]

    def _saying(self, job: str, text: str) -> list[Attempt]:
        """Attempts with the text in a log of a job of that base name; expired logs are not seen."""
        return self._runs(
            lambda attempt: (
                not is_expired(attempt)
                and any(_base(j) == job and j.log and text in ANSI.sub("", j.log) for j in attempt.jobs)
            )
        )

    def _named(self, incident: str) -> list[Attempt]:
        return self._runs(lambda attempt: attempt.incident == incident)

    def _committed(self, label: str) -> datetime:
        return next(a.created_at for a in self._history.attempts if a.trigger.label == label)

    def _truth(
        self,
        number: str,
        kind: str,
        title: str,
        attempts: list[Attempt],
        *,
        where: dict[str, Any],
        expected: dict[str, Any] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        fix: str = "",
    ) -> Truth:
        first = since or min((a.started_at for a in attempts), default=SINCE)
        last = until or max((a.updated_at for a in attempts), default=UNTIL)
        return {
            "id": number,
            "kind": kind,
            "title": title,
            "where": where,
            "run_ids": [[attempt.run_id, attempt.attempt] for attempt in attempts],
            "since": _iso(first),
            "until": _iso(last),
            "fix_commit": self._label[fix] if fix else None,
            "expected": expected or {},
        }

    def _ran(self, job: str, *, since: datetime = SINCE, until: datetime = UNTIL) -> int:
        return sum(
            _base(j) == job and j.conclusion in ("success", "failure")
            for a in self._history.attempts
            if since <= a.started_at <= until
            for j in a.jobs
        )

    def _flakes(self) -> Iterable[Truth]:
        fixed = self._committed("race_env_fix")
        yield self._truth(
            "race-env",
            "race_env",
            "Two tests of one process set the same environment variable; libtest runs them at once, nextest does not",
            self._saying("coverage", f"test {FLUSH} ... FAILED"),
            where={"workflow": CI, "job": "coverage", "test": FLUSH, "variable": "KVSTORE_FLUSH_MS"},
            expected={
                "line": f"test {FLUSH} ... FAILED",
                "never_in_job": "tests",
                "n_executions": self._ran("coverage", until=fixed),
                "verdict": "flaky",
            },
            since=SINCE,
            until=fixed,
            fix="race_env_fix",
        )
        yield self._truth(
            "race-path",
            "race_path",
            f"Two tests share {SHARED_PATH}",
            self._saying("integration", f"test {REOPENING} ... FAILED"),
            where={"workflow": CI, "job": "integration", "test": REOPENING, "path": SHARED_PATH},
            expected={
                "line": f"test {REOPENING} ... FAILED",
                "n_executions": self._ran("integration"),
                "verdict": "flaky",
                "fixed": False,
            },
        )
        yield self._truth(
            "retry-hidden",
            "retry_hidden",
            "nextest runs a failed test again: it passes, and the job is green",
            self._saying("tests", "FLAKY"),
            where={"workflow": CI, "job": "tests", "module": "listener::tests", "port": 47017},
            expected={
                "text": "FLAKY",
                "job_conclusion": "success",
                "n_jobs": sum(
                    bool(j.log and "FLAKY" in j.log)
                    for a in self._history.attempts
                    if not is_expired(a)
                    for j in a.jobs
                ),
                "verdict": "flaky inside the run",
            },
        )
        rare = self._saying("integration", f"test {BLOOM} ... FAILED")
        yield self._truth(
            "rare-flake",
            "rare_flake",
            "A test with a random seed that fails about once in twenty runs",
            rare,
            where={"workflow": CI, "job": "integration", "test": BLOOM},
            expected={
                "line": f"test {BLOOM} ... FAILED",
                "n_failures": len(rare),
                "n_executions": self._ran("integration"),
                "verdict": "flaky",
            },
        )

    def _code(self) -> Iterable[Truth]:
        broken, fixed = self._committed("regression"), self._committed("regression_fix")
        yield self._truth(
            "regression",
            "regression",
            "A scan lost its upper bound",
            self._saying("tests", "53 passed, 2 failed"),
            where={"workflow": CI, "job": "tests", "tests": SCANS, "commit": self._label["regression"]},
            expected={"tests": SCANS, "every_leg": True, "verdict": "regression"},
            since=broken,
            until=fixed,
            fix="regression_fix",
        )
        shortened = self._committed("lost_target")
        yield self._truth(
            "lost-target",
            "lost_tests",
            "The integration job no longer names the target `protocol`: its tests run nowhere",
            self._runs(lambda a: a.code.has_short_integration and any(_ran(j, "integration") for j in a.jobs)),
            where={
                "workflow": CI,
                "job": "integration",
                "target": "protocol",
                "tests": PROTOCOL,
                "commit": self._label["lost_target"],
            },
            expected={"tests": PROTOCOL, "message_says": "every test still runs", "n_lost": len(PROTOCOL)},
            since=shortened,
            until=UNTIL,
        )
        yield self._truth(
            "lost-feature",
            "lost_tests",
            "A default feature is switched off: the tests behind it are no longer compiled",
            self._runs(lambda a: a.code.state == "feature-off" and any(_ran(j, "tests") for j in a.jobs)),
            where={
                "workflow": CI,
                "job": "tests",
                "feature": "compression",
                "tests": COMPRESSION,
                "commit": self._label["lost_feature"],
            },
            expected={"tests": COMPRESSION, "n_lost": len(COMPRESSION)},
            since=self._committed("lost_feature"),
            until=UNTIL,
        )

    def _machines(self) -> Iterable[Truth]:
        outage = self._named("outage")
        yield self._truth(
            "outage",
            "outage",
            "The package index does not answer: three branches fail within hours",
            outage,
            where={"workflow": CI, "job": "lint", "host": "index.crates.io"},
            expected={
                "text": "index.crates.io",
                "branches": sorted({a.trigger.branch for a in outage}),
                "rerun_passes": True,
                "cause": "network",
                "verdict": "infrastructure",
            },
        )
        yield self._truth(
            "oom",
            "oom",
            "The compiler is killed for want of memory",
            self._named("oom"),
            where={"workflow": NIGHTLY, "job": "stress", "crate": "kvstore-server"},
            expected={
                "text": "(signal: 9, SIGKILL: kill)",
                "exit_code": 101,
                "cause": "memory",
                "verdict": "undecided",
            },
        )
        yield self._truth(
            "timeout",
            "timeout",
            "A deadlock in the soak test holds the job until its limit",
            self._named("timeout"),
            where={"workflow": NIGHTLY, "job": "soak", "test": "readers_and_writers_share_the_table"},
            expected={
                "job_conclusion": "cancelled",
                "text": "##[error]The operation was canceled.",
                "annotation": "has exceeded the maximum execution time of 20 minutes.",
                "limit_minutes": 20,
                "hang_notice": "has been running for over 60 seconds",
                "verdict": "timed out",
            },
        )
        yield self._truth(
            "lost-runner",
            "lost_runner",
            "A runner is lost in the middle of a step: no log was ever written",
            self._named("lost_runner"),
            where={"workflow": CI, "job": "tests (ubuntu-24.04-arm, stable)", "step": "Unit tests"},
            expected={
                "log_state": "never_written",
                "last_step_conclusion": None,
                "job_conclusion": "failure",
                "verdict": "infrastructure",
            },
        )
        yield self._truth(
            "expired-logs",
            "expired_logs",
            "The first day is older than the retention of logs",
            self._runs(is_expired),
            where={},
            expected={"log_state": "expired"},
        )
        yield self._truth(
            "superseded",
            "superseded",
            "A newer push of the branch cancels the run",
            self._named("superseded"),
            where={"workflow": CI},
            expected={"run_conclusion": "cancelled", "newer_run_within_minutes": 10, "verdict": "superseded"},
        )
        yield self._truth(
            "cancelled-by-hand",
            "cancelled_by_hand",
            "A run is cancelled though no newer push came, and run again an hour later",
            self._named("cancelled_by_hand"),
            where={"workflow": CI},
            expected={
                "run_conclusion": "cancelled",
                "newer_run_within_minutes": None,
                "verdict": "cancelled by hand",
            },
        )
        yield self._truth(
            "reruns",
            "rerun",
            "Second attempts that turn green with the same code",
            self._runs(lambda a: a.attempt > 1),
            where={"workflow": CI},
            expected={"conclusions": sorted({a.conclusion for a in self._runs(lambda a: a.attempt > 1)})},
        )
        yield self._truth(
            "image-change",
            "environment_change",
            "The runner image has a new version",
            [],
            where={},
            expected={"before": "20260810.271.1", "after": "20260921.305.1"},
            since=IMAGE_CHANGES,
            until=UNTIL,
        )
        yield self._truth(
            "rustc-change",
            "environment_change",
            "stable is a new rustc",
            [],
            where={"toolchain": "stable"},
            expected={"before": "1.95.0", "after": "1.96.1"},
            since=STABLE_CHANGES,
            until=UNTIL,
        )

    def _caches(self) -> Iterable[Truth]:
        cold, warm = self._committed("cold_cache"), self._committed("cold_cache_fix")
        yield self._truth(
            "cold-cache",
            "cold_cache",
            "The cache key holds the run id: first attempts never find anything and build cold",
            self._runs(
                lambda a: a.code.has_run_id_key and a.attempt == 1 and any(_ran(j, "tests") and j.log for j in a.jobs)
            ),
            where={"workflow": CI, "job": "tests", "step": "Rust cache", "commit": self._label["cold_cache"]},
            expected={
                "text": "No cache found.",
                "median_step_s_at_least": 250,
                "median_step_s_before_at_most": 160,
            },
            since=cold,
            until=warm,
            fix="cold_cache_fix",
        )
        hit = self._saying("coverage", "Cache hit for: cargo-Linux-")
        yield self._truth(
            "shared-key",
            "shared_key",
            "Two builds share one key; coverage has other flags, so its cache hits and all is compiled again",
            hit,
            where={"workflow": CI, "job": "coverage", "other_job": "integration", "step": "Cargo cache"},
            expected={
                "text": "Cache hit for: cargo-Linux-",
                "recompiled_in_job": ["example-crc32", "example-hash", "example-lru"],
                "not_recompiled_in_other_job": ["example-crc32", "example-hash", "example-lru"],
            },
        )

    def _claims(self) -> Iterable[Truth]:
        for label, kind, title, workflow, job, step, before, after in (
            ("claim_true", "claim_true", "'6 minutes to about 2 minutes': true", CI, "tests", "Unit tests", 14, 9),
            ("claim_false", "claim_false", "'40 % faster': nothing changed", CI, "tests", "Unit tests", 14, 12),
            (
                "claim_undecidable",
                "claim_undecidable",
                "'9 to 6 minutes': two runs since",
                NIGHTLY,
                "stress",
                "Optimised unit tests",
                60,
                9,
            ),
        ):
            at = self._committed(label)
            seen = self._runs(
                lambda a, workflow=workflow, at=at, job=job, after=after: (  # type: ignore[misc]
                    a.trigger.workflow == workflow
                    and at <= a.started_at <= at + timedelta(days=after)
                    and any(_ran(j, job) and j.conclusion == "success" for j in a.jobs)
                )
            )
            yield self._truth(
                kind.replace("_", "-"),
                kind,
                title,
                seen,
                where={"workflow": workflow, "job": job, "step": step, "commit": self._label[label]},
                expected={
                    "claimed_ratio": {"claim_true": 0.35, "claim_false": 0.6, "claim_undecidable": 0.67}[label],
                    "true_ratio": {"claim_true": 0.33, "claim_false": 1.0, "claim_undecidable": None}[label],
                    "verdict": {"claim_true": "holds", "claim_false": "does not hold"}.get(label, "cannot be told"),
                    "n_after": len(seen),
                    "days_before": before,
                    "days_after": after,
                },
                since=at,
                until=at + timedelta(days=after),
            )

    def _workflows(self) -> Iterable[Truth]:
        docs = self._runs(lambda a: a.trigger.workflow == DOCS)
        yield self._truth(
            "silent-docs",
            "silent_workflow",
            "The weekly documentation stopped three weeks before the end",
            docs,
            where={"workflow": DOCS},
            expected={"last_run_at": _iso(docs[-1].started_at), "cron": "41 4 * * 0", "missed": 3},
            since=DOCS_STOP,
            until=UNTIL,
        )
        yield self._truth(
            "masked-strict-lints",
            "masked_job",
            "A job that may fail, and always does",
            self._runs(lambda a: any(_base(j) == "strict-lints" and j.conclusion == "failure" for j in a.jobs)),
            where={"workflow": CI, "job": "strict-lints"},
            expected={"job_conclusion": "failure", "n_success": 0, "run_may_be": "success", "verdict": "masked"},
        )
        faults = (
            ("missing-timeout", "The job has no limit of its own: six hours", CI, "coverage", "timeout-minutes"),
            (
                "swallowed-exit-code",
                "`|| true`: the bench is always over its limit and always green",
                NIGHTLY,
                "bench",
                "|| true",
            ),
            ("key-without-lockfile", "A cache key that never changes", DOCS, "docs", "key: docs-cargo-registry"),
            (
                "gate-blind-to-cancelled",
                "The gate looks for `failure` only: cancelled jobs pass",
                CI,
                "gate",
                "contains(needs.*.result, 'failure')",
            ),
            (
                "target-in-no-job",
                "No job selects tests/replication.rs",
                CI,
                "integration",
                "crates/kvstore-server/tests/replication.rs",
            ),
            (
                "key-shared-by-two-builds",
                "Two jobs with different flags share one key",
                CI,
                "coverage",
                "key: cargo-${{ runner.os }}-${{ hashFiles('**/Cargo.lock') }}",
            ),
        )
        for name, title, workflow, job, text in faults:
            shown: list[Attempt] = []
            if name == "swallowed-exit-code":
                shown = self._saying("bench", "error: bench is over its limit")
            if name == "gate-blind-to-cancelled":
                shown = self._runs(
                    lambda a: (
                        a.conclusion == "cancelled"
                        and any(j.name == "gate" and j.conclusion == "success" for j in a.jobs)
                    )
                )
            yield self._truth(
                name,
                "workflow_fault",
                title,
                shown,
                where={"workflow": workflow, "job": job, "text": text},
                since=SINCE,
                until=UNTIL,
            )


def _base(job: Done) -> str:
    return job.name.split(" ")[0]


def _ran(job: Done, base: str) -> bool:
    return _base(job) == base and job.conclusion in ("success", "failure")
