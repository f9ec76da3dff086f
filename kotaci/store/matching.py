"""Which imported job is which of GitHub's: an import has only names, the API ids too."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping


def plain_name(name: str) -> str:
    """Return a job's name as GitHub's zips write it."""
    return re.sub("[/:]", "", name)


def match_jobs(imported: Mapping[int, str], told: Mapping[int, str]) -> dict[int, int]:
    """Return for each imported job (id to name) the job of GitHub's that it is.

    Left out is what cannot be told: a name that several jobs share on either side, or that GitHub's have not.
    """
    own = Counter(imported.values())
    found = {}
    for job_id, name in imported.items():
        named = [other for other, theirs in told.items() if theirs == name] or [
            other for other, theirs in told.items() if plain_name(theirs) == plain_name(name)
        ]
        if len(named) == 1 and own[name] == 1:
            found[job_id] = named[0]
    return found


def shown_twice(imported: Mapping[int, str], told: Mapping[int, str]) -> set[int]:
    """Return the imported jobs whose name GitHub's jobs have: those tell of the same work."""
    names = set(map(plain_name, told.values()))
    return {job_id for job_id, name in imported.items() if plain_name(name) in names}
