"""`trailwarden findings`: findings of a scan's folder are listed and shown, whatever is in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner, Result

from ingest.verdict import Choice as Decided
from trailwarden.commands.findings import Choice, app


def finding(number: int, **members: Any) -> dict[str, Any]:
    return {
        "@timestamp": f"2026-11-2{number}T12:00:00.000000Z",
        "trailwarden.finding.id": f"{number}" * 32,
        "trailwarden.severity": ("low", "high", "critical")[number],
        "orchestrator.cluster.name": ("blue", "red", "blue")[number],
        "rule.id": f"rule-{number}",
        "rule.name": "Shell in a pod",
        "message": "somebody \x1b[31mdid it",
        **members,
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lines = [orjson.dumps(finding(number)) for number in range(3)]
    (tmp_path / "findings.ndjson").write_bytes(b"\n".join(lines) + b"\n")
    return tmp_path


def run(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--scan", str(folder)], env={"COLUMNS": "200"})


def numbers(done: Result) -> list[int]:
    assert done.exit_code == 0, done.output
    ids = [orjson.loads(line)["trailwarden.finding.id"] for line in done.stdout.splitlines()]
    return [int(one[0]) for one in ids]


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ([], [2, 1, 0]),
        (["--cluster", "blue"], [2, 0]),
        (["--rule", "rule-1"], [1]),
        (["--severity", "high"], [2, 1]),
        (["--since", "2026-11-21T12:00:00Z"], [2, 1]),
        (["--since", "2026-11-21T13:00:00+01:00"], [2, 1]),
        (["--limit", "1"], [2]),
        (["--cluster", "none"], []),
    ],
)
def test_findings_are_listed_newest_first(
    folder: Path, options: list[str], wanted: list[int]
) -> None:
    assert numbers(run(folder, "list", "--json", *options)) == wanted


def test_the_table_shows_what_matters_and_no_escape_sequence(folder: Path) -> None:
    done = run(folder, "list")
    assert done.exit_code == 0
    assert "\x1b" not in done.output
    assert "Shell in a pod" in done.stdout
    assert "2" * 12 in done.stdout
    assert "3 findings\n" in done.stderr


def test_one_finding_is_shown_whole_and_printable(folder: Path) -> None:
    done = run(folder, "show", "1111")
    assert done.exit_code == 0
    assert "message: somebody \\u001b[31mdid it\n" in done.stdout
    shown = run(folder, "show", "1", "--json")
    assert orjson.loads(shown.stdout) == finding(1)


def test_what_happened_and_why_comes_first_a_line_for_each_reason(folder: Path) -> None:
    said = {
        "trailwarden.evidence.values": ["event.action=exec"],
        "trailwarden.recalled.token_pod.node": "node-1",
        "trailwarden.anomaly.score": 98.9,
        "trailwarden.anomaly.reasons": ["first\x1b", "second"],
        "trailwarden.severity_reasons": [],
    }
    (folder / "findings.ndjson").write_bytes(orjson.dumps(finding(1, **said)))
    lines = run(folder, "show", "1").stdout.splitlines()
    assert lines[0].startswith("message: ")
    at = lines.index("trailwarden.anomaly.reasons:")
    assert lines[at + 1 : at + 3] == ["  first\\u001b", "  second"]
    assert lines[at + 3] == "trailwarden.anomaly.score: 98.9"
    assert lines[at + 4] == "trailwarden.recalled.token_pod.node: node-1"
    assert "trailwarden.severity_reasons: []" in lines
    assert lines[-2:] == ["trailwarden.evidence.values:", "  event.action=exec"]


def test_a_name_of_none_or_several_is_said(folder: Path) -> None:
    assert "no finding's id" in run(folder, "show", "9").stderr
    assert run(folder, "show", "9").exit_code == 1
    more = orjson.dumps(finding(1, **{"trailwarden.finding.id": "1" * 31 + "2"}))
    with (folder / "findings.ndjson").open("ab") as file:
        file.write(more + b"\n")
    done = run(folder, "show", "111")
    assert (done.exit_code, "several findings' ids" in done.stderr) == (1, True)
    assert run(folder, "show", "1" * 32).exit_code == 0


@pytest.mark.parametrize("line", [b"{", b"[]", b'{"trailwarden.finding.id": 7}'])
def test_what_is_no_finding_is_named_by_its_line(folder: Path, line: bytes) -> None:
    with (folder / "findings.ndjson").open("ab") as file:
        file.write(line + b"\n")
    done = run(folder, "list")
    assert done.exit_code == 1
    assert "findings.ndjson, line 4: no " in done.stderr


def test_what_cannot_be_read_and_what_means_nothing_have_their_codes(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TRAILWARDEN_ELASTICSEARCH__URL", raising=False)
    assert run(tmp_path / "none", "list").exit_code == 1
    assert run(folder, "list", "--since", "yesterday").exit_code == 2
    assert run(folder, "list", "--severity", "bad").exit_code == 2
    nowhere = CliRunner().invoke(app, ["list"])
    assert (nowhere.exit_code, "--scan" in nowhere.stderr) == (2, True)
    away = CliRunner().invoke(app, ["list", "--elasticsearch", "http://127.0.0.1:1"])
    assert (away.exit_code, "Elasticsearch" in away.stderr) == (1, True)


def test_the_verdicts_of_the_command_are_those_of_the_record() -> None:
    assert [one.value for one in Choice] == [one.value for one in Decided]


def test_a_verdict_that_is_too_long_is_not_sent(folder: Path) -> None:
    done = run(folder, "verdict", "1", "benign", "--note", "x" * 5_000)
    assert done.exit_code == 2


def test_a_verdict_that_is_none_is_refused(folder: Path) -> None:
    assert run(folder, "verdict", "1", "maybe").exit_code == 2
    assert run(folder, "verdict", "9", "benign").exit_code == 1
