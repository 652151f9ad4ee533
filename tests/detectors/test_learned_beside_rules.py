"""What rules find is not learned, however the log is cut, and whenever it is known."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import msgspec
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from detectors.anomaly import training
from detectors.anomaly.blame import blamed
from detectors.anomaly.detector import UNUSUAL_IDENTITY
from detectors.anomaly.learned import Learning
from detectors.anomaly.learners import LearnedSettings, Model
from detectors.correlation.released import Released
from detectors.exceptions import Exemption
from detectors.remembered import Remembered, SavedRemembered, restore, save
from detectors.ruleset import Ruleset, look, ruleset
from detectors.sigma.compiler import load_pack
from detectors.sigma.rule import Level
from detectors.site import Criticality, Site
from tests.detectors.anomaly.world import ACCOUNTS, PEOPLE, Act, at, frame, hour, strange
from tests.detectors.entities import world as entities

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LATENESS_US = 30_000_000
HEAD = """status: test
description: For tests.
author: Trailwarden authors
date: 2026-11-22
falsepositives: [None are known.]
level: {level}
"""
AT_ONCE = (
    "title: At once\nid: 7c1cf0b0-38a7-4a6f-9a0a-3a6a38f0a101\n"
    + HEAD
    + "logsource: {{product: kubernetes, service: audit}}\n"
    + "detection: {{asked: {{event.action: evict}}, condition: asked}}\n"
)
OVER_TIME = (
    "title: Base\nname: base\nlogsource: {{product: kubernetes, service: audit}}\n"
    "detection: {{asked: {{event.action: drain}}, condition: asked}}\n---\n"
    "title: Over time\nid: 7c1cf0b0-38a7-4a6f-9a0a-3a6a38f0a102\n"
    + HEAD
    + "correlation:\n  type: event_count\n  rules: [base]\n  group-by: [user.name]\n"
    + "  timespan: 10m\n  condition: {{gte: 4}}\n"
)
RECALLED = (
    "title: Recalled\nid: 7c1cf0b0-38a7-4a6f-9a0a-3a6a38f0a103\n"
    + HEAD
    + "logsource: {{product: kubernetes, service: audit}}\n"
    + "detection:\n  exec: {{event.action: exec}}\n"
    + "  strong: {{trailwarden.recalled.target_pod.privileged: true}}\n"
    + "  condition: exec and strong\n"
)
ALL = (AT_ONCE, OVER_TIME, RECALLED)
EVICTS = [Act(at(minute + 0.5), PEOPLE[1], "evict") for minute in range(20, 50, 3)]
DRAINS = [Act(at(30 + n / 2), PEOPLE[2], "drain", number=n) for n in range(10)]
"""Four of them in ten minutes, the fourth in minute 31."""


def rules_in(
    folder: Path, *files: str, level: str = "medium", learned: LearnedSettings | None = None
) -> Ruleset:
    folder.mkdir(exist_ok=True)
    for number, text in enumerate(files):
        (folder / f"{number}.yml").write_text(text.format(level=level))
    return ruleset(load_pack([folder]), learned=learned or LearnedSettings())


def in_order(*parts: Sequence[Act]) -> list[Act]:
    return sorted((act for part in parts for act in part), key=lambda act: (act.at_us, act.id))


def fed(state: Remembered, rules: Ruleset, events: pl.DataFrame) -> None:
    looked = look(events, rules)
    state.add(events, looked.hits, None, looked.flagged)


def whole(rules: Ruleset, events: pl.DataFrame) -> tuple[Remembered, Released]:
    """Return the state and the findings of events, all minutes but the last learned."""
    state = rules.remembered()
    fed(state, rules, events)
    return state, state.release(None)


def learned(state: Remembered) -> bytes:
    assert state.learners
    return state.learners.learned.counts.save()


def documents(released: Released) -> list[dict[str, Any]]:
    return [finding.document for finding in released.findings]


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Ruleset:
    return rules_in(tmp_path_factory.mktemp("rules"), *ALL)


def test_what_a_rule_finds_at_once_is_learned_as_little_as_if_it_had_not_been(
    tmp_path: Path,
) -> None:
    rules = rules_in(tmp_path, AT_ONCE)
    quiet = hour()
    found, released = whole(rules, frame(in_order(quiet, EVICTS)))
    assert len(released.findings) == 1
    assert learned(found) == learned(whole(rules, frame(quiet))[0])
    low = rules_in(tmp_path, AT_ONCE, level="low")
    assert learned(whole(low, frame(in_order(quiet, EVICTS)))[0]) != learned(found)


def test_what_an_exception_accepts_is_learned(tmp_path: Path) -> None:
    rules = rules_in(tmp_path, AT_ONCE)
    accepted = replace(rules, exceptions=(exemption(rules.pack.rules[0].id),))
    without = rules_in(tmp_path / "none", OVER_TIME)
    events = frame(in_order(hour(), EVICTS))
    assert learned(whole(accepted, events)[0]) == learned(whole(without, events)[0])
    assert learned(whole(accepted, events)[0]) != learned(whole(rules, events)[0])


def test_the_minute_that_completes_a_match_over_time_is_not_learned_of_who_completed_it(
    tmp_path: Path,
) -> None:
    rules, none = rules_in(tmp_path, OVER_TIME), rules_in(tmp_path / "none", AT_ONCE)
    every = in_order(hour(), DRAINS)
    minute = DRAINS[3].at_us // 60_000_000
    others = [act for act in every if act.user != PEOPLE[2] or act.at_us // 60_000_000 != minute]
    state, released = whole(rules, frame(every))
    assert documents(released)[0]["rule.name"] == "Over time"
    assert learned(state) == learned(whole(none, frame(others))[0])


def test_the_minute_of_what_memory_confirms_is_not_learned(tmp_path: Path) -> None:
    rules = rules_in(tmp_path, RECALLED)
    said = {"type": "pods", "namespace": "shop", "name": "strong"}
    pod = entities.event(
        1, user="ann", privileged=True, images=["a"], **(said | {"action": "create"})
    )
    entered = entities.event(30, user="bob", action="exec", **said)
    other = entities.event(40, user="bob", action="list", type="secrets")
    before = entities.event(-30, user="bob", action="list", type="secrets")
    after = entities.event(3_600, user="ann")
    events = entities.frame([before, pod, entered, other, after])
    state, released = whole(rules, events)
    assert [one["rule.name"] for one in documents(released)] == ["Recalled"]
    assert learned(state) == learned(whole(rules, entities.frame([before, pod, after]))[0])


def test_flags_do_not_depend_on_what_others_answered_for(rules: Ruleset) -> None:
    events = frame(in_order(hour(), EVICTS))
    every = look(events, rules)
    none_live = look(events, rules, pl.repeat(False, events.height, eager=True))
    assert every.flagged.to_list() == none_live.flagged.to_list()
    assert every.flagged.len() == len(EVICTS)
    assert not none_live.reported.findings


@pytest.mark.parametrize("seed", range(6))
def test_cuts_and_restarts_change_nothing(rules: Ruleset, seed: int) -> None:
    events = mixed()
    wanted_state, wanted = whole(rules, events)
    assert {one["rule.name"] for one in documents(wanted)} == {
        "Over time",
        "Recalled",
        UNUSUAL_IDENTITY.title,
    }
    random, state, found, start = Random(seed), rules.remembered(), Released(), 0
    while start < events.height:
        batch = events[start : start + random.choice((3, 50, 400, 1_500))]
        start += batch.height
        fed(state, rules, batch)
        if random.random() < 0.8:
            newest = batch["@timestamp"].to_physical().max()
            assert isinstance(newest, int)
            found.extend(state.release({"c": newest - random.randrange(1, LATENESS_US)}))
        if random.random() < 0.3:
            state = restarted(state, rules)
    found.extend(state.release(None))
    assert by_id(found) == by_id(wanted)
    assert learned(state) == learned(wanted_state)


def mixed() -> pl.DataFrame:
    """Return an hour with findings of every kind of rule, in order of time."""
    first_us = at(10) - entities.START_US
    said: dict[str, Any] = {"type": "pods", "namespace": "shop", "name": "strong"}
    pod: dict[str, Any] = {"action": "create", "user": "ann", "privileged": True, "images": ["a"]}
    entered = {"action": "exec", "user": ACCOUNTS[3]}
    remembered = [
        entities.event(first_us / 1e6 + at_s, **(said | more))
        for at_s, more in ((0, pod), *((60.0 * n, entered) for n in range(1, 30, 4)))
    ]
    acts = frame(in_order(hour(), EVICTS, DRAINS))
    return pl.concat([acts, entities.frame(remembered)]).sort("@timestamp", "event.id")


def restarted(state: Remembered, rules: Ruleset) -> Remembered:
    data = msgspec.msgpack.encode(save(state))
    again = rules.remembered()
    restore(msgspec.msgpack.decode(data, type=SavedRemembered), again)
    assert msgspec.msgpack.encode(save(again)) == data
    return again


def by_id(released: Released) -> dict[str, Any]:
    ends = {one.finding: msgspec.structs.astuple(one) for one in released.closed}
    first: dict[str, Any] = {}
    for one in released.findings:
        first.setdefault(one.id, (one.document, ends.get(one.id)))
    return first


def exemption(rule: str, user: str = PEOPLE[1]) -> Exemption:
    return Exemption(
        place="site.yml:3",
        detections=frozenset({rule}),
        owner="ann",
        reason="accepted",
        expires=date(2027, 1, 1),
        scope=(pl.col("user.name") == user).fill_null(value=False),
        columns=frozenset({"user.name", "trailwarden.credential.id", "process.name"}),
    )


def test_an_exception_holds_back_what_it_covers_wholly(rules: Ruleset) -> None:
    events = frame(hour())
    mine = replace(rules, exceptions=(exemption(UNUSUAL_IDENTITY.id, ACCOUNTS[0]),))
    other = replace(rules, exceptions=(exemption(UNUSUAL_IDENTITY.id, PEOPLE[1]),))
    held = whole(mine, events)[1]
    assert documents(held) == []
    assert held.excepted == {"site.yml:3": 1}
    assert len(documents(whole(other, events)[1])) == 1


def test_an_exception_hides_nothing_that_it_does_not_cover(rules: Ruleset) -> None:
    narrow = replace(
        exemption(UNUSUAL_IDENTITY.id),
        scope=pl.col("event.action") == strange()[0].action,
        columns=frozenset({"event.action"}),
    )
    (found,) = documents(whole(replace(rules, exceptions=(narrow,)), frame(hour()))[1])
    assert len(found["trailwarden.evidence.event_ids"]) == len(strange())


def test_the_worth_of_a_namespace_moves_the_level(rules: Ruleset) -> None:
    events = frame(hour())
    levels = [
        whole(replace(rules, site=Site(criticality=worth)), events)[1].findings[0].level
        for worth in _WORTH
    ]
    assert levels == [Level.HIGH, Level.CRITICAL, Level.MEDIUM]


_WORTH: tuple[Mapping[str, Criticality], ...] = (
    {},
    {"kube-system": Criticality.CRITICAL},
    {"kube-system": Criticality.LOW},
)


def test_the_events_that_a_finding_rests_on_come_with_it(tmp_path: Path) -> None:
    keeping = LearnedSettings(keeps_events=True)
    rules = rules_in(tmp_path, AT_ONCE, learned=keeping)
    events = frame(hour())
    state, found = rules.remembered(), Released()
    for start in range(0, events.height, 500):
        batch = events[start : start + 500]
        fed(state, rules, batch)
        newest = batch["@timestamp"].to_physical().max()
        assert isinstance(newest, int)
        found.extend(state.release({"c": newest - LATENESS_US}))
        state = restarted(state, rules)
        assert state.learners
        assert state.learners.events.height == state.learners.learned.pending.height < 1_000
    found.extend(state.release(None))
    (document,) = documents(found)
    (evidence,) = found.evidence
    assert sorted(evidence["event.id"]) == sorted(document["trailwarden.evidence.event_ids"])
    assert evidence.equals(events.filter(pl.col("event.id").is_in(evidence["event.id"].implode())))


def test_a_challenger_is_counted_and_told_to_nobody(tmp_path: Path) -> None:
    both = LearnedSettings(challenger=Model("profile/2"))
    rules = rules_in(tmp_path, AT_ONCE, learned=both)
    events = frame(hour())
    state, found = rules.remembered(), Released()
    fed(state, rules, events[:2_000])
    found.extend(state.release({"c": at(20)}))
    state = restarted(state, rules)
    fed(state, rules, events[2_000:])
    found.extend(state.release(None))
    assert len(found.findings) == 1
    assert found.silent == {"profile/2": 1}
    assert len(found.closed) == 1


def test_another_challenger_begins_anew(tmp_path: Path) -> None:
    first, second = (
        rules_in(tmp_path, AT_ONCE, learned=LearnedSettings(challenger=Model(f"profile/{n}")))
        for n in (2, 3)
    )
    state, _ = whole(first, frame(hour()))
    again = second.remembered()
    again.take(state)
    assert again.learners
    assert again.learners.challenger
    assert learned(again) == learned(state)
    assert not len(again.learners.challenger.counts)


def test_without_learning_there_is_no_state_of_it(tmp_path: Path) -> None:
    rules = replace(rules_in(tmp_path, AT_ONCE), learned=None)
    state, released = whole(rules, frame(hour()))
    assert state.learners is None
    assert save(state).learners is None
    assert not released.findings
    assert not state.is_needed


def test_a_state_with_learning_is_taken_up_without_and_the_other_way_round(
    tmp_path: Path,
) -> None:
    having = rules_in(tmp_path, *ALL)
    lacking = replace(having, learned=None)
    events = frame(hour())
    for old, new in ((having, lacking), (lacking, having)):
        state = whole(old, events)[0]
        again = new.remembered()
        restore(save(state), again)
        assert (again.learners is None) == (new is lacking)


@pytest.mark.parametrize("size", [211, 100_000])
def test_training_beside_rules_learns_what_a_service_learns(
    rules: Ruleset, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of each cluster for itself: in only one of them do rules find anything."""
    monkeypatch.setattr(training, "CUT_ROWS", size)
    caught = [replace(act, cluster="d") for act in (*EVICTS, *DRAINS)]
    acts = {"c": hour("c"), "d": in_order(hour("d"), caught)}
    trained = training.Training(at(0), learning=Learning(), rules=rules)
    trained.add(frame(in_order(*acts.values())))
    found = {one.name: one.counts for one in trained.profile(at(60)).clusters.values()}
    for name, own in acts.items():
        state = rules.remembered()
        fed(state, rules, frame(own))
        state.release(None)
        assert state.learners
        state.learners.learned.settle()
        assert_frame_equal(found[name], state.learners.learned.counts.rows, check_row_order=False)
    alone = training.Training(at(0), learning=Learning())
    alone.add(frame(acts["d"]))
    (without,) = alone.profile(at(60)).clusters.values()
    assert without.counts.height > found["d"].height


def test_only_findings_of_some_weight_are_held_against_anybody(rules: Ruleset) -> None:
    found = whole(rules, frame(in_order(hour(), DRAINS)))[1].findings
    over_time = [one for one in found if one.document["rule.name"] == "Over time"]
    tick = int(datetime(2026, 11, 23, 9, 31, tzinfo=UTC).timestamp()) // 60
    assert blamed(over_time) == {(tick, "c", PEOPLE[2])}
    assert blamed([replace(one, level=Level.LOW) for one in over_time]) == set()


def test_more_minutes_at_once_change_nothing(tmp_path: Path) -> None:
    one, five = (
        rules_in(tmp_path, *ALL, learned=LearnedSettings(Learning(hold_ticks=held)))
        for held in (1, 5)
    )
    assert by_id(whole(one, mixed())[1]) == by_id(whole(five, mixed())[1])
