"""What a job's caches did, from the words of the actions that restore and save them.

Wordings are a table: those of `actions/cache` and the toolkit below it (so of most actions that cache), `Swatinem/
rust-cache`, the `setup-` actions, uv's, micromamba's, pixi's, Gradle's action, and BuildKit's `type=gha`. What Gradle's
action says of each of its entries goes to the job's summary, which no log holds; gradle-build-action of 2022 printed
them after the User Home, and there size and seconds of its event are those of the last of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from kotaci.logs.lines import MAX_LINE_CHARS, Line, parse_lines, seconds_between

_CHEAP = (
    "Cache ", "cache is not found", "cache found", "cache hit", "cache key", "cache manifest", "cache saved",
    "reserve cache", "GitHub Actions Cache", "GitHub Actions cache", "Gradle User Home", "Basic caching",
)  # fmt: skip
"""Without one of these words no wording below can stand in a log."""

_RUST_CACHE = "Swatinem/rust-cache"

_EXACT_ONLY = ("actions/setup-node", "actions/setup-go", "actions/setup-java", "astral-sh/setup-uv")
"""They pass no restore keys (their sources, 2025 and 2026), so what they restore is what they asked for."""


@dataclass(frozen=True, slots=True)
class CacheEvent:
    """One restore, lookup or save of one cache.

    A lookup asks whether a key is there and fetches nothing: no size and no seconds are its own, and it is no restore.
    `result` is exact, partial or miss of a restore or lookup, saved or not_saved of a save, and empty where the log
    leaves open whether the very key was found, or the save was done; of BuildKit's layers partial says that there was a
    manifest, not how much of it was of use. Its steps that came `CACHED` are not counted: no log tells from which cache
    they came, the builder's own or a fetched one. `key` is the one asked for, `restored_key` the one found; `reason`
    says why something was not saved, or not found, where the log does. `wall_s` runs from the step's first line, for
    `actions/cache` and post steps, else from its first word on the cache, to its last: a look-up before that word is
    not in it. `line` is its last word, by number, and `at` when its step began, as far as the log tells.
    """

    action: str
    operation: str
    result: str
    key: str
    restored_key: str
    size_bytes: int | None
    wall_s: float | None
    reason: str
    line: int
    at: str


_KEY = r"(?P<key>\S.{0,511}?)"
_HIT_ON = r"(?:\w+ )?[Cc]ache hit occurred on (?:the )?(?:primary |cache )?key"
_NO_ROOM = r"(?:Failed to save: )?Unable to reserve cache with key"
_WORDS: tuple[tuple[str, str, str, re.Pattern[str]], ...] = tuple(
    (operation, result, reason, re.compile(pattern))
    for operation, result, reason, pattern in (
        ("restore", "exact", "", rf"Cache hit for: (?P<restored>{_KEY})"),
        ("restore", "exact", "", rf"Cache hit for key '(?P<restored>{_KEY})'"),
        ("restore", "partial", "", r"Cache hit for restore-key: (?P<restored>.+)"),
        ("restore", "exact", "", rf'Restored from cache key "(?P<restored>{_KEY})" full match: true\.'),
        ("restore", "partial", "", r'Restored from cache key "(?P<restored>.+)" full match: false\.'),
        ("restore", "found", "", r"Cache restored from key: (?P<restored>.+)"),
        ("restore", "found", "", r"(?:uv )?cache restored from GitHub Actions cache with key: (?P<restored>.+)"),
        ("restore", "found", "", r"Restored Gradle User Home from cache key: (?P<restored>.+)"),
        ("restore", "found", "", r"Gradle User Home restored from cache key: (?P<restored>.+)"),
        ("restore", "exact", "", r"Basic caching restored from cache key: (?P<restored>.+)"),
        ("restore", "found", "", r"Cache restored successfully"),
        ("restore", "miss", "", rf"Cache not found for (?:input )?keys: {_KEY}(?:, .*)?"),
        ("restore", "miss", "", r"Cache not found\.?|No cache found\.|(?:\w+ )?[Cc]ache is not found"),
        ("restore", "miss", "", rf"Cache miss for key '{_KEY}'"),
        ("restore", "miss", "", rf"No GitHub Actions cache found for key: {_KEY}"),
        ("restore", "miss", "", r"Gradle User Home cache not found\..*"),
        ("restore", "miss", "", r"Basic caching did not find an entry to restore\..*"),
        ("restore", "miss", "", r"Failed to restore: (?P<reason>.+)"),
        ("lookup", "", "", r"Lookup only - skipping download"),
        ("lookup", "found", "", r"Cache found and can be restored from key: (?P<restored>.+)"),
        ("lookup", "exact", "", rf'Found cache key "(?P<restored>{_KEY})" full match: true\.'),
        ("lookup", "partial", "", r'Found cache key "(?P<restored>.+)" full match: false\.'),
        ("save", "saved", "", rf"(?:\w+ )?[Cc]ache saved with (?:the )?key: {_KEY}"),
        ("save", "saved", "", rf"Basic caching saved entry with key: {_KEY}"),
        ("save", "saved", "", r"Cache saved successfully"),
        ("save", "saved", "", r"Sent (?P<size>\d{1,15}) of (?P=size) \(100\.0%\).*"),
        ("save", "", "", r"Sent \d+ of (?P<size>\d{1,15}) .*"),
        ("save", "not_saved", "found", rf"{_HIT_ON} {_KEY}, not saving cache\."),
        ("save", "not_saved", "found", rf"Basic caching restored entry with key `{_KEY}`\. Save was skipped\."),
        ("save", "not_saved", "found", r"Cache up-to-date\."),
        (
            "save",
            "not_saved",
            "another job saved it",
            rf"{_NO_ROOM} {_KEY}, another job may be .*",
        ),
        ("save", "not_saved", "", rf"{_NO_ROOM} {_KEY}\. More details: (?P<reason>.+)"),
        ("save", "not_saved", "", r"Cache reservation failed: (?P<reason>.+)"),
        ("save", "not_saved", "", r"Failed to save: (?P<reason>.+)"),
        ("save", "not_saved", "", rf"Basic caching failed to save entry with key `{_KEY}`\..*"),
        ("save", "not_saved", "path missing", r"Path Validation Error: .+ hence no cache is being saved\."),
        ("", "", "", r"Cache Size: ~\d+ MB \((?P<size>\d{1,15}) B\)"),
        ("", "", "", r"Received \d+ of (?P<size>\d{1,15}) .*"),
        ("", "", "", rf"Caching Gradle User Home with cache key: {_KEY}"),
        ("", "", "", rf"Trying to restore (?:uv )?cache from GitHub Actions cache with key: {_KEY}"),
    )
)
"""Operation, result and reason of each wording; `found` is exact or partial, by the key asked for."""

_SHORT_MISS = ("mamba-org/", "prefix-dev/")
"""Whose actions say `Cache miss` and no more: too short a word to be taken from any other step."""
_ACTION = re.compile(r"Run (?P<action>[\w.-]+/[\w./-]+@\S+)")
_INPUT_KEY = re.compile(rf"\s{{2,4}}key: {_KEY}")
_INPUT_LOOKUP = re.compile(r"\s{2,4}lookup-only: true", re.IGNORECASE)
_MANIFEST = re.compile(r"#(\d{1,6}) (importing cache manifest from|exporting to) (gha:\S+|GitHub Actions Cache).*")
_MANIFEST_END = re.compile(r"#(\d{1,6}) (DONE|ERROR)\b:?(.*)")


@dataclass(frozen=True, slots=True)
class _Step:
    """The step being read: its action (empty: a post step or a script), when it began, and the key it asked for.

    `is_cache`: it does nothing but cache, as far as one can tell, so that its time is the cache's. `is_lookup`: it was
    told to fetch nothing.
    """

    action: str = ""
    at: str = ""
    key: str = ""
    is_cache: bool = False
    is_lookup: bool = False


@dataclass(frozen=True, slots=True)
class _Open:
    """An event whose last word may still come."""

    operation: str = ""
    result: str = ""
    key: str = ""
    restored_key: str = ""
    size_bytes: int | None = None
    reason: str = ""
    since: str = ""
    line: int = 0
    at: str = ""


def parse_cache_events(text: str) -> list[CacheEvent]:
    """Return what the caches of a job did, in the order of the log; none where no known wording stands in it."""
    if not any(word in text for word in _CHEAP):
        return []
    reader = _Reader()
    for line in parse_lines(text):
        reader.read(line)
    reader.end_step()
    return sorted(reader.events, key=lambda event: event.line)


class _Reader:
    """Goes through a log once, step by step."""

    def __init__(self) -> None:
        self.events: list[CacheEvent] = []
        self._step = _Step()
        self._open = _Open()
        self._manifests: dict[str, tuple[str, str, str]] = {}
        self._key_follows = False

    def read(self, line: Line) -> None:
        text = line.text[:MAX_LINE_CHARS]
        if line.mark == "group" and text.startswith("Run "):
            self.end_step()
            action = _ACTION.fullmatch(text)
            name = action["action"] if action else ""
            self._step = _Step(name, line.at, is_cache=_only_caches(name))
        elif text == "Post job cleanup.":
            self.end_step()
            self._step = _Step(at=line.at, is_cache=True)
        elif line.is_echo:
            if not self._step.key and (key := _INPUT_KEY.fullmatch(text)):
                self._step = replace(self._step, key=key["key"])
            elif _INPUT_LOOKUP.fullmatch(text):
                self._step = replace(self._step, is_lookup=True)
        elif self._key_follows:
            self._key_follows = False
            self._step = replace(self._step, key=text.strip())
        elif text == "Cache Key:":
            self._key_follows = True
        elif text == "Cache miss" and self._step.action.startswith(_SHORT_MISS):
            self.end_event()
            self._take(line, "restore", "miss", "", {})
        elif text.startswith("#"):
            self._read_manifest(line, text)
        else:
            for operation, result, reason, pattern in _WORDS:
                if found := pattern.fullmatch(text.rstrip()):
                    self._take(line, operation, result, reason, found.groupdict())
                    break

    def _take(self, line: Line, operation: str, result: str, reason: str, told: dict[str, str | None]) -> None:
        key, restored, size = (told.get(name) or "" for name in ("key", "restored", "size"))
        key = "" if restored else key
        if self._is_other(operation, result, key, restored):
            self.end_event()
        was = self._open
        if result == "found":
            result = was.result or self._exactness(restored, was.key)
        self._open = _Open(
            operation or was.operation,
            result or was.result,
            key or was.key,
            restored or was.restored_key,
            int(size) if size else was.size_bytes,
            was.reason or reason or told.get("reason") or "",
            was.since or (self._step.at if self._step.is_cache else "") or line.at,
            line.number,
            line.at,
        )

    def _is_other(self, operation: str, result: str, key: str, restored: str) -> bool:
        """Tell whether the word begins another event than the one that is open."""
        was = self._open
        is_now_lookup = (was.operation, operation) == ("restore", "lookup")
        if operation and was.operation and operation != was.operation and not is_now_lookup:
            return True
        if restored and was.restored_key and restored != was.restored_key:
            return True
        if was.result == "miss" and operation == "restore" and result != "miss":
            return True
        return bool(key and was.key and key != was.key)

    def _exactness(self, restored: str, key: str) -> str:
        asked = self._step.key or key
        if restored and asked:
            return "exact" if restored == asked else "partial"
        return "exact" if restored and self._step.action.partition("@")[0] in _EXACT_ONLY else ""

    def _read_manifest(self, line: Line, text: str) -> None:
        if begun := _MANIFEST.fullmatch(text):
            operation = "save" if begun[2].startswith("exporting") else "restore"
            self._manifests[begun[1]] = (operation, begun[3] if operation == "restore" else "gha", line.at)
        elif (ended := _MANIFEST_END.match(text)) and ended[1] in self._manifests:
            operation, key, since = self._manifests.pop(ended[1])
            is_done = ended[2] == "DONE"
            result = ("saved" if is_done else "not_saved") if operation == "save" else "partial" if is_done else "miss"
            reason = "" if is_done else ended[3].strip()
            found = key if result == "partial" else ""
            self._emit("buildx", _Open(operation, result, key, found, None, reason, since, line.number, line.at))

    def end_event(self) -> None:
        was = self._open
        self._open = _Open()
        if was.operation:
            self._emit(self._step.action or self._action_of(was), was)

    def end_step(self) -> None:
        self.end_event()
        self._step = _Step()
        self._key_follows = False

    def _action_of(self, was: _Open) -> str:
        """Return the action of a post step, which the log does not name: that of the restore with its key, and of
        several the last, since post steps run in reverse."""
        key = was.key or self._step.key
        restores = [event for event in reversed(self.events) if event.operation in {"restore", "lookup"}]
        if key:
            return next((event.action for event in restores if key in {event.key, event.restored_key}), "")
        return next((event.action for event in restores if event.action.startswith(_RUST_CACHE)), "")

    def _emit(self, action: str, was: _Open) -> None:
        key = was.key or self._step.key or (was.restored_key if was.result == "exact" else "")
        if not key and was.reason == "found":
            key = next((event.key for event in reversed(self.events) if event.action == action), "")
        found = (was.restored_key or (key if was.result == "exact" else "")) if was.operation != "save" else ""
        operation = "lookup" if was.operation == "restore" and self._step.is_lookup else was.operation
        self.events.append(
            CacheEvent(
                action,
                operation,
                was.result,
                key,
                found,
                None if operation == "lookup" else was.size_bytes,
                None if operation == "lookup" else seconds_between(was.since, was.at),
                was.reason,
                was.line,
                self._step.at or was.at,
            )
        )


def _only_caches(action: str) -> bool:
    name = action.partition("@")[0]
    return name == "actions/cache" or name.startswith("actions/cache/")
