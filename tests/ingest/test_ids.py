from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Any

import pytest

from ingest.canonical_time import canonical_time, parse_time
from ingest.ids import finding_id, workload_act_id
from ingest.normalize import Normalized

Build = Callable[..., dict[str, Any]]
Run = Callable[..., Normalized]
Row = Callable[..., dict[str, Any]]


def test_golden_ids(build: Build, row: Row) -> None:
    """Stores, links and replays rest on these: they change with a schema version, never so."""
    found = row(build())
    assert found["event.id"] == "3756d781b4fd03bad154be94072428a7"
    assert found["trailwarden.act.id"] == "017bb5ed8272ddd0e41a371475ea1f3f"
    act = workload_act_id(
        "blue", "shop", ("Deployment", "web"), "2026-11-21", ["privileged=true", "host_pid=true"]
    )
    assert act == "da9f8726d5367f5457ed77d3abbf2c6b"
    assert (
        finding_id("rule-1", "blue", found["trailwarden.act.id"])
        == "13133bd4a0c507f5b0e7944b850485aa"
    )


def test_an_id_is_a_hash_of_length_prefixed_fields(row: Row, build: Build) -> None:
    """Written out once more, so that other programs can work out the same."""
    received, staged = "2026-11-21T10:46:08.594628Z", "2026-11-21T10:46:08.601113Z"
    uri = "/api/v1/namespaces/shop/pods?fieldManager=kubectl-create"
    audit_id = "b7a1a4c5-0000-4000-8000-00000000000a"
    act = f"4:blue;36:{audit_id};27:{received};4:jane;6:create;{len(uri)}:{uri};"
    event = f"{act}16:ResponseComplete;27:{staged};"
    found = row(build())
    for name, text in (("trailwarden.act.id", act), ("event.id", event)):
        person = b"tw.act" if "act" in name else b"tw.event"
        assert found[name] == blake2b(text.encode(), digest_size=16, person=person).hexdigest()


@pytest.mark.parametrize(
    ("received", "staged"),
    [
        ("2026-11-21T10:46:08.594628+00:00", "2026-11-21T10:46:08.601113+00:00"),
        ("2026-11-21T10:46:08.594628000Z", "2026-11-21T10:46:08.601113999Z"),
        ("2026-11-21T12:46:08.594628+02:00", "2026-11-20T22:46:08.601113-12:00"),
        ("2026-11-21T10:46:08.594628", "2026-11-21T10:46:08.601113"),
        ("2026-11-21t10:46:08.594628z", "2026-11-21 10:46:08.601113Z"),
        ("2026-11-21T10:46:08,594628Z", "2026-11-21T10:46:08.601113-00:00"),
    ],
)
def test_an_id_does_not_change_with_the_spelling_of_a_time(
    build: Build, row: Row, received: str, staged: str
) -> None:
    plain = row(build())
    other = row(build(requestReceivedTimestamp=received, stageTimestamp=staged))
    for column in ("event.id", "trailwarden.act.id", "@timestamp", "event.start"):
        assert other[column] == plain[column]
    assert other["trailwarden.parse.issues"] is None


@pytest.mark.parametrize(
    "changed",
    [
        {"auditID": "another"},
        {"verb": "update"},
        {"requestURI": "/api/v1/namespaces/shop/pods"},
        {"user": {"username": "joe"}},
        {"requestReceivedTimestamp": "2026-11-21T10:46:08.594629Z"},
        {"requestReceivedTimestamp": "garbage"},
    ],
)
def test_each_field_of_an_act_changes_both_ids(
    build: Build, row: Row, changed: dict[str, Any]
) -> None:
    plain, other = row(build()), row(build(**changed))
    assert other["event.id"] != plain["event.id"]
    assert other["trailwarden.act.id"] != plain["trailwarden.act.id"]


@pytest.mark.parametrize(
    "changed", [{"stage": "ResponseStarted"}, {"stageTimestamp": "2026-11-21T10:46:09.000000Z"}]
)
def test_stages_of_one_act_share_its_id(build: Build, row: Row, changed: dict[str, str]) -> None:
    plain, other = row(build()), row(build(**changed))
    assert other["trailwarden.act.id"] == plain["trailwarden.act.id"]
    assert other["event.id"] != plain["event.id"]


def test_another_cluster_has_other_ids(build: Build, row: Row) -> None:
    blue, green = row(build(), cluster="blue"), row(build(), cluster="green")
    assert blue["event.id"] != green["event.id"]
    assert blue["trailwarden.act.id"] != green["trailwarden.act.id"]


def test_what_is_no_part_of_an_act_changes_no_id(build: Build, row: Row) -> None:
    plain = row(build())
    other = row(
        build(userAgent="curl/8", sourceIPs=["10.0.0.1"], requestObject=None, annotations={})
    )
    assert other["event.id"] == plain["event.id"]


def test_a_reused_audit_id_gives_different_events(build: Build, run: Run) -> None:
    """The client chooses the Audit-ID, and could else have an act dropped as a repeat."""
    events = run(
        build(),
        build(requestURI="/api/v1/namespaces/kube-system/secrets", verb="list"),
        build(user={"username": "eve"}),
        build(stageTimestamp="2026-11-21T10:46:08.601114Z"),
    ).events
    assert events["event.id"].n_unique() == 4
    assert events["kubernetes.audit.auditID"].n_unique() == 1


def test_the_recorded_spoofed_audit_ids_are_different_events(
    example: Callable[[str], dict[str, Any]], build: Build, run: Run
) -> None:
    spoofed = example("audit_id_spoofed")
    events = run(spoofed, build(auditID=spoofed["auditID"])).events
    assert events["event.id"].n_unique() == 2


def test_no_value_counts_as_an_empty_one(build: Build, row: Row) -> None:
    """A failed login has `user: {}`; shippers write that as `""` or leave it out."""
    ids = {
        row(build(user=user))["event.id"]
        for user in ({}, {"username": ""}, {"username": None}, None)
    }
    assert len(ids) == 1


def test_fields_cannot_flow_into_each_other(build: Build, row: Row) -> None:
    one = row(build(auditID="a", verb="bc", requestURI="/d"))
    other = row(build(auditID="ab", verb="c", requestURI="/d"))
    forged = row(build(auditID="a;2:bc", verb="", requestURI="/d"))
    assert len({found["event.id"] for found in (one, other, forged)}) == 3
    assert workload_act_id("c", "a", ("bc", "d"), "", []) != workload_act_id(
        "c", "ab", ("c", "d"), "", []
    )
    assert finding_id("ab", "c", "d") != finding_id("a", "bc", "d")


def test_ids_do_not_depend_on_the_redaction_key(build: Build, row: Row) -> None:
    secret = build(requestURI="/api/v1/namespaces/a/pods/p/exec?command=--password&command=hunter2")
    one, other = row(secret, key=b"one"), row(secret, key=b"other")
    assert one["kubernetes.audit.requestURI"] != other["kubernetes.audit.requestURI"]
    assert one["event.id"] == other["event.id"]


def test_a_workload_act_does_not_depend_on_the_order_of_what_matched() -> None:
    root = ("DaemonSet", "miner")
    one = workload_act_id("c", "n", root, "2026-11-21", ["a=1", "b=2"])
    assert one == workload_act_id("c", "n", root, "2026-11-21", ["b=2", "a=1"])
    assert one != workload_act_id("c", "n", root, "2026-11-22", ["a=1", "b=2"])
    assert one != workload_act_id("c", "n", root, "2026-11-21", ["a=1"])
    assert workload_act_id("c", None, root, "", []) == workload_act_id("c", "", root, "", [])


@pytest.mark.parametrize("text", ["", "garbage", "2026-13-01T00:00:00Z", "1700000000", "24:00"])
def test_what_is_no_time_stays_as_it_is(text: str) -> None:
    assert parse_time(text) is None
    assert canonical_time(text) == text


def test_years_keep_four_digits() -> None:
    assert canonical_time("0001-01-01T00:00:00Z") == "0001-01-01T00:00:00.000000Z"
    assert canonical_time("9999-12-31T23:59:59.9999999Z") == "9999-12-31T23:59:59.999999Z"


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_time_outside_of_all_years_is_none(text: str) -> None:
    assert parse_time(text) is None
