"""A folder that mixes all formats: every record is counted where it belongs, and nothing breaks."""

from __future__ import annotations

import gzip
import os
import random
from collections import Counter
from pathlib import Path

import polars as pl
import pytest

from ingest.formats.text_lines import is_text_record
from tests.ingest.formats.test_goldens import CASES, GOLDEN, normalized, raw_of
from tests.trailwarden.test_scan import run

WRITTEN_S = 1_795_262_400
"""2026-11-21T12:00:00Z: syslog lines without a year take it from their file's date."""

JOINED = {"auditd"}
"""Formats whose records may be several lines."""


def entries_of(name: str) -> list[dict[str, object]]:
    """Return the golden records of a format that can stand on lines of their own."""
    found = [entry for key, entry in CASES.items() if key.startswith(f"{name}: ")]
    return [
        entry
        for entry in found
        if "raw" in entry
        and entry.get("events")
        and (name in JOINED or "\n" not in str(entry["raw"]))
        and (name not in JOINED or all(map(is_text_record, raw_of(entry).splitlines())))
    ]


FORMATS = sorted(file.stem for file in GOLDEN.glob("*.json"))


def expected(names: list[str]) -> Counter[str]:
    """Count the events of golden records by dataset; equal ones are one."""
    events = [normalized(entry).events for name in names for entry in entries_of(name)]
    distinct = pl.concat(events).unique("event.id")
    return Counter(dict(distinct["event.dataset"].value_counts().iter_rows()))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a file for each format, packed or not, and one that mixes all."""
    logs = tmp_path / "logs"
    logs.mkdir()
    rng = random.Random(5)
    mixed = []
    for number, name in enumerate(FORMATS):
        lines = [str(entry["raw"]) for entry in entries_of(name)]
        text = "\n".join(lines).encode() + b"\n"
        half = lines[::2]
        mixed += half
        path = logs / f"{name}.log{'.gz' if number % 3 == 0 else ''}"
        path.write_bytes(gzip.compress(text) if number % 3 == 0 else text)
    rng.shuffle(mixed)
    (logs / "mixed.txt").write_text("\n".join(mixed) + "\n")
    for path in logs.iterdir():
        os.utime(path, (WRITTEN_S, WRITTEN_S))
    return logs


def test_a_folder_of_all_formats_is_counted_right(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run("scan", str(folder), "--out", str(out))
    assert done.returncode == 0, done.stderr.decode() + done.stdout.decode()
    events = pl.read_parquet(out / "events.parquet")
    assert Counter(dict(events["event.dataset"].value_counts().iter_rows())) == expected(FORMATS)
    assert (out / "quarantine.ndjson").read_bytes() == b""
    assert "Traceback" not in done.stderr.decode()


def test_a_file_that_mixes_all_formats_is_counted_right(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run("scan", str(folder / "mixed.txt"), "--out", str(out))
    assert done.returncode == 0, done.stderr.decode() + done.stdout.decode()
    events = pl.read_parquet(out / "events.parquet")
    whole = expected(FORMATS)
    assert set(events["event.dataset"]) == set(whole)


def test_lines_of_other_programs_are_passed_over_and_said(tmp_path: Path) -> None:
    log = tmp_path / "messages"
    login = "Accepted password for root from 203.0.113.9 port 7 ssh2"
    log.write_text(
        "2026-11-21T10:00:00Z web-1 nginx[7]: a line of another program\n"
        f"2026-11-21T10:00:01Z web-1 sshd[8]: {login}\n"
    )
    done = run("scan", str(log), "--cluster", "c", "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr.decode()
    assert b"1 record about something else" in done.stdout
    assert (tmp_path / "out" / "quarantine.ndjson").read_bytes() == b""
    assert "About something else" in (tmp_path / "out" / "report.html").read_text()
    assert pl.read_parquet(tmp_path / "out" / "events.parquet")["event.action"].to_list() == [
        "login"
    ]
