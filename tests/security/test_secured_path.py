"""The whole path with everything secured: it works, it fails loudly, and no secret leaves it.

S6 (own secrets are in no output) and S17 (a security control that fails stops the work, it never
looks like "no findings").
"""

from __future__ import annotations

import base64
import http
import http.client
import json
import ssl
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest
from elasticsearch import Elasticsearch
from pydantic import SecretStr
from typer.testing import CliRunner

from ingest.collectors.producer import RecordProducer
from sinks.quarantine import read
from tests.authority import Authority, Issued
from tests.kafka_roles import ENVELOPE
from tests.secure_kafka import ADMIN, ADMIN_PASSWORD, SecureKafka
from tests.security.secured_world import (
    DEADLINE_S,
    Running,
    World,
    elasticsearch_account,
    rights_of,
    until,
)
from tests.tls_front import TlsFront
from trailwarden.cli import app
from worker.configuration import Elasticsearch as Elastic
from worker.configuration import Kafka, Settings
from worker.services.ports import free_port

pytestmark = pytest.mark.integration
EVENTS, BATCH = 300, 50
COMMANDS = ("run", "setup", "doctor", "ledger", "collect webhook", "collect tail", "collect kafka")
STOPPED, NOT_STARTED = 1, 2
SECRETS_LEAST = 8


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
        "user": {"username": f"someone-{number}", "groups": ["system:authenticated"]},
        "sourceIPs": ["10.0.0.1"],
        "userAgent": "kubectl/v1.36",
        "objectRef": {
            "resource": "pods",
            "namespace": "n",
            "name": f"{name}-{number}",
            "apiVersion": "v1",
        },
        "responseStatus": {"metadata": {}, "code": 201},
        "requestReceivedTimestamp": "2026-11-21T10:00:00.000000Z",
        "stageTimestamp": "2026-11-21T10:00:01.000000Z",
        "annotations": {"authorization.k8s.io/decision": "allow"},
        "requestObject": {
            "kind": "Pod",
            "apiVersion": "v1",
            "metadata": {"name": f"{name}-{number}", "namespace": "n"},
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
    accounts = {
        "worker": elasticsearch_account("worker", "worker", prefix),
        "revoked": elasticsearch_account("worker", "revoked", prefix),
        "setup": elasticsearch_account("setup", "setup", prefix),
    }
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
    """Count the pods of ``name`` that have a finding, as the node itself tells."""
    with closing(Elasticsearch(url)) as client:
        index = f"{world.prefix}-findings-*"
        client.indices.refresh(index=index)
        found = client.search(index=index, size=10_000, source_includes=["message"])["hits"]["hits"]
    messages = "".join(hit["_source"]["message"] for hit in found)
    return sum(f"created Pod n/{name}-{number} " in messages for number in range(EVENTS))


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
    worker.wait_ready()
    collector = start(
        world, running, settings("collector", webhook=hook.settings), "collect", "webhook"
    )
    collector.wait_ready()
    events = [pod(number, name=name) for number in range(EVENTS)]
    for first in range(0, EVENTS, BATCH):
        assert hook.send(*events[first : first + BATCH]) == http.HTTPStatus.OK
    until(lambda: findings(world, elasticsearch_url, name) == EVENTS, lambda: worker.log)

    code, said = world.command("doctor", "--config", str(settings("doctor")), "--json")
    states = {check["name"]: check for check in json.loads(said)["checks"]}
    assert code == 0, said
    secured = ("kafka", "topics", "workers", "elasticsearch", "templates", "sources")
    assert {one: states[one]["state"] for one in secured} == dict.fromkeys(secured, "ok"), said
    assert "may only look" in states["rights"]["detail"]
    until(lambda: collector.page("metrics")[1].count("trailwarden_workers_members 1.0") == 1)
    assert worker.stop() == 0, worker.log
    assert collector.stop() == 0, collector.log
    assert "GROUP_AUTHORIZATION" not in collector.log
    code, said = world.command("ledger", "--config", str(settings("ledger")), "--json")
    assert code in {0, 1}, said
    assert json.loads(said)["differences"] == [], said


def test_a_control_that_fails_stops_the_worker_with_its_reason(
    world: World, running: ExitStack
) -> None:
    good = world.add_user("worker-good", rights_of("worker"))
    strange = world.add_user(
        "worker-strange", [one for one in rights_of("worker") if one.resource != "GROUP"]
    )
    wrong = world.secret_file("wrong.password", uuid.uuid4().hex)
    elastic = by_api_key(world, "worker")
    other_key = base64.b64encode(f"worker:{uuid.uuid4().hex}".encode()).decode()
    wrong_key = {"api_key_file": str(world.secret_file("wrong.key", other_key))}
    kafka_ca = {"ca_file": str(world.kafka.authority.ca_file)}
    elastic_ca = {"ca_file": str(world.authority.ca_file)}

    def begin(user: str, password_file: Path, **groups: dict[str, Any]) -> Running:
        config = world.settings(user, password_file, **{"elasticsearch": elastic, **groups})
        return start(world, running, config, "run")

    started = {
        "authentication failed": begin("worker-good", wrong),
        "certificate verify failed": begin("worker-good", good, kafka=elastic_ca),
        "tlserror": begin("worker-good", good, elasticsearch={**elastic, **kafka_ca}),
        "unable to authenticate": begin("worker-good", good, elasticsearch=elastic | wrong_key),
        "group authorization failed": begin("worker-strange", strange),
    }
    ends = {reason: command.wait_end() for reason, command in started.items()}
    assert {reason: code for reason, (code, _) in ends.items()} == dict.fromkeys(started, STOPPED)
    assert not {reason: last for reason, (_, last) in ends.items() if reason not in last.lower()}


def test_a_doctor_with_a_wrong_password_says_so(world: World) -> None:
    wrong = world.secret_file("wrong.doctor", uuid.uuid4().hex)
    config = world.settings("doctor-wrong", wrong, elasticsearch=by_api_key(world, "worker"))
    code, said = world.command("doctor", "--config", str(config), "--json")
    (kafka,) = [check for check in json.loads(said)["checks"] if check["name"] == "kafka"]
    assert (code, kafka["state"]) == (1, "failed")
    assert "Authentication failed" in kafka["detail"]


def put(world: World, *values: bytes) -> None:
    """Append records as an administrator may."""
    answers: list[str | None] = []
    connection = world.kafka.password(ADMIN, ADMIN_PASSWORD)
    producer = RecordProducer({**connection, "log_level": 0}, f"{world.prefix}raw")
    for value in values:
        producer.send(ENVELOPE, value, answers.append)
    assert producer.flush(DEADLINE_S) == 0
    producer.close()
    assert answers == [None] * len(values)


def test_a_worker_that_may_not_put_records_aside_stops_and_the_next_one_does_it(
    world: World, running: ExitStack
) -> None:
    elastic = by_api_key(world, "worker")
    rights = [one for one in rights_of("worker") if one.name != "quarantine"]
    config = world.settings("narrow", world.add_user("narrow", rights), elasticsearch=elastic)
    put(world, b"no JSON at all", *(pod(number, name="narrow") for number in range(20)))
    code, last = start(world, running, config, "run").wait_end()
    assert code == STOPPED
    assert "Topic authorization failed" in last
    assert f"{world.prefix}quarantine" in last

    rights = rights_of("worker")
    config = world.settings("wide", world.add_user("wide", rights), elasticsearch=elastic)
    worker = start(world, running, config, "run")
    admin = world.kafka.password(ADMIN, ADMIN_PASSWORD)
    until(lambda: len(list(read(admin, f"{world.prefix}quarantine"))) == 1, lambda: worker.log)
    assert worker.stop() == 0, worker.log


def test_an_api_key_revoked_in_the_middle_stops_the_worker(
    world: World, running: ExitStack, elasticsearch_url: str
) -> None:
    elastic = by_api_key(world, "revoked")
    user = world.add_user("revoked", rights_of("worker"))
    worker = start(world, running, world.settings("revoked", user, elasticsearch=elastic), "run")
    put(world, *(pod(number, name="before") for number in range(20)))
    until(lambda: findings(world, elasticsearch_url, "before") == 20, lambda: worker.log)
    world.front.revoke(world.accounts["revoked"])
    put(world, *(pod(number, name="after") for number in range(20)))
    code, last = worker.wait_end()
    assert code == STOPPED
    assert "401" in last
    assert "unable to authenticate" in last


def test_no_secret_is_in_anything_that_was_said(world: World) -> None:
    """Last in this file: it searches what the tests before it kept, and adds to it."""
    password, outputs = uuid.uuid4().hex, world.outputs
    names = ("TRAILWARDEN_KAFKA__PASSWORD", "TRAILWARDEN_ELASTICSEARCH__API_KEY")
    given = dict.fromkeys(names, password)
    world.secrets |= {password}
    for command in COMMANDS:
        shown = CliRunner().invoke(app, [*command.split(), "--help"], env=given)
        assert (shown.exit_code, "Usage" in outputs.keep("help", shown.output)) == (0, True)
    code, _ = world.command("run", **given, TRAILWARDEN_KAFKA__NO_SUCH=password)
    assert code == NOT_STARTED
    settings = Settings(
        kafka=Kafka(password=SecretStr(password)),
        elasticsearch=Elastic(api_key=SecretStr(password)),
    )
    outputs.keep("settings", f"{settings!r} {settings} {settings.model_dump_json()}")
    assert len(world.secrets) >= SECRETS_LEAST
    assert leaks(world.secrets, outputs.texts) == set()
    planted = {"one": f"x{quote_plus(next(iter(world.secrets)))}x"}
    assert leaks(world.secrets, planted) == {"one"}


def leaks(secrets: set[str], texts: dict[str, str]) -> set[str]:
    """Return the names of texts that hold a secret as it is, in base64 or in a URL."""
    forms = {
        form
        for one in secrets
        for form in (one, base64.b64encode(one.encode()).decode().rstrip("="), quote_plus(one))
    }
    return {name for name, text in texts.items() if any(form in text for form in forms)}
