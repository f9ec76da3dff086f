"""Regression: from one commit of a branch on, a job fails alike and never passes, and a change point says where.

The evidence is counted in jobs, legs apart: were the failure flaky, each leg would fail for itself. A pull request
merged with a red commit of the branch is one more trial of that commit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kotaci.analysis.changes import find_changes
from kotaci.analysis.verdicts.ancestry import Commits
from kotaci.analysis.verdicts.options import VerdictOptions
from kotaci.analysis.verdicts.past import Job, Key, Past
from kotaci.analysis.verdicts.ruling import Ruling
from kotaci.model import Certainty, Verdict, plural

Way = tuple[str, str]
"""How a job failed: ("test", name) or ("signature", id)."""


def ways(job: Job) -> list[Way]:
    """Return how the job failed: by its failed tests, else by its signature; nothing where neither is known."""
    return [("test", test) for test in sorted(job.tests)] or ([("signature", job.signature)] if job.signature else [])


@dataclass(frozen=True)
class Break:
    """A stretch of commits on which a job failed alike and never passed, that begins with a change point."""

    way: Way
    keys: frozenset[Key]
    n_failed: int
    n_commits: int
    n_passed_before: int
    culprits: Sequence[str]


@dataclass
class _Line:
    """A job (all legs) on one branch: its commits in the order in which they first ran."""

    shas: list[str]
    place_of: dict[str, int]
    n_passed: list[int]
    failed: dict[Way, list[Job]]


def find_breaks(past: Past, commits: Commits, *, options: VerdictOptions) -> dict[Key, Break]:
    """Return for each job that failed in a break the break it belongs to."""
    pulls = _pulls_by_base(past)
    found: dict[Key, Break] = {}
    names = dict.fromkeys((job.workflow, job.base) for job in past.suspects if job.is_bad and not job.is_pull)
    for name in names:
        jobs = [job for job in past.by_base[name].jobs if not job.is_pull and job.branch and job.sha]
        for branch in dict.fromkeys(job.branch for job in jobs if job.is_bad):
            line = _to_line([job for job in jobs if job.branch == branch])
            beside = pulls.get(name, {}) if branch == past.default_branch else {}
            for way, failed in line.failed.items():
                for one in _breaks_of(way, failed, line, beside, commits, options):
                    for key in one.keys:
                        found.setdefault(key, one)
    return found


def _pulls_by_base(past: Past) -> dict[tuple[str, str], dict[str, list[Job]]]:
    found: dict[tuple[str, str], dict[str, list[Job]]] = defaultdict(lambda: defaultdict(list))
    for job in past.suspects:
        if job.is_bad and job.is_pull and job.base_sha:
            found[job.workflow, job.base][job.base_sha].append(job)
    return found


def _to_line(jobs: Sequence[Job]) -> _Line:
    shas = list(dict.fromkeys(job.sha for job in jobs if job.is_bad or job.has_passed))
    place_of = {sha: place for place, sha in enumerate(shas)}
    n_passed, failed = [0] * len(shas), defaultdict(list)
    for job in jobs:
        if job.has_passed:
            n_passed[place_of[job.sha]] += 1
        elif job.is_bad:
            for way in ways(job):
                failed[way].append(job)
    return _Line(shas, place_of, n_passed, failed)


def _breaks_of(
    way: Way,
    failed: Sequence[Job],
    line: _Line,
    beside: Mapping[str, Sequence[Job]],
    commits: Commits,
    options: VerdictOptions,
) -> Iterable[Break]:
    at_place: dict[int, list[Job]] = defaultdict(list)
    for job in failed:
        at_place[line.place_of[job.sha]].append(job)
    for stretch in _stretches(sorted(at_place), line.n_passed):
        beside_it = {place: [job for job in beside.get(line.shas[place], ()) if way in ways(job)] for place in stretch}
        jobs = [job for place in stretch for job in (*at_place[place], *beside_it[place])]
        n = _n_trials(jobs)
        if n < options.min_failed_trials:
            continue
        # What came after the stretch was not known in it, and would only blur its end.
        n_failed, n_runs = [0] * (stretch[-1] + 1), line.n_passed[: stretch[-1] + 1]
        for place, found in at_place.items():
            if place <= stretch[-1]:
                n_failed[place] = _n_trials([*found, *beside_it.get(place, ())])
                n_runs[place] += n_failed[place]
        changes = [change for change in find_changes(n_failed, n_runs) if change.is_worse]
        if not changes or not changes[-1].first <= stretch[0] <= changes[-1].last:
            continue
        # What fails alike from here on and never passes was there by the first red commit, whatever the interval adds.
        first, last = changes[-1].first, stretch[0]
        between = commits.between(line.shas[first - 1], line.shas[last])
        yield Break(
            way=way,
            keys=frozenset(job.key for job in jobs),
            n_failed=n,
            n_commits=len(stretch),
            n_passed_before=sum(line.n_passed[: stretch[0]]),
            culprits=between or list(reversed(line.shas[first : last + 1])),
        )


def _n_trials(jobs: Iterable[Job]) -> int:
    """Return the number of trials: attempts of one run are not independent, so they are one."""
    return len({(job.run_id, job.name) for job in jobs})


def _stretches(places: Sequence[int], n_passed: Sequence[int]) -> Iterable[list[int]]:
    """Yield runs of failing commits without any pass in or between them.

    One that ends at a commit that both failed and passed is left out: so did the failure end, by flaking.
    """
    stretch: list[int] = []
    for place in places:
        is_clean = n_passed[place] == 0
        is_next = not any(n_passed[stretch[-1] + 1 : place]) if stretch else False
        if stretch and not (is_clean and is_next):
            if is_clean or not is_next:
                yield stretch
            stretch = []
        if is_clean:
            stretch.append(place)
    if stretch:
        yield stretch


def judge_regression(one: Break, *, branch: str) -> Ruling:
    """Return the verdict of a job in a break."""
    n = len(one.culprits)
    which = f"one of {n} commits is to blame" if n > 1 else "the one commit in between is to blame"
    proof = (
        f"{plural(one.n_failed, 'job')} failed alike at {plural(one.n_commits, 'commit')} of {branch} and none passed, "
        f"after {plural(one.n_passed_before, 'pass', 'passes')}; {which} (99 %)"
    )
    return Ruling(Verdict.REGRESSION, proof, Certainty.HIGH, culprits=one.culprits)
