"""A finding says why in words, with numbers and peers."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from models.profile import rarity
from models.profile.action_key import sightings
from models.profile.counts import Counts
from models.profile.observed import Feature, coded, observed
from models.profile.words import reason, texts_of, told_from
from tests.detectors.anomaly.world import START_US, Act, at, frame

TICK = START_US // 60_000_000
DAY = 1_440
ACCOUNT = "system:serviceaccount:shop:worker-{}"
USUAL = Act(at(0), ACCOUNT.format(0), namespace="shop", groups=(), agent="worker")


def learned(acts: list[Act], tick: int, counts: Counts | None = None) -> Counts:
    counts = counts or Counts()
    counts.learn(observed(coded(sightings(frame(acts)))), tick, 200)
    return counts


def words(act: Act, feature: Feature, counts: Counts) -> str:
    due = sightings(frame([act]))
    said = coded(due)
    rare = rarity.bits(observed(said), counts, TICK + 41 * DAY, rarity.Known(1), least=0.0)
    one = rare.filter(pl.col("feature") == feature.value)
    seen = one.with_columns(said["peers"].gather(one["row"]))
    told = reason(
        seen.row(0, named=True), texts_of(due).row(0, named=True), told_from(seen, counts)
    )
    assert told.feature is feature
    return told.text


@pytest.fixture(scope="module")
def counts() -> Counts:
    """Eighteen accounts of a team, one of which once ran something in a pod."""
    acts = [replace(USUAL, user=ACCOUNT.format(n)) for n in range(18)]
    return learned([*acts, replace(acts[3], action="attach")], TICK)


NOBODY_ELSE = " for this service account; 0 of 17 peers do it"
LATER = replace(USUAL, at_us=at(41 * DAY))


@pytest.mark.parametrize(
    ("act", "feature", "wanted"),
    [
        (
            replace(LATER, action="exec"),
            Feature.ACT,
            "first `exec pods` in 41 days for this service account; 0 of 17 peers do it",
        ),
        (
            replace(LATER, action="attach"),
            Feature.ACT,
            "first `attach pods` in 41 days for this service account; 1 of 17 peers does it",
        ),
        (
            replace(LATER, address="192.0.2.9"),
            Feature.NETWORK,
            "first time from network 192.0.2.0/24 in 41 days" + NOBODY_ELSE,
        ),
        (
            replace(LATER, agent="curl"),
            Feature.AGENT,
            "first use of `curl` in 41 days for this service account; 0 of 17 peers do it",
        ),
        (
            replace(LATER, namespace="kube-system"),
            Feature.PLACE,
            "first act in namespace kube-system in 41 days" + NOBODY_ELSE,
        ),
        (
            replace(LATER, action="exec"),
            Feature.WORKLOAD,
            "first `exec pods` by anyone in namespace shop in 41 days",
        ),
        (
            replace(LATER, namespace=None),
            Feature.PLACE,
            "first cluster-wide act in 41 days" + NOBODY_ELSE,
        ),
        (
            replace(LATER, namespace=None),
            Feature.WORKLOAD,
            "first `get pods` cluster-wide by anyone where nothing was done before",
        ),
        (
            replace(LATER, action="exec"),
            Feature.ACTORS,
            "first `exec pods` by any service_account shop, which nobody did before",
        ),
        (
            replace(LATER, user=ACCOUNT.format("x")),
            Feature.IDENTITY,
            "this service account was never seen before; 18 others of its kind are known",
        ),
        (
            replace(LATER, user="system:serviceaccount:new:x", action="exec"),
            Feature.ACT,
            "first `exec pods` by a service account never seen before; it has no peers",
        ),
    ],
)
def test_reasons_are_said_with_numbers(
    counts: Counts, act: Act, feature: Feature, wanted: str
) -> None:
    assert words(act, feature, counts) == wanted


def test_what_was_seen_before_counts_from_then(counts: Counts) -> None:
    again = Counts()
    again.restore(counts.save())
    learned([replace(USUAL, at_us=at(30 * DAY), action="exec")], TICK + 30 * DAY, again)
    told = words(replace(LATER, action="exec"), Feature.ACT, again)
    assert told == "first `exec pods` in 11 days for this service account; 0 of 17 peers do it"
