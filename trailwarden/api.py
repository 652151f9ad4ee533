"""The API that analysts import: any source becomes lazy Polars frames of events and findings.

    import trailwarden as tw

    source = tw.open("audit.log.gz")
    source.findings.group_by("rule.name").len().collect()

Separate from the command line, which prints and writes: these functions return values. Both run the
same scan and the same rules.
"""

from __future__ import annotations

from functools import partial
from ipaddress import ip_network
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Final

from detectors.sigma.rule import Level
from ingest.redact.token import Redactor
from ingest.schema import DTYPES
from trailwarden.deferred import deferred, once
from trailwarden.finding_frame import FINDING_SCHEMA
from trailwarden.log_source import TemporaryFolder, scan_into
from trailwarden.opened import Opened, ScanOutcome
from trailwarden.rule_frame import rule_frame
from trailwarden.source_frames import (
    Auth,
    PathName,
    Wanted,
    events_in,
    findings_in,
    open_source,
)
from trailwarden.source_kind import kind_of
from worker.rulesets import load_ruleset
from worker.settings import DEFAULT_CLUSTER, ScanSettings, shipped_rules

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from worker.accounts import Accounts

__all__ = ["Opened", "ScanOutcome", "open", "scan"]

DEFAULT_PREFIX: Final = "trailwarden"


def open(  # noqa: A001 - read as tw.open
    source: PathName,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    rules: Sequence[PathName] | None = None,
    cluster: str = DEFAULT_CLUSTER,
    cluster_from_file: bool = False,
    trusted_proxies: Sequence[str] = (),
    redaction_key: bytes | None = None,
    auth: Auth | None = None,
    ca: PathName | None = None,
    prefix: str = DEFAULT_PREFIX,
) -> Opened:
    """Open a source of events and findings; nothing is read before a frame is collected.

    Parameters
    ----------
    source
        An audit log (plain, .gz or .zst) or a folder of logs; an ``events.parquet``; the output
        folder of a scan; the folder of an archive; or ``https://HOST:9200``.
    start, end
        Only what happened from ``start`` on and before ``end``: aware datetimes. An archive and
        Elasticsearch are asked only for this range.
    rules
        Files or folders of Sigma rules. Where given, findings are made anew with them.
    cluster, cluster_from_file, trusted_proxies, redaction_key
        For logs, as the options of ``trailwarden scan``. Without a key, equal secrets get equal
        tokens within this source only.
    auth, ca, prefix
        For Elasticsearch: (user, password) or an encoded API key, a PEM file, and how index names
        begin.

    Returns
    -------
    Opened
        Lazy frames. Findings are those that the source holds (a scan's folder, Elasticsearch).
        A log is scanned when one of its frames is first collected, once, into a temporary folder.
        An ``events.parquet`` and an archive hold no findings: when findings are collected, the
        shipped rules, or ``rules``, are run over the events with the functions that the service
        runs; so findings are of today's rules, and what people decided on them is not there.

    Raises
    ------
    FileNotFoundError
        There is no such file or folder.
    ValueError
        A time has no zone, a Parquet file holds no events, or the address or its credentials
        cannot be used; no message holds a secret.
    detectors.sigma.errors.InvalidRulesError
        A rule is refused; raised when findings or rules are collected.
    """
    settings = ScanSettings(
        paths=[fspath(source)],
        out=Path(),
        cluster=cluster,
        cluster_from_file=cluster_from_file,
        rules=_folders(rules),
        trusted_proxies=[ip_network(text) for text in trusted_proxies],
        redactor=_redactor(redaction_key),
    )
    wanted = Wanted(
        source=source,
        settings=settings,
        rules=once(lambda: load_ruleset(settings.rules, learning_time=False)),
        own_rules=rules is not None,
        start=_aware("start", start),
        end=_aware("end", end),
        auth=auth,
        ca=ca,
        prefix=prefix,
    )
    return open_source(wanted, kind_of(source))


def scan(
    paths: PathName | Sequence[PathName],
    *,
    out: PathName | None = None,
    rules: Sequence[PathName] | None = None,
    cluster: str = DEFAULT_CLUSTER,
    cluster_from_file: bool = False,
    trusted_proxies: Sequence[str] = (),
    redaction_key: bytes | None = None,
) -> ScanOutcome:
    """Scan audit logs now, as ``trailwarden scan`` does, and return frames and counts.

    Parameters
    ----------
    paths
        Files and folders of audit logs.
    out
        Folder for findings.ndjson, events.parquet and quarantine.ndjson; None: a temporary one.

    The other parameters are those of `open`.

    Warns
    -----
    trailwarden.log_source.UnreadInputWarning
        Some input could not be read; the rest was.

    Raises
    ------
    detectors.sigma.errors.InvalidRulesError
        A rule is refused; nothing was read.
    OSError
        The results cannot be written.
    """
    sources = [paths] if isinstance(paths, str | PathLike) else list(paths)
    for path in sources:
        if not Path(path).exists():
            raise FileNotFoundError(f"{path}: no such file or folder")
    folder = TemporaryFolder() if out is None else Path(out)
    place = folder.path if isinstance(folder, TemporaryFolder) else folder
    settings = ScanSettings(
        paths=[fspath(source) for source in sources],
        out=place,
        cluster=cluster,
        cluster_from_file=cluster_from_file,
        rules=_folders(rules),
        trusted_proxies=[ip_network(text) for text in trusted_proxies],
        redactor=_redactor(redaction_key),
    )
    result = scan_into(settings)
    return ScanOutcome(
        events=deferred(partial(events_in, folder), DTYPES),
        findings=deferred(partial(findings_in, folder), FINDING_SCHEMA),
        rules=rule_frame(result.rules.pack.reporting).lazy(),
        counts=_counts(result.accounts),
        severities=_severities(result.accounts),
        folder=place,
    )


def _folders(rules: Sequence[PathName] | None) -> list[Path]:
    return [shipped_rules()] if rules is None else [Path(path) for path in rules]


def _redactor(key: bytes | None) -> Redactor:
    return Redactor() if key is None else Redactor(key)


def _aware(name: str, time: datetime | None) -> datetime | None:
    if time is not None and time.tzinfo is None:
        raise ValueError(f"{name}={time.isoformat()}: needs a time zone")
    return time


def _counts(accounts: Accounts) -> dict[str, int]:
    return {
        "files": accounts.files,
        "records": accounts.records,
        "events": accounts.events,
        "repeats": accounts.repeats,
        "late": accounts.late,
        "quarantined": accounts.refused.total(),
        "findings": accounts.findings.total(),
    }


def _severities(accounts: Accounts) -> dict[str, int]:
    names = [level.value for level in reversed(Level)]
    return {name: accounts.findings[name] for name in names if accounts.findings[name]}
