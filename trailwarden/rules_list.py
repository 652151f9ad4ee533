"""`trailwarden rules list`: a pack in, a table or JSON out.

Separate from the declaration of the command because it loads Polars.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from detectors.coverage import sources_of
from detectors.message import printable
from detectors.sigma.correlation import Correlation
from detectors.sigma.rule import Level
from trailwarden.exit_code import ExitCode
from trailwarden.rules_pack import load

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from detectors.sigma.pack import Detection, Pack

ID_SHOWN = 8
"""Characters of an id in the table: enough to be the only one, and enough for `explain`."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rules; an empty set is all."""

    categories: frozenset[str] = frozenset()
    levels: frozenset[str] = frozenset()
    catalogue: frozenset[str] = frozenset()
    with_silent: bool = False


def run_list(
    folders: Sequence[Path], config: Path | None, wanted: Wanted, *, as_json: bool
) -> ExitCode:
    """Print the rules that are wanted, the most severe first."""
    pack = load(folders, config).pack
    found = sorted(_found(pack, wanted), key=_order)
    rows = [_row(one, pack) for one in found]
    if as_json:
        typer.echo(orjson.dumps(rows, option=orjson.OPT_INDENT_2))
    else:
        _print(rows)
    return ExitCode.OK if rows else ExitCode.INPUT_UNREADABLE


def _found(pack: Pack, wanted: Wanted) -> Iterator[Detection]:
    every: tuple[Detection, ...] = (*pack.rules, *pack.correlations, *pack.waiting)
    for one in every:
        if (
            (wanted.with_silent or one.id not in pack.silent)
            and (not wanted.categories or one.category.value in wanted.categories)
            and (not wanted.levels or one.level.value in wanted.levels)
            and (not wanted.catalogue or wanted.catalogue & {*one.catalogue})
        ):
            yield one


def _order(detection: Detection) -> tuple[str, int, str]:
    severity = list(Level).index(detection.level)
    return (detection.category.value, -severity, detection.title)


def _row(detection: Detection, pack: Pack) -> dict[str, Any]:
    kind = detection.type.value if isinstance(detection, Correlation) else "rule"
    return {
        "id": detection.id,
        "title": detection.title,
        "level": detection.level.value,
        "category": detection.category.value,
        "type": kind,
        "sources": list(sources_of(detection, pack)),
        "techniques": list(detection.techniques),
        "catalogue": list(detection.catalogue),
        "file": str(detection.file),
        "silent": detection.id in pack.silent,
        "waits_for": dict(pack.inactive).get(detection.id),
    }


def _print(rows: list[dict[str, Any]]) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("id", no_wrap=True)
    table.add_column("level", no_wrap=True)
    table.add_column("rule")
    for row in rows:
        title = Text(printable(row["title"]))
        title.append(f"\n{printable(_about(row))}", style="dim")
        table.add_row(row["id"][:ID_SHOWN], row["level"], title)
    Console(soft_wrap=False).print(table)
    waiting = sum(row["waits_for"] is not None for row in rows)
    typer.echo(f"{len(rows)} rules, {waiting} of them waiting for a site list", err=True)


def _about(row: dict[str, Any]) -> str:
    parts = [row["category"], row["type"], ", ".join(row["sources"])]
    parts += [" ".join(row["techniques"]), " ".join(row["catalogue"])]
    if row["silent"]:
        parts.append("silent: others build on it")
    if row["waits_for"]:
        parts.append(f"inactive: waits for the site list {row['waits_for']}")
    return "; ".join(part for part in parts if part)
