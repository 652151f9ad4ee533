"""`scan --elasticsearch` writes what the files hold, under the service's ids and index names."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from sinks.elasticsearch.connection import Client, connect
from sinks.elasticsearch.index_name import index_name
from sinks.elasticsearch.setup import apply
from sinks.elasticsearch.templates import SetupOptions
from sinks.elasticsearch.transport import require
from tests.elasticsearch_names import own_prefix

RETENTION_DAYS = 3_650


@dataclass(frozen=True)
class Target:
    client: Client
    url: str
    prefix: str
    config: Path


@pytest.fixture
def target(elasticsearch_url: str, tmp_path: Path) -> Iterator[Target]:
    client = connect(elasticsearch_url)
    with own_prefix(client) as prefix:
        yield Target(client, elasticsearch_url, prefix, tmp_path / "tw.yml")
    client.close()


def run(target: Target, events: str, *args: str) -> subprocess.CompletedProcess[str]:
    target.config.write_text(
        f"elasticsearch:\n  prefix: {target.prefix}\n  events: '{events}'\n"
        f"worker:\n  retention_days: {RETENTION_DAYS}\n"
    )
    command = [sys.executable, "-m", "trailwarden", "scan", *args, "--cluster", "prod"]
    to = ["--elasticsearch", target.url, "--config", str(target.config)]
    return subprocess.run([*command, *to], capture_output=True, text=True, check=False)


def stored(target: Target, kind: str) -> dict[str, str]:
    """Return id -> index of all documents of a kind."""
    pattern = f"/{target.prefix}-{kind}-*"
    require(target.client, "POST", f"{pattern}/_refresh")
    found: dict[str, str] = {}
    after: list[Any] = [""]
    while True:
        by = "event.id" if kind == "events" else "trailwarden.finding.id"
        query = {"size": 5_000, "sort": [{by: "asc"}], "search_after": after, "_source": False}
        hits = require(target.client, "POST", f"{pattern}/_search", query)["hits"]["hits"]
        if not hits:
            return found
        for hit in hits:
            assert hit["_id"] not in found
            found[hit["_id"]] = hit["_index"]
        after = hits[-1]["sort"]


def indexed(times: dict[str, datetime | None], kind: Any, target: Target) -> dict[str, str]:
    now = datetime.now(UTC)
    return {
        identifier: index_name(target.prefix, kind, time, now, RETENTION_DAYS)
        for identifier, time in times.items()
    }


def findings(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "findings.ndjson").read_text().splitlines()]


@pytest.mark.integration
def test_findings_and_all_events_are_there_and_a_second_scan_adds_nothing(
    target: Target, root: Path, tmp_path: Path
) -> None:
    apply(target.client, SetupOptions(target.prefix, replicas=0))
    out = tmp_path / "out"
    sample = str(root / "examples" / "sample-audit.log.gz")
    done = run(target, "all", sample, "--out", str(out))
    assert done.returncode == 0, done.stderr
    events = pl.read_parquet(out / "events.parquet", columns=["event.id", "@timestamp"])
    found = findings(out)
    written = {finding["trailwarden.finding.id"]: finding["@timestamp"] for finding in found}
    assert stored(target, "events") == indexed(dict(events.rows()), "events", target)
    assert stored(target, "findings") == indexed(
        {key: datetime.fromisoformat(text) for key, text in written.items()}, "findings", target
    )
    total = events.height + len(found)
    assert f"Elasticsearch: {total:,} documents written, 0 were there already" in done.stdout
    again = run(target, "all", sample, "--out", str(tmp_path / "again"))
    assert again.returncode == 0
    assert f"Elasticsearch: 0 documents written, {total:,} were there already" in again.stdout
    assert len(stored(target, "events")) == events.height


@pytest.mark.integration
@pytest.mark.parametrize("events", ["findings", "none"])
def test_events_are_chosen_by_the_settings(
    target: Target, root: Path, tmp_path: Path, events: str
) -> None:
    apply(target.client, SetupOptions(target.prefix, replicas=0))
    out = tmp_path / "out"
    sample = str(root / "examples" / "sample-audit.log.gz")
    assert run(target, events, sample, "--out", str(out)).returncode == 0
    found = findings(out)
    evidence = {one for finding in found for one in finding["trailwarden.evidence.event_ids"]}
    assert set(stored(target, "findings")) == {one["trailwarden.finding.id"] for one in found}
    held = set(stored(target, "events"))
    if events == "none":
        assert held == set()
    else:
        assert held >= evidence
        scanned = pl.read_parquet(out / "events.parquet", columns=["event.id"]).height
        assert len(held) < scanned / 4


@pytest.mark.integration
def test_without_a_set_up_nothing_is_read(target: Target, root: Path, tmp_path: Path) -> None:
    sample = str(root / "examples" / "sample-audit.log.gz")
    done = run(target, "all", sample, "--out", str(tmp_path / "out"))
    assert done.returncode == 1
    assert f"index template {target.prefix}-events is missing" in done.stderr
    assert "`trailwarden setup`" in done.stderr
    assert "0 documents written" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("args", "code", "text"),
    [
        (["--elasticsearch", "http://127.0.0.1:1"], 1, "does not answer"),
        (["--elasticsearch", "127.0.0.1"], 2, "must be http"),
        (["--elasticsearch", "http://a:secret@es"], 2, "not into its URL"),
        (["--elasticsearch", "http://es", "--config", "missing.yml"], 2, "missing.yml"),
    ],
)
def test_what_cannot_be_delivered_to_is_said(
    root: Path, tmp_path: Path, args: list[str], code: int, text: str
) -> None:
    sample = str(root / "examples" / "sample-audit.log.gz")
    command = [sys.executable, "-m", "trailwarden", "scan", sample, "--out", str(tmp_path / "o")]
    environment = os.environ | {"COLUMNS": "200"}
    done = subprocess.run(
        [*command, *args], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == code
    assert text in done.stderr
    assert "secret" not in done.stderr
    assert "Traceback" not in done.stderr


def test_a_scan_without_the_option_loads_no_client(root: Path, tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from trailwarden.__main__ import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    code = end.code\n"
        "heavy = {'elasticsearch', 'confluent_kafka'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy or code else 0)\n"
    )
    log = tmp_path / "empty.log"
    log.write_text("")
    command = [sys.executable, "-c", code, "scan", str(log), "--out", str(tmp_path / "out")]
    environment = {k: v for k, v in os.environ.items() if k != "TRAILWARDEN_CONFIG"}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=root, env=environment
    )
    assert done.returncode == 0, done.stderr
