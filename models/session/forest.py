"""Rows of numbers in, how soon an isolation forest tells each apart out; no scikit-learn.

Separate because workers run this: trees are plain arrays (as the store checks them), and all rows
go down all trees at once, a level at a time. Scores are those of scikit-learn's IsolationForest
(`score_samples`, its sign turned): Liu, Ting, Zhou, "Isolation Forest", 2008. A forest says nothing
of a feature that was the same in all of training: no tree could be split by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING, Final, Self

import polars as pl

from models.store.checks import require_trees
from models.store.manifest import ColumnType
from models.store.refusal import ModelRefusedError, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

DEEPEST: Final = 64
"""Levels that are walked at most; 256 samples a tree make 8."""

MOST_TREES: Final = 1_000
MOST_NODES: Final = 2_000_000
AT_ONCE: Final = 1_000_000
"""Pairs of row and tree that are held at once: some 40 MB."""

_EULER: Final = 0.5772156649015329

NODES: Final[Mapping[str, ColumnType]] = {
    "tree": ColumnType.INT32,
    "node": ColumnType.INT32,
    "feature": ColumnType.INT32,
    "threshold": ColumnType.FLOAT64,
    "left": ColumnType.INT32,
    "right": ColumnType.INT32,
    "samples": ColumnType.INT32,
}
"""A leaf has feature, left and right -1 and threshold 0; ``samples`` are those that reached it."""


@dataclass(frozen=True, slots=True, eq=False)
class Forest:
    """Trees as columns over all nodes; a leaf is its own child, so that walking on stays there."""

    nodes: pl.DataFrame
    roots: pl.Series
    feature: pl.Series
    threshold: pl.Series
    left: pl.Series
    right: pl.Series
    path: pl.Series
    levels: int
    mean_path: float

    @classmethod
    def of(cls, nodes: pl.DataFrame, features: int) -> Self:
        """Take trees over so many features, under `NODES`.

        Raises
            ModelRefusedError: they are no trees, too deep or too many.
        """
        check_trees(nodes, features)
        begins = (pl.int_range(pl.len(), dtype=pl.Int32) - pl.col("node")).alias("_begin")
        placed = nodes.with_columns(begins)
        walked = _walkable(placed)
        depths, levels = _depths(walked, placed)
        samples = nodes["samples"]
        path = depths + _mean_path(samples)
        roots = placed.filter(pl.col("node") == 0)
        return cls(
            nodes=nodes,
            roots=roots["_begin"],
            feature=nodes["feature"],
            threshold=nodes["threshold"],
            left=walked["left"],
            right=walked["right"],
            path=path,
            levels=levels,
            mean_path=float(_mean_path(roots["samples"]).max() or 0.0),  # type: ignore[arg-type]
        )

    def score(self, rows: pl.DataFrame, at_once: int = AT_ONCE) -> pl.Series:
        """Return a score in (0, 1] for each row, higher for what is told apart sooner.

        Parameters
            rows: the features in the order of training, finite; read as 32-bit floats, which is
                what the trees were grown on.
            at_once: pairs of row and tree that are held together.

        Cost: rows times trees times levels; 4.5 ms a hundred sessions (2026-11, 100 trees).
        """
        step = max(at_once // self.roots.len(), 1)
        parts = [self._score(rows.slice(at, step)) for at in range(0, rows.height, step)]
        return pl.concat(parts) if parts else pl.Series("score", [], pl.Float64)

    def _score(self, rows: pl.DataFrame) -> pl.Series:
        height, trees = rows.height, self.roots.len()
        values = pl.concat([column.cast(pl.Float32).alias("v") for column in rows]).cast(pl.Float64)
        pairs = pl.int_range(height * trees, dtype=pl.Int32, eager=True)
        row = pairs // trees
        node = self.roots.gather(pairs % trees)
        for _ in range(self.levels):
            # A leaf asks for feature 0 and goes to itself whatever the answer is.
            place = self.feature.gather(node).clip(lower_bound=0) * height + row
            is_left = values.gather(place) <= self.threshold.gather(node)
            node = self.left.gather(node).zip_with(is_left, self.right.gather(node))
        length = self.path.gather(node).reshape((height, trees)).arr.sum()
        if not self.mean_path:  # one sample a tree: nothing is stranger than anything
            return pl.select(pl.repeat(0.5, height, dtype=pl.Float64).alias("score")).to_series()
        return (-length / (trees * self.mean_path) * log(2)).exp().alias("score")


def check_trees(nodes: pl.DataFrame, features: int) -> None:
    """Refuse what is no forest, or more of one than is walked.

    Raises
        ModelRefusedError: it is not; the reason says how.
    """
    if nodes.height > MOST_NODES:
        detail = f"{nodes.height} nodes, at most {MOST_NODES} may be"
        raise ModelRefusedError(Reason.OVERSIZED, detail)
    require_trees({"nodes": nodes}, "nodes", features)
    trees = nodes["tree"].n_unique()
    if trees > MOST_TREES:
        raise ModelRefusedError(Reason.BAD_TREE, f"{trees} trees, at most {MOST_TREES} may be")


def _walkable(placed: pl.DataFrame) -> pl.DataFrame:
    here = pl.int_range(pl.len(), dtype=pl.Int32)
    is_leaf = pl.col("feature") < 0
    return placed.select(
        pl.when(is_leaf).then(here).otherwise(pl.col(side) + pl.col("_begin")).alias(side)
        for side in ("left", "right")
    )


def _depths(walked: pl.DataFrame, placed: pl.DataFrame) -> tuple[pl.Series, int]:
    """Return each node's distance from its root, and the largest."""
    inner = placed["feature"] >= 0
    level = placed.with_row_index("_place").filter(pl.col("node") == 0)["_place"].cast(pl.Int32)
    depths = pl.select(pl.repeat(0.0, placed.height, dtype=pl.Float64)).to_series()
    for depth in range(DEEPEST + 1):
        parents = level.filter(inner.gather(level))
        if parents.is_empty():
            return depths, depth
        level = pl.concat([walked["left"].gather(parents), walked["right"].gather(parents)])
        depths = depths.scatter(level, float(depth + 1))
    raise ModelRefusedError(Reason.BAD_TREE, f"a tree is deeper than {DEEPEST} levels")


def _mean_path(samples: pl.Series) -> pl.Series:
    """Return the mean length of a search that fails in a tree of so many samples (Liu 2008, c)."""
    n = pl.col("n").cast(pl.Float64)
    length = 2.0 * ((n - 1.0).log() + _EULER) - 2.0 * (n - 1.0) / n
    two = pl.when(n == 2).then(1.0).otherwise(0.0)  # noqa: PLR2004 - as the formula has it
    value = pl.when(n > 2).then(length).otherwise(two).alias("path")  # noqa: PLR2004
    return samples.to_frame("n").select(value)["path"]
