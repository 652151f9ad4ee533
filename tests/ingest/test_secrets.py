"""Secrets planted wherever records hold some: none leaves normalize."""

from __future__ import annotations

import base64
import io
import random
from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import quote, quote_plus

import orjson
import polars as pl
import pytest

from ingest.normalize import Normalized, NormalizeSettings, normalize
from ingest.record import Records
from ingest.redact.token import Redactor

Build = Callable[..., dict[str, Any]]
Run = Callable[..., Normalized]
Plant = Callable[[str, Build], Any]

KEY: Final = b"a key of the tests"
EACH: Final = 2
LETTERS: Final = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ"
LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
EXEC: Final = "/api/v1/namespaces/shop/pods/web/exec"


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def dumps(value: Any) -> str:
    return orjson.dumps(value).decode()


def on(resource: str, body: Any, verb: str = "create", **more: Any) -> Plant:
    """Plant in the body of a request; `§` stands for the secret, `¶` for its base64."""

    def plant(secret: str, build: Build) -> Any:
        event = build(
            verb=verb, objectRef={"resource": resource, "name": "x"}, requestObject=body, **more
        )
        return dumps(event).replace("§", secret).replace("¶", b64(secret)).encode()

    return plant


def member(**members: Any) -> Plant:
    """Plant in other members of an event."""

    def plant(secret: str, build: Build) -> Any:
        event = dumps(build(**members))
        return event.replace("§", secret).replace("¶", b64(secret)).encode()

    return plant


def run_by(query: str) -> Plant:
    """Plant in the URI of an exec."""
    return member(
        verb="get",
        requestURI=f"{EXEC}?{query}",
        objectRef={"resource": "pods", "name": "web", "subresource": "exec"},
        requestObject=None,
    )


def script(text: str, encode: Callable[[str], str]) -> Plant:
    """Plant in a script of an exec, encoded with the secret in it."""

    def plant(secret: str, build: Build) -> Any:
        command = encode(text.replace("§", secret))
        return run_by(f"command=sh&command=-c&command={command}&container=a")(secret, build)

    return plant


def raw(text: str) -> Plant:
    """Plant in a record that is no event."""
    return lambda secret, _: text.replace("§", secret).replace("¶", b64(secret)).encode()


def pod(**container: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "a", "image": "b", **container}]}}


def deployment(kind: str, **container: Any) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {kind: [{"name": "a", **container}]}}}}


def config(text: str, key: str = "app.conf") -> Plant:
    return on("configmaps", {"kind": "ConfigMap", "data": {key: text}})


def operations(path: str, value: Any) -> list[Any]:
    return [{"op": "replace", "path": path, "value": value}]


def truncated(secret: str, build: Build) -> bytes:
    event = dumps(build(objectRef={"resource": "secrets"}, requestObject={"data": {"a": secret}}))
    return event.encode()[: event.index(secret) + len(secret)]


def too_deep(secret: str, build: Build) -> bytes:
    body = {"data": {"a": secret}, "deep": "DEEP"}
    event = dumps(build(objectRef={"resource": "secrets"}, requestObject=body))
    return event.replace('"DEEP"', "[" * 3_000 + "]" * 3_000).encode()


ENV: Final = {"name": "DB_URL", "value": "§"}
SECRET: Final = {"kind": "Secret", "apiVersion": "v1", "data": {"a": "¶"}, "stringData": {"b": "§"}}
WRAPPED: Final = dumps({"kind": "Secret", "data": {"a": "§"}})
INI: Final = "[db]\nuser = app\npassword = §\n"
CRONJOB: Final = {
    "spec": {"jobTemplate": {"spec": {"template": {"spec": {"initContainers": [{"env": [ENV]}]}}}}}
}
NOT_UTF8: Final = b'"odd":"\xff"'

PLACES: Final[dict[str, Plant]] = {
    # Secrets in every way to write one
    "secret create": on("secrets", SECRET),
    "secret update": on("secrets", SECRET, "update"),
    "secret apply": on("secrets", SECRET, "patch"),
    "secret merge patch": on("secrets", {"data": {"a": "¶"}}, "patch"),
    "secret merge patch of texts": on("secrets", {"stringData": {"a": "§"}}, "patch"),
    "secret strategic patch": on("secrets", {"data": {"a": "¶", "$patch": "merge"}}, "patch"),
    "secret json patch": on("secrets", operations("/data/a", "¶"), "patch"),
    "secret json patch of all": on("secrets", operations("/data", {"a": "¶"}), "patch"),
    "secret json patch of the root": on("secrets", operations("", SECRET), "patch"),
    "secret json patch test": on("secrets", [{"op": "test", "path": "/x", "value": "§"}], "patch"),
    "secret without kind": on("secrets", {"metadata": {"name": "x"}, "data": {"a": "¶"}}),
    "secret of odd types": on("secrets", {"data": [["§"]], "stringData": "§"}),
    "secret last applied": on(
        "secrets", {"kind": "Secret", "metadata": {"annotations": {LAST_APPLIED: dumps(SECRET)}}}
    ),
    "secret in a list": on("lists", {"kind": "List", "items": [SECRET]}),
    "secret in an event of a wrong type": on("secrets", SECRET, level=5),
    "secret in an event of a wrong reference": member(
        objectRef=5, requestObject={"kind": "Secret", "data": {"a": "§"}}
    ),
    "secret of docker": on("secrets", {"stringData": {".dockerconfigjson": '{"auths":"§"}'}}),
    "answer with a secret": member(verb="get", responseObject=SECRET),
    "answer with secrets": member(
        verb="list", responseObject={"kind": "SecretList", "items": [{"data": {"a": "¶"}}]}
    ),
    "answer with a token": member(
        objectRef={"resource": "serviceaccounts", "subresource": "token"},
        responseObject={"kind": "TokenRequest", "status": {"token": "§"}},
        requestObject={"kind": "TokenRequest", "status": {"token": "§"}},
    ),
    "token review": on("tokenreviews", {"spec": {"token": "§"}}),
    # pods and what makes them
    "env of a container": on("pods", pod(env=[ENV])),
    "env of a container of a deployment": on("deployments", deployment("containers", env=[ENV])),
    "env of an init container": on("daemonsets", deployment("initContainers", env=[ENV])),
    "env of an ephemeral container": on(
        "pods", {"spec": {"ephemeralContainers": [{"env": [ENV]}]}}
    ),
    "env of a cron job": on("cronjobs", CRONJOB),
    "env in a json patch": on("pods", operations("/spec/containers/0/env/0/value", "§"), "patch"),
    "env added by a json patch": on("pods", operations("/spec/containers/0/env/-", ENV), "patch"),
    "env in a strategic patch": on("pods", pod(env=[ENV]), "patch"),
    "args": on("pods", pod(args=["app", "--password", "§"])),
    "args joined": on("pods", pod(args=["--db-password=§"])),
    "args of mysql": on("pods", pod(command=["mysql", "-uroot", "-p§"])),
    "args of curl": on("pods", pod(command=["curl", "-u", "user:§", "https://host"])),
    "args of redis": on("pods", pod(command=["redis-cli", "-a", "§"])),
    "args behind env": on("pods", pod(command=["env", "API_KEY=§", "app"])),
    "args with a header": on("pods", pod(command=["curl", "-H", "Authorization: Bearer §"])),
    "args with a url": on("pods", pod(args=["--url", "https://user:§@host/db"])),
    "script": on("pods", pod(command=["sh", "-c", "export PASSWORD=§; app"])),
    "script of redis": on("pods", pod(command=["sh", "-c", "redis-cli -a § ping"])),
    "hook": on("pods", pod(lifecycle={"postStart": {"exec": {"command": ["x", "--token=§"]}}})),
    "probe": on("pods", pod(livenessProbe={"exec": {"command": ["mysqladmin", "-p§"]}})),
    "header of a probe": on(
        "pods", pod(livenessProbe={"httpGet": {"httpHeaders": [{"name": "X-Key", "value": "§"}]}})
    ),
    "args in a json patch": on("pods", operations("/x/args", ["--token", "§"]), "patch"),
    "arg in a json patch": on("pods", operations("/x/args/1", "--token=§"), "patch"),
    "script in a json patch": on("pods", operations("/x/command/-", "app --token §"), "patch"),
    "last applied": on(
        "deployments", {"metadata": {"annotations": {LAST_APPLIED: dumps(pod(env=[ENV]))}}}
    ),
    "last applied in a json patch": on(
        "pods",
        operations(f"/metadata/annotations/{LAST_APPLIED.replace('/', '~1')}", "§"),
        "patch",
    ),
    "copy by rancher": on(
        "pods", {"metadata": {"annotations": {"objectset.rio.cattle.io/applied": "¶"}}}
    ),
    "copy by kapp": on(
        "pods", {"metadata": {"annotations": {"kapp.k14s.io/original": '{"a":"§"}'}}}
    ),
    "annotation of a token": on("pods", {"metadata": {"annotations": {"x.io/api-token": "§"}}}),
    "ingress snippet": on(
        "ingresses",
        {
            "metadata": {
                "annotations": {
                    "nginx.ingress.kubernetes.io/configuration-snippet": (
                        'proxy_set_header Authorization "Basic ¶";'
                    )
                }
            }
        },
    ),
    "label": on("pods", {"metadata": {"labels": {"password": "§"}}}),
    # other objects
    "admission webhook": on(
        "mutatingwebhookconfigurations",
        {"webhooks": [{"clientConfig": {"url": "https://user:§@host/"}}]},
    ),
    "conversion webhook": on(
        "customresourcedefinitions",
        {"spec": {"conversion": {"webhook": {"clientConfig": {"url": "https://host/?token=§"}}}}},
    ),
    "custom resource": on("databases", {"spec": {"adminPassword": "§", "user": "x"}}),
    "custom list": on("databases", {"spec": {"tokens": ["§", "§"]}}),
    "custom nested": on("apps", {"spec": {"auth": {"clientSecret": "§"}}}),
    "custom parameters": on("apps", {"spec": {"parameters": [{"name": "x", "value": "§"}]}}),
    "custom json patch": on("databases", operations("/spec/adminPassword", "§"), "patch"),
    "helm values": on("helmreleases", {"spec": {"values": {"db": {"password": "§"}}}}),
    "argo values": on("apps", {"spec": {"helm": {"values": "db:\n  password: §\n"}}}),
    # ConfigMaps
    "config key": config("§", "db.password"),
    "config properties": config("user=app\nspring.datasource.password=§\n", "app.properties"),
    "config ini": config(INI),
    "config yaml": config("a: 1\npassword: §\n"),
    "config yaml quoted": config("a: 1\npassword: 'x § y'\n"),
    "config yaml block": config("password: |\n  §\nb: 2\n"),
    "config yaml env": config("env:\n- name: DB_PASSWORD\n  value: §\n"),
    "config json": config('{"a": {"apiKey": "§", "b": 1}}'),
    "config json in json": config(dumps({"x": dumps({"password": "§"})})),
    "config xml": config("<server><password>§</password></server>"),
    "config url": config("url: postgres://app:§@db:5432/x\n"),
    "config header": config('headers = {"Authorization": "Bearer §"}'),
    "config docker": config('{"auths": {"registry": {"auth": "¶"}}}'),
    "config npmrc": config("//registry/:_authToken=§\n"),
    "config pem": config("-----BEGIN PRIVATE KEY-----\n§\n-----END PRIVATE KEY-----\n", "tls.key"),
    "config jwt": config("x: eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.§"),
    "config kubeconfig": config("users:\n- user:\n    token: §\n    client-key-data: ¶\n"),
    "config script": config("#!/bin/sh\nexport DB_PASS=§\nmysql -uroot -p§ db\n"),
    "config merge patch": on("configmaps", {"data": {"x": INI}}, "patch"),
    "config json patch": on("configmaps", operations("/data/x", INI), "patch"),
    "config json patch of a key": on("configmaps", operations("/data/password", "§"), "patch"),
    "config json patch of all": on("configmaps", operations("/data", {"x": INI}), "patch"),
    "config binary": on("configmaps", {"binaryData": {"x": "¶"}}),
    "config last applied": on(
        "configmaps", {"metadata": {"annotations": {LAST_APPLIED: dumps({"data": {"x": INI}})}}}
    ),
    # commands of an exec
    "exec flag": run_by("command=app&command=--password&command=§&container=a"),
    "exec flag joined": run_by("command=app&command=--password=§"),
    "exec flag encoded": run_by("command=app&command=--password%3D§"),
    "exec name encoded": run_by("command=app&comm%61nd=--password&comm%61nd=§"),
    "exec env": run_by("command=env&command=PASSWORD%3D§&command=app"),
    "exec mysql": run_by("command=mysql&command=-uroot&command=-p§"),
    "exec mysql behind sudo": run_by("command=sudo&command=mysql&command=-p§"),
    "exec curl": run_by("command=curl&command=-u&command=user:§&command=https://host"),
    "exec url": run_by("command=curl&command=https://user:§%40host/"),
    "exec in one word": run_by("command=app+--password+§"),
    "exec in many parameters": run_by("x=1&" * 1_500 + "command=app&command=--token&command=§"),
    "exec script plus": script("curl -u user:§ https://host", quote_plus),
    "exec script percent": script("export API_TOKEN=§ && app", quote),
    "exec script all percent": script(
        "psql postgres://app:§@db/x", lambda text: "".join(f"%{ord(c):02X}" for c in text)
    ),
    "exec script redis": script("redis-cli -h x -a § ping", quote_plus),
    "exec script header": script("curl -H 'Authorization: Bearer §' https://host", quote),
    "kubelet run": member(
        requestURI="/api/v1/nodes/n/proxy/run/shop/web/app?cmd=app+--password+§",
        objectRef={"resource": "nodes", "name": "n", "subresource": "proxy"},
    ),
    "kubelet run with both": member(
        requestURI="/api/v1/nodes/n/proxy/run/shop/web/app?cmd=ls&command=--token&command=§",
        objectRef={"resource": "nodes", "name": "n", "subresource": "proxy"},
    ),
    "exec of a wrong reference": member(
        objectRef=5, requestURI=f"{EXEC}?command=app&command=--password&command=§"
    ),
    # URIs, agents, messages
    "query token": member(requestURI="/api/v1/x?token=§&y=1"),
    "query access token": member(requestURI="/api/v1/x?y=1&access_token=§"),
    "query password encoded": member(requestURI="/api/v1/x?y=a%26password%3D§%26z"),
    "query name encoded": member(requestURI="/api/v1/x?p%61ssword=§"),
    "query url encoded": member(
        requestURI="/api/v1/namespaces/a/services/b/proxy/x?to=https%3A%2F%2Fuser%3A§%40host"
    ),
    "query api key": member(requestURI="/api/v1/namespaces/a/pods/b/proxy/login?apikey=§"),
    "path encoded": member(requestURI="/api/v1/namespaces/a/pods/b/proxy/login%3Ftoken%3D§"),
    "agent token": member(userAgent="tool/1.0 token=§"),
    "agent name": member(userAgent="token=§"),
    "agent header": member(userAgent="Authorization: Bearer §"),
    "agent url": member(userAgent="tool/1 (https://user:§@host)"),
    "message url": member(
        responseStatus={"code": 500, "message": 'Post "https://user:§@host/": dial'}
    ),
    "message token": member(responseStatus={"code": 401, "message": "bad: bearer §"}),
    "message of a decoder": member(
        responseStatus={
            "code": 400,
            "message": 'illegal base64, error found in #10 byte of ...|"a":"§"},"k|..., bigger '
            'context ...|{"data":{"a":"§"},"kind":"Secret"}|...',
        }
    ),
    "message of a password": member(responseStatus={"code": 500, "message": 'x: password="§"'}),
    # annotations and attributes
    "webhook patch": member(
        annotations={"patch.webhook.admission.k8s.io/round_0_index_0": dumps({"patch": [ENV]})}
    ),
    "annotation last applied": member(annotations={LAST_APPLIED: "§"}),
    "annotation token": member(annotations={"x.io/session-token": "§"}),
    "annotation text": member(annotations={"x.io/note": "used password=§"}),
    "annotation of a wrong type": member(annotations={"x.io/note": {"password": "§"}}),
    "extra token": member(user={"username": "a", "extra": {"x.io/token": ["§", "§"]}}),
    "extra text": member(user={"username": "a", "extra": {"x.io/note": ["Bearer §"]}}),
    "impersonated extra": member(impersonatedUser={"username": "a", "extra": {"token": ["§"]}}),
    # records that are no event
    "bare secret": raw(dumps(SECRET)),
    "bare secrets": raw(dumps({"kind": "SecretList", "items": [{"data": {"a": "¶"}}]})),
    "bare items": raw(dumps({"items": [{"metadata": {}, "data": {"a": "§"}}]})),
    "bare array": raw(dumps([{"data": {"a": "§"}}, {"stringData": {"b": "¶"}}])),
    "bare pod": raw(dumps({"kind": "Pod", **pod(env=[ENV], args=["--token", "§"])})),
    "list of objects": raw(dumps({"kind": "List", "items": [SECRET, pod(env=[ENV])]})),
    "list of no list": raw(dumps({"kind": "EventList", "items": {"password": "§"}})),
    "event list with a secret": raw(dumps({"kind": "EventList", "items": [SECRET, "token=§", 5]})),
    "not an event": raw('{"kind":"Pod","note":"password=§","data":"§"}'),
    "log of a container": raw(dumps({"log": WRAPPED, "stream": "stdout"})),
    "log with a head": raw(dumps({"message": f"<13>Nov 21 audit: {WRAPPED}"})),
    "log that is cut": raw(dumps({"log": WRAPPED[:-1]})),
    "scalar": raw('"token=§"'),
    "text": raw("password=§"),
    "truncated object": raw('{"kind":"Secret","data":{"a":"§"'),
    "malformed object": raw('{"kind":"Secret",,"data":{"a":"§"}}'),
    "kind": raw('{"kind":"password=§","data":{}}'),
    "version": member(apiVersion="token=§"),
    "kind of an event": member(kind="token=§"),
    "truncated event": truncated,
    "event too deep": too_deep,
    "event with odd bytes": lambda secret, build: (
        dumps(
            build(
                objectRef={"resource": "secrets"},
                requestObject={"odd": "odd", "data": {"a": secret}},
            )
        )
        .encode()
        .replace(b'"odd":"odd"', NOT_UTF8)
    ),
    "event with odd escapes": lambda secret, build: (
        dumps(
            build(
                objectRef={"resource": "secrets"},
                requestObject={"odd": "odd", "data": {"a": secret}},
            )
        )
        .encode()
        .replace(b'"odd":"odd"', b'"odd":"\\ud800"')
    ),
}


def planted() -> dict[str, list[str]]:
    """Return distinct random secrets for each place; each has letters and digits."""
    chance = random.Random(11)
    return {
        place: [
            "".join(chance.choices(LETTERS, k=9)) + f"{chance.randrange(10**6):06d}"
            for _ in range(EACH)
        ]
        for place in PLACES
    }


def output(found: Normalized) -> bytes:
    """Return all bytes that leave normalize."""
    buffer = io.BytesIO()
    found.events.write_ipc(buffer, compression="uncompressed")
    refused = [(r.path, r.detail, r.copy) for r in found.refused]
    return buffer.getvalue() + found.events.write_ndjson().encode() + orjson.dumps(refused)


def encodings(secret: str) -> Iterator[bytes]:
    yield secret.encode()
    yield b64(secret).encode()
    yield "".join(f"%{ord(character):02X}" for character in secret).encode()


def test_there_are_many_places_and_each_is_told_apart() -> None:
    secrets = [secret for found in planted().values() for secret in found]
    assert len(secrets) == len(set(secrets)) > 200


def test_a_planted_secret_is_in_its_record(build: Build) -> None:
    """Else the test below would pass for nothing."""
    for place, secrets in planted().items():
        for secret in secrets:
            record = bytes(PLACES[place](secret, build))
            assert any(text in record for text in encodings(secret)), place


@pytest.mark.parametrize("place", PLACES)
def test_no_secret_leaves(build: Build, run: Run, place: str) -> None:
    for secret in planted()[place]:
        found = run(PLACES[place](secret, build))
        assert found.events.height + len(found.refused) >= 1
        left = output(found)
        assert not [text for text in encodings(secret) if text in left]


def test_no_secret_leaves_a_batch_of_them_all(build: Build, run: Run) -> None:
    records, secrets = [], []
    for place, found in planted().items():
        for secret in found:
            records.append(bytes(PLACES[place](secret, build)))
            secrets.append(secret)
    whole = run(*records)
    left = output(whole)
    assert not [secret for secret in secrets if any(text in left for text in encodings(secret))]
    assert whole.events.height > 200
    assert len(whole.refused) > 20


def test_an_event_says_that_it_lost_something(build: Build, run: Run) -> None:
    kept_out = {  # nothing of these bodies or members is kept in the first place
        *("answer with a secret", "answer with secrets", "answer with a token", "token review"),
        *("impersonated extra", "version", "kind of an event", "truncated event", "event too deep"),
        "secret in an event of a wrong reference",
    }
    for place, (secret, *_) in planted().items():
        events = run(PLACES[place](secret, build)).events
        if events.height and place not in kept_out:
            assert events["trailwarden.redacted"].null_count() == 0, place


def test_equal_secrets_compare_under_one_key_only(build: Build, run: Run) -> None:
    places = ("secret merge patch of texts", "env of a container", "exec flag", "query token")
    secret = planted()["exec flag"][0]
    records = [PLACES[place](secret, build) for place in places]

    def tokens(key: bytes) -> set[str]:
        found = run(*records, key=key).events
        texts = pl.concat(
            [
                found["kubernetes.audit.requestObject"],
                found["kubernetes.audit.requestURI"].alias("kubernetes.audit.requestObject"),
            ]
        )
        pattern = r"\[redacted:[0-9a-f]{16}\]"
        return {str(t) for t in texts.str.extract_all(pattern).explode().drop_nulls()}

    one, other = tokens(b"one"), tokens(b"other")
    assert one == {Redactor(b"one").token(secret)}
    assert other == {Redactor(b"other").token(secret)}
    assert not one & other


def test_without_a_key_tokens_of_two_runs_do_not_compare(build: Build) -> None:
    record = Records("x", [bytes(PLACES["query token"]("Hunter2Hunter2", build))], [0])
    uris = {
        normalize([record], NormalizeSettings("c")).events["kubernetes.audit.requestURI"][0]
        for _ in range(2)
    }
    assert len(uris) == 2


def test_a_key_is_not_shown() -> None:
    assert "very-secret" not in repr(NormalizeSettings("c", Redactor(b"very-secret")))


@pytest.mark.parametrize(
    ("column", "share"),
    [
        ("kubernetes.audit.requestURI", 0.001),
        ("kubernetes.audit.responseStatus.message", 0.001),
        ("kubernetes.audit.annotations", 0.001),
        ("user_agent.original", 0.001),
        ("user_agent.name", 0.001),
        ("process.command_line", 0.001),
    ],
)
def test_hardly_anything_harmless_is_redacted(
    recorded: pl.DataFrame, column: str, share: float
) -> None:
    values = recorded[column].drop_nulls()
    redacted = values.str.contains("[redacted:", literal=True)
    assert values.len() > 20
    assert redacted.sum() <= share * values.len()


UNTOUCHED: Final[dict[str, dict[str, Any]]] = {
    "kubernetes.audit.responseStatus.message": {
        "responseStatus": {"code": 404, "message": 'secrets "web-token-x" not found'}
    },
    "kubernetes.audit.requestURI": {
        "requestURI": "/api/v1/namespaces/a/secrets/web-token-x?fieldSelector=metadata.name%3Dtoken"
    },
    "process.command_line": {
        "requestURI": f"{EXEC}?command=cat&command=/var/run/secrets/kubernetes.io/"
        "serviceaccount/token",
        "objectRef": {"resource": "pods", "subresource": "exec"},
    },
    "trailwarden.pod_spec.commands": {
        "requestObject": pod(args=["--token-file=/run/secrets/x", "--anonymous-auth=false"])
    },
    "kubernetes.audit.requestObject": {
        "requestObject": {
            "spec": {
                "automountServiceAccountToken": False,
                "volumes": [{"name": "v", "secret": {"secretName": "web-tls"}}],
                "imagePullSecrets": [{"name": "registry"}],
            }
        }
    },
}


@pytest.mark.parametrize("column", UNTOUCHED)
def test_what_only_speaks_of_secrets_is_kept(build: Build, run: Run, column: str) -> None:
    (event,) = run(build(**UNTOUCHED[column])).events.iter_rows(named=True)
    assert event[column]
    assert "redacted" not in str(event[column])
    assert event["trailwarden.redacted"] is None
