"""Signatures that are nearly the same, put together under ids that stay from day to day.

After Kubernetes triage: texts are one where their edit distance is below a tenth of their mean length, with a count of
4-grams as a cheap bound first, over 14 days, and yesterday's clusters are an input. Unlike there, texts that differ in
a word that names something (an error code, a path, a test, a type, a negation) are never one, however long they are.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

_WORD = re.compile(r"[`'\"][^`'\"\s]{1,200}[`'\"]|[^\s`'\"]+")
_NAMES = re.compile(
    r"[`'\"].+[`'\"]|.*(?:\d|_|::|/|\w[.-]\w|\w[A-Z])|(?i:not|no|never|without|cannot|can|could|failed|passed|timed)\b",
    re.DOTALL,
)
"""A quoted word, one with a digit, an underscore, a path or capitals within, and words that turn a meaning round."""
_INTRODUCES = frozenset({"test", "job", "step", "crate", "package", "module", "target", "bin", "example", "command"})
_GRAM = 4


@dataclass(frozen=True)
class ClusterOptions:
    """`max_distance`: share of the mean length below which texts are one; `window_days` back from the newest failure;
    `most_compared`: clusters of the same names that a text is compared with before it gets one of its own."""

    max_distance: float = 0.1
    window_days: int = 14
    most_compared: int = 200


@dataclass(frozen=True)
class _Text:
    """A text as it is compared: words, the naming ones among them, and its 4-grams."""

    text: str
    words: tuple[str, ...]
    names: tuple[str, ...]
    grams: Counter[str] = field(compare=False)


def cluster_signatures(
    failures: pd.DataFrame, *, previous: Mapping[str, str] | None = None, options: ClusterOptions | None = None
) -> pd.DataFrame:
    """Return one row a signature: `signature, cluster, exemplar, n_failures, first_at, last_at`, oldest first.

    `failures` has the columns `signature`, `text` (its normal form, `kotaci.logs.signatures.normal_form`) and `at`;
    rows without a signature or a time are left out, as are those before the window. A cluster's id is the signature
    of its first text, its exemplar. `previous` is what `exemplars` returned yesterday: its ids are kept, the oldest
    cluster first. The order of the rows does not matter. A text is compared with exemplars alone, so cost is
    quadratic only in signatures that name the same things, and bounded by the options.
    """
    options = options or ClusterOptions()
    known = failures[["signature", "text", "at"]].dropna()
    if len(known):
        known = known[known["at"] >= known["at"].max() - pd.Timedelta(days=options.window_days)]
    seen = known.sort_values(["at", "text"]).groupby("signature", sort=False)
    signatures = seen.agg(
        text=("text", "first"), n_failures=("at", "size"), first_at=("at", "min"), last_at=("at", "max")
    )
    signatures = signatures.reset_index().sort_values(["first_at", "signature"], ignore_index=True)
    held: dict[str, _Text] = {cluster: _read(text) for cluster, text in (previous or {}).items()}
    by_names: dict[tuple[str, ...], list[str]] = {}
    for cluster, told in held.items():
        by_names.setdefault(told.names, []).append(cluster)
    chosen = []
    for signature, text in zip(signatures["signature"], signatures["text"], strict=True):
        told = _read(text)
        near = by_names.setdefault(told.names, [])
        found = signature if signature in held else _first_alike(told, near, held, options)
        if found is None:
            found = signature
            held[found] = told
            near.append(found)
        chosen.append(found)
    return pd.DataFrame(
        {
            "signature": signatures["signature"].astype("str"),
            "cluster": pd.Series(chosen, dtype="str"),
            "exemplar": pd.Series([held[cluster].text for cluster in chosen], dtype="str"),
            "n_failures": signatures["n_failures"].astype("Int64"),
            "first_at": signatures["first_at"],
            "last_at": signatures["last_at"],
        }
    )


def exemplars(clusters: pd.DataFrame) -> dict[str, str]:
    """Return each cluster's exemplar by its id, the oldest first: what tomorrow's look takes as `previous`."""
    first = clusters.drop_duplicates("cluster")
    return dict(zip(first["cluster"], first["exemplar"], strict=True))


def _first_alike(told: _Text, near: list[str], held: Mapping[str, _Text], options: ClusterOptions) -> str | None:
    compared = near[: options.most_compared]
    return next((cluster for cluster in compared if _are_alike(told, held[cluster], options.max_distance)), None)


def _read(text: str) -> _Text:
    words = tuple(_WORD.findall(text))
    introduced = ("", *words)
    names = tuple(
        word for before, word in zip(introduced, words, strict=False) if before in _INTRODUCES or _NAMES.match(word)
    )
    flat = " ".join(words)
    return _Text(text, words, names, Counter(flat[at : at + _GRAM] for at in range(max(1, len(flat) - _GRAM + 1))))


def _are_alike(one: _Text, other: _Text, max_distance: float) -> bool:
    """Tell whether less than that share of the characters changes, word by word; the same names are a condition."""
    if one.names != other.names:
        return False
    limit = max_distance * (sum(map(len, one.words)) + sum(map(len, other.words))) / 2
    # One edit of a character changes at most four 4-grams, that is eight of this sum (Ukkonen 1992).
    if sum(((one.grams - other.grams) + (other.grams - one.grams)).values()) > 2 * _GRAM * limit:
        return False
    return _distance(one.words, other.words) < limit or one.words == other.words


def _distance(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    """Return the edit distance in whole words, each as dear as its characters."""
    start = 0
    while start < min(len(one), len(other)) and one[start] == other[start]:
        start += 1
    end = 0
    while end < min(len(one), len(other)) - start and one[-1 - end] == other[-1 - end]:
        end += 1
    rows, columns = one[start : len(one) - end], other[start : len(other) - end]
    line = [0]
    for word in columns:
        line.append(line[-1] + len(word))
    for word in rows:
        above, line = line, [line[0] + len(word)]
        for place, across in enumerate(columns):
            swapped = above[place] + (0 if word == across else max(len(word), len(across)))
            line.append(min(swapped, above[place + 1] + len(word), line[place] + len(across)))
    return line[-1]
