from __future__ import annotations

import hashlib
import random
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, repeat
from time import process_time
from typing import TYPE_CHECKING

import orjson
import pytest

from ingest.record import Reason
from ingest.salvage import MAX_RECORD_BYTES
from ingest.sources.framing import frame

if TYPE_CHECKING:
    from tests.ingest.sources.conftest import Event, Framed

Frames = Callable[..., "Framed"]
MIB = 1 << 20


def in_chunks(parts: Iterable[bytes], size: int = MIB) -> Iterator[bytes]:
    """Join small parts to chunks, as a file is read, without holding them all."""
    held = bytearray()
    for part in parts:
        held += part
        while len(held) >= size:
            yield bytes(held[:size])
            del held[:size]
    yield bytes(held)


def sha256(parts: Iterable[bytes]) -> tuple[int, str]:
    whole, size = hashlib.sha256(), 0
    for part in parts:
        whole.update(part)
        size += len(part)
    return size, whole.hexdigest()


@pytest.fixture
def peak_mib() -> Iterator[Callable[[], float]]:
    """Return what tells the most memory that Python held since the test began."""
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1] / MIB
    tracemalloc.stop()


@pytest.mark.parametrize("size", [100, 10_000, 3 * MIB])
@pytest.mark.parametrize("chunk", [1_000, MIB])
def test_a_binary_file_is_one_refusal(frames: Frames, size: int, chunk: int) -> None:
    content = b"\n \x7fELF\0" + random.Random(size).randbytes(size)
    out = frames(content, chunk)
    assert out.raws == []
    assert [(r.reason, r.offset, r.size_bytes, r.sha256) for r in out.refused] == [
        (Reason.NOT_JSON, 0, len(content), hashlib.sha256(content).hexdigest())
    ]
    assert "the whole input" in out.refused[0].detail


def test_a_long_text_is_one_refusal_and_events_after_it_are_read(
    frames: Frames, event: Event
) -> None:
    text = b"W1121 10:46:06.669527  1 x.go:1] [core] grpc {a} failed\n" * 30_000
    out = frames(event(1) + b"\n" + text + event(2) + b"\n" + text)
    assert out.raws == [event(1), event(2)]
    assert [(r.reason, r.size_bytes) for r in out.refused] == [
        (Reason.NOT_JSON, len(text.rstrip())),
        (Reason.NOT_JSON, len(text)),
    ]


def test_50_mb_of_garbage_on_a_line_is_one_refusal_in_little_memory(
    event: Event, frames: Frames, peak_mib: Callable[[], float]
) -> None:
    garbage = list(repeat(b"{garbage} " + b"x" * 1_014, 50_000))
    out = frames(in_chunks(chain([event(1), b"\n"], garbage, [b"\n", event(2)])))
    assert out.raws == [event(1), event(2)]
    assert [(r.reason, r.size_bytes, r.sha256) for r in out.refused] == [
        (Reason.NOT_JSON, *sha256([*garbage[:-1], garbage[-1].rstrip()]))
    ]
    assert peak_mib() < 24


def test_50_mb_that_begin_like_an_event_are_refused_as_too_large(
    event: Event, frames: Frames, peak_mib: Callable[[], float]
) -> None:
    garbage = [b'{"kind":"', *repeat(b"x" * 1024, 50_000)]
    out = frames(in_chunks(chain([event(1), b"\n"], garbage, [b"\n", event(2), b"\n", event(3)])))
    assert out.raws == [event(1), event(2), event(3)]
    assert [(r.reason, r.size_bytes, r.sha256) for r in out.refused] == [
        (Reason.TOO_LARGE, *sha256(garbage))
    ]
    assert peak_mib() < 64


def test_an_event_on_a_50_mb_line_is_salvaged_in_little_memory(
    event: Event, frames: Frames, peak_mib: Callable[[], float]
) -> None:
    small = event(2, requestObject={"kind": "Pod"}, responseObject="BODY")
    head, tail = small.split(b'"BODY"')
    item = b'{"metadata":{"name":"p"},"data":"' + b"x" * 4_000 + b'"},'

    def line() -> Iterator[bytes]:
        return chain([head, b'{"items":['], repeat(item, 12_500), [b"{}]}", tail])

    out = frames(in_chunks(chain([event(1), b"\n"], line(), [b"\n", event(3)])))
    assert peak_mib() < 48
    assert [orjson.loads(raw) for raw in out.raws] == [
        orjson.loads(event(1)),
        orjson.loads(event(2, requestObject={"kind": "Pod"})),
        orjson.loads(event(3)),
    ]
    ((offset, salvage),) = out.salvaged.items()
    assert offset == out.offsets[1] == len(event(1)) + 1
    assert salvage.dropped == ("responseObject",)
    assert (salvage.size_bytes, salvage.sha256) == sha256(line())
    assert salvage.size_bytes > 50e6
    assert out.refused == []


@pytest.mark.parametrize(
    ("opening", "item", "closing"),
    [
        (b"[", b"1,", b"1]"),  # with a gap it would still be an array
        (b'["', b'aaaaaaaaaaaaaa\\"', b'"]'),
        (b'[ "', b'aaaaaaaaaaaaaa\\"', b'"]'),  # the windows' edges now fall within escapes
        (b"[", b'{"name":"\\"q\\\\\\"","spec":["]}{["]},', b"1]"),
        (b'{"a":"', b"\\\\", b'"}'),
        (b"", b'{"a":', b"x"),  # deeper and deeper, and never closed
    ],
)
def test_a_body_with_a_gap_never_passes_for_whole(
    event: Event, frames: Frames, opening: bytes, item: bytes, closing: bytes
) -> None:
    head, tail = event(2, requestObject="BODY").split(b'"BODY"')
    body = opening + item * (2 * MAX_RECORD_BYTES // len(item) + 5) + closing
    out = frames(event(1) + b"\n" + head + body + tail + b"\n" + event(3))
    saved = orjson.loads(out.raws[1])
    assert out.raws[0] == event(1)
    assert out.raws[2] == event(3)
    assert "requestObject" not in saved
    assert ("stageTimestamp" in saved) == (closing != b"x")
    assert out.salvaged[out.offsets[1]].dropped == ("requestObject",)


@pytest.mark.parametrize("shift", [b"", b" "])
def test_a_gap_from_a_string_to_what_may_follow_one_is_no_whole_body(
    event: Event, frames: Frames, shift: bytes
) -> None:
    head, between, tail = event(2, requestObject=0, responseObject=1).partition(
        b'0,"responseObject":'
    )
    tail = tail.removeprefix(b"1")
    deep = b"[" * 2_000 + b" " * 5 * MIB + b"]" * 2_000  # dropped: so there is room for the other
    body = b'["' + shift + b"x" * 6 * MIB + b'"' + b",1" * MIB + b"]"
    out = frames(head + deep + between.removeprefix(b"0") + body + tail)
    assert orjson.loads(out.raws[0]) == orjson.loads(event(2))
    assert out.salvaged[0].dropped == ("requestObject", "responseObject")


def test_what_follows_a_body_is_kept_even_if_it_is_long(event: Event, frames: Frames) -> None:
    head, tail = event(2, requestObject="BODY", note="NOTE").split(b'"BODY"')
    tail = tail.replace(b'"NOTE"', b'"' + b"y" * 300_000 + b'"')
    out = frames(head + b"[" + b"1," * 5 * MIB + b"1]" + tail)
    assert orjson.loads(out.raws[0]) == orjson.loads(event(2, note="y" * 300_000))


def test_a_record_of_just_the_limit_is_left_whole(event: Event, frames: Frames) -> None:
    for excess in (0, 1):
        bare = len(event(2, requestObject=""))
        large = event(2, requestObject="x" * (MAX_RECORD_BYTES - bare + excess))
        for pretty in (event(1), event(1, 2)):
            out = frames(pretty + b"\n" + large + b"\n" + event(3))
            assert out.raws[0] == pretty
            assert out.raws[-1] == event(3)
            assert (out.raws[1] == large) == (excess == 0)
            assert len(out.salvaged) == excess


def test_a_pretty_printed_event_may_be_too_large(event: Event, frames: Frames) -> None:
    large = event(2, 1, requestObject=[{"a": "x" * 1_000}] * 9_000)
    out = frames(event(1, 1) + b"\n" + large + b"\n" + event(3, 1))
    assert orjson.loads(out.raws[1]) == orjson.loads(event(2))
    assert [out.raws[0], out.raws[2]] == [event(1, 1), event(3, 1)]


LAYOUTS = {
    "array on one line": (b"[", b",", b"]"),
    "array over lines": (b"[\n", b",\n", b"\n]"),
    "EventList on one line": (
        b'{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":[',
        b",",
        b"]}\n",
    ),
    "objects on one line": (b"", b"", b""),
    "lines": (b"", b"\n", b"\n"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_memory_does_not_grow_with_a_file(
    event: Event, peak_mib: Callable[[], float], layout: str
) -> None:
    opening, between, closing = LAYOUTS[layout]
    item = event(1, requestObject={"data": ["x" * 4_000]})
    count = 10_000
    parts = chain(
        [opening], chain.from_iterable(repeat((item, between), count - 1)), [item, closing]
    )
    found = 0
    for records in frame("audit.log", in_chunks(parts)):
        assert records.refused == []
        assert records.problems == []
        assert set(records.raws) == {item}
        found += len(records.raws)
    assert found == count
    assert count * len(item) > 40 * MIB
    assert peak_mib() < 24


def test_hostile_files_take_linear_time(frames: Frames, event: Event) -> None:
    half = event(1)[:300]
    hostile = [
        b"{\n" * 50_000,
        b'{"a":\n' * 25_000,
        b'{"a":1,\n' * 25_000,
        b'{"a":"x\n' * 25_000,
        b"[\n" * 200_000,
        b"{\n}\n{}\n" * 30_000,
        b"\0\n{}\n" * 20_000,
        b"x\n{}\n" * 20_000,
        (half + b",\n") * 5_000,
        b"[{" * 200_000,
        b'{"items":[' * 50_000,
        b"[1,{}," * 20_000,
    ]
    for stream in hostile:
        begin = process_time()
        frames(stream)
        assert process_time() - begin < 3, stream[:20]


def test_an_object_deeper_than_a_record_is_large_is_refused(frames: Frames) -> None:
    out = frames(b'{"a":' * (2 * MIB))
    assert [(r.reason, r.size_bytes) for r in out.refused] == [(Reason.TOO_LARGE, 10 * MIB)]
