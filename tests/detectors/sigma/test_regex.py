from __future__ import annotations

import time

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.sigma.regex import fault, ignoring_case, joined

PARTS = (
    "a", "K", "s", "é", ".", r"\s", r"\S", r"\w", r"\W", r"\b", r"\d", r"\.", r"\[", r"\\",
    r"[\s\S]", r"[^\n]", r"[^|\n]", "[^a]", "[^A-Z]", "[k-z]", "[*-Z]", "[ -~]", "[^!-~]",
    "[^0-9]", "[0-9._-]", "[]x]",
    "[^]]", r"[\]|]", r"[^\W]", "[[:alpha:]]",
    "[^é]", "[Ⓐ]", "(?:[^k]|x)", "(?-i)[^K]", "(?s-i:[^k])", r"[\D]", r"[^\S]",
)  # fmt: skip
"""Escapes and classes with and without letters, some of them only inside a range."""

patterns = st.lists(
    st.tuples(st.sampled_from(PARTS), st.sampled_from(["", "", "*", "+?", "{2}"])),
    min_size=1,
    max_size=5,
).map(lambda parts: "^" + "".join(part + times for part, times in parts) + "$")
texts = st.text("aAkKsS éÉ|.\n09-_]\\[ⓐ\u212a\u017f", max_size=6)


@settings(max_examples=400, deadline=None)
@given(patterns, st.lists(texts, min_size=1, max_size=10))
def test_sparing_the_flag_i_changes_no_match(pattern: str, content: list[str]) -> None:
    if fault(pattern) is not None:  # \b* is no expression
        return
    column = pl.Series(content)

    found = column.str.contains(ignoring_case(pattern))

    assert found.to_list() == column.str.contains(f"(?i){pattern}").to_list()


@pytest.mark.parametrize("pattern", ["(a", "[a", "a\\", "[]", "[^]"])
def test_what_is_no_expression_stays_none(pattern: str) -> None:
    assert fault(ignoring_case(pattern)) == fault(f"(?i){pattern}") is not None


def test_large_classes_are_not_folded() -> None:
    assert ignoring_case(r"x[^\n]*\S[a-z]") == r"(?i)x(?-i:[^\n])*(?-i:\S)[a-z]"
    assert ignoring_case("[]|]a") == "(?i)(?-i:[]|])a"
    assert ignoring_case("[Ⓐ]") == "(?i)[Ⓐ]"  # no letter to str.isalpha, but it has a case


def test_brackets_in_a_comment_are_left_alone() -> None:
    pattern = "(?x) a # [ \n [^|] "

    assert pl.Series(["A.", "a|"]).str.contains(ignoring_case(pattern)).to_list() == [True, False]


def test_expressions_are_joined_into_one_that_is_found_where_one_of_them_is() -> None:
    (one,) = joined(["^a", "b$", "(?i)C"])

    found = pl.Series(["ax", "xb", "xcx", "xax"]).str.contains(one)

    assert found.to_list() == [True, True, True, False]


def test_expressions_that_cannot_be_joined_stay_apart() -> None:
    apart = ["(?x)a # comment", "b"]

    assert joined(apart) == apart


def test_a_fault_is_found_once_and_in_short() -> None:
    assert fault("(a") == "unclosed group"
    assert fault("a" * 300_000) == "more than 200000 characters"
    started = time.process_time()
    for _ in range(100):
        assert fault(r"(\w{100}){100}") == "Compiled regex exceeds size limit of 10485760 bytes."
    assert time.process_time() - started < 1
