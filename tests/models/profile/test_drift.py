"""Drift is nothing where days are alike, and large where another population came."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from models.profile.action_key import sightings
from models.profile.drift import Drift
from models.profile.observed import Feature, coded, observed
from tests.detectors.anomaly.world import frame, quiet

ANOTHER_POPULATION = 0.25


def seen(seed: int, *, moved: bool = False, cluster: str = "c") -> pl.DataFrame:
    acts = quiet(10, seed, cluster)
    if moved:
        acts = [replace(act, address=f"192.0.2.{n % 3}") for n, act in enumerate(acts)]
    return observed(coded(sightings(frame(acts))))


def shown(drift: Drift, feature: Feature) -> list[float]:
    return drift.shown.filter(pl.col("feature") == feature.value).sort("day")["psi"].to_list()


def test_days_that_are_alike_do_not_drift() -> None:
    drift = Drift()
    for day in range(4):
        drift.observe(seen(day), 20_000 + day)
    assert len(shown(drift, Feature.NETWORK)) == 2
    assert max(shown(drift, Feature.NETWORK)) < 0.01
    assert max(shown(drift, Feature.ACT)) < ANOTHER_POPULATION


def test_another_population_shows_in_its_feature_alone() -> None:
    drift = Drift()
    for day in range(4):
        drift.observe(seen(day, moved=day == 2), 20_000 + day)
    assert shown(drift, Feature.NETWORK)[-1] > ANOTHER_POPULATION
    assert shown(drift, Feature.AGENT)[-1] < ANOTHER_POPULATION


def test_a_day_may_come_in_pieces() -> None:
    whole, pieces = Drift(), Drift()
    for day in range(3):
        observations = seen(day).sort("tick", "feature", "who", "value")
        whole.observe(observations, 20_000 + day)
        for start in range(0, observations.height, 97):
            pieces.observe(observations.slice(start, 97), 20_000 + day)
    assert whole.save() == pieces.save()


def test_what_was_saved_is_taken_up_again() -> None:
    drift, again = Drift(), Drift()
    for day in range(3):
        drift.observe(seen(day), 20_000 + day)
    again.restore(drift.save())
    assert again.save() == drift.save()
    assert again.shown.height > 0


def test_clusters_have_their_own_days() -> None:
    drift = Drift()
    for day in range(3):
        drift.observe(seen(day), 20_000 + day)
    drift.observe(seen(9, cluster="d"), 20_000)
    assert drift.shown["cluster"].n_unique() == 1


def test_what_lasts_is_no_drift_in_the_end() -> None:
    drift = Drift()
    for day in range(16):
        drift.observe(seen(day % 3, moved=day >= 3), 20_000 + day)
    networks = shown(drift, Feature.NETWORK)
    assert networks[2] > 1
    assert networks[-1] < 0.5
