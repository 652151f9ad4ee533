from __future__ import annotations

import random
from collections.abc import Callable

import polars as pl
import pytest

from models.session.forest import MOST_TREES, NODES, Forest
from models.store.refusal import ModelRefusedError, Reason
from models.training.fit import fit_forest, grow, nodes_of


def numbers(height: int, width: int, seed: int) -> pl.DataFrame:
    chance = random.Random(seed)
    draws = (lambda: chance.gauss(0, 3), lambda: float(chance.randrange(4)), lambda: 0.0)
    return pl.DataFrame(
        {f"f{n}": [draws[n % len(draws)]() for _ in range(height)] for n in range(width)},
        schema={f"f{n}": pl.Float64 for n in range(width)},
    )


@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 3), (3, 2), (40, 5), (700, 30)])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_scores_are_those_of_scikit_learn(height: int, width: int, seed: int) -> None:
    learned, tried = numbers(height, width, seed), numbers(500, width, seed + 100)
    theirs = grow(learned, seed, trees=30)
    ours = Forest.of(nodes_of(theirs), width)
    for rows in (learned, tried, tried * 1e6):
        expected = pl.Series(-theirs.score_samples(rows.to_numpy()))
        assert (ours.score(rows) - expected).abs().max() < 1e-6  # type: ignore[operator]


def test_rows_are_scored_alike_however_many_there_are() -> None:
    rows = numbers(100, 4, 5)
    forest = fit_forest(rows, 1, trees=10)
    assert forest.score(rows, at_once=70).equals(forest.score(rows))
    assert forest.score(rows, at_once=1).equals(forest.score(rows))
    assert forest.score(rows.head(0)).len() == 0


def test_a_far_row_is_stranger_than_those_learned_from() -> None:
    rows = numbers(300, 3, 1)
    forest = fit_forest(rows, 1)
    far = pl.DataFrame({"f0": [40.0], "f1": [40.0], "f2": [0.0]})
    assert forest.score(far)[0] > forest.score(rows).quantile(0.98)


def one_tree(*rows: tuple[int, float, int, int]) -> pl.DataFrame:
    return pl.DataFrame(
        [(0, n, *row, 10) for n, row in enumerate(rows)], schema=list(NODES), orient="row"
    ).with_columns(
        pl.col("tree", "node", "feature", "left", "right", "samples").cast(pl.Int32),
        pl.col("threshold").cast(pl.Float64),
    )


def test_what_is_at_the_threshold_goes_left() -> None:
    deep_left = one_tree((0, 1.5, 1, 4), (0, 0.0, 2, 3), LEAF, LEAF, LEAF)
    scores = Forest.of(deep_left, 1).score(pl.DataFrame({"f": [1.5, 1.6]}))
    assert scores[0] < scores[1]


LEAF = (-1, 0.0, -1, -1)


def chain(levels: int) -> pl.DataFrame:
    inner = [(0, 0.0, 2 * n + 1, 2 * n + 2) for n in range(levels)]
    rows = [inner[0]] if inner else [LEAF]
    for n in range(1, levels):
        rows += [LEAF, inner[n]]
    return one_tree(*rows, *([LEAF, LEAF] if inner else []))


BROKEN: dict[str, Callable[[], pl.DataFrame]] = {
    "its own child": lambda: one_tree((0, 0.0, 0, 1), LEAF),
    "a cycle": lambda: one_tree((0, 0.0, 1, 2), (0, 0.0, 0, 2), LEAF),
    "a child outside": lambda: one_tree((0, 0.0, 1, 3), LEAF, LEAF),
    "a huge child": lambda: one_tree((0, 0.0, 1, 2**31 - 1), LEAF, LEAF),
    "a child below zero": lambda: one_tree((0, 0.0, 1, -2), LEAF, LEAF),
    "a feature that is none": lambda: one_tree((2, 0.0, 1, 2), LEAF, LEAF),
    "a feature below none": lambda: one_tree((-2, 0.0, 1, 2), LEAF, LEAF),
    "two parents": lambda: one_tree((0, 0.0, 1, 1), LEAF),
    "a node that nothing leads to": lambda: one_tree((0, 0.0, 1, 2), LEAF, LEAF, LEAF),
    "no tree": one_tree,
    "too deep": lambda: chain(65),
}


@pytest.mark.parametrize("name", list(BROKEN))
def test_what_is_no_tree_is_refused(name: str) -> None:
    with pytest.raises(ModelRefusedError) as refused:
        Forest.of(BROKEN[name](), 2)
    assert refused.value.reason is Reason.BAD_TREE


def test_the_deepest_tree_is_walked_to_its_end() -> None:
    forest = Forest.of(chain(64), 1)
    assert forest.levels == 64
    assert forest.score(pl.DataFrame({"f": [1.0, -1.0]})).is_finite().all()


def test_more_trees_than_are_walked_are_refused() -> None:
    one = one_tree(LEAF)
    trees = pl.Series("tree", range(MOST_TREES + 1), dtype=pl.Int32)
    many = pl.concat([one] * trees.len()).with_columns(trees)
    assert Forest.of(many.head(MOST_TREES), 1).roots.len() == MOST_TREES
    with pytest.raises(ModelRefusedError):
        Forest.of(many, 1)
