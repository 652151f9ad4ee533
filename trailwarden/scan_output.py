"""What a scan prints: progress while it runs, then findings and accounts.

Separate from the command because it is about people: the table goes to standard output, progress
and warnings to standard error, colours only to a terminal.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from detectors.sigma.rule import Level
from ingest.visible import visible
from worker.settings import DEFAULT_CLUSTER, ScanSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from detectors.finding import Finding
    from worker.accounts import Accounts
    from worker.scan import ScanResult

ROWS: Final = 25
"""Groups of findings in the table: a screenful; the report has all."""

_NAMES_SHOWN: Final = 3

_STYLES: Final = {
    "critical": "bold white on red",
    "high": "bold red",
    "medium": "yellow",
    "low": "cyan",
    "informational": "dim",
}


@contextmanager
def progress_of(paths: Sequence[str]) -> Iterator[Callable[[int], None]]:
    """Show a bar over the bytes of the inputs, on a terminal only."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    columns = (TextColumn("reading"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("read", total=_size(paths))
        yield lambda size: progress.advance(task, size)


def _size(paths: Sequence[str]) -> int | None:
    """Return the bytes of the inputs, None where they cannot be known."""
    total = 0
    for path in paths:
        if path == "-" or not os.path.exists(path):  # noqa: PTH110 - a path as given
            return None
        if os.path.isfile(path):  # noqa: PTH113 - as above
            total += os.path.getsize(path)  # noqa: PTH202 - as above
        for folder, _, names in os.walk(path):
            total += sum(os.path.getsize(os.path.join(folder, n)) for n in names)  # noqa: PTH118,PTH202 - as above
    return total


def print_result(result: ScanResult, settings: ScanSettings) -> None:
    """Print the findings, most severe first, and what was read."""
    console = Console(highlight=False)
    accounts = result.accounts
    if settings.cluster == DEFAULT_CLUSTER and not settings.cluster_from_file:
        console.print(
            f"No --cluster given: it is named {DEFAULT_CLUSTER!r}, or as a cloud's envelope says."
        )
    if result.findings:
        console.print(_table(result.findings, console.width))
    console.print(_found(accounts))
    for line in _read(accounts, len(result.rules.pack.reporting)):
        console.print(Text(line))
    for problem in accounts.problems:
        text = f"Not read: {visible(problem.path)}: {visible(problem.message)}"
        console.print(Text(text, style="yellow"), soft_wrap=True)
    for text in (
        f"Report:  {settings.out / 'report.html'}",
        f"Results: {settings.out}/findings.ndjson, events.parquet, quarantine.ndjson",
    ):
        console.print(Text(text), soft_wrap=True)


def _table(found: Sequence[Finding], width: int) -> Table:
    """One row for each rule and actor: sixty of a kind must not bury the rest."""
    groups: dict[tuple[str, object], list[Finding]] = {}
    ranks = {level: rank for rank, level in enumerate(reversed(Level))}
    for finding in sorted(found, key=lambda one: (ranks[one.level], one.order)):
        key = (finding.document["rule.id"], finding.document.get("user.name"))
        groups.setdefault(key, []).append(finding)
    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False, width=width)
    for column in ("severity", "time (UTC)", "n"):
        table.add_column(column, no_wrap=True, justify="right" if column == "n" else "left")
    table.add_column("what happened", overflow="fold", ratio=1)
    for group in list(groups.values())[:ROWS]:
        table.add_row(*_row(group))
    if len(groups) > ROWS:
        table.add_row("", "", "", f"... and {len(groups) - ROWS} more kinds: see the report")
    return table


def _row(group: list[Finding]) -> tuple[Text, str, str, Text]:
    first = group[0]
    time = str(first.document["@timestamp"] or "")[:19].replace("T", " ")
    severity = Text(first.level.value, style=_STYLES[first.level.value])
    return severity, time, str(len(group)), Text(first.document["message"])


def _found(accounts: Accounts) -> Text:
    total = accounts.findings.total()
    if not total:
        return Text("No findings.")
    counts = [(accounts.findings[level.value], level.value) for level in reversed(Level)]
    parts = ", ".join(f"{count:,} {level}" for count, level in counts if count)
    return Text(f"\n{_counted(total, 'finding')}: {parts}.", style="bold")


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMES_SHOWN
    shown = ", ".join(visible(name) for name in sorted(names)[:_NAMES_SHOWN])
    return f"{shown} and {more} more" if more > 0 else shown


def _read(accounts: Accounts, rules: int) -> Iterator[str]:
    yield (
        f"Read {_counted(accounts.records, 'record')} from {_counted(accounts.files, 'file')}"
        f" of {_counted(len(accounts.clusters), 'cluster')}: {_counted(accounts.events, 'event')},"
        f" {_counted(accounts.repeats, 'repeat')}, {accounts.refused.total():,} quarantined;"
        f" {_counted(rules, 'rule')}."
    )
    if not accounts.records:
        yield "Nothing was read: no input held a single record."
    if accounts.first and accounts.last:
        first, last = (f"{time:%Y-%m-%d %H:%M:%S}" for time in (accounts.first, accounts.last))
        yield f"Events from {first} to {last} UTC."
    if accounts.unwanted:
        yield f"{_counted(accounts.unwanted, 'record')} about something else: passed over."
    if accounts.late:
        yield f"{_counted(accounts.late, 'event')} came late: behind the time the log had reached."
    if accounts.with_issues:
        yield f"{_counted(accounts.with_issues, 'event')} had something wrong, yet were evaluated."
    if accounts.unjudged:
        yield f"Too little to say what is unusual behaviour in {_listed(accounts.unjudged)}."
    for model, count in sorted(accounts.silent.items()):
        yield f"{_counted(count, 'finding')} of {model}, which is only tried: in no file."
    for reason, count in accounts.refused.most_common():
        yield f"Quarantined: {count:,} {reason}."
