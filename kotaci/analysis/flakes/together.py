"""Which tests fail in the same runs: one cause behind several names."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist, squareform

Name = TypeVar("Name", bound=Hashable)


@dataclass(frozen=True)
class Cluster:
    """Tests that fail together. distance: mean Jaccard distance of their sets of failing runs; shared: runs in which
    at least two of them failed, of n_runs in which any did."""

    members: Sequence[str]
    distance: float
    shared: AbstractSet[int]
    n_runs: int


def find_clusters(
    failing: Mapping[str, AbstractSet[int]], *, fewest_runs: int, largest_distance: float
) -> list[Cluster]:
    """Return groups of tests whose sets of failing runs overlap, the largest first; each test stands in one at most.

    Agglomerative clustering, average linkage, on the Jaccard distance of sets of failing run ids, cut where the mean
    silhouette is highest, singletons dropped ("systemic flakes", arXiv 2504.16777). A cut must exist, so groups whose
    members share fewer than `fewest_runs` runs or are further apart than `largest_distance` are dropped as well: with
    few failures two tests meet in a run by chance.
    """
    names = sorted(name for name, runs in failing.items() if runs)
    if len(names) < 2:
        return []
    columns = {run: place for place, run in enumerate(sorted(frozenset().union(*failing.values())))}
    matrix = np.zeros((len(names), len(columns)), dtype=bool)
    for row, name in enumerate(names):
        matrix[row, [columns[run] for run in failing[name]]] = True
    distances = pdist(matrix, "jaccard")
    clusters = []
    for members in _cut(distances, len(names)).values():
        if len(members) < 2:
            continue
        inner = squareform(distances)[np.ix_(members, members)]
        distance = float(inner.sum() / (len(members) * (len(members) - 1)))
        hits = matrix[members].sum(axis=0)
        shared = frozenset(run for run, place in columns.items() if hits[place] >= 2)
        if distance <= largest_distance and len(shared) >= fewest_runs:
            clusters.append(Cluster([names[row] for row in members], distance, shared, int((hits > 0).sum())))
    return sorted(clusters, key=lambda cluster: (-len(cluster.members), cluster.distance, cluster.members))


def _cut(distances: NDArray[np.float64], n: int) -> dict[int, list[int]]:
    """Return the members of each group of the best cut; two names, or all alike, are one group."""
    if n == 2 or distances.max() == 0:
        return {1: list(range(n))}
    tree = linkage(distances, method="average")
    square = squareform(distances)
    cuts = [fcluster(tree, count, criterion="maxclust") for count in range(2, n)]
    best = max(cuts, key=lambda labels: silhouette(square, labels))
    return {int(label): [int(row) for row in np.flatnonzero(best == label)] for label in np.unique(best)}


def silhouette(square: NDArray[np.float64], labels: NDArray[np.int32]) -> float:
    """Return the mean silhouette of a grouping (Rousseeuw, 1987); a singleton counts 0."""
    groups = np.unique(labels)
    if len(groups) < 2:
        return 0.0
    member = labels[:, None] == groups[None, :]
    sizes = member.sum(axis=0)
    sums = square @ member
    own = np.argmax(member, axis=1)
    rows = np.arange(len(labels))
    inside = sums[rows, own] / np.maximum(sizes[own] - 1, 1)
    means = sums / sizes
    means[rows, own] = np.inf
    outside = means.min(axis=1)
    widest = np.maximum(inside, outside)
    scores = np.where((sizes[own] > 1) & (widest > 0), (outside - inside) / np.where(widest > 0, widest, 1), 0.0)
    return float(scores.mean())
