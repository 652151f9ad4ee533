"""What was planted and what the stores hold go in; every difference comes out, by id.

Separate because it trusts nothing that a worker said: it enumerates the topic, the indices, the
quarantine and the archive itself, and compares with one uncut run over the whole topic, in this
process, and with what was planted. What cannot be enumerated fails.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final

import orjson

from ingest.envelope import read_envelope
from ingest.normalize import NormalizeSettings, normalize
from ingest.record import Records
from ingest.redact.token import Redactor
from ingest.sources.kafka import Record
from sinks.archive import list_segments, read_events, verify
from sinks.elasticsearch.connection import Client
from sinks.elasticsearch.documents import Document
from sinks.quarantine import ID, INDEX_STAGE, STAGE, read
from sinks.topic_reader import read_messages, spans_of
from tests.faults.planted import Planted, Verdict
from worker.accounting import Stores, take_ledger
from worker.configuration import Settings
from worker.counts import WorkerCounts
from worker.fold import fold
from worker.kafka_client import client_config
from worker.outputs import ServiceOutputs
from worker.partition import Partition
from worker.rulesets import load_ruleset
from worker.stages import RealStages, with_released

_PAGE: Final = 5_000


@dataclass(slots=True)
class Expected:
    """What one run without faults gives.

    ``documents`` are index and hash of the source by id, ``findings`` pairs of rule and evidence.
    """

    documents: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    quarantine: set[str] = field(default_factory=set)
    events: set[str] = field(default_factory=set)
    findings: set[tuple[str, str]] = field(default_factory=set)
    begun: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Findings by id as they stand: those over time get their end later."""

    @property
    def over_time(self) -> dict[str, dict[str, Any]]:
        """Return the findings over time by id."""
        return {i: one for i, one in self.begun.items() if "trailwarden.episode.start" in one}


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What the oracle counted; all is as it must be when it returns one."""

    records: int
    events: int
    findings: int
    over_time: int
    closed: int
    quarantined: int
    segments: int
    rewritten: int


class _Kept:
    """Stands for Elasticsearch and quarantine: keeps what it is given, the first of each id."""

    def __init__(self, expected: Expected) -> None:
        self._expected = expected

    def add(self, item: Any) -> None:
        if not isinstance(item, Document):
            self._expected.quarantine.add(item[ID])
            return
        source = orjson.loads(item.source)
        if item.is_update:
            self._close(item, source)
            return
        self._expected.documents.setdefault(item.id, (item.index, _digest(source)))
        if "rule.id" in source:
            self._expected.begun.setdefault(item.id, source)
        for identifier in source.get("trailwarden.evidence.event_ids", ()):
            self._expected.findings.add((source["rule.id"], identifier))

    def _close(self, item: Document, fields: dict[str, Any]) -> None:
        index, _ = self._expected.documents[item.id]
        assert item.index == index, "the end of an episode goes where its finding went"
        whole = self._expected.begun[item.id]
        whole |= fields
        self._expected.documents[item.id] = (index, _digest(whole))


def _digest(source: dict[str, Any]) -> bytes:
    return blake2b(orjson.dumps(source, option=orjson.OPT_SORT_KEYS), digest_size=16).digest()


def judge(settings: Settings, client: Client, planted: Iterable[Planted]) -> Verdicts:
    """Enumerate everything and compare; the topic must have been worked off."""
    sent = list(planted)
    records = records_of(settings)
    expected = uncut_run(settings, records)
    _check_topic(sent, records)
    _check_planted(settings, sent, expected)
    rewritten = _check_quarantine(settings, expected)
    _check_indices(settings, client, expected)
    segments = _check_archive(settings, expected)
    findings = len(expected.documents) - len(expected.events)
    over_time = expected.over_time.values()
    closed = sum(one["trailwarden.episode.closed"] for one in over_time)
    return Verdicts(
        len(records),
        len(expected.events),
        findings,
        len(over_time),
        closed,
        len(expected.quarantine),
        segments,
        rewritten,
    )


def records_of(settings: Settings) -> list[Record]:
    """Return all that is in the topic, by partition and offset."""
    config = client_config(settings.kafka)
    topic = settings.kafka.raw_topic
    found = []
    for m in read_messages(config, topic, spans_of(config, topic)):
        stored_ms = m.timestamp()[1]
        envelope = read_envelope(m.headers(), m.key(), stored_ms)  # type: ignore[arg-type]  # bytes
        place = m.partition() or 0, m.offset() or 0
        found.append(Record(*place, m.value() or b"", envelope, stored_ms))
    return sorted(found, key=lambda record: (record.partition, record.offset))


def _redactor(settings: Settings) -> Redactor:
    file = settings.worker.redaction_key_file
    assert file is not None
    return Redactor(file.read_bytes().strip())


def uncut_run(settings: Settings, records: list[Record]) -> Expected:
    """Do what a worker does, at once and without any store."""
    expected, topic = Expected(), settings.kafka.raw_topic
    kept: Any = _Kept(expected)
    stages = RealStages(
        topic,
        load_ruleset(settings.worker.rules, settings),
        NormalizeSettings("", _redactor(settings)),
    )
    outputs = ServiceOutputs(
        kept,
        kept,
        settings.elasticsearch,
        settings.worker.retention_days,
        counts=WorkerCounts(),
        tell=lambda _: None,
        topic=topic,
    )
    state = stages.rules.remembered
    numbers = {record.partition for record in records}
    partitions = {n: Partition(n, 0, 0, 0, remembered=state()) for n in sorted(numbers)}
    for start in range(0, len(records), _PAGE):
        part = records[start : start + _PAGE]
        folded = fold(topic, part, stages.normalize(part), partitions)
        found = stages.detect(folded)
        for held in partitions.values():
            found = with_released(found, held.release(0.0))
        outputs.add(found, folded)
        for share in folded.shares:
            expected.events.update(share.events["event.id"])
    return expected


def _check_topic(sent: list[Planted], records: list[Record]) -> None:
    """Every acknowledged record is in the topic (it may be there twice: a broker may die)."""
    there = Counter((record.envelope.cluster, record.value) for record in records)
    missing = Counter((p.cluster, p.value) for p in sent) - there
    assert not missing, f"{missing.total()} acknowledged records are not in the topic"


def _check_planted(settings: Settings, sent: list[Planted], expected: Expected) -> None:
    """The uncut run agrees with what was planted, by the ids of the very bytes."""
    ids = dict(_ids(settings, sent))
    events = {ids.get(i) for i, p in enumerate(sent) if p.verdict is not Verdict.BAD}
    assert events == expected.events, "planted events and those of an uncut run differ"
    assert not any(i in ids for i, p in enumerate(sent) if p.verdict is Verdict.BAD)
    wanted = {(p.rule, ids[i]) for i, p in enumerate(sent) if p.verdict is Verdict.FINDING}
    missing = wanted - expected.findings
    assert not missing, f"{len(missing)} planted acts are not found by their rule"
    bad = sum(p.verdict is Verdict.BAD for p in sent)
    assert bad <= len(expected.quarantine), (bad, len(expected.quarantine))


def _ids(settings: Settings, sent: list[Planted]) -> Iterator[tuple[int, str]]:
    """Return the event id of each planted record that has one, by its place in the list."""
    normalizing = NormalizeSettings("", _redactor(settings))
    for cluster in {planted.cluster for planted in sent}:
        places = [i for i, planted in enumerate(sent) if planted.cluster == cluster]
        chunks = (
            Records("", [sent[i].value for i in some], some, cluster=cluster)
            for some in (places[k : k + 500] for k in range(0, len(places), 500))
        )
        events = normalize(chunks, normalizing).events
        yield from zip(events["log.offset"], events["event.id"], strict=True)


def _check_quarantine(settings: Settings, expected: Expected) -> int:
    """Every bad record is there; return how many documents were written more than once."""
    config, topic = client_config(settings.kafka), settings.kafka.quarantine_topic
    documents = list(read(config, topic))
    poisoned = [one for one in documents if one[STAGE] == INDEX_STAGE]
    assert not poisoned, f"Elasticsearch refused {len(poisoned)} documents"
    found = {one[ID] for one in documents}
    _same(found, expected.quarantine, "quarantined records")
    return sum(span.end - span.low for span in spans_of(config, topic)) - len(found)


def _check_indices(settings: Settings, client: Client, expected: Expected) -> None:
    """Every document is in its index, once over all, and says what it must."""
    prefix = settings.elasticsearch.prefix
    client.indices.refresh(index=f"{prefix}-*")
    count: Counter[str] = Counter()
    wrong = []
    for hit in hits(client, f"{prefix}-events,{prefix}-findings"):
        count[hit["_id"]] += 1
        wanted = expected.documents.get(hit["_id"])
        if wanted is not None and wanted != (hit["_index"], _digest(hit["_source"])):
            wrong.append((wanted[0], hit))
    total = client.count(index=f"{prefix}-*")["count"]
    assert total == count.total(), f"{total} documents in all, {count.total()} by the aliases"
    twice = [identifier for identifier, times in count.items() if times > 1]
    assert not twice, f"{len(twice)} ids are there more than once: {twice[:3]}"
    _same(set(count), set(expected.documents), "documents")
    assert not wrong, f"{len(wrong)} documents are not what they must be: {wrong[:1]}"


def hits(client: Client, index: str) -> Iterator[dict[str, Any]]:
    """Yield every document of the indices as of now."""
    # One that was made this moment may have no shard yet that can be asked.
    client.cluster.health(index=index, wait_for_status="yellow", timeout="60s")
    pit = client.open_point_in_time(index=index, keep_alive="2m")["id"]
    try:
        after: list[Any] | None = None
        while True:
            page = client.search(
                pit={"id": pit, "keep_alive": "2m"},
                size=_PAGE,
                sort=[{"_shard_doc": "asc"}],
                search_after=after,
                track_total_hits=False,
            )["hits"]["hits"]
            if not page:
                return
            yield from page
            after = page[-1]["sort"]
    finally:
        client.close_point_in_time(id=pit)


def _check_archive(settings: Settings, expected: Expected) -> int:
    """No gap, no overlap, chained; every event once; every record accounted for."""
    archive, topic = settings.store.folder / "archive", settings.kafka.raw_topic
    problems = verify(archive)
    assert not problems, problems[:3]
    ids = read_events(archive).select("event.id").collect()["event.id"]
    twice = ids.filter(ids.is_duplicated()).n_unique()
    assert not twice, f"{twice} events are archived more than once"
    _same(set(ids), expected.events, "archived events")
    config = client_config(settings.kafka)
    stores = Stores(config, topic, settings.kafka.quarantine_topic, settings.kafka.group, archive)
    for ledger in take_ledger(stores):
        assert not ledger.differences, ledger.differences[:3]
        assert not ledger.pending, f"{ledger.pending} of {ledger.log.partition} are pending"
        if ledger.log.end:
            assert (ledger.log.committed, ledger.archived) == (ledger.log.end, ledger.log.end)
    return len(list_segments(archive, topic))


def _same(found: set[str], wanted: set[str], what: str) -> None:
    lost, strange = wanted - found, found - wanted
    assert not lost, f"{what}: {len(lost)} of {len(wanted)} are lost: {sorted(lost)[:3]}"
    assert not strange, f"{what}: {len(strange)} that nobody planted: {sorted(strange)[:3]}"
