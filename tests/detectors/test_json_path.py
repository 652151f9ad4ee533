from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from detectors.json_path import PathError, parse_path, remove_at, set_at

if TYPE_CHECKING:
    from detectors.json_path import Json


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("a", ("a",)),
        ("a.b-c.d_e", ("a", "b-c", "d_e")),
        ("a[0].b", ("a", 0, "b")),
        ("a[0][12]", ("a", 0, 12)),
        ("annotations['k8s.io/x.y']", ("annotations", "k8s.io/x.y")),
        ("['a.b'].c", ("a.b", "c")),
        ("a['x[0]']", ("a", "x[0]")),
        ("a.0", ("a", "0")),
    ],
)  # fmt: skip
def test_a_path_is_names_and_indices(text: str, steps: tuple[str | int, ...]) -> None:
    assert parse_path(text) == steps


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("", 0),
        (".a", 0),
        ("a.", 2),
        ("a..b", 2),
        ("a[", 1),
        ("a[]", 1),
        ("a[-1]", 1),
        ("a[x]", 1),
        ("a['']", 1),
        ("a['b", 1),
        ("a[*]", 1),
        ("a[0]b", 4),
        ("a]b", 1),
        ("a'b", 1),
        ("a[٣]", 1),
    ],
)
def test_a_path_that_is_not_well_formed_is_refused_where_it_breaks(text: str, offset: int) -> None:
    with pytest.raises(PathError) as caught:
        parse_path(text)

    assert caught.value.offset == offset


@pytest.mark.parametrize(
    ("before", "path", "value", "after"),
    [
        ({}, "a", 1, {"a": 1}),
        ({"a": 1}, "a", None, {"a": None}),
        ({}, "a.b[0].c", 1, {"a": {"b": [{"c": 1}]}}),
        ({"a": None}, "a.b", 1, {"a": {"b": 1}}),
        ({"a": [1, 2]}, "a[1]", 3, {"a": [1, 3]}),
        ({"a": [1, 2]}, "a[2]", 3, {"a": [1, 2, 3]}),
        ({"a": []}, "a[0].b", 3, {"a": [{"b": 3}]}),
        ({}, "['x.y/z']", [1], {"x.y/z": [1]}),
    ],
)
def test_setting_makes_missing_parents(before: Json, path: str, value: Json, after: Json) -> None:
    set_at(before, parse_path(path), value)

    assert before == after


@pytest.mark.parametrize(
    ("before", "path", "words"),
    [
        ({"a": [1]}, "a[2]", "no 2 in a list of 1"),
        ({}, "a[1]", "no 1 in a list of 0"),
        ({"a": [1]}, "a.b", "no 'b' in a list of 1"),
        ({"a": {}}, "a[0]", "no 0 in an object"),
        ({"a": "x"}, "a.b", "no 'b' in a value"),
        ({"a": "x"}, "a.b.c", "no 'b' in a value"),
        ({"a": [1]}, "a[3].b", "no 3 in a list of 1"),
    ],
)
def test_setting_below_a_parent_of_another_kind_is_refused(
    before: Json, path: str, words: str
) -> None:
    with pytest.raises(PathError) as caught:
        set_at(before, parse_path(path), 1)

    assert words in caught.value.message


def test_removing_takes_what_is_there() -> None:
    document: Json = {"a": {"b": 1, "c": None}, "d": [1, 2]}

    for path in ("a.b", "a.c", "d[0]"):
        remove_at(document, parse_path(path))

    assert document == {"a": {}, "d": [2]}


@pytest.mark.parametrize("path", ["x", "a.x", "x.y", "d[2]", "d.x", "a.b.c"])
def test_removing_what_is_not_there_is_refused(path: str) -> None:
    with pytest.raises(PathError, match="there is no"):
        remove_at({"a": {"b": 1}, "d": [1, 2]}, parse_path(path))
