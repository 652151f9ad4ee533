from __future__ import annotations

from typing import Any, Final

import orjson
import pytest

from ingest.redact.document import MAX_DEPTH, redact_annotations, redact_document
from ingest.redact.refused import structural_copy
from ingest.redact.text import redact_text
from ingest.redact.token import Redactor

KEY: Final = Redactor(b"k")
SECRET: Final = "Zq7hX2vK9mPw4tRc"
TOKEN: Final = KEY.token(SECRET)
LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"


def redacted_copy(raw: bytes, redactor: Redactor) -> str | None:
    copy = structural_copy(raw, redactor)
    return copy if copy is None else redact_text(copy, redactor)


def swapped(document: Any, old: str, new: str) -> Any:
    return orjson.loads(orjson.dumps(document).replace(old.encode(), new.encode()))


@pytest.mark.parametrize(
    ("resource", "body"),
    [
        ("secrets", {"kind": "Secret", "data": {"a": "@"}, "stringData": {"b": "@"}}),
        ("secrets", {"data": {"a": "@"}}),
        ("secrets", {"stringData": {"a": "@", "b": None}}),
        ("secrets", {"data": "@"}),
        ("secrets", [{"op": "replace", "path": "/data/a", "value": "@"}]),
        ("secrets", [{"op": "add", "path": "/data", "value": {"a": "@"}}]),
        ("secrets", [{"op": "add", "path": "", "value": {"data": {"a": ["@"]}}}]),
        (None, {"kind": "Secret", "data": {"a": "@"}}),
        (None, {"kind": "SecretList", "items": [{"data": {"a": "@"}}]}),
        (None, {"kind": "List", "items": [{"kind": "Secret", "data": {"a": "@"}}]}),
        ("pods", {"spec": {"containers": [{"env": [{"name": "A", "value": "@"}]}]}}),
        ("pods", {"spec": {"initContainers": [{"args": ["--token", "@"]}]}}),
        ("pods", {"spec": {"containers": [{"command": ["sh", "-c", "x --token @"]}]}}),
        ("pods", {"spec": {"x": {"livenessProbe": {"exec": {"command": ["a", "--token=@"]}}}}}),
        ("deployments", {"metadata": {"annotations": {LAST_APPLIED: "@"}}}),
        ("deployments", {"metadata": {"annotations": {"example.com/api-token": "@"}}}),
        ("configmaps", {"data": {"db.password": "@", "a": "b"}}),
        ("configmaps", {"data": {"app.properties": 'a=b\ndb.password=@\nc="d"'}}),
        ("configmaps", {"data": {"x.json": '{"a": {"password": "@"}}'}}),
        ("configmaps", {"data": {"x.yaml": "a: b\npassword: '@'\n"}}),
        ("configmaps", [{"op": "add", "path": "/data/x", "value": "password=@\n"}]),
        ("configmaps", [{"op": "add", "path": "/data/password", "value": "@"}]),
        ("widgets", {"spec": {"password": "@", "tokens": ["@", "@"]}}),
        # a JSON patch names what it sets in its path
        ("pods", [{"op": "replace", "path": "/spec/containers/0/env/0/value", "value": "@"}]),
        ("pods", [{"op": "add", "path": "/x/env/-", "value": {"name": "A", "value": "@"}}]),
        ("pods", [{"op": "add", "path": "/x/args", "value": ["--token", "@"]}]),
        ("pods", [{"op": "add", "path": "/x/args/-", "value": "--token=@"}]),
        ("pods", [{"op": "add", "path": "/spec/clientSecret", "value": "@"}]),
        (
            "pods",
            [
                {
                    "op": "add",
                    "path": f"/metadata/annotations/{LAST_APPLIED.replace('/', '~1')}",
                    "value": "@",
                }
            ],
        ),
    ],
)
def test_the_place_of_a_secret_is_known(resource: str | None, body: Any) -> None:
    document = swapped(body, "@", SECRET)
    redacted = redact_document(document, KEY, resource)
    assert redacted == swapped(body, "@", TOKEN)


@pytest.mark.parametrize(
    "body",
    [
        {"spec": {"containers": [{"name": "a", "image": "b", "ports": [{"containerPort": 80}]}]}},
        {"spec": {"volumes": [{"name": "v", "secret": {"secretName": "web-tls"}}]}},
        {"spec": {"automountServiceAccountToken": True, "imagePullSecrets": [{"name": "x"}]}},
        {"automountServiceAccountToken": "true"},
        {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "x", "key": "password"}}}]},
        {"env": [{"name": "A", "value": ""}, {"name": "B", "value": "true"}]},
        {"rules": [{"resources": ["secrets"], "verbs": ["get"], "resourceNames": ["token"]}]},
        {"kind": "Secret", "metadata": {"name": "x", "labels": {"data": "kept"}}},
        {"tolerations": [{"key": "a", "value": "b", "operator": "Equal"}]},
        {"maxTokens": 5, "tokenExpirationSeconds": 3600},
    ],
)
def test_what_only_refers_to_secrets_is_kept(body: Any) -> None:
    assert redact_document(swapped(body, "", ""), KEY) == body


def test_numbers_are_secrets_under_a_password() -> None:
    redacted = redact_document({"password": 12345678, "port": 80}, KEY)
    assert redacted == {"password": KEY.token("12345678"), "port": 80}


def test_managed_fields_go_and_depth_is_cut() -> None:
    deep: Any = "x"
    for _ in range(900):
        deep = {"a": deep}
    document = {"metadata": {"managedFields": [{"a": 1}], "name": "x"}, "deep": deep}
    redacted = redact_document(document, KEY)
    assert redacted["metadata"] == {"name": "x"}
    depth, node = 0, redacted["deep"]
    while isinstance(node, dict):
        depth, node = depth + 1, node["a"]
    assert node == f"[cut at depth {MAX_DEPTH}]"
    assert depth < MAX_DEPTH


@pytest.mark.parametrize("name", ["data", "command", "passwords", "x"])
def test_deep_members_are_cut_whatever_their_name(name: str) -> None:
    document = {"kind": "Secret", name: orjson.loads(b"[" * 900 + b"]" * 900)}
    assert "[cut at depth" in orjson.dumps(redact_document(document, KEY)).decode()


def test_annotations_lose_copies_and_secrets() -> None:
    annotations = {
        LAST_APPLIED: SECRET,
        "patch.webhook.admission.k8s.io/round_0_index_0": SECRET,
        "example.com/token": SECRET,
        "example.com/has-token": "true",
        "apiserver.latency.k8s.io/authorization": "206\u00b5s",
        "authorization.k8s.io/reason": "RBAC",
    }
    found = redact_annotations(annotations, KEY)
    assert [key for key, value in found.items() if value == TOKEN] == list(annotations)[:3]
    assert {key: found[key] for key in list(annotations)[3:]} == {
        key: annotations[key] for key in list(annotations)[3:]
    }


def test_an_odd_operation_is_left() -> None:
    body = [None, 5, {"op": "remove", "path": "/a"}, {"value": "x"}, {"path": 5, "value": {"a": 1}}]
    assert redact_document(list(body), KEY) == body


WRAPPED: Final = orjson.dumps({"kind": "Secret", "data": {"any": "@"}}).decode()


@pytest.mark.parametrize(
    "record",
    [
        {"kind": "Secret", "data": {"any": "@"}},
        {"data": {"any": "@"}},
        {"items": [{"metadata": {}, "data": {"any": "@"}}]},
        {"kind": "SecretList", "items": [{"data": {"any": "@"}}]},
        [{"data": {"any": "@"}}],
        {"objectRef": {"resource": "secrets"}, "requestObject": {"stringData": {"any": "@"}}},
        {"log": WRAPPED},
        {"log": f"<13>Nov 21 10:46:08 audit: {WRAPPED}\n"},
        {"log": f"<13>Nov 21 10:46:08 audit: {WRAPPED} and more"},
        {"log": WRAPPED[:-10]},
        {"message": orjson.dumps({"log": WRAPPED}).decode()},
        WRAPPED,
        {"token": "@"},
        "password=@",
        {"a": {"b": "Authorization: Bearer @"}},
    ],
)
def test_a_copy_of_anything_holds_no_secret(record: Any) -> None:
    copy = redacted_copy(orjson.dumps(record).replace(b"@", SECRET.encode()), KEY)
    assert copy is not None
    assert SECRET not in copy
    assert "[redacted:" in copy
    orjson.loads(copy)


@pytest.mark.parametrize("raw", [b"", b"{", b"garbage", b"[" * 5_000, b'{"data":"x'])
def test_what_does_not_parse_has_no_copy(raw: bytes) -> None:
    assert redacted_copy(raw, KEY) is None


def test_a_copy_of_what_is_no_utf8_is_made_all_the_same() -> None:
    copy = redacted_copy(b'{"data":{"a":"\xff' + SECRET.encode() + b'"}}', KEY)
    assert copy is not None
    assert SECRET not in copy


def test_nested_texts_are_opened_a_bounded_number_of_times() -> None:
    text = WRAPPED.replace("@", SECRET)
    for _ in range(12):
        text = orjson.dumps({"data": text} if len(text) < 10_000 else {"x": text}).decode()
        copy = redacted_copy(text.encode(), KEY)
        assert copy is not None
        assert SECRET not in copy
