"""The sieve loses no event for which a rule holds, and asks little of the memory."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from detectors.engine import detect
from detectors.entities.ordered import Entities
from detectors.entities.recalled import RECALLED_DTYPES
from detectors.recalling import Recalling
from detectors.ruleset import Ruleset, look, ruleset
from detectors.sieve import OWN, Sieve
from detectors.sigma.compiler import load_pack
from detectors.site import Site
from detectors.waiting import ASKS
from tests.detectors.entities.world import REPLICASETS, event, frame

if TYPE_CHECKING:
    from collections.abc import Collection

HEAD = """title: Asks {number}
id: 7c1cf0b0-38a7-4a6f-9a0a-{number:012x}
status: test
description: For tests.
author: Trailwarden authors
date: 2026-11-22
falsepositives: [None are known.]
level: high
logsource: {{product: kubernetes, service: audit}}
detection:
"""
SELECTIONS = {
    "exec": "{event.action: exec}",
    "web": "{user.name: 'system:serviceaccount:shop:web'}",
    "carried": "{trailwarden.recalled.token_off_pod: true}",
    "networks": "{trailwarden.recalled.identity.known_networks|gte: 2}",
    "minted": "{trailwarden.recalled.credential.minted_by: ann}",
    "own": "{user.name|fieldref: trailwarden.recalled.credential.minted_by}",
    "strong": "{trailwarden.recalled.target_pod.privileged: true}",
    "path": "{trailwarden.recalled.target_pod.host_access|re: '^host-path:/etc'}",
    "policies": "{trailwarden.recalled.namespace.policies: 1}",
    "gained": "{trailwarden.recalled.rbac.gained|contains: 'get '}",
}
CONDITIONS = (
    "carried",
    "web and not networks",
    "networks and (minted or exec)",
    "minted and not own",
    "exec and (strong or path)",
    "not (strong or carried)",
    "exec and policies",
    "gained",
    "strong and policies and not carried",
)


def rules_of(folder: Path, conditions: Collection[str]) -> Ruleset:
    for number, condition in enumerate(conditions):
        named = [f"  {name}: {test}\n" for name, test in SELECTIONS.items() if name in condition]
        text = f"{HEAD.format(number=number)}{''.join(named)}  condition: {condition}\n"
        (folder / f"{number:03}.yml").write_text(text)
    return ruleset(load_pack([folder]))


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Ruleset:
    return rules_of(tmp_path_factory.mktemp("rules"), CONDITIONS)


def happened(random: Random, count: int) -> list[dict[str, Any]]:
    """Return events that are about few pods, tokens and accounts, in order of time."""
    web = "system:serviceaccount:shop:web"
    kinds: tuple[dict[str, Any], ...] = (
        {"action": "create", "user": REPLICASETS, "images": ["a"], "privileged": True},
        {"action": "create", "user": "eve", "images": ["a"], "host_paths": ["/etc"]},
        {"action": "patch", "subresource": "status", "user": "system:node:n"}
        | {"addresses": ["10.0.0.1"], "host_address": "10.9.0.1", "node": "n"},
        {"action": "get", "user": web, "token_pod": "web-1"},
        {"action": "list", "user": web, "credential": "JTI=1"},
        {"action": "exec", "user": "ann"},
        {"action": "token-request", "type": "serviceaccounts", "user": "ann", "issued": "JTI=1"},
        {"action": "create", "type": "networkpolicies", "user": "ann"},
        {"action": "create", "type": "rolebindings", "role": "Role/r", "user": "ann"}
        | {"subjects": ["User/eve"]},
        {"action": "create", "type": "roles", "name": "r", "rules": ["get||pods||"], "user": "ann"},
    )
    told = []
    for at_s in range(count):
        said = {"type": "pods", "namespace": "shop", "name": random.choice(["web-1", "web-2"])}
        said["address"] = random.choice(["10.0.0.1", "10.1.0.1", "10.2.0.1"])
        made = event(at_s, **(said | random.choice(kinds)))
        told.append(made | {"trailwarden.act.id": made["event.id"]})
    return told


def decided(rules: Ruleset, events: pl.DataFrame, cut: int) -> set[tuple[str, int]]:
    recalling = Recalling(rules.asking, Site())
    found: set[tuple[str, int]] = set()
    for batch in (events[:cut], events[cut:]):
        recalling.add(batch, look(batch, rules).hits)
        one = recalling.release(None)
        found |= {(one.events["event.id"][row], rule) for row, rule in one.hits.rows()}
    return found


def asked_in_full(rules: Ruleset, events: pl.DataFrame) -> set[tuple[str, int]]:
    entities = Entities()
    entities.add(events)
    recalled = events.hstack(entities.release(None, events))
    hits = detect(recalled, rules.pack.rules)
    return {(events["event.id"][row], rule) for row, rule in hits.select("row", "rule").rows()}


@pytest.mark.parametrize("seed", range(6))
def test_rules_hold_where_they_would_if_everything_were_asked(rules: Ruleset, seed: int) -> None:
    random = Random(seed)
    events = frame(happened(random, 60))
    expected = asked_in_full(rules, events)
    assert len({rule for _, rule in expected}) > len(CONDITIONS) // 2
    assert decided(rules, events, random.randint(1, 59)) == expected


def test_more_rules_than_bits_lose_nothing(tmp_path: Path) -> None:
    rules = rules_of(tmp_path, CONDITIONS * 8)
    events = frame(happened(Random(3), 40))
    assert decided(rules, events, 20) == asked_in_full(rules, events)


def test_what_is_dear_is_asked_only_where_a_rule_asks_it(tmp_path: Path) -> None:
    rules = rules_of(tmp_path, ["minted and policies", "exec and strong"])
    sieve = Sieve(rules.pack.rules, ())
    asked: Counter[str] = Counter()
    told = {"trailwarden.recalled.credential.minted_by": "ann"}

    def ask(events: pl.DataFrame, wanted: Collection[str]) -> pl.DataFrame:
        asked.update(dict.fromkeys(wanted, events.height))
        schema = {name: RECALLED_DTYPES[name] for name in wanted}
        return pl.DataFrame({name: [told.get(name)] * events.height for name in wanted}, schema)

    events = frame([event(n, user="ann") for n in range(5)]).select(OWN)
    both = pl.Series(ASKS, [1, 1, 2, 2, 2], dtype=pl.UInt64)
    left = sieve.sifted(events.with_columns(both), ask)
    assert left[ASKS].to_list() == [1, 1]
    assert {name.removeprefix("trailwarden.recalled."): n for name, n in asked.items()} == {
        "credential.minted_by": 5,
        "target_pod.privileged": 5,
        "namespace.policies": 2,
    }
    asked.clear()
    told.clear()
    assert sieve.sifted(events.with_columns(both), ask).is_empty()
    assert asked["trailwarden.recalled.namespace.policies"] == 0
