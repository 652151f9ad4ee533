"""What is sent to another process means there what it meant here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from detectors.correlation.plan import Plan
from detectors.correlation.sent import SENT, Sent, sent, taken
from detectors.engine import detect
from detectors.ruleset import Ruleset, ruleset
from detectors.sigma.compiler import load_pack
from ingest.schema import DTYPES

HEAD = """
status: test
description: For tests.
author: Trailwarden authors
date: 2026-11-21
falsepositives: [None are known.]
level: medium
"""


def base(name: str, action: str) -> str:
    return (
        f"name: {name}\ntitle: {name}\nlogsource: {{product: kubernetes, service: audit}}\n"
        f"detection: {{asked: {{event.action: {action}}}, condition: asked}}\n---\n"
    )


def across(number: int, lines: str, *actions: str) -> str:
    bases = "".join(base(f"{action}_{number}", action) for action in actions)
    names = ", ".join(f"{action}_{number}" for action in actions)
    return (
        f"{bases}title: Across {number}\nid: 00000000-0000-4000-8000-{number:012}\n{HEAD}"
        f"correlation:\n  rules: [{names}]\n  timespan: 5m\n{lines}"
        "trailwarden: {across_clusters: true}\n"
    )


EITHER = across(
    1,
    "  type: temporal\n  group-by: [user.name]\n  condition: get_1 and (create_1 or delete_1)\n",
    *("get", "create", "delete"),
)
COUNT = across(2, "  type: event_count\n  group-by: [user.name]\n  condition: {gte: 2}\n", "get")
PEERS = across(
    3,
    "  type: first_seen\n  group-by: [user.name]\n  peers: [trailwarden.identity.type]\n"
    "  condition: {field: source.ip}\n  learning: {events: 3, time: 0s}\n",
    "get",
)


def rules(folder: Path, *files: str) -> Ruleset:
    folder.mkdir()
    for number, text in enumerate(files):
        (folder / f"{number}.yml").write_text(text)
    return ruleset(load_pack([folder]))


def events(*rows: tuple[str, str]) -> pl.DataFrame:
    """Return events of (action, user)."""
    values: dict[str, list[Any]] = {name: [None] * len(rows) for name in DTYPES}
    values |= {
        "event.id": [f"{n:032x}" for n in range(len(rows))],
        "event.action": [action for action, _ in rows],
        "user.name": [user for _, user in rows],
        "source.ip": ["192.0.2.1"] * len(rows),
        "trailwarden.identity.type": ["human"] * len(rows),
        "orchestrator.cluster.name": [f"c{n}" for n in range(len(rows))],
        "event.dataset": ["kubernetes.audit"] * len(rows),
    }
    found = pl.DataFrame(values, schema=DTYPES)
    time = pl.int_range(pl.len()).cast(DTYPES["@timestamp"]).alias("@timestamp")
    return found.with_columns(time)


def sent_by(loaded: Ruleset, *rows: tuple[str, str]) -> Sent:
    made = events(*rows)
    columns = ("event.id", "user.name", "no.such.column")
    return sent(made, detect(made, loaded.pack.rules), loaded.across, columns)


def named(plan: Plan, rows: pl.DataFrame) -> list[tuple[str, int, int, str]]:
    """Return (correlation, number of its window, base, event) of rows, sorted."""
    units = plan.units.select("unit", "correlation")
    about = rows.join(units, on="unit").sort("unit", "base", "event")
    parts = {
        unit: list(units.filter(pl.col("correlation") == index)["unit"]).index(unit)
        for unit, index in units.iter_rows()
    }
    return sorted(
        (plan.correlations[index].id[-1], parts[unit], b, event)
        for unit, index, b, event in about.select("unit", "correlation", "base", "event").rows()
    )


def test_it_is_the_same_in_a_pack_of_another_order(tmp_path: Path) -> None:
    here = rules(tmp_path / "here", EITHER, COUNT, PEERS)
    there = rules(tmp_path / "there", PEERS, COUNT, EITHER)
    found = sent_by(here, ("get", "alice"), ("create", "bob"), ("delete", "alice"))
    assert found.signals.columns == list(SENT)
    again, back = taken(found.signals, there.across), taken(found.signals, here.across)
    assert named(there.across, again) == named(here.across, back)
    numbers = {(one, part) for one, part, *_ in named(there.across, again)}
    assert numbers == {("1", 0), ("1", 1), ("2", 0), ("3", 0)}
    assert again["row"].sort().to_list() == list(range(found.signals.height))
    assert found.documents["event.id"].to_list() == found.signals["event"].to_list()
    assert found.documents.columns == ["event.id", "user.name"]


def test_signals_of_a_changed_correlation_or_of_none_are_left_out(tmp_path: Path) -> None:
    here = rules(tmp_path / "here", COUNT, EITHER)
    there = rules(tmp_path / "there", COUNT.replace("gte: 2", "gte: 3"), EITHER)
    found = sent_by(here, ("get", "alice"))
    assert {one for one, *_ in named(here.across, taken(found.signals, here.across))} == {"1", "2"}
    assert {one for one, *_ in named(there.across, taken(found.signals, there.across))} == {"1"}
    assert taken(found.signals, rules(tmp_path / "none", PEERS).across).is_empty()


def test_a_groups_signals_stay_together_and_those_of_peers_all_do(tmp_path: Path) -> None:
    loaded = rules(tmp_path / "rules", EITHER, COUNT, PEERS)
    found = sent_by(loaded, ("get", "alice"), ("create", "alice"), ("get", "bob"))
    whose = found.documents["user.name"]
    ids = {one.content_hash: one.id[-1] for one in loaded.across.correlations}
    names: dict[tuple[str, str], set[str]] = {}
    for content, user, name in zip(
        found.signals["correlation"], whose, found.together, strict=True
    ):
        names.setdefault((ids[content], user), set()).add(name)
    assert all(len(one) == 1 for one in names.values())
    assert names["3", "alice"] == names["3", "bob"]
    assert len({next(iter(one)) for one in names.values()}) == len(names) - 1


def test_nothing_gives_nothing(tmp_path: Path) -> None:
    found = sent_by(rules(tmp_path / "rules", COUNT))
    assert (found.signals.height, found.documents.height, len(found.together)) == (0, 0, 0)
