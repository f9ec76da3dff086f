"""What `cache_analysis` shows."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from kotaci.analysis.caching import Caching, family_of, rate_families
from kotaci.analysis.quota import GB
from kotaci.analysis.statistics import FEWEST_FOR_INTERVAL
from kotaci.config import Landmark
from kotaci.facts import History
from kotaci.model import Severity, plural
from kotaci.pages.opening import no_runs, to_marks
from kotaci.report import charts, words
from kotaci.report.blocks import Block, Col, Tile, answer, findings, note, table, tiles
from kotaci.report.inline import Inline, code, join, sentence, stacked

TABLES = ("runs", "jobs", "cache_events", "units", "setups", "caches", "compiler_caches")
"""The tables that the analysis, and so the notebook, reads."""

_NO_CACHE = "Cannot be told: no log in this window holds a cache step."


def caching_answer(history: History, caching: Caching) -> Block:
    """Return the answer in a paragraph: how often caches hit, and what weighs most."""
    if history["runs"].empty:
        return no_runs(history)
    if not caching.n_restores:
        return answer(sentence("**{why}**", why=_NO_CACHE), tone="info")
    rate = sentence("**{x} of {n} restores hit exactly.**", x=caching.n_exact, n=caching.n_restores)
    told = caching.families.dropna(subset="worth_s")
    if len(told):
        gave = float((told["worth_s"] * told["n"]).sum())
        rate = sentence(
            "{rate} Where it can be told, in {n}, they {verb} jobs {time}, restoring and saving paid.",
            rate=rate,
            n=plural(len(told), "cache"),
            verb="gave" if gave >= 0 else "cost",
            time=words.duration(abs(gave)),
        )
    urgent = [finding for finding in caching.findings if finding.severity >= Severity.MEDIUM]
    if not urgent:
        past = f"{plural(len(caching.findings), 'finding')} below is over." if caching.findings else ""
        return answer(join([rate, "Nothing stands out now.", past], sep=" "), tone="good")
    first, rest = urgent[0], len(caching.findings) - 1
    text = sentence("{rate} {subject} {claim}.", rate=rate, subject=code(first.subject), claim=first.claim)
    if rest:
        text = sentence("{text} {more} below.", text=text, more=plural(rest, "more finding"))
    return answer(text, tone="bad" if first.severity >= Severity.HIGH else "warn")


def caching_tiles(caching: Caching, history: History) -> Block:
    """Return the four figures that tell most; none without restores."""
    if not caching.n_restores:
        return note(sentence("No figures without cache steps."))
    hits = caching.events[caching.events["result"] != "miss"]
    spent = hits["wall_s"].sum()
    redone = int(caching.redone["n_redone"].sum())
    held = _newest(history["caches"])
    size = float(held["size_bytes"].astype(float).sum())
    quota, quota_bytes = f"{caching.options.quota_gb:g} GB", caching.options.quota_gb * GB
    return tiles(
        [
            Tile(words.percent(caching.n_exact / caching.n_restores), "exact hits", f"n = {caching.n_restores:,}"),
            Tile(
                words.duration(spent), "spent to restore", f"{plural(len(hits), 'restore')} of {len(caching.events):,}"
            ),
            Tile(
                redone,
                "exact hits compiled all again",
                f"of {plural(int(caching.redone['n_hits'].sum()), 'hit')} before cargo",
                "warn" if redone else "good",
            ),
            Tile(
                words.percent(size / quota_bytes) if len(held) else "–",
                f"of {quota} are held" if len(held) else "how much is held is not known",
                plural(len(held), "cache") if len(held) else "",
                "warn" if size > 0.9 * quota_bytes else "calm",
            ),
        ]
    )


def family_table(caching: Caching) -> Block:
    """Return one row a cache: how often it hits, what a miss costs and what a hit saves."""
    shown = caching.families
    return table(
        shown.assign(
            asked=[stacked(row.n, _missed(row.n_miss, row.n_partial)) for row in shown.itertuples()],
            restore=[
                words.MISSING
                if words.is_missing(row.restore_s)
                else stacked(words.duration(row.restore_s), f"{row.size_bytes / 1e6:,.1f} MB")
                for row in shown.itertuples()
            ],
            cost=[
                stacked(
                    f"{_signed(row.miss_cost_s)} ({row.n_compared_misses}, {row.n_compared_hits})",
                    f"[{_signed(row.miss_cost_low_s)}, {_signed(row.miss_cost_high_s)}]",
                )
                if not words.is_missing(row.miss_cost_s)
                else words.MISSING
                for row in shown.itertuples()
            ],
            gain=[_signed(worth) for worth in shown["worth_s"]],
            place=_places(shown),
        ),
        [
            Col("place", "job and keys", kind="stacked"),
            Col("asked", "restores", kind="stacked"),
            Col("hit_rate", "exact [95 %]", kind="interval", n="n", few=caching.options.min_restores),
            Col("restore", kind="stacked"),
            Col("cost", "a miss costs [95 %]", kind="stacked"),
            Col("gain", "gives a job"),
        ],
        more="more caches",
        none=_NO_CACHE,
    )


def _missed(n_miss: int, n_partial: int) -> str:
    told = [f"{n:,} {word}" for n, word in ((n_miss, "missed"), (n_partial, "partial")) if n]
    return ", ".join(told) or "none missed"


def cost_note(caching: Caching) -> Block:
    """Return what the cost of a miss was compared within, and where too few remain to tell it."""
    known = caching.families[caching.families["n_strata"] > 0]
    if caching.families.empty:
        return note(sentence(_NO_CACHE))
    few = known[known["n_compared_misses"] < FEWEST_FOR_INTERVAL]
    n_alone, n_compared = (
        int(caching.families["n_alone"].sum()),
        int((known["n_compared_misses"] + known["n_compared_hits"]).sum()),
    )
    return note(
        sentence(
            "Compared within job leg, labels, runner image and toolchain, passed jobs only: {n}, in brackets those "
            "that missed and those that hit. "
            "{alone} had no counterpart there and are left out. {few}",
            n=plural(n_compared, "job"),
            alone=plural(n_alone, "job"),
            few=f"In {plural(len(few), 'cache')} fewer than {FEWEST_FOR_INTERVAL} misses remain: too few to lean on."
            if len(few)
            else "",
        )
    )


def _places(shown: pd.DataFrame) -> list[Inline]:
    return [stacked(f"{row.workflow} / {row.job}", row.family or words.MISSING) for row in shown.itertuples()]


def _signed(seconds: float) -> str:
    if words.is_missing(seconds):
        return words.MISSING
    return words.duration(seconds) if seconds >= 0 else f"−{words.duration(-seconds)}"


def rates_figure(caching: Caching, *, dates: Sequence[Landmark] = ()) -> Block:
    """Return the share of exact hits of the busiest caches by period; `dates` are marked in it."""
    rates, period = rate_families(caching.events)
    return charts.plot_rate(
        rates,
        period=period,
        rate="hit_rate",
        y="exact hits, % of restores",
        marks=to_marks(dates),
        title=f"{caching.n_exact:,} of {plural(caching.n_restores, 'restore')} hit exactly",
        none=_NO_CACHE,
    )


def redone_table(caching: Caching) -> Block:
    """Return one row a cache in front of cargo: how many hits were followed by compiling dependencies."""
    shown = caching.redone
    return table(
        shown.assign(place=_places(shown), alike=shown["others"].where(shown["others"] != "", words.MISSING)),
        [
            Col("place", "job and keys", kind="stacked"),
            Col("n_hits", "exact hits", kind="number"),
            Col("n_redone", "compiled again", kind="number"),
            Col("n_crates", "crates, hit", kind="number"),
            Col("n_crates_missed", "crates, miss", kind="number"),
            Col("alike", "same key, used by"),
        ],
        none="Cannot be told: no log shows cargo compiling after a cache was restored.",
    )


def compilers_table(caching: Caching) -> Block:
    """Return one row a job that compiles through sccache: what it took from there, and could not keep."""
    shown = caching.compilers
    return table(
        shown.assign(place=[f"{row.workflow} / {row.job}" for row in shown.itertuples()]),
        [
            Col("place", "job", kind="code"),
            Col("location", "where it lies"),
            Col("n_jobs", "jobs", kind="number"),
            Col("n", "compilations", kind="number"),
            Col("hit_rate", "from the cache", kind="percent"),
            Col("n_errors", "read errors", kind="number"),
            Col("n_write_errors", "write errors", kind="number"),
        ],
        more="more jobs",
        none="Not known: no log of this window prints the statistics of sccache.",
    )


def listed_table(history: History) -> Block:
    """Return what GitHub held when it was last asked, by key family and whose it is, the largest first."""
    held = _newest(history["caches"])
    if held.empty:
        return note(sentence("Not known: no list of caches was fetched."))
    pulls = held["ref"].fillna("").str.startswith("refs/pull/")
    frame = held.assign(
        family=held["key"].map(family_of),
        whose=pulls.map({True: "pull requests", False: "branches"}),
        megabytes=held["size_bytes"].astype(float) / 1e6,
    )
    grouped = frame.groupby(["family", "whose"]).agg(
        n=("cache_id", "size"), megabytes=("megabytes", "sum"), last_used_at=("last_used_at", "max")
    )
    return table(
        grouped.reset_index().sort_values("megabytes", ascending=False, ignore_index=True),
        [
            Col("family", "keys", kind="code"),
            Col("whose", "saved by"),
            Col("n", "caches", kind="number"),
            Col("megabytes", "MB", kind="number"),
            Col("last_used_at", "last used", kind="time"),
        ],
        more="more kinds of keys",
    )


def pulls_note(caching: Caching) -> Block:
    """Return what pull requests saved and hold, which no other run can read."""
    pulls, quota = caching.pulls, caching.options.quota_gb
    if not pulls.n_all and pulls.n_held is None:
        return note(sentence("Whether pull requests save caches cannot be told: no save and no list is held."))
    saved = sentence(
        "Pull requests made {n} of {all} in this window, of which {read} were found again by their own.",
        n=pulls.n_saved,
        all=plural(pulls.n_all, "save"),
        read=pulls.n_read,
    )
    if pulls.n_held is None or pulls.held_bytes is None:
        return note(saved)
    if not pulls.n_held:
        return note(sentence("None of the caches listed is of a pull request. {saved}", saved=saved))
    return note(
        sentence(
            "Pull requests hold {n}, {size} or {share} of the quota. {saved}",
            n=plural(pulls.n_held, "cache"),
            size=_gigabytes(pulls.held_bytes),
            share=words.percent(pulls.held_bytes / (quota * GB)),
            saved=saved,
        )
    )


def quota_answer(caching: Caching) -> Block:
    """Return whether a larger quota would find more, and how far the replay that tells it is to be believed."""
    quotas = caching.quotas
    replay, compared = quotas.replay, quotas.compared
    if replay.restores.empty:
        return note(sentence("Cannot be told: no restore with a key is held."))
    now = compared[compared["quota_bytes"] == replay.quota_bytes].iloc[0]
    more = compared[compared["n_exact"] > now["n_exact"]]
    larger = more[more["quota_bytes"] > replay.quota_bytes]
    if len(larger):
        best = larger.iloc[larger["n_exact"].argmax()]
        text = sentence(
            "**Yes: {quota} would have found {n} more of {all}.**",
            quota=_gigabytes(best["quota_bytes"]),
            n=int(best["n_exact"] - now["n_exact"]),
            all=plural(len(replay.restores), "restore"),
        )
    else:
        text = sentence(
            "**No: at most {size} were held at once, and a larger quota would have found nothing more.**",
            size=_gigabytes(now["most_held_bytes"]),
        )
    return note(
        sentence(
            "{text} By replay of the saves and restores that logs tell; under today's quota it ends as the logs say in "
            "{x} of {n}.{unsized}",
            text=text,
            x=replay.n_agreeing,
            n=plural(len(replay.restores), "restore"),
            unsized=f" {plural(replay.n_unsized, 'save')} of unknown size left out." if replay.n_unsized else "",
        )
    )


def quota_table(caching: Caching) -> Block:
    """Return one row a quota: what would have been found, dropped for lack of room, and missed again."""
    compared = caching.quotas.compared
    shown = compared[compared["n"] > 0]
    now = caching.quotas.replay.quota_bytes
    return table(
        shown.assign(
            quota=[
                f"{_gigabytes(each)}, in force" if each == now else _gigabytes(each) for each in shown["quota_bytes"]
            ],
            most=[_gigabytes(each) for each in shown["most_held_bytes"]],
        ),
        [
            Col("quota"),
            Col("hit_rate", "exact [95 %]", kind="interval", n="n"),
            Col("n_evicted", "dropped", kind="number"),
            Col("n_thrash", "asked again", kind="number"),
            Col("most", "most held"),
        ],
        none="Cannot be told: no restore with a key is held.",
    )


def _gigabytes(size: float) -> str:
    return f"{size / GB:,.1f} GB" if size % GB else f"{size / GB:,.0f} GB"


def caching_actions(caching: Caching) -> Block:
    """Return what to do, ranked."""
    return findings(caching.findings, none="Nothing to do: no threshold was passed.")


def _newest(caches: pd.DataFrame) -> pd.DataFrame:
    return caches[caches["as_of_at"] == caches["as_of_at"].max()]
