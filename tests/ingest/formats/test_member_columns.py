"""Members are laid into the columns of a table, as a reader reads each of them."""

from typing import Any

import pytest

from ingest.formats.member_columns import fill_texts, first_text
from ingest.formats.reader import Reader


@pytest.mark.parametrize(
    "value",
    ["abc", "abcdefgh", "", "<NA>", "null", 7, 2**70, 1.5, None, True, [1], {"a": 1}, "N/A"],
)
def test_a_member_is_what_a_reader_makes_of_it(value: Any) -> None:
    read, other = Reader(), Reader()
    fields: dict[str, Any] = {}
    fill_texts(read, {"a": value, "b": "x"}, {"a": "A", "c": "C"}, fields)
    expected = other.text({"a": value}, "a")
    assert fields == ({} if expected is None else {"A": expected})
    assert read.issues == other.issues


@pytest.mark.parametrize(
    ("document", "found"),
    [({"a": "1", "b": "2"}, "1"), ({"b": "2"}, "2"), ({"a": "", "b": "2"}, "2"), ({}, None)],
)
def test_the_first_member_that_says_something_counts(
    document: dict[str, str], found: str | None
) -> None:
    assert first_text(Reader(), document, ("a", "b")) == found
