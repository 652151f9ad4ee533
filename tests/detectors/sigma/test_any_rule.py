"""Whatever a rule file says: it becomes a rule that runs, or it is refused with its places."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detectors.engine import detect
from detectors.sigma.compiler import load_rules
from detectors.sigma.errors import InvalidRulesError, RuleError
from ingest.schema import DTYPES

if TYPE_CHECKING:
    from detectors.sigma.rule import Rule

HEAD = """\
title: A rule
id: 0a0a0a0a-0000-4000-8000-000000000001
logsource: {product: kubernetes}
"""
FIELDS = (
    "user.name",
    "sourceIPs",
    "responseStatus.code",
    "trailwarden.pod_spec.host_ports",
    "trailwarden.dry_run",
    "@timestamp",
    "nothing",
)
MODIFIERS = (
    "all", "startswith", "endswith", "contains", "exists", "cased", "neq", "windash", "re", "i",
    "m", "s", "base64", "base64offset", "utf16le", "utf16be", "utf16", "wide", "lt", "lte", "gt",
    "gte", "minute", "week", "year", "cidr", "fieldref", "expand", "", "x",
)  # fmt: skip
scalars = st.sampled_from([
    "null", "true", "false", "0", "-1", "401", "1.5", "1e400", "99999999999999999999", "''", "'*'",
    "a", "'a*b'", r"'\*'", r"'\'", "'?'", "'['", "'(a|b)+'", "10.0.0.0/8", "'::/0'", "'-a /b'",
    "é", "user.name", "log.offset", "sourceIPs", "'%x%'", "|-\n          a\n",
])  # fmt: skip
values = scalars | st.lists(scalars.filter(lambda s: "\n" not in s), max_size=4).map(
    lambda several: f"[{', '.join(several)}]"
)
keys = st.builds(
    lambda field, modifiers: "|".join([field, *modifiers]),
    st.sampled_from(FIELDS),
    st.lists(st.sampled_from(MODIFIERS), max_size=3),
)
ROWS = pl.DataFrame(
    [{}, {"user.name": "a", "log.offset": 0}, {"source.address_chain": ["::1", None]}],
    schema=DTYPES,
)


def loaded(folder: Path, text: str) -> tuple[Rule, ...]:
    file = folder / "rule.yml"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    errors: tuple[RuleError, ...] = ()
    try:
        rules = load_rules([file])
    except InvalidRulesError as refused:
        rules, errors = (), refused.errors
    assert len(rules) + len(errors) > 0
    assert all(error.line >= 1 and error.column >= 1 for error in errors)
    return rules


@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(keys, values), min_size=1, max_size=2, unique_by=lambda item: item[0]))
def test_any_field_with_any_modifiers_and_values_runs_or_is_refused(
    tmp_path: Path, items: list[tuple[str, str]]
) -> None:
    fields = "".join(f"    '{key}': {value}\n" for key, value in items)

    rules = loaded(tmp_path, f"{HEAD}detection:\n  a:\n{fields}  condition: a or not a\n")

    hits = detect(ROWS, rules)
    expected = [row for rule in rules for row in ROWS.select(rule.condition.arg_true()).to_series()]
    assert hits["row"].to_list() == expected
    for rule in rules:
        for match in rule.matched:
            assert ROWS.select(match.values).height == ROWS.height


words = st.sampled_from(
    ["a", "b", "_c", "and", "or", "not", "(", ")", "1 of", "all of", "them", "a*", "*", "|", "x"]
)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(words, max_size=8))
def test_any_condition_runs_or_is_refused(tmp_path: Path, content: list[str]) -> None:
    selections = "".join(f"  {name}: {{user.name: {name}}}\n" for name in ("a", "b", "_c"))

    rules = loaded(tmp_path, f"{HEAD}detection:\n{selections}  condition: '{' '.join(content)}'\n")

    assert detect(ROWS, rules)["rule"].max() in {None, 0}


nodes = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["", "a", "{user.name}", "1 of a"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["a", "condition", "id", "product"]), inner, max_size=2)
    ),
    max_leaves=6,
)
TOP = ("title", "id", "related", "status", "description", "references", "date", "tags", "logsource",
       "detection", "fields", "level", "trailwarden", "correlation")  # fmt: skip


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.dictionaries(st.sampled_from(TOP), nodes, max_size=4))
def test_any_document_is_read_or_refused(tmp_path: Path, document: dict[str, object]) -> None:

    loaded(tmp_path, json.dumps(document))


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.text(max_size=30) | st.binary(max_size=30).map(lambda data: data.decode("latin-1")))
def test_any_text_is_read_or_refused(tmp_path: Path, text: str) -> None:
    assert loaded(tmp_path, text) == ()
