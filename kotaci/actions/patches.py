"""Remedies of an audit as pull requests: one for one rule in one workflow file, with all its jobs together.

A person reviews a pull request as one thing; so small ones, each with one reason, and none that waits for another.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from kotaci.actions.fitting import fit_findings
from kotaci.actions.identity import Marker, to_section
from kotaci.actions.model import Action, Change, Kind, Plan, PlannedFile
from kotaci.actions.planning import short_id
from kotaci.actions.pulls import Ground, blob_id
from kotaci.archives.checkout import Tree
from kotaci.audit import Mark, read_cards, to_findings
from kotaci.audit.mending import Mended, mend, to_diff
from kotaci.model import Finding, Price, Repo, Severity, plural, short_workflow
from kotaci.report import markdown as md
from kotaci.report import words
from kotaci.report.words import one_line

FIX = "ci-fix"
"""Topic of the pull requests that the kit opens."""

_SAVES_TIME = frozenset({"caches", "twice", "weight"})
"""Classes of rules whose remedy makes CI faster; others make it right."""

_ACTIVE = re.compile(r"[@#](?=\w)|\bgh-(?=\w)|:(?=//)|\bwww(?=\.)", re.IGNORECASE)


@dataclass(frozen=True)
class PatchOptions:
    """How much is planned."""

    max_new: int = 5
    """New pull requests in one plan; what is over it is said, and comes with the next one."""


PATCHES = PatchOptions()


@dataclass(frozen=True)
class Remedy:
    """What one rule asks for in one file: the marks that are mended, as findings, and the files as they will be."""

    rule: str
    path: str
    findings: Sequence[Finding]
    said: Sequence[str]
    files: Sequence[PlannedFile]
    diff: str
    identities: Sequence[str]

    @property
    def subject(self) -> str:
        """Return the rule and file: of two remedies with the same, one is open at a time."""
        return short_id(f"{self.rule}:{self.path}")

    @cached_property
    def identity(self) -> str:
        """Return what differs where other places are mended, and stays when lines move."""
        told = "\0".join((self.subject, *sorted(self.identities)))
        return hashlib.sha256(told.encode("utf-8", "replace")).hexdigest()[:8]

    @property
    def branch(self) -> str:
        """Return the name of its branch."""
        return f"fix/ci-{self.rule}-{self.identity}"

    @property
    def rank(self) -> tuple[float, ...]:
        """Return what sorts the most urgent first: by severity, then by minutes."""
        severity = max((finding.severity for finding in self.findings), default=Severity.LOW)
        return (-severity, -sum(finding.price.minutes or 0 for finding in self.findings))


def to_remedies(
    tree: Tree, marks: Sequence[Mark], *, prices: Mapping[str, tuple[Price, int, str]] | None = None
) -> tuple[list[Remedy], list[str]]:
    """Return what can be mended by machine, the most urgent first, and in words what was left out.

    `prices` hold, by the id of a finding, what it costs, from how many runs, and by which method.
    """
    groups, remedies, left = dict[tuple[str, str], list[tuple[Mark, Finding]]](), list[Remedy](), list[str]()
    for mark, finding in zip(marks, _priced(marks, prices or {}), strict=True):
        if mark.patch is not None:
            groups.setdefault((mark.rule, mark.patch.path), []).append((mark, finding))
    for (rule, path), found in groups.items():
        mended = mend(tree, [mark for mark, _ in found], found=marks)
        left += [f"{rule}, {short_workflow(path)}, {mark.subject}: {problem}" for mark, problem in mended.left]
        if mended.done:
            done = {id(mark) for mark in mended.done}
            remedies.append(_remedy(tree, rule, path, [pair for pair in found if id(pair[0]) in done], mended))
    return sorted(remedies, key=lambda remedy: remedy.rank), left


def _priced(marks: Sequence[Mark], prices: Mapping[str, tuple[Price, int, str]]) -> Iterable[Finding]:
    by_identity = {mark.identity: prices[id_] for mark in marks if (id_ := f"{mark.rule}-{mark.identity}") in prices}
    return to_findings(marks, prices=by_identity)


def _remedy(tree: Tree, rule: str, path: str, found: Sequence[tuple[Mark, Finding]], mended: Mended) -> Remedy:
    files = []
    for name, text in sorted(mended.texts.items()):
        before = tree.read(name) if name in tree.paths else None
        files.append(PlannedFile(name, text, "" if before is None else blob_id(before)))
    patches = [one for mark, _ in found if mark.patch for one in (mark.patch, *mark.patch.besides)]
    return Remedy(
        rule,
        path,
        tuple(finding for _, finding in found),
        tuple(dict.fromkeys(patch.said for patch in patches)),
        tuple(files),
        to_diff(tree, mended.texts),
        tuple(mark.identity for mark, _ in found),
    )


def plan_patches(
    remedies: Sequence[Remedy],
    ground: Ground,
    *,
    repo: Repo,
    report: str = "",
    digest: str = "",
    left_out: Iterable[str] = (),
    options: PatchOptions = PATCHES,
) -> Plan:
    """Return the plan of draft pull requests to the base.

    Left out is what the base holds differently than the files that were read, and what a pull request is about
    already: one that is open for the same rule and file, or one that is closed for the very same places.
    """
    actions, left, over = list[Action](), list(left_out), list[str]()
    for remedy in remedies:
        name = f"{remedy.rule} in {short_workflow(remedy.path)}"
        hindrance = _hindrance(remedy, ground)
        if hindrance:
            left.append(f"{name}: {hindrance}")
        elif len(actions) >= options.max_new:
            over.append(name)
        else:
            actions.append(_action(remedy, ground, repo))
    if over:
        told = f"{plural(len(over), 'new pull request')} over the limit of {options.max_new} a run"
        left.append(f"{told}: {', '.join(over[:10])}")
    return Plan(str(repo), ground.as_of, digest, report, tuple(actions), tuple(dict.fromkeys(left)))


def _hindrance(remedy: Remedy, ground: Ground) -> str:
    for pull in ground.pulls:
        subject, _, identity = pull.marker.id.rpartition(":")
        if pull.marker.topic == FIX and subject == remedy.subject and (pull.is_open or identity == remedy.identity):
            return f"pull request #{pull.number} is about it, {'open' if pull.is_open else 'closed, and stays so'}"
    for file in remedy.files:
        if ground.blobs.get(file.path, "") != file.blob_sha:
            return f"{file.path} is another on {ground.base} than here; check out {ground.base} first"
    return ""


def _action(remedy: Remedy, ground: Ground, repo: Repo) -> Action:
    marker = Marker(FIX, f"{remedy.subject}:{remedy.identity}", as_of=ground.as_of)
    subject = _subject(remedy)
    content = fit_findings(remedy.findings, lambda told: _body(remedy, ground, told))
    return Action(
        id=f"{Kind.OPEN_PULL}:{marker.id}",
        kind=Kind.OPEN_PULL,
        repo=str(repo),
        title=subject,
        body=to_section(marker, content),
        marker=marker.line(),
        reason=f"{plural(len(remedy.findings), 'place')} of {remedy.path}, {_saving(remedy)}",
        change=Change(remedy.branch, ground.base, _message(remedy, subject), remedy.files, remedy.diff),
    )


def _subject(remedy: Remedy) -> str:
    card = read_cards()[remedy.rule]
    kind = "perf" if card.group in _SAVES_TIME else "fix"
    return f"{kind}(ci): mend {remedy.rule} in {_quiet(short_workflow(remedy.path), width=80)}"


def _message(remedy: Remedy, subject: str) -> str:
    said = "\n".join(f"- {_quiet(told, width=160)}" for told in remedy.said)
    return f"{subject}\n\n{_quiet(read_cards()[remedy.rule].why, width=400)}\n\n{said}\n"


def _quiet(text: str, *, width: int) -> str:
    """Return text of a file as one line that names nobody and closes nothing."""
    return _ACTIVE.sub("\\g<0>\u200b", one_line(text, width=width))


def _body(remedy: Remedy, ground: Ground, told: str) -> str:
    card = read_cards()[remedy.rule]
    changes = "\n".join(f"- {md.escape_text(one_line(said, width=300))}" for said in remedy.said[:20])
    more = f"\n- … and {len(remedy.said) - 20} more" if len(remedy.said) > 20 else ""
    file = short_workflow(remedy.path)
    return "\n\n".join((
        f"{md.escape_text(card.what)} {md.escape_text(card.why)}",
        f"**What it changes**\n\n{changes}{more}",
        f"**What was found**\n\n{told}",
        f"**Expected:** {md.escape_text(_saving(remedy))}. After the merge `kotaci claim` measures what became of it: "
        + md.code_span(f'kotaci claim --workflow {file} --at COMMIT "-10%"'),
        f"**When it is wrong:** {md.escape_text(card.wrong)}",
        f"Made from {md.code_span(ground.base)} at {ground.sha[:12]}, by the text of the files alone: nothing was run.",
    ))  # fmt: skip


def _saving(remedy: Remedy) -> str:
    """Return what the findings cost together, each way of knowing by itself."""
    by = dict[str, float]()
    for price in (finding.price for finding in remedy.findings):
        if price.minutes and price.basis != "none":
            by[price.basis] = by.get(price.basis, 0) + price.minutes
    told = " and ".join(f"{words.minutes(minutes)} ({basis})" for basis, minutes in sorted(by.items()))
    return f"it saves up to {told} over the data's window" if told else "no saving was measured"
