"""A batch folds in log order: canaries at their place, and every record is counted once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import orjson
import pytest

from detectors.ruleset import ruleset
from detectors.sigma.pack import Pack
from ingest.envelope import Format
from ingest.normalize import NormalizeSettings
from ingest.sources.kafka import Record
from sinks.archive import Counts
from tests.worker.messages import NOON, TOPIC, audit_event, canary, message
from worker.fold import Folded, fold
from worker.partition import Partition
from worker.silence import silence_record
from worker.stages import RealStages

STAGES = RealStages(TOPIC, ruleset(Pack()), NormalizeSettings(""))
HOUR = NOON.replace(minute=0)


def at(second: float) -> datetime:
    return NOON + timedelta(seconds=second)


def event(offset: int, number: int, second: float = 0, **options: object) -> Record:
    return message(offset, audit_event(number, at(second)), **options)  # type: ignore[arg-type]


def partition(number: int = 0, position: int = 0, archived: int | None = None) -> Partition:
    return Partition(number, position, position, position if archived is None else archived)


def folded(records: list[Record], *partitions: Partition) -> Folded:
    held = {one.number: one for one in partitions or (partition(),)}
    return fold(TOPIC, records, STAGES.normalize(records), held)


def tallied(result: Folded, cluster: str = "blue", hour: datetime = HOUR) -> Counts:
    totals = [share.counts.get((cluster, hour), Counts()) for share in result.shares]
    assert all(c.is_balanced for share in result.shares for c in share.counts.values())
    return sum(totals, Counts())


def places(result: Folded) -> list[tuple[str, int]]:
    return result.fresh.select("log.file.path", "log.offset").rows()


def test_a_canary_acts_at_its_place_between_the_events_of_a_batch() -> None:
    before = [event(0, 1, 0), event(1, 2, 1)]
    after = [event(3, 3, 2), event(4, 4, 40)]
    result = folded([*before, canary(2, at(35)), *after])
    assert tallied(result) == Counts(records=5, events=4, canaries=1, late=1)
    assert tallied(folded([*before, *after])).late == 0
    late_first = [canary(0, at(35)), event(1, 1, 0), event(2, 2, 1), event(3, 3, 40)]
    assert tallied(folded(late_first)).late == 2


def test_a_canary_behind_all_events_moves_time_for_the_next_batch() -> None:
    held = partition()
    assert tallied(folded([event(0, 1), canary(1, at(35))], held)).late == 0
    assert tallied(folded([event(2, 2, 0)], held)).late == 1


def test_a_batch_of_canaries_alone_moves_time() -> None:
    held = partition()
    result = folded([canary(0, at(20)), canary(1, at(35)), canary(2, at(10))], held)
    assert tallied(result) == Counts(records=3, canaries=3)
    assert held.memories["blue"].newest_us == int(at(35).timestamp()) * 1_000_000
    assert result.fresh.is_empty()


def test_a_canary_of_a_source_that_is_behind_moves_nothing() -> None:
    held = partition()
    result = folded([canary(0, at(35), caught_up=False), event(1, 1, 0)], held)
    assert tallied(result) == Counts(records=2, events=1, canaries=1)


def test_a_canary_from_the_future_moves_time_up_to_its_receipt_only() -> None:
    held = partition()
    folded([canary(0, at(3_600), received=at(5.25))], held)
    assert held.memories["blue"].newest_us == int(at(5).timestamp()) * 1_000_000 + 250_000


@pytest.mark.parametrize("value", [b"", b"{}", b"[]", b'{"time": "soon", "caught_up": true}'])
def test_a_canary_that_cannot_be_read_is_counted_and_moves_nothing(value: bytes) -> None:
    held = partition()
    result = folded([message(0, value, kind=Format.CANARY), event(1, 1, -300)], held)
    assert tallied(result) == Counts(records=2, events=1, canaries=1)


def test_a_silence_record_moves_the_time_of_the_cluster_that_fell_silent() -> None:
    envelope, value = silence_record(("blue", "c", "audit.log"), at(-90), "worker", at(35))
    held = partition()
    result = folded([Record(0, 0, value, envelope), event(1, 1, 0)], held)
    assert tallied(result) == Counts(records=2, events=1, canaries=1, late=1)


def test_a_canary_moves_its_own_cluster_only() -> None:
    held = partition()
    records = [canary(0, at(35), cluster="red"), event(1, 1, 0), event(2, 2, 0, cluster="red")]
    result = folded(records, held)
    assert tallied(result, "blue").late == 0
    assert tallied(result, "red") == Counts(records=2, events=1, canaries=1, late=1)


def test_clusters_and_partitions_of_one_batch_do_not_mix() -> None:
    held = partition(0), partition(3)
    records = [
        event(0, 1, cluster="red"),
        event(1, 1, cluster="blue"),
        event(2, 1, cluster="red"),
        event(0, 1, 100, cluster="green", partition=3),
        event(1, 1, 0, cluster="blue", partition=3),
        canary(2, at(200), cluster="green", partition=3),
    ]
    result = folded(records, *held)
    assert [(r.partition.number, r.events.height) for r in result.shares] == [(0, 2), (3, 2)]
    assert tallied(result, "red") == Counts(records=2, events=1, repeats=1)
    assert tallied(result, "blue") == Counts(records=2, events=2)
    assert tallied(result, "green") == Counts(records=2, events=1, canaries=1)
    assert sorted(places(result)) == [("raw/0", 0), ("raw/0", 1), ("raw/3", 0), ("raw/3", 1)]
    assert [one.position for one in held] == [3, 3]
    assert [one.records for one in held] == [3, 3]
    assert set(held[1].memories) == {"green", "blue"}


def test_repeats_leave_neither_for_detection_nor_for_the_archive() -> None:
    held = partition()
    folded([event(0, 1), event(1, 2)], held)
    result = folded([event(2, 2), event(3, 3), event(4, 3)], held)
    assert places(result) == [("raw/0", 3)]
    assert result.shares[0].events["log.offset"].to_list() == [3]
    assert tallied(result) == Counts(records=3, events=1, repeats=2)


def test_a_repeat_that_is_late_counts_as_a_repeat_only() -> None:
    result = folded([event(0, 1, 0), event(1, 2, 40), event(2, 1, 0), event(3, 3, 0)])
    assert tallied(result) == Counts(records=4, events=3, repeats=1, late=1)


def test_a_list_counts_its_further_items_as_extra() -> None:
    items = [audit_event(1), audit_event(2), audit_event(1)]
    result = folded([message(0, {"kind": "EventList", "items": items}), event(1, 2)])
    assert tallied(result) == Counts(records=2, events=2, repeats=2, extra=2)


def test_a_list_of_which_one_item_is_refused_is_balanced() -> None:
    value = {"kind": "EventList", "items": [audit_event(1), 7, audit_event(2), "x"]}
    result = folded([message(0, value)])
    assert tallied(result) == Counts(records=1, events=2, quarantined=2, extra=3)
    assert [record.offset for record, _ in result.refused] == [0, 0]


def test_what_nobody_wants_is_counted_and_not_quarantined() -> None:
    place = "/SUBSCRIPTIONS/0/RESOURCEGROUPS/R/PROVIDERS/MICROSOFT.CONTAINERSERVICE/MANAGEDCLUSTERS"

    def log(category: str, text: str) -> dict[str, object]:
        properties = {"log": text}
        return {"category": category, "resourceId": f"{place}/X", "properties": properties}

    own = orjson.dumps(audit_event(1)).decode()
    value = {"records": [log("kube-audit", own), log("kube-scheduler", "I1121 klog")]}
    line = b"<13>1 2026-11-21T12:00:00Z web-1 nginx 7 - - a line of another program"
    result = folded([message(0, value), message(1, line), message(2, b"no")])
    assert tallied(result) == Counts(records=3, events=1, unwanted=2, quarantined=1, extra=1)
    assert [record.offset for record, _ in result.refused] == [2]


def test_refused_records_keep_the_message_that_they_came_from() -> None:
    records = [message(4, b"{", partition=1, cluster="red"), message(4, b"no")]
    result = folded(records, partition(0, 4), partition(1, 4))
    named = {(r.partition, r.envelope.cluster): one.path for r, one in result.refused}
    assert named == {(0, "blue"): "raw/0", (1, "red"): "raw/1"}
    assert tallied(result) == Counts(records=1, quarantined=1)
    assert tallied(result, "red") == Counts(records=1, quarantined=1)


def test_records_are_tallied_in_the_hour_of_their_receipt() -> None:
    last = datetime(2026, 11, 21, 12, 59, 59, 999_999, UTC)
    records = [
        event(0, 1, received=last),
        event(1, 2, received=datetime(2026, 11, 21, 13, tzinfo=UTC)),
        message(2, b"{", received=datetime(2026, 11, 21, 13, 59, tzinfo=UTC)),
        canary(3, at(0), received=datetime(2026, 11, 21, 14, tzinfo=UTC)),
    ]
    result = folded(records)
    assert tallied(result, hour=HOUR) == Counts(records=1, events=1)
    assert tallied(result, hour=HOUR + timedelta(hours=1)) == Counts(
        records=2, events=1, quarantined=1
    )
    assert tallied(result, hour=HOUR + timedelta(hours=2)) == Counts(records=1, canaries=1)


def test_what_the_archive_holds_is_detected_again_and_not_archived_again() -> None:
    records = [event(0, 1), message(1, b"{"), canary(2, at(0)), event(3, 2), message(4, b"}")]
    result = folded(records, partition(archived=3))
    assert places(result) == [("raw/0", 0), ("raw/0", 3)]
    assert len(result.refused) == 2
    assert result.shares[0].events["log.offset"].to_list() == [3]
    assert tallied(result) == Counts(records=2, events=1, quarantined=1)
    whole = folded(records, partition(archived=5))
    assert whole.shares[0].counts == {}
    assert whole.shares[0].events.is_empty()


def test_what_was_committed_only_folds() -> None:
    held = Partition(0, 0, sinks_from=3, archived=3)
    records = [event(0, 1), message(1, b"{"), event(2, 2), event(3, 2), event(4, 3)]
    records.append(message(5, b"}"))
    result = folded(records, held)
    assert places(result) == [("raw/0", 4)]
    assert [record.offset for record, _ in result.refused] == [5]
    assert tallied(result) == Counts(records=3, events=1, repeats=1, quarantined=1)
    assert held.position == 6


def test_limits_are_those_of_each_partition() -> None:
    held = Partition(0, 0, sinks_from=2, archived=2), partition(1)
    records = [event(0, 1), event(0, 2, partition=1), event(1, 3), event(1, 4, partition=1)]
    result = folded(records, *held)
    assert places(result) == [("raw/1", 0), ("raw/1", 1)]
    assert [share.events.height for share in result.shares] == [0, 2]


def test_a_batch_without_repeats_is_handed_on_as_it_is() -> None:
    records = [event(0, 1), event(1, 2)]
    normalized = STAGES.normalize(records)
    result = fold(TOPIC, records, normalized, {0: partition()})
    assert result.fresh is normalized.events


def test_however_a_log_is_cut_the_state_is_the_same() -> None:
    log = [event(0, 1, 0), canary(1, at(35)), event(2, 1, 0), event(3, 2, 1), event(4, 3, 99)]
    log += [message(5, b"{"), event(6, 2, 1), canary(7, at(120)), event(8, 2, 1)]
    whole = partition()
    counts = tallied(folded(log, whole))
    for cut in range(1, len(log)):
        held = partition()
        parts = [folded(log[:cut], held), folded(log[cut:], held)]
        assert held.snapshot() == whole.snapshot()
        assert sum(map(tallied, parts), Counts()) == counts


def test_records_that_need_the_slow_decoder_stay_in_log_order() -> None:
    """A record with a wrong type is decoded apart from its chunk, and must return to its place."""
    odd = audit_event(2, at(50), objectRef="x")
    records = [event(0, 1, 0), message(1, odd), event(2, 3, 0), canary(3, at(0)), event(4, 4, 60)]
    result = folded(records)
    assert result.fresh["log.offset"].to_list() == [0, 1, 2, 4]
    assert tallied(result) == Counts(records=5, events=4, canaries=1, late=1)
    assert orjson.loads(records[1].value)["objectRef"] == "x"
