"""Whatever happens to a record of any format costs that record alone, and is accounted for."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import polars as pl
import pytest

from ingest.formats.registry import DOCUMENTS
from ingest.normalize import Normalized, normalize
from ingest.record import Reason, Records
from ingest.schema import DTYPES
from tests.ingest.formats.test_goldens import CASES, SETTINGS, raw_of, received_of, said

WRONG: tuple[Any, ...] = (
    None,
    "",
    "<NA>",
    "null",
    "7",
    "-0.5",
    7,
    -1,
    0.5,
    2**53 + 1,
    2**63,
    2**64 + 1,
    True,
    [],
    {},
    [None, 1, {"a": []}],
    {"a": {"b": [1, None]}},
    '\u202e\u2066gnp.exe\x00\x1b[31m\n{"kind":"Event"}',
    "\ud800",
    "1970-13-45T99:99:99Z",
    "9999999999999999999999999",
)
DEEP = "[" * 900 + "]" * 900
CUTS = 24
MUCH = 1_000_000
CARRIERS = {"eks"}
"""Files whose envelopes carry records of several formats."""

LEVELS = 3


def places(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the places of all members down to a few levels, of lists the first element's."""
    if len(path) == LEVELS:
        return
    members: Any = ()
    if isinstance(value, dict):
        members = value.items()
    elif isinstance(value, list):
        members = list(enumerate(value))[:1]
    for key, member in members:
        yield (*path, key)
        yield from places(member, (*path, key))


def changed(document: Any, path: tuple[Any, ...], *values: Any) -> Any:
    """Return a copy with the member at a place replaced, or removed if there is no value."""
    copy = json.loads(json.dumps(document))
    holder = copy
    for key in path[:-1]:
        holder = holder[key]
    if values:
        holder[path[-1]] = values[0]
    else:
        del holder[path[-1]]
    return copy


def text_of(document: Any) -> bytes:
    return json.dumps(document).encode()


def of_json(raw: bytes) -> Iterator[bytes]:
    """Yield what may become of a JSON record: members gone, of another type, too many, too deep."""
    try:
        document = json.loads(raw)
    except ValueError:
        return
    for path in places(document):
        yield text_of(changed(document, path))
        for value in WRONG:
            yield text_of(changed(document, path, value))
        yield text_of(changed(document, path, "HERE")).replace(b'"HERE"', DEEP.encode())
    for path in list(places(document))[:8]:
        yield text_of(changed(document, path, "x" * MUCH))
    if isinstance(document, dict):
        yield text_of({**document, "extra": {"nested": [1, 2, {"deeper": None}]}, "": ""})
        yield text_of({**document, **{f"member{n}": n for n in range(500)}})


def of_text(raw: bytes) -> Iterator[bytes]:
    """Yield what may become of any record: cut, bytes that are no text, words doubled and gone."""
    for cut in range(1, CUTS):
        yield raw[: len(raw) * cut // CUTS]
        yield raw[len(raw) * cut // CUTS :]
    yield raw.replace(b"e", b"\xff\xfe")
    yield raw.replace(b" ", b"")
    yield raw.replace(b"=", b"")
    yield raw.replace(b":", b"")
    yield raw + raw
    yield raw.replace(b"\n", b"\n\n") + b"\n"
    words = raw.split(b" ")
    for gone in range(min(len(words), 12)):
        yield b" ".join(words[:gone] + words[gone + 1 :])
        yield b" ".join([*words[:gone], b"x" * 100_000, *words[gone + 1 :]])
        yield b" ".join([*words[:gone], "\u202e\x1b[2J\x00".encode(), *words[gone + 1 :]])


def is_empty_list(raw: bytes) -> bool:
    """Whether a record is an EventList of nothing: the one record that becomes nothing."""
    try:
        document = json.loads(raw)
    except ValueError:
        return False
    is_list = isinstance(document, dict) and document.get("kind") == "EventList"
    return is_list and not document.get("items")


def taken(raws: list[bytes], entry: dict[str, Any]) -> Normalized:
    received = received_of(entry) * len(raws)
    return normalize([Records("bad", raws, list(range(len(raws))), received=received)], SETTINGS)


@pytest.mark.parametrize("name", CASES)
def test_what_becomes_of_a_record_costs_it_alone(name: str) -> None:
    entry = CASES[name]
    good = raw_of(entry)
    bad = [raw for raw in (*of_json(good), *of_text(good)) if raw.strip()]
    found = taken([*bad, good], entry)
    assert found.events.schema == pl.Schema(DTYPES)
    assert Reason.DECODER_FAILED not in {one.reason for one in found.refused}
    accounted = {*found.events["log.offset"], *(one.offset for one in found.refused)}
    empty = {number for number, raw in enumerate(bad) if is_empty_list(raw)}
    assert accounted | empty == set(range(len(bad) + 1))
    alone = taken([good], entry).events
    last = found.events.filter(pl.col("log.offset") == len(bad))
    assert said(last) == said(alone)
    assert last["event.id"].to_list() == alone["event.id"].to_list()


def test_records_of_all_formats_in_one_chunk_are_each_what_they_are_alone() -> None:
    entries = [entry for entry in CASES.values() if "received" not in entry]
    raws = [raw_of(entry) for entry in entries]
    found = taken(raws, {})
    alone = [taken([raw], {}) for raw in raws]
    assert said(found.events) == [one for single in alone for one in said(single.events)]
    assert len(found.refused) == sum(len(single.refused) for single in alone)


def test_a_record_of_two_formats_is_the_same_whatever_came_before() -> None:
    """What a record is must not depend on how the log was cut."""
    documents = []
    for entry in CASES.values():
        try:
            document = json.loads(raw_of(entry))
        except ValueError:
            continue
        if isinstance(document, dict):
            documents.append(document)
    rng = random.Random(7)
    merged = [text_of({**rng.choice(documents), **rng.choice(documents)}) for _ in range(600)]
    together = taken(merged, {})
    alone = [taken([raw], {}) for raw in merged]
    assert said(together.events) == [one for single in alone for one in said(single.events)]
    assert [one.reason for one in together.refused] == [
        one.reason for single in alone for one in single.refused
    ]


def test_a_format_is_not_taken_for_another() -> None:
    """An ordinary record says the same dataset as all ordinary records of its file."""
    datasets: dict[str, set[str]] = {}
    for name, entry in CASES.items():
        if not entry["hostile"]:
            found = taken([raw_of(entry)], entry).events["event.dataset"]
            datasets.setdefault(name.partition(":")[0], set()).update(found)
    more_than_one = {file for file, found in datasets.items() if len(found) > 1}
    assert more_than_one == CARRIERS


def test_no_document_is_of_two_formats() -> None:
    for name, entry in CASES.items():
        try:
            document = json.loads(raw_of(entry))
        except ValueError:
            continue
        if isinstance(document, dict):
            assert sum(recognizes(document) for recognizes, _ in DOCUMENTS) <= 1, name
