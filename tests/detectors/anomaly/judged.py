"""What tests of verdicts share: verdicts among the events of a log, as the worker folds them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import polars as pl

from detectors.anomaly.detector import UNUSUAL_IDENTITY
from detectors.anomaly.learned import Learned
from detectors.correlation.released import Released
from ingest.normalize import NormalizeSettings, normalize
from ingest.record import Records
from ingest.redact.token import Redactor
from ingest.schema import DTYPES
from ingest.verdict import Choice, Verdict, verdict_record
from tests.detectors.anomaly.world import Act, at, frame

LATENESS_US = 30_000_000
MONTHS_LATER = timedelta(days=200)
"""By the clock of whoever decides: a log may lag behind by any time."""


@dataclass(frozen=True, slots=True)
class Said:
    """A verdict; ``at_us`` is the clock of whoever made it."""

    finding: str
    choice: Choice
    at_us: int = 0
    rule: str = UNUSUAL_IDENTITY.id
    events: tuple[str, ...] = ()
    cluster: str = "c"


Line = Act | Said
"""What a log holds."""


def judged(one: Said) -> pl.DataFrame:
    """Return a verdict as its record is normalized."""
    made = datetime.fromtimestamp((one.at_us or at(0)) / 1_000_000, UTC) + MONTHS_LATER
    _, value = verdict_record(
        Verdict(
            finding=one.finding,
            rule=one.rule,
            cluster=one.cluster,
            verdict=one.choice,
            author="dana",
            time=made,
            events=one.events,
        )
    )
    records = Records("raw/0", [value], [0], cluster=one.cluster, are_verdicts=True)
    return normalize([records], NormalizeSettings("", Redactor(b"key"))).events.select(list(DTYPES))


def folded(lines: list[Line], size: int = 400, detector: Learned | None = None) -> Released:
    """Feed a log in batches; return what was found, the rest released at its end."""
    detector = detector or Learned()
    out = Released()
    newest = 0
    for start in range(0, len(lines), size):
        newest = feed(detector, lines[start : start + size], newest, out)
    out.extend(detector.release(None))
    return out


def feed(detector: Learned, lines: list[Line], newest: int, out: Released) -> int:
    """Feed one batch as a worker does; return the newest time."""
    batch = batch_of(lines)
    times = batch.filter(pl.col("event.dataset") == "kubernetes.audit")["@timestamp"].to_physical()
    newest = max([newest, *times])
    detector.add(batch)
    out.extend(detector.release({"c": newest - LATENESS_US, "d": newest - LATENESS_US}))
    return newest


def batch_of(lines: list[Line]) -> pl.DataFrame:
    """Return lines of a log as events, in its order."""
    frames: list[pl.DataFrame] = []
    acts: list[Act] = []
    for line in lines:
        if isinstance(line, Act):
            acts.append(line)
            continue
        frames += [frame(acts), judged(line)]
        acts = []
    return pl.concat([*frames, frame(acts)])
