"""Measure a correlation over a million groups: memory and time.

    python benchmarks/groups.py [GROUPS]

Events of as many users, one each in a random order, over an hour of event time, counted by user in
windows of an hour, at the rows of state that 512 MB hold. What it prints is wall time and CPU of
`OverTime.add` and `.release` alone, and by how much the process grew; the events are made before
each batch and not counted.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import polars as pl

from detectors.correlation.fold import OverTime
from detectors.correlation.plan import plan_for
from detectors.sigma.compiler import load_pack
from ingest.schema import DTYPES

GROUPS: Final = 1_000_000
STATE_BYTES: Final = 512 * 2**20
ROW_BYTES: Final = 512
"""Of memory for a row of state: 59 in the row, the rest is what is copied while it is folded and
the allocator keeps (a million rows grew the process by 366 and 483 MB, measured 2026-11-21)."""
BATCH: Final = 10_000
LATENESS_US: Final = 30_000_000
START: Final = datetime(2026, 11, 21, 10, tzinfo=UTC)
RULES: Final = """\
title: Any request
name: any_request
logsource: {product: kubernetes, service: audit}
detection:
  selection: {event.dataset: kubernetes.audit}
  condition: selection
---
title: Many requests of one user
id: 6c0f2e51-8a56-4b6c-9f0e-2f6d7d0c1b11
status: experimental
description: A benchmark.
author: Trailwarden
date: 2026-11-21
level: low
correlation:
  type: event_count
  rules: [any_request]
  group-by: [user.name]
  timespan: 1h
  condition: {gte: 10}
"""


def events(numbers: pl.Series, groups: int) -> pl.DataFrame:
    """Return events in order of time, one of each of the users ``numbers``."""
    step = timedelta(hours=1) / groups
    first = int(numbers.len() and numbers[0])
    users = (pl.Series(range(first, first + numbers.len())) * 7_919) % groups
    own = pl.DataFrame(
        {
            "@timestamp": [START + step * number for number in numbers],
            "event.id": numbers.cast(pl.String),
            "event.dataset": pl.repeat("kubernetes.audit", numbers.len(), eager=True),
            "orchestrator.cluster.name": pl.repeat("bench", numbers.len(), eager=True),
            "user.name": "user-" + users.cast(pl.String),
        }
    )
    rest = [name for name in DTYPES if name not in own.columns]
    empty = [pl.lit(None, dtype=DTYPES[name]).alias(name) for name in rest]
    return own.with_columns(empty).select(pl.col(name).cast(DTYPES[name]) for name in DTYPES)


def grown_bytes() -> int:
    """Return the greatest resident size so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    groups = int(sys.argv[1]) if len(sys.argv) > 1 else GROUPS
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "many.yml"
        file.write_text(RULES)
        pack = load_pack([file])
    rows = STATE_BYTES // ROW_BYTES
    state = OverTime(plan_for(pack, state_rows=rows))
    hits = pl.DataFrame(
        {"row": range(BATCH), "rule": [0] * BATCH}, schema={"row": pl.UInt32, "rule": pl.UInt32}
    )
    before = wall = cpu = 0.0
    for first in range(0, groups, BATCH):
        batch = events(pl.Series(range(first, min(first + BATCH, groups))), groups)
        before = before or grown_bytes()
        newest = int(batch["@timestamp"].dt.epoch("us")[-1])
        began, spent = time.perf_counter(), time.process_time()
        state.add(batch, hits.head(batch.height))
        state.release(newest - LATENESS_US)
        wall += time.perf_counter() - began
        cpu += time.process_time() - spent
    windows = state.tails.values()
    held = sum(one.height for one in windows) + state.pending.height
    print(
        f"{groups:,} groups, at most {rows:,} rows of state: {held:,} rows,"
        f" {sum(one.estimated_size() for one in windows) / 2**20:,.0f} MB in windows;"
        f" evicted {dict(state.evicted)}"
    )
    print(f"{wall / groups * 1e6:.1f} us an event, {cpu / groups * 1e6:.1f} us of CPU")
    print(f"peak {grown_bytes() / 2**20:,.0f} MB, {before / 2**20:,.0f} MB before the first event")


if __name__ == "__main__":
    main()
