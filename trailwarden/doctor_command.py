"""Options of `doctor` in, a table or JSON and an exit code out.

Separate from the declaration of the command because it loads everything there is to be checked.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import typer
from rich.console import Console
from rich.text import Text

from ingest.visible import visible
from trailwarden import __version__
from trailwarden.exit_code import ExitCode
from worker.doctor.check import Result, State
from worker.doctor.examination import examine

if TYPE_CHECKING:
    from pathlib import Path

_SHOWN: Final = {
    State.OK: ("ok", "green"),
    State.WARNING: ("warning", "yellow"),
    State.FAILED: ("FAILED", "bold red"),
    State.SKIPPED: ("skipped", "dim"),
}
_INDENT: Final = " " * 24


def run_doctor(config: Path | None, *, offline: bool, as_json: bool) -> ExitCode:
    """Make all checks, showing each as it ends."""
    results: list[Result] = []
    console = Console(soft_wrap=True, highlight=False)
    for result in examine(config, __version__, offline=offline):
        results.append(result)
        if not as_json:
            _print(console, result)
    failures = sum(result.state is State.FAILED for result in results)
    if as_json:
        typer.echo(json.dumps({"ok": not failures, "checks": [_document(r) for r in results]}))
    else:
        warnings = sum(result.state is State.WARNING for result in results)
        console.print(f"{failures} failed, {warnings} warning(s)")
    return ExitCode.INPUT_UNREADABLE if failures else ExitCode.OK


def _document(result: Result) -> dict[str, str]:
    return {
        "name": result.name.value,
        "state": result.state.value,
        "detail": result.detail,
        "advice": result.advice,
    }


def _print(console: Console, result: Result) -> None:
    word, style = _SHOWN[result.state]
    first, *more = result.detail.splitlines() or [""]
    line = Text.assemble((f"{word:<8}", style), f" {result.name.value:<14} {visible(first)}")
    console.print(line)
    for text in more:
        console.print(Text(_INDENT + visible(text)))
    if result.advice and result.state in {State.WARNING, State.FAILED}:
        console.print(Text(f"{_INDENT}-> {result.advice}", style="bold"))
