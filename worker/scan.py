"""Files in, findings out: the whole path without a server.

Separate from the service, which wires the same functions to Kafka: the step of both is poll,
normalize, detect, write, quarantine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from detectors.correlation.report import closing_fields
from detectors.finding import Finding
from detectors.ruleset import look
from ingest.normalize import Normalized, NormalizeSettings, normalize
from ingest.record import Records
from ingest.sources.files import find_files
from ingest.sources.read import read_records
from ingest.unix_time import unix_us
from sinks.events_file import EventsFile
from sinks.ndjson import NdjsonFile, quarantine_document
from worker.accounts import Accounts, wanted_back
from worker.finding_order import FindingOrder
from worker.merge import merge
from worker.repeats import Repeats
from worker.rulesets import load_ruleset

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from detectors.correlation.fold import OverTime
    from detectors.correlation.released import Released
    from detectors.ruleset import Ruleset
    from worker.settings import ScanSettings

BATCH_RECORDS: Final = 10_000
"""Records of a batch: a row group's worth of rules and columns, small enough for the caches."""

BATCH_BYTES: Final = 128 << 20
"""Bytes of a batch at most: records may have 8 MiB each, ordinary ones 2.5 kB."""

RELEASED_EVENTS: Final = 40_000
"""Events after which what is remembered is folded: much of that costs the same for few as for many,
and a file has no reader who waits for a finding."""

PEEKED: Final = 20
"""Records read to learn when a file begins."""

Progress = Callable[[int], None]


class DeliveryFailedError(Exception):
    """A delivery cannot go on; the text says why, and how far it came."""


class Delivery(Protocol):
    """Where events and findings go besides the files; may raise DeliveryFailedError."""

    def add(self, events: pl.DataFrame, rows: pl.Series) -> None:
        """Take a batch of events; ``rows`` are those that a finding rests on."""

    def add_evidence(self, events: pl.DataFrame) -> None:
        """Take events of earlier batches that a finding turned out to rest on."""

    def add_findings(self, found: Sequence[Finding]) -> None:
        """Take findings, each id once."""

    def finish(self) -> list[dict[str, Any]]:
        """Send what is left; return quarantine documents of what cannot be delivered."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """The files that a scan writes, and where else it delivers."""

    findings: NdjsonFile
    events: EventsFile
    quarantine: NdjsonFile
    delivery: Delivery | None


@dataclass(frozen=True, slots=True)
class ScanResult:
    """What a scan counted, the rules it used, and its findings up to the report's limit."""

    accounts: Accounts
    rules: Ruleset
    findings: list[Finding]


def scan(
    settings: ScanSettings,
    findings_kept: int,
    progress: Progress,
    delivery: Delivery | None = None,
) -> ScanResult:
    """Read all inputs and write findings, events and quarantine.

    Parameters
        findings_kept: findings returned; all are written.
        progress: told the bytes of input that were read since it was last told.
        delivery: gets events and findings as well.

    Raises
        DeliveryFailedError: ``delivery`` cannot go on; no file appears.
        detectors.sigma.errors.InvalidRulesError: a rule is refused; nothing was read.
        OSError: an output cannot be written.
    """
    rules = load_ruleset(settings.rules, settings.service, settings.config, learning_time=False)
    if delivery and rules.learned:
        rules = replace(rules, learned=replace(rules.learned, keeps_events=True))
    found = find_files(settings.paths)
    accounts = Accounts(problems=list(found.problems))
    result = ScanResult(accounts, rules, [])
    settings.out.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        outputs = Outputs(
            stack.enter_context(NdjsonFile(settings.out / "findings.ndjson")),
            stack.enter_context(EventsFile(settings.out / "events.parquet")),
            stack.enter_context(NdjsonFile(settings.out / "quarantine.ndjson")),
            delivery,
        )
        across = rules.over_clusters()
        for cluster, paths in _clusters(found.files, settings).items():
            accounts.files += len(paths)
            _scan_cluster(
                _Cluster(cluster, paths, settings, progress, across), outputs, result, findings_kept
            )
        held = HeldEpisodes()
        order = FindingOrder()
        order.add(held.take(across.release(None)))
        order.add(held.rest())
        _emit(order.release(None), outputs, result, findings_kept)
        accounts.evicted.update(across.evicted)
        if delivery:
            outputs.quarantine.write(delivery.finish())
    return result


@dataclass(frozen=True, slots=True)
class _Cluster:
    name: str
    paths: list[str]
    settings: ScanSettings
    progress: Progress
    across: OverTime


class HeldEpisodes:
    """Findings over time wait until their episode ends: a file says the whole of it at once."""

    def __init__(self) -> None:
        self._open: dict[str, Finding] = {}

    def take(self, released: Released) -> Iterator[Finding]:
        """Take what became certain; yield the findings whose episodes ended, in their order."""
        for finding in released.findings:
            if finding.document.get("trailwarden.episode.closed", True):
                yield finding
            else:
                self._open[finding.id] = finding
        for closed in released.closed:
            begun = self._open.pop(closed.finding)
            document = begun.document | closing_fields(closed.end_us, closed.events)
            yield Finding(begun.id, (closed.over_us, begun.id), begun.level, document)

    def rest(self) -> Iterator[Finding]:
        """Yield the findings whose episodes were given up, because there were too many at once."""
        while self._open:
            yield self._open.pop(next(iter(self._open)))


def _clusters(paths: list[str], settings: ScanSettings) -> dict[str, list[str]]:
    """Group files by cluster, in the order of their paths."""
    groups: dict[str, list[str]] = {}
    for path in paths:
        name = cluster_of(path) if settings.cluster_from_file else settings.cluster
        groups.setdefault(name, []).append(path)
    return groups


def cluster_of(path: str) -> str:
    """Return the cluster that a file is named after: its name without any suffix."""
    return Path(path).name.partition(".")[0] or "default"


def _scan_cluster(cluster: _Cluster, outputs: Outputs, result: ScanResult, kept: int) -> None:
    """Do the step, batch by batch: poll, normalize, detect, write, quarantine."""
    accounts = result.accounts
    repeats, order, held = Repeats(), FindingOrder(), HeldEpisodes()
    waiting = 0
    rules, remembered = result.rules, result.rules.remembered()
    normalizing = NormalizeSettings(
        cluster.name,
        cluster.settings.redactor,
        cluster.settings.trusted_proxies,
        is_default=cluster.settings.cluster_is_default,
    )
    steps = merge(
        cluster.paths,
        lambda path: _start_of(path, normalizing),
        lambda path: _batches(path, normalizing, accounts, cluster.progress),
        lambda batch: batch.events["@timestamp"],
    )
    for step in steps:
        events = repeats.drop(step.batch.events, step.watermark)
        _account(accounts, step.batch, events, step.watermark)
        looked = look(events, rules)
        order.add(looked.reported.findings)
        accounts.excepted.update(looked.reported.excepted)
        late = None if step.watermark is None else events["@timestamp"] < step.watermark
        remembered.add(events, looked.hits, late, looked.flagged)
        cluster.across.add(events, looked.hits, late)
        outputs.events.write(events)
        if outputs.delivery:
            outputs.delivery.add(events, looked.evidence)
        outputs.quarantine.write(map(quarantine_document, wanted_back(step.batch.refused)))
        waiting += events.height
        if step.watermark is not None and waiting >= RELEASED_EVENTS:
            waiting = 0
            released = remembered.release(unix_us(step.watermark))
            order.add(held.take(_accounted(released, outputs, accounts)))
            _emit(order.release(step.watermark), outputs, result, kept)
    order.add(held.take(_accounted(remembered.release(None), outputs, accounts)))
    order.add(held.rest())
    accounts.evicted.update(remembered.evicted)
    if remembered.learners:
        accounts.unjudged += remembered.learners.unjudged()
    _emit(order.release(None), outputs, result, kept)


def _accounted(released: Released, outputs: Outputs, accounts: Accounts) -> Released:
    """Count what became certain, and deliver the events that it rests on."""
    accounts.excepted.update(released.excepted)
    accounts.silent.update(released.silent)
    if outputs.delivery:
        for events in released.evidence:
            outputs.delivery.add_evidence(events)
    return released


def _account(
    accounts: Accounts,
    batch: Normalized,
    events: pl.DataFrame,
    watermark: datetime | None,
) -> None:
    accounts.add_refused(batch.refused)
    accounts.add_events(events, batch.events.height - events.height, watermark)


def _emit(found: list[Finding], outputs: Outputs, result: ScanResult, kept: int) -> None:
    outputs.findings.write(finding.document for finding in found)
    if outputs.delivery:
        outputs.delivery.add_findings(found)
    result.accounts.findings.update(finding.level.value for finding in found)
    result.findings.extend(found[: kept - len(result.findings)])


def _batches(
    path: str, settings: NormalizeSettings, accounts: Accounts, progress: Progress
) -> Iterator[Normalized]:
    def count(size_bytes: int) -> None:
        accounts.size_bytes += size_bytes
        progress(size_bytes)

    for chunks in gathered(read_records(path, count)):
        for chunk in chunks:
            accounts.problems += chunk.problems
        yield normalize(chunks, settings)


def gathered(chunks: Iterator[Records]) -> Iterator[list[Records]]:
    """Gather small decode chunks to batches."""
    held: list[Records] = []
    height = size_bytes = 0
    for chunk in chunks:
        held.append(chunk)
        height += len(chunk.raws)
        size_bytes += sum(map(len, chunk.raws))
        if height >= BATCH_RECORDS or size_bytes >= BATCH_BYTES:
            yield held
            held, height, size_bytes = [], 0, 0
    if held:
        yield held


def _start_of(path: str, settings: NormalizeSettings) -> datetime | None:
    """Return the time of a file's first events, None where none can be read."""
    if not Path(path).is_file():
        return None  # standard input or a pipe can be read only once
    for chunk in read_records(path, lambda _: None):
        head = Records(
            path, chunk.raws[:PEEKED], chunk.offsets[:PEEKED], received=chunk.received[:PEEKED]
        )
        first = normalize([head], settings).events["@timestamp"].min()
        if isinstance(first, datetime):
            return first
    return None
