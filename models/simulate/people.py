"""Teams in; their working days as requests out: sessions, on-call nights, mistakes.

Separate because people are what machines are not: they sleep, take holidays, travel, mistype.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from models.simulate.chance import fingerprint, stream
from models.simulate.identities import person_caller
from models.simulate.sessions import night_session, session
from models.simulate.timeline import DAY, SITES, Site, day_start_us

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from models.simulate.cluster import Cluster
    from models.simulate.record import Caller

_HOUR_MIN: Final = 60
_EIGHT_MIN: Final = 8 * _HOUR_MIN
_TRAVEL_SHARE: Final = 0.03
_WEEKEND_SHARE: Final = 0.04
_LEAVE_SHARE: Final = 0.06
_PAGED_SHARE: Final = 0.2
_NIGHTS: Final = (22 * _HOUR_MIN, 30 * _HOUR_MIN)
_SESSIONS: Final = 6.5
"""Of one person in one cluster on a working day, at 50,000 events a day."""

_KUBECTLS: Final = ("v1.33.4", "v1.34.2", "v1.35.0", "v1.35.4")
_PLATFORMS: Final = ("linux/amd64", "darwin/arm64", "darwin/arm64", "windows/amd64")


@dataclass(frozen=True, slots=True)
class Team:
    """People who own the same namespaces."""

    name: str
    groups: tuple[str, ...]
    namespaces: tuple[str, ...]
    members: tuple[str, ...]


TEAMS: Final = (
    Team(
        "platform",
        ("platform-admins",),
        ("kube-system", "argocd", "monitoring", "ingress-nginx"),
        ("alba", "bruno", "chidi", "dana"),
    ),
    Team(
        "shop",
        ("dev-shop", "developers"),
        ("shop",),
        ("elif", "farid", "greta", "hugo", "ines", "jonas"),
    ),
    Team(
        "payments",
        ("dev-payments", "developers"),
        ("payments",),
        ("kavya", "lorenz", "mira", "nikhil", "olga"),
    ),
    Team(
        "data",
        ("dev-data", "developers"),
        ("data", "staging"),
        ("pavel", "quinn", "ravi", "sofia"),
    ),
    Team("sre", ("sre", "developers"), ("shop", "payments", "data"), ("tomas", "uma", "vikram")),
)

CONTRACTORS: Final = ("wanda", "xaver", "yusuf", "zora")
"""People who have left: their accounts still work, and nobody uses them."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who works with the clusters."""

    name: str
    team: Team
    site: Site
    number: int

    @property
    def username(self) -> str:
        """The name in the certificate."""
        return f"{self.name}@corp.example"

    def caller(self, seed: int, time_us: int) -> Caller:
        """Return the person as seen by an API server on that day.

        The certificate is renewed every week, the address is that of the office or of a hotel,
        and kubectl is upgraded now and then.
        """
        day = self.site.day_of(time_us)
        chance = stream(seed, "day", self.name, day)
        week = day.toordinal() // 7
        travels = chance.random() < _TRAVEL_SHARE
        host = chance.randint(2, 250)
        address = f"198.51.100.{host}" if travels else f"{self.site.network}.{10 + self.number}"
        credential = fingerprint(seed, self.name, week)
        return person_caller(
            self.username, self.team.groups, credential, [address], self._agent(seed, day)
        )

    def _agent(self, seed: int, day: date) -> str:
        chance = stream(seed, "tools", self.name)
        platform = chance.choice(_PLATFORMS)
        upgraded = date.fromordinal(day.toordinal() - chance.randint(0, 90))
        version = _KUBECTLS[min(3, (upgraded.month + self.number) % 3 + upgraded.day // 16)]
        return f"kubectl/{version} ({platform}) kubernetes/{fingerprint(version)[:7]}"


def people() -> list[Person]:
    """Return everybody who works."""
    named = [(name, team) for team in TEAMS for name in team.members]
    return [
        Person(name, team, SITES[number % len(SITES)], number)
        for number, (name, team) in enumerate(named)
    ]


def former(number: int) -> Person:
    """Return somebody who has left."""
    team = TEAMS[number % len(TEAMS)]
    return Person(CONTRACTORS[number % len(CONTRACTORS)], team, SITES[0], 60 + number)


def start_people(cluster: Cluster) -> None:
    """Start everybody's days in a cluster."""
    everybody = people()
    for person in everybody:
        cluster.spawn(_days(cluster, person))
    for team in TEAMS:
        cluster.spawn(_nights(cluster, [one for one in everybody if one.team is team]))


def is_at_work(seed: int, person: Person, day: date) -> bool:
    """Tell whether somebody works on a day: no weekend, no holiday, no leave of that week."""
    on_leave = stream(seed, "leave", person.name, day.toordinal() // 7).random() < _LEAVE_SHARE
    return person.site.is_working_day(day) and not on_leave


def _days(cluster: Cluster, person: Person) -> Iterator[int]:
    seed = cluster.settings.seed
    chance = cluster.stream("person", person.name)
    day = person.site.day_of(cluster.start_us)
    while True:
        works = is_at_work(seed, person, day)
        if works or chance.random() < _WEEKEND_SHARE:
            for start_us in _starts(cluster, person, day, chance, works=works):
                yield max(start_us, cluster.now_us + 1)
                caller = person.caller(seed, cluster.now_us)
                yield from session(cluster, caller, person.team.namespaces, chance)
        day += timedelta(days=1)
        yield max(cluster.now_us + 1, person.site.at(day, 0))


def _starts(
    cluster: Cluster, person: Person, day: date, chance: Random, *, works: bool
) -> list[int]:
    """Draw the sessions of a day: around nine to half past five, fewer at noon."""
    busy = min(2.0, max(0.3, cluster.settings.events_per_day / 50_000))
    count = min(12, int(chance.expovariate(1 / (_SESSIONS * busy)))) if works else 1
    begins = chance.gauss(9 * _HOUR_MIN, 35)
    minutes = [begins + chance.betavariate(1.2, 1.3) * (_EIGHT_MIN + 30) for _ in range(count)]
    return sorted(person.site.at(day, minute) for minute in minutes)


def _nights(cluster: Cluster, members: list[Person]) -> Iterator[int]:
    """Page the team member on call at some nights; the turn changes every week."""
    chance = cluster.stream("on-call", members[0].team.name)
    day = cluster.start_us // DAY
    while True:
        person = members[(day + 3) // 7 % len(members)]
        local = date.fromordinal(date(1970, 1, 1).toordinal() + day)
        if chance.random() < _PAGED_SHARE:
            yield max(person.site.at(local, chance.uniform(*_NIGHTS)), cluster.now_us)
            caller = person.caller(cluster.settings.seed, cluster.now_us)
            yield from night_session(cluster, caller, person.team.namespaces, chance)
        day += 1
        yield max(cluster.now_us, day_start_us(local) + DAY)
