from __future__ import annotations

from pathlib import Path

from ingest.salvage import MAX_RECORD_BYTES
from worker.services.broker_properties import (
    BrokerOptions,
    BrokerSecurity,
    broker_properties,
    properties_text,
)

DATA = Path("/data")
SECURITY = BrokerSecurity(
    keystore_file=Path("/keys/broker.pem"),
    client_ca_file=Path("/keys/ca.pem"),
    certificate_port=3,
    super_users=("User:CN=broker", "User:admin"),
    scram_users={"admin": "hunter2"},
    probe={"sasl.password": "hunter2"},
)


def plain(options: BrokerOptions | None = None) -> dict[str, str]:
    return broker_properties(DATA, 1, 2, options or BrokerOptions(), None)


def secured() -> dict[str, str]:
    return broker_properties(DATA, 1, 2, BrokerOptions(), SECURITY)


def test_nothing_listens_beyond_loopback() -> None:
    for properties in (plain(), secured()):
        for listener in properties["listeners"].split(","):
            assert listener.partition("://")[2].startswith("127.0.0.1:")


def test_a_record_of_the_largest_size_fits() -> None:
    assert int(plain()["message.max.bytes"]) > MAX_RECORD_BYTES


def test_topics_do_not_appear_by_mistake() -> None:
    assert plain()["auto.create.topics.enable"] == "false"


def test_session_timeouts_of_tests_are_allowed() -> None:
    properties = plain(BrokerOptions(session_timeout_s=1.5, heartbeat_s=0.25))
    assert properties["group.consumer.session.timeout.ms"] == "1500"
    assert properties["group.consumer.heartbeat.interval.ms"] == "250"


def test_what_a_test_asks_for_wins() -> None:
    options = BrokerOptions(extra={"message.max.bytes": "1000"})
    assert plain(options)["message.max.bytes"] == "1000"


def test_a_secured_broker_has_no_listener_without_proof() -> None:
    properties = secured()
    protocols = dict(
        pair.split(":") for pair in properties["listener.security.protocol.map"].split(",")
    )
    assert set(protocols.values()) == {"SSL", "SASL_SSL"}
    for name in (name for name, protocol in protocols.items() if protocol == "SSL"):
        assert properties[f"listener.name.{name.lower()}.ssl.client.auth"] == "required"


def test_a_secured_broker_denies_what_no_rule_allows() -> None:
    properties = secured()
    assert properties["allow.everyone.if.no.acl.found"] == "false"
    assert properties["super.users"] == "User:CN=broker;User:admin"
    assert "ANONYMOUS" not in properties_text(properties)


def test_passwords_are_neither_written_nor_shown() -> None:
    assert "hunter2" not in properties_text(secured())
    assert "hunter2" not in repr(SECURITY)


def test_the_text_has_one_line_a_property() -> None:
    assert properties_text({"a": "1", "b.c": "x=y"}) == "a=1\nb.c=x=y\n"
