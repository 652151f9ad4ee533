"""Records of every framing and of none become events, or are refused with a reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from ingest.formats.lenient import load, mend
from ingest.normalize import Normalized, NormalizeSettings, normalize
from ingest.record import Reason, Records, Salvage, Stage, sha256_hex

Build = Callable[..., dict[str, Any]]
Run = Callable[..., Normalized]
Row = Callable[..., dict[str, Any]]

ISSUES = "trailwarden.parse.issues"
IDS = "kubernetes.audit.auditID"


def events_list(*items: Any, **members: Any) -> dict[str, Any]:
    return {
        "kind": "EventList",
        "apiVersion": "audit.k8s.io/v1",
        "metadata": {},
        "items": list(items),
        **members,
    }


def test_webhook_items_have_neither_kind_nor_version(build: Build, run: Run) -> None:
    items = [build(kind=None, apiVersion=None, auditID=f"id-{n}") for n in range(3)]
    found = run(events_list(*items), build(auditID="last"))
    assert found.events[IDS].to_list() == ["id-0", "id-1", "id-2", "last"]
    assert found.events["log.offset"].to_list() == [0, 0, 0, 1]
    assert found.events[ISSUES].null_count() == 4
    assert not found.refused


@pytest.mark.parametrize("items", [[], None])
def test_an_empty_list_is_no_event_and_no_error(build: Build, run: Run, items: Any) -> None:
    found = run(events_list(items=items), build())
    assert found.events.height == 1
    assert not found.refused


def test_a_list_and_an_array_on_a_line_are_the_same(build: Build, run: Run) -> None:
    items = [build(auditID="a"), build(auditID="b", level=5)]
    listed, array = run(events_list(*items)), run(items)
    assert listed.events.equals(array.events)
    assert listed.events[ISSUES].to_list() == [None, ["wrong-type:level"]]


def test_one_bad_item_costs_itself_alone(build: Build, run: Run) -> None:
    secret = {"kind": "Secret", "data": {"a": "c2VjcmV0"}}
    found = run(events_list(build(auditID="a"), 5, secret, build(auditID="b")))
    assert found.events[IDS].to_list() == ["a", "b"]
    assert [refused.reason for refused in found.refused] == [Reason.NOT_AN_EVENT] * 2


@pytest.mark.parametrize(
    "raw",
    [
        b"[[]]",
        b"[" * 200 + b"]" * 200,
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"kind":"EventList","items":' * 150 + b"[]" + b"}" * 150,
        b'{"kind":"EventList","items":[' * 200 + b"]}" * 200,
        b'{"items":[' * 200 + b"]}" * 200,
    ],
)
def test_lists_within_lists_are_refused_once(build: Build, run: Run, raw: bytes) -> None:
    found = run(build(auditID="a"), raw, build(auditID="b"))
    assert found.events[IDS].to_list() == ["a", "b"]
    assert len(found.refused) == 1


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", Reason.NOT_JSON),
        (b"garbage", Reason.NOT_JSON),
        (b"{}", Reason.NOT_AN_EVENT),
        (b"5", Reason.NOT_AN_EVENT),
        (b"null", Reason.NOT_AN_EVENT),
        (b'"text"', Reason.NOT_AN_EVENT),
        (b'{"kind":"Event","apiVersion":"v1","reason":"Started"}', Reason.NOT_AN_EVENT),
        (b'{"kind":"Policy","apiVersion":"audit.k8s.io/v1","rules":[]}', Reason.NOT_AN_EVENT),
        (b'{"kind":"EventList","items":{}}', Reason.NOT_AN_EVENT),
        (b'{"kind":"EventList","items":5}', Reason.NOT_AN_EVENT),
        (b'{"kind":"SecretList","items":[{"data":{}}]}', Reason.NOT_AN_EVENT),
        (b'{"kind":"Event","auditID":"a","ver', Reason.TRUNCATED),
        (b'  {"kind":', Reason.TRUNCATED),
        (b'{"kind":"Event",}', Reason.NOT_JSON),
    ],
)
def test_what_is_no_event_is_refused_with_a_reason(
    build: Build, run: Run, raw: bytes, reason: Reason
) -> None:
    found = run(build(), raw, build())
    assert found.events.height == 2
    (refused,) = found.refused
    assert (refused.reason, refused.stage) == (reason, Stage.DECODE)
    assert (refused.path, refused.offset) == ("audit.log", 1)
    assert (refused.size_bytes, refused.sha256) == (len(raw), sha256_hex(raw))


def test_an_unknown_version_or_kind_is_evaluated_and_marked(build: Build, row: Row) -> None:
    assert row(build(kind=None, apiVersion=None))[ISSUES] is None
    assert row(build(apiVersion="audit.k8s.io/v1beta1"))[ISSUES] is None
    assert row(build(apiVersion="audit.k8s.io/v2"))[ISSUES] == ["unknown-version:audit.k8s.io/v2"]
    assert row(build(kind="AuditEvent"))[ISSUES] == ["unknown-kind:AuditEvent"]
    found = row(build(kind="x" * 1_000))
    assert len(found[ISSUES][0]) < 100
    assert found["event.action"] == "create"


def test_an_event_that_calls_itself_a_list_does_not_vanish(build: Build, run: Run) -> None:
    assert run(build(kind="EventList")).events.height == 1
    assert run(build(kind=None, items=[])).events.height == 1


@pytest.mark.parametrize("missing", ["auditID", "stage", "verb", "requestURI", "user", "objectRef"])
def test_an_event_may_lack_a_member(build: Build, row: Row, missing: str) -> None:
    found = row(build(**{missing: None}))
    assert found["@timestamp"] is not None


def test_of_duplicate_keys_the_last_one_wins_everywhere(build: Build, row: Row) -> None:
    """What is evaluated is what is stored, and what Go's decoder took."""
    raw = orjson.dumps(build())
    raw = raw.replace(b'"verb":"create"', b'"verb":"get","verb":"create"')
    raw = raw.replace(b'"username":"jane"', b'"username":"harmless","username":"eve"')
    raw = raw.replace(b'"image":"nginx:1.27"', b'"image":"nginx","image":"evil/miner"')
    found = row(raw)
    assert found["kubernetes.audit.verb"] == "create"
    assert found["user.name"] == "eve"
    assert found["trailwarden.pod_spec.images"] == ["evil/miner"]
    body = json.loads(found["kubernetes.audit.requestObject"])
    assert body["spec"]["containers"][0]["image"] == "evil/miner"


@pytest.mark.parametrize(
    ("odd", "issue"),
    [
        (b'"image":"i","x":"\xff\xfe"', "not-utf-8:requestObject"),
        (b'"image":"i","x":"\\ud800"', "malformed-json"),
        (b'"image":"i","x":NaN', "malformed-json"),
        (b'"image":"i","x":-Infinity', "malformed-json"),
        (b'"image":"i","x":"a\nb"', "malformed-json"),
        (b'"image":"i","x":1e999', "malformed-json:requestObject"),
        (b'"image":"i","x":' + b"9" * 5_000, "malformed-json:requestObject"),
    ],
)
def test_an_odd_byte_in_a_patch_does_not_hide_what_it_does(
    build: Build, row: Row, odd: bytes, issue: str
) -> None:
    """The API server copies the bytes of a PATCH into the event as the client sent them."""
    body = {"spec": {"containers": [{"image": "i", "securityContext": {"privileged": True}}]}}
    raw = orjson.dumps(build(verb="patch", requestObject=body)).replace(b'"image":"i"', odd)
    found = row(raw)
    assert found["trailwarden.pod_spec.privileged"] is True
    assert found[ISSUES] == [issue]


@pytest.mark.parametrize("place", ["userAgent", "auditID", "requestURI"])
@pytest.mark.parametrize(
    ("odd", "text", "issue"),
    [
        (b"a\xffb", "a\ufffdb", "not-utf-8"),
        (b"a\\ud800b", "a\ufffdb", "malformed-json"),
        (b"a\\udfff\\ud800b", "a\ufffd\ufffdb", "malformed-json"),
        (b"a\\ud83d\\ude00b", "a\U0001f600b", None),
        (b"a\\u0000b", "a\0b", None),
    ],
)
def test_odd_characters_stay_in_their_field(
    build: Build, row: Row, place: str, odd: bytes, text: str, issue: str | None
) -> None:
    column = {
        "userAgent": "user_agent.original",
        "auditID": "kubernetes.audit.auditID",
        "requestURI": "kubernetes.audit.requestURI",
    }[place]
    found = row(orjson.dumps(build(**{place: "ODD"})).replace(b"ODD", odd))
    assert found[column] == text
    assert found[ISSUES] == (None if issue is None else [issue])
    assert found["trailwarden.pod_spec.images"] == ["nginx:1.27"]


def test_a_byte_order_mark_is_taken(build: Build, row: Row) -> None:
    assert row(b"\xef\xbb\xbf" + orjson.dumps(build()))[ISSUES] == ["malformed-json"]


@pytest.mark.parametrize("depth", [100, 300, 480])
def test_deep_nesting_hides_nothing(build: Build, row: Row, depth: int) -> None:
    nest = b"[" * depth + b"]" * depth
    deep = b'"containers":[{"name":"c","image":"i","x":' + nest + b"}]"
    raw = orjson.dumps(build()).replace(b'"containers":[{"name":"app","image":"nginx:1.27"}]', deep)
    found = row(raw)
    assert found["trailwarden.pod_spec.images"] == ["i"]
    assert "[cut at depth 20]" in found["kubernetes.audit.requestObject"]
    marked = row(raw.replace(b'"level":"RequestResponse"', b'"level":7'))
    assert marked["trailwarden.pod_spec.images"] == ["i"]


@pytest.mark.parametrize("depth", [1_500, 50_000])
def test_a_body_too_deep_for_any_decoder_costs_the_body_alone(
    build: Build, row: Row, depth: int
) -> None:
    nest = b"[" * depth + b"]" * depth
    raw = orjson.dumps(build()).replace(
        b'"requestObject":{', b'"requestObject":{"x":' + nest + b","
    )
    found = row(raw)
    assert found[ISSUES] == ["dropped:requestObject", "salvaged"]
    assert found["trailwarden.truncated"] is True
    assert found["event.action"] == "create"


def test_a_cut_event_is_salvaged_and_marked(build: Build, row: Row) -> None:
    raw = orjson.dumps(build(user={"username": "eve"}, level=[]))
    found = row(raw[: raw.index(b'"requestObject"') + 40])
    assert found["user.name"] == "eve"
    assert found["trailwarden.truncated"] is True
    # what is left is coerced like any other record
    assert {"salvaged", "dropped:requestObject", "wrong-type:level"} <= set(found[ISSUES])


def test_what_was_salvaged_before_is_marked_too(build: Build) -> None:
    raws = [orjson.dumps(build(auditID=name)) for name in ("a", "b")]
    salvage = Salvage(("responseObject",), 9_000_000, "0" * 64)
    records = Records("audit.log", raws, [7, 900], salvaged={900: salvage})
    events = normalize([records], NormalizeSettings("blue")).events
    assert events[ISSUES].to_list() == [None, ["dropped:responseObject", "salvaged"]]
    assert events["trailwarden.truncated"].to_list() == [None, True]


def test_details_do_not_repeat_what_a_record_says(run: Run) -> None:
    secret = "password=hunter2hunter2"
    found = run({"kind": secret, "apiVersion": "x" * 10_000})
    assert "hunter2" not in found.refused[0].detail
    assert len(found.refused[0].detail) < 300


@pytest.mark.parametrize(
    ("raw", "value", "mended"),
    [
        (b'{"a":1}', {"a": 1}, None),
        (b"null", None, None),
        (b'"\xff"', "\ufffd", "not-utf-8"),
        (b'["\\ud800x"]', ["\ufffdx"], "malformed-json"),
        (b"[NaN, 1e999]", [None, "1e999"], "malformed-json"),
    ],
)
def test_a_part_is_mended_no_more_than_needed(
    raw: bytes, value: object, mended: str | None
) -> None:
    assert load(raw) == (value, mended)


@pytest.mark.parametrize("raw", [b"", b"{", b"nope", b"[" * 2_000, b'{"a":1} {"b":2}'])
def test_what_is_no_json_is_not_mended(raw: bytes) -> None:
    assert mend(raw) is None
    with pytest.raises(orjson.JSONDecodeError):
        load(raw)
