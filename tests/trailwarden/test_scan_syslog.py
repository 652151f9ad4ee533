"""`trailwarden scan` reads a file of syslog, whatever way its lines tell the time."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

SAID = "node-1 sshd[77]: Failed password for root from 198.51.100.23 port 60122 ssh2"
NO_HOST = SAID.removeprefix("node-1 ")

LINES = {
    f"Oct 11 2024 22:14:15 {SAID}": "2024-10-11T22:14:15",
    f"2024 Oct 11 22:14:15 {SAID}": "2024-10-11T22:14:15",
    f"Oct  1 2024 22:14:15: {SAID}": "2024-10-01T22:14:15",
    f"2024-10-11T22:14:15.123456+02:00 {SAID}": "2024-10-11T20:14:15.123456",
    f"2024-10-11T22:14:15+0200 {NO_HOST}": "2024-10-11T20:14:15",
    f"99 <38>1 2024-10-11T22:14:15Z node-1 sshd 77 - - {SAID.partition(': ')[2]}": (
        "2024-10-11T22:14:15"
    ),
    f"<38>2024-10-11T22:14:15Z {SAID}": "2024-10-11T22:14:15",
}
YEARLESS = (
    f"Oct 1 22:14:15 {SAID}",
    f"Oct 1 22:14:15.123456 {SAID}",
    f"99 <38>Oct  1 22:14:15 {SAID}",
)


@pytest.mark.parametrize("lines", [list(LINES), list(YEARLESS)], ids=["years", "no years"])
def test_every_form_of_a_line_is_an_event(lines: list[str], tmp_path: Path) -> None:
    log, out = tmp_path / "auth.log", tmp_path / "out"
    log.write_text("\n".join(lines) + "\n")
    command = [sys.executable, "-m", "trailwarden", "scan", str(log), "--out", str(out)]
    done = subprocess.run(command, capture_output=True, check=False)
    assert (out / "quarantine.ndjson").read_bytes() == b"", done.stderr.decode()
    events = pl.read_parquet(out / "events.parquet")
    assert events["event.action"].to_list() == ["login"] * len(lines)
    assert events["event.outcome"].to_list() == ["failure"] * len(lines)
    assert events["source.ip"].to_list() == ["198.51.100.23"] * len(lines)
    for time, line in zip(events["@timestamp"].to_list(), lines, strict=True):
        if line in LINES:
            assert time == datetime.fromisoformat(LINES[line]).replace(tzinfo=UTC)
        else:
            assert f"{time:%m-%d %H:%M:%S}" == "10-01 22:14:15"
