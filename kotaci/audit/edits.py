"""Minimal edits of workflow files, made line by line so that layout and comments stay, and what applies them.

A function here returns None where the place is none to edit by lines: a flow mapping (`{…}`), a part that an alias
uses too, a block scalar that keeps its blank lines (`|+`), line breaks that only YAML knows. Lines to insert are given
with two spaces a level, and get the file's own.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from kotaci.audit.marks import Edit, Patch
from kotaci.audit.project import Place
from kotaci.model import BadInput
from kotaci.workflows import WorkflowFile, WorkflowJob, WorkflowStep
from kotaci.workflows.nodes import Entry, MappingNode, Node, ScalarNode, SequenceNode

CONCURRENCY = (
    "concurrency:",
    "  group: ${{ github.workflow }}-${{ github.event.pull_request.number || github.run_id }}",
    "  cancel-in-progress: ${{ github.event_name == 'pull_request' }}",
)
"""One run a pull request, the newest. Other events get a group each: of two that wait in one, GitHub drops the older,
whatever `cancel-in-progress` says (docs: Concurrency)."""

PERMISSIONS = ("permissions:", "  contents: read")
UPLOAD = "actions/upload-artifact@v4"

_ODD_BREAKS = re.compile(r"\r(?!\n)|[\x85\u2028\u2029]")
_ANCHOR = re.compile(r"(?:^|[:\[{,-])\s+&([^\s,\[\]{}]+)")
_KEEPS = re.compile(r"[|>][0-9]?\+[0-9]?\s*(?:#.*)?$")
_PLAIN = re.compile(r"[\w./@=+~^ -]*")
_VALUE = re.compile(r"(\"(?:[^\"\\]|\\.)*\"|'(?:[^']|'')*'|[^\s\"'&*!|>{\[#](?:.*?\S)??)(\s+#.*)?\s*")
_BESIDES_USES = {"name", "id", "if", "run", "timeout-minutes", "continue-on-error"}
"""Keys of a step that mean the same for an action as for a script."""


# -- keys --------------------------------------------------------------------------------------------------------


def insert_key(
    text: str,
    file: WorkflowFile,
    job: WorkflowJob,
    line: str | Sequence[str],
    *,
    after: str | Sequence[str],
    step: WorkflowStep | None = None,
) -> Patch | None:
    """Return the patch that adds that key (a line, or several) to a job, or to a step of it, behind the first of the
    keys `after` that is there."""
    told = [line] if isinstance(line, str) else list(line)
    block = _block(text, file, _node_of(file, job, step))
    entry = block.first_of([after] if isinstance(after, str) else after) if block else None
    if block is None or entry is None or block.entry(told[0].partition(":")[0]) is not None:
        return None
    return block.patch_behind(entry, told, f"add `{_short(told)}` to {_where(job, step)}")


def set_value(
    text: str, file: WorkflowFile, job: WorkflowJob, key: str, value: str, *, step: WorkflowStep | None = None
) -> Patch | None:
    """Return the patch that gives a key of a job or step, which is there with a scalar on its line, another value as
    YAML writes it; a comment behind it stays."""
    block = _block(text, file, _node_of(file, job, step))
    return None if block is None else block.patch_value(key, value, f"set `{key}` of {_where(job, step)} to `{value}`")


def set_input(
    text: str, file: WorkflowFile, job: WorkflowJob, step: WorkflowStep, name: str, value: str
) -> Patch | None:
    """Return the patch that gives an action an input under `with:`, which is made where it is missing; `value` as YAML
    writes it."""
    block = _block(text, file, _node_of(file, job, step))
    if block is None:
        return None
    said = f"give {_where(job, step)} the input `{name}: {value}`"
    given = block.entry("with")
    if given is None:
        uses = block.entry("uses")
        return None if uses is None else block.patch_behind(uses, ["with:", f"  {name}: {value}"], said)
    if isinstance(given.value, ScalarNode):
        is_empty = given.value.text == "" and given.value.is_plain and _VALUE_IS_NONE.search(block.line(given.line))
        return block.patch_behind(given, [f"  {name}: {value}"], said) if is_empty else None
    inputs = _block(text, file, given.value)
    if inputs is None:
        return None
    if inputs.entry(name) is not None:
        return inputs.patch_value(name, value, said)
    return inputs.patch_behind(inputs.node.entries[-1], [f"{name}: {value}"], said)


_VALUE_IS_NONE = re.compile(r":\s*(?:#.*)?$")


def set_inputs(text: str, places: Sequence[Place], name: str, value: str, said: str) -> Patch | None:
    """Return one patch that gives the actions of all these steps the input; None where one cannot be edited."""
    patches = [
        set_input(text, place.file, place.job, place.step, name, value)
        for place in places
        if place.file is not None and place.job is not None
    ]
    edits = [edit for patch in patches if patch is not None for edit in patch.edits]
    is_whole = len(patches) == len(places) and all(patches)
    return Patch(places[0].path, tuple(edits), said) if is_whole else None


def set_shell(
    text: str, file: WorkflowFile, job: WorkflowJob, step: WorkflowStep, *, shell: str = "bash"
) -> Patch | None:
    """Return the patch that has the script of a step run by that shell: with `bash`, a failed pipe fails the step."""
    if step.shell:
        return set_value(text, file, job, "shell", shell, step=step)
    keys = list(step.lines)
    before = keys[max(keys.index("run") - 1, 0)] if "run" in keys else "run"
    return insert_key(text, file, job, f"shell: {shell}", after=before, step=step)


def insert_top(
    text: str, file: WorkflowFile, lines: Sequence[str], *, after: Sequence[str] = ("on", "name")
) -> Patch | None:
    """Return the patch that adds a key to the file itself, behind the first of the keys `after` that is there, with a
    blank line before it where the file has them."""
    block = _block(text, file, file.root)
    entry = block.first_of(after) if block else None
    if block is None or entry is None or block.entry(lines[0].partition(":")[0]) is not None:
        return None
    between = (range(block.end_of(one), other.line) for one, other in pairwise(block.node.entries))
    is_airy = any(not block.line(line).strip() for part in between for line in part if line)
    return block.patch_behind(entry, ["", *lines] if is_airy else lines, f"add `{lines[0].rstrip(':')}` to the file")


def insert_concurrency(text: str, file: WorkflowFile) -> Patch | None:
    """Return the patch that lets a newer run of a pull request take the place of the older; None where the file can be
    called by another, whose name and number its group would share."""
    return None if "workflow_call" in file.events else insert_top(text, file, CONCURRENCY)


def insert_permissions(text: str, file: WorkflowFile) -> Patch | None:
    """Return the patch that lets the file's token read the repository, and nothing else."""
    return insert_top(text, file, PERMISSIONS)


# -- steps -------------------------------------------------------------------------------------------------------


def insert_step(
    text: str, file: WorkflowFile, job: WorkflowJob, lines: Sequence[str], *, behind: WorkflowStep
) -> Patch | None:
    """Return the patch that adds a step behind another; its lines without the dash."""
    block = _block(text, file, _node_of(file, job, behind))
    steps = _node_of(file, job, None)
    items = steps.get("steps") if steps else None
    if block is None or not isinstance(items, SequenceNode) or "-" not in block.lead:
        return None
    is_airy = any(not block.line(item.line - 1).strip() for item in items.items[1:])
    first, *others = block.laid_out(lines)
    told = [block.lead + first[len(block.lead) :], *others]
    return block.patch_at(
        block.end(block.node), [""] * is_airy + told, f"add the step `{_short(lines)}` to {_where(job)}"
    )


def replace_run(
    text: str, file: WorkflowFile, job: WorkflowJob, step: WorkflowStep, lines: Sequence[str]
) -> Patch | None:
    """Return the patch that has a step use an action (`uses:` and its `with:`) in the place of its script; None where
    it has keys that only a script has."""
    block = _block(text, file, _node_of(file, job, step))
    entry = block.entry("run") if block else None
    if block is None or entry is None or not set(step.lines) <= _BESIDES_USES:
        return None
    first, *others = block.laid_out(lines)
    lead = block.lead if entry is block.node.entries[0] else first[: len(block.lead)]
    end = block.end_of(entry)
    if not end:
        return None
    edit = Edit(entry.line, end, (lead + first[len(block.lead) :], *others))
    return Patch(file.path, (edit,), f"in {_where(job, step)}, `{_short(lines)}` in the place of its script")


def upload_junit(
    text: str,
    file: WorkflowFile,
    job: WorkflowJob,
    step: WorkflowStep,
    *,
    config: str | None,
    path: str = ".config/nextest.toml",
    uses: str = UPLOAD,
) -> Patch | None:
    """Return the patch that has `cargo nextest run` of a step write JUnit XML, and uploads it.

    `config` is the text of nextest's configuration, None where there is none: a profile with `junit` is taken, or one
    named `ci` is added there.
    """
    line = next((number for number, told in _numbered(text, step) if re.search(r"cargo nextest run(?!\S)", told)), 0)
    if not line or re.search(r"\s(?:-P|--profile)\b", step.run):
        return None
    held = _toml(config or "").get("profile", {})
    found = next((name for name, told in held.items() if isinstance(told, dict) and "junit" in told), "")
    profile, besides = found or "ci", list[Patch]()
    if not found:
        told = append_lines(config or "", path, ("[profile.ci.junit]", 'path = "junit.xml"'))
        if "junit" not in _toml(apply_patches(config or "", [told])).get("profile", {}).get("ci", {}):
            return None
        besides.append(replace(told, said="write JUnit XML in nextest's profile ci"))
    name = held[profile]["junit"].get("path", "junit.xml") if found else "junit.xml"
    chosen = insert_word(text, file.path, line, f"--profile {profile}", after="cargo nextest run")
    added = insert_step(
        text,
        file,
        job,
        (
            "name: Upload test results",
            "if: ${{ !cancelled() }}",
            f"uses: {uses}",
            "with:",
            "  name: junit-${{ github.job }}-${{ strategy.job-index }}",
            f"  path: target/nextest/{profile}/{name}",
        ),
        behind=step,
    )
    if chosen is None or added is None:
        return None
    said = f"have {_where(job, step)} write JUnit XML, and upload it"
    return Patch(file.path, (*chosen.edits, *added.edits), said, tuple(besides))


# -- words and files ---------------------------------------------------------------------------------------------


def replace_word(text: str, path: str, line: int, old: str, new: str) -> Patch | None:
    """Return the patch that writes `new` for the one `old` on that line; None where it is not there once, or where
    `new` has signs that mean something else in YAML."""
    lines = _lines(text)
    if lines is None or not 1 <= line <= len(lines) or not _PLAIN.fullmatch(new) or old == new:
        return None
    pattern = re.compile(rf"(?<![\w-]){re.escape(old)}(?![\w-])")
    if len(pattern.findall(lines[line - 1])) != 1 or any(line in part for part in _shared(lines)):
        return None
    told = pattern.sub(lambda _: new, lines[line - 1])
    return Patch(path, (Edit(line, line, (told,)),), f"`{new}` for `{old}`")


def insert_word(text: str, path: str, line: int, word: str, *, after: str) -> Patch | None:
    """Return the patch that adds a word (`--locked`, `--retry 3`) behind others on that line."""
    patch = replace_word(text, path, line, after, f"{after} {word}")
    return patch and replace(patch, said=f"add `{word}` to `{after}`")


def append_lines(text: str, path: str, lines: Sequence[str]) -> Patch:
    """Return the patch that adds lines at the end of a file, behind a blank one; a file without text is made."""
    n = len(_split(text))
    told = ("", *lines) if text.strip() else tuple(lines)
    return Patch(path, (Edit(n + 1, n, told),), f"add `{_short(lines)}` to {path}")


# -- applying ----------------------------------------------------------------------------------------------------


def apply_patches(text: str, patches: Iterable[Patch]) -> str:
    """Return the text of one file with these patches; every other line keeps its bytes and its end.

    What two patches have in common is done once; of two insertions at one place the first of the alphabet stands
    first. Raises BadInput where two touch one line.
    """
    lines = _split(text)
    newline = "\r\n" if lines and sum(end == "\r\n" for _, end in lines) * 2 > len(lines) else "\n"
    edits = sorted(
        {edit for patch in patches for edit in patch.edits}, key=lambda edit: (edit.first, edit.last, edit.lines)
    )
    for before, after in pairwise(edits):
        if after.first <= before.last:
            raise BadInput(f"line {after.first}", "would be changed twice", "apply one patch, then audit again")
    for edit in reversed(edits):
        if edit.first < 1 or edit.last < edit.first - 1 or edit.last > len(lines):
            raise BadInput(f"lines {edit.first} to {edit.last}", f"are none of {len(lines)}", "audit again")
        ends = [end for _, end in lines[edit.first - 1 : edit.last]]
        told = [(line, ends[place] if place < len(ends) else newline) for place, line in enumerate(edit.lines)]
        if edit.first > len(lines) and lines and not lines[-1][1]:
            lines[-1] = (lines[-1][0], newline)
            told[-1:] = [(told[-1][0], "")]
        elif told and ends and not ends[-1]:
            told = [(line, end or newline) for line, end in told[:-1]] + [(told[-1][0], "")]
        lines[edit.first - 1 : edit.last] = told
    return "".join(line + end for line, end in lines)


def _split(text: str) -> list[tuple[str, str]]:
    """Return lines and their ends; the last has none where the file has not."""
    found = re.findall(r"([^\n]*?)(\r?\n)|([^\n]+)\Z", text)
    return [(line or last, end) for line, end, last in found]


# -- places ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Block:
    """A mapping written one key a line. `lead` stands before its first key, dashes among it; `unit` is how many spaces
    the file has a level."""

    path: str
    lines: list[str]
    node: MappingNode
    lead: str
    unit: int

    def line(self, number: int) -> str:
        return self.lines[number - 1]

    def entry(self, key: str) -> Entry | None:
        return next((entry for entry in self.node.entries if entry.key.casefold() == key.casefold()), None)

    def first_of(self, keys: Sequence[str]) -> Entry | None:
        return next((entry for key in keys if (entry := self.entry(key))), None)

    def laid_out(self, lines: Sequence[str]) -> list[str]:
        """Return lines at the level of the keys, in the file's own steps."""
        told = []
        for line in lines:
            depth = len(line) - len(line.lstrip(" "))
            told.append(" " * (len(self.lead) + depth // 2 * self.unit) + line.lstrip(" ") if line else "")
        return told

    def patch_behind(self, entry: Entry, lines: Sequence[str], said: str) -> Patch | None:
        return self.patch_at(self.end_of(entry), self.laid_out(lines), said)

    def patch_at(self, end: int, lines: Sequence[str], said: str) -> Patch | None:
        return Patch(self.path, (Edit(end + 1, end, tuple(lines)),), said) if end else None

    def patch_value(self, key: str, value: str, said: str) -> Patch | None:
        entry = self.entry(key)
        if entry is None or not isinstance(entry.value, ScalarNode) or self.end_of(entry) != entry.line:
            return None
        head = _head(self.line(entry.line), entry.key)
        told = _VALUE.fullmatch(self.line(entry.line)[len(head) :].lstrip(" ")) if head else None
        if told is None or told[1] == value:
            return None
        line = f"{head} {value}{told[2] or ''}"
        return Patch(self.path, (Edit(entry.line, entry.line, (line,)),), said)

    def end_of(self, entry: Entry) -> int:
        """Return the last line of an entry; 0 where it cannot be told."""
        if isinstance(entry.value, ScalarNode) and entry.value.is_plain and not entry.value.text:
            return entry.line  # the parser places it at what comes next
        return self.end(entry.value)

    def end(self, node: Node) -> int:
        if isinstance(node, ScalarNode):
            return 0 if _KEEPS.search(self.line(node.line)) else node.end_line
        if isinstance(node, MappingNode):
            last = self.end_of(node.entries[-1]) if node.entries else node.end_line
            inner = node.entries[-1].value if node.entries else node
        else:
            is_none = bool(node.items) and isinstance(node.items[-1], ScalarNode) and not node.items[-1].text
            last = 0 if is_none else self.end(node.items[-1]) if node.items else node.end_line
            inner = node.items[-1] if node.items else node
        # A closing bracket may stand below the last child.
        return max(last, node.end_line) if last and inner.end_line == last else last


def _block(text: str, file: WorkflowFile, node: Node | None) -> _Block | None:
    lines = _lines(text)
    if lines is None or not isinstance(node, MappingNode) or not node.entries:
        return None
    if node.end_line > len(lines) or node.entries[0].line != node.line:
        return None
    heads = [_head(lines[entry.line - 1], entry.key) for entry in node.entries]
    leads = [head[: len(head) - len(head.lstrip(" -"))] for head in heads]
    if not all(heads) or len({len(lead) for lead in leads}) != 1 or any("-" in lead for lead in leads[1:]):
        return None
    if any(part.start <= entry.line < part.stop for part in _shared(lines) for entry in node.entries):
        return None
    return _Block(file.path, lines, node, leads[0], _unit(file, lines))


def _head(line: str, key: str) -> str:
    """Return what of a line stands up to the colon of its key; empty where the key does not begin it."""
    found = re.match(rf"(?: *(?:- +)*)(['\"]?){re.escape(key)}\1 *:(?=\s|$)", line.removeprefix("\ufeff"))
    return found[0] if found else ""


def _lines(text: str) -> list[str] | None:
    return None if _ODD_BREAKS.search(text) else [line for line, _ in _split(text)]


def _numbered(text: str, step: WorkflowStep) -> Iterator[tuple[int, str]]:
    lines = _lines(text) or []
    return ((number, lines[number - 1]) for number in range(step.line, min(step.end_line, len(lines)) + 1))


def _shared(lines: Sequence[str]) -> list[range]:
    """Return the lines (from 1) that an alias uses again: a change there would change both places."""
    parts = []
    whole = "\n".join(lines)
    for number, line in enumerate(lines, start=1):
        for name in _ANCHOR.findall(line) if "&" in line else ():
            if not re.search(rf"\*{re.escape(name)}(?![^\s,\[\]{{}}])", whole):
                continue
            depth = _depth(line)
            last = number
            while last < len(lines):
                told = lines[last]
                is_item = told.lstrip().startswith("- ") and not line.lstrip().startswith("- ")
                if told.strip() and _depth(told) <= depth and not (is_item and _depth(told) == depth):
                    break
                last += 1
            parts.append(range(number, last + 1))
    return parts


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _unit(file: WorkflowFile, lines: Sequence[str]) -> int:
    """Return how many spaces a level has in that file: those before its first job."""
    return (file.jobs and _depth(lines[file.jobs[0].line - 1])) or 2


def _node_of(file: WorkflowFile, job: WorkflowJob, step: WorkflowStep | None) -> MappingNode | None:
    jobs = file.root.get("jobs") if file.root else None
    found = jobs.get(job.key) if isinstance(jobs, MappingNode) else None
    if step is not None:
        steps = found.get("steps") if isinstance(found, MappingNode) else None
        has_it = isinstance(steps, SequenceNode) and step.number <= len(steps.items)
        found = steps.items[step.number - 1] if isinstance(steps, SequenceNode) and has_it else None
    return found if isinstance(found, MappingNode) else None


def _where(job: WorkflowJob, step: WorkflowStep | None = None) -> str:
    return f"step “{step.title}” of job {job.key}" if step else f"job {job.key}"


def _short(lines: Sequence[str]) -> str:
    return lines[0].rstrip(":")


def _toml(text: str) -> dict[str, dict[str, dict[str, dict[str, str]]]]:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return {}
