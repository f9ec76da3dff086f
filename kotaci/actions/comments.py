"""Comments of the kit's own on issues, pull requests and commits: one for each topic, brought up to date in place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kotaci.actions.held import is_trusted
from kotaci.actions.identity import find_section, merge, without
from kotaci.actions.model import Kind
from kotaci.actions.writer import NOTHING, Applied, Writer, check_body, plain
from kotaci.github import Unreachable
from kotaci.model import BadInput


class CommentWriter(Writer):
    """One comment of the kit's own on an issue, a pull request or a commit, brought up to date in place."""

    @property
    def _list(self) -> str:
        if self.action.kind == Kind.COMMENT_COMMIT:
            return f"/commits/{self.action.sha}/comments"
        return f"/issues/{self.action.number}/comments"

    @property
    def _one(self) -> str:
        return "/comments" if self.action.kind == Kind.COMMENT_COMMIT else "/issues/comments"

    def check(self) -> None:
        check_body(self.action.body)
        self._check_target()
        for told in self._mine():
            section = find_section(told["body"], self.marker)
            if section is not None and section.marker.as_of > self.marker.as_of:
                words = f"has a comment of newer data already, as of {section.marker.as_of}"
                raise BadInput(f"{self.place.repo} {self.action.target}", words, "make the plan again")
            merge(told["body"], self.action.body)
            break

    def _check_target(self) -> None:
        action, repo = self.action, self.place.repo
        if action.kind == Kind.COMMENT_COMMIT:
            reply = self.place.get(f"/commits/{action.sha}")
            if reply.status != 200:
                raise BadInput(f"{repo} {action.target}", f"is not there ({reply.status})", "check its id")
            return
        told = self.place.issue(action.number)
        is_pull = "pull_request" in told
        if is_pull != (action.kind == Kind.COMMENT_PULL):
            what = "is a pull request, not an issue" if is_pull else "is an issue, not a pull request"
            raise BadInput(f"{repo}#{action.number}", what, "name it as what it is")
        if told.get("state") != "open" and not is_pull:
            raise BadInput(f"{repo}#{action.number}", "is closed", "open it again, or write to another")

    def _mine(self) -> list[Mapping[str, Any]]:
        """Return the comments with our section, the oldest first."""
        found = (told for told in self.place.rows(self._list) if is_trusted(told, me=self.place.me))
        mine = [told for told in found if find_section(told.get("body") or "", self.marker)]
        return sorted(mine, key=lambda told: told["id"])

    def expected(self) -> str:
        mine = self._mine()
        if not mine:
            return "would be created"
        is_same = plain(merge(mine[0]["body"], self.action.body)) == plain(mine[0]["body"])
        return NOTHING if is_same else "would be updated"

    def write(self) -> Applied:
        mine, done = self._mine(), NOTHING
        if not mine:
            body = {"body": merge("", self.action.body)}
            self.place.send("POST", self._list, body, found=lambda: next(iter(self._mine()), None))
            mine, done = self._mine(), "created"
            if not mine:
                told = f"{self.place.repo} {self.action.target}"
                raise Unreachable(told, "has a new comment that is not listed yet", "run it again: it looks first")
        first, *doubles = mine
        for double in doubles:
            self._remove(double)
        body_now = merge(first["body"], self.action.body)
        if plain(body_now) != plain(first["body"]):
            self._change(first["id"], body_now)
            done = done if done == "created" else "updated"
        besides = f"removed {len(doubles)} more, written for the same at the same time" if doubles else ""
        return Applied(self.action, done, str(first.get("html_url") or self.url()), besides)

    def _change(self, comment_id: int, body: str) -> None:
        path = f"{self._one}/{comment_id}"

        def found() -> Mapping[str, Any] | None:
            told = self.place.get(path).body
            return told if told and plain(told.get("body")) == plain(body) else None

        told = self.place.send("PATCH", path, {"body": body}, found=found)
        if plain(told.get("body")) != plain(body):
            raise Unreachable(f"{self.place.repo} {path}", "is not as it was written", "run it again: it looks first")

    def _remove(self, double: Mapping[str, Any]) -> None:
        """Remove a double; where people wrote into it, only our section."""
        words = without(double["body"], self.marker)
        if words:
            self._change(double["id"], words)
            return
        path = f"{self._one}/{double['id']}"
        self.place.send("DELETE", path, None, found=lambda: {} if self.place.get(path).status == 404 else None)
