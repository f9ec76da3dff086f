"""Invented histories of any size: runs and commits as small records, jobs, logs and files made when asked for."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

from kotaci.model import parse_moment
from tests.builders import LAST, Step, checkout, job_log, script, set_up
from tests.github_server.objects import Entry
from tests.github_server.shapes import Body, moment
from tests.github_server.state import File, Made, State, zipped

REPO = "example/generated"

WORKFLOWS = {
    "ci.yml": ("CI", "push:\n  pull_request:"),
    "nightly.yml": ("Nightly", "schedule:\n    - cron: '30 2 * * *'\n  workflow_dispatch:"),
}

ENDINGS = {
    "success": 75.0, "failure": 14.0, "cancelled": 5.0, "timed_out": 2.0, "startup_failure": 2.0, "skipped": 1.0,
    "action_required": 1.0,
}  # fmt: skip
"""How runs end, in percent."""

N_EDITS = 6
"""How often the workflow files change over the history."""

_FIRST_RUN, _FIRST_JOB, _FIRST_ARTIFACT = 30_000_000_000, 80_000_000_000, 7_000_000_000
_JOBS_OF_RUN, _JOBS_OF_ATTEMPT = 100_000, 10_000
"""Job ids are told apart by run, attempt and place, so that a job is found without a list of all."""


def generated(
    n_runs: int, n_jobs: int, n_reruns: int, seed: int, *, ends_at: datetime, days: int, n_log_lines: int
) -> State:
    """Return a history of that many runs, `n_reruns` of them with a second (some a third) attempt."""
    chance = random.Random(seed)  # noqa: S311  (repeatable on purpose)
    begins = ends_at - timedelta(days=days)
    times = {"created_at": moment(begins), "updated_at": moment(ends_at), "pushed_at": moment(ends_at)}
    owner, _, name = REPO.partition("/")
    state = State({
        "id": 900_000_000 + seed, "name": name, "full_name": REPO, "owner": {"login": owner, "type": "Organization"},
        "private": False, "description": "An invented history", "default_branch": "main", **times,
    })  # fmt: skip
    for number, (file, (title, _)) in enumerate(WORKFLOWS.items(), start=140_000_001):
        told = {"id": number, "name": title, "path": f".github/workflows/{file}", "state": "active"}
        state.workflows[number] = {**told, "created_at": moment(begins), "updated_at": moment(begins)}
    again = set(chance.sample(range(n_runs), min(n_reruns, n_runs)))
    roots = [_root(state, edit) for edit in range(N_EDITS)]
    for place in range(n_runs):
        at = begins + (ends_at - begins) * (place / n_runs)
        commit = _add_commit(state, chance, at, roots[place * N_EDITS // n_runs])
        _add_run(state, chance, place, at, commit, is_young=n_runs - place <= max(2, n_runs // 400))
        if place in again:
            _add_reruns(state, chance, _FIRST_RUN + place)
    state.refs["heads/main"] = next(reversed(state.commits), "")
    _make_caches(state, chance, begins, ends_at)
    made = _Maker(state, seed, n_jobs, n_log_lines, _FIRST_RUN + n_runs // 25)
    state.jobs, state.places, state.annotations = Made(made.jobs), Made(made.place), Made(made.annotations)
    state.logs, state.files = Made(made.log, n_kept=64), Made(made.file, n_kept=64)
    return state


def _root(state: State, edit: int) -> str:
    blobs = []
    for file, (title, on) in WORKFLOWS.items():
        job = f"jobs:\n  test:\n    runs-on: ubuntu-24.04\n    timeout-minutes: {10 + edit}\n"
        text = (
            f"name: {title}\non:\n  {on}\n{job}    steps:\n      - uses: actions/checkout@v6\n      - run: cargo test\n"
        )
        blobs.append(Entry(file, "blob", state.objects.add_blob(text.encode())))
    readme = state.objects.add_blob(b"# generated\n")
    owners = state.objects.add_blob(b"* @octocat\n")
    files = {"README.md": readme, ".github/CODEOWNERS": owners}
    return state.objects.root(files, workflows=state.objects.add_tree(blobs))


def _add_commit(state: State, chance: random.Random, at: datetime, root: str) -> Body:
    sha, parent = f"{chance.getrandbits(160):040x}", next(reversed(state.commits), None)
    who = {"name": chance.choice(("octocat", "hubot")), "date": moment(at - timedelta(minutes=2))}
    is_edit = parent is None or state.commits[parent]["root_tree"] != root
    file = ".github/workflows/ci.yml" if is_edit else f"src/part_{chance.randrange(40)}.rs"
    state.commits[sha] = {
        "sha": sha, "parents": [parent] if parent else [], "root_tree": root,
        "commit": {"author": who, "committer": who, "message": f"Change {file}"},
        "files": [{"filename": file, "status": "modified"}],
    }  # fmt: skip
    return state.commits[sha]


def _add_run(
    state: State, chance: random.Random, place: int, at: datetime, commit: Body, *, is_young: bool
) -> None:  # fmt: skip
    run_id, is_night = _FIRST_RUN + place, place % 20 == 19
    event = "schedule" if is_night else chance.choice(("push", "pull_request"))
    ending = chance.choices(list(ENDINGS), list(ENDINGS.values()))[0]
    workflow = list(state.workflows.values())[int(is_night)]
    branch = f"fix-{chance.randrange(400)}" if event == "pull_request" else "main"
    state.refs[f"heads/{branch}"] = commit["sha"]
    state.runs[run_id] = {1: {
        "id": run_id, "run_attempt": 1, "run_number": place + 1, "name": workflow["name"], "path": workflow["path"],
        "workflow_id": workflow["id"], "event": event, "head_branch": branch, "head_sha": commit["sha"],
        "status": "in_progress" if is_young else "completed", "conclusion": None if is_young else ending,
        "display_title": commit["commit"]["message"], "actor": commit["commit"]["author"]["name"],
        "created_at": moment(at), "run_started_at": moment(at), "updated_at": moment(at + timedelta(minutes=20)),
    }}  # fmt: skip
    if not is_young and ending in {"success", "failure"}:
        for number, name in enumerate(chance.choice(((), ("coverage",), ("test-results", "junit.xml")))):
            artifact_id, ready = _FIRST_ARTIFACT + place * 10 + number, moment(at + timedelta(minutes=15))
            ends = moment(at + timedelta(days=90))
            state.artifacts[artifact_id] = {
                "id": artifact_id, "name": name, "run_id": run_id, "size_in_bytes": 0, "created_at": ready,
                "updated_at": ready, "expires_at": ends,
            }  # fmt: skip


def _add_reruns(state: State, chance: random.Random, run_id: int) -> None:
    for number in range(2, chance.choice((3, 3, 4))):
        before = state.runs[run_id][number - 1]
        if before["status"] != "completed":
            return
        at = parse_moment(before["run_started_at"]) + timedelta(minutes=chance.randint(40, 600))
        times = {"run_started_at": moment(at), "updated_at": moment(at + timedelta(minutes=20))}
        word = chance.choice(("success", "success", "failure"))
        state.runs[run_id][number] = {**before, **times, "run_attempt": number, "conclusion": word}


def _make_caches(state: State, chance: random.Random, begins: datetime, ends: datetime) -> None:
    for number in range(45):
        made = begins + (ends - begins) * (number / 45)
        state.caches[4_000_000_000 + number] = {
            "id": 4_000_000_000 + number, "ref": "refs/heads/main" if number % 3 else f"refs/pull/{number}/merge",
            "key": f"{('cargo', 'pip', 'npm')[number % 3]}-Linux-{chance.getrandbits(64):016x}",
            "version": f"{chance.getrandbits(256):064x}", "last_accessed_at": _fine(made + timedelta(hours=5)),
            "created_at": _fine(made), "size_in_bytes": chance.randint(10**6, 10**8),
        }  # fmt: skip


def _fine(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S.%f}0Z"


class _Maker:
    """Makes what belongs to jobs, of the job's id alone; runs before `first_kept` have lost their logs."""

    def __init__(self, state: State, seed: int, n_jobs: int, n_log_lines: int, first_kept: int) -> None:
        self.state, self.seed, self.n_jobs, self.n_log_lines = state, seed, n_jobs, n_log_lines
        self.first_kept = first_kept
        self._kept = Made(self._made, n_kept=16)

    def place(self, job_id: int) -> tuple[int, int] | None:
        """Return the run and attempt of a job."""
        place, rest = divmod(job_id - _FIRST_JOB, _JOBS_OF_RUN)
        run_id, attempt = _FIRST_RUN + place, rest // _JOBS_OF_ATTEMPT + 1
        return (run_id, attempt) if attempt in self.state.runs.get(run_id, {}) else None

    def jobs(self, key: tuple[int, int]) -> list[Body] | None:
        """Return the jobs of an attempt that the history began with."""
        run_id, attempt = key
        run = self.state.runs.get(run_id, {}).get(attempt)
        if run is None:
            return None
        return self._kept[run_id, attempt, run["conclusion"]]

    def _made(self, key: tuple[int, int, str | None]) -> list[Body]:
        run_id, attempt, conclusion = key
        if conclusion in {"startup_failure", "action_required"}:
            return []
        run = self.state.runs[run_id][attempt]
        chance = random.Random(f"{self.seed} {run_id} {attempt}")  # noqa: S311  (repeatable on purpose)
        bad = chance.randrange(self.n_jobs)
        first = _FIRST_JOB + (run_id - _FIRST_RUN) * _JOBS_OF_RUN + (attempt - 1) * _JOBS_OF_ATTEMPT
        return [self._job(run, first + place, place, bad, chance) for place in range(self.n_jobs)]

    def _job(self, run: Body, job_id: int, place: int, bad: int, chance: random.Random) -> Body:
        word, is_last = run["conclusion"], place == self.n_jobs - 1
        if word not in {"success", "skipped"} and place != bad:
            # What stands after a failed job needs it; a job that runs is followed by one that waits.
            word = "skipped" if word == "failure" and is_last else "success" if word and place < bad else word
            word = "success" if word in {"failure", "timed_out"} or (word is None and place < bad) else word
        status = "completed" if word else "in_progress" if place == bad else "queued"
        queued = parse_moment(run["run_started_at"])
        taken = queued + timedelta(seconds=0 if word == "skipped" else chance.randint(3, 60))
        shell = {
            "id": job_id, "name": f"test ({place})", "status": status, "conclusion": word,
            "labels": ["ubuntu-24.04"], "created_at": moment(queued), "started_at": moment(taken),
        }  # fmt: skip
        if word == "skipped" or status == "queued":
            return {**shell, "completed_at": moment(taken) if word else None, "steps": []}
        n_before, steps = 0, list[Body]()
        for number, name, lines in self._steps(job_id, word):
            begin, n_before = taken + timedelta(seconds=n_before), n_before + len(lines)
            is_bad = word not in {"success", None} and number == 3
            steps.append({
                "number": number, "name": name, "status": "completed", "conclusion": word if is_bad else "success",
                "started_at": moment(begin), "completed_at": moment(taken + timedelta(seconds=n_before)),
            })  # fmt: skip
        end = moment(taken + timedelta(seconds=n_before))
        runner = {"runner_id": place + 1, "runner_name": f"GitHub Actions {place + 1}", "runner_group_id": 0}
        return {
            **shell, **runner, "runner_group_name": "GitHub Actions", "steps": steps if word else steps[:2],
            "completed_at": end if word else None,
        }  # fmt: skip

    def _steps(self, job_id: int, word: str | None) -> list[Step]:
        tests = [f"test part::case_{job_id % 997 + number} ... ok" for number in range(self.n_log_lines)]
        if word not in {"success", None}:
            tests += ["test part::last ... FAILED", "test result: FAILED"]
        code = 101 if word not in {"success", None} else 0
        return [
            set_up(job=f"test ({job_id % _JOBS_OF_ATTEMPT})"),
            checkout(repo=REPO),
            script(3, "cargo test", *tests, exit_code=code),
            LAST,
        ]

    def log(self, job_id: int) -> bytes | str | None:
        """Return a job's log, or why there is none: two in 100 were never written, in both of GitHub's ways."""
        found = self._find(job_id)
        if found is None or found[1]["conclusion"] in {"skipped", None}:
            return None
        run, job = found
        if run["id"] < self.first_kept:
            return "expired"
        lot = random.Random(f"{self.seed} log {job_id}").random()  # noqa: S311  (repeatable on purpose)
        if lot < 0.02:
            return "lost" if lot < 0.01 else "never_written"
        return job_log(self._steps(job_id, job["conclusion"]), at=parse_moment(job["started_at"])).encode()

    def _find(self, job_id: int) -> tuple[Body, Body] | None:
        try:
            return self.state.find_job(job_id)
        except KeyError:
            return None

    def annotations(self, job_id: int) -> list[Body] | None:
        """Return the annotations of a job: one for every failed step, and one old action in eight jobs."""
        found = self._find(job_id)
        if found is None:
            return None
        told: list[dict[str, Any]] = []
        if found[1]["conclusion"] in {"failure", "timed_out"}:
            told.append({"annotation_level": "failure", "message": "Process completed with exit code 101."})
        if job_id % 8 == 0:
            told.append({"annotation_level": "warning", "message": "Node.js 20 actions are deprecated."})
        return told

    def file(self, artifact_id: int) -> File | None:
        """Return the file of an artifact: JUnit XML, alone or zipped, or a zip of a little coverage."""
        told = self.state.artifacts.get(artifact_id)
        if told is None:
            return None
        cases = "".join(f'<testcase classname="part" name="case_{number}" time="0.1"/>' for number in range(20))
        report = f'<testsuites><testsuite name="part" tests="20">{cases}</testsuite></testsuites>'.encode()
        if told["name"] == "junit.xml":
            return File("junit.xml", "text/xml", report)
        inner = "junit.xml" if told["name"] == "test-results" else "lcov.info"
        body = zipped([(inner, report if inner == "junit.xml" else f"SF:{artifact_id}\nend_of_record\n".encode())])
        return File(f"{told['name']}.zip", "application/zip", body)
