"""docs/permissions.md is true: with its ACLs each role works, with one less it says what it lacks.

Every case is a principal of its own (a client certificate) with topics and groups of its own, all
made at once: changes of ACLs and topics take their time to be seen.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # its names lack `__all__`
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)

from sinks import topics
from sinks.alarm import Alarm
from tests.kafka_roles import ROLES, Names, RefusedError, read_all, send, wait_for
from tests.permissions_table import Right, kafka_rights
from tests.secure_kafka import ADMIN, ADMIN_PASSWORD, SecureKafka
from worker.group_watch import GroupWatcher

RIGHTS = kafka_rights()
# Of a row that names several topics, one is taken away: each operation of each row once.
TAKEN = list({(one.row, one.operation): one for one in reversed(RIGHTS)}.values())
REFUSED = "(?i)authorization failed"
# A pattern of topics matches what may be seen: there is nobody to refuse.
UNSEEN = "Subscribed topic not available: .*: Broker: Unknown topic"
LOOK_S = 3.0
"""Also how long an answer is waited for: a busy broker needs its time."""
OPERATIONS = {"DescribeConfigs": "DESCRIBE_CONFIGS", "AlterConfigs": "ALTER_CONFIGS"}
SHIPPER = Right(-1, "shipper", "TOPIC", "LITERAL", "inbox.one", "Write")
INBOX = "inbox.one"


def rights_of(role: str) -> list[Right]:
    return [right for right in RIGHTS if right.role == role]


def without(right: Right) -> str:
    return f"without-{right}".replace(".", "")


def cases() -> Iterator[tuple[str, list[Right]]]:
    """Yield every principal and its rights."""
    for role in ROLES:
        yield role, rights_of(role)
    for right in TAKEN:
        yield without(right), [other for other in rights_of(right.role) if other != right]
    yield "blind", rights_of("collector")
    yield "unwatching", [one for one in rights_of("collector") if one.resource == "TOPIC"]
    yield "foreign", [SHIPPER]


def bindings(name: str, rights: Iterable[Right]) -> Iterator[AclBinding]:
    for right in rights:
        yield AclBinding(
            ResourceType[right.resource],
            Names(f"{name}.")(right.name),
            ResourcePatternType[right.pattern],
            f"User:CN={name}",
            "*",
            AclOperation[OPERATIONS.get(right.operation, right.operation.upper())],
            AclPermissionType.ALLOW,
        )


def wanted_topics(name: str) -> Iterator[NewTopic]:
    """Yield the topics of a case as a set-up makes them, but none for set-ups."""
    if "setup" in name:
        return
    names = Names(f"{name}.")
    yield NewTopic(names(INBOX), 1, 1)
    for topic in topics.desired_topics(names.topics):
        (change,) = topics.compare(topic, None, 1)
        assert change.after is not None
        yield NewTopic(topic.name, 1, 1, config=change.after["config"])


@pytest.fixture(scope="module")
def prepared(secure_kafka: SecureKafka) -> SecureKafka:
    """Give the broker with all topics, a record in each, and all ACLs."""
    created = [topic for name, _ in cases() for topic in wanted_topics(name)]
    for made in secure_kafka.admin.create_topics(created).values():
        made.result()
    allowed = [one for name, rights in cases() for one in bindings(name, rights)]
    for done in secure_kafka.admin.create_acls(allowed).values():
        done.result()
    nothing: Any = None  # every name, principal and host
    everything = AclBindingFilter(
        ResourceType.ANY,
        nothing,
        ResourcePatternType.ANY,
        nothing,
        nothing,
        AclOperation.ANY,
        AclPermissionType.ANY,
    )
    wait_for(lambda: len(secure_kafka.admin.describe_acls(everything).result()) >= len(allowed))
    producer = Producer(secure_kafka.password(ADMIN, ADMIN_PASSWORD))
    for topic in created:
        producer.produce(topic.topic, b"{}")
    assert producer.flush(60) == 0
    return secure_kafka


def act(secured: SecureKafka, role: str, name: str) -> None:
    """Do a role's work as one of the principals."""
    ROLES[role](secured.named(name), Names(f"{name}."))


def test_every_role_of_the_page_is_tried() -> None:
    assert {right.role for right in RIGHTS} == set(ROLES)


@pytest.mark.integration
@pytest.mark.parametrize("role", ROLES)
def test_a_role_works_with_the_rights_of_the_page(prepared: SecureKafka, role: str) -> None:
    act(prepared, role, role)


@pytest.mark.integration
@pytest.mark.parametrize("right", TAKEN, ids=str)
def test_a_right_that_is_missing_is_said(prepared: SecureKafka, right: Right) -> None:
    said = UNSEEN if right.pattern == "PREFIXED" else REFUSED
    with pytest.raises(RefusedError, match=said):
        act(prepared, right.role, without(right))


@pytest.mark.integration
def test_a_collector_cannot_read_what_it_sent(prepared: SecureKafka) -> None:
    config = prepared.named("blind")
    send(config, "blind.raw")
    with pytest.raises(RefusedError, match=REFUSED):
        read_all(config, "blind.raw")


class Unalarmed:
    """Nobody to tell: there is nothing to see."""

    def alarm(self, alarm: Alarm) -> None:
        raise AssertionError(alarm)


@pytest.mark.integration
def test_a_collector_that_may_not_watch_says_so_once_and_goes_on(prepared: SecureKafka) -> None:
    config, names = prepared.named("unwatching"), Names("unwatching.")
    problems: queue.Queue[str] = queue.Queue()
    watcher = GroupWatcher(
        config,
        names("trailwarden"),
        names("raw"),
        Unalarmed(),
        silence_s=0.1,
        interval_s=LOOK_S,
        on_problem=problems.put,
    )
    try:
        assert "GROUP_AUTHORIZATION_FAILED" in problems.get(timeout=30)
        end = time.monotonic() + 2 * LOOK_S
        while time.monotonic() < end:
            send(config, names("raw"))
        assert list(watcher.samples()) == []
    finally:
        watcher.close()
    assert problems.empty()


@pytest.mark.integration
def test_a_shipper_cannot_write_to_raw(prepared: SecureKafka) -> None:
    config = prepared.named("foreign")
    send(config, f"foreign.{INBOX}")
    with pytest.raises(RefusedError, match=REFUSED):
        send(config, "foreign.raw")
