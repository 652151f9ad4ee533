"""What the tests of learned detectors share: an hour of ordinary work, and something strange."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import blake2b
from random import Random
from typing import TYPE_CHECKING

import polars as pl

from ingest.schema import DTYPES

if TYPE_CHECKING:
    from collections.abc import Sequence

START_US = int(datetime(2026, 11, 23, 9, 0, tzinfo=UTC).timestamp()) * 1_000_000
MINUTE_US = 60_000_000

PEOPLE = tuple(f"person-{n}@corp.example" for n in range(6))
ACCOUNTS = tuple(f"system:serviceaccount:team-{n % 3}:worker-{n}" for n in range(14))
VERBS = ("get", "list", "watch", "update")
RESOURCES = ("pods", "configmaps", "deployments")
QUIET_MINUTES = 50


@dataclass(frozen=True, slots=True)
class Act:
    """One event: when, of whom, what, from where."""

    at_us: int
    user: str | None = PEOPLE[0]
    action: str | None = "get"
    resource: str | None = "pods"
    namespace: str | None = "team-0"
    address: str | None = "10.1.0.7"
    agent: str | None = "kubectl"
    code: int = 200
    cluster: str = "c"
    groups: tuple[str, ...] = ("dev", "system:authenticated")
    number: int = 0

    @property
    def id(self) -> str:
        """What makes it itself."""
        return blake2b(repr(self).encode(), digest_size=16).hexdigest()


def frame(acts: Sequence[Act]) -> pl.DataFrame:
    rows = [
        {
            "event.id": act.id,
            "@timestamp": datetime.fromtimestamp(act.at_us / 1_000_000, UTC),
            "event.dataset": "kubernetes.audit",
            "event.action": act.action,
            "event.outcome": "success" if act.code < 400 else "failure",
            "http.response.status_code": act.code,
            "orchestrator.cluster.name": act.cluster,
            "orchestrator.namespace": act.namespace,
            "orchestrator.resource.type": act.resource,
            "user.name": act.user,
            "source.ip": act.address,
            "user_agent.name": act.agent,
            "kubernetes.audit.user.groups": list(act.groups),
            "kubernetes.audit.auditID": f"audit-{act.id[:6]}",
            "url.path": "/healthz" if act.resource is None else None,
        }
        for act in acts
    ]
    return pl.DataFrame(rows, DTYPES)


def at(minute: float) -> int:
    return START_US + round(minute * MINUTE_US)


def quiet(minutes: int = QUIET_MINUTES, seed: int = 7, cluster: str = "c") -> list[Act]:
    """Ordinary work: everybody does a few of their usual things each minute, in order of time."""
    chance = Random(seed)
    acts = []
    for minute in range(minutes):
        for n, user in enumerate((*PEOPLE, *ACCOUNTS)):
            is_person = n < len(PEOPLE)
            acts += [
                Act(
                    at(minute + chance.random()),
                    user,
                    chance.choice(VERBS[: 2 + n % 3]),
                    chance.choice(RESOURCES[: 1 + n % 3]),
                    f"team-{n % 3}",
                    f"10.1.{n}.7",
                    "kubectl" if is_person else f"worker-{n}",
                    200,
                    cluster,
                    _groups(n, chance) if is_person else (),
                    number,
                )
                for number in range(2 + is_person)
            ]
    return sorted(acts, key=_place)


def _groups(n: int, chance: Random) -> tuple[str, ...]:
    """Return a person's groups; the identity provider of one of them changes its mind."""
    team = "dev" if n % 2 else "ops"
    return (chance.choice(("dev", "ops")) if n == 3 else team, "system:authenticated")


def _place(act: Act) -> tuple[int, str]:
    return act.at_us, act.id


def strange(minute: float = QUIET_MINUTES + 2, many: int = 6, cluster: str = "c") -> list[Act]:
    """A known account's credential in other hands: other acts, from elsewhere, by another tool."""
    act = Act(
        at(minute), ACCOUNTS[0], "exec", "pods", "kube-system", "192.0.2.9", "curl", cluster=cluster
    )
    kinds = (
        ("exec", "pods"),
        ("list", "secrets"),
        ("create", "clusterrolebindings"),
        ("delete", "namespaces"),
        ("approve", "certificatesigningrequests"),
        ("create", "daemonsets"),
    )
    return [
        replace(act, at_us=act.at_us + n * 1_000_000, action=action, resource=resource)
        for n, (action, resource) in enumerate(kinds[:many])
    ]


def hour(cluster: str = "c") -> list[Act]:
    """Quiet work with something strange near its end, in order of time."""
    acts = [*quiet(QUIET_MINUTES + 6, cluster=cluster), *strange(cluster=cluster)]
    return sorted(acts, key=_place)
