"""`trailwarden rules import`: what is written, what is told, and what is never touched."""

from __future__ import annotations

import shutil
from pathlib import Path

import orjson
from typer.testing import CliRunner, Result

from trailwarden.commands.rules import app

COMMUNITY = Path(__file__).parent.parent / "detectors" / "sigma" / "community"
REFUSED = COMMUNITY.with_name("community_refused")


def run(*words: str | Path) -> Result:
    return CliRunner(env={"COLUMNS": "80"}).invoke(app, [str(word) for word in words])


def test_import_writes_what_compiles_and_reports_the_rest(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    shutil.copytree(COMMUNITY, theirs / "good")
    shutil.copytree(REFUSED, theirs / "bad")
    out = tmp_path / "out"
    done = run("import", theirs, "--out", out)
    assert done.exit_code == 0
    assert "63 files: 40 compile, 23 refused" in done.stdout
    assert max(map(len, done.stdout.splitlines()[:-3])) <= 80
    report = orjson.loads((out / "import.json").read_bytes())
    assert (report["files"], report["imported"], report["refused"]) == (63, 40, 23)
    by_file = {row["file"]: row for row in report["rules"]}
    assert by_file["bad/unknown_field.yml"]["unknown_fields"] == [
        "requestObject.spec.hostFooBar",
        "verbs",
    ]
    assert [p["line"] for p in by_file["bad/unknown_field.yml"]["problems"]] == [7, 8]
    assert by_file["good/cased.yml"]["author"] == "Rule Writers"
    assert len(list((out / "good").glob("*.yml"))) == 40
    assert not (out / "bad").exists()
    assert run("list", "--rules", out).exit_code == 0


def test_importing_nothing_usable_fails_and_writes_no_rule(tmp_path: Path) -> None:
    assert run("import", REFUSED, "--out", tmp_path / "out").exit_code == 1
    assert not list((tmp_path / "out").rglob("*.yml"))
    assert orjson.loads(run("import", REFUSED, "--json").stdout)["imported"] == 0


def test_importing_never_writes_into_its_source_nor_over_own_rules(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    shutil.copytree(COMMUNITY, theirs)
    assert run("import", theirs, "--out", theirs / "out").exit_code == 2
    assert run("import", tmp_path / "none").exit_code == 2
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "cased.yml").write_text("title: own\n")
    assert run("import", theirs, "--out", tmp_path / "out").exit_code == 2
    assert (tmp_path / "out" / "cased.yml").read_text() == "title: own\n"
