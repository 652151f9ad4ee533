"""Conditions as a whole: null logic, which values are found, and a second opinion row by row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detectors.sigma.tree import And, Leaf
from ingest.schema import DTYPES

if TYPE_CHECKING:
    from collections.abc import Callable

    from detectors.sigma.rule import Rule

    Load = Callable[[str], Rule]
    Events = Callable[[list[dict[str, Any]]], pl.DataFrame]
    Row = dict[str, Any]

DATASET, NAME, CODE = "event.dataset", "user.name", "http.response.status_code"
IMAGES, PRIVILEGED = "trailwarden.pod_spec.images", "trailwarden.pod_spec.privileged"


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("a", [True, False, False]),
        ("not a", [False, True, True]),
        ("not not a", [True, False, False]),
        ("a or not a", [True, True, True]),
        ("not (a and b)", [False, True, True]),
        ("not (a or b)", [False, True, True]),
        ("not a and not b", [False, True, True]),
    ],
)
def test_a_test_of_nothing_is_false_and_its_negation_true(
    load: Load, events: Events, condition: str, expected: list[bool]
) -> None:
    rule = load(
        "  a: {user.name: x}\n  b: {user.effective.name: x}\n  _never: {user.id: impossible}\n"
        f"  condition: ({condition}) or (_never and b and a)\n"
    )
    frame = events([{NAME: "x", "user.effective.name": "x"}, {NAME: "y"}, {}])

    verdict = frame.select(rule.condition).to_series()

    assert verdict.to_list() == expected
    assert verdict.null_count() == 0


def test_selections_are_and_lists_of_maps_or_and_several_conditions_or(
    load: Load, events: Events
) -> None:
    rows = [{NAME: name, CODE: code} for name in "xyz" for code in (1, 2)]
    both = load("  a: {user.name: x, responseStatus.code: 1}\n  condition: a\n")
    either = load(
        "  a:\n    - {user.name: x, responseStatus.code: 1}\n    - user.name: z\n  condition: a\n"
    )
    lists = load("  a: {user.name: x}\n  b: {user.name: z}\n  condition: [a, b]\n")

    frame = events(rows)

    assert frame.select(both.condition).to_series().arg_true().to_list() == [0]
    assert frame.select(either.condition).to_series().arg_true().to_list() == [0, 4, 5]
    assert frame.select(lists.condition).to_series().arg_true().to_list() == [0, 1, 4, 5]


FOUND = """\
  images: {trailwarden.pod_spec.images|contains: [A, b]}
  ports: {trailwarden.pod_spec.host_ports|lt: 1024}
  flag: {trailwarden.pod_spec.privileged: true}
  exists: {trailwarden.pod_spec.capabilities|exists: true}
  none: {trailwarden.pod_spec.env_names: null}
  filter: {trailwarden.pod_spec.service_account: default}
  node: {trailwarden.pod_spec.node_name: n1}
  condition: 1 of them and not filter or none
"""


def test_found_values_are_the_elements_that_satisfied_each_positive_test(
    load: Load, events: Events
) -> None:
    rule = load(FOUND)
    prefix = "trailwarden.pod_spec."
    full = {
        "images": ["xA", "c", "b", None],
        "host_ports": [22, 8080],
        "privileged": True,
        "capabilities": ["SYS_ADMIN"],
        "service_account": "default",
        "node_name": "N1",
        "env_names": ["E"],
    }

    frame = events([{prefix + name: value for name, value in full.items()}, {}])

    found = [
        (match.column.removeprefix(prefix), *frame.select(match.values).to_series().to_list())
        for match in rule.matched
    ]
    assert found == [
        ("images", ["xA", "b"], []),
        ("host_ports", ["22"], []),
        ("privileged", ["true"], []),
        ("capabilities", ["SYS_ADMIN"], []),
        ("env_names", [], []),
        ("service_account", ["default"], []),
        ("node_name", ["N1"], []),
    ]


def test_tests_under_a_not_find_nothing(load: Load) -> None:
    rule = load("""\
  a: {user.name: x}
  b: {user.id|neq: y}
  c: {verb: z}
  condition: a and b and not c
""")

    assert [match.column for match in rule.matched] == [NAME]
    assert rule.columns == {DATASET, NAME, "user.id", "kubernetes.audit.verb"}


def test_tests_under_two_nots_find_their_values(load: Load) -> None:
    rule = load("  a: {user.name: x}\n  b: {verb: z}\n  condition: not (not a or b)\n")

    assert [match.column for match in rule.matched] == [NAME]


def test_found_values_of_all_and_of_fieldref(load: Load, events: Events) -> None:
    every = load("  a: {user.groups|contains|all: [a, b]}\n  condition: a\n")
    shared = load("  a: {user.groups|fieldref: impersonatedUser.groups}\n  condition: a\n")
    scalar = load("  a: {user.name|fieldref: user.effective.name}\n  condition: a\n")
    groups, acted_as = "kubernetes.audit.user.groups", "kubernetes.audit.impersonatedUser.groups"
    frame = events(
        [
            {
                groups: ["xa", "yb", "z"],
                acted_as: ["z", "q"],
                NAME: "N",
                "user.effective.name": "n",
            },
            {groups: ["xa"], acted_as: [], NAME: "N"},
        ]
    )

    found = [frame.select(rule.matched[0].values).to_series() for rule in (every, shared, scalar)]

    assert [series.to_list() for series in found] == [
        [["xa", "yb"], []],
        [["z"], []],
        [["N"], []],
    ]


def test_found_values_have_one_list_per_row_whatever_the_test(load: Load, events: Events) -> None:
    rule = load(FOUND)
    for height in (0, 1, 3):
        frame = events([{} for _ in range(height)])
        for match in rule.matched:
            series = frame.select(match.values).to_series()
            assert series.len() == height
            assert series.dtype == pl.List(pl.String)


@pytest.mark.parametrize(
    ("test", "regexes"),
    [
        ("user.name: x", 0),
        ("user.name: ['x*', '*y', '*z*']", 0),
        ("user.name: ['x*y', 'y?z', z]", 1),
        ("user.name|re: [x, y]", 1),
        ("user.name|re: ['(?x)x # y', y]", 2),
        ("user.name|re|all: [x, y]", 2),
        ("user.groups|re: x", 1),
        ("source.ip|cidr: [10.0.0.0/8, '::/0']", 1),
        ("http.response.status_code: '4?4'", 1),
    ],
)
def test_a_leaf_knows_how_many_expressions_are_compiled_for_it(
    load: Load, test: str, regexes: int
) -> None:
    tree = load(f"  a:\n    {test}\n  condition: a\n").tree

    assert isinstance(tree, And)
    _of_source, leaf = tree.parts
    assert isinstance(leaf, Leaf)
    assert leaf.regexes == regexes


# A second opinion: random selections and conditions, decided one row at a time in plain Python.


@dataclass(frozen=True)
class Said:
    """A piece of a rule as it is written, and what it means for one row."""

    text: str
    holds: Callable[[Row], bool]


def glob(pattern: str, text: str) -> bool:
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(glob(pattern[1:], text[start:]) for start in range(len(text) + 1))
    return bool(text) and pattern[0] in {"?", text[0]} and glob(pattern[1:], text[1:])


def text_item(column: str, modifier: str, values: list[str], neq: bool) -> Said:
    shape = {"": "{}", "contains": "*{}*", "startswith": "{}*", "endswith": "*{}"}

    def one(value: str, row: Row) -> bool:
        content = row[column] if isinstance(row[column], list) else [row[column]]
        pattern = shape[modifier].format(value.lower())
        return any(text is not None and glob(pattern, text.lower()) for text in content or [])

    every = modifier == "contains" and len(values) > 2
    key = "|".join(part for part in (column, modifier, "all" * every, "neq" * neq) if part)
    quoted = ", ".join(f"'{value}'" for value in values)
    combine = all if every else any
    return Said(f"{key}: [{quoted}]", lambda row: combine(one(v, row) for v in values) is not neq)


def number_item(operator: str, bound: int) -> Said:
    def holds(row: Row) -> bool:
        code: int | None = row[CODE]
        outcomes = {
            "": code == bound,
            "|lt": code is not None and code < bound,
            "|gte": code is not None and code >= bound,
            "|neq": code != bound,
        }
        return outcomes[operator]

    return Said(f"{CODE}{operator}: {bound}", holds)


letters = st.text("aB*?", min_size=1, max_size=3)
items = st.one_of(
    st.builds(
        text_item,
        st.sampled_from([NAME, IMAGES]),
        st.sampled_from(["", "contains", "startswith", "endswith"]),
        st.lists(letters, min_size=1, max_size=3, unique_by=str.lower),
        st.booleans(),
    ),
    st.builds(number_item, st.sampled_from(["", "|lt", "|gte", "|neq"]), st.integers(0, 3)),
    st.sampled_from(
        [
            Said(f"{NAME}: null", lambda row: row[NAME] is None),
            Said(f"{NAME}|exists: true", lambda row: row[NAME] is not None),
            Said(f"{IMAGES}: null", lambda row: not row[IMAGES]),
            Said(f"{PRIVILEGED}: true", lambda row: row[PRIVILEGED] is True),
            Said(f"{PRIVILEGED}|neq: false", lambda row: row[PRIVILEGED] is not False),
        ]
    ),
)
SELECTIONS = ("s1", "s2", "t")


def conditions(selections: dict[str, Said]) -> st.SearchStrategy[Said]:
    def named(name: str) -> Said:
        return Said(name, selections[name].holds)

    def one_of(row: Row) -> bool:
        return selections["s1"].holds(row) or selections["s2"].holds(row)

    def all_of(row: Row) -> bool:
        return all(selection.holds(row) for selection in selections.values())

    leaves = st.one_of(
        st.sampled_from(SELECTIONS).map(named),
        st.just(Said("1 of s*", one_of)),
        st.just(Said("all of them", all_of)),
    )
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.builds(lambda a: Said(f"not ({a.text})", lambda row: not a.holds(row)), inner),
            st.builds(
                lambda a, b: Said(
                    f"({a.text}) and ({b.text})", lambda row: a.holds(row) and b.holds(row)
                ),
                inner,
                inner,
            ),
            st.builds(
                lambda a, b: Said(
                    f"({a.text}) or ({b.text})", lambda row: a.holds(row) or b.holds(row)
                ),
                inner,
                inner,
            ),
        ),
        max_leaves=5,
    )


def selection(name: str, fields: list[Said]) -> Said:
    text = ", ".join(f"'{field.text.replace(': ', chr(39) + ': ', 1)}" for field in fields)
    return Said(f"  {name}: {{{text}}}\n", lambda row: all(field.holds(row) for field in fields))


def key_of(field: Said) -> str:
    return field.text.split(":")[0]


@st.composite
def detections(draw: st.DrawFn) -> Said:
    several = st.lists(items, min_size=1, max_size=2, unique_by=key_of)
    selections = {name: selection(name, draw(several)) for name in SELECTIONS}
    condition = draw(conditions(selections))
    one, other, last = selections.values()

    def holds(row: Row) -> bool:
        named = last.holds(row) and (one.holds(row) or other.holds(row))
        return condition.holds(row) or named

    text = "".join(each.text for each in selections.values())
    # Every selection must be named, and the whole must not contradict itself.
    return Said(f"{text}  condition: ({condition.text}) or (t and 1 of s*)\n", holds)


words = st.text("abB", max_size=3)
rows = st.fixed_dictionaries(
    {
        DATASET: st.just("kubernetes.audit"),
        NAME: st.none() | words,
        CODE: st.none() | st.integers(0, 3),
        IMAGES: st.none() | st.lists(words, max_size=3),
        PRIVILEGED: st.none() | st.booleans(),
    }
)


@settings(
    max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(detections(), st.lists(rows, min_size=1, max_size=12))
def test_conditions_agree_with_a_row_by_row_evaluation(
    load: Load, said: Said, content: list[Row]
) -> None:
    rule = load(said.text)
    frame = pl.DataFrame(content, schema={name: DTYPES[name] for name in content[0]})

    verdict = frame.select(rule.condition.alias("verdict"))["verdict"]

    assert verdict.to_list() == [said.holds(row) for row in content]
