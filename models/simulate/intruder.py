"""A cluster and a chain's execution in, what an attacker holds and does in it out.

Separate because every step of every chain needs the same: an identity, an address, a target, and
requests that are labelled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from models.simulate.chance import name_suffix, new_uuid
from models.simulate.identities import elsewhere
from models.simulate.labels import ATTACK, Label
from models.simulate.timeline import SECOND
from models.simulate.workload import Kind

if TYPE_CHECKING:
    from random import Random

    from models.simulate.cluster import Cluster
    from models.simulate.labels import Episode
    from models.simulate.record import Caller, Request
    from models.simulate.workload import Pod, Workload

_NETWORKS: Final = ("203.0.113", "192.0.2", "198.18.7", "100.64.9")
"""Networks for documentation and tests (RFC 5737, 2544, 6598): the attacker's."""

_AGENTS: Final = (
    "curl/8.5.0",
    "python-requests/2.32.3",
    "kubectl/v1.29.1 (linux/amd64) kubernetes/bc401b9",
    "Go-http-client/2.0",
)


@dataclass(slots=True)
class Intruder:
    """Who attacks: the identity in hand, where from, and what is aimed at."""

    cluster: Cluster
    episode: Episode
    chance: Random
    caller: Caller
    namespace: str
    pause_s: tuple[float, float]
    """Shortest and longest time between two of its requests."""

    @property
    def label(self) -> Label:
        """The label of its own requests."""
        return Label(ATTACK, self.episode)

    def ask(self, request: Request) -> bytes:
        """Make a request."""
        return self.cluster.send(self.caller, request, self.label)

    def later(self, factor: float = 1.0) -> int:
        """Return when the next request comes."""
        return self.cluster.now_us + int(self.chance.uniform(*self.pause_s) * factor * SECOND)

    def address(self) -> str:
        """Draw an address of the attacker's."""
        return f"{self.chance.choice(_NETWORKS)}.{self.chance.randint(2, 250)}"

    def agent(self) -> str:
        """Draw a tool."""
        return self.chance.choice(_AGENTS)

    def move(self) -> None:
        """Use the same credential from somewhere else, with another tool."""
        self.caller = elsewhere(self.caller, [self.address()], self.agent())

    def mark(self, stem: str) -> str:
        """Return a name for something new, and note it."""
        name = f"{stem}-{name_suffix(self.chance)}"
        self.episode.markers.append(name)
        return name

    def pod(self, *, privileged: bool = False, calls: bool = False) -> tuple[Workload, Pod] | None:
        """Choose a pod of a kind; None where there is none now."""
        found = [
            (workload, pod)
            for workload in self.cluster.workloads
            if (workload.traits.privileged or not privileged)
            and (privileged or workload.namespace == self.namespace)
            and workload.kind is not Kind.CRON_JOB
            for pod in workload.pods
            if not calls or pod.caller
        ]
        return self.chance.choice(found) if found else None

    def deployment(self) -> Workload:
        """Choose a deployment of the namespace."""
        found = [
            workload
            for workload in self.cluster.workloads
            if workload.namespace == self.namespace
            and workload.kind is Kind.DEPLOYMENT
            and not workload.label
        ]
        return self.chance.choice(found)

    def uid(self) -> bytes:
        """Draw the uid of something new."""
        return new_uuid(self.chance)
