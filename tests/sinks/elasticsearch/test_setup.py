"""A set-up says what it would do, does just that, and finds nothing to do the second time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sinks.elasticsearch import setup
from sinks.elasticsearch.bulk import BulkWriter
from sinks.elasticsearch.connection import Client, connect
from sinks.elasticsearch.documents import Document
from sinks.elasticsearch.fields import dotted, event_fields
from sinks.elasticsearch.setup import apply, changes, offered_features
from sinks.elasticsearch.setup_check import check_setup, checker
from sinks.elasticsearch.templates import SetupOptions
from sinks.elasticsearch.transport import SetupMissingError, UnavailableError, ask, require

pytestmark = pytest.mark.integration


@pytest.fixture
def options(prefix: str) -> SetupOptions:
    return SetupOptions(prefix, replicas=0, version="1.2.3")


def test_all_is_made_once(client: Client, options: SetupOptions) -> None:
    prefix = options.prefix
    planned = changes(client, options)
    assert [(change.kind, change.name) for change in planned] == [
        (setup.COMPONENT, f"{prefix}-settings"),
        (setup.COMPONENT, f"{prefix}-events"),
        (setup.COMPONENT, f"{prefix}-findings"),
        (setup.TEMPLATE, f"{prefix}-events"),
        (setup.TEMPLATE, f"{prefix}-findings"),
        (setup.INDEX, f"{prefix}-events-outofrange"),
        (setup.INDEX, f"{prefix}-findings-outofrange"),
    ]
    assert changes(client, options) == planned  # looking alters nothing
    assert apply(client, options) == planned
    assert changes(client, options) == []
    assert apply(client, options) == []


def test_an_index_of_a_day_comes_into_being_as_wanted(
    client: Client, options: SetupOptions
) -> None:
    apply(client, options)
    index = f"{options.prefix}-events-2026.03.01"
    writer = BulkWriter(client, 1 << 20, check=checker(client, options.prefix))
    writer.add(Document(index, "a", b'{"user.name":"u","no.such.field":1}'))
    assert writer.flush() is None
    held = require(client, "GET", f"/{index}?flat_settings=true")[index]
    assert set(held["aliases"]) == {f"{options.prefix}-events"}
    assert held["settings"]["index.number_of_shards"] == "1"
    assert held["settings"]["index.number_of_replicas"] == "0"
    assert held["mappings"]["_meta"]["version"] == "1.2.3"
    assert set(dotted(held["mappings"]["properties"])) == set(
        event_fields(offered_features(client))
    )
    assert changes(client, options) == []


def test_an_upgrade_reaches_the_indices_that_exist(client: Client, options: SetupOptions) -> None:
    apply(client, options)
    index = f"{options.prefix}-findings-2026.03.01"
    ask(client, "DELETE", f"/_index_template/{options.prefix}-findings")
    old = {
        "mappings": {
            "dynamic": "false",
            "properties": {
                "user": {"properties": {"name": {"type": "keyword", "ignore_above": 10}}},
                "event": {"properties": {"severity": {"type": "keyword"}}},
            },
        },
        "settings": {"index.number_of_replicas": 0},
    }
    require(client, "PUT", f"/{index}", old)
    newer = replace(options, version="2.0", replicas=1)
    made = {
        (change.kind, change.name): change for change in apply(client, newer) if not change.note
    }
    fields = made[setup.FIELDS, index]
    assert fields.before is not None
    assert fields.before["fields"] == {"user.name": {"type": "keyword", "ignore_above": 10}}
    assert "trailwarden.triage.status" in fields.after["fields"]  # type: ignore[index]
    assert made[setup.SETTINGS, index].after == {
        "index.number_of_replicas": "1",
        "index.refresh_interval": "1s",
    }
    (left,) = changes(client, newer)
    assert left.is_drift
    assert left.before == {"event.severity": {"type": "keyword"}}
    held = require(client, "GET", f"/{index}/_mapping")[index]["mappings"]
    assert held["properties"]["user"]["properties"]["name"]["ignore_above"] == 1_024
    assert held["_meta"]["version"] == "2.0"
    assert apply(client, newer) == [left]


def test_what_somebody_else_changed_is_put_right(client: Client, options: SetupOptions) -> None:
    apply(client, options)
    name = f"{options.prefix}-settings"
    other = {"template": {"settings": {"index": {"number_of_shards": 3}}}}
    require(client, "PUT", f"/_component_template/{name}", other)
    (change,) = apply(client, options)
    assert (change.kind, change.name) == (setup.COMPONENT, name)
    assert change.before is not None
    assert change.before["template"]["settings"] == {"index": {"number_of_shards": "3"}}
    assert changes(client, options) == []


def test_indices_that_are_not_ours_are_left_alone(client: Client, options: SetupOptions) -> None:
    apply(client, options)
    theirs = f"{options.prefix}-events-2026.03.01-copy"
    require(client, "PUT", f"/{theirs}", {"settings": {"index.number_of_replicas": 0}})
    newer = replace(options, version="2.0")
    assert theirs not in {change.name for change in apply(client, newer)}


def test_without_templates_nothing_is_written(client: Client, options: SetupOptions) -> None:
    prefix = options.prefix
    index = f"{prefix}-events-2026.03.01"
    writer = BulkWriter(client, 1 << 20, check=checker(client, prefix))
    writer.add(Document(index, "a", b"{}"))
    with pytest.raises(SetupMissingError, match=f"template {prefix}-events is missing.*setup`"):
        writer.flush()
    assert writer.pending == 1
    assert ask(client, "HEAD", f"/{index}").status == 404
    apply(client, options)
    assert writer.flush() is None
    assert (writer.pending, writer.created()) == (0, ["a"])


def test_templates_of_an_older_schema_are_not_written_to(
    client: Client, options: SetupOptions
) -> None:
    apply(client, replace(options, schema_version=0))
    with pytest.raises(SetupMissingError, match="for schema version 0, this program writes"):
        check_setup(client, options.prefix)
    apply(client, options)
    assert check_setup(client, options.prefix) is None


def test_a_newer_schema_is_written_to(client: Client, options: SetupOptions) -> None:
    apply(client, replace(options, schema_version=1_000))
    assert check_setup(client, options.prefix) is None


def test_a_server_that_is_away_is_named() -> None:
    client = connect("http://127.0.0.1:1")
    reply = check_setup(client, "tw")
    assert reply is not None
    assert "refused" in reply.reason
    with pytest.raises(UnavailableError, match="refused"):
        changes(client, SetupOptions())
