"""What no rule can know, found by what was learned: an unusual hour (A12), an outlier (A28)."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from random import Random
from typing import TYPE_CHECKING

from detectors.anomaly.learned import Learned
from tests.detectors.anomaly.world import Act, frame

if TYPE_CHECKING:
    from detectors.finding import Finding

MINUTE, HOUR, DAY = 60_000_000, 3_600_000_000, 86_400_000_000
MONDAY = int(datetime(2026, 11, 2, tzinfo=UTC).timestamp()) * 1_000_000
PEOPLE = tuple(f"person-{n}@corp.example" for n in range(8))
ACCOUNTS = tuple(f"system:serviceaccount:shop:worker-{n}" for n in range(18))
WORKING_DAYS, FIRST_HOUR, END_HOUR = 5, 8, 18
DAYS = 21


@cache
def weeks() -> tuple[Act, ...]:
    """Three weeks: people work by day, programs round the clock.

    In the first minutes of every other hour, so that little has to be scored.
    """
    chance = Random(3)
    acts = []
    for hour in range(0, 24 * DAYS, 2):
        day, of_day = divmod(hour, 24)
        works = day % 7 < WORKING_DAYS and FIRST_HOUR <= of_day < END_HOUR
        for n, user in enumerate((*(PEOPLE if works else ()), *ACCOUNTS)):
            is_person = user in PEOPLE
            verbs = ("get", "list", "update" if is_person else "watch")
            kinds = ("pods", "deployments" if is_person else "configmaps")
            acts += [
                Act(
                    MONDAY + hour * HOUR + chance.randrange(5 * MINUTE),
                    user,
                    chance.choice(verbs),
                    chance.choice(kinds),
                    "shop",
                    f"10.{1 + is_person}.{PEOPLE.index(user) if is_person else n}.7",
                    "kubectl" if is_person else user.rsplit(":", 1)[1],
                    groups=("dev", "system:authenticated") if is_person else (),
                    number=number,
                )
                for number in range(3)
            ]
    return tuple(acts)


def at(day: int, hour: int) -> int:
    return MONDAY + day * DAY + hour * HOUR + 2 * MINUTE


def update(at_us: int, user: str) -> Act:
    address = f"10.2.{PEOPLE.index(user)}.7"
    return Act(at_us, user, "update", "deployments", "shop", address, number=7)


NIGHT = update(at(20, 3), PEOPLE[2])
OUTLIER = Act(at(16, 10), ACCOUNTS[4], "list", "secrets", "shop", "10.1.4.7", "worker-4", groups=())
BY_DAY = update(at(18, 10), PEOPLE[3])
TOO_EARLY = update(at(5, 4), PEOPLE[5])


@cache
def findings() -> tuple[Finding, ...]:
    """All that is found in three weeks with these four acts in them."""
    detector = Learned()
    acts = sorted(
        [*weeks(), NIGHT, OUTLIER, BY_DAY, TOO_EARLY], key=lambda one: (one.at_us, one.id)
    )
    detector.add(frame(acts))
    return tuple(detector.release(None).findings)


def about(act: Act) -> list[Finding]:
    return [one for one in findings() if one.order == (act.at_us, act.id)]


def test_somebody_who_works_by_day_writes_in_the_night_of_a_sunday() -> None:
    (finding,) = about(NIGHT)
    assert finding.document["user.name"] == PEOPLE[2]
    assert finding.document["trailwarden.anomaly.reasons"] == [
        "first act on Sunday 03:00 UTC in 19 days for this person; 0 of 7 peers do it"
    ]
    assert "first act on Sunday 03:00 UTC" in finding.document["message"]


def test_a_program_does_what_none_of_its_peers_does() -> None:
    (finding,) = about(OUTLIER)
    assert finding.document["user.name"] == ACCOUNTS[4]
    assert finding.document["trailwarden.anomaly.reasons"] == [
        "first `list secrets` in 16 days for this service account; 0 of 17 peers do it"
    ]


def test_by_day_or_before_two_weeks_were_seen_it_is_nothing() -> None:
    assert about(BY_DAY) == about(TOO_EARLY) == []
    assert len(findings()) == 2
