from __future__ import annotations

import random

import polars as pl
import pytest
from sklearn.metrics import (  # type: ignore[import-untyped]
    average_precision_score,
    precision_recall_curve,
)

from models.training.metrics import average_precision, findings_within, highest, precision_recall


def drawn(seed: int, levels: int) -> tuple[pl.Series, pl.Series]:
    """Return truth and scores; few levels make many ties."""
    chance = random.Random(seed)
    truth = [chance.random() < 0.2 for _ in range(300)]
    scores = [chance.randrange(levels) / levels + 0.3 * one for one in truth]
    return pl.Series(truth), pl.Series(scores)


@pytest.mark.parametrize("levels", [1, 3, 50, 10**6])
@pytest.mark.parametrize("seed", range(5))
def test_average_precision_is_that_of_scikit_learn(seed: int, levels: int) -> None:
    truth, scores = drawn(seed, levels)
    expected = average_precision_score(truth.to_list(), scores.to_list())
    assert average_precision(truth, scores) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("levels", [3, 10**6])
def test_the_curve_is_that_of_scikit_learn(levels: int) -> None:
    truth, scores = drawn(1, levels)
    precision, recall, thresholds = precision_recall_curve(truth.to_list(), scores.to_list())
    curve = precision_recall(truth, scores).sort("score")
    assert curve["score"].to_list() == pytest.approx(list(thresholds))
    assert curve["precision"].to_list() == pytest.approx(list(precision[:-1]))
    assert curve["recall"].to_list() == pytest.approx(list(recall[:-1]))


def test_without_anything_true_there_is_no_figure() -> None:
    nothing = pl.Series([False, False])
    assert average_precision(nothing, pl.Series([1.0, 2.0])) is None
    assert (
        average_precision(pl.Series([], dtype=pl.Boolean), pl.Series([], dtype=pl.Float64)) is None
    )


def test_a_perfect_order_is_one_and_a_reversed_one_is_little() -> None:
    truth = pl.Series([True] + [False] * 9)
    ranks = pl.Series([float(n) for n in range(10)])
    assert average_precision(truth, -ranks) == 1
    assert average_precision(truth, ranks) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("budget", "events", "count"), [(5, 10_000, 5), (5, 9_999, 4), (5, 1_000, 0), (0.5, 40_000, 2)]
)
def test_a_budget_is_of_ten_thousand_events(budget: float, events: int, count: int) -> None:
    assert findings_within(budget, events) == count


def test_equal_scores_are_taken_in_an_order_that_is_always_the_same() -> None:
    scores = pl.DataFrame(
        {"score": [1.0, 1.0, 1.0, 2.0], "start": [2, 1, 1, 9], "unit": list("abcd")}
    )
    assert highest(scores, 3)["unit"].to_list() == ["d", "b", "c"]
    assert highest(scores.reverse(), 3)["unit"].to_list() == ["d", "b", "c"]
