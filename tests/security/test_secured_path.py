"""The whole path with everything secured: it works, it fails loudly, and no secret leaves it.

S6 (own secrets are in no output) and S17 (a security control that fails stops the work, it never
looks like "no findings").
"""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import urllib.parse
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from ingest.collectors.producer import RecordProducer
from ingest.envelope import Envelope, Format
from tests.authority import Authority, Issued
from tests.security.secured_world import (
    DEADLINE_S,
    Running,
    World,
    elasticsearch_account,
    rights_of,
    until,
)
from tests.kafka_roles import ENVELOPE
from tests.secure_kafka import ADMIN, ADMIN_PASSWORD, SecureKafka
from tests.tls_front import TlsFront
from worker.services.ports import free_port

pytestmark = pytest.mark.integration
EVENTS, BATCH = 300, 50
COMMANDS = ("run", "setup", "doctor", "ledger", "collect webhook", "collect tail", "collect kafka")


def pod(number: int, *, name: str = "prod") -> bytes:
    """Return the event of a privileged pod, which several rules find."""
    container = {"name": "c", "image": "i", "securityContext": {"privileged": True}}
    record = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "RequestResponse",
        "auditID": f"{name}-{number}",
        "stage": "ResponseComplete",
        "requestURI": "/api/v1/namespaces/n/pods",
        "verb": "create",
        "user": {"username": "someone", "groups": ["system:authenticated"]},
        "sourceIPs": ["10.0.0.1"],
        "userAgent": "kubectl/v1.36",
        "objectRef": {"resource": "pods", "namespace": "n", "name": "x", "apiVersion": "v1"},
        "responseStatus": {"metadata": {}, "code": 201},
        "requestReceivedTimestamp": "2026-11-21T10:00:00.000000Z",
        "stageTimestamp": "2026-11-21T10:00:01.000000Z",
        "annotations": {"authorization.k8s.io/decision": "allow"},
        "requestObject": {
            "kind": "Pod",
            "apiVersion": "v1",
            "metadata": {"name": "x", "namespace": "n"},
            "spec": {"containers": [container]},
        },
    }
    return json.dumps(record).encode()


@pytest.fixture(scope="module")
def world(
    secure_kafka: SecureKafka, elasticsearch_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """Give the servers, all users, and everything that `trailwarden setup` makes."""
    folder = tmp_path_factory.mktemp("secured")
    prefix = f"sec{uuid.uuid4().hex[:8]}"
    authority = Authority(folder / "keys", "elasticsearch authority")
    node = authority.issue("node")
    accounts = {role: elasticsearch_account(role, prefix) for role in ("worker", "setup")}
    with TlsFront(elasticsearch_url, node, list(accounts.values())) as front:
        made = World(folder, secure_kafka, authority, front, accounts, prefix)
        made.secrets |= private_key(node)
        for account in accounts.values():
            made.secrets |= {str(account.password), str(account.api_key).partition(":")[2]}
        try:
            set_up(made)
            yield made
        finally:
            clean(elasticsearch_url, prefix)


def private_key(issued: Issued) -> set[str]:
    """Return the lines of a private key that are the key itself."""
    return {line for line in issued.key_file.read_text().splitlines() if "-----" not in line}


def set_up(world: World) -> None:
    config = world.settings(
        "setup",
        world.add_user("setup", rights_of("setup")),
        elasticsearch=by_password(world, "setup"),
    )
    size = ("--partitions", "2", "--replication-factor", "1")
    code, said = world.command("setup", "--config", str(config), *size)
    assert code == 0, said
    code, said = world.command("setup", "--config", str(config))
    assert (code, said.count("nothing to do")) == (0, 2), said


def clean(url: str, prefix: str) -> None:
    with closing(Elasticsearch(url)) as client:
        for index in client.indices.get(index=f"{prefix}-*", expand_wildcards="all"):
            client.indices.delete(index=index)
        for template in client.indices.get_index_template(name=f"{prefix}*")["index_templates"]:
            client.indices.delete_index_template(name=template["name"])
        parts = client.cluster.get_component_template(name=f"{prefix}*")["component_templates"]
        for part in parts:
            client.cluster.delete_component_template(name=part["name"])


def by_password(world: World, role: str) -> dict[str, Any]:
    """Return settings of Elasticsearch: a user, and its authority by fingerprint."""
    account = world.accounts[role]
    file = world.secret_file(f"elasticsearch-{role}.password", str(account.password))
    return {
        "username": account.name,
        "password_file": str(file),
        "ca_fingerprint": world.authority.fingerprint,
    }


def by_api_key(world: World, role: str) -> dict[str, Any]:
    """Return settings of Elasticsearch: an API key, and its authority by file."""
    file = world.secret_file(f"elasticsearch-{role}.key", world.accounts[role].encoded_api_key)
    return {"api_key_file": str(file), "ca_file": str(world.authority.ca_file)}


@pytest.fixture
def running() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def start(world: World, running: ExitStack, config: Path, *arguments: str) -> Running:
    started = world.start(*arguments, config=config)
    running.callback(started.kill)
    return started


class Webhook:
    """The collector's settings, and an API server that proves itself to it."""

    def __init__(self, world: World, *, with_token: bool) -> None:
        self.port, self._world = free_port(), world
        authority = Authority(world.folder / uuid.uuid4().hex, "clusters authority")
        server, self._client = authority.issue("collector"), authority.issue("prod")
        self._authority = authority
        world.secrets.update(private_key(server) | private_key(self._client))
        self._token = uuid.uuid4().hex if with_token else None
        self.settings = {
            "port": self.port,
            "certificate_file": str(server.certificate_file),
            "key_file": str(server.key_file),
            "client_ca_file": str(authority.ca_file),
        }
        if self._token:
            file = authority.folder / "tokens"
            file.write_text(f"prod {self._token}\n")
            self.settings["tokens_file"] = str(file)
            world.secrets.add(self._token)

    def send(self, *events: bytes) -> int:
        context = ssl.create_default_context(cafile=str(self._authority.ca_file))
        context.load_cert_chain(self._client.certificate_file, self._client.key_file)
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self.port, timeout=DEADLINE_S, context=context
        )
        bearer = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        body = b'{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[%s]}'
        try:
            connection.request("POST", "/audit", body % b",".join(events), bearer)
            return connection.getresponse().status
        finally:
            connection.close()


def findings(world: World, url: str, name: str) -> int:
    """Count the events of ``name`` that have a finding, as the node itself tells."""
    with closing(Elasticsearch(url)) as client:
        index = f"{world.prefix}-findings-*"
        client.indices.refresh(index=index)
        found = client.search(index=index, size=10_000, source=True)["hits"]["hits"]
    texts = [json.dumps(hit["_source"]) for hit in found]
    return sum(any(f'"{name}-{number}"' in text for text in texts) for number in range(EVENTS))


@pytest.mark.parametrize(("name", "identity"), [("key", by_api_key), ("basic", by_password)])
def test_events_become_findings_with_exactly_the_rights_of_the_page(
    world: World, running: ExitStack, elasticsearch_url: str, name: str, identity: Any
) -> None:
    elastic = {**identity(world, "worker"), "events": "all"}
    hook = Webhook(world, with_token=name == "basic")
    users = {
        role: world.add_user(f"{role}-{name}", rights_of(role))
        for role in ("worker", "collector", "doctor", "ledger")
    }

    def settings(role: str, **groups: Any) -> Path:
        return world.settings(f"{role}-{name}", users[role], elasticsearch=elastic, **groups)

    worker = start(world, running, settings("worker"), "run")
    collector = start(
        world, running, settings("collector", webhook=hook.settings), "collect", "webhook"
    )
    collector.wait_ready()
    events = [pod(number, name=name) for number in range(EVENTS)]
    for first in range(0, EVENTS, BATCH):
        assert hook.send(*events[first : first + BATCH]) == 200
    worker.wait_ready()
    until(lambda: findings(world, elasticsearch_url, name) == EVENTS, lambda: worker.log)

    code, said = world.command("doctor", "--config", str(settings("doctor")), "--json")
    states = {check["name"]: check for check in json.loads(said)["checks"]}
    assert code == 0, said
    secured = ("kafka", "topics", "workers", "elasticsearch", "templates", "sources")
    assert {one: states[one]["state"] for one in secured} == dict.fromkeys(secured, "ok"), said
    until(lambda: collector.page("metrics")[1].count("trailwarden_workers_members 1.0") == 1)
    assert worker.stop() == 0, worker.log
    assert collector.stop() == 0, collector.log
    assert "GROUP_AUTHORIZATION" not in collector.log
    code, said = world.command("ledger", "--config", str(settings("ledger")), "--json")
    assert code in {0, 1}, said
    assert json.loads(said)["differences"] == [], said
