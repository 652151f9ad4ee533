"""Scores become tail probabilities: empirical where there are enough, exponential beyond."""

from __future__ import annotations

from math import exp

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.profile.tail import LEAST, fit_tail

counted = st.lists(st.tuples(st.floats(0, 300), st.integers(1, 10_000)), min_size=0, max_size=40)
ANY = pl.Series([-1e308, -1.0, 0.0, 0.5, 7.0, 40.0, 300.0, 5_000.0, 1e308])


def frame(rows: list[tuple[float, int]]) -> pl.DataFrame:
    return pl.DataFrame(rows, {"score": pl.Float64, "count": pl.Float64}, orient="row")


@settings(max_examples=150, deadline=None)
@given(rows=counted)
def test_probabilities_are_finite_and_never_rise(rows: list[tuple[float, int]]) -> None:
    tail = fit_tail(frame(rows))
    scores = pl.concat([ANY, pl.Series([score for score, _ in rows], dtype=pl.Float64)]).sort()
    found = tail.probability(scores)
    assert found.is_finite().all()
    assert found.is_between(LEAST, 1.0).all()
    assert (found.diff().drop_nulls() <= 1e-12).all()


@settings(max_examples=100, deadline=None)
@given(rows=counted, wanted=st.floats(1e-12, 1.0))
def test_a_threshold_lets_no_more_through(rows: list[tuple[float, int]], wanted: float) -> None:
    tail = fit_tail(frame(rows))
    score = tail.score_at(wanted)
    beyond = tail.probability(pl.Series([score + 1e-6])).item()
    assert beyond <= wanted * (1 + 1e-6) or score >= tail.cut


def test_quantiles_are_those_of_the_scores() -> None:
    tail = fit_tail(frame([(float(n), 1) for n in range(1_000)]))
    assert tail.probability(pl.Series([500.0])).item() == pytest.approx(0.5, abs=0.002)
    assert tail.probability(pl.Series([900.0])).item() == pytest.approx(0.1, abs=0.002)


def test_an_exponential_tail_is_recognized() -> None:
    rows = [(float(n), round(1e6 * exp(-n / 4) * (1 - exp(-1 / 4)))) for n in range(60)]
    tail = fit_tail(frame([row for row in rows if row[1]]))
    assert tail.scale == pytest.approx(4, rel=0.15)
    assert tail.probability(pl.Series([80.0])).item() == pytest.approx(exp(-80 / 4), rel=0.9)
    assert tail.score_at(exp(-20)) == pytest.approx(80, rel=0.1)
