"""`trailwarden scan` as a user runs it: files in, files out, exit codes."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from ingest.schema import DTYPES


def run(*args: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "trailwarden", *args]
    return subprocess.run(command, input=stdin, capture_output=True, check=False)


def found(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "findings.ndjson").read_text().splitlines()]


@pytest.fixture(scope="module")
def sample_lines(root: Path) -> list[bytes]:
    return gzip.decompress((root / "examples" / "sample-audit.log.gz").read_bytes()).splitlines()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Path:
    out = tmp_path_factory.mktemp("whole")
    sample = root / "examples" / "sample-audit.log.gz"
    done = run("scan", str(sample), "--cluster", "c", "--out", str(out))
    assert done.returncode == 0, done.stderr.decode()
    return out


def test_a_scan_writes_findings_events_quarantine_and_a_report(
    whole: Path, sample_lines: list[bytes]
) -> None:
    assert len(found(whole)) > 20
    events = pl.read_parquet(whole / "events.parquet")
    assert events.height == len(sample_lines)
    assert dict(events.schema) == DTYPES
    assert (whole / "quarantine.ndjson").read_bytes() == b""
    assert "<html" in (whole / "report.html").read_text()
    assert not list(whole.glob("*.partial"))


def test_a_finding_has_the_fields_that_others_rely_on(whole: Path) -> None:
    events = pl.read_parquet(whole / "events.parquet", columns=["event.id"])["event.id"]
    known = set(events.to_list())
    for finding in found(whole):
        assert finding["event.kind"] == "alert"
        assert 1 <= finding["event.severity"] <= 100
        assert finding["rule.id"]
        assert finding["rule.name"]
        assert finding["rule.category"] in {
            "abnormal-login",
            "unauthorized-install",
            "key-file-change",
            "cluster-control",
        }
        assert isinstance(finding["threat.technique.id"], list)
        assert finding["message"]
        assert finding["trailwarden.severity"] in {
            "informational",
            "low",
            "medium",
            "high",
            "critical",
        }
        assert finding["orchestrator.cluster.name"] == "c"
        assert known.issuperset(finding["trailwarden.evidence.event_ids"])
        assert finding["trailwarden.evidence.audit_ids"]
        assert finding["@timestamp"].endswith("Z")
    ids = [finding["trailwarden.finding.id"] for finding in found(whole)]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("pieces", [7, 100])
def test_the_same_log_cut_into_files_gives_the_same_findings(
    tmp_path: Path, whole: Path, sample_lines: list[bytes], pieces: int
) -> None:
    logs, out = tmp_path / "logs", tmp_path / "out"
    logs.mkdir()
    size = -(-len(sample_lines) // pieces)
    for n in range(pieces):
        # Named against the order of time, as rotation may do it.
        part = b"\n".join(sample_lines[n * size : (n + 1) * size])
        (logs / f"audit-{pieces - n:03}.log").write_bytes(part)
    assert run("scan", str(logs), "--cluster", "c", "--out", str(out)).returncode == 0
    assert _compared(found(out)) == _compared(found(whole))


def _compared(findings: list[dict[str, Any]]) -> dict[str, tuple[Any, ...]]:
    """Everything of a finding that must not depend on how a log is cut."""
    return {
        finding["trailwarden.finding.id"]: (
            finding["rule.id"],
            finding["@timestamp"],
            finding.get("user.name"),
            tuple(finding["trailwarden.evidence.event_ids"]),
        )
        for finding in findings
    }


def test_the_same_file_twice_counts_repeats_apart(
    tmp_path: Path, whole: Path, sample_lines: list[bytes]
) -> None:
    for name in ("a.log", "b.log"):
        (tmp_path / name).write_bytes(b"\n".join(sample_lines))
    done = run("scan", str(tmp_path), "--cluster", "c", "--out", str(tmp_path / "out"))
    assert done.returncode == 0
    assert f"{len(sample_lines):,} events, {len(sample_lines):,} repeats" in " ".join(
        done.stdout.decode().split()
    )
    assert _compared(found(tmp_path / "out")) == _compared(found(whole))


def test_each_file_can_be_its_own_cluster(tmp_path: Path, sample_lines: list[bytes]) -> None:
    for name in ("prod-eu.log", "prod-us.log.gz"):
        body = b"\n".join(sample_lines[:200])
        (tmp_path / name).write_bytes(gzip.compress(body) if name.endswith("gz") else body)
    out = tmp_path / "out"
    assert run("scan", str(tmp_path), "--cluster-from-file", "--out", str(out)).returncode == 0
    events = pl.read_parquet(out / "events.parquet")
    counts = dict(events["orchestrator.cluster.name"].value_counts().iter_rows())
    assert counts == {"prod-eu": 200, "prod-us": 200}


def test_standard_input_is_read(tmp_path: Path, sample_lines: list[bytes]) -> None:
    done = run("scan", "-", "--out", str(tmp_path), stdin=b"\n".join(sample_lines[:50]))
    assert done.returncode == 0
    assert b"named 'default'" in done.stdout
    assert pl.read_parquet(tmp_path / "events.parquet").height == 50


def test_fail_on_decides_the_exit_code(tmp_path: Path, root: Path) -> None:
    sample = str(root / "examples" / "sample-audit.log.gz")
    rule = tmp_path / "rule.yml"
    rule.write_text(
        "title: t\nid: 7d2f4d3e-8f4f-4a5b-9d6c-1b2c3d4e5f60\nlogsource: {product: kubernetes}\n"
        "detection: {s: {verb: deletecollection}, condition: s}\nlevel: medium\n"
    )
    args = ("scan", sample, "--rules", str(rule), "--out", str(tmp_path / "out"), "--fail-on")
    assert run(*args, "high").returncode == 0
    assert run(*args, "medium").returncode == 3
    assert run(*args, "low").returncode == 3


def test_what_cannot_be_read_is_said_and_the_rest_is_processed(
    tmp_path: Path, sample_lines: list[bytes]
) -> None:
    # A path longer than a terminal's line, with what Rich would take for a style.
    logs = tmp_path / ("deep-" * 20) / "[bold]"
    logs.mkdir(parents=True)
    (logs / "good.log").write_bytes(b"\n".join(sample_lines[:10]))
    cut = gzip.compress(b"\n".join(sample_lines[:5000]))
    (logs / "cut.log.gz").write_bytes(cut[: len(cut) // 2])
    out = logs / "out"
    done = run("scan", str(logs), str(logs / "missing.log"), "--out", str(out))
    assert done.returncode == 1
    printed = done.stdout.decode()
    assert f"Not read: {logs / 'missing.log'}: " in printed
    assert f"Not read: {logs / 'cut.log.gz'}: " in printed
    assert f"Report:  {out / 'report.html'}\n" in printed
    assert pl.read_parquet(out / "events.parquet", glob=False).height > 1000


def test_a_log_that_is_too_short_to_say_what_is_unusual_says_so(
    tmp_path: Path, sample_lines: list[bytes]
) -> None:
    said = b"Too little to say what is unusual behaviour in [short]."
    (tmp_path / "few.log").write_bytes(b"\n".join(sample_lines[:200]))
    out = ("--out", str(tmp_path / "out"))
    few = run("scan", str(tmp_path / "few.log"), "--cluster", "[short]", *out)
    assert said in few.stdout.replace(b"\n", b" ")


def test_a_refused_rule_stops_the_scan_with_its_place(tmp_path: Path) -> None:
    rule = tmp_path / "bad.yml"
    rule.write_text(
        "title: t\nid: 7d2f4d3e-8f4f-4a5b-9d6c-1b2c3d4e5f60\nlogsource: {product: kubernetes}\n"
        "detection:\n  s:\n    user.nam: x\n  condition: s\nlevel: medium\n"
    )
    done = run("scan", "-", "--rules", str(rule), "--out", str(tmp_path / "out"))
    assert done.returncode == 2
    assert b"bad.yml:6:5" in done.stderr
    assert b"user.name" in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    "args",
    [
        ("scan",),
        ("scan", "x", "--cluster", "a", "--cluster-from-file"),
        ("scan", "x", "--cluster", " "),
        ("scan", "x", "--fail-on", "terrible"),
        ("scan", "x", "--rules", "/nowhere"),
        ("scan", "x", "--trusted-proxy", "not-a-network"),
        ("scan", "x", "--redaction-key-file", "/nowhere"),
        ("scan", "x", "--format", "xml"),
        ("frobnicate",),
    ],
)
def test_wrong_usage_exits_with_2_and_says_why(args: tuple[str, ...], tmp_path: Path) -> None:
    done = run(*args, *(("--out", str(tmp_path)) if len(args) > 1 else ()))
    assert done.returncode == 2
    assert done.stderr
    assert b"Traceback" not in done.stderr


def test_output_that_is_no_terminal_has_no_colours(tmp_path: Path, root: Path) -> None:
    sample = str(root / "examples" / "sample-audit.log.gz")
    done = run("scan", sample, "--out", str(tmp_path))
    assert b"\x1b[" not in done.stdout + done.stderr


def test_a_key_file_makes_tokens_compare_across_runs(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(b"a key of the test's own")
    record = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "auditID": "x",
        "stage": "ResponseComplete",
        "verb": "get",
        "requestURI": "/api?token=planted-secret-1",
        "user": {"username": "u"},
        "stageTimestamp": "2026-11-21T10:00:00.000000Z",
        "requestReceivedTimestamp": "2026-11-21T10:00:00.000000Z",
    }
    seen = []
    for n, args in enumerate([(), (), ("--redaction-key-file", str(key))] * 2):
        out = tmp_path / str(n)
        run("scan", "-", "--out", str(out), *args, stdin=json.dumps(record).encode())
        events = pl.read_parquet(out / "events.parquet")
        seen.append(events["kubernetes.audit.requestURI"][0])
        assert "planted" not in seen[-1]
    assert seen[2] == seen[5]
    assert len({*seen}) == 5


def test_help_shows_examples_and_exit_codes() -> None:
    printed = run("scan", "--help").stdout.decode()
    assert "trailwarden scan audit.log" in printed
    assert "--fail-on was met" in printed


def test_help_loads_no_heavy_library() -> None:
    code = (
        "import sys; from trailwarden import cli; "
        "print([m for m in ('polars', 'pyarrow', 'jinja2', 'yaml') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout.strip() == b"[]"


def test_records_in_quarantine_are_input_that_could_not_be_read(
    tmp_path: Path, sample_lines: list[bytes]
) -> None:
    body = b"\n".join([*sample_lines[:5], b'{"kind": "Pod"}', b"{nonsense}", *sample_lines[5:10]])
    done = run("scan", "-", "--out", str(tmp_path), stdin=body)
    assert done.returncode == 1
    assert pl.read_parquet(tmp_path / "events.parquet").height == 10
    written = (tmp_path / "quarantine.ndjson").read_text().splitlines()
    refused = [json.loads(line) for line in written]
    reasons = {record["trailwarden.quarantine.reason"] for record in refused}
    assert reasons == {"not-an-event", "not-json"}
    for record in refused:
        at = record["log.offset"]
        taken = body[at : at + record["trailwarden.quarantine.size_bytes"]]
        assert hashlib.sha256(taken).hexdigest() == record["trailwarden.quarantine.sha256"]
        assert record["log.file.path"] == "-"


@pytest.mark.parametrize("body", [b"", b"\n\n  \n"])
def test_an_input_without_a_record_is_said(tmp_path: Path, body: bytes) -> None:
    done = run("scan", "-", "--out", str(tmp_path), stdin=body)
    assert done.returncode == 0
    assert b"Nothing was read" in done.stdout
    assert (tmp_path / "report.html").exists()


@pytest.mark.parametrize("where", ["first", "last"])
def test_a_50_mb_line_costs_itself_alone(
    tmp_path: Path, sample_lines: list[bytes], where: str
) -> None:
    event = json.loads(sample_lines[0])
    event["requestObject"] = {"padding": "x" * 50_000_000}
    big = json.dumps(event).encode()
    good = sample_lines[:20]
    lines = [big, *good] if where == "first" else [*good, big]
    (tmp_path / "big.log").write_bytes(b"\n".join(lines) + b"\n")
    done = run("scan", str(tmp_path / "big.log"), "--out", str(tmp_path / "out"))
    events = pl.read_parquet(tmp_path / "out" / "events.parquet")
    assert done.returncode == 0
    # The padded event is the first line's own act: kept without its body, and marked.
    assert events.height == 20
    assert b"1 repeat" in done.stdout


def test_a_named_pipe_is_read_once_and_whole(tmp_path: Path, sample_lines: list[bytes]) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(b"\n".join(sample_lines[:3000]),))
    writer.start()
    done = run("scan", str(pipe), "--out", str(tmp_path / "out"))
    writer.join(timeout=30)
    assert done.returncode == 0
    assert pl.read_parquet(tmp_path / "out" / "events.parquet").height == 3000
