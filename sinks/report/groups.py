"""All findings in, groups of one rule and one severity out, and which of them are shown one by one.

Separate because it answers two questions that no chart asks: how sixty findings of one kind do not
bury the rest (they share a group, and what they say of their rule is said once), and what is left
out when there are more than one page can carry.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from sinks.report.finding import Context, Finding
    from sinks.report.model import Severity

# Each group shows this many before the rest of the room goes to the most severe: a flood of one
# kind must not take the detail of a single finding of another.
_FAIR_SHARE: Final = 5
_ANCHOR_LENGTH: Final = 64


@dataclass(frozen=True, slots=True)
class Entry:
    """A finding in detail; `anchor` is its fragment, unique in the page."""

    anchor: str
    finding: Finding


@dataclass(frozen=True, slots=True)
class Group:
    """The findings of one rule at one severity; `context` is None where they do not agree."""

    anchor: str
    rule_id: str
    rule_name: str
    category: str
    severity: Severity
    count: int
    first: datetime | None
    last: datetime | None
    actors: tuple[str, ...]
    clusters: tuple[str, ...]
    context: Context | None
    entries: tuple[Entry, ...]


def group_findings(findings: Iterable[Finding], limit: int) -> tuple[Group, ...]:
    """Group the findings, the most severe and then the earliest first, `limit` of them in detail.

    A group without any detail is left out; `limit` therefore bounds the page. Sorting is the cost:
    n log n.
    """
    by_rule: dict[tuple[Severity, str], list[Finding]] = defaultdict(list)
    for finding in sorted(findings, key=lambda each: each.order):
        by_rule[finding.severity, finding.rule_id].append(finding)
    anchors = _Anchors()
    rules = sorted(by_rule.values(), key=lambda members: members[0].order)
    shown = _allot([len(members) for members in rules], limit)
    return tuple(
        _group(members, count, anchors)
        for members, count in zip(rules, shown, strict=True)
        if count
    )


def _allot(sizes: Sequence[int], limit: int) -> list[int]:
    """How many of each group are shown: a fair share of each, then the first groups' rest."""
    shown = [0] * len(sizes)
    for most in (_FAIR_SHARE, limit):
        for place, size in enumerate(sizes):
            more = min(size, most, shown[place] + limit) - shown[place]
            shown[place] += more
            limit -= more
    return shown


def _group(members: Sequence[Finding], shown: int, anchors: _Anchors) -> Group:
    first = members[0]
    times = [member.time for member in members if member.time]
    return Group(
        anchor=anchors.make("rule", f"{first.rule_id}-{first.severity}"),
        rule_id=first.rule_id,
        rule_name=first.rule_name,
        category=first.category,
        severity=first.severity,
        count=len(members),
        first=min(times, default=None),
        last=max(times, default=None),
        actors=_by_count(member.user for member in members),
        clusters=_by_count(member.cluster for member in members),
        context=_shared_context(members),
        entries=tuple(Entry(anchors.make("finding", each.id), each) for each in members[:shown]),
    )


def _shared_context(members: Sequence[Finding]) -> Context | None:
    first = members[0].context
    return first if all(member.context == first for member in members) else None


def _by_count(names: Iterable[str]) -> tuple[str, ...]:
    counts = Counter(names)
    return tuple(sorted(counts, key=lambda name: (-counts[name], name)))


class _Anchors:
    """Fragments that hold nothing but letters, digits, hyphens and underscores, each used once."""

    def __init__(self) -> None:
        self._used: Counter[str] = Counter()

    def make(self, kind: str, text: str) -> str:
        kept = "".join(char for char in text[:_ANCHOR_LENGTH] if _is_plain(char))
        anchor = f"{kind}-{kept or 'unnamed'}"
        self._used[anchor] += 1
        # A dot cannot come from `kept`, so a numbered anchor cannot meet another's own.
        return anchor if self._used[anchor] == 1 else f"{anchor}.{self._used[anchor]}"


def _is_plain(char: str) -> bool:
    return char in "-_" or (char.isascii() and char.isalnum())
