"""The modifier ``expand``: placeholders stand for the values of a site's lists."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from detectors.sigma.detection import compile_detection
from detectors.sigma.errors import Problems
from detectors.sigma.expansion import MAX_VALUES
from detectors.sigma.strict_yaml import Mapping, parse
from detectors.sigma.tree import expression, leaves
from ingest.schema import DTYPES

if TYPE_CHECKING:
    from detectors.sigma.tree import Tree

LISTS: dict[str, tuple[str, ...]] = {
    "names": ("alice", "b?b", "sys*"),
    "others": ("eve", "mallory"),
    "empty": (),
    "networks": ("10.0.0.0/8", "fd00::/8"),
    "not_networks": ("10.0.0.0/8", "10.0.0.1/8"),
    "expressions": ("^a|b$", "c+"),
    "not_expressions": ("a", "(b"),
    "folders": ("C:\\",),
    "ports": ("22", "2*"),
    "crowd": tuple(f"fd00::{number:x}:0:0/96" for number in range(500)),
    "many": tuple(f"name-{number}" for number in range(200)),
}
NAME = "user.name"
IP = "source.ip"
IMAGES = "trailwarden.pod_spec.images"
PORT = "destination.port"


def compiled(key: str, values: str) -> tuple[Tree | None, Problems]:
    text = f"detection:\n  sel:\n    {key}: {values}\n  condition: sel\n"
    document = parse(text.encode())
    assert isinstance(document, Mapping)
    problems = Problems(Path("rule.yml"))
    return compile_detection(document, problems, LISTS), problems


def verdicts(key: str, values: str, column_values: list[Any]) -> list[bool]:
    tree, problems = compiled(key, values)
    assert tree, problems.errors
    column = key.partition("|")[0]
    events = pl.DataFrame({column: pl.Series(column_values, dtype=DTYPES[column])})
    found: list[bool] = events.select(expression(tree).alias("found"))["found"].to_list()
    return found


@pytest.mark.parametrize(
    ("key", "values", "column_values", "expected"),
    [
        # The values of a list are Sigma values: any case, with wildcards.
        (f"{NAME}|expand", "'%names%'", ["ALICE", "bob", "system", "x"], [True] * 3 + [False]),
        (f"{NAME}|cased|expand", "'%names%'", ["ALICE", "alice"], [False, True]),
        (f"{NAME}|expand", "'%names%.example'", ["alice.example", "alice"], [True, False]),
        (f"{NAME}|expand", "'%names%-%others%'", ["bob-eve", "bob-bob"], [True, False]),
        (f"{NAME}|expand", "['%others%', root]", ["eve", "root", "alice"], [True, True, False]),
        (f"{NAME}|expand|contains", "'%names%'", ["my alice", "al"], [True, False]),
        (f"{NAME}|contains|expand", "'%names%'", ["my alice", "al"], [True, False]),
        (f"{NAME}|expand|startswith", "'%others%'", ["evelyn", "steve"], [True, False]),
        (f"{NAME}|expand|endswith", "'%others%'", ["steve", "evelyn"], [True, False]),
        (f"{NAME}|expand|neq", "'%others%'", ["eve", "alice", None], [False, True, True]),
        (f"{NAME}|expand|contains|all", "'%others%'", ["eve+mallory", "eve"], [True, False]),
        (f"{IP}|expand|cidr", "'%networks%'", ["10.1.2.3", "fd00::1", "1.1.1.1"], [1, 1, 0]),
        (f"{IP}|cidr|expand", "['%networks%', 192.0.2.0/24]", ["192.0.2.1", "10.1.1.1"], [1, 1]),
        (f"{NAME}|re|expand", "'^x%expressions%'", ["xcc", "xb", "b", "cx"], [1, 1, 0, 0]),
        (f"{IMAGES}|expand", "'%others%'", [["a", "eve"], ["a"], [], None], [1, 0, 0, 0]),
        (f"{PORT}|expand", "'%ports%'", [22, 2049, 80, None], [1, 1, 0, 0]),
        # A percent sign that is meant; backslashes that would change what is beside them.
        (f"{NAME}|expand", r"['%others%', '5\%names%']", ["5%names%", "5alice"], [1, 0]),
        (f"{NAME}|expand", r"'a\\%others%'", ["a\\eve", "a%others%"], [1, 0]),
        (f"{NAME}|expand", "'%folders%*'", ["C:\\Temp", "C:*"], [1, 0]),
        (f"{NAME}|expand", "['%others%', '50% of 100%']", ["50% of 100%"], [1]),
    ],
)
def test_a_placeholder_stands_for_every_value_of_its_list(
    key: str, values: str, column_values: list[Any], expected: list[bool]
) -> None:
    assert verdicts(key, values, column_values) == [bool(one) for one in expected]


@pytest.mark.parametrize(
    ("key", "values", "column_values", "expected"),
    [
        (f"{NAME}|expand", "'%empty%'", ["", "a", "%empty%", None], [False] * 4),
        (f"{NAME}|expand", "'x%empty%'", ["x", "x%empty%"], [False] * 2),
        (f"{NAME}|expand|contains", "'%empty%'", ["", "a"], [False] * 2),
        (f"{NAME}|expand|re", "'%empty%'", ["", "a"], [False] * 2),
        (f"{IP}|expand|cidr", "'%empty%'", ["10.0.0.1"], [False]),
        (f"{PORT}|expand", "'%empty%'", [22, None], [False] * 2),
        (f"{IMAGES}|expand", "'%empty%'", [["a"], [], None], [False] * 3),
        (f"{NAME}|expand|neq", "'%empty%'", ["a", None], [True] * 2),
        (f"{NAME}|expand", "['%empty%', a]", ["a", "b"], [True, False]),
        # All of a list without values, and more, is not met by what meets the rest.
        (f"{NAME}|expand|contains|all", "['%empty%', a]", ["a", "b"], [False] * 2),
    ],
)
def test_an_empty_list_holds_for_nothing(
    key: str, values: str, column_values: list[Any], expected: list[bool]
) -> None:
    assert verdicts(key, values, column_values) == expected


@pytest.mark.parametrize(
    ("key", "values", "column", "message"),
    [
        (
            f"{NAME}|expand",
            "'%namez%'",
            23,
            "no list 'namez' in 'site.lists', did you mean 'names'",
        ),
        (f"{NAME}|expand", "alice", 5, "needs a placeholder"),
        (f"{NAME}|expand", r"'5\%names%'", 5, "needs a placeholder"),
        (f"{NAME}|expand", "7", 5, "needs a placeholder"),
        (
            f"{IP}|expand|cidr",
            "'%not_networks%'",
            28,
            "'10.0.0.1/8' of list 'not_networks': no net",
        ),
        (f"{NAME}|re|expand", "['%not_expressions%', a]", 27, "'(b' of list 'not_expressions': "),
        (f"{PORT}|expand", "'%names%'", 30, "'alice' of list 'names': can never match"),
        (
            f"{IP}|expand|cidr",
            "'%crowd%'",
            28,
            "with the values of list 'crowd': too many networks",
        ),
        (f"{NAME}|expand", "'%many%%many%'", 23, f"with its lists more than {MAX_VALUES} values"),
        (f"{NAME}|expand", "['%names%', null]", 5, "null goes with no modifier"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(
    key: str, values: str, column: int, message: str
) -> None:
    _, problems = compiled(key, values)

    (error,) = problems.errors
    assert (error.line, error.column) == (3, column)
    assert message in error.message


def test_a_value_that_was_written_is_not_blamed_on_a_list() -> None:
    _, problems = compiled(f"{IP}|expand|cidr", "['%networks%', nonsense]")

    (error,) = problems.errors
    assert "nonsense" in error.message
    assert "list" not in error.message


def test_tests_of_other_values_are_other_tests() -> None:
    """The engine evaluates equal keys once, whichever rule they are from."""
    keys = {
        leaf.key
        for values in ("'%names%'", "'%others%'", "['%empty%', alice]", "['%empty%', eve]")
        for name in (f"{NAME}|expand|contains|all", f"{NAME}|expand|contains")
        for tree in (compiled(name, values)[0],)
        if tree
        for leaf, _ in leaves(tree)
    }
    assert len(keys) == 8
