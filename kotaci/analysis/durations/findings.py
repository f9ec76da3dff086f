"""What a shift of durations means for who pays for it, as a finding."""

from __future__ import annotations

from kotaci.analysis.durations.options import DurationOptions
from kotaci.analysis.durations.places import Place
from kotaci.model import Certainty, Finding, Link, Price, Severity, commit_url, compare_url, plural


def to_finding(place: Place, *, repo: str, n_series: int, options: DurationOptions) -> Finding:
    """Return the finding of one place; `n_series` were looked at."""
    shift, lead = place.lead.shift, place.lead
    n = shift.n_before + shift.n_after
    return Finding(
        id=place.finding_id,
        kind=place.kind,
        subject=" / ".join(part for part in (*lead.key[:2], place.step) if part),
        claim=_claim(place),
        verdict=_verdict(place),
        certainty=Certainty.of_n(min(shift.n_before, shift.n_after)),
        severity=_severity(place, options=options),
        n=n,
        method=f"change points of {plural(n_series, 'series', 'series')} of first attempts that passed on the default "
        f"branch, levelled by cache outcome; {100 * options.false_share:g} % of them may be chance; 95 % interval; "
        "minutes: this change times the runs of the jobs on all branches",
        remedy=_remedy(place),
        price=Price(minutes=round(place.minutes, 1), basis="estimated"),
        evidence=(
            Link(f"{shift.good_sha[:7]}...{shift.last_sha[:7]}", compare_url(repo, shift.good_sha, shift.last_sha)),
            Link(f"commit {shift.sha[:7]}", commit_url(repo, shift.sha)),
        ),
    )


def _claim(place: Place) -> str:
    shift, lead = place.lead.shift, place.lead
    word = "slower" if shift.is_slower else "faster"
    low, high = sorted((abs(shift.low - 1), abs(shift.high - 1)))
    n_suspects = shift.last - shift.first + 1
    around = f", or one of {plural(n_suspects - 1, 'other run')} around it" if n_suspects > 1 else ""
    where = f"; most of it in the step {place.step}" if place.step and not lead.key[2] else ""
    more = {1: "", 2: "; so is another job"}.get(place.n_jobs, f"; so are {place.n_jobs - 1} other jobs")
    a_week = abs(place.minutes_per_week)
    price = f"about {plural(round(a_week), 'minute')}" if a_week >= 1 else "less than a minute"
    verb = "costs" if place.minutes > 0 else "saves"
    share = f"{100 * abs(shift.ratio - 1):.0f} % [{100 * low:.0f}, {100 * high:.0f}]"
    return (
        f"{word} by {share}, {_seconds(shift.before_s)} to {_seconds(shift.after_s)}, since {shift.at.day} "
        f"{shift.at:%b %Y} ({shift.sha[:7]}{around}){where}{more}; there: {', '.join(place.together.shared)}; "
        f"{verb} {price} a week"
    )


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"


def _verdict(place: Place) -> str:
    word = "slower" if place.lead.shift.is_slower else "faster"
    return f"was {word} until {place.lead.over_at.day} {place.lead.over_at:%b %Y}" if place.is_over else f"is {word}"


def _severity(place: Place, *, options: DurationOptions) -> Severity:
    if place.is_over or place.minutes_per_week < options.medium_minutes:
        return Severity.LOW
    return Severity.HIGH if place.minutes_per_week >= options.high_minutes else Severity.MEDIUM


def _remedy(place: Place) -> str:
    if place.is_cold:
        return "Look at the cache's key and what saves it: cache_analysis tells which restores missed."
    if place.is_over:
        return "Nothing: it is over."
    if not place.lead.shift.is_slower:
        return "Nothing; or tell who did it."
    return "Look at what changed between these commits, and at what else changed there; run the job on both to be sure."
