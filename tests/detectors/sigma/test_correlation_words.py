"""A correlation in sentences: every type says its window, its group and when it matches."""

from __future__ import annotations

from pathlib import Path

import pytest

from detectors.sigma.compiler import load_pack
from detectors.sigma.correlation_words import sentences, span

BASES = """\
title: a
name: a
logsource: {product: kubernetes}
detection: {x: {verb: get}, condition: x}
---
title: b
name: b
logsource: {product: kubernetes}
detection: {x: {verb: delete}, condition: x}
---
title: A correlation
id: 0a0a0a0a-0000-4000-8000-000000000001
correlation:
"""


@pytest.mark.parametrize(
    ("section", "match"),
    [
        (
            "type: event_count, rules: [a, b], timespan: 90s, condition: {gte: 3, lt: 9}",
            (
                "It matches when, within any 90 seconds, the number of events is at least 3 and "
                "less than 9."
            ),
        ),
        (
            (
                "type: value_count, rules: [a, b], timespan: 1h, "
                "condition: {field: objectRef.name, gt: 3}"
            ),
            (
                "It matches when, within any 1 hour, the number of different values of "
                "kubernetes.audit.objectRef.name is more than 3."
            ),
        ),
        (
            "type: value_sum, rules: [a, b], timespan: 1d, condition: {field: file.size, gte: 5}",
            "It matches when, within any 1 day, the sum of file.size is at least 5.",
        ),
        (
            "type: value_avg, rules: [a, b], timespan: 2m, condition: {field: file.size, lte: 5}",
            "It matches when, within any 2 minutes, the average of file.size is at most 5.",
        ),
        (
            (
                "type: value_percentile, rules: [a, b], timespan: 2m, "
                "condition: {field: file.size, percentile: 95, gt: 5}"
            ),
            (
                "It matches when, within any 2 minutes, the 95th percentile of file.size is more "
                "than 5."
            ),
        ),
        (
            "type: temporal, rules: [a, b], timespan: 7d",
            "It matches when all of them match within 7 days, in any order.",
        ),
        (
            "type: temporal, rules: [a, b], timespan: 7d, condition: a or b",
            "It matches when a or b match within 7 days, in any order.",
        ),
        (
            "type: temporal_ordered, rules: [a, b], timespan: 5m",
            "It matches when all of them match in this order within 5 minutes.",
        ),
        (
            "type: absence, rules: [a, b], timespan: 5m",
            "It matches when a is not followed by b within 5 minutes.",
        ),
        (
            (
                "type: first_seen, rules: [a, b], timespan: 30d, condition: {field: source.ip}, "
                "peers: [trailwarden.identity.type], learning: {events: 50, time: 1h}"
            ),
            (
                "It matches when a group shows source.ip that it did not show for 30 days, once 50 "
                "events over 1 hour (in a scan, only the events) of it are known; until then its "
                "peers are asked, those with the same trailwarden.identity.type."
            ),
        ),
    ],
)
def test_when_it_matches(tmp_path: Path, section: str, match: str) -> None:
    lines = "".join(f"  {part}\n" for part in split(f"group-by: [user.username], {section}"))
    (tmp_path / "rule.yml").write_text(BASES + lines)
    (correlation,) = load_pack([tmp_path]).correlations
    said = list(sentences(correlation))
    assert said[0] == "It joins: a, b."
    assert said[1] == "Events with the same user.name are a group, in each cluster."
    assert said[2] == match
    assert len(said) == (3 if "first_seen" in section else 4)


def split(section: str) -> list[str]:
    """Split at commas that stand in no brackets."""
    parts, depth = [""], 0
    for character in section:
        depth += (character in "[{") - (character in "]}")
        if character == "," and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


def test_without_a_group_the_cluster_is_one_and_clusters_may_be_joined(tmp_path: Path) -> None:
    section = "  type: event_count\n  rules: [a, b]\n  timespan: 1m\n  condition: {gte: 3}\n"
    file = tmp_path / "rule.yml"
    file.write_text(BASES + section)
    assert list(sentences(load_pack([file]).correlations[0]))[1] == (
        "All events in each cluster are one group."
    )
    file.write_text(BASES + section + "trailwarden: {across_clusters: true}\n")
    assert list(sentences(load_pack([file]).correlations[0]))[1] == (
        "All events in all clusters together are one group."
    )


def test_one_base_that_falls_silent(tmp_path: Path) -> None:
    text = BASES.replace("name: b\nlog", "name: c\nlog").split("---\n")
    section = "  type: absence\n  rules: [a]\n  timespan: 5m\n"
    (tmp_path / "rule.yml").write_text("---\n".join((text[0], text[2])) + section)
    (correlation,) = load_pack([tmp_path]).correlations
    assert "It matches when a, seen before, is not seen for 5 minutes." in sentences(correlation)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(1, "1 second"), (60, "1 minute"), (90, "90 seconds"), (3_600, "1 hour"), (172_800, "2 days")],
)
def test_a_duration_has_the_largest_whole_unit(seconds: int, said: str) -> None:
    assert span(seconds * 1_000_000) == said
