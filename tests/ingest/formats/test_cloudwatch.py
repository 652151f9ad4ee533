from __future__ import annotations

import json
from typing import Any

import orjson
import pytest

from ingest.formats.envelopes import Item, open_envelope
from ingest.formats.origin import Origin
from ingest.normalize import NormalizeSettings, normalize
from ingest.record import Reason, Records
from ingest.salvage import salvage

WHO = (
    '{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"RequestResponse","auditID":"a-1",'
    '"stage":"ResponseComplete","requestURI":"/api/v1/pods","verb":"create",'
    '"user":{"username":"mallory"}'
)
EVENT = WHO + ',"stageTimestamp":"2026-11-21T10:46:06.669527Z"}'
AUDIT = "kube-apiserver-audit-0123"


def subscription(*messages: Any, **members: Any) -> dict[str, Any]:
    return {
        "messageType": "DATA_MESSAGE",
        "owner": "111122223333",
        "logGroup": "/aws/eks/prod/cluster",
        "logStream": AUDIT,
        "subscriptionFilters": ["all"],
        "logEvents": [{"id": "1", "timestamp": 1, "message": message} for message in messages],
    } | members


def opened(document: Any) -> list[Item]:
    items = open_envelope(document if isinstance(document, bytes) else orjson.dumps(document))
    assert items is not None
    return items


def test_messages_come_in_order_and_byte_for_byte() -> None:
    texts = ['{"a": 1 }\n', "\u00e9\u4e16\U0001f680", '{"b":"\\ud83d\\u0000"}', "", "plain"]
    assert [item.raw for item in opened(subscription(*texts))] == [text.encode() for text in texts]


@pytest.mark.parametrize(
    ("group", "cluster"),
    [
        ("/aws/eks/prod/cluster", "prod"),
        ("/aws/eks/Prod_1-x/cluster", "Prod_1-x"),
        ("/aws/containerinsights/prod/application", "prod"),
        ("/aws/eks//cluster", None),
        ("/aws/eks", None),
        ("/aws/lambda/eks", None),
        ("", None),
        (None, None),
        (5, None),
    ],
)
def test_the_group_names_the_cluster(group: Any, cluster: str | None) -> None:
    (item,) = opened(subscription(EVENT, logGroup=group))
    assert item.origin == Origin(cluster, "aws", "111122223333")


@pytest.mark.parametrize(
    ("group", "stream", "is_wanted"),
    [
        ("/aws/eks/prod/cluster", AUDIT, True),
        ("/aws/eks/prod/cluster", "kube-apiserver-0123", False),
        ("/aws/eks/prod/cluster", "kube-scheduler-0123", False),
        ("/aws/eks/prod/cluster", "kube-controller-manager-0123", False),
        ("/aws/eks/prod/cluster", "cloud-controller-manager-0123", False),
        ("/aws/eks/prod/cluster", "something-new-0123", False),
        ("/aws/containerinsights/prod/application", "falco-x.log", True),
        ("/our/own", "kube-scheduler-0123", False),
        ("/our/own", "audit", True),
        ("/aws/eks/prod/cluster", None, True),
    ],
)
def test_only_streams_that_may_hold_events_are_opened(
    group: str, stream: str | None, *, is_wanted: bool
) -> None:
    document = subscription(EVENT, EVENT, logGroup=group, logStream=stream)
    found = opened(document)
    assert len(found) == (2 if is_wanted else 1)
    assert all((item.refusal is None) == is_wanted for item in found)
    if not is_wanted:
        assert found[0].raw == orjson.dumps(document)
        assert found[0].reason is Reason.NOT_WANTED


def test_lines_of_the_authenticator_that_are_no_logfmt_are_not_wanted() -> None:
    lines = ['time="2026-11-21T10:46:01Z" level=info msg="access granted"', "W1121 reflector.go:1"]
    found = opened(subscription(*lines, logStream="authenticator-0123"))
    assert [item.refusal is None for item in found] == [True, False]


def test_a_control_message_is_not_wanted() -> None:
    control = subscription("CWL CONTROL MESSAGE: Checking", messageType="CONTROL_MESSAGE")
    (item,) = opened(control)
    assert item.reason is Reason.NOT_WANTED
    assert "control message" in (item.refusal or "")


def test_streams_of_an_answer_are_told_one_by_one() -> None:
    events = [
        {"logStreamName": stream, "message": EVENT, "timestamp": 5, "ingestionTime": 7}
        for stream in (AUDIT, "kube-scheduler-1", "authenticator-1", "other")
    ]
    found = opened({"events": events, "searchedLogStreams": []})
    assert [item.refusal is None for item in found] == [True, False, False, True]
    assert found[0].received_ms == 7
    assert found[0].origin == Origin(provider="aws")


def test_an_answer_of_one_stream_has_no_names_of_streams() -> None:
    events = [{"message": EVENT, "timestamp": 5, "ingestionTime": 7}]
    (item,) = opened({"events": events, "nextForwardToken": "f/1"})
    assert item.raw == EVENT.encode()


@pytest.mark.parametrize(
    "document",
    [
        {"logStreamName": AUDIT, "message": EVENT, "ingestionTime": 7},
        {"logGroup": "/aws/eks/prod/cluster", "logStream": AUDIT, "message": EVENT, "timestamp": 7},
        {"log_group": "/aws/eks/prod/cluster", "log_stream": AUDIT, "message": EVENT},
    ],
)
def test_an_event_may_stand_alone(document: dict[str, Any]) -> None:
    (item,) = opened(document)
    assert item.raw == EVENT.encode()
    assert item.received_ms in {7, None}


def test_an_event_alone_of_another_stream_is_not_wanted() -> None:
    (item,) = opened({"logStreamName": "kube-scheduler-1", "message": "I1121 x"})
    assert item.reason is Reason.NOT_WANTED


@pytest.mark.parametrize(
    ("time", "milliseconds"),
    [
        (1795257968601, 1795257968601),
        ("1795257968601", 1795257968601),
        ("2026-11-21T10:46:08.601Z", 1795257968601),
        ("2026-11-21T10:46:08.601", 1795257968601),
        ("yesterday", None),
        ("9" * 30, None),
        (2**70, None),
        (-5, None),
        (True, None),
        (1.5, None),
        ([], None),
        (None, None),
    ],
)
def test_a_time_has_several_forms(time: Any, milliseconds: int | None) -> None:
    document = json.dumps(subscription(logEvents=[{"message": EVENT, "timestamp": time}]))
    (item,) = opened(document.encode())
    assert item.received_ms == milliseconds
    assert item.raw == EVENT.encode()


@pytest.mark.parametrize("wrong", [5, "x", None, True, [1]])
def test_an_element_that_is_no_log_event_costs_itself_alone(wrong: Any) -> None:
    events = [{"message": EVENT}, wrong, {"message": EVENT}, {"id": "no message"}]
    found = opened(subscription(logEvents=events))
    assert [item.refusal is None for item in found] == [True, False, True, False]
    assert found[1].reason is Reason.NOT_AN_EVENT


def test_a_member_of_a_wrong_type_is_named() -> None:
    (item,) = opened(subscription(logEvents=[{"message": EVENT, "logStreamName": {"a": 1}}]))
    assert item.raw == EVENT.encode()
    assert item.issues == ("wrong-type:logStreamName",)


def test_events_that_are_no_list_are_refused() -> None:
    (item,) = opened(subscription(logEvents={"message": EVENT}))
    assert item.reason is Reason.NOT_AN_EVENT


def test_bytes_and_code_points_that_are_none_are_replaced_and_named() -> None:
    good = orjson.dumps(subscription(EVENT, "@@"))
    for bad, issues in (
        (b"\xff", [(), ("not-utf-8",)]),
        (b"\\ud800", [("malformed-json",), ("malformed-json",)]),
    ):
        found = opened(good.replace(b"@@", bad))
        assert [item.issues for item in found] == issues
        assert [item.raw.decode() for item in found] == [EVENT, "\ufffd"]


def test_what_is_left_of_a_cut_event_is_an_event() -> None:
    cut = WHO + ',"requestObject":{"kind":"Pod","spec":{"hostPID":tr[Truncated...]'
    (item,) = opened(subscription(cut))
    saved = salvage(item.raw)
    assert saved is not None
    assert orjson.loads(saved.raw) == orjson.loads(WHO + "}")
    chunk = Records("x", [orjson.dumps(subscription(cut))], [0])
    events = normalize([chunk], NormalizeSettings("default", is_default=True)).events
    assert events["user.name"].to_list() == ["mallory"]
    assert events["trailwarden.truncated"].to_list() == [True]
    assert events["orchestrator.cluster.name"].to_list() == ["prod"]


@pytest.mark.parametrize("place", range(20, 300, 7))
def test_a_mark_of_cloudwatch_after_any_byte_hides_nothing_before_it(place: int) -> None:
    cut = (WHO + ',"requestObject":{"a":"b","c":[1,{"d":null}]}' + "}" * 300)[: len(WHO) + place]
    saved = salvage(cut.encode() + b"[Truncated...]")
    assert saved is not None
    assert orjson.loads(saved.raw).items() >= orjson.loads(WHO + "}").items()


def test_a_configured_cluster_is_stronger_than_the_envelope() -> None:
    chunk = Records("x", [orjson.dumps(subscription(EVENT))], [0])
    events = normalize([chunk], NormalizeSettings("ours")).events
    assert events["orchestrator.cluster.name"].to_list() == ["ours"]
    assert events["cloud.account.id"].to_list() == ["111122223333"]
