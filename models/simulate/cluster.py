"""Processes that wait for simulated times in, a cluster's audit log in the order of time out.

Separate because it is the clock of a cluster: a process is a generator that yields when it goes on,
sends requests meanwhile, and starts other processes. A record leaves when nothing before it can
come any more.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left
from dataclasses import dataclass, field
from itertools import count
from math import exp
from operator import itemgetter
from statistics import NormalDist
from typing import TYPE_CHECKING, Final

from models.simulate.chance import new_uuid, stream
from models.simulate.identities import account_of
from models.simulate.labels import Label, LabelBook
from models.simulate.record import COMPLETE, STARTED
from models.simulate.timeline import MINUTE, timestamp

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from models.simulate.identities import Account
    from models.simulate.node import Node
    from models.simulate.record import Caller, Request
    from models.simulate.settings import SimulationSettings
    from models.simulate.workload import Workload

_STEP_US: Final = 10 * MINUTE
"""Simulated time between two releases of records: some hundred are held meanwhile."""

_LATE_SHARE: Final = 0.03
_LATE_MAX_US: Final = 300_000
"""Measured on the sample log: stage times go back by 0.3 s at most."""

_UNAUTHORIZED: Final = 401
_LATENCY_COUNT: Final = 1024
_LATENCIES_US: Final = tuple(
    int(2_400 * exp(0.6 * NormalDist().inv_cdf((n + 0.5) / _LATENCY_COUNT)))
    for n in range(_LATENCY_COUNT)
)
"""Times that requests take: log-normal around 2.4 ms, the median of the sample log."""

_TURN_US: Final = 300
"""Between an answer and the same client's next request."""

_STAGED: Final = b'","stageTimestamp":"'


@dataclass(slots=True)
class Cluster:
    """One cluster: what stands in it, who waits for what, and what was logged."""

    name: str
    index: int
    settings: SimulationSettings
    start_us: int
    now_us: int = 0
    nodes: list[Node] = field(default_factory=list)
    workloads: list[Workload] = field(default_factory=list)
    namespaces: list[str] = field(default_factory=list)
    book: LabelBook = field(init=False)
    chance: Random = field(init=False)
    version: int = 1_000
    release: str = "v1.35.4"
    """Of Kubernetes; an upgrade changes it."""
    callers: dict[str, Caller] = field(default_factory=dict)
    """The control plane's own, by name; made when first needed."""
    _waiting: list[tuple[int, int, Iterator[int]]] = field(default_factory=list)
    _order: count[int] = field(default_factory=count)
    _held: list[tuple[int, bytes]] = field(default_factory=list)
    _until_us: int = 0
    _free_us: int = 0
    """When the process at work has its last answer: it asks one after the other."""

    def __post_init__(self) -> None:
        """Start the cluster's own stream of chance and its book of labels."""
        self.chance = self.stream("cluster")
        self.book = LabelBook(self.name)
        self.now_us = self._until_us = self.start_us

    def stream(self, *purpose: object) -> Random:
        """Return the stream of chance of a purpose within this cluster."""
        return stream(self.settings.seed, self.name, *purpose)

    def spawn(self, process: Iterator[int], at_us: int | None = None) -> None:
        """Start a process now, or later."""
        at_us = self.now_us if at_us is None else max(at_us, self.now_us)
        heapq.heappush(self._waiting, (at_us, next(self._order), process))

    def next_version(self) -> int:
        """Count the revision of etcd up."""
        self.version += 1
        return self.version

    def account(self, namespace: str, name: str) -> Account:
        """Return a service account of the cluster."""
        return account_of(self.settings.seed, self.name, namespace, name)

    def share_us(self, weight: float) -> float:
        """Return the mean time between acts that are ``weight`` of the sample's 65,000 events."""
        per_day = self.settings.events_per_day * weight / 65_000
        return 86_400_000_000 / max(per_day, 0.01)

    def send(self, caller: Caller, request: Request, label: Label | None = None) -> bytes:
        """Log a request that is made now; return its audit id.

        What stays open for long has two records, a failed authentication one, of the first stage.
        """
        chance = self.chance
        audit = new_uuid(chance)
        received = self._free_us
        staged = received + _LATENCIES_US[int(chance.random() * _LATENCY_COUNT)]
        stage = STARTED if request.long_us or request.status == _UNAUTHORIZED else COMPLETE
        self._log(caller, request, stage, (audit, received, staged), label)
        self._free_us = staged + _TURN_US
        if request.long_us:
            ended = staged + int(request.long_us * chance.uniform(0.9, 1.0))
            self._log(caller, request, COMPLETE, (audit, received, ended), label)
        return audit

    def _log(
        self,
        caller: Caller,
        request: Request,
        stage: bytes,
        at: tuple[bytes, int, int],
        label: Label | None,
    ) -> None:
        audit, received, staged = at
        line = caller.line(request, stage)
        text = b"".join(
            (line[0], audit, line[1], timestamp(received), _STAGED, timestamp(staged), line[2])
        )
        late = self.chance.random()
        place = staged + int(late / _LATE_SHARE * _LATE_MAX_US) if late < _LATE_SHARE else staged
        self._held.append((place, text))
        if label:
            self.book.note(label, caller, request, stage, (audit, staged, place))

    def run(self, until_us: int) -> Iterator[list[bytes]]:
        """Let time pass; yield the lines of each ten minutes, in the order of the log."""
        while self._until_us < until_us:
            self._until_us = min(self._until_us + _STEP_US, until_us)
            self._advance(self._until_us)
            self._held.sort(key=itemgetter(0))
            cut = bisect_left(self._held, self._until_us, key=itemgetter(0))
            yield [text for _, text in self._held[:cut]]
            del self._held[:cut]

    def _advance(self, until_us: int) -> None:
        waiting = self._waiting
        while waiting and waiting[0][0] < until_us:
            self.now_us, order, process = waiting[0]
            self._free_us = self.now_us
            # What the process starts waits behind it, so it is still the first afterwards.
            later = next(process, None)
            if later is None:
                heapq.heappop(waiting)
            else:
                heapq.heapreplace(waiting, (max(later, self.now_us), order, process))
        self.now_us = until_us
