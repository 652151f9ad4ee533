from __future__ import annotations

import time
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.sigma.errors import Place, RefusedError
from detectors.sigma.strict_yaml import Scalar
from detectors.sigma.temporal_expression import names_in, read_expression

NAMES = {name: number for number, name in enumerate("abcde")}


def read(text: str, names: str = "abcde") -> set[str]:
    found = read_expression(scalar(text), {name: NAMES[name] for name in names})
    return {"".join("abcde"[number] for number in sorted(one)) for one in found}


def scalar(text: str) -> Scalar:
    return Scalar(text, text, Place(1, 1))


@pytest.mark.parametrize(
    ("text", "sets"),
    [
        ("a", {"a"}),
        ("a and b", {"ab"}),
        ("a or b", {"a", "b"}),
        ("a or b and c", {"a", "bc"}),
        ("(a or b) and c", {"ac", "bc"}),
        ("a and (b or c) and (d or e)", {"abd", "abe", "acd", "ace"}),
        ("a or a and b", {"a"}),
        ("(a or b) and (a or c)", {"a", "bc"}),
        ("((a))AND(b)", {"ab"}),
        ("a and\n  b", {"ab"}),
    ],
)
def test_each_set_is_enough_and_none_is_needless(text: str, sets: set[str]) -> None:
    used = "".join(name for name in "abcde" if name in text.replace("and", "").replace("AND", ""))

    assert read(text, used) == sets


expressions = st.recursive(
    st.sampled_from("abcde"),
    lambda inner: st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(
        lambda three: f"({' '.join(three)})"
    ),
    max_leaves=8,
)


@settings(deadline=None)
@given(expressions)
def test_the_sets_mean_what_the_text_means(text: str) -> None:
    used = sorted({name for name in "abcde" if name in names_in(scalar(text))})
    numbers = {name: NAMES[name] for name in used}
    sets = read_expression(scalar(text), numbers)

    for size in range(len(used) + 1):
        for present in combinations(used, size):
            there = {name: name in present for name in "abcde"}
            meant = eval(text, {}, there)  # noqa: S307  # the same words mean the same in Python
            assert meant == any(one <= {NAMES[name] for name in present} for one in sets)
    assert not [one for one in sets if any(other < one for other in sets)]


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("a and not b", 7, "'not' is not supported: that something does not happen is a correl"),
        ("not a or b", 1, "correlation of type 'absence'"),
        ("a b", 3, "expected 'and', 'or' or the end, not 'b'"),
        ("a and", 6, "expected a rule, not the end"),
        ("", 1, "expected a rule, not the end"),
        ("and a", 1, "expected a rule, not 'and'"),
        ("(a or b", 8, "expected ')', not the end"),
        ("a or b)", 7, "expected 'and', 'or' or the end, not ')'"),
        ("a or ()", 7, "expected a rule, not ')'"),
        ("a or f and b", 6, "'f' is not among the rules"),
        ("a", 1, "rule 'b' is not used by it"),
        ("(" * 66 + "a", 66, "nested more than 64 levels deep"),
        ("a or " * 600 + "b", 1, "more than 1000 words"),
    ],
)
def test_a_wrong_condition_is_refused_at_its_place(text: str, column: int, words: str) -> None:
    with pytest.raises(RefusedError) as caught:
        read_expression(scalar(text), {"a": 0, "b": 1})

    assert caught.value.place == Place(1, column)
    assert caught.value.message.startswith("condition: ")
    assert words in caught.value.message


def test_64_ways_are_read_and_more_are_refused_at_once() -> None:
    names = {f"r{number}": number for number in range(32)}
    pairs = [f"(r{number} or r{number + 1})" for number in range(0, 32, 2)]

    found = read_expression(scalar(" and ".join(pairs[:6])), {f"r{n}": n for n in range(12)})
    started = time.process_time()
    with pytest.raises(RefusedError) as caught:
        read_expression(scalar(" and ".join(pairs)), names)

    assert len(found) == 64
    assert "more than 64 ways to be met: split the correlation" in caught.value.message
    assert time.process_time() - started < 1


def test_names_are_listed_as_they_come() -> None:
    assert names_in(scalar("(b-1 or a_2) and b-1 OR c.d")) == ("b-1", "a_2", "c.d")
