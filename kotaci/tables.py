"""The column contract of every table: names, types, units, meaning; checked where a table is born.

One row is one thing. Suffixes: `_at` UTC time stamp, `_s` seconds, `_rate` 0..1 beside its `n`, `n_` count,
`is_`/`has_` truth value. Missing is missing (`<NA>`, `NaT`, empty), never a made-up zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

DTYPES = {"text": "str", "int": "Int64", "float": "Float64", "bool": "boolean", "time": "datetime64[us, UTC]"}


@dataclass(frozen=True)
class Column:
    """One column: its name, its kind (a key of DTYPES) and what it means."""

    name: str
    kind: str
    meaning: str


@dataclass(frozen=True)
class Table:
    """One table: its columns in order, and the key that no two rows share (empty: rows need not differ)."""

    name: str
    purpose: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def names(self) -> list[str]:
        """Return the column names in order."""
        return [column.name for column in self.columns]

    def to_frame(self, rows: Iterable[Sequence[Any]]) -> pd.DataFrame:
        """Return the rows (each in column order) as a frame with exactly the contract's columns and types."""
        kept = list(rows)
        by_column = list(zip(*kept, strict=True)) if kept else [()] * len(self.columns)
        if len(by_column) != len(self.columns):
            raise ValueError(f"{self.name}: rows of {len(by_column)} values for {len(self.columns)} columns")
        return pd.DataFrame(
            {
                column.name: to_series(values, kind=column.kind)
                for column, values in zip(self.columns, by_column, strict=True)
            }
        )

    def check(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return the frame unchanged. Raises ValueError where columns, types or key break the contract."""
        if list(frame.columns) != self.names:
            raise ValueError(f"{self.name}: columns are {list(frame.columns)}, not {self.names}")
        wrong = {c.name: str(frame[c.name].dtype) for c in self.columns if str(frame[c.name].dtype) != DTYPES[c.kind]}
        if wrong:
            raise ValueError(f"{self.name}: wrong column types {wrong}")
        if self.key and frame.duplicated(list(self.key)).any():
            twice = frame.loc[frame.duplicated(list(self.key)), list(self.key)].iloc[0].to_dict()
            raise ValueError(f"{self.name}: two rows have the key {twice}")
        return frame


def to_series(values: Sequence[Any], *, kind: str) -> pd.Series:
    """Return the values as a series of the contract's type; None is missing."""
    if kind == "time":
        return pd.Series(pd.to_datetime(pd.Series(values, dtype=object), utc=True, format="ISO8601")).astype(
            DTYPES["time"]
        )
    return pd.Series(list(values), dtype=DTYPES[kind])


def _columns(text: str) -> tuple[Column, ...]:
    lines = (line.strip().split(None, 2) for line in text.splitlines() if line.strip())
    return tuple(Column(name, kind, meaning) for name, kind, meaning in lines)


_RUN = """
repo text owner/name
run_id int GitHub's id; negative where the source had none (imported logs), then without a link
attempt int 1 for the first, 2 for the first re-run
"""
_JOB = _RUN + "job_id int GitHub's id; negative where the source had none\n"

RUNS = Table(
    "runs",
    "one attempt of one run",
    ("repo", "run_id", "attempt"),
    _columns(
        _RUN
        + """
workflow text path of the workflow file; its display name where the path is not known
workflow_name text display name at that time
run_number int GitHub's counter within the workflow
event text push, pull_request, schedule ...
branch text head branch
base_branch text branch a pull request goes to
pr_number int pull request, where known
head_sha text commit that started it
actor text who started it
title text what GitHub shows as the run's title
outcome text a word of model.Outcome
outcome_source text api, or log where it was read off the logs
created_at time when the first attempt was created
started_at time when this attempt started
ended_at time end of its last job; GitHub's last word where it has none
wall_s float ended_at - started_at
n_jobs int jobs of this attempt
n_failed_jobs int of these, failed
is_last_attempt bool no later attempt is stored
is_workflow_exact bool the workflow file known is the one that ran; false for pull requests; missing where none is known
source text where it came from: api, run-zip, gh, file, tinuous, sample
"""
    ),
)
JOBS = Table(
    "jobs",
    "one job of one attempt",
    ("repo", "run_id", "attempt", "job_id"),
    _columns(
        _JOB
        + """
workflow text path of the workflow file
job text as GitHub shows it
job_base text without the matrix leg
leg text the matrix leg, without brackets
outcome text a word of model.Outcome
outcome_source text api, or log
failed_step text first step that failed
exit_code int of the failed step's process, from the log
created_at time when it was queued
started_at time when a runner took it
ended_at time when it ended
queue_s float started_at - the later of created_at and the end of the last needed job
wall_s float ended_at - started_at
runner text name of the runner
labels text labels asked for, space separated
n_steps int steps known
is_downstream bool a job that it needs failed or was cancelled in this attempt; missing where needs are not known
log_state text present, expired, never_written, not_fetched, pruned
log_bytes int size of the log, uncompressed
n_log_lines int lines of the log
"""
    ),
)
STEPS = Table(
    "steps",
    "one step of one job",
    ("repo", "run_id", "attempt", "job_id", "step_number"),
    _columns(
        _JOB
        + """
step_number int as GitHub counts, with holes where a step was skipped; own count where read off the log
step text its name
outcome text a word of model.Outcome
started_at time from the API (1 s) or the log (100 ns)
ended_at time likewise
wall_s float ended_at - started_at
first_line int first line in the job's log, from 1
last_line int last line
step_source text api, files (of a run zip), or log (guessed by its markers)
"""
    ),
)
SETUPS = Table(
    "setups",
    "one thing a job ran on, from its set-up lines",
    ("repo", "run_id", "attempt", "job_id", "item", "name"),
    _columns(
        _JOB
        + """
item text image, os, runner, tool, action, merge_commit, workflow_ref
name text which one: ubuntu-24.04, rustc, actions/checkout@v4
version text its version, or commit
"""
    ),
)
TESTS = Table(
    "tests",
    "one test that failed, flaked, was slow or changed",
    (),
    _columns(
        _JOB
        + """
suite text binary, crate or file that holds it
test text name as its framework prints it
outcome text failed, flaky (passed when run again), slow, leaky
message text first line of its failure
location text file:line
log_line int line in the job's log; missing where a JUnit report told it
wall_s float duration, where printed
"""
    ),
)
ROSTERS = Table(
    "rosters",
    "one list of tests that ran, by content",
    ("repo", "run_id", "attempt", "job_id", "suite"),
    _columns(
        _JOB
        + """
suite text binary, crate or file that holds them
roster_id text digest of the sorted names, the key into roster_names; missing where no names are printed
n_tests int tests that ran, passed or failed: names in the list, or the printed count
"""
    ),
)
FAILURES = Table(
    "failures",
    "one failed or cancelled job and the lines that say so",
    ("repo", "run_id", "attempt", "job_id"),
    _columns(
        _JOB
        + """
outcome text failure or cancelled
step text step that failed
exit_code int of its process
error text the line that GitHub marks as the error
error_line int its line in the job's log
first_line int first line of the excerpt
last_line int last line of the excerpt
excerpt text the lines, without time stamps and colours
method text how the lines were chosen
headline text what failed, in one line
cause text id of the catalogue of causes, or undecided
cause_confidence float 0..1, how sure the cause is
signature text stable name of the same failure
"""
    ),
)
ROSTER_NAMES = Table(
    "roster_names",
    "the names of one list of tests, kept once however many jobs ran it",
    ("repo", "roster_id"),
    _columns(
        """
repo text owner/name
roster_id text digest of the sorted names
names text the names, sorted, one a line
"""
    ),
)
CACHE_EVENTS = Table(
    "cache_events",
    "one restore, lookup or save of a cache in a job",
    (),
    _columns(
        _JOB
        + """
step_number int its step; missing where the log's steps are not known
action text action and version; buildx for BuildKit's layers; empty for a post step that nothing in the log tells
operation text restore, lookup (asks and fetches nothing) or save
result text exact, partial, miss, saved, not_saved; empty where the log leaves open whether the very key was found
key text key asked for
restored_key text key restored
size_bytes int size of the archive
wall_s float duration
reason text why it was not saved, or not found
line int its last line in the job's log
"""
    ),
)
COMPILER_CACHES = Table(
    "compiler_caches",
    "one print of what a compiler's cache counted in a job, since its server started",
    (),
    _columns(
        _JOB
        + """
step_number int its step; missing where the log's steps are not known
line int first line of the print in the job's log
tool text sccache
location text where the cache lies, as the tool says it: a disk, ghac (GitHub's cache), s3 ...
n_requests int calls of the compiler through it
n_hits int compilations taken from the cache
n_misses int compilations that it did not hold
n_uncacheable int calls that cannot be cached
n_errors int reads that failed or took too long
n_write_errors int results that were compiled and could not be kept
size_bytes int size of the whole cache; missing where the backend does not tell
"""
    ),
)
CACHES = Table(
    "caches",
    "one cache of the repository as listed at one moment",
    ("repo", "as_of_at", "cache_id"),
    _columns(
        """
repo text owner/name
as_of_at time when it was listed
cache_id int GitHub's id
key text its key
version text its version
ref text branch or pull request it belongs to
size_bytes int its size
created_at time when it was saved
last_used_at time when it was last restored
"""
    ),
)
ARTIFACTS = Table(
    "artifacts",
    "one artifact of a run",
    ("repo", "run_id", "artifact_id"),
    _columns(
        """
repo text owner/name
run_id int GitHub's id
artifact_id int GitHub's id
artifact text its name
size_bytes int its size
digest text its digest, where given
is_expired bool GitHub no longer has it
created_at time when it was uploaded
expires_at time when it goes
"""
    ),
)
ANNOTATIONS = Table(
    "annotations",
    "one check-run annotation of a job",
    (),
    _columns(
        _JOB
        + """
level text notice, warning or failure
title text its title
message text what it says
path text file it points to
start_line int line it points to
"""
    ),
)
UNITS = Table(
    "units",
    "one crate that a job compiled",
    (),
    _columns(
        _JOB
        + """
step_number int its step
unit text name of the crate
version text its version
action text Compiling, Checking, Fresh, Downloaded
is_local bool a crate of the workspace: cargo shows its folder
started_at time when cargo said so
wall_s float until the next word of cargo: no crate's own time where several compile at once
"""
    ),
)
PHASES = Table(
    "phases",
    "one stretch of a step in which cargo did one thing",
    (),
    _columns(
        _JOB
        + """
step_number int its step; missing where the log's steps are not known
phase text download, compile, check, documentation, tests, doc-tests, benchmarks, tool-install (all of cargo install)
tool text what cargo installs; empty else
version text the version of that tool
started_at time when its first word was printed
wall_s float until its last; linking is in compile, which cargo does not tell apart
first_line int first line in the job's log, from 1
last_line int last line
"""
    ),
)
BENCHMARKS = Table(
    "benchmarks",
    "one result of one benchmark that a job printed, or left in a file that github-action-benchmark reads or writes",
    (),
    _columns(
        _JOB
        + """
line int its line in the job's log; missing of a file in an artifact
tool text libtest (also criterion's bencher form), criterion; github-action-benchmark of a file
name text name as its tool prints it
value float ns where unit is ns, else as printed
unit text ns for every time, else as printed
low float lower bound as the tool means it: of libtest the value less the width of all its samples
high float upper bound likewise
is_smaller_better bool missing where neither tool nor unit tells
"""
    ),
)
UNIT_TIMES = Table(
    "unit_times",
    "one unit that `cargo build --timings` timed: the slowest 40 of a build, and all on its critical path",
    (),
    _columns(
        _RUN
        + """
job_id int the job that uploaded it, by its log or the artifact's name; missing where neither tells
artifact_id int GitHub's id of the artifact that holds the report
artifact text its name
file text the file in it
unit text name of the crate
version text its version
mode text as cargo has it: todo (compiled), run-custom-build; empty where it does not say
target text what of the crate: empty for its library, else such as build-script or a binary's name
started_s float when it began, from the start of the build
wall_s float how long it took; where several compile at once, waiting for a processor is in it
is_critical bool it is on the chain of units that decided how long the build took
own_s float how long that chain rested on it: the most that it could save; missing beside the chain
build_s float how long the build took, until its last unit ended
"""
    ),
)
TEST_TIMES = Table(
    "test_times",
    "one of the slowest tests of one job",
    (),
    _columns(
        _JOB
        + """
suite text binary, crate or file that holds it
test text name as its framework prints it
wall_s float its duration, as its framework prints it
rank int 1 for the slowest of the job
n_timed int tests of the job with a duration, of which only the slowest stand here
all_s float sum of their durations; tests run at once, so it may be more than the time that passed
"""
    ),
)
COMMITS = Table(
    "commits",
    "one commit of the repository",
    ("repo", "commit_sha"),
    _columns(
        """
repo text owner/name
commit_sha text 40 hex digits
parents text parents' ids, space separated
author text name of the author
authored_at time when it was written
committed_at time when it was committed
subject text first line of the message
message text whole message
n_files int files it changed, against its first parent
files text their paths, one a line
workflows_tree text id of its .github/workflows folder, the key into workflow_jobs; empty: none; missing: not known
"""
    ),
)
USAGES = Table(
    "usages",
    "one recording that `kotaci watch` made of a command in a job",
    ("repo", "run_id", "attempt", "artifact_id", "file"),
    _columns(
        _RUN
        + """
job_id int the job that the artifact's name tells, or the only one that ran; missing where neither tells
artifact_id int GitHub's id of the artifact that holds it
artifact text its name
file text the file in it
command text the command that was watched
exit_code int what it returned; missing where the watcher was killed, and the end was not recorded
started_at time when it was started, by the runner's clock
wall_s float how long it was watched
n_cores int processors of the machine
memory_bytes int memory of the machine; a container may be given less
cpu_s float CPU seconds of the command and its children; what ran in a server beside it is missing
mean_cores float cpu_s a second
peak_cores float the most CPU seconds a second between two looks
machine_cpu_s float CPU seconds of the whole machine
peak_rss_bytes int largest sum of the processes' resident memory; what several share is counted for each
min_available_bytes int the least memory that the machine had left
read_bytes int from disk, by the command; missing where the system does not tell
written_bytes int likewise, to disk
min_free_bytes int the least space left on the file system of the working directory
received_bytes int by the whole machine, but for loopback
sent_bytes int likewise
n_samples int spans recorded
n_looks int looks that these were made of
"""
    ),
)
USAGE_SAMPLES = Table(
    "usage_samples",
    "one span of time of a recording: at most 240 a recording, neighbours merged",
    ("repo", "run_id", "attempt", "artifact_id", "file", "n"),
    _columns(
        _RUN
        + """
artifact_id int GitHub's id of the artifact, with file the key into usages
file text the file in it
n int its place in the recording, from 1
at_s float its end, from the command's start
span_s float its length
cpu_s float as in usages, in this span
peak_cores float likewise
machine_cpu_s float likewise
rss_bytes int the largest sum of the processes' resident memory in it
available_bytes int the least memory that the machine had left in it
read_bytes int as in usages, in this span
written_bytes int likewise
free_bytes int the least space left in it
received_bytes int as in usages, in this span
sent_bytes int likewise
"""
    ),
)
WORKFLOW_JOBS = Table(
    "workflow_jobs",
    "one leg of one job as a version of the workflow files declares it",
    ("repo", "workflows_tree", "workflow", "job_key", "leg"),
    _columns(
        """
repo text owner/name
workflows_tree text id of the .github/workflows folder it stands in
workflow text path of the workflow file
workflow_name text its name, or the path
triggers text events, space separated
job_key text key of the job in the file
job text as GitHub would show it; empty where an expression decides
leg text the matrix leg; empty without a matrix
is_dynamic bool the matrix is only known at run time
needs text keys of the jobs it waits for, space separated
runs_on text label asked for
timeout_min float limit in minutes; 360 is GitHub's default
has_timeout bool the file sets the limit
condition text its `if`
is_allowed_to_fail bool continue-on-error on the job
uses text reusable workflow it calls
n_steps int steps it declares
line int line of the job's key, from 1
"""
    ),
)

TABLES = {
    table.name: table
    for table in (
        RUNS, JOBS, STEPS, SETUPS, TESTS, ROSTERS, ROSTER_NAMES, FAILURES, CACHE_EVENTS, COMPILER_CACHES, CACHES,
        ARTIFACTS, ANNOTATIONS, UNITS, PHASES, BENCHMARKS, TEST_TIMES, UNIT_TIMES, USAGES, USAGE_SAMPLES, COMMITS,
        WORKFLOW_JOBS,
    )
}  # fmt: skip
