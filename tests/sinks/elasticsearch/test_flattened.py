"""What a flattened field would refuse is altered, and nothing else is."""

from __future__ import annotations

import orjson
import pytest

from sinks.elasticsearch.flattened import DEPTH_MAX, KEY_MAX, parsed_object


@pytest.mark.parametrize(
    "value",
    [
        {"a": 1, "b.c": [True, None, {"d": "x"}]},
        [{"op": "add", "path": "/a"}],
        {"": 1, ".": 2, "a.": {"..": 3}},
        {},
        [],
        {f"k{i}": {"a": [i]} for i in range(1_000)},
        {"a": "\x00", "b": "v" * 100_000},
    ],
)
def test_what_is_taken_stays_as_it_is(value: object) -> None:
    assert parsed_object(orjson.dumps(value).decode()) == value


@pytest.mark.parametrize("value", ["x", 1, None, True, [1], [{"a": 1}, 2], [[{"a": 1}]]])
def test_what_is_no_object_is_put_into_one(value: object) -> None:
    assert parsed_object(orjson.dumps(value).decode()) == {"value": value}


@pytest.mark.parametrize("text", ["", "{", '{"a":"\\ud800"}', "nan"])
def test_what_is_no_json_stays_text(text: str) -> None:
    assert parsed_object(text) == {"text": text}


def test_repeated_keys_become_one() -> None:
    assert parsed_object('{"a":1,"a":2}') == {"a": 2}


def test_two_keys_that_must_be_altered_never_become_one() -> None:
    keys = ["a\x00", "a\ufffd", "k" * 1_000, "k" * 1_001, "k" * KEY_MAX]
    found = parsed_object(orjson.dumps(dict.fromkeys(keys, 1)).decode())
    assert len(found) == len(keys)
    assert {"a\ufffd", "k" * KEY_MAX} <= set(found)
    assert all(len(key) <= KEY_MAX and "\x00" not in key for key in found)


@pytest.mark.parametrize(("head", "tail"), [('{"k":', "}"), ("[", "]"), ('[{"k":', "}]")])
def test_what_is_too_deep_is_cut(head: str, tail: str) -> None:
    found = orjson.dumps(parsed_object('{"k":' + head * 200 + "1" + tail * 200 + "}"))
    depth = found.count(b"{") + found.count(b"[") - found.count(b"[cut")
    assert DEPTH_MAX - 1 <= depth <= DEPTH_MAX
    assert b"[cut at depth 20]" in found


def test_what_is_nested_beyond_the_parser_stays_text() -> None:
    text = "[" * 5_000 + "]" * 5_000
    assert parsed_object(text) == {"text": text}
