from __future__ import annotations

import polars as pl
import pytest

from detectors.combination import combination_numbers
from ingest.schema import DTYPES

KEYS = ("event.action", "kubernetes.audit.user.groups", "http.response.status_code")
FAMILY = {"pods": ("trailwarden.pod_spec.host_pid", "trailwarden.pod_spec.host_ipc")}
COLUMNS = (*KEYS, *FAMILY["pods"])


def numbers(*rows: tuple[object, ...]) -> list[int]:
    schema = {name: DTYPES[name] for name in COLUMNS}
    return combination_numbers(pl.DataFrame(rows, schema, orient="row"), KEYS, FAMILY).to_list()


def test_lists_are_told_apart_by_where_they_end() -> None:
    lists: list[object] = [["x", "y"], ["xy"], ["y", "x"], [], None, [None], ["x", ""], ["", "x"]]
    assert len(set(numbers(*(("a", one, 1, None, None) for one in lists)))) == len(lists)


def test_the_same_value_in_another_column_is_another_combination() -> None:
    rows = [("a", ["b"], None), ("b", ["a"], None), (None, ["a", "b"], None), ("ab", None, None)]
    assert len(set(numbers(*((*row, None, None) for row in rows)))) == len(rows)


def test_of_a_family_it_only_matters_whether_any_column_has_a_value() -> None:
    both = (True, None), (None, False), (True, True), (None, None)
    one, other, all_of_it, none = numbers(*(("a", ["b"], 1, *pair) for pair in both))
    assert one == other == all_of_it != none


@pytest.mark.parametrize("other", [("b", ["c"], 2, True, None), (None, None, None, None, None)])
def test_a_combination_has_one_number_whatever_stands_beside_it(other: tuple[object, ...]) -> None:
    for row in (("a", None, None, None, None), ("a", ["b"], None, None, True)):
        assert numbers(row)[0] == numbers(row, other)[0]
