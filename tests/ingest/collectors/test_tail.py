"""Each line of a log becomes one record, once, untouched, and nothing is passed before its time."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from ingest.collectors.canary import Canary, read_canary
from ingest.collectors.checkpoint_file import BadCheckpointError
from ingest.collectors.producer import ProducerFailedError
from ingest.collectors.tail_lines import LINE_BYTES
from ingest.envelope import Envelope, Format
from ingest.salvage import MAX_RECORD_BYTES
from tests.ingest.collectors.tailing import START, Bench, FakeBroker


def line(number: int, size: int = 0) -> bytes:
    return b'{"auditID":"%06d","pad":"%s"}' % (number, b"x" * size)


def lines(*numbers: int, size: int = 0) -> bytes:
    return b"".join(line(number, size) + b"\n" for number in numbers)


def event(size: int) -> bytes:
    return json.dumps(
        {
            "auditID": "a",
            "stage": "Panic",
            "verb": "create",
            "requestURI": "/",
            "requestObject": {"data": "x" * size},
            "stageTimestamp": "2026-11-21T12:00:00Z",
        }
    ).encode()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def sent(bench: Bench) -> list[bytes]:
    return bench.broker.lines


def test_lines_are_sent_untouched_with_their_envelope(bench: Bench) -> None:
    values = [b'{"a": "\xff\\u0000"}\r', b" [1,  2] ", b'{"kind":"EventList","items":[]}', b"text"]
    bench.write(b"\n".join(values) + b"\n")
    bench.poll()
    assert sent(bench) == values
    received = START + timedelta(seconds=1)
    expected = Envelope("prod", "node", Format.RECORD, received, str(bench.log))
    assert {envelope for envelope, _ in bench.broker.taken[:4]} == {expected}
    assert (bench.tail.counts.records, bench.tail.counts.acknowledged) == (4, 4)
    assert bench.tail.counts.bytes == sum(map(len, values))


def test_blank_lines_are_skipped_and_passed(bench: Bench) -> None:
    bench.write(b"\n\n \r\n" + lines(1) + b"\n\t\n")
    bench.poll()
    assert sent(bench) == [line(1)]
    assert bench.offsets() == {"audit.log": bench.log.stat().st_size}


def test_files_that_appear_later_are_followed(bench: Bench) -> None:
    bench.poll()
    bench.write(lines(1), "a.log")
    bench.poll()
    bench.write(lines(2), "b.log")
    bench.write(lines(3), "a.log")
    bench.poll()
    assert sorted(sent(bench)) == [line(1), line(2), line(3)]


def test_what_was_written_first_is_sent_first(bench: Bench) -> None:
    for number, name in enumerate(["b.log", "c.log", "a.log"]):
        bench.write(lines(number, size=900), name)
        os.utime(bench.folder / name, (number, number))
    bench.poll()
    assert sent(bench) == [line(number, 900) for number in range(3)]


def test_a_live_half_line_waits_and_a_rotated_one_does_not(bench: Bench) -> None:
    bench.write(lines(1) + line(2)[:9])
    bench.poll()
    bench.poll(100)
    assert sent(bench) == [line(1)]
    bench.write(line(2)[9:] + b"\n" + line(3))
    bench.poll()
    bench.log.rename(bench.folder / "audit-1.log")
    bench.write(lines(4))
    bench.poll()
    assert sent(bench) == [line(1), line(2), line(4)]
    bench.poll(6)
    assert sent(bench) == [line(1), line(2), line(4), line(3)]
    bench.poll(100)
    assert len(sent(bench)) == 4


def test_an_old_half_line_is_sent_once_another_file_is_written(bench: Bench) -> None:
    bench.write(line(1), "audit-1.log")
    os.utime(bench.folder / "audit-1.log", (1, 1))
    bench.poll()
    bench.poll(100)
    assert sent(bench) == []
    bench.write(lines(2))
    bench.poll()
    assert sorted(sent(bench)) == [line(1), line(2)]


def test_a_deleted_file_is_read_to_its_end(bench: Bench) -> None:
    bench.write(lines(1))
    bench.poll()
    bench.write(lines(2) + line(3))
    bench.log.unlink()
    bench.poll()
    bench.poll(6)
    assert sent(bench) == [line(1), line(2), line(3)]


def test_the_rest_of_a_file_that_was_packed_meanwhile_is_sent(bench: Bench) -> None:
    numbers = range(2000)
    bench.write(lines(*numbers[:1000]))
    bench.poll()
    bench.stop()
    bench.write(lines(*numbers[1000:]))
    (bench.folder / "audit-1.log.gz").write_bytes(gzip.compress(bench.log.read_bytes()))
    bench.log.unlink()
    bench.restart()
    bench.poll()
    assert sent(bench) == [line(number) for number in numbers]
    assert bench.offsets() == {"audit-1.log.gz": len(lines(*numbers))}


def test_a_packed_file_that_was_sent_is_not_unpacked_again(bench: Bench) -> None:
    (bench.folder / "audit-1.log.gz").write_bytes(gzip.compress(lines(1, 2)))
    bench.poll()
    bench.stop()
    bench.restart()
    bench.poll()
    assert [one.reader for one in bench.tail._streams._streams.values()] == [None]
    assert sent(bench) == [line(1), line(2)]
    assert bench.tail.caught_up


@pytest.mark.parametrize("restarted", [False, True])
def test_a_copy_is_never_sent_twice(bench: Bench, restarted: bool) -> None:
    bench.write(lines(1, 2))
    bench.poll()
    shutil.copyfile(bench.log, bench.folder / "audit-1.log")
    if restarted:
        bench.stop()
    os.truncate(bench.log, 0)
    bench.write(lines(3))
    if restarted:
        bench.restart()
    bench.poll()
    assert sent(bench) == [line(1), line(2), line(3)]


def test_what_a_copy_holds_beyond_what_was_read_is_sent(bench: Bench) -> None:
    bench.write(lines(1, 2))
    bench.poll()
    bench.write(lines(3, 4))
    shutil.copyfile(bench.log, bench.folder / "audit-1.log")
    os.truncate(bench.log, 0)
    bench.write(lines(5))
    bench.poll()
    assert sorted(sent(bench)) == [line(number) for number in (1, 2, 3, 4, 5)]


def test_a_file_written_again_beyond_its_old_length_is_read_from_its_beginning(
    bench: Bench,
) -> None:
    bench.write(lines(1, 2))
    bench.poll()
    os.truncate(bench.log, 0)
    bench.write(lines(3, 4, 5, 6))
    bench.poll()
    assert sent(bench) == [line(number) for number in range(1, 7)]


def test_a_truncated_file_whose_writer_goes_on_at_its_old_place_is_read(bench: Bench) -> None:
    with bench.log.open("wb", buffering=0) as writer:  # without O_APPEND
        writer.write(lines(*range(100)))
        bench.poll()
        os.truncate(bench.log, 0)
        bench.poll()
        writer.write(lines(100, 101))
    bench.poll()
    assert sent(bench) == [line(number) for number in range(102)]


def test_a_plain_path_finds_its_rest_under_its_rotated_name(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "audit.log")
    bench.write(lines(1), "audit-old.log")
    bench.write(lines(2))
    bench.poll()
    bench.stop()
    bench.write(lines(3))
    bench.log.rename(bench.folder / "audit-1.log")
    bench.write(lines(4))
    bench.restart()
    bench.poll()
    assert sorted(sent(bench)) == [line(2), line(3), line(4)]


def test_nothing_is_passed_that_kafka_does_not_have(bench: Bench) -> None:
    bench.broker.up = False
    bench.write(lines(1, 2, 3))
    bench.poll()
    assert bench.offsets() == {"audit.log": 0}
    bench.broker.answer(2)
    bench.step(2)
    assert bench.offsets() == {"audit.log": len(lines(1, 2))}
    bench.crash()
    bench.broker.up = True
    bench.restart()
    bench.poll()
    assert sent(bench) == [line(1), line(2), line(3)]


def test_reading_pauses_while_the_producer_is_full(tmp_path: Path) -> None:
    bench = Bench(tmp_path, broker=FakeBroker(room=10))
    bench.broker.up = False
    bench.write(lines(*range(1000)))
    bench.poll()
    assert len(bench.broker.on_the_way) == 10
    assert 0 < bench.step() <= 0.05
    assert bench.tail.counts.records == 10
    bench.broker.answer(4)
    bench.step()
    assert bench.tail.counts.records == 14
    bench.broker.up = True
    for _ in range(120):
        bench.step(0.1)
    assert sent(bench) == [line(number) for number in range(1000)]


def test_a_refused_line_is_sent_again_even_if_its_file_is_gone(bench: Bench) -> None:
    bench.broker.error = "TOPIC_AUTHORIZATION_FAILED: no"
    bench.write(lines(1, 2))
    bench.poll()
    os.truncate(bench.log, 0)
    bench.poll(2)
    assert bench.tail.counts.failed >= 2
    bench.broker.error = None
    for _ in range(5):
        bench.poll(31)
    assert sent(bench) == [line(1), line(2)]
    failures = [fields for event, fields in bench.notes if event == "delivery_failed"]
    assert failures[0] == {"records": 2, "reason": "TOPIC_AUTHORIZATION_FAILED: no"}


def test_refused_lines_are_not_sent_again_at_once(bench: Bench) -> None:
    bench.broker.error = "TOPIC_AUTHORIZATION_FAILED: no"
    bench.write(lines(1))
    for _ in range(300):
        bench.step(0.2)
    assert bench.tail.counts.failed < 10


def test_a_line_that_the_topic_does_not_take_is_cut_and_spooled(bench: Bench) -> None:
    raw = event(2 << 20)
    bench.broker.error = "MSG_SIZE_TOO_LARGE: Broker: Message size too large"
    bench.write(raw + b"\n" + lines(1))
    bench.poll()
    bench.broker.error = None
    bench.poll(2)
    bench.poll(2)
    cut, untouched = sent(bench)
    assert untouched == line(1)
    assert json.loads(cut)["auditID"] == "a"
    envelope = bench.broker.taken[0][0]
    assert envelope.salvage is not None
    assert envelope.salvage.size_bytes == len(raw)
    assert len(list((bench.state / "spool").iterdir())) == 1


@pytest.mark.parametrize("size", [MAX_RECORD_BYTES, LINE_BYTES * 2])
def test_a_line_over_the_limit_is_salvaged_and_holds_up_nothing(bench: Bench, size: int) -> None:
    raw = event(size)
    bench.write(lines(1) + raw + b"\n" + lines(2))
    bench.poll()
    first, salvaged, last = sent(bench)
    assert (first, last) == (line(1), line(2))
    found = json.loads(salvaged)
    assert found["stageTimestamp"] == "2026-11-21T12:00:00Z"
    assert "requestObject" not in found
    envelope = bench.broker.taken[1][0]
    assert envelope.salvage is not None
    assert (envelope.salvage.dropped, envelope.salvage.size_bytes) == (("requestObject",), len(raw))
    (original,) = (bench.state / "spool").iterdir()
    assert gzip.decompress(original.read_bytes()) == raw
    assert original.name == f"{envelope.salvage.sha256}.gz"
    assert bench.tail.counts.salvaged == 1
    assert bench.offsets() == {"audit.log": bench.log.stat().st_size}


@pytest.mark.parametrize("size", [MAX_RECORD_BYTES + 1, LINE_BYTES + 9])
def test_of_a_line_that_is_no_event_the_head_is_sent(bench: Bench, size: int) -> None:
    bench.write(b"x" * size + b"\n" + lines(2))
    bench.poll()
    head, after = sent(bench)
    assert after == line(2)
    assert set(head) == {ord("x")}
    envelope = bench.broker.taken[0][0]
    assert envelope.salvage is not None
    assert envelope.salvage.size_bytes == size


def test_a_spool_that_cannot_be_written_holds_up_nothing(bench: Bench) -> None:
    bench.state.mkdir(exist_ok=True)
    (bench.state / "spool").touch()
    bench.write(event(MAX_RECORD_BYTES) + b"\n" + lines(2))
    bench.poll()
    assert len(sent(bench)) == 2
    assert [fields["spooled"] for event, fields in bench.notes if event == "too_large"] == [False]


def test_a_damaged_file_is_reported_and_holds_up_nothing(bench: Bench) -> None:
    packed = bytearray(gzip.compress(lines(*range(500)), mtime=0))
    packed[300:340] = b"\xff" * 40
    (bench.folder / "audit-1.log.gz").write_bytes(packed)
    bench.write(lines(1000))
    bench.poll()
    bench.poll(61)
    bench.poll()
    assert sent(bench)[0] == line(0)
    assert line(1000) in sent(bench)
    assert [event for event, _ in bench.notes].count("damaged") == 1
    assert bench.tail.counts.refused == {"damaged-file": 1}
    assert bench.tail.caught_up


def test_a_packed_file_that_was_cut_off_is_reported(bench: Bench) -> None:
    packed = gzip.compress(lines(*range(500)))
    (bench.folder / "audit-1.log.gz").write_bytes(packed[: len(packed) // 2])
    bench.poll()
    assert bench.notes[1:] == []
    bench.poll(61)
    assert [event for event, _ in bench.notes] == ["new", "cut_off"]
    assert sent(bench)[0] == line(0)
    assert bench.tail.caught_up


def test_a_file_that_may_not_be_read_is_reported_once_and_not_caught_up(bench: Bench) -> None:
    (bench.folder / "loop.log").symlink_to(bench.folder / "loop.log")
    for _ in range(3):
        bench.poll()
    assert [event for event, _ in bench.notes] == ["unreadable"]
    assert not bench.tail.caught_up
    (bench.folder / "loop.log").unlink()
    bench.poll()
    assert bench.tail.caught_up


def canaries(bench: Bench) -> list[Canary]:
    return [read_canary(value) for value in bench.broker.canaries]


def test_canaries_come_in_time_behind_the_lines_that_they_vouch_for(bench: Bench) -> None:
    bench.write(lines(1))
    for _ in range(61):
        bench.poll(1)
    assert [canary.caught_up for canary in canaries(bench)] == [True] * 3
    assert canaries(bench)[0] == Canary(START + timedelta(seconds=1), caught_up=True, source="tail")
    assert bench.broker.taken[0][1] == line(1)
    assert bench.tail.counts.canaries == 3
    assert bench.tail.counts.last_canary is not None


def test_a_canary_is_not_caught_up_while_kafka_lacks_a_line(bench: Bench) -> None:
    bench.broker.up = False
    bench.write(lines(1))
    for _ in range(20):
        bench.poll(1)
    bench.broker.answer(100)
    assert [canary.caught_up for canary in canaries(bench)] == [False]


def test_a_canary_waits_for_what_the_files_held_when_it_was_due(tmp_path: Path) -> None:
    bench = Bench(tmp_path, broker=FakeBroker(room=3))
    bench.write(lines(*range(10)))
    bench.step(1)
    assert canaries(bench) == []
    bench.poll()
    bench.poll()
    assert sent(bench) == [line(number) for number in range(10)]
    assert [canary.time for canary in canaries(bench)] == [START + timedelta(seconds=1)]
    assert bench.broker.taken[-1][0].format is Format.CANARY


def test_a_producer_that_failed_for_good_stops_the_tail(bench: Bench) -> None:
    bench.broker.fatal = "fenced"
    bench.write(lines(1))
    with pytest.raises(ProducerFailedError, match="fenced"):
        bench.poll()


def test_a_checkpoint_that_cannot_be_read_stops_the_start(bench: Bench) -> None:
    bench.poll()
    bench.stop()
    (bench.state / "tail.json").write_bytes(b"{")
    with pytest.raises(BadCheckpointError):
        bench.restart()


def test_a_checkpoint_that_cannot_be_written_stops_nothing(bench: Bench) -> None:
    bench.write(lines(1))
    bench.poll()
    saved = (bench.state / "tail.json").read_bytes()
    (bench.state / "tail.json.partial").mkdir()
    for number in (2, 3):
        bench.write(lines(number))
        bench.poll()
    assert sent(bench) == [line(1), line(2), line(3)]
    assert (bench.state / "tail.json").read_bytes() == saved
    assert [event for event, _ in bench.notes].count("checkpoint_not_saved") == 1
    (bench.state / "tail.json.partial").rmdir()
    bench.poll()
    assert bench.offsets() == {"audit.log": len(lines(1, 2, 3))}


def times_open(path: Path) -> int:
    """Count this process's descriptors of a file: other threads open and close others meanwhile."""
    found = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            found += descriptor.readlink() == path
    return found


def test_idle_files_are_closed_and_opened_again(bench: Bench) -> None:
    bench.write(lines(1))
    bench.poll()
    assert times_open(bench.log) == 1
    bench.poll(61)
    assert times_open(bench.log) == 0
    bench.write(lines(2))
    bench.poll()
    assert sent(bench) == [line(1), line(2)]


def test_the_checkpoint_does_not_grow_for_ever(bench: Bench) -> None:
    for number in range(600):
        bench.write(lines(number), f"{number}.log")
        if number % 20 == 0:
            bench.poll(1)
            for path in bench.folder.iterdir():
                path.unlink()
            bench.poll(61)
    bench.poll(61)
    bench.poll(61)
    assert len(json.loads((bench.state / "tail.json").read_bytes())["files"]) <= 280
