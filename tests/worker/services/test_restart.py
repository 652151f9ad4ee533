"""What a server has acknowledged is still there after it was killed and started again."""

from __future__ import annotations

import http.client
import json
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from worker.services.elasticsearch import LocalElasticsearch
from worker.services.errors import ServiceError
from worker.services.kafka import LocalKafka

pytestmark = pytest.mark.integration
KILLS = 2


def ask(node: LocalElasticsearch, method: str, path: str, document: Any = None) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", node.port, timeout=30)
    body = None if document is None else json.dumps(document)
    connection.request(method, path, body, {"Content-Type": "application/json"})
    answer = json.loads(connection.getresponse().read())
    connection.close()
    return answer


def read(bootstrap: str, topic: str, count: int) -> list[bytes]:
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "reader", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([topic])
    messages = consumer.consume(count, timeout=30)
    consumer.close()
    return [value for m in messages if (value := m.value()) is not None]


def test_a_killed_broker_keeps_topics_and_records(own_kafka: LocalKafka) -> None:
    admin = AdminClient({"bootstrap.servers": own_kafka.bootstrap})
    admin.create_topics([NewTopic("kept", 1, 1)])["kept"].result()
    producer = Producer({"bootstrap.servers": own_kafka.bootstrap, "acks": "all"})
    sent = []
    for kill in range(KILLS):
        sent.append(f"record {kill}".encode())
        producer.produce("kept", sent[-1])
        assert producer.flush(60) == 0
        own_kafka.kill()
        assert own_kafka.process.running() is None
        own_kafka.start()
        own_kafka.wait_ready()
    assert read(own_kafka.bootstrap, "kept", KILLS) == sent


def test_a_killed_node_keeps_documents(own_elasticsearch: LocalElasticsearch) -> None:
    for kill in range(KILLS):
        answer = ask(own_elasticsearch, "PUT", f"/kept/_create/{kill}", {"kill": kill})
        assert answer["result"] == "created"
        own_elasticsearch.kill()
        own_elasticsearch.start()
        own_elasticsearch.wait_ready()
    ask(own_elasticsearch, "POST", "/kept/_refresh")
    assert ask(own_elasticsearch, "GET", "/kept/_count")["count"] == KILLS


def test_a_server_that_runs_is_not_started_twice(module_kafka: LocalKafka) -> None:
    before = module_kafka.process.running()
    module_kafka.start()
    assert module_kafka.process.running() == before


def test_a_taken_port_is_refused_by_name(module_kafka: LocalKafka) -> None:
    other = LocalKafka(module_kafka.folder.parent / "other", module_kafka.port)
    with pytest.raises(ServiceError, match=f"port {module_kafka.port} for Kafka"):
        other.start()
