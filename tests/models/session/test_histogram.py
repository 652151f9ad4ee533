from __future__ import annotations

import random

import polars as pl
import pytest

from models.session.histogram import BINS, Histogram
from models.store import ModelRefusedError


def rows(values: list[float]) -> pl.DataFrame:
    return pl.DataFrame({"a": values, "b": [0.0] * len(values)}, schema_overrides={"a": pl.Float64})


def learned() -> Histogram:
    chance = random.Random(1)
    return Histogram.of(rows([abs(chance.gauss(0, 1)) for _ in range(400)]))


def test_the_most_frequent_costs_nothing_and_the_unseen_what_it_must() -> None:
    histogram = Histogram.of(rows([0.0] * 100))
    assert histogram.score(rows([0.0]))[0] == 0
    # 100 and a half against a half: log2(201).
    assert histogram.score(rows([3.0]))[0] == pytest.approx(7.651, abs=1e-3)


def test_farther_costs_more_even_beyond_the_last_bin() -> None:
    costs = learned().score(rows([0.0, 2.0, 9.0, 20.0, 45.0])).to_list()
    assert costs == sorted(costs)
    assert costs[-1] > costs[-2]


def test_what_each_feature_adds_is_told() -> None:
    parts = learned().contributions(rows([9.0]))
    assert parts["a"][0] > 0
    assert parts["b"][0] == 0
    assert learned().score(rows([9.0]))[0] == parts["a"][0]


@pytest.mark.parametrize(
    "broken",
    [
        lambda costs: costs.head(BINS),
        lambda costs: costs.reverse(),
        lambda costs: costs.with_columns(pl.col("bits") - 100),
        lambda costs: costs.with_columns(feature=pl.lit("c")),
        lambda costs: pl.concat([costs, costs]),
    ],
)
def test_other_bins_than_these_are_refused(broken: object) -> None:
    costs = learned().costs
    assert Histogram.from_table(costs, ("a", "b")).costs.equals(costs)
    with pytest.raises(ModelRefusedError):
        Histogram.from_table(broken(costs), ("a", "b"))  # type: ignore[operator]
