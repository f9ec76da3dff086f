"""Ninety days of runs: the story is committed, and every push and every schedule starts a run of its workflow."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha1
from pathlib import Path

from . import story
from .caches import CacheService, Entry
from .jobs import Done, Situation, Worker, unstarted
from .record import Recordings
from .render import Checkout, at_utc
from .repository import Code, Repository
from .story import MAINTAINER, SINCE, UNTIL

CI, NIGHTLY, DOCS, RELEASE = (f".github/workflows/{name}.yml" for name in ("ci", "nightly", "docs", "release"))
LEGS = (("ubuntu-latest", "stable"), ("ubuntu-latest", "1.95.0"), ("ubuntu-24.04-arm", "stable"))
LIMITS = {"lint": 15, "strict-lints": 15, "tests": 20, "integration": 20, "release-dry-run": 20, "gate": 5}
LIMITS |= {"stress": 40, "soak": 20, "bench": 20, "docs": 15, "build": 30}


@dataclass(frozen=True)
class Trigger:
    """Why a run starts."""

    workflow: str
    event: str
    at: datetime
    branch: str
    sha: str
    title: str
    actor: str
    pull: int | None = None
    push: int = 0
    base_sha: str = ""
    label: str = ""


@dataclass(frozen=True)
class Attempt:
    """One attempt of a run, with its jobs."""

    run_id: int
    number: int
    attempt: int
    trigger: Trigger
    code: Code
    created_at: datetime
    started_at: datetime
    conclusion: str
    jobs: tuple[Done, ...]
    incident: str = ""

    @property
    def updated_at(self) -> datetime:
        return max((job.completed_at for job in self.jobs), default=self.started_at) + timedelta(seconds=2)


@dataclass(frozen=True)
class History:
    """Everything that happened."""

    attempts: tuple[Attempt, ...]
    bundle: bytes
    labels: dict[str, str]
    caches: dict[datetime, tuple[Entry, ...]]


@dataclass
class _Book:
    """What the committing of the story leaves behind."""

    triggers: list[Trigger] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)
    tips: list[tuple[datetime, str]] = field(default_factory=list)


def write_history(recordings: Recordings, scratch: Path, *, seed: int) -> History:
    """Commits the story below `scratch` and runs its workflows; the same recordings and seed give the same history."""
    repository = Repository(scratch / "kvstore")
    book = _commit_story(repository)
    triggers = sorted([*book.triggers, *_schedules(book.tips)], key=lambda trigger: trigger.at)
    rng = random.Random(seed)  # noqa: S311 - dice for durations
    worker = Worker(recordings, CacheService("refs/heads/develop"), rng)
    runner = _Runner(worker, repository.codes)
    plans = _plans(triggers, repository.codes)
    attempts: list[Attempt] = []
    numbers = {CI: 412, NIGHTLY: 96, DOCS: 41, RELEASE: 7}
    run_id = 0
    for index, trigger in enumerate(triggers):
        numbers[trigger.workflow] += 1
        run_id = max(run_id + 1, 18_100_000_000 + int((trigger.at - SINCE).total_seconds()) * 120 + rng.randrange(100))
        plan = plans.get(index, Plan())
        attempts.extend(runner.attempts(trigger, plan, run_id=run_id, number=numbers[trigger.workflow]))
    listed = {at: tuple(worker.caches.listed(at)) for at in (at_utc("2026-10-19 23:59"), UNTIL)}
    attempts.sort(key=lambda attempt: (attempt.started_at, attempt.run_id))
    return History(tuple(attempts), repository.bundle(scratch / "kvstore.bundle"), book.labels, listed)


def _commit_story(repository: Repository) -> _Book:
    book = _Book()
    first = repository.start(at=SINCE - timedelta(days=6), author=MAINTAINER)
    repository.tag("v0.7.0", at=SINCE - timedelta(days=5), author=MAINTAINER)
    book.tips.append((SINCE - timedelta(days=6), first))
    actions: list[tuple[datetime, Callable[[], None]]] = []
    for pull in story.PULLS:
        for number, push in enumerate(pull.pushes):
            actions.append((push.at, partial(_push, repository, book, pull, number)))
        if pull.merged_at:
            actions.append((pull.merged_at, partial(_merge, repository, book, pull)))
    for direct in story.DIRECT:
        actions.append((direct.at, partial(_direct, repository, book, direct)))
    for promotion in story.PROMOTIONS:
        actions.append((promotion.at, partial(_promote, repository, book, promotion)))
    for _, action in sorted(actions, key=lambda pair: pair[0]):
        action()
    return book


def _push(repository: Repository, book: _Book, pull: story.Pull, number: int) -> None:
    push = pull.pushes[number]
    base_sha = repository.tip("develop")
    if number == 0:
        repository.branch(pull.branch, base="develop")
    if push.is_update:
        message = f"Merge branch 'develop' into {pull.branch}"
        sha = repository.merge("develop", into=pull.branch, message=message, at=push.at, author=pull.author)
    else:
        sha = repository.commit(pull.branch, push.message, push.edit, at=push.at, author=pull.author)
    at = push.at + timedelta(seconds=6)
    trigger = Trigger(CI, "pull_request", at, pull.branch, sha, pull.title, pull.author, pull.number, number, base_sha)
    book.triggers.append(trigger)


def _merge(repository: Repository, book: _Book, pull: story.Pull) -> None:
    assert pull.merged_at is not None
    message = f"Merge pull request #{pull.number} from example/{pull.branch}\n\n{pull.title}"
    sha = repository.merge(pull.branch, into="develop", message=message, at=pull.merged_at, author=MAINTAINER)
    _arrived(book, sha, pull.merged_at, message, MAINTAINER, "")


def _direct(repository: Repository, book: _Book, direct: story.Direct) -> None:
    sha = repository.commit("develop", direct.message, direct.edit, at=direct.at, author=direct.author)
    _arrived(book, sha, direct.at, direct.message, direct.author, direct.label)


def _arrived(book: _Book, sha: str, at: datetime, message: str, actor: str, label: str) -> None:
    book.tips.append((at, sha))
    if label:
        book.labels[label] = sha
    title = message.split("\n", maxsplit=1)[0]
    book.triggers.append(Trigger(CI, "push", at + timedelta(seconds=4), "develop", sha, title, actor, label=label))


def _promote(repository: Repository, book: _Book, promotion: story.Promotion) -> None:
    message = f"Release {promotion.version}"
    sha = repository.merge("develop", into="main", message=message, at=promotion.at, author=MAINTAINER)
    tag = f"v{promotion.version}"
    repository.tag(tag, at=promotion.at, author=MAINTAINER)
    at = promotion.at + timedelta(seconds=5)
    book.triggers.append(Trigger(CI, "push", at, "main", sha, message, MAINTAINER))
    book.triggers.append(Trigger(RELEASE, "push", at + timedelta(seconds=40), tag, sha, message, MAINTAINER))


def _schedules(tips: list[tuple[datetime, str]]) -> Iterator[Trigger]:
    """Runs of the default branch: nightly on Mondays and Thursdays, documentation on Sundays until it falls silent."""
    for day in range((UNTIL - SINCE).days + 1):
        night = SINCE + timedelta(days=day)
        for weekdays, clock, workflow, name in (
            ((0, 3), timedelta(hours=2, minutes=17), NIGHTLY, "Nightly"),
            ((6,), timedelta(hours=4, minutes=41), DOCS, "Docs"),
        ):
            if night.weekday() not in weekdays or (workflow == DOCS and night >= story.DOCS_STOP):
                continue
            at = night + clock
            sha = [sha for moment, sha in tips if moment <= at][-1]
            # GitHub starts schedules late; the minute of the cron stays the name of the night.
            late = timedelta(minutes=3 + day * 7 % 11, seconds=day * 13 % 60)
            yield Trigger(
                workflow,
                "schedule",
                at + late,
                "develop",
                sha,
                name,
                MAINTAINER,
                label=f"{at:%Y-%m-%d %H:%M}",
            )


@dataclass(frozen=True)
class Plan:
    """What goes wrong in a run, job by job, and whether somebody ran it again."""

    lint: str = ""
    tests: tuple[str, ...] = ("", "", "")
    coverage: str = ""
    integration: str = ""
    stress: str = ""
    soak: str = ""
    cancel_after: timedelta | None = None
    name: str = ""
    rerun_after: timedelta | None = None


def _plans(triggers: list[Trigger], codes: dict[str, Code]) -> dict[int, Plan]:
    """Plans by position of the trigger; everything not planned is green.

    Positions, not dice, place the rare events, so that a change of the story moves them and never changes how many.
    """
    plans: dict[int, Plan] = {}
    pushes = {(t.pull, t.push): t.at for t in triggers if t.pull}
    for index, trigger in enumerate(triggers):
        key = (trigger.pull, trigger.push)
        if trigger.workflow == NIGHTLY:
            if trigger.label == f"{story.OOM_NIGHT:%Y-%m-%d %H:%M}":
                plans[index] = Plan(stress="oom", name="oom")
            if trigger.label == f"{story.TIMEOUT_NIGHT:%Y-%m-%d %H:%M}":
                plans[index] = Plan(soak="hang", name="timeout")
        elif trigger.pull in story.OUTAGE and trigger.push == 0:
            plans[index] = Plan(lint=story.OUTAGE[trigger.pull], name="outage", rerun_after=timedelta(hours=17))
        elif trigger.pull in story.SUPERSEDED and trigger.push == 0:
            after = pushes[(trigger.pull, 1)] - trigger.at + timedelta(seconds=2)
            plans[index] = Plan(cancel_after=after, name="superseded")
        elif key == story.BY_HAND:
            after = timedelta(minutes=4, seconds=20)
            plans[index] = Plan(cancel_after=after, name="cancelled_by_hand", rerun_after=timedelta(hours=1))
        elif key == story.LOST_RUNNER:
            plans[index] = Plan(tests=("", "", "lost"), name="lost_runner", rerun_after=timedelta(minutes=50))
    healthy = [
        index
        for index, trigger in enumerate(triggers)
        if trigger.workflow == CI and index not in plans and _reaches_tests(codes[trigger.sha])
    ]
    soon = timedelta(minutes=35)
    racing = [index for index in healthy if codes[triggers[index].sha].state == "base"]
    for turn, index in enumerate(racing[4::8]):
        plans[index] = Plan(coverage="race", name="race_env", rerun_after=soon if turn % 2 == 0 else None)
    free = [index for index in healthy if index not in plans]
    for turn, index in enumerate(free[7::14]):
        plans[index] = Plan(integration="path", name="race_path", rerun_after=soon if turn % 2 else None)
    free = [index for index in free if index not in plans]
    for turn, index in enumerate(free[9::15]):
        plans[index] = Plan(integration="rare", name="rare_flake", rerun_after=soon if turn % 2 == 0 else None)
    for turn, index in enumerate(healthy[2::6]):
        legs = tuple("flaky" if leg == turn % 3 else "" for leg in range(3))
        plans[index] = replace(plans.get(index, Plan()), tests=legs)
    return plans


def _reaches_tests(code: Code) -> bool:
    return code.lint == "ok" and code.state != "regression"


@dataclass
class _Runner:
    """Works off one trigger after the other."""

    worker: Worker
    codes: dict[str, Code]

    def attempts(self, trigger: Trigger, plan: Plan, *, run_id: int, number: int) -> Iterator[Attempt]:
        """The attempts of one run: the first goes as planned, a second one (if somebody asked for it) is green."""
        yield self._attempt(trigger, plan, run_id=run_id, number=number, attempt=1, at=trigger.at)
        if plan.rerun_after:
            at = trigger.at + plan.rerun_after
            yield self._attempt(trigger, Plan(name="rerun"), run_id=run_id, number=number, attempt=2, at=at)

    def _attempt(
        self, trigger: Trigger, plan: Plan, *, run_id: int, number: int, attempt: int, at: datetime
    ) -> Attempt:
        code = self.codes[trigger.sha]
        situation = Situation(run_id, attempt, _ref(trigger), code, _checkout(trigger), at)
        if trigger.workflow == CI:
            jobs = self._ci(situation, plan, is_main=trigger.branch == "main")
        elif trigger.workflow == NIGHTLY:
            jobs = self._nightly(situation, plan)
        else:
            jobs = [self._alone("docs" if trigger.workflow == DOCS else "build", situation)]
        conclusion = _conclusion(jobs, is_cancelled=plan.cancel_after is not None)
        return Attempt(run_id, number, attempt, trigger, code, trigger.at, at, conclusion, tuple(jobs), plan.name)

    def _ci(self, situation: Situation, plan: Plan, *, is_main: bool) -> list[Done]:
        run, at = self.worker.run, situation.created_at
        stop = at + plan.cancel_after if plan.cancel_after else None

        def go(
            name: str,
            created: datetime,
            incident: str = "",
            label: str = "ubuntu-latest",
            toolchain: str = "stable",
        ) -> Done:
            limit = LIMITS.get(name.split(" ", maxsplit=1)[0])
            if stop and created >= stop and name != "gate":
                return unstarted(name, "cancelled", stop, stop, label)
            cancelled = None if name == "gate" else stop
            return run(
                name,
                situation,
                created_at=created,
                incident=incident,
                label=label,
                toolchain=toolchain,
                limit_min=limit,
                cancelled_at=cancelled,
            )

        lint = go("lint", at, plan.lint)
        strict = go("strict-lints", at, plan.lint)
        legs = [f"tests ({system}, {toolchain})" for system, toolchain in LEGS]
        later: list[Done] = []
        if lint.conclusion == "success":
            tests = [
                go(name, lint.completed_at, incident, system, toolchain)
                for name, incident, (system, toolchain) in zip(legs, plan.tests, LEGS, strict=True)
            ]
            ends = max(job.completed_at for job in tests)
            worst = _worst(tests)
            if worst == "success":
                integration = go("integration", ends, plan.integration)
                later = [go("coverage", ends, plan.coverage), integration]
                if is_main:
                    later.append(go("release-dry-run", ends))
            else:
                word = "cancelled" if stop else "skipped"
                later = [unstarted(name, word, ends, ends, "ubuntu-latest") for name in ("coverage", "integration")]
            if not is_main:
                later.append(unstarted("release-dry-run", "skipped", ends, ends, "ubuntu-latest"))
        else:
            word, ends = "cancelled" if stop else "skipped", lint.completed_at
            # A matrix that never expanded is one job with the plain name.
            tests = [unstarted("tests", word, ends, ends, "ubuntu-latest")]
            names = ("coverage", "integration", "release-dry-run")
            later = [
                unstarted(name, "skipped" if name == names[2] else word, ends, ends, "ubuntu-latest") for name in names
            ]
        needed = [lint, *tests, *(job for job in later if job.name in ("coverage", "integration"))]
        ends = max(job.completed_at for job in needed)
        gate = go("gate", ends, "failed" if any(job.conclusion == "failure" for job in needed) else "")
        return [lint, strict, *tests, *later, gate]

    def _nightly(self, situation: Situation, plan: Plan) -> list[Done]:
        wrong = {"stress": plan.stress, "soak": plan.soak, "bench": ""}
        at = situation.created_at
        return [
            self.worker.run(name, situation, created_at=at, incident=incident, limit_min=LIMITS[name])
            for name, incident in wrong.items()
        ]

    def _alone(self, name: str, situation: Situation) -> Done:
        return self.worker.run(name, situation, created_at=situation.created_at, limit_min=LIMITS[name])


def _worst(jobs: list[Done]) -> str:
    words = {job.conclusion for job in jobs}
    return next((word for word in ("failure", "cancelled") if word in words), "success")


def _conclusion(jobs: list[Done], *, is_cancelled: bool) -> str:
    """The run's word: a job that may fail does not count, a cancelled one makes the run cancelled."""
    if is_cancelled:
        return "cancelled"
    return _worst([job for job in jobs if job.name != "strict-lints"])


def _ref(trigger: Trigger) -> str:
    if trigger.pull:
        return f"refs/pull/{trigger.pull}/merge"
    return f"refs/tags/{trigger.branch}" if trigger.workflow == RELEASE else f"refs/heads/{trigger.branch}"


def _checkout(trigger: Trigger) -> Checkout:
    sha = trigger.sha
    if trigger.pull:
        # GitHub's test merge is no commit of any branch; its name follows from both sides.
        sha = sha1(f"{trigger.base_sha} {trigger.sha}".encode()).hexdigest()  # noqa: S324 - as git does
    return Checkout("", _ref(trigger), sha, trigger.sha, trigger.base_sha, trigger.title)
