from __future__ import annotations

from time import process_time

import pytest

from ingest.formats.logfmt import MAX_PAIRS, pairs


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", {}),
        ("no pair", {}),
        ("a=b", {"a": "b"}),
        ("a= b=c", {"a": "", "b": "c"}),
        ('a="b c" d=e', {"a": "b c", "d": "e"}),
        ('a="b=c \\"d=e\\"" f=g', {"a": 'b=c "d=e"', "f": "g"}),
        ('a="b\\\\" c=d', {"a": "b\\", "c": "d"}),
        ('a="b\\\\\\" c=d" e=f', {"a": 'b\\" c=d', "e": "f"}),
        ('a="never ends b=c', {"a": "never ends b=c"}),
        ('a="\\n\\t\\x1b\\u202e\\U0001f680"', {"a": "\n\t\x1b\u202e\U0001f680"}),
        ('a="\\\\n\\\\\\\\x41"', {"a": "\\n\\\\x41"}),
        ('a="\\xzz\\u12\\ud800\\U99999999"', {"a": "\\xzz\\u12\\ud800\\U99999999"}),
        ('a="\\u+123 \\x_1"', {"a": "\\u+123 \\x_1"}),
        ("a=first a=second", {"a": "first"}),
        ("words before a=b", {"a": "b"}),
        ("=x", {"": "x"}),
        ("a==b", {"a": "=b"}),
    ],
)
def test_pairs_of_a_line(line: str, expected: dict[str, str]) -> None:
    assert pairs(line) == expected


def test_a_bounded_number_of_pairs_is_looked_at() -> None:
    line = " ".join(f"k{number}=v" for number in range(10_000))
    assert len(pairs(line)) == MAX_PAIRS


@pytest.mark.parametrize(
    "line",
    ['a="' + '\\"' * 500_000, 'a="' + "\\" * 1_000_001 + '"', 'a="' + "\\x" * 500_000 + '"'],
)
def test_a_megabyte_of_escapes_takes_linear_time(line: str) -> None:
    begin = process_time()
    pairs(line)
    assert process_time() - begin < 3
