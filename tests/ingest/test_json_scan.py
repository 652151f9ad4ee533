from __future__ import annotations

import json
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.json_scan import Nesting, depth_of, members, value_end

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=25,
)
CONTAINERS = st.lists(JSON, max_size=4) | st.dictionaries(st.text(), JSON, max_size=4)


@given(JSON, st.booleans(), st.sampled_from([None, 0, 2]))
def test_a_value_ends_where_it_ends(value: object, ascii_only: bool, indent: int | None) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode(errors="surrogatepass")
    assert value_end(b"  " + text + b' ,"]}', 2) == 2 + len(text)


@given(CONTAINERS, st.lists(st.integers(1, 9), min_size=1))
def test_a_value_in_pieces_of_any_size_ends_where_it_ends(value: object, sizes: list[int]) -> None:
    text = json.dumps(value).encode()
    nesting, place = Nesting(), 0
    for turn in range(len(text)):
        piece = (text + b'"]}')[place : place + sizes[turn % len(sizes)]]
        if (end := nesting.feed(piece)) is not None:
            assert place + end == len(text)
            return
        place += len(piece)
    pytest.fail("the end was not found")


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b'{"a"', b'{"a":[1,2]', b'"abc', b'"abc\\"', b"12", b"tru", b'["]"', b'["\\'],
)
def test_an_incomplete_value_has_no_end(text: bytes) -> None:
    assert value_end(text, 0) is None


@pytest.mark.parametrize("levels", [10_000, 1_000_000])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}"), (b"[\n", b"]\n")])
def test_deep_nesting_takes_linear_time_and_no_recursion(
    levels: int, opening: bytes, closing: bytes
) -> None:
    text = opening * levels + b"1" + closing * levels
    begin = process_time()
    assert value_end(text, 0) == len(text.rstrip())
    assert depth_of(text) == levels
    assert process_time() - begin < 5e-6 * levels + 0.1


def test_many_escapes_take_linear_time() -> None:
    text = b'"' + b'\\"\\\\' * 1_000_000 + b'"'
    begin = process_time()
    assert value_end(text + b'"', 0) == len(text)
    assert process_time() - begin < 1


@given(st.dictionaries(st.text(), JSON, max_size=6), st.sampled_from([None, 1]))
def test_members_are_all_members_in_order(value: dict[str, object], indent: int | None) -> None:
    text = json.dumps(value, indent=indent).encode()
    found = [(m.key, text[m.start : m.end]) for m in members(text, 0)]
    assert [(json.loads(b'"' + key + b'"'), json.loads(part)) for key, part in found] == list(
        value.items()
    )


@given(st.dictionaries(st.text(), JSON, max_size=6), st.integers(0, 300))
def test_members_of_a_cut_object_are_the_complete_ones_and_the_cut_one(
    value: dict[str, object], cut: int
) -> None:
    text = json.dumps(value).encode()
    whole = list(members(text, 0))
    found = list(members(text[:cut], 0)) if cut else []
    assert [m.end for m in found[:-1]] == [m.end for m in whole[: max(0, len(found) - 1)]]
    for member in found[-1:]:
        assert member.end == whole[len(found) - 1].end or (member.end is None and cut < len(text))
