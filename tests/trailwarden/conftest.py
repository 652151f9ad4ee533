"""One log, scanned once: what every kind of source must give back."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from detectors.finding import Finding
from ingest.redact.token import Redactor
from trailwarden.finding_frame import finding_frame
from worker.scan import scan
from worker.settings import ScanSettings, shipped_rules

KEY = b"the same key for every source"
LINES = slice(2_000, 8_000)
"""More than a page of Elasticsearch, and attacks among them."""


@dataclass(frozen=True)
class Scanned:
    log: Path
    folder: Path
    events: pl.DataFrame
    findings: pl.DataFrame
    found: list[Finding]


@pytest.fixture(scope="session")
def scanned(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Scanned:
    folder = tmp_path_factory.mktemp("scanned")
    log = folder / "audit.log"
    with gzip.open(root / "examples" / "sample-audit.log.gz") as sample:
        log.write_bytes(b"".join(sample.readlines()[LINES]))
    settings = ScanSettings(
        paths=[str(log)],
        out=folder / "out",
        cluster="prod",
        rules=[shipped_rules()],
        redactor=Redactor(KEY),
    )
    result = scan(settings, 100_000, lambda _: None)
    return Scanned(
        log,
        settings.out,
        pl.read_parquet(settings.out / "events.parquet"),
        finding_frame(finding.document for finding in result.findings),
        result.findings,
    )
