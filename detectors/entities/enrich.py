"""Events become what the memory knew of them at their own time, under RECALLED.

Separate from the memory because it is a function of both: an event is asked about as of just before
it happened, so that what came of it, or of later events of its batch, is no news to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_network
from typing import TYPE_CHECKING, Final

import polars as pl

from detectors.columns import nulls_of
from detectors.entities.recall_caller import caller_columns
from detectors.entities.recall_change import policy_columns, rights_columns
from detectors.entities.recall_demand import demand_columns
from detectors.entities.recall_process import PROCESS_ASKED, process_columns
from detectors.entities.recall_target import target_columns
from detectors.entities.recall_travel import travel_columns
from detectors.entities.recalled import PREFIX, RECALLED_DTYPES
from detectors.sigma.addresses import in_networks

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from detectors.entities.geography import Geography
    from detectors.entities.memory import EntityMemory
    from detectors.sigma.predicates import Predicate

ASKED: Final = {
    "type": "orchestrator.resource.type",
    "action": "event.action",
    "outcome": "event.outcome",
    "namespace": "orchestrator.namespace",
    "name": "orchestrator.resource.name",
    "user": "user.name",
    "address": "source.ip",
    "credential": "trailwarden.credential.id",
    "node_identity": "trailwarden.identity.node.name",
    "account_namespace": "trailwarden.identity.service_account.namespace",
    "token_pod": "trailwarden.token.pod.name",
    "token_uid": "trailwarden.token.pod.uid",
    "images": "trailwarden.pod_spec.images",
    "cpu": "trailwarden.pod_spec.cpu_request",
    "gpu": "trailwarden.pod_spec.gpu_request",
    "replicas": "trailwarden.pod_spec.replicas",
    **PROCESS_ASKED,
}
"""What of an event questions are made of, by short names; besides its number and time."""


@dataclass(frozen=True, slots=True)
class Around:
    """What else is known besides the memory."""

    hidden: Predicate | None
    """Holds for addresses that stand for others; None: for none."""
    geography: Geography | None
    """Where addresses are; None: nobody knows."""


@dataclass(frozen=True, slots=True)
class Part:
    """Columns that are asked for together."""

    names: frozenset[str]
    """What the names of the columns begin with."""
    answer: Callable[[pl.DataFrame, EntityMemory, Collection[str], Around], pl.DataFrame]
    """Returns at least the columns that are wanted, a row for each of the events (ASKED)."""
    is_cheap: bool = False
    """Whether to ask before it is known that anything else of the rule holds."""

    def answers(self, column: str) -> bool:
        """Return whether a column is of this part."""
        return _group(column) in self.names


def _travels(
    asked: pl.DataFrame, memory: EntityMemory, _: Collection[str], around: Around
) -> pl.DataFrame:
    if around.geography is None:
        return asked.select()
    return travel_columns(asked, memory, around.geography, around.hidden)


PARTS: Final = (
    Part(
        frozenset({"token_pod", "token_off_pod", "credential", "identity", "dormant_days"}),
        lambda asked, memory, wanted, around: caller_columns(asked, memory, around.hidden, wanted),
        is_cheap=True,
    ),
    Part(
        frozenset({"target_pod", "pod_author", "node_off"}),
        lambda asked, memory, wanted, _: target_columns(asked, memory, wanted),
        is_cheap=True,
    ),
    Part(frozenset({"rbac"}), lambda asked, memory, *_: rights_columns(asked, memory)),
    Part(frozenset({"namespace"}), lambda asked, memory, *_: policy_columns(asked, memory)),
    Part(
        frozenset({"workload", "cluster"}), lambda asked, memory, *_: demand_columns(asked, memory)
    ),
    Part(frozenset({"travel", "origin"}), _travels),
    Part(frozenset({"human", "process"}), lambda asked, memory, *_: process_columns(asked, memory)),
)
"""All of RECALLED, in the order in which rules ask."""


def recalled_of(
    events: pl.DataFrame,
    memory: EntityMemory,
    wanted: Collection[str] = tuple(RECALLED_DTYPES),
    hidden_networks: Sequence[str] = (),
    geography: Geography | None = None,
) -> pl.DataFrame:
    """Return columns of RECALLED for events of the memory's cluster, a row for each.

    Parameters
        events: under EVENT_SCHEMA, each with a time; all facts before them are in the memory.
        wanted: columns that are needed; the others are left out, and cost nothing.
        hidden_networks: networks whose addresses stand for others (a proxy, a NAT), so that they do
            not tell where a call came from. Not the private networks: pods are in them.
        geography: where addresses are; None: nobody knows.
    """
    time = pl.col("@timestamp").to_physical().alias("time")
    asked = events.select(
        time, *(pl.col(name).alias(short) for short, name in ASKED.items())
    ).with_row_index("row")
    around = Around(hidden_in(tuple(hidden_networks)), geography)
    found: dict[str, pl.Series] = {}
    for part in PARTS if events.height else ():
        needed = [name for name in wanted if part.answers(name)]
        if needed:
            answer = part.answer(asked, memory, needed, around)
            found |= {name: answer[name] for name in needed if name in answer.columns}
    missing = [name for name in RECALLED_DTYPES if name in wanted and name not in found]
    nothing = nulls_of(missing, RECALLED_DTYPES)
    known = asked.select("row").hstack(list(found.values())).with_columns(nothing)
    return known.select(name for name in RECALLED_DTYPES if name in wanted)


@lru_cache(maxsize=4)
def hidden_in(networks: tuple[str, ...]) -> Predicate | None:
    """Return what holds for addresses in any of these networks; None where there are none."""
    return in_networks(tuple(ip_network(text) for text in networks)) if networks else None


def _group(column: str) -> str:
    name = column.removeprefix(PREFIX)
    return "workload" if name.startswith("namespace.usual_") else name.partition(".")[0]
