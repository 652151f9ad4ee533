"""Lines of text in followed files: Kafka gets the records that a scan of the file finds."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.collectors.tail_streams import JOIN_S
from ingest.sources.framing import frame
from tests.ingest.collectors.tailing import Bench, FakeBroker

SYSLOG = b"Nov 21 10:00:00 node-1 sshd[812]: Accepted publickey for alice from 192.0.2.7 port 4"
NOISE = b"I1121 10:46:06.669527       1 trace.go:236] Trace[1]: {stuff} (total time: 510ms)"


def audit(kind: str, serial: int) -> bytes:
    return f"type={kind} msg=audit(1490137971.011:{serial}): a=1".encode()


def act(serial: int) -> list[bytes]:
    return [audit(kind, serial) for kind in ("SYSCALL", "CWD", "PATH", "PROCTITLE")]


def container(content: bytes, tag: bytes = b"F") -> bytes:
    return b"2026-11-21T10:00:00.123456789Z stdout " + tag + b" " + content


def joined(lines: list[bytes]) -> bytes:
    return b"\n".join(lines)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.stop()


def test_lines_of_one_event_are_sent_as_one_record(bench: Bench) -> None:
    bench.write(joined([*act(1), SYSLOG, *act(2), b'{"a":1}', NOISE]) + b"\n")
    bench.poll()
    assert bench.broker.lines == [joined(act(1)), SYSLOG, joined(act(2)), b'{"a":1}', NOISE]
    assert bench.tail.caught_up


def test_an_event_that_is_written_slowly_is_one_record(bench: Bench) -> None:
    for line in act(1):
        bench.write(line + b"\n")
        bench.poll(JOIN_S * 0.9)
    assert bench.broker.lines == [joined(act(1))]


def test_an_event_without_its_last_line_is_sent_after_a_while(bench: Bench) -> None:
    bench.write(joined(act(1)[:2]) + b"\n")
    states = []
    for passed_s in (JOIN_S / 2, JOIN_S):
        bench.poll(passed_s)
        states.append((list(bench.broker.lines), bench.tail.caught_up))
    assert states == [([], False), ([joined(act(1)[:2])], True)]
    bench.write(joined(act(1)[2:]) + b"\n")
    bench.poll(JOIN_S / 2)
    assert bench.broker.lines[1:] == [joined(act(1)[2:])]


def test_time_does_not_part_an_event_while_kafka_is_away(tmp_path: Path) -> None:
    bench = Bench(tmp_path, broker=FakeBroker(room=1))
    bench.broker.up = False
    bench.write(joined([act(1)[0], SYSLOG, b"{}", *act(1)[1:]]) + b"\n")
    for _ in range(5):
        bench.poll(JOIN_S)
    bench.broker.up = True
    for _ in range(5):
        bench.poll(0.1)
    assert bench.broker.lines == [SYSLOG, b"{}", joined(act(1))]
    bench.stop()


def test_a_checkpoint_does_not_pass_lines_that_are_held(bench: Bench) -> None:
    before = joined([*act(1), b'{"a":1}']) + b"\n"
    bench.write(before + joined([act(2)[0], SYSLOG]) + b"\n")
    bench.poll(1.0)
    bench.step(1.0)
    assert bench.broker.lines == [joined(act(1)), b'{"a":1}', SYSLOG]
    assert bench.offsets() == {"audit.log": len(before)}
    bench.crash()
    bench.restart()
    bench.write(joined(act(2)[1:]) + b"\n")
    bench.poll()
    assert bench.broker.lines[3:] == [SYSLOG, joined(act(2))]


def test_a_checkpoint_does_not_pass_an_earlier_event_that_kafka_has_not(bench: Bench) -> None:
    lines = [act(1)[0], *act(2), *act(1)[1:]]
    bench.write(joined(lines) + b"\n")
    bench.broker.up = False
    bench.poll(1.0)
    bench.broker.answer(1)  # of the second event, which is complete first
    bench.step(1.0)
    assert bench.broker.lines == [joined(act(2))]
    assert bench.offsets() == {"audit.log": 0}
    bench.broker.up = True
    bench.poll(1.0)
    bench.step(1.0)
    assert bench.offsets() == {"audit.log": len(joined(lines)) + 1}


def test_a_stop_keeps_an_open_event_for_the_next_start(bench: Bench) -> None:
    bench.write(joined(act(1)[:2]) + b"\n")
    bench.poll(0.5)
    bench.stop()
    bench.restart()
    bench.write(joined(act(1)[2:]) + b"\n")
    bench.poll(1.0)
    assert bench.broker.lines == [joined(act(1))]


def test_an_event_is_sent_when_its_file_is_gone(bench: Bench) -> None:
    bench.write(joined(act(1)[:2]) + b"\n")
    bench.poll(0.5)
    bench.log.unlink()
    for _ in range(6):
        bench.poll(JOIN_S)
    assert bench.broker.lines == [joined(act(1)[:2])]


def test_a_last_line_without_an_end_belongs_to_its_event(bench: Bench) -> None:
    bench.write(joined(act(1)))
    bench.log.rename(bench.folder / "audit.log.1")
    bench.log.write_bytes(b"{}\n")
    for _ in range(4):
        bench.poll(40)
    assert sorted(bench.broker.lines) == sorted([joined(act(1)), b"{}"])
    assert bench.tail.caught_up


def test_packed_files_are_joined_too(bench: Bench) -> None:
    (bench.folder / "audit.log.1.gz").write_bytes(gzip.compress(joined(act(1)[:3]) + b"\n"))
    for _ in range(4):
        bench.poll(JOIN_S)
    assert bench.broker.lines == [joined(act(1)[:3])]


def test_parts_of_a_containers_line_are_joined_and_lost_ends_flagged(bench: Bench) -> None:
    event = b'{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"x","stage":"Panic",'
    event += b'"requestURI":"/","verb":"get","responseObject":{"a":"b"}}'
    bench.write(joined([container(event[:40], b"P"), container(event[40:]), container(NOISE)]))
    bench.write(b"\n" + container(event[:-5], b"P") + b"\n")
    bench.poll(0.5)
    assert bench.broker.lines == [event, container(NOISE)]
    bench.poll(JOIN_S)
    assert len(bench.broker.lines) == 3
    ((envelope, value),) = [one for one in bench.broker.taken if one[0].salvage]
    assert envelope.salvage is not None
    assert envelope.salvage.size_bytes == len(event) - 5
    assert b'"auditID":"x"' in value


def test_a_canary_waits_for_held_lines(bench: Bench) -> None:
    bench.write(act(1)[0] + b"\n")
    bench.poll(0.0)
    assert bench.broker.canaries == []
    bench.poll(JOIN_S)
    assert bench.broker.lines == [act(1)[0]]
    assert len(bench.broker.canaries) == 1


LINES = [SYSLOG, NOISE, b"{}", *act(1), *act(2), audit("EOE", 1), audit("USER_AUTH", 3)]
LINES += [container(b"{}"), container(b'{"a":', b"P"), container(b"1}"), container(act(2)[1])]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.sampled_from(LINES), min_size=1, max_size=8), max_size=6))
def test_the_records_are_those_of_a_scan(
    tmp_path_factory: pytest.TempPathFactory, writes: list[list[bytes]]
) -> None:
    bench = Bench(tmp_path_factory.mktemp("tail"))
    stream = b""
    for lines in writes:
        text = joined(lines) + b"\n"
        stream += text
        bench.write(text)
        bench.poll(0.1)
    bench.poll(JOIN_S)
    bench.poll(JOIN_S)
    found = list(frame("audit.log", [stream]))
    raws = [raw for records in found for raw in records.raws]
    refused = {r.sha256 for records in found for r in records.refused}
    sent = [line for line in bench.broker.lines if line in raws]
    assert sorted(sent) == sorted(raws)
    assert len(refused) >= len({line for line in bench.broker.lines if line not in raws}) - 1
    bench.stop()
