"""What a replay prints and writes as a summary: counts by rule, samples, noise, speed.

Separate from the command because it is about people and scripts, not about options.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from detectors.finding import iso_time
from detectors.message import printable
from ingest.schema import DTYPES
from worker.replay_span import BEGINNING, END

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from detectors.ruleset import Ruleset
    from worker.replay import ReplayResult
    from worker.replay_comparison import RuleCounts

_KINDS: Final = (("gained", "+"), ("lost", "-"), ("found", " "))


@contextmanager
def progress_bar() -> Iterator[Callable[[int, int], None]]:
    """Show a bar over the events to read, on a terminal only."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda *_: None
        return
    columns = (
        TextColumn("events"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("read", total=None)
        yield lambda rows, total: progress.update(task, advance=rows, total=total)


@dataclass(frozen=True, slots=True)
class Noise:
    """How many findings of a rule a day has; days without any event do not count."""

    mean: float
    worst_day: str | None
    worst: int


def noise_of(counts: RuleCounts, days: int) -> Noise:
    """Return the noise of the new rules."""
    if not counts.days:
        return Noise(0.0, None, 0)
    day, worst = max(counts.days.items(), key=lambda pair: (pair[1], pair[0]))
    return Noise(round(sum(counts.days.values()) / max(days, len(counts.days)), 2), day, worst)


def summary_of(result: ReplayResult, new: Ruleset, old: Ruleset | None) -> dict[str, Any]:
    """Return all that is known at the end, for machines."""
    span = result.span
    return {
        "from": None if span.start == BEGINNING else iso_time(span.start),
        "to": None if span.end == END else iso_time(span.end),
        "clusters": sorted(span.clusters) or None,
        "rules_hash": new.hash,
        "baseline_hash": old.hash if old else None,
        "memory": {
            "needed_s": result.memory_needed.total_seconds(),
            "is_cut": result.is_memory_cut,
            "first_event": iso_time(result.first),
        },
        "events": result.events,
        "late": result.late,
        "last_event": iso_time(result.last),
        "days": len(result.days),
        "columns_read": result.columns,
        "cpu_s": round(result.cpu_s, 3),
        "wall_s": round(result.wall_s, 3),
        "events_per_cpu_s": _rate(result.events, result.cpu_s),
        "times_as_fast_as_recorded": _rate(result.recorded.total_seconds(), result.wall_s),
        "evicted": dict(result.evicted),
        "unread": [{"file": str(one.path), "detail": one.detail} for one in result.unread],
        "totals": {
            name: sum(getattr(counts, name) for counts in result.rules.values())
            for name in ("old", "new", "gained", "lost", "releveled")
        },
        "rules": [_rule(counts, len(result.days)) for counts in _ordered(result)],
    }


def summary_text(summary: dict[str, Any]) -> bytes:
    """Return the summary as indented JSON."""
    return orjson.dumps(summary, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _rate(number: float, seconds: float) -> int:
    return round(number / seconds) if seconds > 0 else 0


def _rule(counts: RuleCounts, days: int) -> dict[str, Any]:
    noise = noise_of(counts, days)
    return {
        "id": counts.id,
        "title": counts.title,
        "level": counts.level,
        "old": counts.old,
        "new": counts.new,
        "gained": counts.gained,
        "lost": counts.lost,
        "releveled": counts.releveled,
        "a_day": noise.mean,
        "worst_day": noise.worst_day,
        "on_worst_day": noise.worst,
        "by_day": dict(sorted(counts.days.items())),
        "samples": {kind: counts.messages(kind) for kind, _ in _KINDS if counts.messages(kind)},
    }


def _ordered(result: ReplayResult) -> list[RuleCounts]:
    """Return what changed most first, then what is loudest."""
    return sorted(
        result.rules.values(),
        key=lambda one: (-(one.gained + one.lost), -one.releveled, -one.new, one.title, one.id),
    )


def print_result(result: ReplayResult, out: Path) -> None:
    """Print a table by rule, samples of what changed, and what was read."""
    console = Console(highlight=False)
    if result.rules:
        console.print(_table(result, console.width))
    for line in (*_samples(result), *_totals(result), *_read(result)):
        console.print(line, soft_wrap=True)
    console.print(f"Results: {out}/gained.ndjson, lost.ndjson, summary.json", soft_wrap=True)


def _table(result: ReplayResult, width: int) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", width=width)
    for column in ("baseline", "new", "gained", "lost", "level", "a day", "worst day"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("rule", overflow="fold", ratio=1)
    for counts in _ordered(result):
        noise = noise_of(counts, len(result.days))
        figures = [counts.old, counts.new, counts.gained, counts.lost, counts.releveled]
        worst = f"{noise.worst:,} on {noise.worst_day}" if noise.worst_day else ""
        cells = [f"{figure:,}" for figure in figures]
        if not result.compared:
            cells[0] = cells[3] = cells[4] = ""
        style = "bold" if counts.gained or counts.lost or counts.releveled else "dim"
        title = f"{printable(counts.title)} ({counts.level})"
        table.add_row(*cells, f"{noise.mean:,.1f}", worst, Text(title, style=style))
    return table


def _samples(result: ReplayResult) -> Iterator[Text]:
    for counts in _ordered(result):
        shown = [(sign, text) for kind, sign in _KINDS[:2] for text in counts.messages(kind)]
        if shown:
            yield Text(f"\n{printable(counts.title)}", style="bold")
        for sign, text in shown:
            yield Text(f"  {sign} {text}", style="green" if sign == "+" else "red")


def _totals(result: ReplayResult) -> Iterator[Text]:
    every = list(result.rules.values())
    new, gained = sum(one.new for one in every), sum(one.gained for one in every)
    if result.compared:
        old, lost = sum(one.old for one in every), sum(one.lost for one in every)
        line = f"\n{new:,} findings, {old:,} of the baseline: {gained:,} gained, {lost:,} lost"
        releveled = sum(one.releveled for one in every)
        yield Text(f"{line}, {releveled:,} at another level.", style="bold")
    else:
        yield Text(f"\n{new:,} findings; compared with nothing.", style="bold")


def _read(result: ReplayResult) -> Iterator[str]:
    if not result.events:
        yield "Nothing was read: the archive has no event of that time."
        return
    yield (
        f"Read {result.events:,} events ({result.late:,} late), {result.columns} of "
        f"{len(DTYPES)} columns, of {result.first:%Y-%m-%d %H:%M:%S} to "
        f"{result.last:%Y-%m-%d %H:%M:%S} UTC."
    )
    if result.is_memory_cut:
        yield (
            f"Rules look back {_days(result.memory_needed.total_seconds())} before the span, the "
            "events read less: what is new there, or goes on there, may look different."
        )
    yield (
        f"{result.wall_s:,.1f} s, {_rate(result.recorded.total_seconds(), result.wall_s):,} times "
        f"faster than it was recorded; {_rate(result.events, result.cpu_s):,} events a second of "
        "CPU."
    )
    for what, count in result.evicted.items():
        yield f"State was full: {count:,} of {what} were dropped before their time."


def _days(seconds: float) -> str:
    hours = seconds / 3_600
    return f"{hours / 24:,.0f} days" if hours >= 48 else f"{hours:,.1f} hours"  # noqa: PLR2004
