"""Rules that ask the entity memory: held, decided in order of time, the same in any cut."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import msgspec
import polars as pl
import pytest

from detectors.correlation.released import Released
from detectors.recalling import Recalling
from detectors.remembered import Remembered, SavedRemembered, restore, save
from detectors.ruleset import Ruleset, look, ruleset
from detectors.site import Site
from tests.detectors.entities.world import START_US, event, frame
from tests.detectors.test_possible import pack_of

SECOND = 1_000_000


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Ruleset:
    return ruleset(pack_of(tmp_path_factory.mktemp("rules"), "exec and privileged"))


def pod(at_s: float, name: str, **said: Any) -> dict[str, Any]:
    made = event(
        at_s,
        action="create",
        type="pods",
        namespace="shop",
        name=name,
        user="ann",
        images=["a"],
        **said,
    )
    return made | {"trailwarden.act.id": made["event.id"]}


def entered(at_s: float, name: str, **said: Any) -> dict[str, Any]:
    told = event(at_s, action="exec", type="pods", namespace="shop", name=name, user="bob", **said)
    return told | {"trailwarden.act.id": told["event.id"]}


STORY = [
    entered(0, "early"),
    pod(1, "early", privileged=True),
    pod(2, "plain", privileged=False),
    entered(3, "plain"),
    entered(4, "early"),
    pod(100, "late", privileged=True),
    entered(100.5, "late"),
    event(200, action="delete", type="pods", namespace="shop", name="late", user="ann"),
    pod(201, "late", privileged=False),
    entered(202, "late"),
]
EXPECTED = {STORY[4]["event.id"], STORY[6]["event.id"]}


def evidence(released: Released) -> list[str]:
    return [one.document["trailwarden.evidence.event_ids"][0] for one in released.findings]


def fed(state: Remembered, rules: Ruleset, events: list[dict[str, Any]]) -> None:
    batch = frame(events)
    state.add(batch, look(batch, rules).hits)


def test_what_was_known_just_before_decides(rules: Ruleset) -> None:
    state = rules.remembered()
    fed(state, rules, STORY)
    released = state.release(None)
    assert set(evidence(released)) == EXPECTED
    assert {one.document["rule.id"] for one in released.findings} == {rules.pack.rules[0].id}
    assert set(released.received) == {one.id for one in released.findings}
    (shown,) = released.evidence
    assert set(shown["event.id"]) == EXPECTED


def waiting(state: Remembered) -> int:
    assert state.recalling
    return state.recalling.waiting.height


def test_nothing_is_reported_at_once(rules: Ruleset) -> None:
    assert look(frame(STORY), rules).reported.findings == []


def test_an_event_waits_until_the_watermark_has_passed_it(rules: Ruleset) -> None:
    state = rules.remembered()
    fed(state, rules, STORY)
    at_s = START_US + int(100.5 * SECOND)
    assert evidence(state.release({"c": at_s})) == [STORY[4]["event.id"]]
    assert waiting(state) == 2
    assert evidence(state.release({"c": at_s + 1})) == [STORY[6]["event.id"]]
    assert waiting(state) == 1


def test_another_cluster_s_watermark_lets_nothing_pass(rules: Ruleset) -> None:
    state = rules.remembered()
    fed(state, rules, STORY)
    assert evidence(state.release({"other": START_US + 10**12})) == []
    assert waiting(state) == 5


@pytest.mark.parametrize("seed", range(12))
def test_cuts_shuffles_and_restarts_change_nothing(rules: Ruleset, seed: int) -> None:
    random = Random(seed)
    state, found = rules.remembered(), []
    places = {id(one): n + random.uniform(0, 3) for n, one in enumerate(STORY)}
    story = sorted(STORY, key=lambda one: places[id(one)])
    while story:
        length = random.randint(1, 4)
        batch, story = story[:length], story[length:]
        fed(state, rules, batch)
        if story and random.random() < 0.7:
            rest_s = min((one["@timestamp"].timestamp() for one in story), default=0.0)
            found += evidence(state.release({"c": int(rest_s * SECOND)}))
        if random.random() < 0.5:
            state = restored(state, rules)
    found += evidence(state.release(None))
    assert sorted(found) == sorted(EXPECTED)


def restored(state: Remembered, rules: Ruleset) -> Remembered:
    data = msgspec.msgpack.encode(save(state))
    again = rules.remembered()
    restore(msgspec.msgpack.decode(data, type=SavedRemembered), again)
    assert msgspec.msgpack.encode(save(again)) == data
    return again


def test_a_late_event_is_asked_about_and_adds_nothing(rules: Ruleset) -> None:
    state = rules.remembered()
    fed(state, rules, STORY[:3])
    assert evidence(state.release({"c": START_US + 50 * SECOND})) == []
    batch = frame([pod(5, "other", privileged=True), entered(6, "early"), entered(7, "other")])
    state.add(batch, look(batch, rules).hits, pl.Series([True, True, True]))
    assert evidence(state.release({"c": START_US + 60 * SECOND})) == [batch["event.id"][1]]


def test_both_stages_of_an_act_are_one_finding(rules: Ruleset) -> None:
    begun = entered(4, "early", outcome="unknown")
    ended = entered(5, "early") | {"trailwarden.act.id": begun["trailwarden.act.id"]}
    state = rules.remembered()
    fed(state, rules, [STORY[1], begun, ended])
    assert evidence(state.release(None)) == [begun["event.id"]]


def test_what_waits_is_bounded_and_counted(rules: Ruleset) -> None:
    recalling = Recalling(rules.asking, Site(), held_rows=2)
    batch = frame(STORY)
    recalling.add(batch, look(batch, rules).hits)
    assert recalling.pending.height == 2
    assert recalling.evicted["waiting"] == 3


def test_other_rules_keep_the_memory(rules: Ruleset, tmp_path: Path) -> None:
    other = ruleset(pack_of(tmp_path, "exec and privileged and shop"))
    state = rules.remembered()
    fed(state, rules, STORY[:4])
    state.release({"c": START_US + 60 * SECOND})
    new = other.remembered()
    new.take(state)
    fed(new, other, STORY[4:])
    assert set(evidence(new.release(None))) == EXPECTED


def test_without_a_rule_that_asks_there_is_no_memory(tmp_path: Path) -> None:
    assert not ruleset(pack_of(tmp_path, "exec and shop")).remembered().is_needed
