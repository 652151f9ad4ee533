"""What a batch gives reaches the right sink once, and whoever is to be told is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import polars as pl
import pytest

from detectors.correlation.episode import Closed
from detectors.correlation.sent import Sent
from detectors.finding import Finding
from detectors.ruleset import ruleset
from detectors.sigma.pack import Pack
from detectors.sigma.rule import Level
from ingest.normalize import NormalizeSettings
from ingest.record import Reason, Refused, Stage
from sinks.elasticsearch.backoff import Wait as BulkWait
from sinks.elasticsearch.bulk import Poisoned
from sinks.elasticsearch.documents import Document
from sinks.quarantine import INDEX_STAGE, POSITION, STAGE
from tests.worker.messages import NOON, TOPIC, audit_event, message
from worker.configuration import Elasticsearch
from worker.counts import WorkerCounts
from worker.drain import Wait
from worker.fold import Folded
from worker.outputs import ServiceOutputs
from worker.stages import Found, RealStages

STAGES = RealStages(TOPIC, ruleset(Pack()), NormalizeSettings(""))


class Bulk:
    """Answers as it was told to; notes the order in which things happen."""

    def __init__(self, calls: list[str]) -> None:
        self.calls = calls
        self.documents: list[Document] = []
        self.wait: BulkWait | None = None
        self.answers: list[str] = []
        self.poison: list[Poisoned] = []

    def add(self, document: Document) -> None:
        self.documents.append(document)

    def flush(self) -> BulkWait | None:
        self.calls.append("bulk")
        return self.wait

    def created(self) -> list[str]:
        answers, self.answers = self.answers, []
        return answers

    def poisoned(self) -> list[Poisoned]:
        poison, self.poison = self.poison, []
        return poison


class Quarantine:
    def __init__(self, calls: list[str]) -> None:
        self.calls = calls
        self.documents: list[Mapping[str, Any]] = []
        self.acknowledges = True

    def add(self, document: Mapping[str, Any]) -> None:
        self.calls.append("quarantined")
        self.documents.append(document)

    def flush(self, timeout_s: float) -> bool:
        assert 0 < timeout_s < 10
        self.calls.append("quarantine")
        return self.acknowledges


class Signals:
    def __init__(self, calls: list[str]) -> None:
        self.calls = calls
        self.acknowledges = True

    def add(self, found: Sent) -> None:
        self.calls.append(f"{found.signals.height} signals")

    def add_passed(self, partition: int, watermark_us: int | None, *, is_whole: bool) -> None:
        self.calls.append(f"passed {partition} {watermark_us} {is_whole}")

    def flush(self, timeout_s: float) -> bool:
        assert 0 < timeout_s < 10
        self.calls.append("signals")
        return self.acknowledges


class Rig:
    """Outputs with fakes all around, at ``age`` after the records were received."""

    def __init__(self, events: str = "findings", age: timedelta = timedelta(hours=1)) -> None:
        self.calls: list[str] = []
        self.bulk, self.quarantine = Bulk(self.calls), Quarantine(self.calls)
        self.signals = Signals(self.calls)
        self.counts = WorkerCounts()
        self.told: list[str] = []
        self.outputs = ServiceOutputs(
            self.bulk,  # type: ignore[arg-type]  # a fake
            self.quarantine,
            Elasticsearch(events=events, prefix="tw"),  # type: ignore[arg-type]  # one of three
            30,
            counts=self.counts,
            tell=lambda document: self.told.append(document["rule.id"]),
            topic="records",
            signals=self.signals,
            now=lambda: NOON + age,
        )


def events(count: int) -> pl.DataFrame:
    return STAGES.normalize([message(n, audit_event(n)) for n in range(count)]).events


def found(*names: str, undated: bool = False) -> Found:
    """Return a finding for each name, all resting on one event."""
    evidence = events(1)
    made = [
        Finding(
            name * 32,
            (0, ""),
            Level.HIGH,
            {
                "@timestamp": "2026-11-20T12:00:00.000000Z",
                "rule.id": f"rule-{name}",
                "user.name": None,
            },
        )
        for name in names
    ]
    received = {one.id: NOON for one in made}
    marked = frozenset(one.id for one in made if undated)
    return Found(made, received, marked, evidence)


def folded(fresh: int = 0, refused: list[tuple[int, int]] | None = None) -> Folded:
    def one(offset: int) -> Refused:
        return Refused(Stage.DECODE, Reason.NOT_JSON, "raw/0", offset, 1, "", "")

    records = [(message(o, b"x", partition=p), one(o)) for p, o in refused or []]
    kept = events(fresh)
    late = pl.repeat(value=False, n=fresh, dtype=pl.Boolean, eager=True)
    return Folded(kept, records, [], kept, late, ~late)


@pytest.mark.parametrize(("setting", "count"), [("all", 3), ("findings", 1), ("none", 0)])
def test_events_are_sent_as_the_setting_says(setting: str, count: int) -> None:
    rig = Rig(setting)
    rig.outputs.add(found("a"), folded(3))
    indices = [document.index for document in rig.bulk.documents]
    assert indices == ["tw-findings-2026.11.20"] + ["tw-events-2026.11.21"] * count


def test_findings_go_before_events_and_their_documents_hold_no_nulls() -> None:
    rig = Rig("all")
    rig.outputs.add(found("a", "b"), folded(1))
    kinds = [document.index.split("-")[1] for document in rig.bulk.documents]
    assert kinds == ["findings", "findings", "events"]
    assert orjson.loads(rig.bulk.documents[0].source) == {
        "@timestamp": "2026-11-20T12:00:00.000000Z",
        "rule.id": "rule-a",
    }
    assert rig.calls == []


def test_a_finding_whose_evidence_has_no_time_of_its_own_has_no_day() -> None:
    rig = Rig()
    rig.outputs.add(found("a", undated=True), folded())
    assert rig.bulk.documents[0].index == "tw-findings-outofrange"


def test_a_batch_without_anything_adds_nothing() -> None:
    for setting in ("all", "findings", "none"):
        rig = Rig(setting)
        rig.outputs.add(Found(), folded())
        assert rig.bulk.documents == []
        assert rig.quarantine.documents == []


def test_refused_items_of_one_message_have_positions_and_so_ids_of_their_own() -> None:
    rig = Rig()
    rig.outputs.add(Found(), folded(refused=[(0, 7), (0, 7), (1, 7), (0, 8), (0, 7)]))
    documents = rig.quarantine.documents
    assert [one[POSITION] for one in documents] == [0, 1, 0, 0, 2]
    assert len({one["trailwarden.quarantine.id"] for one in documents}) == 5
    assert {one["trailwarden.quarantine.topic"] for one in documents} == {"records"}
    assert {one["orchestrator.cluster.name"] for one in documents} == {"blue"}
    rig.outputs.add(Found(), folded(refused=[(0, 7)]))
    assert rig.quarantine.documents[5] == documents[0]


def test_quarantine_is_flushed_last_and_only_once_elasticsearch_answered() -> None:
    rig = Rig()
    rig.outputs.add(found("a"), folded(refused=[(0, 7)]))
    rig.bulk.wait = BulkWait(2.5, "busy")
    assert rig.outputs.flush() == Wait("elasticsearch", 2.5, "busy")
    assert rig.calls == ["quarantined", "bulk"]
    rig.bulk.wait = None
    assert rig.outputs.flush() is None
    assert rig.calls == ["quarantined", "bulk", "bulk", "signals", "quarantine"]


def test_signals_are_flushed_between_elasticsearch_and_quarantine() -> None:
    rig = Rig()
    rows = pl.DataFrame({"correlation": ["c"]})
    signals = Sent(rows, pl.Series(["c/1"]), rows)
    rig.outputs.add(replace(found("a"), signals=signals), folded(refused=[(0, 7)]))
    rig.outputs.add(found("b"), folded())
    rig.outputs.add_passed(3, 77, is_whole=True)
    rig.signals.acknowledges = False
    wait = rig.outputs.flush()
    assert wait is not None
    assert (wait.sink, wait.seconds) == ("signals", 1.0)
    assert rig.calls == ["1 signals", "quarantined", "passed 3 77 True", "bulk", "signals"]
    rig.signals.acknowledges = True
    assert rig.outputs.flush() is None
    assert rig.calls[5:] == ["bulk", "signals", "quarantine"]


def test_a_quarantine_that_does_not_acknowledge_asks_to_wait_under_its_name() -> None:
    rig = Rig()
    rig.quarantine.acknowledges = False
    wait = rig.outputs.flush()
    assert wait is not None
    assert (wait.sink, wait.seconds) == ("quarantine", 1.0)
    rig.quarantine.acknowledges = True
    assert rig.outputs.flush() is None


@pytest.mark.parametrize("wait", [None, BulkWait(1.0, "busy")])
def test_a_poisoned_document_goes_to_quarantine_once_even_while_others_wait(
    wait: BulkWait | None,
) -> None:
    rig = Rig()
    document = Document("tw-events-2026.11.21", "e" * 32, b'{"orchestrator.cluster.name":"blue"}')
    rig.bulk.poison = [Poisoned(document, 400, "mapper", "bad")]
    rig.bulk.wait = wait
    rig.outputs.flush()
    rig.outputs.flush()
    assert [one[STAGE] for one in rig.quarantine.documents] == [INDEX_STAGE]
    assert rig.counts.quarantined == {"refused-by-elasticsearch": 1}
    assert rig.calls[:2] == ["bulk", "quarantined"]


def test_a_finding_is_told_when_it_was_created_and_counted_by_its_rule() -> None:
    rig = Rig()
    rig.outputs.add(found("a", "b"), folded())
    rig.bulk.answers = ["a" * 32, "f" * 32]
    rig.outputs.flush()
    assert rig.told == ["rule-a"]
    assert rig.counts.findings == {"rule-a": 1}


def test_a_finding_that_was_created_before_the_wait_is_told_at_once_and_only_once() -> None:
    rig = Rig(age=timedelta(seconds=1))
    rig.outputs.add(found("a", "b"), folded())
    rig.bulk.answers, rig.bulk.wait = ["a" * 32], BulkWait(1.0, "busy")
    rig.outputs.flush()
    assert rig.told == ["rule-a"]
    rig.bulk.wait, rig.bulk.answers = None, ["b" * 32]
    rig.outputs.flush()
    rig.outputs.flush()
    assert rig.told == ["rule-a", "rule-b"]


@pytest.mark.parametrize(
    ("age", "told"),
    [
        (timedelta(minutes=10), []),
        (timedelta(minutes=9, seconds=59), ["rule-a"]),
        (timedelta(days=1), []),
    ],
)
def test_a_repeat_is_told_only_while_its_record_is_fresh(age: timedelta, told: list[str]) -> None:
    rig = Rig(age=age)
    rig.outputs.add(found("a"), folded())
    rig.outputs.flush()
    rig.outputs.flush()
    assert rig.told == told
    assert rig.counts.findings == {}


def closed(**changes: Any) -> Closed:
    """Return the end of an episode whose finding is of the day before noon."""
    noon_us = int(NOON.timestamp()) * 1_000_000
    day_us = 86_400_000_000
    values = {
        "finding": "a" * 32,
        "time_us": noon_us - day_us,
        "received_us": noon_us,
        "dated": True,
        "end_us": noon_us + 1,
        "events": 7,
        "over_us": noon_us + day_us,
    }
    return Closed(**{**values, **changes})


def test_the_end_of_an_episode_is_an_update_to_absolute_values() -> None:
    rig = Rig()
    rig.outputs.add_over_time(Found(closed=(closed(),)))
    (document,) = rig.bulk.documents
    assert document == Document(
        "tw-findings-2026.11.20",
        "a" * 32,
        orjson.dumps(
            {
                "trailwarden.episode.end": "2026-11-21T12:00:00.000001Z",
                "trailwarden.episode.count": 7,
                "trailwarden.episode.closed": True,
            }
        ),
        is_update=True,
    )


@pytest.mark.parametrize(
    ("time", "is_dated"),
    [
        ("2026-11-20T12:00:00.000000Z", True),
        ("2026-11-20T12:00:00.000000Z", False),
        ("2026-11-20T23:59:59.999999Z", True),
        ("2026-10-22T12:00:00.000000Z", True),  # the last moment of the 30 days that are kept
        ("2026-10-22T11:59:59.999999Z", True),
        ("2026-11-21T13:00:00.000000Z", True),  # the last that counts as ahead of its receipt
        ("2026-11-21T13:00:00.000001Z", True),
        ("1969-12-31T23:59:59.999999Z", True),
    ],
)
def test_the_end_goes_to_the_index_that_its_finding_went_to(time: str, is_dated: bool) -> None:
    rig = Rig()
    moment = datetime.fromisoformat(time)
    time_us = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    begun = found("a", undated=not is_dated)
    begun.findings[0].document["@timestamp"] = time
    end = closed(time_us=time_us, dated=is_dated)
    rig.outputs.add(Found(begun.findings, begun.received, begun.undated, closed=(end,)), folded())
    creation, update = rig.bulk.documents
    assert (update.is_update, creation.is_update) == (True, False)
    assert (update.index, update.id) == (creation.index, creation.id)


def test_ends_come_after_the_findings_of_their_batch_and_are_told_to_nobody() -> None:
    rig = Rig("all", age=timedelta(seconds=1))
    begun = found("a")
    over_time = Found(begun.findings, begun.received, closed=(closed(),))
    rig.outputs.add(over_time, folded(1))
    assert [one.is_update for one in rig.bulk.documents] == [False, True, False]
    rig.bulk.answers = ["a" * 32]
    rig.outputs.flush()
    rig.outputs.add_over_time(Found(closed=(closed(),)))
    rig.outputs.flush()
    assert rig.told == ["rule-a"]
    assert rig.counts.findings == {"rule-a": 1}


def test_what_exceptions_held_back_over_time_is_counted() -> None:
    rig = Rig()
    rig.outputs.add_over_time(Found(excepted=Counter({"site.yml:7": 2})))
    rig.outputs.add(Found(excepted=Counter({"site.yml:7": 1})), folded())
    assert rig.counts.excepted == {"site.yml:7": 3}
    assert rig.bulk.documents == []


def test_an_end_that_is_refused_goes_to_quarantine_with_the_place_of_its_finding() -> None:
    rig = Rig()
    rig.outputs.add_over_time(Found(closed=(closed(),)))
    rig.bulk.poison = [Poisoned(rig.bulk.documents[0], 400, "mapper", "bad")]
    rig.outputs.flush()
    (document,) = rig.quarantine.documents
    assert document["trailwarden.quarantine.document_id"] == "a" * 32
    assert document["trailwarden.quarantine.index"] == "tw-findings-2026.11.20"
