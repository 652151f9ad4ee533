"""The closed list of what the entity memory knows, and how each kind of knowledge ages.

Separate because extraction, memory, enrichment and printing all speak of the same relations; a
stored row names one by its number, so the list is only ever appended to.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping

JOINT: Final = "\n"
"""Between the parts of an object that is a list: no name, address or path of an image has it."""

NOTHING: Final = "-"
"""An object that says: known, and there is none."""

GONE_PREFIX: Final = "-"
"""Before a member of a set that is no longer one; no name in Kubernetes begins so."""


class Relation(StrEnum):
    """What a fact says of its subject; in the order of their numbers."""

    POD_UID = "pod-uid"
    POD_ADDRESS = "pod-address"
    POD_NODE = "pod-node"
    POD_OWNER = "pod-owner"
    POD_SERVICE_ACCOUNT = "pod-service-account"
    POD_IMAGE = "pod-image"
    POD_DIGEST = "pod-digest"
    POD_SPEC = "pod-spec"
    POD_AUTHOR = "pod-author"
    OWNER_OWNER = "owner-owner"
    OWNER_AUTHOR = "owner-author"
    NODE_ADDRESS = "node-address"
    IDENTITY_CALL = "identity-call"
    IDENTITY_CREDENTIAL = "identity-credential"
    IDENTITY_ADDRESS = "identity-address"
    IDENTITY_NETWORK = "identity-network"
    IDENTITY_AGENT = "identity-agent"
    CREDENTIAL_ADDRESS = "credential-address"
    CREDENTIAL_MINTED_BY = "credential-minted-by"
    CREDENTIAL_MINTED_FOR = "credential-minted-for"
    BINDING_ROLE = "binding-role"
    BINDING_SUBJECT = "binding-subject"
    ROLE_RULE = "role-rule"
    ROLE_AGGREGATES = "role-aggregates"
    NAMESPACE_AUTHOR = "namespace-author"
    NAMESPACE_POLICY = "namespace-policy"
    SECRET_READER = "secret-reader"  # noqa: S105 - the name of a relation
    POD_DEBUGGER = "pod-debugger"
    IDENTITY_ORIGIN = "identity-origin"
    NAMESPACE_CPUS = "namespace-cpus"
    NAMESPACE_GPUS = "namespace-gpus"
    NAMESPACE_REPLICAS = "namespace-replicas"
    POD_SESSION = "pod-session"
    PROCESS_PARENT = "process-parent"
    AUDIT_SEEN = "audit-seen"
    AUDIT_EXEC = "audit-exec"


class Manner(StrEnum):
    """How objects of one subject relate to each other."""

    STATE = "state"
    """One at a time: a fact replaces the one before; the object ``""`` ends it."""
    OBSERVED = "observed"
    """Many at once: each was seen from a first to a last time."""
    SET = "set"
    """Members that come and go: ``name`` joins, ``-name`` leaves, ``""``: all have left."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How the rows of a relation behave and age.

    Attributes
    ----------
    keep
        How long a row counts after it was last confirmed.
    gap
        A fact so long after the last of its like begins a row of its own.
    grain
        Confirmations are noted once in so long a time, so that a row is written seldom.
    """

    manner: Manner
    keep: timedelta
    gap: timedelta
    grain: timedelta


AUDIT_SILENCE: Final = timedelta(minutes=5)
"""An API server that answers its own nodes is never quiet for so long."""

_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
_LIFE: Final = timedelta(days=30)
"""Of pods, and of what was seen of credentials: nodes are drained and certificates renewed sooner
than they fall silent for so long."""
_HABIT: Final = timedelta(days=90)
"""Of identities: a quarter, so that what is done once a month is no news."""
_FOREVER: Final = timedelta(days=36_500)
"""Of what holds until it is changed, and is never said again."""

_POD: Final = Kind(Manner.STATE, _LIFE, _LIFE, _HOUR)
_SAID_ONCE: Final = Kind(Manner.STATE, _FOREVER, _FOREVER, timedelta(days=1))
_OBSERVED: Final = Kind(Manner.OBSERVED, _HABIT, _HABIT, _HOUR)
_DEMAND: Final = Kind(Manner.OBSERVED, _LIFE, _LIFE, timedelta(days=1))

KINDS: Final[Mapping[Relation, Kind]] = MappingProxyType(
    {
        Relation.POD_UID: _POD,
        Relation.POD_ADDRESS: _POD,
        Relation.POD_NODE: _POD,
        Relation.POD_OWNER: _POD,
        Relation.POD_SERVICE_ACCOUNT: _POD,
        Relation.POD_IMAGE: _POD,
        Relation.POD_DIGEST: _POD,
        Relation.POD_SPEC: _POD,
        Relation.POD_AUTHOR: _POD,
        Relation.POD_DEBUGGER: _POD,
        Relation.OWNER_OWNER: Kind(Manner.STATE, _HABIT, _HABIT, _HOUR),
        Relation.OWNER_AUTHOR: Kind(Manner.STATE, 4 * _HABIT, 4 * _HABIT, _HOUR),
        Relation.NODE_ADDRESS: _POD,
        # An interval of calls ends after a day without any: dormancy is the time between two.
        Relation.IDENTITY_CALL: Kind(Manner.OBSERVED, 4 * _HABIT, timedelta(days=1), _HOUR),
        Relation.IDENTITY_CREDENTIAL: _OBSERVED,
        Relation.IDENTITY_ADDRESS: _OBSERVED,
        Relation.IDENTITY_NETWORK: _OBSERVED,
        Relation.IDENTITY_AGENT: _OBSERVED,
        Relation.CREDENTIAL_ADDRESS: Kind(Manner.OBSERVED, _LIFE, _LIFE, _HOUR),
        Relation.CREDENTIAL_MINTED_BY: Kind(Manner.STATE, _LIFE, _LIFE, _HOUR),
        Relation.CREDENTIAL_MINTED_FOR: Kind(Manner.STATE, _LIFE, _LIFE, _HOUR),
        Relation.BINDING_ROLE: _SAID_ONCE,
        Relation.BINDING_SUBJECT: _SAID_ONCE,
        Relation.ROLE_RULE: _SAID_ONCE,
        Relation.ROLE_AGGREGATES: _SAID_ONCE,
        Relation.NAMESPACE_AUTHOR: _SAID_ONCE,
        Relation.NAMESPACE_POLICY: Kind(Manner.SET, _FOREVER, _FOREVER, timedelta(days=1)),
        Relation.SECRET_READER: _OBSERVED,
        # Who flies halfway round the world is there within a day: what is older tells no journey.
        Relation.IDENTITY_ORIGIN: Kind(
            Manner.STATE, timedelta(days=1), timedelta(days=1), timedelta(minutes=5)
        ),
        Relation.NAMESPACE_CPUS: _DEMAND,
        Relation.NAMESPACE_GPUS: _DEMAND,
        Relation.NAMESPACE_REPLICAS: _DEMAND,
        # Whoever is inside for longer than a day was lost from sight.
        Relation.POD_SESSION: Kind(Manner.SET, _DAY, _DAY, _HOUR),
        Relation.PROCESS_PARENT: Kind(Manner.STATE, _DAY, _DAY, _HOUR),
        # After five minutes without any event an interval ends: the log was not alive meanwhile.
        Relation.AUDIT_SEEN: Kind(Manner.STATE, _LIFE, AUDIT_SILENCE, timedelta(minutes=1)),
        Relation.AUDIT_EXEC: Kind(Manner.STATE, _LIFE, _LIFE, _HOUR),
    }
)

NUMBERS: Final[Mapping[Relation, int]] = MappingProxyType(
    {relation: number for number, relation in enumerate(Relation)}
)
OF_PODS: Final = (
    Relation.POD_UID,
    Relation.POD_ADDRESS,
    Relation.POD_NODE,
    Relation.POD_OWNER,
    Relation.POD_SERVICE_ACCOUNT,
    Relation.POD_IMAGE,
    Relation.POD_DIGEST,
    Relation.POD_SPEC,
    Relation.POD_AUTHOR,
    Relation.POD_DEBUGGER,
)
"""What is forgotten together, a day after a pod has ended."""


def _seconds(times: list[timedelta]) -> pl.Series:
    return pl.Series([time // timedelta(seconds=1) for time in times], dtype=pl.Int64)


KEEP_S: Final = _seconds([KINDS[relation].keep for relation in Relation])
GAP_S: Final = _seconds([KINDS[relation].gap for relation in Relation])
GRAIN_S: Final = _seconds([KINDS[relation].grain for relation in Relation])
"""By number of the relation, to be gathered by a column of them."""


def numbered(manner: Manner) -> list[int]:
    """Return the numbers of all relations of a manner."""
    return [NUMBERS[relation] for relation in Relation if KINDS[relation].manner is manner]
