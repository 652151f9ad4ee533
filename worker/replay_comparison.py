"""Findings of two rulesets become counts by rule, and two files: what is gained and what is lost.

Separate from folding because it is a comparison of ids alone. A finding of one side waits for its
twin: an act may be found at its first stage by the one and at its last by the other. Documents wait
on disk, so that memory holds ids only.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, Final, Self

import orjson

from sinks.ndjson import NdjsonFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from detectors.finding import Finding
    from worker.replay_span import Span

SAMPLES: Final = 3
MAX_WAITING: Final = 1_000_000
"""Ids of one side that wait for the other, 150 MB; beyond, the oldest count as having none."""

_ID: Final = "trailwarden.finding.id"


@dataclass(slots=True)
class RuleCounts:
    """What one rule or correlation found."""

    id: str
    title: str
    level: str
    old: int = 0
    new: int = 0
    gained: int = 0
    lost: int = 0
    releveled: int = 0
    """Found by both, at another level."""
    days: Counter[str] = field(default_factory=Counter)
    """Findings of the new rules by day (UTC) of their event."""
    samples: dict[str, dict[str, str]] = field(default_factory=dict)
    """Messages of some by kind (gained, lost, found), by finding id."""

    def show(self, kind: str, finding: Finding) -> None:
        """Keep a message as a sample, if there are not enough."""
        shown = self.samples.setdefault(kind, {})
        if len(shown) < SAMPLES:
            shown[finding.id] = finding.document["message"]

    def messages(self, kind: str) -> list[str]:
        """Return the samples of a kind."""
        return list(self.samples.get(kind, {}).values())


class _Side:
    """Findings that only one side has so far, and the file that they go to."""

    def __init__(self, kind: str, path: Path) -> None:
        self.kind = kind
        self.path = path
        self.waiting: dict[str, str] = {}
        """Finding id -> level."""
        self.withdrawn: set[str] = set()
        self.evicted = 0
        self._spool = path.with_name(f"{path.name}.spool")
        self._stream: IO[bytes] = self._spool.open("wb")

    def add(self, finding: Finding) -> None:
        self._stream.write(orjson.dumps(finding.document, option=orjson.OPT_APPEND_NEWLINE))
        self.waiting[finding.id] = finding.level.value
        if len(self.waiting) > MAX_WAITING:
            del self.waiting[next(iter(self.waiting))]
            self.evicted += 1

    def withdraw(self, identifier: str) -> str | None:
        """Return the level of a finding that was waiting for its twin, which has come."""
        level = self.waiting.pop(identifier, None)
        if level is not None:
            self.withdrawn.add(identifier)
        return level

    def publish(self) -> None:
        """Write the file: what found no twin."""
        self._stream.close()
        with NdjsonFile(self.path) as file, self._spool.open("rb") as spooled:
            file.write(self._left(map(orjson.loads, spooled)))

    def close(self) -> None:
        self._stream.close()
        self._spool.unlink(missing_ok=True)

    def _left(self, documents: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        return (one for one in documents if one[_ID] not in self.withdrawn)


class Comparison:
    """Counts findings of a span, side by side. A context: leaves no unfinished file behind."""

    def __init__(self, out: Path, span: Span) -> None:
        out.mkdir(parents=True, exist_ok=True)
        self.rules: dict[str, RuleCounts] = {}
        self._span = span
        self._gained = _Side("gained", out / "gained.ndjson")
        self._lost = _Side("lost", out / "lost.ndjson")

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove what was only kept for the comparison."""
        self._gained.close()
        self._lost.close()

    @property
    def evicted(self) -> int:
        """Findings that no longer waited for a twin when the run ended."""
        return self._gained.evicted + self._lost.evicted

    def add_both(self, found: Iterable[Finding]) -> None:
        """Count findings of rules that both sides have."""
        for finding in self._within(found):
            counts = self._counted_new(finding)
            counts.old += 1
            counts.show("found", finding)

    def add(self, new: Iterable[Finding], old: Iterable[Finding]) -> None:
        """Count findings of rules that the sides do not share."""
        news = {finding.id: finding for finding in self._within(new)}
        olds = {finding.id: finding for finding in self._within(old)}
        for identifier, finding in olds.items():
            counts = self._of(finding)
            counts.old += 1
            twin = news.get(identifier)
            self._pair(finding, self._lost, self._gained, twin.level.value if twin else None)
        for identifier, finding in news.items():
            self._counted_new(finding)
            if identifier not in olds:
                self._pair(finding, self._gained, self._lost, None)

    def publish(self) -> None:
        """Write `gained.ndjson` and `lost.ndjson`."""
        self._gained.publish()
        self._lost.publish()

    def _pair(self, finding: Finding, mine: _Side, other: _Side, twin: str | None) -> None:
        counts = self._of(finding)
        level = twin or other.withdraw(finding.id)
        if level is None:
            mine.add(finding)
            self._count(counts, mine.kind, 1)
            counts.show(mine.kind, finding)
            return
        counts.releveled += level != finding.level.value
        counts.show("found", finding)
        if twin is None:
            self._count(counts, other.kind, -1)
            counts.samples.get(other.kind, {}).pop(finding.id, None)

    @staticmethod
    def _count(counts: RuleCounts, kind: str, by: int) -> None:
        counts.gained += by * (kind == "gained")
        counts.lost += by * (kind == "lost")

    def _counted_new(self, finding: Finding) -> RuleCounts:
        counts = self._of(finding)
        counts.new += 1
        counts.days[finding.document["@timestamp"][:10]] += 1
        return counts

    def _within(self, found: Iterable[Finding]) -> Iterator[Finding]:
        return (one for one in found if self._span.holds(one.document["@timestamp"]))

    def _of(self, finding: Finding) -> RuleCounts:
        document = finding.document
        identifier = document["rule.id"]
        if identifier not in self.rules:
            self.rules[identifier] = RuleCounts(
                identifier, document["rule.name"], document["trailwarden.rule_level"]
            )
        return self.rules[identifier]
