"""Events become what the memory knew of them at their own time, under RECALLED.

Separate from the memory because it is a function of both: an event is asked about as of just before
it happened, so that what came of it, or of later events of its batch, is no news to it.
"""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING, Final

import polars as pl

from detectors.entities.recall_caller import caller_columns
from detectors.entities.recall_change import policy_columns, rights_columns
from detectors.entities.recall_target import target_columns
from detectors.entities.recalled import PREFIX, RECALLED_DTYPES
from detectors.sigma.addresses import in_networks

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

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
}
"""What of an event questions are made of, by short names; besides its number and time."""


def recalled_of(
    events: pl.DataFrame,
    memory: EntityMemory,
    wanted: Collection[str] = tuple(RECALLED_DTYPES),
    hidden_networks: Sequence[str] = (),
) -> pl.DataFrame:
    """Return the columns of RECALLED for events of the memory's cluster, a row for each.

    Parameters
        events: under EVENT_SCHEMA, each with a time; all facts before them are in the memory.
        wanted: columns that are needed; the others are null, and cost nothing.
        hidden_networks: networks whose addresses stand for others (a proxy, a NAT), so that they do
            not tell where a call came from. Not the private networks: pods are in them.
    """
    time = pl.col("@timestamp").to_physical().alias("time")
    asked = events.select(
        time, *(pl.col(name).alias(short) for short, name in ASKED.items())
    ).with_row_index("row")
    groups = {_group(name) for name in wanted} if events.height else set()
    parts = []
    if groups & {"token_pod", "token_off_pod", "credential", "identity", "dormant_days"}:
        parts.append(caller_columns(asked, memory, hidden_in(tuple(hidden_networks))))
    if groups & {"target_pod", "pod_author", "node_off"}:
        parts.append(target_columns(asked, memory))
    if "rbac" in groups:
        parts.append(rights_columns(asked, memory))
    if "namespace" in groups:
        parts.append(policy_columns(asked, memory))
    found = {name: column for part in parts for name, column in part.to_dict().items()}
    return pl.DataFrame(
        {
            name: found.get(name, pl.Series([None], dtype=dtype).new_from_index(0, events.height))
            for name, dtype in RECALLED_DTYPES.items()
        },
        schema=RECALLED_DTYPES,
    )


def hidden_in(networks: tuple[str, ...]) -> Predicate | None:
    """Return what holds for addresses in any of these networks; None where there are none."""
    return in_networks(tuple(ip_network(text) for text in networks)) if networks else None


def _group(column: str) -> str:
    return column.removeprefix(PREFIX).partition(".")[0]
