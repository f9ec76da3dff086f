"""Already failing: the base branch failed so before, and has not passed since."""

from __future__ import annotations

from kotaci.analysis.verdicts.past import Job, Past, are_alike
from kotaci.analysis.verdicts.ruling import Ruling
from kotaci.model import Certainty, Verdict, plural


def judge_already_failing(job: Job, past: Past) -> Ruling | None:
    """Return the verdict where the same job of the base branch failed alike before, without a pass since.

    Where the failed tests are told, the base must have failed in every one of them: a failure that adds one of its
    own is not the base's.
    """
    if past.is_on_base(job) or not past.default_branch:
        return None
    alike: list[Job] = []
    line = past.on_base.get(job.place)
    for other in line.before(job.at) if line is not None else ():
        if other.has_passed:
            break
        if are_alike(other, job) and job.tests <= (other.tests or job.tests):
            alike.append(other)
    if not alike:
        return None
    n_runs = len({other.run_id for other in alike})
    proof = (
        f"{past.default_branch} failed so in {plural(n_runs, 'run')} before, since {alike[-1].day}, "
        "and had not passed since"
    )
    return Ruling(Verdict.ALREADY_FAILING, proof, Certainty.HIGH, alike[0])
