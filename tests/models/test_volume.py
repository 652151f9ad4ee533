from __future__ import annotations

from math import erfc, log10, sqrt

import polars as pl
import pytest

from models.kinds import KINDS
from models.store import Manifest, ModelRefusedError, Window
from models.volume import ALL_HOURS, VOLUME_KIND, VolumeModel, _surprise
from tests.models.event_rows import MONDAY, event_frame, request

WEEK_S = 7 * 86_400


def reads(after_s: float, count: int) -> list[dict[str, object]]:
    return [request(after_s + n / 100, "a", "get", "pods") for n in range(count)]


def score(model: VolumeModel, rows: list[dict[str, object]], entity: str = "read") -> float:
    held = model.score(event_frame(rows)).filter(pl.col("entity") == entity)
    return float(held["score"][0])


def steady(weeks: int = 4) -> list[dict[str, object]]:
    """Return weeks in which the first hour has 20 reads each five minutes, the third 100."""
    return [
        row
        for week in range(weeks)
        for bin_ in range(12)
        for hour, count in ((0, 20), (2, 100))
        for row in reads(week * WEEK_S + hour * 3_600 + bin_ * 300, count)
    ]


@pytest.mark.parametrize("deviations", [-6.0, -1.0, 0.0, 0.5, 1.0, 2.0, 4.0, 8.0])
def test_surprise_is_the_normal_tail_within_six_percent(deviations: float) -> None:
    held = pl.DataFrame({"z": [deviations]}).select(_surprise(pl.col("z"))).item()
    exact = erfc(deviations / sqrt(2)) / 2
    assert 10**-held == pytest.approx(exact, rel=0.06)


def test_surprise_is_finite_where_no_probability_is_left() -> None:
    held = pl.DataFrame({"z": [1e3]}).select(_surprise(pl.col("z"))).item()
    assert held == pytest.approx(1e6 / 2 / 2.302585, rel=1e-3)


def test_as_many_as_always_are_no_surprise_and_more_are() -> None:
    model = VolumeModel.of(event_frame(reads(0, 50) + reads(300, 52) + reads(600, 48)))
    at = WEEK_S + 0.0
    assert score(model, reads(at, 50)) < 1
    assert score(model, reads(at, 20)) < score(model, reads(at, 50))
    assert score(model, reads(at, 150)) > 10
    assert score(model, reads(at, 400)) > score(model, reads(at, 150))


def test_an_hour_of_the_week_has_its_own_level() -> None:
    model = VolumeModel.of(event_frame(steady()))
    quiet_hour, busy_hour = (score(model, reads(5 * WEEK_S + h * 3_600, 100)) for h in (0, 2))
    assert quiet_hour > busy_hour + 1
    hours = model.levels.filter(pl.col("class") == "read")["hour"].to_list()
    # 1970 began on a Thursday: Monday, eight o'clock, is hour 8 of the week.
    assert hours == [ALL_HOURS, 8, 10]


def test_older_weeks_count_less() -> None:
    before = reads(0, 10) + reads(300, 10)
    now = reads(20 * WEEK_S, 90)
    levels = VolumeModel.of(event_frame(before + now)).levels
    always = levels.filter(pl.col("class") == "read", pl.col("hour") == ALL_HOURS)
    assert always["level"][0] == pytest.approx(2 * sqrt(90 + 3 / 8))


def test_a_class_that_never_occurred_is_a_surprise_at_once() -> None:
    model = VolumeModel.of(event_frame(reads(0, 50) + reads(300, 50)))
    execs = [request(900 + n, "a", "exec", "pods") for n in range(10)]
    held = model.score(event_frame(execs))
    assert held["score"][0] > 5
    assert held["reasons"][0].to_list() == ["exec: 10 in 5 minutes, usually 0.0"]
    assert -log10(0.5) > score(model, reads(900, 45))


def test_a_cluster_that_training_had_not_is_not_scored() -> None:
    model = VolumeModel.of(event_frame(reads(0, 50)))
    other = [row | {"orchestrator.cluster.name": "new"} for row in reads(0, 500)]
    held = model.score(event_frame(other))
    assert held["score"].to_list() == [0.0]
    assert "training had not" in held["reasons"][0][0]


@pytest.mark.parametrize(
    ("table", "broken"),
    [
        ("levels", pl.col("hour") + 500),
        ("levels", -pl.col("level")),
        ("levels", pl.lit(ALL_HOURS, pl.Int32).alias("hour")),
        ("spreads", pl.col("spread") * 0),
    ],
)
def test_tables_that_mean_nothing_are_refused(table: str, broken: pl.Expr) -> None:
    tables = VolumeModel.of(event_frame(steady(1))).to_tables()
    manifest = Manifest(
        kind=VOLUME_KIND,
        name="m",
        version="1",
        window=Window(start=MONDAY, end=MONDAY.replace(hour=9)),
        features=(),
        libraries={},
        seed=1,
    )
    KINDS[VOLUME_KIND].check(manifest, tables)
    with pytest.raises(ModelRefusedError):
        KINDS[VOLUME_KIND].check(manifest, {**tables, table: tables[table].with_columns(broken)})
