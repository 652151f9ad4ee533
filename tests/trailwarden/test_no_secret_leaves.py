"""Secrets planted in a log are in no output of a scan: searched for byte by byte."""

from __future__ import annotations

import base64
import json
import random
import string
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow.parquet as pq
import pytest

PER_PLACE = 6
Plant = Callable[[str], dict[str, Any] | str]


def event(verb: str, resource: str, body: Any = None, **more: Any) -> dict[str, Any]:
    """Return an audit event of one request, with what is to be otherwise."""
    record: dict[str, Any] = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "RequestResponse",
        "auditID": "0",
        "stage": "ResponseComplete",
        "requestURI": f"/api/v1/namespaces/n/{resource}",
        "verb": verb,
        "user": {"username": "someone", "groups": ["system:authenticated"]},
        "sourceIPs": ["10.0.0.1"],
        "userAgent": "kubectl/v1.36",
        "objectRef": {"resource": resource, "namespace": "n", "name": "x", "apiVersion": "v1"},
        "responseStatus": {"metadata": {}, "code": 200},
        "requestReceivedTimestamp": "2026-11-21T10:00:00.000000Z",
        "stageTimestamp": "2026-11-21T10:00:01.000000Z",
        "annotations": {"authorization.k8s.io/decision": "allow"},
    }
    if body is not None:
        record["requestObject"] = body
        record["responseObject"] = body
    return {**record, **more}


def b64(secret: str) -> str:
    return base64.b64encode(secret.encode()).decode()


def pod(container: dict[str, Any], kind: str = "containers") -> dict[str, Any]:
    spec = {kind: [{"name": "c", "image": "i", **container}]}
    return {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "x"}, "spec": spec}


def run(*words: str) -> dict[str, Any]:
    query = "&".join(f"command={word}" for word in words)
    record = event(
        "create", "pods", requestURI=f"/api/v1/namespaces/n/pods/x/exec?{query}&tty=true"
    )
    record["objectRef"]["subresource"] = "exec"
    return record


def secret_object(**more: Any) -> dict[str, Any]:
    return {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "x"}, **more}


def deployment(container: dict[str, Any]) -> dict[str, Any]:
    return {"spec": {"template": {"spec": pod(container)["spec"]}}}


LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def with_env(value: str) -> dict[str, Any]:
    return {"env": [{"name": "HARMLESS_NAME", "value": value}]}


def annotated(secret: str) -> dict[str, Any]:
    copy = json.dumps(secret_object(stringData={"a": secret}))
    return {"kind": "ConfigMap", "metadata": {"annotations": {LAST_APPLIED: copy}}}


PLACES: dict[str, Plant] = {
    "secret data": lambda s: event("create", "secrets", secret_object(data={"a": b64(s), "b": s})),
    "secret stringData": lambda s: event("update", "secrets", secret_object(stringData={"a": s})),
    "secret merge patch": lambda s: event("patch", "secrets", {"data": {"a": s}}),
    "secret json patch": lambda s: event(
        "patch", "secrets", [{"op": "add", "path": "/data/a", "value": s}]
    ),
    "secret json patch of an object": lambda s: event(
        "patch", "secrets", [{"op": "replace", "path": "/data", "value": {"a": {"b": [s]}}}]
    ),
    "secret list": lambda s: event(
        "create", "secrets", {"kind": "SecretList", "items": [secret_object(data={"a": s})]}
    ),
    "token request": lambda s: event(
        "create", "serviceaccounts", {"kind": "TokenRequest", "status": {"token": s}}
    ),
    "env": lambda s: event("create", "pods", pod(with_env(s))),
    "env of an init container": lambda s: event(
        "create", "pods", pod(with_env(s), "initContainers")
    ),
    "env of an ephemeral container": lambda s: event(
        "patch", "pods", pod(with_env(s), "ephemeralContainers")
    ),
    "env of a template": lambda s: event("patch", "deployments", deployment(with_env(s))),
    "env by json patch": lambda s: event(
        "patch",
        "deployments",
        [
            {
                "op": "add",
                "path": "/spec/template/spec/containers/0/env/-",
                "value": {"name": "N", "value": s},
            }
        ],
    ),
    "last applied": lambda s: event("create", "configmaps", annotated(s)),
    "webhook patch annotation": lambda s: event(
        "create",
        "pods",
        annotations={"patch.webhook.admission.k8s.io/round_0_index_0": f'{{"patch":"{s}"}}'},
    ),
    "args --password x": lambda s: event("create", "pods", pod({"args": ["--password", s]})),
    "args --token=x": lambda s: event("create", "pods", pod({"args": [f"--api-token={s}"]})),
    "command mysql -p": lambda s: event("create", "pods", pod({"command": ["mysql", f"-p{s}"]})),
    "command curl -u": lambda s: event(
        "create", "pods", pod({"command": ["curl", "-u", f"me:{s}"]})
    ),
    "command in a shell": lambda s: event(
        "create", "pods", pod({"command": ["sh", "-c", f"PGPASSWORD={s} psql -h db"]})
    ),
    "exec --password": lambda s: run("tool", "--password", s),
    "exec PASSWORD=": lambda s: run("sh", "-c", f"DB_PASSWORD%3D{s}+psql"),
    "exec bearer": lambda s: run(
        "curl", "-H", f"Authorization%3A%20Bearer%20{s}", "http%3A%2F%2Fh"
    ),
    "exec url": lambda s: run("psql", f"postgres%3A%2F%2Fapp%3A{s}%40db%2Fx"),
    "query token": lambda s: event("get", "pods", requestURI=f"/api/v1/pods?token={s}"),
    "query access_token": lambda s: event("get", "pods", requestURI=f"/x?a=1&access_token={s}&b=2"),
    "user agent": lambda s: event("get", "pods", userAgent=f"tool/1 (token={s})"),
    "message": lambda s: event(
        "create",
        "pods",
        responseStatus={"code": 422, "message": f'Invalid value: "password={s}": bad'},
    ),
    "configmap key": lambda s: event("create", "configmaps", {"data": {"db_password": s}}),
    "configmap properties": lambda s: event(
        "create", "configmaps", {"data": {"app.properties": f"user=a\ndb.password={s}\nx=y"}}
    ),
    "configmap private key": lambda s: event(
        "create",
        "configmaps",
        {"data": {"f": f"-----BEGIN PRIVATE KEY-----\n{s}\n-----END PRIVATE KEY-----"}},
    ),
    "user extra": lambda s: event(
        "get", "pods", user={"username": "u", "extra": {"example.org/session-token": [s]}}
    ),
    "wrong type beside it": lambda s: {
        **event("create", "secrets", secret_object(data={"a": s})),
        "verb": 7,
    },
    "not an event": lambda s: secret_object(data={"a": s}),
    "not an event, nested": lambda s: {"log": {"object": secret_object(stringData={"a": s})}},
    "no json": lambda s: f'{{"kind":"Secret","data":{{"a":"{s}"}},,}}',
    "cut off": lambda s: json.dumps(event("create", "secrets", secret_object(data={"a": s})))[
        :-300
    ],
}


def planted() -> Iterator[tuple[str, str, str]]:
    """Yield (place, secret, line)."""
    rng = random.Random(20261121)
    for place, plant in PLACES.items():
        for number in range(PER_PLACE):
            word = "".join(rng.choices(string.ascii_letters + string.digits, k=24))
            record = plant(word)
            if isinstance(record, dict) and "auditID" in record:
                record["auditID"] = f"{place}-{number}"
            yield place, word, record if isinstance(record, str) else json.dumps(record)


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("secrets")
    log = folder / "audit.log"
    log.write_text("\n".join(line for _, _, line in planted()) + "\n")
    out = folder / "out"
    command = [sys.executable, "-m", "trailwarden", "scan", str(log), "--out", str(out)]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 1, done.stderr.decode()
    found = {path.name: path.read_bytes() for path in out.iterdir()}
    # Parquet is compressed: what it holds is searched as text.
    rows = pq.read_table(out / "events.parquet").to_pylist()
    found["events.parquet"] = json.dumps(rows, default=str).encode()
    found["terminal"] = done.stdout + done.stderr
    return found


def test_enough_is_planted() -> None:
    assert len(list(planted())) >= 200


@pytest.mark.parametrize("place", PLACES)
def test_no_output_holds_what_was_planted(place: str, outputs: dict[str, bytes]) -> None:
    assert len(outputs["events.parquet"]) > 100_000
    assert outputs["quarantine.ndjson"]
    leaks = [
        (name, word)
        for where, word, _ in planted()
        if where == place
        for name, content in outputs.items()
        if word.encode() in content or b64(word).encode() in content
    ]
    assert not leaks
