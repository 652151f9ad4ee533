"""A rule that asks what is recalled, before anybody knows: where it may hold, and only there."""

from __future__ import annotations

from pathlib import Path

import pytest

from detectors.engine import detect
from detectors.possible import possible, recalls
from detectors.sigma.compiler import load_pack
from detectors.sigma.pack import Pack
from detectors.sigma.rule import Rule
from tests.detectors.entities.world import event, frame

HEAD = """title: Asks
id: 7c1cf0b0-38a7-4a6f-9a0a-3a6a38f0a111
status: test
description: For tests.
author: Trailwarden authors
date: 2026-11-22
falsepositives: [None are known.]
level: high
logsource: {product: kubernetes, service: audit}
detection:
"""
SELECTIONS = {
    "exec": "{event.action: exec}",
    "shop": "{orchestrator.namespace: shop}",
    "privileged": "{trailwarden.recalled.target_pod.privileged: true}",
    "of_size": "{trailwarden.pod_spec.replicas|gte: 5}",
    "on_node": "{trailwarden.recalled.target_pod.node: node-1}",
}
EVENTS = frame(
    [
        event(0, action="exec", namespace="shop"),
        event(1, action="exec", namespace="bank"),
        event(2, action="get", namespace="shop"),
        event(3, action="get", namespace="bank"),
    ]
)


def pack_of(folder: Path, condition: str) -> Pack:
    """Return a pack of one rule with the selections that its condition names."""
    named = [f"  {name}: {test}\n" for name, test in SELECTIONS.items() if name in condition]
    path = folder / "rule.yml"
    path.write_text(f"{HEAD}{''.join(named)}  condition: {condition}\n")
    return load_pack([path])


def rule_of(folder: Path, condition: str) -> Rule:
    (rule,) = pack_of(folder, condition).rules
    return rule


def test_what_decides_nothing_any_more_is_not_asked_for(tmp_path: Path) -> None:
    """Values of a pod spec are told with a hit: of columns that the question has left."""
    asked = possible(rule_of(tmp_path, "exec and (privileged or of_size)"))
    assert "trailwarden.pod_spec.replicas" not in asked.columns
    assert detect(EVENTS, [asked])["row"].to_list() == [0, 1]


@pytest.mark.parametrize(
    ("condition", "rows"),
    [
        ("exec and privileged", [0, 1]),
        ("exec and not privileged", [0, 1]),
        ("exec or privileged", [0, 1, 2, 3]),
        ("exec and shop and (privileged or on_node)", [0]),
        ("shop and not (exec or privileged)", [2]),
        ("exec and not (shop and privileged)", [0, 1]),
        ("shop and not (exec and not privileged)", [0, 2]),
    ],
)
def test_it_holds_wherever_the_rule_could(tmp_path: Path, condition: str, rows: list[int]) -> None:
    rule = rule_of(tmp_path, condition)
    assert recalls(rule)
    asked = possible(rule)
    assert not recalls(asked)
    assert detect(EVENTS, [asked])["row"].to_list() == rows
    assert EVENTS.select(asked.condition.alias("holds"))["holds"].arg_true().to_list() == rows


def test_a_rule_that_asks_nothing_is_itself(tmp_path: Path) -> None:
    rule = rule_of(tmp_path, "exec and shop")
    assert not recalls(rule)
    assert possible(rule) is rule
