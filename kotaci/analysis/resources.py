"""What do jobs take from their machine, and where do they reach its limits? By recordings, and by what logs tell.

Recordings are those of `kotaci watch`. Where none is, only failures tell, and warnings of the runner.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from kotaci.analysis.caching import family_of
from kotaci.analysis.statistics import wilson
from kotaci.analysis.verdicts.bursts import RUNNER_WORDS
from kotaci.model import Certainty, Finding, Link, Outcome, Price, Severity, job_url, plural, run_url, short_workflow


@dataclass(frozen=True)
class ResourceOptions:
    """Thresholds; printed with the result."""

    min_recordings: int = 3
    """Below this many recordings of a job nothing is judged."""
    high_memory: float = 0.85
    """Memory is near its limit where more than this share of the machine's was in use."""
    low_cpu: float = 0.4
    """Cores are idle where less than this share of them was busy, over the whole command."""
    long_minutes: float = 5.0
    """The same, of commands that take at least so long."""
    low_disk_gb: float = 2.0
    """The disk is almost full where less than this was free."""
    min_cause_confidence: float = 0.3
    """A failure's cause less sure than this is not counted."""


DEFAULTS = ResourceOptions()

MANY = 20
"""From so many recordings on the 95th percentile is told; of fewer the highest."""

GB = 1e9

KINDS = {"memory": "out-of-memory", "disk-full": "disk-full", "runner-lost": "runner-lost"}
"""What of the catalogue of causes is a limit of the machine, and how it is called here."""

WARNED = "disk-warned"
SAYS_LOW = "running out of disk space"
"""How the runner warns, with what is left, when less than 100 MB are free."""

_ATTEMPT = ["run_id", "attempt"]
_JOB = [*_ATTEMPT, "job_id"]
_GROUP = ["workflow", "job", "file"]


@dataclass(frozen=True)
class Resources:
    """The answer as tables and findings.

    recordings: one row a (workflow, job, file of the recording), most time first: the newest command, n recordings,
    n_cut of these whose watcher was killed; medians wall_s, mean_cores of the command, busy_share of the machine's
    n_cores, memory_share of its memory_bytes at the worst moment, peak_rss_bytes of the command, written_bytes,
    received_bytes; memory_high_share, the 95th percentile from MANY recordings on, else the highest; min_free_bytes,
    the least ever left on the disk; total_s. Not `has_job`: no job is known, and `job` is the artifact's name.
    medians: one recording of each, of median duration, as in `usages`; samples: its series, as in `usage_samples`.
    pressures: one row a (kind, workflow, job): n_jobs that met a limit, of n_ran that ran, share with low and high,
    n_runs, minutes that those jobs took, first_at and last_at.
    """

    recordings: pd.DataFrame
    medians: pd.DataFrame
    samples: pd.DataFrame
    pressures: pd.DataFrame
    findings: Sequence[Finding]
    n_recordings: int
    options: ResourceOptions


def assess_resources(
    *,
    runs: pd.DataFrame,
    jobs: pd.DataFrame,
    failures: pd.DataFrame,
    annotations: pd.DataFrame,
    usages: pd.DataFrame,
    usage_samples: pd.DataFrame,
    options: ResourceOptions = DEFAULTS,
) -> Resources:
    """Return what commands took from their machines, and which jobs met a limit, from the tables of those names.

    Shares are of the machine as it was then; the processors and the memory told are those of the newest recording.
    Misleads in a container that is given less than its machine has, and where several runners share one.
    """
    placed = _with_places(usages, runs, jobs)
    recordings = _recording_table(placed, options=options)
    by_length = placed.sort_values("wall_s", kind="stable")
    of_group = by_length.groupby(_GROUP)["wall_s"]
    medians = by_length[of_group.cumcount() == (of_group.transform("size") - 1) // 2]
    met = _met_limits(runs, jobs, failures, annotations, options=options)
    pressures = _pressure_table(met, jobs)
    found = [*_find_limits(pressures, met), *_find_usage(recordings, placed, options=options)]
    return Resources(
        recordings=recordings,
        medians=medians.reset_index(drop=True),
        samples=usage_samples.merge(medians[[*_ATTEMPT, "artifact_id", "file", "workflow", "job"]]),
        pressures=pressures,
        findings=sorted(found, key=lambda finding: (-finding.severity, -finding.n)),
        n_recordings=len(usages),
        options=options,
    )


def _with_places(usages: pd.DataFrame, runs: pd.DataFrame, jobs: pd.DataFrame) -> pd.DataFrame:
    """Return the recordings with workflow and job, and what they used as shares of their machine."""
    joined = usages.merge(runs[[*_ATTEMPT, "workflow"]], on=_ATTEMPT).merge(jobs[[*_JOB, "job"]], on=_JOB, how="left")
    numbers = joined.select_dtypes("number").columns.difference([*_JOB, "artifact_id"])
    told = joined.assign(**{name: joined[name].astype(float) for name in numbers})
    return told.assign(
        workflow=told["workflow"].map(short_workflow),
        has_job=told["job"].notna(),
        job=told["job"].fillna(told["artifact"].map(family_of)),
        busy_share=told["machine_cpu_s"] / (told["wall_s"] * told["n_cores"]).where(told["wall_s"] > 0),
        memory_share=(1 - told["min_available_bytes"] / told["memory_bytes"]).clip(lower=0),
    ).sort_values("started_at", kind="stable", ignore_index=True)


RECORDING_COLUMNS = [
    *_GROUP, "has_job", "command", "n", "n_cut", "wall_s", "total_s", "n_cores", "mean_cores", "busy_share",
    "memory_bytes", "memory_share", "memory_high_share", "peak_rss_bytes", "written_bytes", "received_bytes",
    "min_free_bytes", "has_enough",
]  # fmt: skip


def _recording_table(placed: pd.DataFrame, *, options: ResourceOptions) -> pd.DataFrame:
    rows = []
    for key, part in placed.groupby(_GROUP, sort=False):
        newest, middle = part.iloc[-1], part.median(numeric_only=True)
        memory = part["memory_share"]
        rows.append(
            {
                **dict(zip(_GROUP, key, strict=True)),
                **{name: newest[name] for name in ("has_job", "command", "n_cores", "memory_bytes")},
                **{name: middle[name] for name in _MEDIANS},
                "n": len(part),
                "n_cut": int(part["exit_code"].isna().sum()),
                "total_s": part["wall_s"].sum(),
                "memory_high_share": memory.quantile(0.95) if len(part) >= MANY else memory.max(),
                "min_free_bytes": part["min_free_bytes"].min(),
                "has_enough": len(part) >= options.min_recordings,
            }
        )
    return pd.DataFrame(rows, columns=RECORDING_COLUMNS).sort_values("total_s", ascending=False, ignore_index=True)


_MEDIANS = (
    "wall_s", "mean_cores", "busy_share", "memory_share", "peak_rss_bytes", "written_bytes", "received_bytes",
)  # fmt: skip


def _met_limits(
    runs: pd.DataFrame,
    jobs: pd.DataFrame,
    failures: pd.DataFrame,
    annotations: pd.DataFrame,
    *,
    options: ResourceOptions,
) -> pd.DataFrame:
    """Return the jobs that met a limit of their machine, each once: what its log tells goes before annotations."""
    sure = failures[(failures["cause_confidence"] >= options.min_cause_confidence).fillna(False)]
    by_log = sure.assign(kind=sure["cause"].map(KINDS)).dropna(subset="kind")
    message = annotations["message"].fillna("")
    is_lost = message.map(lambda text: any(said in text for said in RUNNER_WORDS)).astype(bool)
    lost = annotations[is_lost].assign(kind=KINDS["runner-lost"])
    warned = annotations[message.str.contains(SAYS_LOW, regex=False)].assign(kind=WARNED)
    found = pd.concat([part[[*_JOB, "kind"]] for part in (by_log, lost, warned)]).drop_duplicates(_JOB)
    ran = jobs[jobs["outcome"] != Outcome.SKIPPED]
    of_job = ran[["repo", *_JOB, "workflow", "job", "wall_s", "started_at", "created_at"]]
    known = found.merge(of_job, on=_JOB).merge(runs[_ATTEMPT], on=_ATTEMPT)
    return known.assign(
        workflow=known["workflow"].map(short_workflow),
        minutes=known["wall_s"].astype(float) / 60,
        at=known["started_at"].fillna(known["created_at"]),
    ).sort_values("at", kind="stable", ignore_index=True)


PRESSURE_COLUMNS = [
    "kind", "workflow", "job", "n_jobs", "n_ran", "share", "low", "high", "n_runs", "minutes", "first_at", "last_at",
]  # fmt: skip


def _pressure_table(met: pd.DataFrame, jobs: pd.DataFrame) -> pd.DataFrame:
    ran = jobs[jobs["outcome"] != Outcome.SKIPPED]
    n_ran = ran.groupby([ran["workflow"].map(short_workflow), "job"]).size()
    rows = []
    for (kind, workflow, job), part in met.groupby(["kind", "workflow", "job"]):
        n, of = len(part), int(n_ran[workflow, job])
        rows.append(
            (
                *(kind, workflow, job, n, of, n / of, *wilson(n, of), part["run_id"].nunique()),
                *(part["minutes"].sum(), part["at"].min(), part["at"].max()),
            )
        )
    table = pd.DataFrame(rows, columns=PRESSURE_COLUMNS)
    return table.sort_values(["n_jobs", "minutes"], ascending=False, kind="stable", ignore_index=True)


_LIMITS = {
    "out-of-memory": (
        "ran out of memory",
        Severity.MEDIUM,
        "Limit parallelism (CARGO_BUILD_JOBS, --test-threads), drop debug information, or take a larger runner.",
    ),
    "disk-full": (
        "filled the disk",
        Severity.MEDIUM,
        "Free what the image brings and the job does not need, write less (CARGO_INCREMENTAL=0), or split the job.",
    ),
    "runner-lost": (
        "lost its runner",
        Severity.MEDIUM,
        "Where it is always the same step, record it with kotaci watch: a machine that starves is lost too.",
    ),
    WARNED: (
        "was warned that the disk is almost full",
        Severity.LOW,
        "Say df -h before and after the step that fills it, before a build fails for it.",
    ),
}
"""Of each kind of limit: what a job did, how urgent that is, what to do."""


def _find_limits(pressures: pd.DataFrame, met: pd.DataFrame) -> list[Finding]:
    found = []
    for row in pressures.to_dict("records"):
        did, severity, remedy = _LIMITS[row["kind"]]
        part = met[(met["kind"] == row["kind"]) & (met["workflow"] == row["workflow"]) & (met["job"] == row["job"])]
        found.append(
            Finding(
                id=f"{row['kind']}:{row['workflow']}:{row['job']}",
                kind=row["kind"],
                subject=f"{row['workflow']} / {row['job']}",
                claim=f"{did} {_times(row['n_jobs'])} in {plural(row['n_ran'], 'execution')}, "
                f"the last on {row['last_at']:%d %b %Y}",
                verdict=row["kind"].replace("-", " "),
                certainty=Certainty.of_n(row["n_jobs"]),
                severity=severity,
                n=row["n_jobs"],
                method="causes of failed and cancelled jobs by their logs; annotations for lost runners and warnings",
                remedy=remedy,
                price=Price(minutes=round(row["minutes"], 1), basis="measured") if row["kind"] != WARNED else Price(),
                evidence=tuple(
                    Link(f"{one['job']} {one['at']:%Y-%m-%d}", job_url(one["repo"], one["run_id"], one["job_id"]))
                    for one in part.iloc[::-1].head(3).to_dict("records")
                ),
            )
        )
    return found


def _times(n: int) -> str:
    return "once" if n == 1 else f"{n:,} times"


def _find_usage(recordings: pd.DataFrame, placed: pd.DataFrame, *, options: ResourceOptions) -> list[Finding]:
    """Return what comes near a limit of its machine, or leaves most of it idle."""
    found = []
    for row in recordings[recordings["has_enough"].astype(bool)].to_dict("records"):
        is_it = (placed[_GROUP] == [row[name] for name in _GROUP]).all(axis=1)
        evidence = _recorded(placed[is_it])
        told = {"subject": f"{row['workflow']} / {row['job']}", "n": row["n"], "evidence": evidence}
        told["certainty"] = Certainty.of_n(row["n"])
        named = f"{row['workflow']}:{row['job']}:{row['file']}"
        if row["memory_high_share"] > options.high_memory:
            found.append(
                Finding(
                    id=f"memory-near-limit:{named}",
                    kind="memory-near-limit",
                    claim=f"left {1 - row['memory_high_share']:.0%} of the machine's {row['memory_bytes'] / GB:.1f} GB "
                    f"of memory at its worst, {1 - row['memory_share']:.0%} in the median recording",
                    verdict="near the limit",
                    severity=Severity.MEDIUM,
                    method=f"{_highest(row['n'])} over {options.high_memory:.0%} of the machine's memory in use",
                    remedy="Limit parallelism or take a runner with more memory before it is killed.",
                    **told,
                )
            )
        if row["wall_s"] >= 60 * options.long_minutes and row["busy_share"] < options.low_cpu:
            busy = row["busy_share"] * row["n_cores"]
            found.append(
                Finding(
                    id=f"cores-idle:{named}",
                    kind="cores-idle",
                    claim=f"kept {busy:.1f} of {row['n_cores']:.0f} cores busy over "
                    f"{row['wall_s'] / 60:.0f} minutes: more cores would not help",
                    verdict="cores are idle",
                    severity=Severity.LOW,
                    method=f"median of recordings; less than {options.low_cpu:.0%} of the machine's cores busy over "
                    f"{options.long_minutes:g} minutes or more",
                    remedy="Look for what runs alone (one long crate, a link, one slow test binary, a download) and "
                    "split it, or take a smaller runner.",
                    **told,
                )
            )
        if row["min_free_bytes"] < options.low_disk_gb * GB:
            found.append(
                Finding(
                    id=f"disk-near-full:{named}",
                    kind="disk-near-full",
                    claim=f"left {row['min_free_bytes'] / GB:.1f} GB free on the disk at its worst",
                    verdict="near the limit",
                    severity=Severity.MEDIUM,
                    method=f"least space ever left, below {options.low_disk_gb:g} GB",
                    remedy=_LIMITS["disk-full"][2],
                    **told,
                )
            )
    return found


def _highest(n: int) -> str:
    return "95th percentile of recordings" if n >= MANY else "highest of the recordings"


def _recorded(part: pd.DataFrame) -> tuple[Link, ...]:
    newest = part.drop_duplicates([*_ATTEMPT, "job"]).iloc[::-1].head(3)
    return tuple(
        Link(
            f"{one['job']} {one['started_at']:%Y-%m-%d}",
            job_url(one["repo"], one["run_id"], one["job_id"])
            if one["has_job"]
            else run_url(one["repo"], one["run_id"], one["attempt"]),
        )
        for one in newest.to_dict("records")
    )
