"""`trailwarden rules coverage`: a pack in, Markdown, JSON or a Navigator layer out.

Separate from the declaration of the command because it loads Polars.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import typer

from detectors.coverage import coverage_of
from detectors.navigator import navigator_layer
from trailwarden.coverage_markdown import coverage_lines
from trailwarden.exit_code import ExitCode
from trailwarden.rules_pack import load

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from detectors.catalogue import Entry
    from detectors.coverage import Coverage, Detections

LAYER: str = "Trailwarden"


def run_coverage(folders: Sequence[Path], config: Path | None, output: str) -> ExitCode:
    """Print the coverage of the pack."""
    coverage = coverage_of(load(folders, config).pack)
    if output == "navigator":
        _print_json(navigator_layer(coverage, LAYER))
    elif output == "json":
        _print_json(_as_json(coverage))
    else:
        typer.echo("\n".join(("# Coverage", "", *coverage_lines(coverage))))
    return ExitCode.OK


def _print_json(document: dict[str, Any]) -> None:
    typer.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2))


def _as_json(coverage: Coverage) -> dict[str, Any]:
    return {
        "detections": [
            {
                "id": one.id,
                "title": one.title,
                "category": one.category.value,
                "level": one.level.value,
                "waits_for": coverage.waiting.get(one.id),
            }
            for one in coverage.detections
        ],
        "techniques": {one.id: _ids(found) for one, found in coverage.techniques if found},
        "unknown_techniques": {name: _ids(found) for name, found in coverage.unknown_techniques},
        "threat_matrix": [
            {
                "id": one.id,
                "name": one.page,
                "url": one.url,
                "tactics": one.tactics,
                "detections": _ids(found),
            }
            for one, found in coverage.matrix
        ],
        "catalogue": [
            {
                "id": entry.id,
                "title": entry.title,
                "detections": finders,
                "without_rule": None if finders else entry.without_rule,
            }
            for entry, found in coverage.catalogue
            for finders in [[*_ids(found), *_learned(coverage, entry)]]
        ],
        "categories": {
            category.value: {level.value: number for level, number in levels.items()}
            for category, levels in coverage.categories.items()
        },
        "sources": {name: _ids(found) for name, found in coverage.sources.items()},
    }


def _learned(coverage: Coverage, entry: Entry) -> list[str]:
    """Return the id of the learned detector that finds it, if one does."""
    return [coverage.learned[entry.id].id] if entry.id in coverage.learned else []


def _ids(found: Detections) -> list[str]:
    return [one.id for one in found]
