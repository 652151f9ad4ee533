from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.record import InputProblem, Reason, Stage
from ingest.sources.tray import CHUNK_RECORDS

if TYPE_CHECKING:
    from tests.ingest.sources.conftest import Event, Framed

Frames = Callable[..., "Framed"]

SIZES = [1, 7, 1 << 20]
"""Sizes of chunks: what comes out must not depend on them."""


def documents(out: Framed) -> list[object]:
    return [orjson.loads(raw) for raw in out.raws]


def nothing_wrong(out: Framed) -> bool:
    return not (out.refused or out.problems or out.salvaged)


@pytest.mark.parametrize("stream", [b"", b"\n", b"\r\n", b" \n\t\r\n \n" * 1_000, b"[]", b"[\n]\n"])
def test_what_holds_no_record_gives_nothing_and_no_problem(frames: Frames, stream: bytes) -> None:
    out = frames(stream)
    assert [raw for raw in out.raws if raw != b"[]"] == []
    assert nothing_wrong(out)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\n\n", b" \n", b"\n \r\n"])
@pytest.mark.parametrize("last", [True, False])
def test_a_line_is_a_record(
    frames: Frames, event: Event, ending: bytes, size: int, last: bool
) -> None:
    events = [event(n) for n in range(20)]
    stream = ending.join(events) + (ending if last else b"")
    out = frames(stream, size)
    assert out.raws == events
    assert [
        stream[at : at + len(raw)] for at, raw in zip(out.offsets, events, strict=True)
    ] == events
    assert nothing_wrong(out)


def test_chunks_hold_at_most_500_records(frames: Frames) -> None:
    out = frames(b"{}\n" * 100_001)
    assert sum(out.sizes) == 100_001
    assert max(out.sizes) == CHUNK_RECORDS
    assert sum(out.sizes) / len(out.sizes) > CHUNK_RECORDS / 2


def test_a_line_that_is_no_json_costs_itself_alone(frames: Frames, event: Event) -> None:
    klog = b"I1121 10:46:06.669527       1 trace.go:236] Trace[1]: {stuff} (total time: 510ms)"
    stream = event(1) + b"\n" + klog + b"\n" + event(2) + b"\n\0\xff\xfe\n" + event(3) + b"\n"
    for size in SIZES:
        out = frames(stream, size)
        assert out.raws == [event(1), event(2), event(3)]
        assert [(r.offset, r.size_bytes, r.sha256) for r in out.refused] == [
            (stream.index(part), len(part), hashlib.sha256(part).hexdigest())
            for part in (klog, b"\0\xff\xfe")
        ]
        assert {(r.stage, r.reason, r.path) for r in out.refused} == {
            (Stage.FRAME, Reason.NOT_JSON, "audit.log")
        }


def test_log_lines_before_the_first_event_are_refused_one_by_one(
    frames: Frames, event: Event
) -> None:
    out = frames(b"starting\nlistening on [::]:6443\n" + event(1, indent=2) + b"\n" + event(2))
    assert documents(out) == [orjson.loads(event(1)), orjson.loads(event(2))]
    assert [(r.offset, r.size_bytes) for r in out.refused] == [(0, 8), (9, 22)]


def test_an_indented_event_is_found_among_log_lines(frames: Frames, event: Event) -> None:
    out = frames(b"starting\n  " + event(1) + b"\nmore\n\t" + event(2, 2) + b"\nx {}\n {}")
    assert out.raws == [event(1), event(2, 2), b"{}"]
    assert [r.size_bytes for r in out.refused] == [8, 4, 4]


@pytest.mark.parametrize("size", [1, 1_000, 2_000, 100_000])
def test_an_object_may_begin_with_a_long_key_or_much_space(frames: Frames, size: int) -> None:
    for raw in (b'{"' + b"k" * size + b'":1}', b"{" + b" " * size + b'"a":1}'):
        out = frames(b"text\n" + raw + b"\n[\n" + raw + b"\n]")
        assert out.raws == [raw, raw]
        assert len(out.refused) == 1


def test_json_that_is_no_object_is_refused_as_no_event(frames: Frames) -> None:
    out = frames(b'{}\n42\n"text"\nnull\n{}\n[1,2]\n')
    assert out.raws == [b"{}", b"{}"]
    assert [r.reason for r in out.refused] == [Reason.NOT_AN_EVENT] * 4


def test_what_begins_like_an_object_is_left_to_the_decoder(frames: Frames, event: Event) -> None:
    bad = [b'{"a": oops}', b'{"a":1}}', b'{"a":\xff}', b'{"a":1,}']
    lines = [event(1), *bad, event(2)]
    out = frames(b"\n".join(lines))
    assert out.raws == lines
    assert nothing_wrong(out)


def test_a_half_line_at_the_end_is_salvaged(frames: Frames, event: Event) -> None:
    half = event(2, requestObject={"kind": "Pod"})[:-150]
    for size in SIZES:
        out = frames(event(1) + b"\n" + half, size)
        assert len(out.raws) == 2
        assert orjson.loads(out.raws[1])["auditID"].endswith("2")
        (offset, salvage), *rest = out.salvaged.items()
        assert not rest
        assert offset == out.offsets[1] == len(event(1)) + 1
        assert salvage.size_bytes == len(half)
        assert salvage.sha256 == hashlib.sha256(half).hexdigest()
        assert out.refused == []


@pytest.mark.parametrize("half", [b"{", b'{"ki', b'{"kind":"Event","auditID":"x"', b'{"a":[{"b":'])
def test_a_half_line_that_holds_too_little_is_refused_as_truncated(
    frames: Frames, event: Event, half: bytes
) -> None:
    out = frames(event(1) + b"\n" + half)
    assert out.raws == [event(1)]
    assert [(r.reason, r.offset, r.size_bytes, r.sha256) for r in out.refused] == [
        (Reason.TRUNCATED, len(event(1)) + 1, len(half), hashlib.sha256(half).hexdigest())
    ]


def test_a_line_that_was_cut_does_not_cost_the_next(frames: Frames, event: Event) -> None:
    for cut in range(30, len(event(2)) - 1):
        half = event(2)[:cut] + b"[Truncated...]"
        out = frames(b"\n".join([event(1), half, event(3), event(4)]))
        assert out.raws == [event(1), half, event(3), event(4)]
        assert nothing_wrong(out)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("indent", [0, 1, 4])
def test_pretty_printed_objects_are_records(
    frames: Frames, event: Event, indent: int, size: int
) -> None:
    events = [event(n, indent, requestObject={"a": [{}, {"b": 1}], "s": "}\n{"}) for n in range(9)]
    out = frames(b"\n".join(events), size)
    assert out.raws == events
    assert nothing_wrong(out)


@pytest.mark.parametrize("size", SIZES)
def test_objects_on_one_line_are_records(frames: Frames, event: Event, size: int) -> None:
    events = [event(n) for n in range(9)]
    line = b"".join(events[:3]) + b" " + b",".join(events[3:5])
    stream = line + b"\n" + b"".join(events[5:7]) + b"\n" + events[7] + b"\n" + events[8]
    out = frames(stream, size)
    assert out.raws == events
    assert nothing_wrong(out)


def test_strings_may_hold_line_breaks_escaped_and_brackets(frames: Frames, event: Event) -> None:
    body = {"data": '\n{"kind":"Event"}\n', "b": '}]{[,"\\', "c": "\\\\", "u": "\u2028 \x00"}
    events = [event(n, requestObject=body) for n in range(3)]
    for stream in (b"\n".join(events), b"[" + b",\n".join(events) + b"\n]", b"".join(events)):
        out = frames(stream)
        assert out.raws == events
        assert nothing_wrong(out)


LISTS = {
    "array": lambda items: b"[\n" + b",\n".join(items) + b"\n]\n",
    "array on few lines": lambda items: b"[" + b",\n".join(items) + b"]",
    "pretty array": lambda items: json.dumps([orjson.loads(i) for i in items], indent=2).encode(),
    "EventList over lines": lambda items: (
        b'{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":['
        + b",\n".join(items)
        + b"]}\n"
    ),
    "pretty EventList": lambda items: json.dumps(
        {
            "kind": "EventList",
            "apiVersion": "audit.k8s.io/v1",
            "metadata": {"resourceVersion": "1"},
            "items": [orjson.loads(i) for i in items],
        },
        indent=4,
    ).encode(),
    "sorted EventList": lambda items: json.dumps(
        {
            "apiVersion": "audit.k8s.io/v1",
            "items": [orjson.loads(i) for i in items],
            "kind": "EventList",
            "metadata": {},
        },
        indent=1,
    ).encode(),
    "array of EventLists": lambda items: (
        b'[\n{"kind":"EventList","items":[\n'
        + b",".join(items[:2])
        + b']},\n{"kind":"EventList",\n"items":['
        + b",".join(items[2:])
        + b"]}]"
    ),
}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", LISTS)
def test_items_of_a_list_that_spans_lines_are_records(
    frames: Frames, event: Event, name: str, size: int
) -> None:
    events = [event(n, requestObject={"items": [{"a": []}]}) for n in range(5)]
    stream = LISTS[name](events)
    out = frames(stream + b"\n" + event(9) + b"\n" + stream, size)
    expected = [orjson.loads(e) for e in events]
    assert documents(out) == [*expected, orjson.loads(event(9)), *expected]
    assert out.offsets == sorted(out.offsets)
    assert nothing_wrong(out)


@pytest.mark.parametrize("size", SIZES)
def test_a_list_on_one_line_is_one_record(frames: Frames, event: Event, size: int) -> None:
    array = b"[" + b",".join(event(n) for n in range(3)) + b"]"
    events = (
        b'{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":' + array + b"}"
    )
    lines = [array, events, event(7), events, array]
    out = frames(b"\n".join(lines), size)
    assert out.raws == lines
    assert nothing_wrong(out)


@pytest.mark.parametrize(
    "bad", [b'{"a":"cut', b'{"a":[1,', b'{"a":{"b":', b'{"a" 1}', b"{a}", b'{"a":1,']
)
@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("size", SIZES)
def test_a_malformed_item_costs_itself_alone(
    frames: Frames, event: Event, bad: bytes, indent: int | None, size: int
) -> None:
    events = [event(n, indent) for n in range(4)]
    if indent:
        events = [e.replace(b"\n", b"\n    ") for e in events]
    pad = b"    " if indent else b""
    stream = (b",\n" + pad).join([events[0], bad, *events[1:]])
    out = frames(b"[\n" + pad + stream + b"\n]\n" + event(9), size)
    good = [raw for raw in out.raws if raw in {*events, event(9)}]
    assert good == [*events, event(9)]
    assert len(out.raws) - len(good) + len(out.refused) == 1


def test_a_malformed_value_between_pretty_ones_costs_itself_alone(
    frames: Frames, event: Event
) -> None:
    whole = [event(n, 2) for n in range(4)]
    for cut in range(20, len(whole[1]) - 3, 3):
        stream = b"\n".join([whole[0], whole[1][:cut].rstrip(), whole[2], whole[3], event(9)])
        out = frames(stream)
        assert [raw for raw in out.raws if raw in {*whole, event(9)}] == [
            whole[0],
            whole[2],
            whole[3],
            event(9),
        ]


@pytest.mark.parametrize("size", SIZES)
def test_what_is_no_object_in_a_list_is_refused(frames: Frames, event: Event, size: int) -> None:
    out = frames(
        b"[\n" + event(1) + b',\n42,\n"x",\n' + event(2) + b", null, " + event(3) + b"\n]", size
    )
    assert out.raws == [event(1), event(2), event(3)]
    assert {r.reason for r in out.refused} == {Reason.NOT_AN_EVENT}
    assert len(out.refused) == 3


def test_a_cut_line_ends_wherever_the_next_begins(frames: Frames, event: Event) -> None:
    for size in range(4_090, 4_100):  # about the size of the first window that is searched
        half = b'{"kind":"' + b"x" * (size - 9)
        out = frames(event(1) + b"\n" + half + b"\n" + event(2) + b"\n" + event(3))
        assert out.raws == [event(1), half, event(2), event(3)]


def test_an_object_that_is_more_than_a_list_is_left_whole(frames: Frames) -> None:
    raw = b'{\n"kind":"Event",\n"level":"Metadata",\n"items":[{},\n{}]\n}'
    assert frames(raw).raws == [raw]


def test_a_list_object_may_end_without_its_brace(frames: Frames, event: Event) -> None:
    stream = b'{"kind":"EventList","items":[\n' + event(1) + b"]" + event(2) + b"\n" + event(3)
    out = frames(stream)
    assert out.raws == [event(1), event(2), event(3)]


def test_a_list_may_begin_with_a_comma_and_much_space(frames: Frames, event: Event) -> None:
    out = frames(event(1) + b"\n[,\n" + b" " * 10_000 + b"\n" + event(2))
    assert out.raws == [event(1), event(2)]
    assert [(r.offset, r.size_bytes) for r in out.refused] == [(len(event(1)) + 1, 1)]


def test_a_list_that_is_cut_off_is_a_problem(frames: Frames, event: Event) -> None:
    out = frames(b"[\n" + event(1) + b",\n" + event(2) + b",\n")
    assert out.raws == [event(1), event(2)]
    assert [p.message for p in out.problems] == ["ends within a list: the rest was cut off"]


def test_problems_of_the_stream_come_with_the_records(frames: Frames, event: Event) -> None:
    problem = InputProblem("audit.log", "damaged")
    out = frames([event(1) + b"\n" + event(2)[:90], problem])
    assert out.raws == [event(1)]
    assert [r.reason for r in out.refused] == [Reason.TRUNCATED]
    assert out.problems == [problem]
    assert frames([problem]).problems == [problem]


@pytest.mark.parametrize("levels", [10_000, 1_000_000])
@pytest.mark.parametrize("size", [1 << 16, 1 << 20])
def test_deep_nesting_costs_its_record_alone(
    frames: Frames, event: Event, levels: int, size: int
) -> None:
    deep = [
        b"[" * levels + b"]" * levels,
        b'{"a":' * levels + b"1" + b"}" * levels,
        b'{"a":' + b"[" * levels + b"]" * levels + b"}",
    ]
    for pretty in (False, True):  # in lines, and after something that is no line
        lines = [event(1, 2 if pretty else None), *deep, event(2)]
        out = frames(b"\n".join(lines), size)
        assert out.raws == lines
        assert nothing_wrong(out)


def test_brackets_that_never_close_are_refused_as_truncated(frames: Frames) -> None:
    for levels in (10_000, 1_000_000):
        out = frames(b"[" * levels)
        assert [(r.reason, r.size_bytes) for r in out.refused] == [(Reason.TRUNCATED, levels)]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.text(), JSON, max_size=4).filter(
    lambda value: not isinstance(value.get("items"), list)
)


def written(values: list[dict[str, object]], how: str, indent: int | None) -> bytes:
    if how == "list":
        return json.dumps(values, indent=indent).encode()
    return how.join(json.dumps(value, indent=indent) for value in values).encode()


@settings(max_examples=300, deadline=None)
@given(
    st.lists(OBJECTS, min_size=1, max_size=6),
    st.sampled_from(["list", "\n", "\r\n", "", " ", ",\n", "\n\n"]),
    st.sampled_from([None, 0, 2]),
    st.lists(st.integers(1, 40), min_size=1, max_size=5),
)
def test_values_come_back_whatever_the_layout_and_the_chunks(
    frames: Frames,
    values: list[dict[str, object]],
    how: str,
    indent: int | None,
    sizes: list[int],
) -> None:
    stream = written(values, how, indent)

    def chunks() -> Iterator[bytes]:
        place = turn = 0
        while place < len(stream):
            yield stream[place : place + sizes[turn % len(sizes)]]
            place += sizes[turn % len(sizes)]
            turn += 1

    out = frames(chunks())
    found: list[object] = []
    for raw, offset in zip(out.raws, out.offsets, strict=True):
        assert stream[offset : offset + len(raw)] == raw
        value = json.loads(raw)
        found += value if isinstance(value, list) else [value]
    assert found == values
    assert nothing_wrong(out)


PIECES = [b"{", b"}", b"[", b"]", b'"', b",", b":", b"\n", b"\n  ", b"\\", b"\0", b"\xff", b"\r"]
PIECES += [b'{"a":1}', b'{"b":', b'"items":[', b"1", b"x", b"null", b" " * 5_000, b"y" * 3_000]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=60), st.integers(1, 30))
def test_no_byte_is_lost_and_chunks_do_not_matter(
    frames: Frames, parts: list[bytes], size: int
) -> None:
    stream = b"".join(parts)
    out = frames(stream)
    again = frames(stream, size)
    assert (out.raws, out.offsets, out.refused) == (again.raws, again.offsets, again.refused)
    spans = [(at, len(raw)) for at, raw in zip(out.offsets, out.raws, strict=True)]
    spans += [(r.offset, r.size_bytes) for r in out.refused]
    rest = bytearray(stream)
    for at, length in spans:
        rest[at : at + length] = b" " * length
    assert rest.translate(None, b' \t\r\n,]["items":{}') == b""
