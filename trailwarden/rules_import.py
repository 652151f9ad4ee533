"""`trailwarden rules import`: a folder of community rules in; those that compile, and a report out.

Separate from the declaration of the command because it loads Polars.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import orjson
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from detectors.message import printable
from detectors.sigma.community import CommunityFile, OverwriteError, read_community, write_imported
from ingest.visible import visible
from trailwarden.exit_code import ExitCode
from trailwarden.rules_pack import site_in

if TYPE_CHECKING:
    from pathlib import Path

REPORT = "import.json"
"""Written beside the imported rules."""


def run_import(folder: Path, out: Path | None, config: Path | None, *, as_json: bool) -> ExitCode:
    """Read ``folder``, write what compiles to ``out``, and print what became of each file."""
    if not folder.is_dir():
        raise typer.BadParameter(f"{folder}: no such folder")
    if out is not None and out.resolve().is_relative_to(folder.resolve()):
        raise typer.BadParameter(f"--out {out}: is inside {folder}")
    found = read_community(folder, site_in(config))
    report = _report(found, folder)
    if out is not None:
        _write(found, folder, out, report)
    if as_json:
        typer.echo(orjson.dumps(report, option=orjson.OPT_INDENT_2))
    else:
        _print(found, folder, out)
    usable = any(not one.problems for one in found)
    return ExitCode.OK if usable else ExitCode.INPUT_UNREADABLE


def _write(
    found: tuple[CommunityFile, ...], folder: Path, out: Path, report: dict[str, Any]
) -> None:
    try:
        for one in found:
            if not one.problems:
                write_imported(one, folder, out)
        out.mkdir(parents=True, exist_ok=True)
        (out / REPORT).write_bytes(orjson.dumps(report, option=orjson.OPT_INDENT_2))
    except (OverwriteError, OSError) as error:
        typer.echo(f"trailwarden: {error}", err=True)
        raise typer.Exit(ExitCode.USAGE) from error


def _report(found: tuple[CommunityFile, ...], folder: Path) -> dict[str, Any]:
    compiled = sum(not one.problems for one in found)
    return {
        "files": len(found),
        "imported": compiled,
        "refused": len(found) - compiled,
        "rules": [_document(one, folder) for one in found],
    }


def _document(one: CommunityFile, folder: Path) -> dict[str, Any]:
    return {
        "file": one.file.relative_to(folder).as_posix(),
        "title": one.title,
        "id": one.id,
        "author": one.author,
        "license": one.license,
        "product": one.product,
        "imported": not one.problems,
        "fields": one.fields,
        "unknown_fields": one.unknown_fields,
        "problems": [
            {"line": error.line, "column": error.column, "message": error.message}
            for error in one.problems
        ],
    }


def _print(found: tuple[CommunityFile, ...], folder: Path, out: Path | None) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("", no_wrap=True)
    table.add_column("rule")
    for one in found:
        table.add_row("refused" if one.problems else "ok", _about(one, folder))
    Console(soft_wrap=False).print(table)
    for line in _summary(found, out):
        typer.echo(line)


def _about(one: CommunityFile, folder: Path) -> Text:
    about = Text(printable(one.title or "(no title)"))
    said = [one.file.relative_to(folder).as_posix(), one.author, one.license]
    about.append(f"\n{printable('; '.join(filter(None, said)))}", style="dim")
    for error in one.problems:
        about.append(f"\nline {error.line}: {visible(error.message)}")
    return about


def _summary(found: tuple[CommunityFile, ...], out: Path | None) -> list[str]:
    compiled = [one for one in found if not one.problems]
    lines = [f"{len(found)} files: {len(compiled)} compile, {len(found) - len(compiled)} refused"]
    unknown = Counter(name for one in found for name in one.unknown_fields)
    if unknown:
        most = ", ".join(f"{printable(name)} ({n})" for name, n in unknown.most_common(5))
        lines.append(f"unknown fields, most often: {most}")
    nameless = sum(one.author is None for one in compiled)
    if nameless:
        lines.append(f"without an author: {nameless} of those that compile")
    if out is not None:
        lines.append(f"written to {out}; use them with --rules default --rules {out}")
    return lines
