"""The failed jobs of a run again, unless somebody ran them again already."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kotaci.actions.writer import NOTHING, Applied, Writer
from kotaci.github import Forbidden
from kotaci.model import BadInput


class RerunWriter(Writer):
    """The failed jobs of a run again, unless somebody ran them again already."""

    def _run(self) -> Mapping[str, Any]:
        reply = self.place.get(f"/actions/runs/{self.action.run_id}")
        if reply.status != 200:
            raise BadInput(
                f"{self.place.repo} {self.action.target}", f"is not there ({reply.status})", "check its number"
            )
        run: Mapping[str, Any] = reply.body
        return run

    def _is_done(self, told: Mapping[str, Any]) -> bool:
        return int(told.get("run_attempt") or 1) > self.action.attempt

    def check(self) -> None:
        told = self._run()
        if self._is_done(told):
            return
        where = f"{self.place.repo} {self.action.target}"
        if int(told.get("run_attempt") or 1) < self.action.attempt:
            raise BadInput(where, f"has no attempt {self.action.attempt} yet", "make the plan again")
        if told.get("status") != "completed":
            raise BadInput(where, "has not ended yet", "wait for it")
        if told.get("conclusion") == "success":
            raise BadInput(where, "passed: there is nothing to run again", "name a run that failed")

    def expected(self) -> str:
        return NOTHING if self._is_done(self._run()) else "would be run again"

    def write(self) -> Applied:
        done = NOTHING
        if not self._is_done(self._run()):
            try:
                self.place.send(
                    "POST", f"/actions/runs/{self.action.run_id}/rerun-failed-jobs", None, found=self._again
                )
                done = "run again"
            except Forbidden:
                # GitHub says 403 also where another was a moment earlier.
                if not self._is_done(self._run()):
                    raise
        return Applied(self.action, done, self.url())

    def _again(self) -> Mapping[str, Any] | None:
        told = self._run()
        return told if self._is_done(told) else None
