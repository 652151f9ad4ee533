"""Findings leave in log order, each id once, whatever batches they came in."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from detectors.finding import Finding
from detectors.sigma.rule import Level
from worker import finding_order
from worker.finding_order import FindingOrder

START = datetime(2026, 11, 21, 10, tzinfo=UTC)


def finding(identifier: str, second: int, event: str) -> Finding:
    micros = (int(START.timestamp()) + second) * 1_000_000
    return Finding(identifier, (micros, event), Level.HIGH, {"event": event})


def test_the_first_in_log_order_stands_for_an_act() -> None:
    order = FindingOrder()
    order.add([finding("act", 5, "pod"), finding("act", 3, "person"), finding("act", 9, "later")])
    assert [found.document["event"] for found in order.release(None)] == ["person"]
    order.add([finding("act", 20, "again")])
    assert order.release(None) == []


def test_findings_wait_until_the_watermark_has_passed_them() -> None:
    order = FindingOrder()
    order.add([finding("a", 10, "x"), finding("b", 2, "y")])
    assert [f.id for f in order.release(START + timedelta(seconds=5))] == ["b"]
    assert [f.id for f in order.release(START + timedelta(seconds=10))] == ["a"]


def test_any_cut_into_batches_gives_the_same_order() -> None:
    found = [finding(f"f{i % 17}", i % 7, f"e{i:03}") for i in range(100)]
    results = set()
    for seed in range(10):
        shuffled = random.Random(seed).sample(found, len(found))
        order = FindingOrder()
        for start in range(0, 100, 9):
            order.add(shuffled[start : start + 9])
        results.add(tuple((f.id, f.order) for f in order.release(None)))
    assert len(results) == 1


def test_memory_is_bounded_and_counts_what_it_forgets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding_order, "MAX_IDS", 3)
    monkeypatch.setattr(finding_order, "MAX_WAITING", 5)
    order = FindingOrder()
    order.add([finding(str(i), i, "e") for i in range(20)])
    assert len(order.release(START - timedelta(days=1))) == 15
    assert order.evicted == 12
