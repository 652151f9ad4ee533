"""`trailwarden scan`: options become settings, results become files, a table and an exit code.

Separate from the options so that they can be shown without loading what a scan needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_network
from typing import TYPE_CHECKING, Final

import typer

from detectors.sigma.errors import InvalidRulesError
from detectors.sigma.rule import Level
from ingest.redact.token import Redactor
from sinks.report import Quarantine, ReadSummary, Report, RuleInfo, write_report
from trailwarden import __version__
from trailwarden.exit_code import ExitCode
from trailwarden.scan_output import print_result, progress_of
from worker.garbage import collect_rarely
from worker.scan import DeliveryFailedError, ScanResult, scan
from worker.settings import DEFAULT_CLUSTER, ScanSettings, shipped_rules

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from detectors.sigma.pack import Detection
    from worker.accounts import Accounts
    from worker.configuration import Settings
    from worker.delivery import Delivery

_SHIPPED: Final = "default"
_DETAILED: Final = 1_000
_KEY_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class ScanOptions:
    """What was given on the command line."""

    paths: Sequence[str]
    out: Path
    cluster: str | None
    cluster_from_file: bool
    rules: Sequence[Path]
    trusted_proxies: Sequence[str]
    redaction_key_file: Path | None
    fail_on: str | None
    elasticsearch: str | None = None
    config: Path | None = None


def run_scan(options: ScanOptions, _input_format: str) -> ExitCode:
    """Run a scan and print its result.

    Raises
        typer.BadParameter: an option that cannot be used; exit code 2.
    """
    settings = _settings(options)
    collect_rarely()
    try:
        delivery = _delivery(options.elasticsearch, settings.service)
        with progress_of(options.paths) as progress:
            result = scan(settings, _DETAILED, progress, delivery)
    except InvalidRulesError as error:
        typer.echo(str(error), err=True)
        return ExitCode.USAGE
    except DeliveryFailedError as error:
        typer.echo(f"trailwarden: {error}", err=True)
        return ExitCode.INPUT_UNREADABLE
    except OSError as error:
        raise typer.BadParameter(f"cannot write to {settings.out}: {error}") from error
    write_report(settings.out / "report.html", _report(result))
    print_result(result, settings)
    code = _exit_code(result.accounts, options.fail_on)
    return code if delivery is None else _delivered(delivery, code)


def _delivery(url: str | None, service: Settings | None) -> Delivery | None:
    if url is None:
        return None
    from trailwarden.scan_delivery import delivery_to  # noqa: PLC0415 - loads the client

    return delivery_to(url, service)


def _delivered(delivery: Delivery, code: ExitCode) -> ExitCode:
    from trailwarden.scan_delivery import written  # noqa: PLC0415 - loads the client

    typer.echo(written(delivery.counts))
    refused = delivery.counts.poisoned and code is ExitCode.OK
    return ExitCode.INPUT_UNREADABLE if refused else code


def _settings(options: ScanOptions) -> ScanSettings:
    if options.cluster is not None and options.cluster_from_file:
        raise typer.BadParameter("--cluster and --cluster-from-file exclude each other")
    if options.cluster is not None and not options.cluster.strip():
        raise typer.BadParameter("--cluster is empty")
    rules = [shipped_rules() if str(path) == _SHIPPED else path for path in options.rules]
    for path in rules:
        if not path.exists():
            raise typer.BadParameter(f"--rules {path}: no such file or folder")
    try:
        proxies = [ip_network(text) for text in options.trusted_proxies]
    except ValueError as error:
        raise typer.BadParameter(f"--trusted-proxy: {error}") from error
    return ScanSettings(
        paths=options.paths,
        out=options.out,
        cluster=options.cluster or DEFAULT_CLUSTER,
        cluster_from_file=options.cluster_from_file,
        cluster_is_default=options.cluster is None and not options.cluster_from_file,
        rules=rules or [shipped_rules()],
        trusted_proxies=proxies,
        redactor=_redactor(options.redaction_key_file),
        service=_service(options.config),
        config=options.config,
    )


def _service(config: Path | None) -> Settings | None:
    """Read what a file of settings says of the site; without one, nothing is known of it."""
    if config is None:
        return None
    from worker.configuration import InvalidSettingsError, load_settings  # noqa: PLC0415 - loads pydantic
    from worker.site import site_of  # noqa: PLC0415 - as above

    try:
        settings = load_settings(config)
        site_of(settings)
    except InvalidSettingsError as error:
        raise typer.BadParameter(f"--config: {error}") from error
    return settings


def _redactor(key_file: Path | None) -> Redactor:
    if key_file is None:
        return Redactor()
    try:
        key = key_file.read_bytes().strip()
    except OSError as error:
        raise typer.BadParameter(f"--redaction-key-file {key_file}: {error.strerror}") from error
    if not 1 <= len(key) <= _KEY_MAX:
        raise typer.BadParameter(f"--redaction-key-file {key_file}: must hold 1 to 64 bytes")
    return Redactor(key)


def _report(result: ScanResult) -> Report:
    accounts = result.accounts
    return Report(
        inputs=ReadSummary(
            files=accounts.files,
            records=accounts.records,
            events=accounts.events,
            repeats=accounts.repeats,
            late=accounts.late,
            unwanted=accounts.unwanted,
            size_bytes=accounts.size_bytes,
            first_event=accounts.first,
            last_event=accounts.last,
            clusters=dict(accounts.clusters),
        ),
        findings=[finding.document for finding in result.findings],
        rules=[_rule_info(rule) for rule in result.rules.pack.reporting],
        version=__version__,
        pack_hash=result.rules.hash,
        quarantine=Quarantine(dict(accounts.refused), accounts.refused_sample),
        problems=accounts.problems,
        detail_limit=_DETAILED,
    )


def _rule_info(rule: Detection) -> RuleInfo:
    return RuleInfo(
        rule.id,
        rule.title,
        rule.category.value,
        rule.level.value,
        rule.techniques,
        ", ".join(rule.catalogue),
    )


def _exit_code(accounts: Accounts, fail_on: str | None) -> ExitCode:
    levels = list(Level)
    if fail_on is not None:
        bad = levels[levels.index(Level(fail_on)) :]
        if any(accounts.findings[level.value] for level in bad):
            return ExitCode.FINDINGS
    unread = accounts.problems or accounts.refused
    return ExitCode.INPUT_UNREADABLE if unread else ExitCode.OK
