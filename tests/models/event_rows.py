"""Events for tests of models: a few columns a row, the rest of the schema null."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

import polars as pl

from ingest.schema import DTYPES

MONDAY = datetime(2026, 11, 16, 8, 0, tzinfo=UTC)


def event_frame(rows: Iterable[Mapping[str, object]]) -> pl.DataFrame:
    """Return rows under the event's schema; each gets an id of its own if it has none."""
    numbered = [{"event.id": f"e{n:06}", **row} for n, row in enumerate(rows)]
    return pl.DataFrame(numbered, schema=DTYPES)


def request(
    after_s: float, user: str | None, action: str, resource: str, **more: object
) -> dict[str, object]:
    """Return one request to an API server, so many seconds after Monday's eight o'clock."""
    named = {name.replace("__", "."): value for name, value in more.items()}
    return {
        "@timestamp": MONDAY + timedelta(seconds=after_s),
        "event.action": action,
        "event.outcome": "success",
        "event.dataset": "kubernetes.audit",
        "orchestrator.cluster.name": "prod",
        "orchestrator.namespace": "shop",
        "orchestrator.resource.type": resource,
        "orchestrator.resource.name": "web",
        "user.name": user,
        "source.ip": "10.1.2.3",
        "user_agent.name": "kubectl",
        "http.response.status_code": 200,
        "trailwarden.identity.type": "human",
        "trailwarden.credential.id": "JTI=1",
        **named,
    }


def quiet_time(hours: float = 2.0, people: int = 6, seed: int = 1) -> list[dict[str, object]]:
    """Return ordinary work: people who read, write a little, each from one network."""
    chance = random.Random(seed)
    rows = []
    for person in range(people):
        for _ in range(int(hours * 60)):
            action, resource = chance.choice(
                [("get", "pods"), ("list", "pods"), ("get", "configmaps"), ("patch", "services")]
            )
            address = f"10.1.{person}.{chance.randrange(1, 9)}"
            after_s = chance.uniform(0, hours * 3_600)
            rows.append(request(after_s, f"person-{person}", action, resource, source__ip=address))
    return rows


def break_in(after_s: float, count: int = 40) -> list[dict[str, object]]:
    """Return what person-0 never did: secrets of all namespaces and commands, from elsewhere."""
    found = []
    for n in range(count):
        action, resource = ("exec", "pods") if n % 2 else ("list", "secrets")
        found.append(
            request(
                after_s + n,
                "person-0",
                action,
                resource,
                source__ip="203.0.113.9",
                user_agent__name="curl",
                orchestrator__namespace=None,
                orchestrator__resource__name=f"name-{n}",
                kubernetes__audit__auditID=f"bad-{n}",
                kubernetes__audit__stage="ResponseComplete",
                kubernetes__audit__requestURI=f"/bad/{n}",
            )
        )
    return found
