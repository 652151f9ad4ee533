from __future__ import annotations

import base64
import json
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from confluent_kafka.admin._acl import AclOperation
from confluent_kafka.admin._resource import ResourceType

from ingest.collectors.producer import MAX_MESSAGE_BYTES
from sinks.topics import TopicOptions, desired_topics
from tests.compose.stack import COMPOSE, script, services
from tests.elasticsearch_rights import BULK_OPERATIONS, demand
from tests.permissions_table import kafka_rights
from worker.configuration import load_settings
from worker.doctor.search import PRIVILEGES

ROLES = ("worker", "setup", "analyst")
OPERATIONS = {
    "Read": "READ",
    "Write": "WRITE",
    "Describe": "DESCRIBE",
    "DescribeConfigs": "DESCRIBE_CONFIGS",
}


@pytest.fixture
def kafka_access(credentials: Path) -> Any:
    module: Any = script("kafka/access.py")
    module.SECRETS, module.SHIPPERS = credentials, credentials / "shippers"
    return module


def properties() -> dict[str, str]:
    lines = (COMPOSE / "kafka" / "server.properties").read_text().splitlines()
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {key: value for key, _, value in pairs}


class TestKafka:
    def test_nothing_is_allowed_that_is_not_granted(self) -> None:
        given = properties()
        assert given["authorizer.class.name"].endswith(".StandardAuthorizer")
        assert given["allow.everyone.if.no.acl.found"] == "false"
        assert given["super.users"] == "User:kafka;User:setup"
        assert given["auto.create.topics.enable"] == "false"

    def test_no_listener_speaks_in_the_clear_or_to_strangers(self) -> None:
        given = properties()
        protocols = dict(
            pair.split(":") for pair in given["listener.security.protocol.map"].split(",")
        )
        listeners = {address.split(":")[0] for address in given["listeners"].split(",")}
        assert protocols.keys() == listeners
        assert set(protocols.values()) == {"SASL_SSL", "SSL"}
        for name in (name for name, protocol in protocols.items() if protocol == "SSL"):
            assert given[f"listener.name.{name.lower()}.ssl.client.auth"] == "required"

    def test_the_largest_record_of_a_collector_fits(self, kafka_access: ModuleType) -> None:
        given = properties()
        assert int(given["message.max.bytes"]) >= MAX_MESSAGE_BYTES
        assert int(given["replica.fetch.max.bytes"]) >= MAX_MESSAGE_BYTES
        assert int(kafka_access.INBOX_CONFIG["max.message.bytes"]) >= MAX_MESSAGE_BYTES

    def test_topics_and_groups_are_those_of_the_settings(self, kafka_access: ModuleType) -> None:
        settings = load_settings(COMPOSE / "trailwarden.yml")
        kafka = settings.kafka
        assert kafka.raw_topic == kafka_access.RAW
        assert kafka.quarantine_topic == kafka_access.QUARANTINE
        assert kafka.inbox_prefix == kafka_access.INBOX
        assert kafka.group == kafka_access.WORKERS
        assert settings.inbox.group == kafka_access.MOVERS

    def test_an_inbox_forgets_as_soon_as_raw_does(self, kafka_access: ModuleType) -> None:
        raw = next(topic for topic in desired_topics(TopicOptions()) if topic.name == "raw")
        config = kafka_access.INBOX_CONFIG
        assert config.items() <= raw.config.items()
        assert {"retention.ms", "segment.ms", "max.message.bytes"} <= config.keys()

    def test_each_service_s_user_exists(self, kafka_access: ModuleType) -> None:
        users = kafka_access.passwords(["prod-eu"])
        named = {
            service["environment"]["TRAILWARDEN_KAFKA__USERNAME"]
            for service in services().values()
            if "TRAILWARDEN_KAFKA__USERNAME" in service.get("environment", {})
        }
        assert named | {"shipper-prod-eu"} == set(users)

    def test_only_collectors_and_workers_write_raw(self, kafka_access: ModuleType) -> None:
        rights = kafka_access.rights(["prod-eu", "staging"])
        writers = {
            acl.principal
            for acl in rights
            if acl.restype == ResourceType.TOPIC
            and acl.name == "raw"
            and acl.operation == AclOperation.WRITE
        }
        assert writers == {"User:webhook", "User:inbox", "User:worker"}

    @pytest.mark.parametrize(
        ("user", "roles"),
        [
            ("webhook", {"collector"}),
            ("inbox", {"inbox"}),
            ("worker", {"worker", "correlate", "doctor", "ledger", "quarantine"}),
        ],
    )
    def test_a_user_has_the_rights_that_the_page_says_its_roles_need(
        self, kafka_access: ModuleType, user: str, roles: set[str]
    ) -> None:
        granted: set[tuple[str, str, str]] = set()
        for acl in kafka_access.rights([]):
            if acl.principal == f"User:{user}":
                name = acl.operation.name
                brought = {name, "DESCRIBE"} if name in {"READ", "WRITE"} else {name}
                granted |= {(acl.restype.name, acl.name, operation) for operation in brought}
        needed = {
            (right.resource, right.name, OPERATIONS[right.operation])
            for right in kafka_rights()
            if right.role in roles
        }
        assert needed - granted == set()

    def test_a_shipper_writes_its_own_inbox_and_nothing_else(
        self, kafka_access: ModuleType
    ) -> None:
        rights = kafka_access.rights(["prod-eu", "staging"])
        own = [acl for acl in rights if acl.principal == "User:shipper-prod-eu"]
        assert [(acl.name, acl.operation) for acl in own] == [("inbox.prod-eu", AclOperation.WRITE)]

    def test_only_workers_read_records(self, kafka_access: ModuleType) -> None:
        rights = kafka_access.rights([])
        readers = {
            acl.principal
            for acl in rights
            if acl.name == "raw" and acl.operation == AclOperation.READ
        }
        assert readers == {"User:worker"}


class Answer(BaseHTTPRequestHandler):
    taken: list[tuple[str, str | None, Any]] = []  # noqa: RUF012 - emptied by the fixture
    status = 200

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.taken.append((self.path, self.headers["Authorization"], json.loads(body)))
        self.send_response(self.status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def roles() -> dict[str, Any]:
    found: dict[str, Any] = script("elasticsearch/access.py").ROLES
    return found


@pytest.fixture
def elasticsearch_access(
    credentials: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ModuleType]:
    module = script("elasticsearch/access.py")
    server = HTTPServer(("127.0.0.1", 0), Answer)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    pair = (credentials / "elasticsearch.crt", credentials / "elasticsearch.key")
    context.load_cert_chain(*pair)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setattr(module, "URL", f"https://localhost:{server.server_port}")
    monkeypatch.setattr(module, "SECRETS", credentials)
    monkeypatch.setattr(Answer, "taken", [])
    yield module
    server.shutdown()
    thread.join()
    server.server_close()


class TestElasticsearch:
    def test_it_sets_each_user_and_role_over_tls(
        self, elasticsearch_access: ModuleType, credentials: Path
    ) -> None:
        elasticsearch_access.main()
        elastic = (credentials / "elastic_password").read_text()
        proof = "Basic " + base64.b64encode(f"elastic:{elastic}".encode()).decode()
        assert {by for _, by, _ in Answer.taken} == {proof}
        bodies = {path: body for path, _, body in Answer.taken}
        for role in ROLES:
            user = bodies[f"/_security/user/trailwarden-{role}"]
            assert user["roles"] == [f"trailwarden-{role}"]
            assert user["password"] == (credentials / f"elasticsearch_{role}_password").read_text()
            assert f"/_security/role/trailwarden-{role}" in bodies
        kibana = bodies["/_security/user/kibana_system/_password"]
        assert kibana["password"] == (credentials / "kibana_system_password").read_text()

    def test_a_refusal_ends_it_and_says_nothing_secret(
        self,
        elasticsearch_access: ModuleType,
        credentials: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(Answer, "status", 403)
        with pytest.raises(SystemExit) as ended:
            elasticsearch_access.main()
        assert "403" in str(ended.value.code)
        assert (credentials / "elastic_password").read_text() not in str(ended.value.code)

    @pytest.mark.parametrize(
        ("role", "method", "path", "may"),
        [
            ("worker", "GET", "/", True),
            ("worker", "PUT", "/_index_template/other", False),
            ("worker", "DELETE", "/trailwarden-events-2026.10.01", True),
            ("worker", "GET", "/trailwarden-events-*", True),
            ("worker", "GET", "/trailwarden-findings/_search", False),
            ("worker", "PUT", "/_index_template/trailwarden-events", False),
            ("worker", "PUT", "/_security/user/x", False),
            ("setup", "GET", "/", True),
            ("setup", "PUT", "/_index_template/trailwarden-events", True),
            ("setup", "PUT", "/trailwarden-events-outofrange", True),
            ("setup", "POST", "/_aliases", True),
            ("setup", "GET", "/trailwarden-findings/_search", False),
            ("analyst", "GET", "/trailwarden-findings/_search", True),
            ("analyst", "POST", "/trailwarden-findings-2026.11.21/_update/x", True),
            ("analyst", "DELETE", "/trailwarden-findings-2026.11.21", False),
            ("analyst", "PUT", "/_index_template/trailwarden-events", False),
        ],
    )
    def test_a_role_may_what_it_needs(
        self, roles: dict[str, Any], role: str, method: str, path: str, *, may: bool
    ) -> None:
        needed = demand(method, path)
        if method == "DELETE" and "/_" not in path:
            assert ("delete_index" in index_rights(roles, role)) == may
            return
        rights = roles[f"trailwarden-{role}"]
        held = set(rights["cluster"]) | index_rights(roles, role)
        assert bool(held & set(needed.privileges)) == may

    def test_the_worker_may_create_and_update_and_never_delete_a_document(
        self, roles: dict[str, Any]
    ) -> None:
        held = index_rights(roles, "worker")
        may = {name for name, needed in BULK_OPERATIONS.items() if held & set(needed.privileges)}
        assert may == {"create", "index", "update"}

    def test_the_worker_has_what_doctor_asks_for(self, roles: dict[str, Any]) -> None:
        assert set(PRIVILEGES) <= index_rights(roles, "worker")

    def test_no_role_reaches_beyond_our_indices(self, roles: dict[str, Any]) -> None:
        for rights in roles.values():
            assert not set(rights["cluster"]) & {"all", "manage", "manage_security"}
            for entry in rights["indices"]:
                assert all(name.startswith("trailwarden-") for name in entry["names"])
                assert "all" not in entry["privileges"]


def index_rights(roles: dict[str, Any], role: str) -> set[str]:
    entries = roles[f"trailwarden-{role}"]["indices"]
    return {privilege for entry in entries for privilege in entry["privileges"]}
