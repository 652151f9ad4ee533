"""F10: hostile messages through real Kafka cost themselves and nobody else."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.faults.harness import dose, harness
from tests.faults.oracle import judge
from tests.faults.planted import Planted, Shares, Verdict, base, time_text
from tests.faults.sender import Sender

pytestmark = pytest.mark.integration

OPEN, CLOSE = b"[", b"]"


def event(**members: Any) -> dict[str, Any]:
    """Return an event that is well apart from all others by its auditID."""
    now = time_text(datetime.now(UTC))
    found = {**base("pod-get-by-node"), "requestReceivedTimestamp": now, "stageTimestamp": now}
    return {**found, **members}


def text(**members: Any) -> bytes:
    return json.dumps(event(**members)).encode()


def refused() -> list[bytes]:
    """Return what can be no event: each must be in quarantine, once."""
    return [
        b"",
        b" ",
        b"\n",
        b"\x00",
        b"\xff\xfe{\x00}\x00",
        b"\xef\xbb\xbf",
        b"null",
        b"true",
        b"17",
        b"-0",
        b"1e999",
        b"NaN",
        b'"a string"',
        b"{}",
        b"[]",
        b"[[]]",
        b"[17]",
        b"{",
        b"}",
        b"{]",
        b'{"kind"',
        b'{"kind":',
        b'{"kind":"Event"',
        b'{"kind":"Secret","apiVersion":"v1"}',
        OPEN * 100_000,
        OPEN * 5_000 + CLOSE * 5_000,
        b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
        b"<html>502 Bad Gateway</html>",
        b"I1121 11:08:40.123456 1 server.go:12] klog line",
        b"\x1f\x8b\x08\x00 not gzip",
        b"PAR1",
        bytes(range(256)),
        b"\xed\xa0\x80",
    ]


def evaluated() -> list[bytes]:
    """Return what is odd and still an event: each must be in archive and index."""
    plain = json.dumps(event(auditID="o1"))
    whole = text(auditID="cut")
    return [
        whole[: len(whole) // 2] + b"\x00" * 20,
        text(auditID="o2", user="not an object"),
        text(auditID="o3", user={"username": ["a", "list"]}),
        text(auditID="o4", verb=17),
        text(auditID="o5", sourceIPs="10.0.0.1"),
        text(auditID="o6", sourceIPs=["not an address", None, 7]),
        text(auditID="o7", responseStatus={"code": "200"}),
        text(auditID="o8", responseStatus={"code": 1e300}),
        text(auditID="o9", objectRef=[]),
        text(auditID="o10", annotations={"a": 1, "b": {"c": None}}),
        text(auditID="o11", userAgent="a" * 33_000),
        text(auditID="o12", requestURI="/" + "\u202e\u0000\r\n" * 50),
        text(auditID="o13", stageTimestamp="9999-12-31T23:59:59.999999999Z"),
        text(auditID="o14", stageTimestamp="0001-01-01T00:00:00Z"),
        text(auditID="o15", stageTimestamp="garbage", requestReceivedTimestamp=None),
        text(auditID="o16", requestObject={"a" * 600: {"b": [1, "c", {"d": None}]}}),
        text(auditID="o17", user={"username": "\ud83d\ude00 name", "groups": [1, None]}),
        text(auditID="x" * 5_000),
        plain.replace('"verb"', '"verb":"delete","verb"', 1).encode(),
        b"\n\n" + json.dumps(event(auditID="o18")).encode() + b"\n\n",
    ]


def test_each_hostile_message_is_refused_or_evaluated_and_its_neighbours_are_in_place(
    tmp_path: Path, kafka: str, elasticsearch_url: str
) -> None:
    cases = [
        *((value, Verdict.BAD) for value in refused()),
        *((value, Verdict.EVENT) for value in evaluated()),
    ]
    with (
        harness(tmp_path, kafka, elasticsearch_url, worker={"quarantine_share": 1.0}) as world,
        world.fleet() as fleet,
    ):
        with Sender(world.connection, world.settings.kafka.raw_topic) as sender:
            for value, verdict in cases:
                for planted in (
                    world.planter.record(datetime.now(UTC)),
                    Planted("berlin", value, verdict),
                    world.planter.record(datetime.now(UTC)),
                ):
                    sender.send(planted)
        fleet.start("one")
        world.drain(fleet)
        fleet.stop_all()
        verdicts = judge(world.settings, world.client, sender.sent)
    print(f"{len(cases)} hand-made cases")
    assert verdicts.quarantined >= len(refused())
    assert fleet.deaths == []


def test_a_hundredth_of_bad_records_leaves_all_others_alone(
    tmp_path: Path, kafka: str, elasticsearch_url: str
) -> None:
    with harness(
        tmp_path, kafka, elasticsearch_url, shares=Shares(bad=10), worker={"batch_records": 10_000}
    ) as world:
        with Sender(world.connection, world.settings.kafka.raw_topic) as sender:
            for _ in range(dose(20_000, 1_000_000)):
                sender.send(world.planter.record(datetime.now(UTC)))
        with world.fleet() as fleet:
            fleet.start("one")
            world.drain(fleet, dose(120, 1_200))
            fleet.stop_all()
        verdicts = judge(world.settings, world.client, sender.sent)
    assert verdicts.quarantined >= verdicts.records // 200
    assert fleet.deaths == []
