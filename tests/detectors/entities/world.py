"""What the tests of entities share: events by a few words, facts by fewer, an oracle that rereads.

The oracle keeps facts alone, and goes through all of them for every question.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any

import polars as pl

from detectors.entities.facts import FACTS
from detectors.entities.relation import KINDS, NUMBERS, Manner, Relation
from ingest.schema import DTYPES

START = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
START_US = int(START.timestamp()) * 1_000_000
SECOND = 1_000_000
HOUR = 3_600 * SECOND
DAY = 24 * HOUR

NAMES = {
    "cluster": "orchestrator.cluster.name",
    "action": "event.action",
    "type": "orchestrator.resource.type",
    "namespace": "orchestrator.namespace",
    "name": "orchestrator.resource.name",
    "uid": "orchestrator.resource.id",
    "subresource": "kubernetes.audit.objectRef.subresource",
    "user": "user.name",
    "address": "source.ip",
    "agent": "user_agent.name",
    "credential": "trailwarden.credential.id",
    "issued": "trailwarden.credential.issued_id",
    "token_pod": "trailwarden.token.pod.name",
    "token_uid": "trailwarden.token.pod.uid",
    "owner": "trailwarden.object.owner",
    "images": "trailwarden.pod_spec.images",
    "privileged": "trailwarden.pod_spec.privileged",
    "host_paths": "trailwarden.pod_spec.host_paths",
    "service_account": "trailwarden.pod_spec.service_account",
    "addresses": "trailwarden.pod.addresses",
    "host_address": "trailwarden.pod.host_address",
    "node": "trailwarden.pod.node",
    "pod_uid": "trailwarden.pod.uid",
    "role": "trailwarden.rbac.role_ref",
    "subjects": "trailwarden.rbac.subjects",
    "rules": "trailwarden.rbac.rules",
    "aggregates": "trailwarden.rbac.aggregates_to",
    "patch": "trailwarden.patch.type",
    "outcome": "event.outcome",
    "dry_run": "trailwarden.dry_run",
    "dataset": "event.dataset",
}
REPLICASETS = "system:serviceaccount:kube-system:replicaset-controller"


def event(at_s: float, **said: Any) -> dict[str, Any]:
    """Return an event of a time, by the short names above."""
    values = {"cluster": "c", "action": "get", "outcome": "success", "dataset": "kubernetes.audit"}
    told = {NAMES[name]: value for name, value in (values | said).items()}
    user = said.get("user") or ""
    kind = "service_account" if user.startswith("system:serviceaccount:") else "human"
    if user.startswith("system:node:"):
        kind = "node"
        told["trailwarden.identity.node.name"] = user.removeprefix("system:node:")
    if user.startswith("system:serviceaccount:kube-system:") and user.endswith("-controller"):
        kind = "controller"
    if user.startswith("system:serviceaccount:"):
        told["trailwarden.identity.service_account.namespace"] = user.split(":")[2]
    text = f"{at_s} {sorted(told.items())}"
    return {
        "@timestamp": START + timedelta(seconds=at_s),
        "event.id": blake2b(text.encode(), digest_size=16).hexdigest(),
        "trailwarden.identity.type": kind if user else None,
        **told,
    }


def frame(events: list[dict[str, Any]]) -> pl.DataFrame:
    """Return events under EVENT_SCHEMA."""
    return pl.DataFrame(events, schema=DTYPES)


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact, with the time it became known."""

    relation: Relation
    subject: str
    what: str
    time: int
    event: str = ""

    @property
    def order(self) -> tuple[int, str, str]:
        """Where it stands in the sequence."""
        return self.time, self.what, self.event


def fact_frame(facts: list[Fact], cluster: str = "c") -> pl.DataFrame:
    """Return facts under FACTS, in their sequence."""
    rows = [
        (cluster, NUMBERS[f.relation], f.subject, f.what, f.time, f.time, f.event)
        for f in sorted(facts, key=lambda fact: fact.order)
    ]
    return pl.DataFrame(rows, schema=FACTS, orient="row")


@dataclass(slots=True)
class Span:
    """An object, from when on, and when it was confirmed last, by the grain of its relation."""

    what: str
    since: int
    last_s: int


def spans(facts: list[Fact], relation: Relation, subject: str, before: int) -> list[Span]:
    """Return all that was said of a subject before a time, in order."""
    kind = KINDS[relation]
    grain_s, gap_s = kind.grain // timedelta(seconds=1), kind.gap // timedelta(seconds=1)
    found: list[Span] = []
    newest: dict[str, Span] = {}
    own = [f for f in facts if f.relation is relation and f.subject == subject and f.time < before]
    for fact in sorted(own, key=lambda fact: fact.order):
        part = fact.what if kind.manner is Manner.OBSERVED else ""
        stamp_s = fact.time // SECOND // grain_s * grain_s
        was = newest.get(part)
        ends = fact.what == "" and kind.manner is Manner.STATE
        if ends and (was is None or was.what == ""):
            continue
        if was and was.what == fact.what and fact.time // SECOND - was.last_s <= gap_s:
            was.last_s = was.last_s if ends else max(was.last_s, stamp_s)
            continue
        newest[part] = Span(fact.what, fact.time, stamp_s)
        found.append(newest[part])
    return found


def alive(one: Span, relation: Relation, time: int) -> bool:
    """Return whether it is not forgotten at a time."""
    return one.last_s + KINDS[relation].keep // timedelta(seconds=1) >= time / SECOND


def what_was(facts: list[Fact], relation: Relation, subject: str, time: int) -> str | None:
    """Return what was so of a subject just before a time."""
    found = spans(facts, relation, subject, time)
    return found[-1].what if found and alive(found[-1], relation, time) else None


def all_seen(facts: list[Fact], relation: Relation, subject: str, time: int) -> set[str]:
    """Return with what a subject was seen before a time, as far as it is not forgotten."""
    return {one.what for one in spans(facts, relation, subject, time) if alive(one, relation, time)}
