"""`trailwarden models list|show`: a registry in, a table, lines or JSON out.

Separate from what changes a registry because this only reads. A model's texts are of whoever
trained it: what cannot be seen in them is made visible.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import orjson
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from detectors.message import printable
from models.store import ModelRefusedError
from trailwarden.exit_code import ExitCode
from trailwarden.models_place import with_registry

if TYPE_CHECKING:
    from datetime import datetime

    from models.store import Model
    from models.store.pointer import Pointer
    from models.store.registry import Registry
    from trailwarden.models_place import Place


def run_list(place: Place, *, as_json: bool) -> ExitCode:
    """Print the versions of all models."""

    def run(registry: Registry) -> ExitCode:
        rows = [
            _row(registry, name, version)
            for name in registry.names()
            for version in registry.versions(name)
        ]
        if as_json:
            typer.echo(orjson.dumps(rows, option=orjson.OPT_INDENT_2))
        else:
            _print(rows)
        is_good = all(row["refused"] is None for row in rows)
        return ExitCode.OK if is_good else ExitCode.INPUT_UNREADABLE

    return with_registry(place, run)


def run_show(place: Place, name: str, version: str | None, *, as_json: bool) -> ExitCode:
    """Print one version, the champion if none is named."""

    def run(registry: Registry) -> ExitCode:
        model = registry.current(name) if version is None else registry.load(name, version)
        uses = _uses(registry.pointer(name), model.manifest.version)
        document = {"uses": uses, "sha256": model.sha256, **_document(model)}
        if as_json:
            typer.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2))
        else:
            for line in _lines(document):
                typer.echo(line)
        return ExitCode.OK

    return with_registry(place, run)


def _row(registry: Registry, name: str, version: str) -> dict[str, Any]:
    try:
        manifest = registry.load(name, version).manifest
        uses = _uses(registry.pointer(name), version)
    except ModelRefusedError as error:
        return {"name": name, "version": version, "refused": str(error)}
    return {
        "name": name,
        "version": version,
        "kind": manifest.kind,
        "uses": uses,
        "start": manifest.window.start,
        "end": manifest.window.end,
        "refused": None,
    }


def _uses(pointer: Pointer, version: str) -> list[str]:
    used = {"champion": pointer.champion, "challenger": pointer.challenger}
    return [role for role, one in used.items() if one is not None and one.version == version]


def _document(model: Model) -> dict[str, Any]:
    return dict(msgspec.to_builtins(model.manifest))


def _print(rows: list[dict[str, Any]]) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("name", "version", "used as", "kind", "made from"):
        table.add_column(title)
    for row in rows:
        if row["refused"] is None:
            cells = [", ".join(row["uses"]), row["kind"], _window(row["start"], row["end"])]
        else:
            cells = ["refused", "", row["refused"]]
        table.add_row(*(Text(printable(cell)) for cell in (row["name"], row["version"], *cells)))
    Console(soft_wrap=False).print(table)
    refused = sum(row["refused"] is not None for row in rows)
    typer.echo(f"{len(rows)} versions, {refused} of them refused", err=True)


def _window(start: datetime, end: datetime) -> str:
    """Return a time in one short line; the day once if it is one."""
    last = f"{end:%H:%M}" if start.date() == end.date() else f"{end:%Y-%m-%d %H:%M}"
    return f"{start:%Y-%m-%d %H:%M} to {last}"


def _lines(document: dict[str, Any]) -> list[str]:
    files = document.pop("files")
    lines = [f"{name}: {printable(_shown(value))}" for name, value in document.items()]
    for name, entry in files.items():
        columns = ", ".join(f"{column['name']} {column['type']}" for column in entry["columns"])
        said = f"{entry['rows']} rows, {entry['size_bytes']} bytes: {columns}"
        lines.append(f"{name}: {printable(said)}")
    return lines


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(one)}" for name, one in value.items()) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return str(value)
