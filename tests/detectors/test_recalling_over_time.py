"""Correlations of rules that ask the entity memory: counted once it is known whether they hold."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import msgspec
import polars as pl
import pytest

from detectors.correlation.released import Released
from detectors.recalling import held_from, held_to
from detectors.remembered import Remembered, SavedRemembered, restore, save
from detectors.ruleset import Ruleset, look, ruleset
from detectors.sigma.compiler import load_pack
from detectors.sigma.errors import InvalidRulesError
from tests.detectors.entities.world import START_US, event, frame

SECOND = 1_000_000
BASE = """name: entered
title: Entered
logsource: {product: kubernetes, service: audit}
detection:
  exec: {event.action: exec}
  privileged: {trailwarden.recalled.target_pod.privileged: true}
  condition: exec and privileged
---
"""
OVER_TIME = """title: Entered over time
id: 7c1cf0b0-38a7-4a6f-9a0a-3a6a38f0a112
status: test
description: For tests.
author: Trailwarden authors
date: 2026-11-22
falsepositives: [None are known.]
level: high
correlation:
  type: event_count
  rules: [entered]
  group-by: [user.name]
  timespan: 1h
  condition: {gte: 2}
trailwarden:
  message: "{user.name} is in a pod of {trailwarden.recalled.pod_author}."
"""
Event = dict[str, Any]


def pod(at_s: float, name: str, *, privileged: bool = True) -> Event:
    said = {"action": "create", "type": "pods", "namespace": "shop", "name": name, "images": ["a"]}
    return event(at_s, user="ann", privileged=privileged, **said)


def entered(at_s: float, name: str, user: str = "bob") -> Event:
    return event(at_s, action="exec", type="pods", namespace="shop", name=name, user=user)


STORY = [
    pod(1, "strong"),
    pod(2, "plain", privileged=False),
    entered(3, "plain"),
    entered(4, "strong"),
    entered(5, "plain"),
    entered(6, "strong", user="eve"),
    entered(7, "strong"),
    entered(8, "strong"),
]
FIRST, SECOND_ONE = STORY[3]["event.id"], STORY[6]["event.id"]


def rules_of(folder: Path, text: str = BASE + OVER_TIME) -> Ruleset:
    (folder / "rule.yml").write_text(text)
    return ruleset(load_pack([folder / "rule.yml"]))


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Ruleset:
    return rules_of(tmp_path_factory.mktemp("rules"))


def fed(state: Remembered, rules: Ruleset, events: list[Event]) -> None:
    batch = frame(events)
    state.add(batch, look(batch, rules).hits)


def evidence(released: Released) -> list[list[str]]:
    return [one.document["trailwarden.evidence.event_ids"] for one in released.findings]


def test_only_what_the_memory_confirms_is_counted_and_told_once(rules: Ruleset) -> None:
    state = rules.remembered()
    fed(state, rules, STORY)
    released = state.release(None)
    assert evidence(released) == [[FIRST, SECOND_ONE]]
    assert released.findings[0].document["message"] == "bob is in a pod of ann."
    assert released.findings[0].document["trailwarden.recalled.pod_author"] == "ann"


def test_events_that_signals_rest_on_become_evidence_when_they_are_confirmed(
    rules: Ruleset,
) -> None:
    batch = frame(STORY)
    looked = look(batch, rules)
    assert looked.evidence.is_empty()
    state = rules.remembered()
    state.add(batch, looked.hits)
    (shown,) = state.release(None).evidence
    assert shown["event.id"].to_list() == [STORY[n]["event.id"] for n in (3, 5, 6, 7)]


@pytest.mark.parametrize("seed", range(8))
def test_cuts_and_restarts_change_nothing(rules: Ruleset, seed: int) -> None:
    random = Random(seed)
    state, found, story = rules.remembered(), list[list[str]](), list(STORY)
    while story:
        length = random.randint(1, 4)
        fed(state, rules, story[:length])
        story = story[length:]
        if story and random.random() < 0.7:
            found += evidence(
                state.release({"c": int(story[0]["@timestamp"].timestamp() * SECOND)})
            )
        if random.random() < 0.5:
            data = msgspec.msgpack.encode(save(state))
            state = rules.remembered()
            restore(msgspec.msgpack.decode(data, type=SavedRemembered), state)
    assert found + evidence(state.release(None)) == [[FIRST, SECOND_ONE]]


def test_a_late_event_enters_no_window(rules: Ruleset) -> None:
    state = rules.remembered()
    fed(state, rules, STORY[:4])
    assert not state.release({"c": START_US + 50 * SECOND}).findings
    late = frame([STORY[6]])
    state.add(late, look(late, rules).hits, pl.Series([True]))
    assert not state.release(None).findings


def test_a_late_event_that_is_enough_by_itself_is_told(tmp_path: Path) -> None:
    rules = rules_of(tmp_path, BASE + OVER_TIME.replace("gte: 2", "gte: 1"))
    state = rules.remembered()
    fed(state, rules, STORY[:3])
    assert not state.release({"c": START_US + 50 * SECOND}).findings
    late = frame([STORY[3], STORY[4]])
    state.add(late, look(late, rules).hits, pl.Series([True, True]))
    assert evidence(state.release(None)) == [[FIRST]]


def test_a_group_may_be_what_is_recalled(tmp_path: Path) -> None:
    text = (BASE + OVER_TIME).replace("[user.name]", "[trailwarden.recalled.target_pod.author]")
    rules = rules_of(tmp_path, text)
    state = rules.remembered()
    fed(state, rules, STORY)
    assert evidence(state.release(None)) == [[FIRST, STORY[5]["event.id"]]]


def test_what_reaches_over_clusters_does_not_ask(tmp_path: Path) -> None:
    text = BASE + OVER_TIME.replace("trailwarden:\n", "trailwarden:\n  across_clusters: true\n")
    with pytest.raises(InvalidRulesError, match="asks what is remembered of a cluster"):
        rules_of(tmp_path, text)


def test_what_waits_is_saved_by_its_values_alone(rules: Ruleset) -> None:
    state = rules.remembered()
    batch = frame(STORY)
    state.add(batch, look(batch, rules).hits, pl.Series([False] * 5 + [True] * 3))
    assert state.recalling
    waiting = state.recalling.pending
    data = held_to(waiting)
    back = held_from(data)
    assert back.equals(waiting.sort("@timestamp", "event.id"))
    assert back.schema == waiting.schema
    for other in (back, waiting[::-1], pl.concat([waiting, waiting])[waiting.height :]):
        assert held_to(other) == data
    assert held_from(held_to(waiting.clear())).equals(waiting.clear())
