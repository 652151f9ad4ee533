"""Rules that ask who is behind a process wait for all clocks, and what is over time with them."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest

from detectors.correlation.released import Released
from detectors.entities.process_facts import PATIENCE_US
from detectors.recalling import earlier
from detectors.remembered import Remembered
from detectors.ruleset import Ruleset, look, ruleset
from detectors.sigma.compiler import load_pack
from tests.detectors.entities.test_sessions import LOG, SHELL, entered, ran
from tests.detectors.entities.world import START_US, event, frame

Event = dict[str, Any]
SECOND = 1_000_000
HEAD = """id: 7c1cf0b0-38a7-4a6f-9a0a-3a6a38f0a1{number}
status: test
description: For tests.
author: Trailwarden authors
date: 2026-11-22
falsepositives: [None are known.]
level: high
"""
ASKS = """name: unasked
title: Nobody asked for it
{head}logsource: {{product: linux}}
detection:
  unasked: {{trailwarden.recalled.process.unaudited: true}}
  condition: unasked
---
name: read
title: A secret was read
logsource: {{product: kubernetes, service: audit}}
detection:
  read: {{event.action: get, user.name: eve}}
  condition: read
---
title: Nobody asked, and then it was read
{over_time}correlation:
  type: temporal_ordered
  rules: [unasked, read]
  timespan: 1m
"""


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Ruleset:
    file = tmp_path_factory.mktemp("rules") / "asks.yml"
    head, over_time = (HEAD.format(number=number) for number in (11, 12))
    file.write_text(ASKS.format(head=head, over_time=over_time), encoding="utf-8")
    return ruleset(load_pack([Path(file)]))


def acted(one: Event) -> Event:
    return one | {"trailwarden.act.id": one["event.id"]}


READ = acted(event(2, user="eve"))
UNASKED = acted(ran(0, **SHELL))
ASKED_FOR = acted(ran(20, key="p3", **SHELL))
STORY = [*LOG, READ, UNASKED, ASKED_FOR, acted(entered(23)), event(60), event(90)]


def fed(state: Remembered, rules: Ruleset, events: list[Event]) -> None:
    batch = frame(events)
    state.add(batch, look(batch, rules).hits)


def evidence(released: Released) -> list[list[str]]:
    return [one.document["trailwarden.evidence.event_ids"] for one in released.findings]


EXPECTED = [[UNASKED["event.id"], READ["event.id"]]]


def test_a_process_waits_until_all_clocks_have_passed_it(rules: Ruleset) -> None:
    state = rules.remembered()
    fed(state, rules, STORY)
    both_us = START_US + 2 * SECOND + PATIENCE_US
    assert evidence(state.release(both_us)) == []
    assert evidence(state.release(both_us + 1)) == EXPECTED
    assert evidence(state.release(None)) == []


def test_any_cut_gives_the_same(rules: Ruleset) -> None:
    for seed in range(12):
        chance = Random(seed)
        late = {one["event.id"]: chance.uniform(0, 29) for one in STORY}
        arrived = sorted(STORY, key=lambda e: e["@timestamp"].timestamp() + late[e["event.id"]])
        state, newest, found = rules.remembered(), 0, []
        for one in arrived:
            fed(state, rules, [one])
            newest = max(newest, int(one["@timestamp"].timestamp() * SECOND))
            if chance.random() < 0.6:
                found += evidence(state.release({"c": newest - 30 * SECOND}))
        found += evidence(state.release(None))
        assert sorted(found) == sorted(EXPECTED), seed


def test_nothing_waits_longer_where_nobody_asks_of_processes(tmp_path: Path) -> None:
    file = tmp_path / "asks.yml"
    text = ASKS.format(head=HEAD.format(number=11), over_time=HEAD.format(number=12))
    file.write_text(text.replace("process.unaudited", "target_pod.privileged"), encoding="utf-8")
    recalling = ruleset(load_pack([file])).remembered().recalling
    assert recalling is not None
    assert recalling.patience_us == 0


def test_a_watermark_is_taken_back_for_all_or_by_name() -> None:
    assert earlier(None, 5) is None
    assert earlier(20, 5) == 15
    assert earlier({"a": 20, "b": 0}, 5) == {"a": 15, "b": -5}
