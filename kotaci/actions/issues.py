"""Issues of the kit's own: opened once, brought up to date in place, closed, opened again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kotaci.actions.held import HeldIssue, is_trusted
from kotaci.actions.identity import find_section, merge, without
from kotaci.actions.model import Kind
from kotaci.actions.writer import NOTHING, Applied, Writer, check_body, issue_url, plain
from kotaci.github import Unreachable
from kotaci.model import BadInput


class IssueWriter(Writer):
    """An issue of the kit's own: opened, brought up to date, closed, opened again."""

    def check(self) -> None:
        check_body(self.action.body)
        action = self.action
        missing = [label for label in action.labels if label not in self.place.labels()]
        if missing:
            told = f"are no labels of {self.place.repo}"
            raise BadInput(", ".join(missing), told, "make them, or make the plan again")
        known = self._known()
        if known is None and action.kind != Kind.CREATE_ISSUE:
            where = f"{self.place.repo}#{action.number}"
            raise BadInput(where, f"has no section of {self.marker.id}", "make the plan again")
        if known is not None and action.kind == Kind.UPDATE_ISSUE and not known.is_open:
            raise BadInput(f"{self.place.repo}#{known.number}", "was closed since", "make the plan again")
        if known is not None:
            self._check_age(known)
            merge(known.body, action.body)

    def _check_age(self, known: HeldIssue) -> None:
        section = find_section(known.body, self.marker)
        if section is not None and section.marker.as_of > self.marker.as_of:
            told = f"tells of newer data already, as of {section.marker.as_of}"
            raise BadInput(f"{self.place.repo}#{known.number}", told, "make the plan again")

    def _known(self) -> HeldIssue | None:
        """Return the issue as it is now."""
        if self.action.kind == Kind.CREATE_ISSUE:
            return self._found()
        told = self.place.issue(self.action.number)
        if not is_trusted(told, me=self.place.me) or find_section(told.get("body") or "", self.marker) is None:
            return None
        return HeldIssue.of(told)

    def _found(self) -> HeldIssue | None:
        """Return the oldest issue with the marker, as it is now."""
        known = self.place.held().find(self.marker)
        return None if known is None else HeldIssue.of(self.place.issue(known.number))

    def expected(self) -> str:
        known = self._known()
        if known is None:
            return "would be created"
        return f"would be {self._word(known)}" if self._changes(known) else NOTHING

    def write(self) -> Applied:
        known = self._known()
        done = NOTHING
        if known is None:
            if self.action.kind != Kind.CREATE_ISSUE:
                raise BadInput(self.action.target, "has lost its section meanwhile", "make the plan again")
            self._create()
            done = "created"
            # Another run may have made one in the same moment: both see both, and the older one stays.
            known = self._found()
            if known is None:
                told = "was created and is not listed yet"
                raise Unreachable(self.action.title, told, "run it again: it looks first")
        besides = self._put_in_order(known) if self.action.kind == Kind.CREATE_ISSUE else ""
        changes = self._changes(known)
        if changes:
            done = done if done == "created" else self._word(known)
            self._change(known.number, changes)
        return Applied(self.action, done, issue_url(self.place.repo, known.number), besides)

    def _create(self) -> None:
        body = {"title": self.action.title, "body": merge("", self.action.body), "labels": list(self.action.labels)}

        def found() -> Mapping[str, Any] | None:
            known = self.place.held().find(self.marker)
            return None if known is None else {"number": known.number}

        self.place.send("POST", "/issues", body, found=found)

    def _changes(self, known: HeldIssue) -> dict[str, object]:
        """Return what of the issue is to be another."""
        changes: dict[str, object] = {}
        body = merge(known.body, self.action.body)
        if plain(body) != plain(known.body):
            changes["body"] = body
        if self.action.kind == Kind.CLOSE_ISSUE and known.is_open:
            changes |= {"state": "closed", "state_reason": "completed"}
        if self.action.kind == Kind.REOPEN_ISSUE and not known.is_open:
            changes |= {"state": "open"}
        # Made before and closed since: it stays as it is.
        return {} if self.action.kind == Kind.CREATE_ISSUE and not known.is_open else changes

    def _word(self, known: HeldIssue) -> str:
        word = {Kind.CLOSE_ISSUE: "closed", Kind.REOPEN_ISSUE: "reopened"}.get(self.action.kind)
        is_so = known.is_open == (self.action.kind == Kind.REOPEN_ISSUE)
        return "updated" if word is None or is_so else word

    def _change(self, number: int, changes: Mapping[str, object]) -> None:
        def found() -> Mapping[str, Any] | None:
            told = self.place.issue(number)
            return told if all(plain(told.get(name)) == plain(value) for name, value in changes.items()) else None

        told = self.place.send("PATCH", f"/issues/{number}", changes, found=found)
        if any(plain(told.get(name)) != plain(changes[name]) for name in ("body", "state") if name in changes):
            raise Unreachable(f"{self.place.repo}#{number}", "is not as it was written", "run it again: it looks first")
        self.place.note(told)

    def _put_in_order(self, kept: HeldIssue) -> str:
        """Close younger issues with the same marker, and take the marker out of them; what people wrote stays."""
        doubles = [
            one
            for one in list(self.place.issues.values())
            if one.number > kept.number
            and (section := find_section(one.body, self.marker))
            and section.marker.id == self.marker.id
        ]
        for double in doubles:
            words = f"Two runs opened this at the same time; it goes on in #{kept.number}."
            body = "\n\n".join(filter(None, [without(double.body, self.marker), words]))
            self._change(double.number, {"body": body, "state": "closed", "state_reason": "not_planned"})
        numbers = ", ".join(f"#{double.number}" for double in doubles)
        return f"closed {numbers}, opened for the same at the same time" if doubles else ""
