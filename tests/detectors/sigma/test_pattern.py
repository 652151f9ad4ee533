from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.sigma.pattern import Part, Wild, parse, verbatim

ANY, ONE = Wild.ANY, Wild.ONE


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ()),
        ("abc", ("abc",)),
        ("a*b?c", ("a", ANY, "b", ONE, "c")),
        (r"a\*b", ("a*b",)),
        (r"a\?b", ("a?b",)),
        (r"a\b", (r"a\b",)),
        (r"a\\b", (r"a\b",)),
        (r"a\\*b", ("a\\", ANY, "b")),
        (r"a\\\*b", (r"a\*b",)),
        ("\\", ("\\",)),
        ("\\\\\\", ("\\\\",)),
        ("\\\\\\\\", ("\\\\",)),
        ("**", (ANY,)),
        ("*?", (ANY, ONE)),
        (r"C:\Windows\*.exe", (r"C:\Windows*.exe",)),
    ],
)
def test_escapes_follow_the_specification(text: str, parts: tuple[Part, ...]) -> None:
    assert parse(text).parts == parts


def test_only_a_pattern_without_wildcards_is_literal() -> None:
    assert parse("").literal == ""
    assert parse(r"\*").literal == "*"
    assert parse("*").literal is None
    assert parse("a?").literal is None


@given(st.text(max_size=20), st.text(max_size=20))
def test_a_literal_matches_itself_and_nothing_else(text: str, other: str) -> None:
    regex = verbatim(text).regex()

    found = pl.Series([text, other, text + "x", "x" + text]).str.contains(regex)

    assert found.to_list() == [True, text == other, False, False]


@pytest.mark.parametrize(
    ("text", "yes", "no"),
    [
        ("a*c", ["ac", "abc", "a\nc"], ["acd", "bac", "a"]),
        ("a?c", ["abc", "a\nc", "aäc"], ["ac", "abbc"]),
        ("*.*", [".", "a.b"], ["ab"]),
        ("(a|b)+", ["(a|b)+"], ["a", "ab"]),
        ("?", ["x", "ß"], ["", "xx"]),
    ],
)
def test_wildcards_match_the_whole_text(text: str, yes: list[str], no: list[str]) -> None:
    regex = parse(text).regex()

    assert pl.Series(yes).str.contains(regex).all()
    assert not pl.Series(no).str.contains(regex).any()
