"""What was sent on behalf of an attack in; the rows of labels.jsonl and scenarios.jsonl out.

Separate because it is a format of its own: the keys of the labelled recording, read by
benchmarks/score.py and by `trailwarden evaluate`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson

from models.simulate.timeline import SECOND, timestamp

if TYPE_CHECKING:
    from models.simulate.record import Caller, Request

_METHODS: Final = {
    "create": "POST",
    "update": "PUT",
    "patch": "PATCH",
    "delete": "DELETE",
    "deletecollection": "DELETE",
}

ATTACK: Final = "attack"
DERIVED: Final = "derived"
BOOTSTRAP: Final = "bootstrap"


@dataclass(slots=True)
class Episode:
    """One execution of an attack chain."""

    scenario: str
    round: int
    technique: str
    description: str
    cluster: str
    start_us: int = 0
    end_us: int = 0
    sources: list[str] = field(default_factory=list)
    markers: list[str] = field(default_factory=list)
    requests: list[tuple[str, str, str, int]] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """Return its row of scenarios.jsonl; times are Unix seconds."""
        return {
            "scenario": self.scenario,
            "round": self.round,
            "technique": self.technique,
            "description": self.description,
            "start": self.start_us / SECOND,
            "end": self.end_us / SECOND,
            "sources": self.sources,
            "markers": self.markers,
            "requests": self.requests,
            "error": None,
            "cluster": self.cluster,
        }


@dataclass(frozen=True, slots=True)
class Label:
    """On whose behalf an event happens; without an episode, the cluster's own installation."""

    role: str
    episode: Episode | None = None

    def derived(self) -> Label:
        """Return the label of what the cluster does because of it."""
        return Label(DERIVED, self.episode) if self.episode else self


@dataclass(slots=True)
class LabelBook:
    """Labels of one cluster's events, and its episodes."""

    cluster: str
    rows: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    episodes: list[Episode] = field(default_factory=list)

    def note(
        self,
        label: Label,
        caller: Caller,
        request: Request,
        stage: bytes,
        at: tuple[bytes, int, int],
    ) -> None:
        """Label one event; ``at`` is its audit id, its time and its place in the log."""
        audit, at_us, place = at
        episode = label.episode
        known = orjson.loads(caller.user)
        addresses = orjson.loads(caller.addresses)
        row = {
            "auditID": audit.decode(),
            "stage": stage.decode(),
            "role": label.role,
            "scenario": episode.scenario if episode else None,
            "round": episode.round if episode else None,
            "technique": episode.technique if episode else None,
            "time": timestamp(at_us).decode(),
            "user": known.get("username"),
            "verb": request.verb,
            "uri": request.uri,
            "code": request.status,
            "sourceIPs": addresses,
            "cluster": self.cluster,
        }
        self.rows.append((place, row))
        if episode and label.role == ATTACK:
            _extend(episode, row, at_us)

    def until(self, end_us: int) -> list[dict[str, Any]]:
        """Return the labels of events logged before a time, in the order of the log."""
        self.rows.sort(key=lambda row: row[0])
        return [row for place, row in self.rows if place < end_us]


def _extend(episode: Episode, row: dict[str, Any], at_us: int) -> None:
    """Widen an episode's time by one of the attacker's events, and name its request once."""
    episode.start_us = min(episode.start_us or at_us, at_us)
    episode.end_us = max(episode.end_us, at_us)
    peer = row["sourceIPs"][-1]
    if peer not in episode.sources:
        episode.sources.append(peer)
    request = (row["auditID"], _METHODS.get(row["verb"], "GET"), row["uri"], row["code"])
    if request not in episode.requests:
        episode.requests.append(request)
