"""An API server's own metrics become its audit counters: events, and events it failed to deliver.

Separate because they are the other end of the account: what the API server lost before any
collector saw it (`apiserver_audit_event_total`, `apiserver_audit_error_total` by plugin; Kubernetes
documentation, "Auditing").
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import urllib3

if TYPE_CHECKING:
    from collections.abc import Mapping

_EVENTS: Final = "apiserver_audit_event_total"
_ERRORS: Final = "apiserver_audit_error_total"
_TIMEOUT_S: Final = 10.0


class MetricsUnreadableError(Exception):
    """The metrics cannot be read; the message names the place and the fault."""


@dataclass(frozen=True, slots=True)
class AuditCounters:
    """Since the API server started; ``errors`` by the backend (plugin) that failed."""

    events: int
    errors: Mapping[str, int]


def read_audit_counters(
    place: str, token: str | None = None, ca_file: Path | None = None
) -> AuditCounters:
    """Read counters from a URL, a file, or - for standard input (Prometheus' text format).

    Raises
        MetricsUnreadableError: it cannot be read, or is not an API server's.
    """
    try:
        text = _fetched(place, token, ca_file) if "://" in place else _read(place)
    except (OSError, UnicodeDecodeError, urllib3.exceptions.HTTPError) as error:
        raise MetricsUnreadableError(f"{place}: {error}") from error
    counters = parse_audit_counters(text)
    if counters is None:
        raise MetricsUnreadableError(f"{place}: no {_EVENTS} in it: are these its metrics?")
    return counters


def parse_audit_counters(text: str) -> AuditCounters | None:
    """Return the counters in Prometheus' text; None where they are not there."""
    events: int | None = None
    errors: dict[str, int] = {}
    for line in text.splitlines():
        series, _, rest = line.partition(" ") if "{" not in line else _labelled(line)
        name, _, labels = series.partition("{")
        if name not in {_EVENTS, _ERRORS}:
            continue
        value = _number(rest)
        if name == _EVENTS and value is not None:
            events = (events or 0) + value
        elif value is not None:
            plugin = labels.partition('plugin="')[2].partition('"')[0]
            errors[plugin] = errors.get(plugin, 0) + value
    return None if events is None else AuditCounters(events, errors)


def _labelled(line: str) -> tuple[str, str, str]:
    series, brace, rest = line.rpartition("} ")
    return series, brace, rest


def _number(text: str) -> int | None:
    try:
        return int(float(text.split(maxsplit=1)[0]))
    except (ValueError, IndexError, OverflowError):
        return None


def _read(place: str) -> str:
    return sys.stdin.read() if place == "-" else Path(place).read_text()


def _fetched(place: str, token: str | None, ca_file: Path | None) -> str:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with urllib3.PoolManager(ca_certs=str(ca_file) if ca_file else None) as pool:
        answer = pool.request(
            "GET", place, headers=headers, timeout=_TIMEOUT_S, retries=False, redirect=False
        )
        if answer.status != 200:  # noqa: PLR2004 - HTTP
            raise MetricsUnreadableError(f"{place}: answered {answer.status}")
        return answer.data.decode()
