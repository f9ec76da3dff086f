"""What `build_time` shows of what jobs spend their minutes on."""

from __future__ import annotations

import pandas as pd

from kotaci.analysis.spending import CompiledAgain, read_kinds
from kotaci.model import short_workflow
from kotaci.report import charts, words
from kotaci.report.blocks import Block, Col, note, stack, table
from kotaci.report.inline import code, sentence

KINDS = read_kinds()


_NO_NEEDS = "Not known: no run of this window has a workflow file that tells what waits for what."

SMALL = 0.01
"""Kinds with a smaller share of all minutes are drawn as one."""


def spent_figure(spent: pd.DataFrame) -> Block:
    """Return the minutes of all jobs by what they were spent on, one kind after another."""
    by_kind = spent.groupby("kind")["minutes"].sum().astype(float)
    whole = float(by_kind.sum())
    if not whole:
        return note(sentence("No job of this window ran."))
    shown = {KINDS.titles[kind]: by_kind[kind] for kind in KINDS.titles if by_kind.get(kind, 0.0) >= SMALL * whole}
    rest = whole - sum(shown.values())
    most = max(shown, key=lambda kind: shown[kind])
    parts = shown | ({"what takes less than 1 % each": rest} if rest > SMALL * whole / 10 else {})
    return charts.plot_waterfall(
        pd.DataFrame({"part": list(parts), "minutes": list(parts.values())}),
        title=f"{words.percent(shown[most] / whole)} of the minutes of jobs: {most}",
    )


def spent_table(spent: pd.DataFrame) -> Block:
    """Return the jobs with most minutes, and what they spend most on."""
    rows = []
    for (workflow, job), group in spent.groupby(["workflow", "job_base"]):
        most = group.sort_values("minutes", ascending=False).head(3)
        told = ", ".join(f"{KINDS.titles[row.kind]} {words.percent(row.share)}" for row in most.itertuples())
        n = int(group["n_jobs"].max())
        minutes = float(group["minutes"].sum())
        rows.append((f"{short_workflow(workflow)} / {job}", n, minutes, 60 * minutes / n, told))
    frame = pd.DataFrame(rows, columns=["job", "n", "minutes", "mean_s", "most"])
    return table(
        frame.sort_values("minutes", ascending=False, ignore_index=True),
        [
            Col("job", kind="code"),
            Col("n", "jobs", kind="number"),
            Col("minutes", kind="minutes"),
            Col("mean_s", "mean", kind="duration"),
            Col("most", "spent most on"),
        ],
        limit=12,
        more="more jobs",
        none="No job of this window ran.",
    )


def slack_table(slack: pd.DataFrame) -> Block:
    """Return how often each job decides how long its run lasts, and how much longer it could take if it does not."""
    return table(
        slack.assign(
            place=[f"{short_workflow(row.workflow)} / {row.job_key}" for row in slack.itertuples()],
            share=slack["n_critical"] / slack["n"].where(slack["n"] > 0),
        ).sort_values(["share", "minutes"], ascending=False, ignore_index=True),
        [
            Col("place", "job", kind="code"),
            Col("n", "ran", kind="number"),
            Col("share", "on the critical path", kind="percent", n="n"),
            Col("slack_s", "slack, median", kind="duration"),
            Col("minutes", kind="minutes"),
        ],
        limit=15,
        more="more jobs",
        none=_NO_NEEDS,
    )


def unwaited_table(unwaited: pd.DataFrame, slack: pd.DataFrame) -> Block:
    """Return the jobs that no run and no job ever waited for; `slack` tells whether that is known of any job."""
    if slack.empty:
        return note(sentence(_NO_NEEDS))
    return table(
        unwaited.assign(place=[f"{short_workflow(row.workflow)} / {row.job_key}" for row in unwaited.itertuples()]),
        [
            Col("place", "job", kind="code"),
            Col("n", "ran", kind="number"),
            Col("least_slack_s", "slack, least", kind="duration"),
            Col("n_failed", "failed", kind="number"),
            Col("n_failed_alone", "failed alone", kind="number"),
            Col("minutes", kind="minutes"),
        ],
        none="Every job was waited for: by another job, or by its run.",
    )


def compiled_tables(compiled: CompiledAgain) -> Block:
    """Return tools that are built from source again and again, and dependencies that are compiled most often."""
    tools = compiled.tools
    return stack(
        table(
            tools.assign(place=[f"{short_workflow(row.workflow)} / {row.job_base}" for row in tools.itertuples()]),
            [
                Col("tool", kind="code"),
                Col("version"),
                Col("place", "job"),
                Col("n_jobs", "times", kind="number"),
                Col("median_s", "median", kind="duration"),
                Col("minutes", kind="minutes"),
                Col("remedy", "instead"),
            ],
            limit=10,
            more="more tools",
            none="No log shows a tool built from source.",
        ),
        _crate_table(compiled.crates),
    )


OFTEN = 0.5
"""A dependency counts that so large a share of the jobs that compile anything compile again."""


def _crate_table(crates: pd.DataFrame) -> Block:
    rows = []
    for (workflow, job), group in crates[crates["share"] >= OFTEN].groupby(["workflow", "job_base"]):
        names = ", ".join(group["crate"].head(3)) + (" …" if len(group) > 3 else "")
        rows.append((f"{short_workflow(workflow)} / {job}", int(group["n_built"].max()), len(group), names))
    frame = pd.DataFrame(rows, columns=["place", "n_built", "n_crates", "names"])
    return table(
        frame.sort_values(["n_crates", "n_built"], ascending=False, ignore_index=True),
        [
            Col("place", "job", kind="code"),
            Col("n_built", "jobs that compiled", kind="number"),
            Col("n_crates", "dependencies", kind="number"),
            Col("names", "such as"),
        ],
        limit=10,
        more="more jobs",
        none="No log shows cargo compiling the same dependency in every other job.",
    )


def slowest_units_table(slowest: pd.DataFrame) -> Block:
    """Return the crates that took longest in the builds whose timings were uploaded, or how to upload them."""
    if slowest.empty:
        return note(
            sentence(
                "How long a crate takes is not known: {build} writes it. Upload {folder} as an artifact {name}, and it "
                "is read.",
                build=code("cargo build --timings"),
                folder=code("target/cargo-timings"),
                name=code("cargo-timings"),
            )
        )
    return table(
        slowest,
        [
            Col("crate", kind="code"),
            Col("n", "builds", kind="number"),
            Col("median_s", "median", kind="duration"),
            Col("n_critical", "on the critical path", kind="number"),
            Col("share", "of build time, at most", kind="percent"),
        ],
        limit=10,
        more="more crates",
    )


def slowest_tests_table(slowest: pd.DataFrame) -> Block:
    """Return the slowest tests among those whose seconds a report or a log told."""
    return table(
        slowest.assign(name=[code(row.test) for row in slowest.itertuples()]),
        [
            Col("name", "test"),
            Col("suite"),
            Col("n", "times", kind="number"),
            Col("median_s", "median", kind="duration"),
            Col("p95_s", "p95", kind="duration"),
            Col("share", "of the time told", kind="percent"),
        ],
        limit=10,
        more="more tests",
        none="No report and no log tells how long a test took.",
    )
