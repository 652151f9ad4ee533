from __future__ import annotations

import time

import pytest

from detectors.sigma.errors import Place, RefusedError
from detectors.sigma.strict_yaml import (
    MAX_BYTES,
    Mapping,
    Scalar,
    Sequence,
    parse,
    parse_all,
    plain,
)


def scalar(data: bytes, key: str) -> Scalar:
    node = parse(data)
    assert isinstance(node, Mapping)
    value = node.get(key)
    assert isinstance(value, Scalar)
    return value


def test_a_document_becomes_plain_values() -> None:
    data = b"a: [1, '1', true, 0x10, ~]\nb: {c: 'x y', d: |\n    text\n  }\n"

    with pytest.raises(RefusedError):
        parse(data)  # a block scalar inside a flow mapping is no YAML

    data = b"a: [1, '1', true, 0x10, ~]\nb:\n  c: 'x y'\n  d: |\n    text\n"
    assert plain(parse(data)) == {"a": [1, "1", True, 16, None], "b": {"c": "x y", "d": "text\n"}}


def test_every_value_keeps_its_place() -> None:
    node = parse(b"a:\n  - b\n  - {c: 'd'}\n")

    assert isinstance(node, Mapping)
    items = node.get("a")
    assert isinstance(items, Sequence)
    assert items.place == Place(2, 3)
    assert [item.place for item in items.items] == [Place(2, 5), Place(3, 5)]
    inner = items.items[1]
    assert isinstance(inner, Mapping)
    assert inner.entries["c"].key.place == Place(3, 6)
    assert inner.entries["c"].value.place == Place(3, 9)


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (b"a: bcd", Place(1, 5)),
        (b"a: 'bcd'", Place(1, 6)),
        (b'a: "bcd"', Place(1, 6)),
        (b"a: 'b''d'", Place(1, 4)),  # offsets do not line up behind an escape
        (b"a: |\n  bcd", Place(1, 4)),
        (b"a: b\n  cd", Place(1, 4)),
    ],
)
def test_a_character_of_a_value_has_a_place_where_it_stands_as_written(
    data: bytes, place: Place
) -> None:
    assert scalar(data, "a").at(1) == place


def test_columns_count_characters_not_bytes() -> None:
    assert scalar("{ä: 1, b: x}".encode(), "b").place == Place(1, 11)


@pytest.mark.parametrize(
    ("data", "line", "column", "words"),
    [
        (b"", 1, 1, "empty"),
        (b"# only a comment\n", 1, 1, "empty"),
        (b"a: &x 1\n", 1, 4, "anchor '&x'"),
        (b"a: 1\nb: *x\n", 2, 4, "alias '*x'"),
        (b"a: !!python/object:os.system {}\n", 1, 4, "python/object:os.system"),
        (b"!!python/object/apply:os.system [id]\n", 1, 1, "python/object/apply"),
        (b"a: !!binary aGk=\n", 1, 4, "binary"),
        (b"a: !!str 1\n", 1, 4, "tag"),
        (b"a: ! 1\n", 1, 4, "tag '!'"),
        (b"a: !x 1\n", 1, 4, "tag '!x'"),
        (b"a: 1\nb: 2\na: 3\n", 3, 1, "key 'a' is already on line 1"),
        (b"a: {b: 1, b: 2}\n", 1, 11, "key 'b' is already on line 1"),
        (b"a: yes\n", 1, 4, "bare 'yes'"),
        (b"a: [x, No]\n", 1, 8, "bare 'No'"),
        (b"a: OFF\n", 1, 4, "bare 'OFF'"),
        (b"on: 1\n", 1, 1, "bare 'on'"),
        (b"1: a\n", 1, 1, "a key must be a string, not '1'"),
        (b"~: a\n", 1, 1, "a key must be a string, not '~'"),
        (b"true: a\n", 1, 1, "a key must be a string, not 'true'"),
        (b"? [a]\n: b\n", 1, 3, "a list or a mapping"),
        (b"? {a: b}\n: b\n", 1, 3, "a list or a mapping"),
        (b"<<: {a: 1}\n", 1, 1, "merge key"),
        (b"a: 1\n---\nb: 2\n", 2, 1, "more than one document"),
        (b"a: [1\n", 2, 1, "not YAML"),
        (b"a:\n\tb: 1\n", 2, 1, "not YAML"),
        (b"a: 1\nb: \xff\n", 2, 4, "not UTF-8"),
        (b"\xff\xfea\x00", 1, 1, "not UTF-8"),
        (b"a: 1\nb: \x07\n", 2, 4, "control characters"),
    ],
)
def test_what_yaml_can_hide_is_refused_at_its_place(
    data: bytes, line: int, column: int, words: str
) -> None:
    with pytest.raises(RefusedError) as caught:
        parse(data)

    assert caught.value.place == Place(line, column)
    assert words in caught.value.message


def test_several_documents_are_read_where_they_may_be() -> None:
    assert [plain(node) for node in parse_all(b"a: 1\n---\n- b\n---\nc\n")] == [
        {"a": 1},
        ["b"],
        "c",
    ]
    assert [plain(node) for node in parse_all(b"---\na: 1\n...\n")] == [{"a": 1}]


@pytest.mark.parametrize(
    ("second", "line", "column", "words"),
    [
        (b"a: &x 1\n", 3, 4, "anchor '&x'"),
        (b"a: *x\n", 3, 4, "alias '*x'"),
        (b"a: !!str 1\n", 3, 4, "tag"),
        (b"a: 1\na: 2\n", 4, 1, "key 'a' is already on line 3"),
        (b"a: yes\n", 3, 4, "bare 'yes'"),
        (b"<<: {b: 1}\n", 3, 1, "merge key"),
        (b"1: a\n", 3, 1, "a key must be a string"),
        (b"a: [1\n", 4, 1, "not YAML"),
        (b"a: " + b"[" * 65 + b"]" * 65, 3, 67, "nested more than 64 levels"),
    ],
)
def test_what_is_refused_in_one_document_is_refused_in_each(
    second: bytes, line: int, column: int, words: str
) -> None:
    with pytest.raises(RefusedError) as caught:
        parse_all(b"a: 1\n---\n" + second)

    assert caught.value.place == Place(line, column)
    assert words in caught.value.message


@pytest.mark.parametrize("data", [b"", b"# nothing\n"])
def test_no_document_at_all_is_refused(data: bytes) -> None:
    with pytest.raises(RefusedError, match="the file is empty"):
        parse_all(data)


def test_quoted_words_are_not_refused() -> None:
    assert plain(parse(b"a: 'yes'\n'on': \"no\"\n'<<': 'x'\n'1': y\n")) == {
        "a": "yes",
        "on": "no",
        "<<": "x",
        "1": "y",
    }


def test_64_levels_are_read_and_the_65th_is_refused() -> None:
    assert parse(b"[" * 64 + b"]" * 64)

    with pytest.raises(RefusedError) as caught:
        parse(b"[" * 65 + b"]" * 65)

    assert caught.value.place == Place(1, 65)


LAUGHS = b"a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: [*c, *c]\n"


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 10_000,
        b"[" * 900_000,
        b"{" * 10_000,
        b"- " * 10_000,
        b"? " * 10_000,
        b"{a: " * 10_000,
        b"a: " + b"x" * 10_000_000,
        LAUGHS,
        b"a: &a\n  b: *a\n",
        b"a: 1\n" * 100_000,
        b"'" + b"a" * 900_000,
        b"a: !!python/object/new:os.system [" + b"x," * 100_000 + b"]",
        b"a: [" + b"!!x y," * 100_000 + b"]",
        b"\xf0\x9f" * 400_000,
    ],
    ids=lambda data: repr(data[:12]),
)
def test_hostile_yaml_is_refused_within_a_second(data: bytes) -> None:
    started = time.process_time()

    with pytest.raises(RefusedError):
        parse(data)

    assert time.process_time() - started < 1


def test_a_file_of_the_largest_size_is_read() -> None:
    line = b"- abcdefgh\n"
    data = line * (MAX_BYTES // len(line))

    assert len(parse(data).items) == MAX_BYTES // len(line)  # type: ignore[union-attr]  # a list
    with pytest.raises(RefusedError, match="larger than 1000000 bytes"):
        parse(data + b"#" * 100)


def test_a_message_quotes_only_the_beginning_of_a_long_value() -> None:
    with pytest.raises(RefusedError) as caught:
        parse(b"a: !" + b"x" * 10_000 + b" y")

    assert len(caught.value.message) < 120
