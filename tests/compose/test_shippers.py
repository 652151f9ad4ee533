from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from confluent_kafka import Producer

from ingest.collectors.producer import MAX_MESSAGE_BYTES
from ingest.salvage import MAX_RECORD_BYTES
from tests.compose.stack import COMPOSE, script
from worker.configuration import load_settings

SHIPPERS = COMPOSE / "shippers"
TOPIC, USER, BROKER = "inbox.prod-eu", "shipper-prod-eu", "logs.example.org:9095"


def fluent_bit() -> tuple[dict[str, Any], dict[str, Any]]:
    pipeline = yaml.safe_load((SHIPPERS / "fluent-bit.yaml").read_text())["pipeline"]
    (tail,), (kafka,) = pipeline["inputs"], pipeline["outputs"]
    return tail, kafka


def vector() -> tuple[dict[str, Any], dict[str, Any]]:
    config = yaml.safe_load((SHIPPERS / "vector.yaml").read_text())
    return config["sources"]["audit"], config["sinks"]["kafka"]


def fluentd() -> dict[str, dict[str, str]]:
    """Return the options of each section, sections named `match/buffer` and so on."""
    found: dict[str, dict[str, str]] = {}
    path: list[str] = []
    for line in (SHIPPERS / "fluentd.conf").read_text().splitlines():
        text = line.strip()
        if text.startswith("</"):
            assert path.pop() == text[2:-1]
        elif text.startswith("<"):
            path.append(text[1:-1].split()[0])
            found["/".join(path)] = {}
        elif text and not text.startswith("#"):
            key, _, value = text.partition(" ")
            found["/".join(path)][key] = value
    assert not path
    return found


def librdkafka(shipper: str) -> dict[str, Any]:
    """Return what reaches librdkafka, in its own words."""
    if shipper == "fluent-bit":
        _, kafka = fluent_bit()
        return {k[8:]: v for k, v in kafka.items() if k.startswith("rdkafka.")}
    if shipper == "vector":
        _, kafka = vector()
        own = {
            "security.protocol": "SASL_SSL" if kafka["tls"]["enabled"] else "SASL_PLAINTEXT",
            "sasl.mechanism": kafka["sasl"]["mechanism"],
            "sasl.username": kafka["sasl"]["username"],
            "sasl.password": kafka["sasl"]["password"],
            "compression.codec": kafka["compression"],
            "message.timeout.ms": kafka["message_timeout_ms"],
        }
        return {**own, **kafka["librdkafka_options"]}
    match = fluentd()["match"]
    own = {
        "request.required.acks": match["required_acks"],
        "message.max.bytes": match["rdkafka_message_max_bytes"],
        "sasl.username": match["username"],
        "sasl.password": match["password"],
    }
    return {**own, **json.loads(match["rdkafka_options"])}


@pytest.mark.parametrize("shipper", ["fluent-bit", "vector", "fluentd"])
class TestEveryShipper:
    def test_librdkafka_takes_its_options(self, shipper: str, credentials: Any) -> None:
        options = librdkafka(shipper) | {"ssl.ca.location": str(credentials / "ca.crt")}
        assert Producer(options).flush(0) == 0

    def test_it_waits_for_every_replica_and_repeats_nothing(self, shipper: str) -> None:
        options = librdkafka(shipper)
        assert str(options["request.required.acks"]) == "-1"
        assert str(options["enable.idempotence"]).lower() == "true"

    def test_it_proves_itself_over_tls(self, shipper: str) -> None:
        options = librdkafka(shipper)
        assert options["security.protocol"] == "SASL_SSL"
        assert options["sasl.mechanism"] == "SCRAM-SHA-512"
        assert "SHIPPER_PASSWORD" in options["sasl.password"]
        assert options["sasl.username"] == USER == script("kafka/access.py").shipper("prod-eu")

    def test_the_largest_record_passes(self, shipper: str) -> None:
        assert int(librdkafka(shipper)["message.max.bytes"]) >= MAX_MESSAGE_BYTES

    def test_it_says_what_it_cannot_do(self, shipper: str) -> None:
        names = {"fluentd": "fluentd.conf"}
        text = (SHIPPERS / names.get(shipper, f"{shipper}.yaml")).read_text()
        assert "# Limits:" in text
        assert "# Options from: https://" in text


def test_topics_are_inboxes_of_the_settings() -> None:
    prefix = load_settings(COMPOSE / "trailwarden.yml").kafka.inbox_prefix
    topics = {fluent_bit()[1]["topics"], vector()[1]["topic"], fluentd()["match"]["topic"]}
    assert topics == {TOPIC}
    assert f"{prefix}prod-eu" == TOPIC


def test_brokers_are_where_the_overlay_opens_kafka() -> None:
    brokers = {
        fluent_bit()[1]["brokers"],
        vector()[1]["bootstrap_servers"],
        fluentd()["match"]["brokers"],
    }
    assert brokers == {BROKER}
    ports = yaml.safe_load((COMPOSE / "inbox.yaml").read_text())["services"]["kafka"]["ports"]
    assert f"-{BROKER.split(':')[1]}}}:" in ports[0]


def test_fluent_bit_neither_stops_nor_skips_at_a_long_line() -> None:
    tail, kafka = fluent_bit()
    assert tail["buffer_max_size"] == f"{MAX_RECORD_BYTES >> 20}M"
    assert (tail["skip_long_lines"], tail["truncate_long_lines"]) == (False, True)
    assert (kafka["queue_full_retries"], kafka["retry_limit"]) == (0, "no_limits")
    assert (kafka["format"], kafka["raw_log_key"]) == ("raw", tail["key"])
    assert tail["storage.type"] == "filesystem"


def test_vector_moves_its_checkpoint_only_after_kafka_and_takes_long_lines() -> None:
    source, sink = vector()
    assert sink["acknowledgements"] == {"enabled": True}
    assert sink["buffer"]["type"] == "memory"
    assert source["max_line_bytes"] == MAX_RECORD_BYTES
    assert sink["encoding"] == {"codec": "raw_message"}


def test_fluentd_blocks_instead_of_dropping() -> None:
    sections = fluentd()
    buffer = sections["match/buffer"]
    assert (buffer["@type"], buffer["overflow_action"]) == ("file", "block")
    assert buffer["retry_forever"] == "true"
    assert "max_send_limit_bytes" not in sections["match"]
    assert "max_line_size" not in sections["source"]
    key = sections["source/parse"]["message_key"]
    assert sections["match/format"] == {
        "@type": "single_value",
        "message_key": key,
        "add_newline": "false",
    }
