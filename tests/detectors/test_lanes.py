from __future__ import annotations

import time

import polars as pl

from detectors.lanes import REGEXES_PER_LANE, Lanes, NamedTest


def named(name: str, test: pl.Expr, regexes: int = 0) -> NamedTest:
    return NamedTest(name, test.alias(name), regexes)


def test_every_test_comes_back_under_its_name() -> None:
    text = pl.col("text")
    tests = [
        named("plain", text == "a"),
        named("regex", text.str.contains("^a"), 1),
        named("two", text.str.contains("a") | text.str.contains("b$"), 2),
        named("null", text.is_null()),
    ]
    lanes = Lanes(tests)
    frame = pl.DataFrame({"text": ["a", "ab", None]})

    found = lanes.verdicts(frame, tests)

    assert {name: column.to_list() for name, column in found.items()} == {
        "plain": [True, False, None],
        "regex": [True, True, None],
        "two": [True, True, None],
        "null": [False, False, True],
    }
    assert list(lanes.verdicts(frame, tests[1:2])) == ["regex"]
    assert lanes.verdicts(frame, []) == {}


def test_a_test_with_more_expressions_than_a_lane_takes_one_for_itself() -> None:
    text = pl.col("text")
    tests = [
        named(str(number), text.str.contains("a"), regexes)
        for number, regexes in enumerate((1, REGEXES_PER_LANE + 5, 1))
    ]

    found = Lanes(tests).verdicts(pl.DataFrame({"text": ["a"]}), tests)

    assert [column.item() for column in found.values()] == [True, True, True]


def test_a_hundred_expressions_stay_compiled() -> None:
    # Compiling each takes about 0.5 ms; without lanes, every round takes as long as the first.
    pattern = r"(?i)\b(foo{}|ba[rz]+\d{{1,3}})\s+(\w+\s+){{1,4}}qux\b"
    tests = [
        named(str(number), pl.col("text").str.contains(pattern.format(number)), 1)
        for number in range(100)
    ]
    lanes = Lanes(tests)
    frame = pl.DataFrame({"text": ["x", "y abc"]})

    rounds = []
    for _ in range(4):
        started = time.process_time()
        lanes.verdicts(frame, tests)
        rounds.append(time.process_time() - started)

    assert min(rounds[1:]) < rounds[0] / 3
