"""What is promoted takes effect at the next start; a finding says what its detector began with."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import pytest

from detectors.anomaly import learners as learners_state
from detectors.anomaly.learned import Learning
from detectors.anomaly.learners import LearnedSettings, Learners, Model
from detectors.anomaly.training import Training
from detectors.site import Site
from tests.detectors.anomaly.world import MINUTE_US, at, frame, hour, quiet

if TYPE_CHECKING:
    from detectors.anomaly.learned import Learned
    from models.profile.profile import Profile

ONE, TWO = "profile/1", "profile/2"
MIDDLE = at(30)


@cache
def model(name: str) -> Profile:
    """Return what an hour before taught; of two names two different hours."""
    training = Training(tried_from_us=at(0))
    acts = quiet(50, 5 if name == ONE else 6)
    training.add(frame([replace(act, at_us=act.at_us - 60 * MINUTE_US) for act in acts]))
    return replace(training.profile(at(-10)), name=name)


def settings(champion: str = "", challenger: str = "") -> LearnedSettings:
    return LearnedSettings(
        Learning(),
        Model(champion, model(champion)) if champion else Model(),
        Model(challenger, model(challenger)) if challenger else None,
    )


def half(of: LearnedSettings) -> Learners:
    """Return detectors that have seen the first half of the hour."""
    made = Learners(of, Site())
    made.add(frame([act for act in hour() if act.at_us < MIDDLE]), None)
    made.release(MIDDLE - MINUTE_US)
    return made


def restarted(old: Learners, of: LearnedSettings) -> Learners:
    made = Learners(of, Site())
    learners_state.restore(learners_state.save(old), made)
    return made


def counts(detector: Learned | None) -> bytes:
    assert detector is not None
    return detector.counts.save()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (settings(), settings()),
        (settings(ONE), settings(ONE)),
        (settings(ONE), settings()),
        (settings(ONE, TWO), settings(ONE)),
    ],
    ids=["none", "the same", "withdrawn", "its challenger withdrawn"],
)
def test_what_is_still_in_use_goes_on(before: LearnedSettings, after: LearnedSettings) -> None:
    old = half(before)
    assert counts(restarted(old, after).learned) == counts(old.learned)


def test_a_promoted_challenger_goes_on_with_what_it_learned() -> None:
    old = half(settings(ONE, TWO))
    new = restarted(old, settings(TWO))
    assert counts(new.learned) == counts(old.challenger) != counts(old.learned)
    assert new.challenger is None


@pytest.mark.parametrize("before", [settings(), settings(ONE)], ids=["none", "another"])
def test_another_model_begins_anew_at_the_next_start(before: LearnedSettings) -> None:
    new = restarted(half(before), settings(TWO)).learned
    fresh = Learners(settings(TWO), Site()).learned
    fresh.add(frame(quiet(1)[:1]))
    assert counts(new) == counts(fresh)
    assert new.waiting.is_empty()
    assert new.pending.height > 0  # minutes that were not over are still to be scored
    new.add(frame([act for act in hour() if act.at_us >= MIDDLE]))
    (found,) = new.release(None).findings
    assert found.document["trailwarden.anomaly.model"] == TWO


def test_minutes_that_a_new_model_has_learned_are_not_scored_again() -> None:
    later = Training(tried_from_us=MIDDLE)
    later.add(frame([act for act in hour() if act.at_us < MIDDLE]))
    known = replace(later.profile(MIDDLE), name=TWO)
    old = half(settings())
    assert old.learned.pending.height > 0
    new = restarted(old, LearnedSettings(champion=Model(TWO, known)))
    assert new.learned.pending.is_empty()


def test_without_a_model_a_finding_names_none() -> None:
    made = Learners(settings(), Site())
    made.add(frame(hour()), None)
    (found,) = made.release(None).findings
    assert "trailwarden.anomaly.model" not in found.document


def test_a_cluster_of_which_little_was_seen_is_not_judged() -> None:
    few = [act for act in hour("e") if act.at_us < at(5)]
    made = Learners(settings(), Site())
    made.add(frame(sorted([*hour("d"), *few], key=lambda act: act.at_us)), None)
    assert made.unjudged() == ["d", "e"]
    made.release(None)
    assert made.unjudged() == ["e"]
