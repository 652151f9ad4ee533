from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

from detectors.sigma.condition import Parser
from detectors.sigma.errors import Place, RefusedError
from detectors.sigma.strict_yaml import Scalar
from detectors.sigma.tree import And, Leaf, Not, Or, Tree

if TYPE_CHECKING:
    from collections.abc import Callable

    Refused = Callable[[str], list[tuple[int, int, str]]]

NAMES = ("a", "b", "c", "sel_1", "sel_2", "sel-x", "_hidden", "1", "all")


def leaf(name: str) -> Leaf:
    return Leaf(name, name, frozenset(), pl.lit(value=True), pl.lit(value=None))


SELECTIONS: dict[str, Tree] = {name: leaf(name) for name in NAMES}


def shape(tree: Tree) -> object:
    """A leaf as its name, a joint as a tuple: easy to compare."""
    if isinstance(tree, Leaf):
        return tree.column
    if isinstance(tree, Not):
        return ("not", shape(tree.part))
    name = "and" if isinstance(tree, And) else "or"
    assert isinstance(tree, And | Or)
    return (name, *(shape(part) for part in tree.parts))


def parsed(condition: str) -> object:
    return shape(Parser(Scalar(condition, condition, Place(1, 1)), SELECTIONS).parse())


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("a", "a"),
        ("  a  ", "a"),
        ("a and b", ("and", "a", "b")),
        ("a or b or c", ("or", "a", "b", "c")),
        ("a or b and c", ("or", "a", ("and", "b", "c"))),
        ("a and b or c", ("or", ("and", "a", "b"), "c")),
        ("not a and b", ("and", ("not", "a"), "b")),
        ("not (a and b)", ("not", ("and", "a", "b"))),
        ("not not a", ("not", ("not", "a"))),
        ("a and not b or not c", ("or", ("and", "a", ("not", "b")), ("not", "c"))),
        ("(a or b) and c", ("and", ("or", "a", "b"), "c")),
        ("((a))", "a"),
        ("(a)and(b)", ("and", "a", "b")),
        ("a AND NOT b Or c", ("or", ("and", "a", ("not", "b")), "c")),
        ("1 of sel_*", ("or", "sel_1", "sel_2")),
        ("any of sel_*", ("or", "sel_1", "sel_2")),
        ("all of sel*", ("and", "sel_1", "sel_2", "sel-x")),
        ("1 of *_1", ("or", "sel_1")),
        ("1 of sel_1", ("or", "sel_1")),
        ("not 1 of sel_* and a", ("and", ("not", ("or", "sel_1", "sel_2")), "a")),
        ("all of them", ("and", *(name for name in NAMES if name != "_hidden"))),
        ("1 of *", ("or", *(name for name in NAMES if name != "_hidden"))),
        ("_hidden", "_hidden"),
        ("sel-x and 1", ("and", "sel-x", "1")),
        ("all", "all"),
        ("a\nand\nb", ("and", "a", "b")),
    ],
)
def test_conditions_bind_as_specified(condition: str, expected: object) -> None:
    assert parsed(condition) == expected


@pytest.mark.parametrize(
    ("condition", "column", "words"),
    [
        ("", 1, "expected a selection, not the end"),
        ("a and", 6, "expected a selection, not the end"),
        ("a b", 3, "expected 'and', 'or' or the end, not 'b'"),
        ("and a", 1, "expected a selection, not 'and'"),
        ("a and or b", 7, "expected a selection, not 'or'"),
        ("(a", 3, "expected ')', not the end"),
        ("(a b", 4, "expected ')', not 'b'"),
        ("a)", 2, "not ')'"),
        ("()", 2, "expected a selection, not ')'"),
        ("a and sel_3", 7, "unknown selection 'sel_3', did you mean 'sel_"),
        ("a and zzz", 7, "unknown selection 'zzz'"),
        ("sel_*", 1, "unknown selection 'sel_*'"),
        ("1 of x*", 6, "no selection is called like 'x*'"),
        ("1 of _*", 6, "no selection is called like '_*'"),
        ("2 of sel_*", 1, "expected '1 of', 'any of' or 'all of', not '2'"),
        ("1 of", 5, "expected 'them' or a pattern of names, not the end"),
        ("1 of (a)", 6, "expected 'them' or a pattern of names, not '('"),
        ("a | count() > 5", 3, "aggregations after '|' are not supported"),
        ("a & b", 3, "unexpected '&'"),
        ("a and [b]", 7, "unexpected '['"),
        ("(" * 65 + "a" + ")" * 65, 66, "nested more than 64 levels deep"),
        ("not " * 65 + "a", 261, "nested more than 64 levels deep"),
        ("(" * 100_000, 1, "more than 1000 words"),
        ("a or " * 600 + "a", 1, "more than 1000 words"),
    ],
)
def test_a_condition_that_does_not_parse_is_refused_at_the_word(
    condition: str, column: int, words: str
) -> None:
    with pytest.raises(RefusedError) as caught:
        parsed(condition)

    assert caught.value.place == Place(1, column)
    assert words in caught.value.message


def test_64_levels_are_parsed() -> None:
    assert parsed("(" * 64 + "a" + ")" * 64) == "a"


A = "  a: {user.name: x}\n"
B = "  b: {user.name: y}\n"


@pytest.mark.parametrize(
    ("detection", "place", "words"),
    [
        (A, (5, 3), "needs a 'condition'"),
        (A + "  condition: [a, b]\n", (6, 18), "unknown selection 'b'"),
        (A + "  condition: a or\n", (6, 18), "not the end"),
        (A + "  condition: 'a or zz'\n", (6, 20), "unknown selection 'zz'"),
        (A + "  condition: []\n", (6, 14), "list of conditions is empty"),
        (A + "  condition: 1\n", (6, 14), "a condition must be text"),
        (A + "  condition: {a: b}\n", (6, 14), "a condition must be text"),
        (A + B + "  condition: a\n", (6, 3), "selection 'b' is not used"),
        (A + "  condition: a and not a\n", (6, 14), "the condition contradicts itself"),
        (A + B + "  condition: (a or b) and not 1 of them\n", (7, 14), "contradicts itself"),
        ("  a: {}\n  condition: a\n", (5, 6), "the selection is empty"),
        ("  a: []\n  condition: a\n", (5, 6), "the selection is empty"),
        ("  a: [{}]\n  condition: a\n", (5, 7), "the selection is empty"),
        ("  a:\n  condition: a\n", (5, 5), "keywords without a field"),
        ("  a: word\n  condition: a\n", (5, 6), "keywords without a field"),
        ("  a: [word, {user.name: x}]\n  condition: a\n", (5, 7), "keywords without a field"),
        ("  a: [[{user.name: x}]]\n  condition: a\n", (5, 7), "expected a mapping of fields"),
        (A + "  timeframe: 5m\n  condition: a\n", (6, 3), "belongs to correlations"),
    ],
)
def test_a_detection_that_cannot_work_is_refused_at_its_place(
    refused: Refused, detection: str, place: tuple[int, int], words: str
) -> None:
    ((line, column, message),) = refused(detection)

    assert (line, column) == place
    assert words in message


def test_a_condition_of_too_many_tests_is_refused_quickly(refused: Refused) -> None:
    fields = "".join(f"    - user.name: x{number}\n" for number in range(100))

    ((_, _, message),) = refused(f"  a:\n{fields}  condition: {' or '.join(['a'] * 400)}\n")

    assert message == "the condition has more than 1000 tests"
