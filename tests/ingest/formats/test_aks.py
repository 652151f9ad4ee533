from __future__ import annotations

from typing import Any

import orjson
import pytest

from ingest.formats.envelopes import Item, open_envelope
from ingest.formats.origin import Origin
from ingest.record import Reason

EVENT = '{"kind":"Event","auditID":"a-1"}'
ID = (
    "/SUBSCRIPTIONS/0B1F6471-1BF0-4DDA-AEC3-CB9272F09590/RESOURCEGROUPS/RG/PROVIDERS/"
    "MICROSOFT.CONTAINERSERVICE/MANAGEDCLUSTERS/PROD"
)
SUBSCRIPTION = "0b1f6471-1bf0-4dda-aec3-cb9272f09590"


def record(log: Any = EVENT, **members: Any) -> dict[str, Any]:
    return {
        "time": "2026-11-21T10:46:09.0000000Z",
        "resourceId": ID,
        "category": "kube-audit",
        "operationName": "Microsoft.ContainerService/managedClusters/diagnosticLogs/Read",
        "properties": {"log": log, "stream": "stdout", "pod": "kube-apiserver-1"},
    } | members


def opened(document: Any) -> list[Item]:
    items = open_envelope(document if isinstance(document, bytes) else orjson.dumps(document))
    assert items is not None
    return items


@pytest.mark.parametrize("category", ["kube-audit", "kube-audit-admin"])
def test_a_record_opens_alone_and_in_a_batch(category: str) -> None:
    one = record(category=category)
    expected = Item(EVENT.encode(), Origin("prod", "azure", SUBSCRIPTION), (), 1795257969000)
    assert opened(one) == [expected]
    assert opened({"records": [one, one]}) == [expected, expected]


@pytest.mark.parametrize("category", ["guard", "kube-apiserver", "cluster-autoscaler", "", 5, None])
def test_other_categories_are_not_wanted_and_never_parsed(category: Any) -> None:
    one = record(log="I1121 {not json", category=category)
    raw = orjson.dumps(one)
    for document in (raw, b'{"records":[' + raw + b"]}"):
        (item,) = opened(document)
        assert item.reason is Reason.NOT_WANTED
        assert item.raw == b'"I1121 {not json"'


@pytest.mark.parametrize(
    ("resource_id", "origin"),
    [
        (ID, Origin("prod", "azure", SUBSCRIPTION)),
        (ID.lower(), Origin("prod", "azure", SUBSCRIPTION)),
        (ID.replace("PROD", "Prod-Aks_1.x"), Origin("prod-aks_1.x", "azure", SUBSCRIPTION)),
        (ID.removeprefix("/"), Origin("prod", "azure", SUBSCRIPTION)),
        (ID + "/AGENTPOOLS/A", Origin("prod", "azure", SUBSCRIPTION)),
        (
            ID.replace("CONTAINERSERVICE/MANAGED", "KUBERNETES/CONNECTED"),
            Origin("prod", "azure", SUBSCRIPTION),
        ),
        ("/SUBSCRIPTIONS/A/RESOURCEGROUPS/B", Origin(None, "azure", "a")),
        ("/SUBSCRIPTIONS/", Origin(None, "azure")),
        ("nonsense", Origin(None, "azure")),
        (7, Origin(None, "azure")),
    ],
)
def test_the_id_names_cluster_and_subscription_without_case(
    resource_id: Any, origin: Origin
) -> None:
    (item,) = opened(record(resourceId=resource_id))
    assert item.origin == origin


def test_a_location_is_the_region() -> None:
    (item,) = opened(record(location="westeurope"))
    assert item.origin.region == "westeurope"


def test_the_log_may_be_parsed_already() -> None:
    assert opened(record(log={"kind": "Event", "auditID": "a-1"}))[0].raw == EVENT.encode()


def test_members_of_a_wrong_type_are_named() -> None:
    for document in (record(location=5), {"records": [record(location=5)]}):
        (item,) = opened(document)
        assert item.raw == EVENT.encode()
        assert item.issues == ("wrong-type:location",)


@pytest.mark.parametrize(
    "properties", [None, 5, "", "x", [], {}, {"log": 5}, {"log": None}, {"log": []}, {"log": True}]
)
def test_a_wanted_record_without_a_log_is_refused(properties: Any) -> None:
    (item,) = opened(record(properties=properties))
    assert item.reason is Reason.NOT_AN_EVENT


def test_what_is_cut_within_the_log_is_left_for_salvage() -> None:
    assert opened(record(log=EVENT[:-5]))[0].raw == EVENT[:-5].encode()


def test_a_batch_keeps_its_order_and_a_bad_record_costs_itself_alone() -> None:
    batch = {"records": [record(), record(category="guard"), {"category": "x"}, 7, record()]}
    found = opened(batch)
    assert [item.refusal is None for item in found] == [True, False, False, False, True]


def test_lone_surrogates_and_bad_bytes_cost_no_event() -> None:
    for bad in (b"\\ud800", b"\xff"):
        raw = orjson.dumps(record(log=EVENT + "@@")).replace(b"@@", bad)
        assert opened(raw)[0].raw.decode() == EVENT + "\ufffd"


@pytest.mark.parametrize("time", [None, "never", -5, [], "2026-13-99T00:00:00Z"])
def test_a_time_that_is_none_costs_nothing(time: Any) -> None:
    (item,) = opened(record(time=time))
    assert item.raw == EVENT.encode()
    assert item.received_ms is None
