from __future__ import annotations

import orjson
import pytest

from detectors.policy.audit_policy import AuditLevel, Stage
from detectors.policy.record_cut import (
    Record,
    audit_record,
    cut,
    request_of,
    stages_of,
)
from worker.settings import shipped_rules


def base(name: str) -> Record:
    record: Record = orjson.loads((shipped_rules() / "bases" / f"{name}.json").read_bytes())
    return record


def test_a_created_object_is_not_named_by_its_request() -> None:
    assert base("pod-create")["objectRef"]["name"]
    assert request_of(base("pod-create")).name == ""
    assert request_of(base("secret-patch")).name
    assert request_of(base("exec-spdy")).name


def test_a_failed_authentication_is_nobodys_and_one_event() -> None:
    record = base("unauthenticated-list")
    assert request_of(record).user is None
    assert stages_of(record) == (Stage.RESPONSE_STARTED,)


@pytest.mark.parametrize(
    ("name", "stages"),
    [
        ("pod-create", {"RequestReceived", "ResponseComplete"}),
        ("exec-websocket", {"RequestReceived", "ResponseStarted", "ResponseComplete"}),
    ],
)
def test_long_requests_have_a_stage_more(name: str, stages: set[str]) -> None:
    assert set(stages_of(base(name))) == stages
    watch = base("secrets-list") | {"verb": "watch"}
    assert Stage.RESPONSE_STARTED in stages_of(watch)
    assert set(stages_of(watch | {"stage": "Panic"})) == {
        "Panic",
        "RequestReceived",
        "ResponseStarted",
    }


def test_a_level_takes_bodies_away_and_leaves_the_record_alone() -> None:
    record = base("pod-create") | {"responseObject": {"kind": "Pod"}}
    before = orjson.dumps(record)
    complete = Stage.RESPONSE_COMPLETE
    bodies = {
        level: {"requestObject", "responseObject"} & cut(record, level, complete).keys()
        for level in AuditLevel
    }
    assert bodies == {
        AuditLevel.NONE: set(),
        AuditLevel.METADATA: set(),
        AuditLevel.REQUEST: {"requestObject"},
        AuditLevel.REQUEST_RESPONSE: {"requestObject", "responseObject"},
    }
    assert cut(record, AuditLevel.REQUEST, complete)["level"] == "Request"
    assert orjson.dumps(record) == before


def test_what_is_received_holds_no_answer() -> None:
    found = cut(base("pod-create"), AuditLevel.REQUEST_RESPONSE, Stage.REQUEST_RECEIVED)
    assert not {"responseStatus", "requestObject", "annotations"} & found.keys()
    assert found["stage"] == "RequestReceived"


def test_a_body_that_a_level_lets_through_is_not_missing() -> None:
    complete = Stage.RESPONSE_COMPLETE
    assert cut(base("secret-patch"), AuditLevel.REQUEST, complete)["requestObject"] == {}
    cut_off = base("secret-patch") | {"annotations": {"audit.k8s.io/truncated": "true"}}
    for record in (cut_off, base("secret-get"), base("exec-spdy"), base("secrets-list-denied")):
        assert "requestObject" not in cut(record, AuditLevel.REQUEST, complete)
    refused = base("clusterrolebinding-create-denied")
    assert "requestObject" not in cut(refused, AuditLevel.REQUEST, complete)


@pytest.mark.parametrize("raw", [b"{}", b"[]", b"sshd: Accepted", b'{"kind": "Event"}', b"\xff"])
def test_what_is_no_audit_event_is_none(raw: bytes) -> None:
    assert audit_record(raw) is None
