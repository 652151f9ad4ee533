"""A strange minute's level follows from how rare it is and from whether anything came of it."""

from __future__ import annotations

import pytest

from detectors.anomaly.detector import UNUSUAL_IDENTITY
from detectors.anomaly.fields import ANOMALY_DTYPES, PREFIX
from detectors.anomaly.report import Strange, finding_of
from detectors.finding import SEVERITY, Finding
from detectors.sigma.rule import Level
from detectors.site import Site
from models.profile.observed import Feature
from models.profile.words import Reason
from tests.detectors.anomaly.world import Act, at, frame

REASONS = [Reason(f"reason {n}", Feature.ACT, 20.0 - n) for n in range(4)]


def told(probability: float, *, refused: bool = False, identity: str = "ann") -> Finding:
    event = frame([Act(at(0), identity or None)]).row(0, named=True)
    score = (50.0, probability, 1e-3)
    model = "profile/1"
    strange = Strange(identity, *score, REASONS, ["e"], ["a"], refused, 20.5, 5.0, "known", model)
    return finding_of(UNUSUAL_IDENTITY, event, strange, Site())


@pytest.mark.parametrize(
    ("probability", "refused", "level"),
    [
        (1e-3, False, Level.MEDIUM),
        (1.1e-5, False, Level.MEDIUM),
        (1e-5, False, Level.HIGH),
        (1e-3, True, Level.LOW),
        (1e-5, True, Level.MEDIUM),
    ],
)
def test_level(probability: float, refused: bool, level: Level) -> None:
    finding = told(probability, refused=refused)
    assert finding.level is level
    assert finding.document["event.severity"] == SEVERITY[level]
    assert finding.document["trailwarden.severity"] == level.value


def test_the_sentence_names_who_where_and_the_two_strongest_reasons() -> None:
    assert told(1e-3).document["message"] == (
        "ann did what is unusual in cluster c: reason 0; reason 1."
    )
    nobody = told(1e-3, identity="").document["message"]
    assert nobody.startswith("An unauthenticated client did")


def test_what_it_says_of_the_score_is_what_the_fields_are_told_to_be() -> None:
    said = {name: one for name, one in told(1e-3).document.items() if name.startswith(PREFIX)}
    assert said.keys() == ANOMALY_DTYPES.keys()
    assert said[PREFIX + "threshold"] == 20.5
    assert said[PREFIX + "budget_a_day"] == 5.0
    assert said[PREFIX + "normal"] == "known"
    assert said[PREFIX + "model"] == "profile/1"


def test_hostile_names_are_made_visible() -> None:
    message = told(1e-3, identity="a\u202eb\n").document["message"]
    assert message.isprintable()


def test_the_id_is_of_the_identity_and_the_first_event() -> None:
    assert told(1e-3).id == told(1e-9).id != told(1e-3, identity="bob").id
