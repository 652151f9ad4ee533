from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner, Result

from ingest.envelope import Envelope, Format, headers_of
from ingest.record import Reason, Refused, Stage, sha256_hex
from sinks.elasticsearch.bulk import Poisoned
from sinks.elasticsearch.documents import Document
from sinks.quarantine import (
    ID,
    Place,
    QuarantineTopic,
    poisoned_document,
    refused_document,
)
from sinks.topic_reader import read_messages, spans_of
from tests.sinks.kafka_topics import Sender, fresh_topic
from trailwarden.commands.quarantine import app

NOW = datetime.now(UTC)
VALUES = (b'{"kind": "no event"}', b"not JSON \x1b[31m")


class Setting:
    """Two refused records and a poisoned document on a real broker, and the settings for it."""

    def __init__(self, kafka: str, raw: str, topic: str, folder: Path) -> None:
        self.raw = raw
        self.config = {"bootstrap.servers": kafka}
        self.file = folder / "settings.yml"
        self.file.write_text(
            f"kafka:\n  bootstrap_servers: {kafka}\n  raw_topic: {raw}\n"
            f"  quarantine_topic: {topic}\n"
        )
        self.sender = Sender(kafka, raw)
        self.topic = QuarantineTopic(self.config, topic)
        self.old = self.refuse("blue", VALUES[0], Reason.NOT_AN_EVENT, NOW - timedelta(days=2))
        self.new = self.refuse("red", VALUES[1], Reason.NOT_JSON, NOW)
        document = Document("trailwarden-events-x", "e1", b'{"orchestrator.cluster.name":"blue"}')
        poisoned = poisoned_document(Poisoned(document, 400, "mapping", "no"))
        self.poisoned = poisoned[ID]
        self.topic.add(poisoned)
        assert self.topic.flush(30)

    def refuse(self, cluster: str, value: bytes, reason: Reason, received: datetime) -> str:
        envelope = Envelope(cluster, "tail-1", Format.RECORD, received, "audit.log")
        headers = [(name, data) for name, data in headers_of(envelope)]
        offset = self.sender.send(value, 1, cluster.encode(), [*headers])
        place = Place(self.raw, 1, offset)
        refused = Refused(
            Stage.DECODE,
            reason,
            f"{self.raw}/1",
            offset,
            len(value),
            sha256_hex(value),
            "what \x1b[31m it was",
            '{"user": "\x1b[31mred"}',
        )
        document = refused_document(refused, envelope, place)
        self.topic.add(document)
        return str(document[ID])

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(app, [*arguments, "--config", str(self.file)])

    def raw_values(self) -> list[bytes]:
        messages = read_messages(self.config, self.raw, spans_of(self.config, self.raw))
        return [message.value() or b"" for message in messages]


@pytest.fixture
def setting(kafka: str, tmp_path: Path) -> Iterator[Setting]:
    with fresh_topic(kafka, "e-raw") as raw, fresh_topic(kafka, "e-quarantine") as topic:
        yield Setting(kafka, raw, topic, tmp_path)


def ids(done: Result) -> set[str]:
    assert done.exit_code == 0, done.output
    return {orjson.loads(line)[ID] for line in done.stdout.splitlines()}


@pytest.mark.integration
def test_documents_are_listed_by_cluster_reason_and_time(setting: Setting) -> None:
    assert ids(setting.run("list", "--json")) == {setting.old, setting.new, setting.poisoned}
    assert ids(setting.run("list", "--json", "--cluster", "red")) == {setting.new}
    assert ids(setting.run("list", "--json", "--reason", "not-an-event")) == {setting.old}
    assert ids(setting.run("list", "--json", "--since", "24h")) == {setting.new}
    since = (NOW - timedelta(days=3)).isoformat()
    assert ids(setting.run("list", "--json", "--since", since)) == {setting.old, setting.new}


@pytest.mark.integration
def test_the_table_shows_no_escape_sequence_of_a_record(setting: Setting) -> None:
    done = setting.run("list")
    assert done.exit_code == 0
    assert "\x1b" not in done.output
    assert setting.new[:12] in done.stdout
    assert "3 in quarantine" in done.stderr


@pytest.mark.integration
def test_one_document_is_shown_whole_and_printable(setting: Setting) -> None:
    done = setting.run("show", setting.new[:12])
    assert done.exit_code == 0
    assert f"{ID}: {setting.new}\n" in done.stdout
    assert "trailwarden.quarantine.detail: what \\u001b[31m it was\n" in done.stdout
    assert "\x1b" not in done.output
    assert setting.run("show", "no-such-id").exit_code == 1


@pytest.mark.integration
def test_a_replay_sends_the_original_bytes_with_its_headers_and_where_it_stood(
    setting: Setting,
) -> None:
    done = setting.run("replay", setting.old)
    assert done.exit_code == 0, done.output
    messages = list(
        read_messages(setting.config, setting.raw, spans_of(setting.config, setting.raw))
    )
    first = next(m for m in messages if m.offset() == 0 and m.partition() == 1)
    again = next(m for m in messages if "tw-replayed-from" in dict(m.headers() or []))
    assert (again.value(), again.key()) == (VALUES[0], b"blue")
    origin = ("tw-replayed-from", f"{setting.raw}/1/0".encode())
    assert again.headers() == [*(first.headers() or []), origin]
    assert len(messages) == 3


@pytest.mark.integration
def test_a_dry_run_sends_nothing(setting: Setting) -> None:
    done = setting.run("replay", "--reason", "not-json", "--dry-run")
    assert done.exit_code == 0
    assert "found" in done.stdout
    assert len(setting.raw_values()) == 2


@pytest.mark.integration
def test_what_cannot_be_replayed_says_why(setting: Setting) -> None:
    done = setting.run("replay", setting.poisoned, "abcdef-no-such")
    assert done.exit_code == 1
    assert "no-record" in done.stdout
    assert "unknown" in done.stdout
    gone = refused_document(
        Refused(Stage.DECODE, Reason.NOT_JSON, "raw", 900, 3, "0" * 64, "gone"),
        Envelope("blue", "", Format.RECORD, NOW),
        Place(setting.raw, 1, 900),
    )
    changed = refused_document(
        Refused(Stage.DECODE, Reason.NOT_JSON, "raw", 0, 3_000, "0" * 64, "other"),
        Envelope("blue", "", Format.RECORD, NOW),
        Place(setting.raw, 1, 0, 5),
    )
    setting.topic.add(gone)
    setting.topic.add(changed)
    assert setting.topic.flush(30)
    done = setting.run("replay", gone[ID], changed[ID])
    assert done.exit_code == 1
    assert "no longer retained" in done.stdout
    assert "another record now" in done.stdout
    assert len(setting.raw_values()) == 2


@pytest.mark.integration
def test_all_is_never_replayed_by_mistake(setting: Setting) -> None:
    done = setting.run("replay")
    assert done.exit_code == 2
    assert "--reason" in done.stderr


@pytest.mark.integration
def test_a_topic_that_is_not_there_is_said(setting: Setting) -> None:
    text = setting.file.read_text().replace("e-quarantine", "e-no-such")
    setting.file.write_text(text)
    done = setting.run("list")
    assert done.exit_code == 1
    assert "e-no-such" in done.stderr
