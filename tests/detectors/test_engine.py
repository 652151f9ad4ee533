"""Hits are those of every rule on every row, however the engine goes about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from detectors.engine import HITS_SCHEMA, detect
from detectors.outlook import outlook
from detectors.plan import KEYS, plan_for
from detectors.sigma.compiler import load_rules
from ingest.schema import DTYPES, POD_SPEC_PREFIX, empty_events

if TYPE_CHECKING:
    from collections.abc import Callable

    from detectors.sigma.rule import Rule

    Events = Callable[[list[dict[str, Any]]], pl.DataFrame]

POD = POD_SPEC_PREFIX
AUDIT = "kubernetes.audit"
DETECTIONS = (
    # Settled by key columns alone.
    "a: {event.action: [create, PATCH]}|a",
    "a: {event.action: create}; b: {user.name|startswith: sys}|a and not b",
    "a: {user.groups: masters}|not a",
    "a: {http.response.status_code|gte: 400}; b: {user.name: null}|a or b",
    "a: {event.action: none-of-them}|a",
    # Open until other columns are looked at.
    f"a: {{event.action: create, {POD}privileged: true}}|a",
    f"a: {{event.action: create}}; b: {{{POD}privileged: true}}|a and not b",
    f"a: {{{POD}images|contains: x}}; b: {{{POD}images|endswith: y}}|a and not b",
    f"a: {{{POD}images: null, event.action: create}}|a",
    f"a: {{{POD}host_paths|exists: false}}|a",
    f"a: {{{POD}host_paths|exists: true}}; b: {{user.name: sys}}|a or b",
    f"a: {{{POD}host_paths|neq: /x}}|a",
    f"a: {{{POD}host_paths|all: [/x, /y], {POD}images: '*'}}|a",
    f"a: {{{POD}images: [x, null]}}|not a",
    "a: {requestURI|contains: x}|a",
    "a: {requestURI|contains: x}; b: {event.action: create}; c: {user.name: sys}|a and (b or c)",
    "a: {requestURI|contains: x}; b: {event.action: create}|not (a and b)",
    "a: {user.name|fieldref: user.effective.name}|a",
    f"a: {{user.name|fieldref: {POD}service_account}}|a",
    f"a: {{{POD}service_account|fieldref|neq: user.name}}|a",
    "a: {trailwarden.rbac.verbs: x}; b: {trailwarden.rbac.wildcard: true}|1 of them",
    f"a: {{{POD}privileged: false}}; b: {{trailwarden.rbac.wildcard: true}}|all of them",
    "a: {orchestrator.resource.name|re: '^x'}|a",
)
LINUX = (
    "{product: linux}|a: {orchestrator.resource.name|re: '^x'}|not a",
    "{product: linux, category: process_creation}|a: {process.args|contains: x}|a",
    "{product: linux, category: process_creation}|a: {user.name: sys}|not a",
    "{product: linux, service: sshd}|a: {user.name: sys}|a",
)


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> tuple[Rule, ...]:
    folder = tmp_path_factory.mktemp("rules")
    said = [*(f"{{product: kubernetes}}|{detection}" for detection in DETECTIONS), *LINUX]
    for index, text in enumerate(said):
        source, detection = text.split("|", 1)
        selections, condition = detection.rsplit("|", 1)
        lines = "".join(f"  {selection.strip()}\n" for selection in selections.split(";"))
        (folder / f"{index:02}.yml").write_text(
            f"title: Rule {index}\nid: 0a0a0a0a-0000-4000-8000-0000000000{index:02}\n"
            f"logsource: {source}\ndetection:\n{lines}  condition: {condition}\n"
        )
    return load_rules([folder])


def plain(events: pl.DataFrame, rules: tuple[Rule, ...]) -> pl.DataFrame:
    """Evaluate each rule on all rows, and what it found in each row it holds for."""
    frames = [pl.DataFrame(schema=HITS_SCHEMA)]
    for index, rule in enumerate(rules):
        held = events.with_row_index("row").filter(rule.condition)
        texts: list[set[str]] = [set() for _ in range(held.height)]
        for match in rule.matched:
            if match.column.startswith(POD):
                for row, values in enumerate(held.select(match.values).to_series()):
                    texts[row] |= {f"{match.column}={value}" for value in values}
        matched = pl.Series("matched", [sorted(text) for text in texts], pl.List(pl.String))
        number = pl.lit(index, pl.UInt32).alias("rule")
        frames.append(held.select(pl.col("row"), number).with_columns(matched))
    return pl.concat(frames).sort("row", "rule")


paths = st.just([None]) | st.lists(st.sampled_from(["/x", "/y", "/z"]), max_size=3)
images = st.lists(st.sampled_from(["x", "y", "xy", "Xz", None]), max_size=2)
names = st.sampled_from(["sys", "SYS", "system:node", "ann", ""])
rows = st.fixed_dictionaries(
    {
        # A client chooses the verb of a request that is for no resource.
        "event.action": st.sampled_from(["create", "patch", "get", "Create", "process-start"]),
        "event.dataset": st.sampled_from(
            [None, AUDIT, AUDIT, AUDIT, "falco.alerts", "system.auth"]
        ),
        "user.name": st.none() | names,
    },
    optional={
        "user.effective.name": st.none() | names,
        "kubernetes.audit.user.groups": st.none() | st.lists(st.sampled_from(["masters", "b"])),
        "http.response.status_code": st.sampled_from([200, 400, 403]),
        "kubernetes.audit.requestURI": st.sampled_from(["/x", "/y", "/Xy"]),
        "orchestrator.resource.name": st.sampled_from(["xa", "a"]),
        "process.args": st.lists(st.sampled_from(["x", "y"])),
        "trailwarden.session.service": st.sampled_from(["sshd", "su"]),
        f"{POD}privileged": st.none() | st.booleans(),
        f"{POD}images": st.none() | images,
        f"{POD}host_paths": st.none() | paths,
        f"{POD}service_account": names,
        "trailwarden.rbac.verbs": st.lists(st.sampled_from(["x", "y"])),
        "trailwarden.rbac.wildcard": st.booleans(),
    },
)


@settings(max_examples=80, deadline=None)
@given(st.lists(rows, max_size=40), st.integers(0, 40))
def test_hits_are_those_of_every_rule_on_every_row(
    rules: tuple[Rule, ...], content: list[dict[str, Any]], cut: int
) -> None:
    events = pl.DataFrame(content, schema=DTYPES)
    before = events.clone()

    hits = detect(events, rules)

    assert_frame_equal(hits, plain(events, rules))
    assert_frame_equal(events, before)
    # Whatever the batch holds besides: the same rows give the same hits.
    first, second = detect(events[:cut], rules), detect(events[cut:], rules)
    moved = second.with_columns(pl.col("row") + min(cut, events.height))
    assert_frame_equal(pl.concat([first, moved]), hits)


@settings(max_examples=40, deadline=None)
@given(st.lists(rows, min_size=1, max_size=40))
def test_what_is_certain_holds_and_what_is_not_possible_does_not(
    rules: tuple[Rule, ...], content: list[dict[str, Any]]
) -> None:
    events = pl.DataFrame(content, schema=DTYPES)

    ahead = outlook(events, plan_for(rules))

    assert sorted(ahead.rows_of((1 << ahead.rows.height) - 1)[0]) == list(range(events.height))
    for index, rule in enumerate(rules):
        holds = set(events.select(rule.condition.arg_true()).to_series())
        assert set(ahead.rows_of(ahead.certain[index])[0]) <= holds
        assert holds <= set(ahead.rows_of(ahead.possible[index])[0])


def test_rules_on_key_columns_alone_are_settled_there(
    rules: tuple[Rule, ...], events: Events
) -> None:
    frame = events([{"event.action": "create", "user.name": "sys"}] * 3)

    ahead = outlook(frame, plan_for(rules))

    settled = [index for index, rule in enumerate(rules) if rule.columns <= KEYS]
    assert len(settled) >= 6
    assert all(ahead.certain[index] == ahead.possible[index] for index in settled)


def test_a_rule_on_facets_is_out_of_the_question_without_them(
    rules: tuple[Rule, ...], events: Events
) -> None:
    ahead = outlook(events([{"event.action": "create"}]), plan_for(rules))

    assert (
        ahead.possible[DETECTIONS.index(f"a: {{event.action: create, {POD}privileged: true}}|a")]
        == 0
    )


def test_no_events_and_no_rules_are_no_hits(rules: tuple[Rule, ...]) -> None:
    one = pl.DataFrame([{"event.action": "create"}], schema=DTYPES)

    for hits in (detect(empty_events(), rules), detect(one, ()), detect(empty_events(), ())):
        assert hits.schema == HITS_SCHEMA
        assert hits.is_empty()


def test_a_batch_of_nulls_is_evaluated(rules: tuple[Rule, ...]) -> None:
    events = pl.DataFrame([{}] * 5, schema=DTYPES)

    assert_frame_equal(detect(events, rules), plain(events, rules))


def test_a_batch_without_hits_has_the_schema_of_hits(
    rules: tuple[Rule, ...], events: Events
) -> None:
    silent = tuple(rules[index] for index in (0, 4, 5, 20))

    hits = detect(events([{"event.action": "get"}] * 5), silent)

    assert hits.schema == HITS_SCHEMA
    assert hits.is_empty()


def test_rows_in_several_chunks_are_numbered_through(
    rules: tuple[Rule, ...], events: Events
) -> None:
    one = events([{"event.action": "create", f"{POD}privileged": True}, {"event.action": "get"}])
    frame = pl.concat([one] * 4, rechunk=False)

    assert_frame_equal(detect(frame, rules), plain(frame, rules))


def test_matched_names_the_values_that_made_a_pod_rule_true(
    rules: tuple[Rule, ...], events: Events
) -> None:
    rule = rules[12]
    frame = events(
        [
            {f"{POD}host_paths": ["/z", "/y", "/X", "/x"], f"{POD}images": ["b", "a", "b"]},
            {f"{POD}host_paths": ["/y"], f"{POD}images": ["b"]},
        ]
    )

    hits = detect(frame, [rule])

    assert hits.to_dicts() == [
        {
            "row": 0,
            "rule": 0,
            "matched": [
                f"{POD}host_paths=/X",
                f"{POD}host_paths=/x",
                f"{POD}host_paths=/y",
                f"{POD}images=a",
                f"{POD}images=b",
            ],
        }
    ]


def test_only_the_columns_that_rules_read_are_needed(rules: tuple[Rule, ...]) -> None:
    events = pl.DataFrame(
        {"event.action": ["create", "get"], "event.dataset": AUDIT, "more": [1, 2]}
    )

    assert detect(events, rules[:1]).rows() == [(0, 0, [])]


def test_many_rules_open_for_most_rows_are_still_exact(
    rules: tuple[Rule, ...], events: Events
) -> None:
    # All combinations differ and nearly all rows stay open: both ways of evaluation are taken.
    content = [
        {
            "event.action": "create" if number % 2 else "get",
            "user.name": f"user-{number}",
            "kubernetes.audit.requestURI": "/x" if number % 3 else "/y",
            f"{POD}privileged": number % 50 == 1,
        }
        for number in range(400)
    ]
    frame = events(content)

    hits = detect(frame, rules)

    assert_frame_equal(hits, plain(frame, rules))
    assert hits.height > 400


def test_events_of_another_source_cost_no_look_at_their_columns(rules: tuple[Rule, ...]) -> None:
    row = {"event.dataset": AUDIT, "event.action": "process-start", "process.args": ["x"]}
    events = pl.DataFrame([row] * 3, schema=DTYPES)

    ahead = outlook(events, plan_for(rules))

    assert set(ahead.possible[len(DETECTIONS) :]) == {0}
