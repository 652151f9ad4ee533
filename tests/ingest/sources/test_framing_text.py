"""Lines of text in a stream: which are records, where they lie, and which belong together."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.record import Reason
from ingest.salvage import MAX_RECORD_BYTES
from ingest.sources.joining import OPEN_EVENTS, REACH_BYTES
from ingest.sources.tray import CHUNK_RECORDS

if TYPE_CHECKING:
    from tests.ingest.sources.conftest import Event, Framed

Frames = Callable[..., "Framed"]

SIZES = [1, 7, 1 << 20]
SYSLOG = b"Nov 21 10:00:00 node-1 sshd[812]: Accepted publickey for alice from 192.0.2.7 port 4"
AUTHENTICATOR = (
    b'time="2026-11-21T10:00:00Z" level=info msg="access granted" arn="arn:aws:iam::1:x"'
)
CTR = b'2026-11-21 10:00:00.1 +0000 UTC k8s.io /tasks/start {"container_id":"a"}'
ALONE = [SYSLOG, AUTHENTICATOR, CTR, b"<34>1 - mymachine su - ID47 - 'su root' failed"]
LOG = b"I1121 10:46:06.669527       1 trace.go:236] Trace[1]: {stuff} (total time: 510ms)"


def audit(kind: str, serial: int, rest: str = "a=1", node: str = "") -> bytes:
    before = f"node={node} " if node else ""
    return f"{before}type={kind} msg=audit(1490137971.011:{serial}): {rest}".encode()


def message(serial: int) -> bytes:
    return audit("USER_LOGIN", serial, "pid=1 uid=0 msg='op=login acct=\"root\" res=failed'")


def act(serial: int, node: str = "") -> list[bytes]:
    return [audit(kind, serial, node=node) for kind in ("SYSCALL", "CWD", "PATH", "PROCTITLE")]


def container(content: bytes, tag: bytes = b"F", stream: bytes = b"stdout") -> bytes:
    return b"2026-11-21T10:00:00.123456789Z " + stream + b" " + tag + b" " + content


def nothing_wrong(out: Framed) -> bool:
    return not (out.refused or out.problems or out.salvaged)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\n\n", b"\n \r\n"])
def test_lines_of_text_and_of_json_are_records_in_any_order(
    frames: Frames, event: Event, ending: bytes, size: int
) -> None:
    lines = [*ALONE, event(1), event(2), SYSLOG, event(3, 2), CTR, message(5), event(4)]
    for order in (lines, lines[::-1]):
        stream = ending.join(order)
        out = frames(stream, size)
        assert out.raws == order
        assert [
            stream[at : at + len(raw)] for at, raw in zip(out.offsets, order, strict=True)
        ] == order
        assert nothing_wrong(out)


@pytest.mark.parametrize("size", SIZES)
def test_what_no_format_knows_is_refused_among_records_of_text(frames: Frames, size: int) -> None:
    lines = [SYSLOG, LOG, CTR, LOG, b"\0\xff", b" " + SYSLOG, message(1)]
    stream = b"\n".join([LOG, *lines, LOG])
    out = frames(stream, size)
    assert out.raws == [SYSLOG, CTR, message(1)]
    refused = [LOG, LOG, LOG, b"\0\xff", SYSLOG, LOG]
    # bytes of no text are refused together with the lines around them, as they always were
    assert sum(r.size_bytes for r in out.refused) >= sum(map(len, refused))
    assert {r.reason for r in out.refused} == {Reason.NOT_JSON}


def test_lines_of_other_logs_are_refused_one_by_one_between_records(frames: Frames) -> None:
    stream = b"\n".join([LOG, SYSLOG, LOG, LOG, message(1), LOG])
    out = frames(stream)
    assert out.raws == [SYSLOG, message(1)]
    assert [(r.reason, r.size_bytes, r.sha256) for r in out.refused] == [
        (Reason.NOT_JSON, len(LOG), hashlib.sha256(LOG).hexdigest())
    ] * 4
    assert [stream[r.offset : r.offset + r.size_bytes] for r in out.refused] == [LOG] * 4


def test_a_long_log_of_something_else_is_one_refusal_and_text_after_it_is_read(
    frames: Frames,
) -> None:
    noise = (LOG + b"\n") * 30_000
    out = frames(SYSLOG + b"\n" + noise + message(2) + b"\n" + noise)
    assert out.raws == [SYSLOG, message(2)]
    assert [(r.reason, r.size_bytes) for r in out.refused] == [
        (Reason.NOT_JSON, len(noise) - 1),
        (Reason.NOT_JSON, len(noise)),
    ]


@pytest.mark.parametrize("size", SIZES)
def test_a_record_of_text_ends_an_event_that_was_cut(
    frames: Frames, event: Event, size: int
) -> None:
    half = event(2, requestObject={"kind": "Pod", "data": "x" * 9_000})[:-150]
    for pretty in (event(1), event(1, 2)):
        out = frames(b"\n".join([pretty, half, SYSLOG, event(3), half, *act(7), SYSLOG]), size)
        assert out.raws == [pretty, half, SYSLOG, event(3), half, b"\n".join(act(7)), SYSLOG]


@pytest.mark.parametrize("length", range(4_080, 4_100))
def test_it_does_so_wherever_the_windows_of_the_search_meet(frames: Frames, length: int) -> None:
    half = b'{"kind":"' + b"x" * (length - 9)
    assert frames(b"\n".join([b"{}", half, SYSLOG, b"{}"])).raws == [b"{}", half, SYSLOG, b"{}"]


def test_text_on_a_line_with_json_is_no_record(frames: Frames, event: Event) -> None:
    out = frames(event(1) + SYSLOG + b"\n" + event(2))
    assert out.raws == [event(1), event(2)]
    assert [r.size_bytes for r in out.refused] == [len(SYSLOG)]


def test_text_on_a_line_of_its_own_between_values_that_share_lines_is_one(
    frames: Frames, event: Event
) -> None:
    out = frames(event(1) + event(2) + b"\n" + SYSLOG + b"\n" + event(3) + event(4))
    assert out.raws == [event(1), event(2), SYSLOG, event(3), event(4)]


def test_a_line_of_text_larger_than_a_record_is_refused(frames: Frames, event: Event) -> None:
    long = SYSLOG + b"x" * MAX_RECORD_BYTES
    for stream in ([event(1), long, event(2)], [long, SYSLOG], [SYSLOG, long]):
        out = frames(b"\n".join(stream))
        assert out.raws == [raw for raw in stream if raw != long]
        assert [(r.reason, r.size_bytes) for r in out.refused] == [(Reason.NOT_JSON, len(long))]


@pytest.mark.parametrize("size", SIZES)
def test_lines_of_one_auditd_event_are_one_record(frames: Frames, size: int) -> None:
    stream = b"\n".join([*act(1), audit("EOE", 1, ""), *act(2), message(3), *act(4)])
    out = frames(stream, size)
    assert out.raws == [b"\n".join(act(1)), b"\n".join(act(2)), message(3), b"\n".join(act(4))]
    assert out.offsets == [stream.index(raw.split(b"\n")[0]) for raw in out.raws]
    assert nothing_wrong(out)


@pytest.mark.parametrize("size", SIZES)
def test_lines_of_other_events_may_stand_between(frames: Frames, event: Event, size: int) -> None:
    one, two = act(1), act(2)
    lines = [one[0], two[0], message(3), one[1], event(1), two[1], LOG, one[2], one[3], *two[2:]]
    stream = b"\n".join(lines)
    out = frames(stream, size)
    assert out.raws == [message(3), event(1), b"\n".join(one), b"\n".join(two)]
    assert [stream[at : at + 9] for at in out.offsets] == [raw[:9] for raw in out.raws]
    assert out.offsets[2:] == [0, len(one[0]) + 1]
    assert [r.size_bytes for r in out.refused] == [len(LOG)]


def test_events_of_two_machines_are_two(frames: Frames) -> None:
    one, two = act(1, "a.example.com"), act(1, "b.example.com")
    out = frames(b"\n".join(line for pair in zip(one, two, strict=True) for line in pair))
    assert out.raws == [b"\n".join(one), b"\n".join(two)]


def test_an_event_without_its_last_line_ends_with_the_stream(frames: Frames) -> None:
    lines = [*act(1)[:3], *act(2)[:2]]
    assert frames(b"\n".join(lines)).raws == [b"\n".join(lines[:3]), b"\n".join(lines[3:])]


def test_an_event_ends_when_too_many_others_have_begun(frames: Frames) -> None:
    lines = [audit("SYSCALL", number) for number in range(OPEN_EVENTS + 1)]
    late = audit("PATH", 0)
    out = frames(b"\n".join([*lines, late]))
    assert out.raws == [*lines, late]
    out = frames(b"\n".join([*lines[:-1], late]))
    assert out.raws[0] == lines[0] + b"\n" + late


@pytest.mark.parametrize("size", [4_001, 1 << 20])
@pytest.mark.parametrize("between", [SYSLOG, b'{"a":"' + b"x" * 900 + b'"}', LOG])
def test_an_event_ends_when_much_has_followed_its_last_line(
    frames: Frames, between: bytes, size: int
) -> None:
    first, late = audit("SYSCALL", 0), audit("PATH", 0)
    for bytes_between, is_one in ((REACH_BYTES // 2, True), (REACH_BYTES + 4_096, False)):
        noise = [between] * (bytes_between // len(between))
        raws = frames(b"\n".join([first, *noise, late, message(9)]), size).raws
        assert (first + b"\n" + late in raws) == is_one
        assert ({first, late} <= set(raws)) == (not is_one)
        assert message(9) in raws


def test_lines_of_events_larger_than_a_record_become_several(frames: Frames) -> None:
    lines = [audit("EXECVE", 1, "a" * 500_000) for _ in range(40)]
    out = frames(b"\n".join(lines))
    assert b"\n".join(out.raws) == b"\n".join(lines)
    assert max(map(len, out.raws)) <= MAX_RECORD_BYTES
    assert len(out.raws) == 3


def test_the_end_of_an_event_that_has_ended_is_no_record_unless_it_says_something(
    frames: Frames,
) -> None:
    out = frames(b"\n".join([*act(1), audit("EOE", 1, ""), audit("EOE", 2, "comm=x")]))
    assert out.raws == [b"\n".join(act(1)), audit("EOE", 2, "comm=x")]
    assert nothing_wrong(out)


@pytest.mark.parametrize("size", SIZES)
def test_what_a_container_wrote_is_the_record(frames: Frames, event: Event, size: int) -> None:
    contents = [event(1), SYSLOG, event(2), *act(1), CTR]
    lines = [container(content) for content in contents]
    stream = b"\n".join([*lines, container(LOG), container(LOG, stream=b"stderr"), *lines])
    out = frames(stream, size)
    expected = [event(1), SYSLOG, event(2), b"\n".join(act(1)), CTR]
    assert out.raws == expected * 2
    assert stream[out.offsets[0] :].startswith(event(1))
    assert [r.size_bytes for r in out.refused] == [
        len(container(LOG)),
        len(container(LOG, stream=b"stderr")),
    ]


@pytest.mark.parametrize("size", SIZES)
def test_parts_of_a_containers_line_are_joined(frames: Frames, event: Event, size: int) -> None:
    long = event(1, requestObject={"data": "y" * 40_000})
    other = event(2, requestObject={"data": "z" * 100})
    stream = b"\n".join(
        [
            container(long[:16_000], b"P"),
            container(LOG, stream=b"stderr"),
            container(other[:50], b"P", b"stderr"),
            container(long[16_000:32_000], b"P"),
            container(other[50:], stream=b"stderr"),
            container(long[32_000:]),
            container(event(3)),
        ]
    )
    out = frames(stream, size)
    assert out.raws == [other, long, event(3)]
    assert out.offsets[1] == stream.index(b"{")
    assert [r.size_bytes for r in out.refused] == [len(container(LOG, stream=b"stderr"))]


def test_a_containers_line_without_its_end_is_salvaged(frames: Frames, event: Event) -> None:
    long = event(1, responseObject={"data": "y" * 40_000})
    half = [container(long[:16_000], b"P"), container(long[16_000:32_000], b"P")]
    for rest in ([], [SYSLOG] * (2 * REACH_BYTES // len(SYSLOG))):
        out = frames(b"\n".join([*half, *rest]))
        (offset,) = out.salvaged
        saved = out.raws[out.offsets.index(offset)]
        assert orjson.loads(saved)["auditID"] == orjson.loads(long)["auditID"]
        assert out.salvaged[offset].size_bytes == 32_000
        assert len(out.raws) == 1 + len(rest)


def test_a_log_of_a_container_that_says_nothing_is_one_refusal(frames: Frames) -> None:
    out = frames((container(LOG) + b"\n") * 2_000)
    assert out.raws == []
    assert len(out.refused) == 1


def test_chunks_hold_at_most_500_records_of_text(frames: Frames) -> None:
    out = frames((SYSLOG + b"\n") * 20_001)
    assert sum(out.sizes) == 20_001
    assert max(out.sizes) == CHUNK_RECORDS


@pytest.mark.parametrize("line", [SYSLOG, audit("SYSCALL", 1), container(b'{"a"', b"P"), LOG])
def test_hostile_lines_take_linear_time_and_lose_no_byte(frames: Frames, line: bytes) -> None:
    out = frames((line + b"\n{\n") * 5_000)
    assert sum(map(len, out.raws)) + sum(r.size_bytes for r in out.refused) > 0


PIECES = [SYSLOG, CTR, LOG, b"\0", b"{}", b'{"a":', b"[", b"]", b"{\n}", b",", b"  ", b"\r"]
PIECES += [*act(1), *act(2), audit("EOE", 1, ""), message(3), b"type=", b"Nov", b"2026-11-21T"]
PIECES += [container(b"{"), container(b'{"a":', b"P"), container(b"1}"), container(b"1", b"P")]
PIECES += [container(act(1)[1]), container(LOG), b"x" * 5_000]


@settings(max_examples=400, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(PIECES), st.sampled_from([b"\n", b"\n", b"\n", b"", b"\r\n"])),
        max_size=40,
    ),
    st.integers(1, 30),
)
def test_chunks_do_not_matter_and_every_line_is_accounted_for(
    frames: Frames, pairs: list[tuple[bytes, bytes]], size: int
) -> None:
    stream = b"".join(piece + ending for piece, ending in pairs)
    out = frames(stream)
    again = frames(stream, size)
    assert (out.raws, out.offsets, out.refused) == (again.raws, again.offsets, again.refused)
    held = b"\n".join(out.raws)
    for place, line in _lines(stream):
        if line.startswith(b"type=") and b"EOE" not in line:
            assert line in held or any(
                r.offset <= place < r.offset + r.size_bytes for r in out.refused
            )


def _lines(stream: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield each line and where it begins."""
    place = 0
    for line in stream.split(b"\n"):
        yield place, line.removesuffix(b"\r")
        place += len(line) + 1


@pytest.mark.parametrize("size", SIZES)
def test_one_word_may_stand_before_a_record_of_its_own_kind(frames: Frames, size: int) -> None:
    event_ = b'{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"a","stage":"Panic"}'
    lines = [b"node-1.example.com " + event_, b"2026-11-21T10:00:00.719Z " + event_]
    lines += [b"2026-11-21T10:00:00.719Z " + AUTHENTICATOR, b"web-1 " + event_]
    out = frames(b"\n".join(lines), size)
    assert out.raws == lines
    assert nothing_wrong(out)


def test_a_log_of_another_daemon_that_writes_logfmt_is_one_refusal(frames: Frames) -> None:
    other = b'time="2026-11-21T10:00:00Z" level=info msg="starting containerd" revision=a'
    out = frames(b"\n".join([other] * 1_000))
    assert not out.raws
    assert len(out.refused) == 1
