"""What nobody did is rare, what all do is not, and peers stand in for who is not known yet."""

from __future__ import annotations

from dataclasses import replace
from math import isfinite

import polars as pl
import pytest

from models.profile import rarity
from models.profile.action_key import sightings
from models.profile.counts import Counts
from models.profile.observed import Feature, coded, observed
from tests.detectors.anomaly.world import ACCOUNTS, PEOPLE, START_US, Act, at, frame, quiet, strange

TICK = START_US // 60_000_000
MINUTES = 60
LATER = Act(at(MINUTES + 1))


def seen(acts: list[Act]) -> pl.DataFrame:
    return observed(coded(sightings(frame(acts))))


@pytest.fixture(scope="module")
def counts() -> Counts:
    learned = Counts()
    learned.learn(seen(quiet(MINUTES)), TICK, rarity.KNOWN_EVENTS)
    return learned


def bits(acts: list[Act], counts: Counts, feature: Feature, known: int = 50) -> float:
    found = rarity.bits(seen(acts), counts, TICK + MINUTES, rarity.Known(known), least=0.0)
    return float(found.filter(pl.col("feature") == feature.value)["bits"].sum())


def score(acts: list[Act], counts: Counts) -> float:
    rare = rarity.bits(seen(acts), counts, TICK + MINUTES, rarity.Known(50))
    return float(rarity.scores(rarity.contributions(rare))["score"].sum())


def test_what_is_usual_has_few_bits_and_no_score(counts: Counts) -> None:
    usual = replace(LATER, user=PEOPLE[0], namespace="team-0", address="10.1.0.7", groups=("ops",))
    assert bits([usual], counts, Feature.ACT) < 3
    assert score([usual], counts) == 0


def test_what_nobody_did_is_rarer_than_what_peers_do(counts: Counts) -> None:
    """The people of `ops` update no pods themselves, but those of `dev` do."""
    by_peers = replace(
        LATER, user=PEOPLE[2], action="list", resource="deployments", groups=("ops",)
    )
    by_none = replace(by_peers, action="delete")
    quite = bits([by_peers], counts, Feature.ACT)
    very = bits([by_none], counts, Feature.ACT)
    assert 0 < quite < very
    assert very > 10


def test_who_is_not_known_is_judged_by_their_peers(counts: Counts) -> None:
    new = replace(LATER, user="new@corp.example", groups=("ops", "system:authenticated"))
    usual = bits([new], counts, Feature.ACT)
    assert usual == pytest.approx(bits([new], counts, Feature.ACT, known=10**6))
    assert usual < 5
    assert bits([replace(new, action="delete")], counts, Feature.ACT) > 8
    assert bits([new], counts, Feature.IDENTITY) > bits(
        [replace(new, user=PEOPLE[0])], counts, Feature.IDENTITY
    )


def test_the_own_counts_decide_only_after_enough_events(counts: Counts) -> None:
    own = replace(LATER, user=ACCOUNTS[0], address="10.1.6.7", groups=())
    foreign = replace(own, address="10.1.12.7")
    assert bits([foreign], counts, Feature.NETWORK) > bits(
        [foreign], counts, Feature.NETWORK, known=10**6
    )


def test_more_of_the_strange_is_stranger_and_finite(counts: Counts) -> None:
    scores = [score(strange(MINUTES + 1, many), counts) for many in range(1, 7)]
    assert scores == sorted(scores)
    assert len(set(scores)) == len(scores)
    assert all(isfinite(each) for each in scores)


def test_many_weak_reasons_are_none(counts: Counts) -> None:
    """All that one person ever does, in one minute."""
    mine = [act for act in quiet(MINUTES) if act.user == PEOPLE[5]]
    crowded = [replace(act, at_us=LATER.at_us) for act in mine]
    assert score(crowded, counts) == 0


def test_a_burst_of_one_kind_is_one_reason(counts: Counts) -> None:
    one = strange(MINUTES + 1, 1)
    burst = [replace(one[0], at_us=one[0].at_us + n, number=n) for n in range(500)]
    assert score(burst, counts) == pytest.approx(score(one, counts))


def test_hours_are_not_judged_before_two_weeks(counts: Counts) -> None:
    night = replace(LATER, at_us=at(15 * 60))
    assert bits([night], counts, Feature.HOUR) == 0
    early = seen(quiet(MINUTES))
    fortnight = early.with_columns(pl.col("tick") - rarity.HOURS_KNOWN_TICKS)
    known = Counts()
    known.learn(fortnight, TICK - rarity.HOURS_KNOWN_TICKS, rarity.KNOWN_EVENTS)
    known.learn(early, TICK, rarity.KNOWN_EVENTS)
    assert bits([night], known, Feature.HOUR) > bits(
        [replace(LATER, at_us=at(1))], known, Feature.HOUR
    )


def test_how_minutes_are_cut_changes_no_bits(counts: Counts) -> None:
    """Also of somebody who is now of this team, now of that: each act has its own peers."""
    acts = [replace(act, at_us=act.at_us + MINUTES * 60_000_000) for act in quiet(4, seed=9)]
    odd = [
        replace(strange(MINUTES + 1)[n], user=PEOPLE[3], groups=(team,), at_us=at(MINUTES + n))
        for n, team in enumerate(("ops", "dev", "ops"))
    ]
    wanted = told(acts + odd, counts)
    pieces = [
        [act for act in acts + odd if act.at_us // 60_000_000 - TICK == MINUTES + n]
        for n in range(4)
    ]
    assert sorted(row for part in pieces for row in told(part, counts)) == wanted


def told(acts: list[Act], counts: Counts) -> list[tuple[int, ...]]:
    found = rarity.bits(seen(acts), counts, TICK + MINUTES, rarity.Known(50), least=0.0)
    return sorted(found.select("tick", "who", "context_0", "context_1", "value", "bits").rows())


def test_nothing_is_strange_where_nothing_was_learned() -> None:
    assert score(strange(MINUTES + 1), Counts()) == 0


def test_what_is_about_one_act_is_one_reason(counts: Counts) -> None:
    rare = rarity.bits(seen(strange(MINUTES + 1, 1)), counts, TICK + MINUTES, rarity.Known(50))
    about_acts = (Feature.ACT, Feature.WORKLOAD, Feature.ACTORS)
    of_acts = pl.col("feature").is_in([each.value for each in about_acts])
    assert rare.filter(of_acts).height > 1
    assert rarity.contributions(rare).filter(of_acts).height == 1
