"""What the mapping says, without a server: every field of documents, in types that ECS has."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from detectors.known_columns import KNOWN_DTYPES
from detectors.ruleset import look, ruleset
from detectors.sigma.compiler import load_pack
from ingest.normalize import NormalizeSettings, normalize
from ingest.schema import SCHEMA_VERSION
from ingest.sources.read import read_records
from sinks.elasticsearch.documents import closing_document, event_documents, finding_document
from sinks.elasticsearch.fields import Feature, dotted, event_fields, finding_fields, nested
from sinks.elasticsearch.flattened import OBJECTS
from sinks.elasticsearch.templates import SetupOptions, component_templates, index_templates
from worker.scan import gathered
from worker.settings import shipped_rules

TERM_BYTES = 32_766
"""Longest term that Lucene takes."""

OVER_TIME = ("trailwarden.correlation.", "trailwarden.episode.")
HISTORY = "trailwarden.correlation.history"
"""Of what is seen for the first time: a short log has too little to know anybody by."""

ALL = [(), (Feature.WILDCARD,), (Feature.MATCH_ONLY_TEXT,), tuple(Feature)]


@pytest.mark.parametrize("features", ALL, ids=str)
@pytest.mark.parametrize("fields_of", [event_fields, finding_fields])
def test_no_field_can_refuse_a_value(fields_of: object, features: tuple[Feature, ...]) -> None:
    assert callable(fields_of)
    fields = fields_of(features)
    for name, field in fields.items():
        kind = field["type"]
        if kind in {"keyword", "wildcard", "flattened"}:
            assert field["ignore_above"] * 3 < TERM_BYTES, name
        elif kind in {"long", "double", "boolean", "date", "ip"}:
            assert field["ignore_malformed"], name
        else:
            assert kind in {"text", "match_only_text"}, name


def test_types_are_those_of_ecs() -> None:
    events, found = event_fields(()), finding_fields(())
    assert set(events) == set(KNOWN_DTYPES)
    assert {name for name, field in events.items() if field["type"] == "flattened"} == OBJECTS
    assert events["@timestamp"]["type"] == found["@timestamp"]["type"] == "date"
    assert events["source.ip"]["type"] == found["related.ip"]["type"] == "ip"
    assert events["destination.ip"]["type"] == found["destination.ip"]["type"] == "ip"
    assert events["destination.port"]["type"] == events["process.pid"]["type"] == "long"
    assert events["file.mtime"]["type"] == "date"
    assert events["file.path"]["fields"] == {"text": {"type": "text"}}
    assert found["related.hosts"]["type"] == found["related.hash"]["type"] == "keyword"
    assert events["message"]["type"] == "text"
    for fields in (events, found):
        assert fields["trailwarden.recalled.token_pod.addresses"]["type"] == "ip"
        assert fields["trailwarden.recalled.credential.minted_from"]["type"] == "ip"
        assert fields["trailwarden.recalled.token_pod.node"]["type"] == "keyword"
        assert fields["trailwarden.recalled.token_off_pod"]["type"] == "boolean"
        assert fields["trailwarden.recalled.dormant_days"]["type"] == "long"
    assert found["trailwarden.anomaly.score"]["type"] == "double"
    assert events["source.address_chain"]["type"] == "keyword"  # as logged: may be no address
    assert events["http.response.status_code"]["type"] == "long"
    assert found["event.severity"]["type"] == "long"
    assert found["message"] == {"type": "text"}
    assert events["user_agent.original"]["fields"] == {"text": {"type": "text"}}
    people = {name.rpartition(".")[2] for name in found if name.startswith("trailwarden.triage.")}
    assert people == {"status", "verdict", "assignee", "note", "mute_until"}
    assert {name for name in events if name in found and events[name] != found[name]} == set()


def test_richer_types_are_taken_where_there_are_some() -> None:
    fields = finding_fields(Feature)
    assert fields["message"] == {"type": "match_only_text"}
    assert fields["process.command_line"]["type"] == "wildcard"
    assert fields["process.command_line"]["fields"]["text"] == {"type": "match_only_text"}
    assert fields["process.parent.command_line"]["type"] == "wildcard"


def test_a_mapping_is_a_tree_of_its_dotted_names() -> None:
    fields = event_fields(Feature)
    assert dotted(nested(fields)) == fields


def test_templates_join_and_never_grow() -> None:
    options = SetupOptions("tw", replicas=2, version="1.2.3")
    parts, templates = component_templates(options, ()), index_templates(options)
    assert set(templates) == {"tw-events", "tw-findings"}
    for kind in ("events", "findings"):
        template = templates[f"tw-{kind}"]
        assert template["index_patterns"] == [f"tw-{kind}-*"]
        assert set(template["composed_of"]) <= set(parts)
        assert template["template"]["aliases"] == {f"tw-{kind}": {}}
        assert template["_meta"]["schema_version"] == SCHEMA_VERSION
        mapping = parts[f"tw-{kind}"]["template"]["mappings"]
        assert mapping["dynamic"] == "false"
        assert mapping["_meta"]["version"] == "1.2.3"
        settings = parts[f"tw-{kind}"]["template"]["settings"]
        assert settings["index.number_of_replicas"] == "2"
    findings_settings = parts["tw-findings"]["template"]["settings"]
    assert findings_settings["index.refresh_interval"] == "1s"
    assert parts["tw-settings"]["template"]["settings"] == {"index.number_of_shards": "1"}


def _fields_of(log: Path) -> Iterator[tuple[str, set[str]]]:
    now = datetime(2026, 11, 21, tzinfo=UTC)
    rules = ruleset(load_pack([shipped_rules()]))
    over_time = rules.remembered()
    for batch in gathered(read_records(str(log), lambda _: None)):
        events = normalize(batch, NormalizeSettings("c")).events
        looked = look(events, rules)
        over_time.add(events, looked.hits)
        for document in event_documents(events, "tw", 3_650, now):
            yield "events", set(orjson.loads(document.source))
        for finding in looked.reported.findings:
            document = finding_document(finding, now, "tw", 3_650)
            yield "findings", set(orjson.loads(document.source))
    released = over_time.release(None)
    for finding in released.findings:
        document = finding_document(finding, now, "tw", 3_650)
        yield "over time", set(orjson.loads(document.source))
    for closed in released.closed:
        yield "closed", set(orjson.loads(closing_document(closed, "tw", 3_650).source))


def _unmapped(log: Path) -> set[tuple[str, str]]:
    of_findings = set(finding_fields(()))
    mapped = {"events": set(event_fields(()))}
    mapped |= dict.fromkeys(("findings", "over time", "closed"), of_findings)
    seen: dict[str, set[str]] = {kind: set() for kind in mapped}
    for kind, names in _fields_of(log):
        seen[kind] |= names
    assert all(seen.values())
    told = seen["over time"] | seen["closed"]
    assert {name for name in of_findings if name.startswith(OVER_TIME)} - {HISTORY} <= told
    return {(kind, name) for kind, names in seen.items() for name in names - mapped[kind]}


def test_every_field_of_the_sample_is_mapped(root: Path) -> None:
    assert _unmapped(root / "examples" / "sample-audit.log.gz") == set()


def test_every_field_of_the_recording_is_mapped(recording: Path) -> None:
    assert _unmapped(recording / "audit.log.gz") == set()
