"""`trailwarden findings list|show`: findings in, a table, lines or JSON out.

Separate from what a person decides about one because this only reads. Values are of whoever was
found: what cannot be seen in them is made visible.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import orjson
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from detectors.anomaly.fields import ANOMALY_DTYPES
from detectors.entities.recalled import RECALLED_DTYPES
from detectors.message import printable
from ingest.visible import visible
from sinks.elasticsearch.transport import NotAllowedError, SetupMissingError, UnavailableError
from trailwarden.exit_code import ExitCode
from trailwarden.finding_source import (
    CLUSTER,
    ID,
    MESSAGE,
    RULE_NAME,
    SEVERITY,
    TIME,
    VERDICT,
    Document,
    Filters,
    FindingsUnreadableError,
    Source,
    listed,
    named,
)
from trailwarden.since import InvalidTimeError, parse_since
from worker.configuration import InvalidSettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from detectors.sigma.rule import Level

ID_SHOWN: Final = 12
"""Characters of an id in the table: enough to be the only one."""


_FIRST: Final = (
    MESSAGE,
    SEVERITY,
    "trailwarden.severity_reasons",
    TIME,
    RULE_NAME,
    "trailwarden.anomaly.reasons",
    "trailwarden.anomaly.normal",
    *ANOMALY_DTYPES,
    *RECALLED_DTYPES,
)
"""What an analyst asks first of a finding."""


class FindingUnclearError(Exception):
    """No finding's id begins so, or several do; the message says which."""


def run_list(
    source: Source,
    filters: tuple[str | None, str | None, Level | None, str | None],
    limit: int,
    *,
    as_json: bool,
) -> ExitCode:
    """Print the newest findings that are wanted.

    Parameters
        filters: cluster, rule, least severity, and a time or a duration before now.
    """

    def run() -> ExitCode:
        cluster, rule, severity, since = filters
        wanted = Filters(cluster, rule, severity, parse_since(since, datetime.now(UTC)))
        found = listed(source, wanted, limit)
        if as_json:
            for document in found:
                typer.echo(orjson.dumps(document))
        else:
            _print(found, limit)
        return ExitCode.OK

    return guarded(run)


def run_show(source: Source, name: str, *, as_json: bool) -> ExitCode:
    """Print one finding."""

    def run() -> ExitCode:
        document = the_one(named(source, name), name)
        if as_json:
            typer.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2))
        else:
            for line in _lines(document):
                typer.echo(line)
        return ExitCode.OK

    return guarded(run)


def the_one(found: list[Document], name: str) -> Document:
    """Return the only finding of a name.

    Raises
        FindingUnclearError: there is none, or another.
    """
    if len(found) != 1:
        number = "no finding's id begins" if not found else "several findings' ids begin"
        raise FindingUnclearError(f"{number} so: {printable(name)}")
    return found[0]


def guarded(run: Callable[[], ExitCode]) -> ExitCode:
    """Run a command; say what kept it from being done."""
    try:
        return run()
    except (InvalidSettingsError, InvalidTimeError) as error:
        typer.echo(f"trailwarden: {error}", err=True)
        return ExitCode.USAGE
    except (NotAllowedError, SetupMissingError, UnavailableError) as error:
        typer.echo(f"trailwarden: Elasticsearch: {error}", err=True)
    except (FindingsUnreadableError, FindingUnclearError, OSError) as error:
        typer.echo(f"trailwarden: {error}", err=True)
    return ExitCode.INPUT_UNREADABLE


def _print(documents: list[Document], limit: int) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("id", "time", "severity", "cluster", "finding", "verdict"):
        table.add_column(title, no_wrap=title in {"id", "time"})
    for document in documents:
        about = Text(printable(str(document.get(RULE_NAME) or "")))
        about.append(f"\n{printable(str(document.get(MESSAGE) or ''))}", style="dim")
        cells = [str(document.get(name) or "") for name in (SEVERITY, CLUSTER)]
        table.add_row(
            document[ID][:ID_SHOWN],
            printable(str(document.get(TIME) or "")[:19]),
            *(Text(printable(cell)) for cell in cells),
            about,
            Text(printable(str(document.get(VERDICT) or ""))),
        )
    Console(soft_wrap=False).print(table)
    more = ", the newest" if len(documents) == limit else ""
    typer.echo(f"{len(documents)} findings{more}", err=True)


def _lines(document: Document) -> Iterator[str]:
    """Yield a finding member by member: what happened and why it was told, then all else."""
    first = [name for name in _FIRST if name in document]
    for name in dict.fromkeys((*first, *sorted(document, key=_is_of_evidence))):
        value = document[name]
        if isinstance(value, list) and value:
            yield f"{name}:"
            yield from (f"  {_whole(one)}" for one in value)
        else:
            yield f"{name}: {_whole(value)}"


def _is_of_evidence(name: str) -> bool:
    """Whether it is a long list that nobody reads first."""
    return name.startswith("trailwarden.evidence.")


def _whole(value: object) -> str:
    """Return a value in full, on one line, with what cannot be seen made visible."""
    return visible(value if isinstance(value, str) else orjson.dumps(value).decode())
