from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest
import typer
from typer.testing import CliRunner, Result

from detectors.policy.reading import read_policy
from tests.detectors.policy.policies import ALL, DOCUMENTED, EVERYTHING, METADATA, QUIET
from trailwarden.commands.policy import EXAMPLES, policy
from worker.settings import shipped_rules

app = typer.Typer(context_settings={"help_option_names": ["-h", "--help"]})
app.command(epilog=EXAMPLES)(policy)

RULES = shipped_rules()
BASES = RULES / "bases"


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """A handful of the shipped rules with their cases: all of them take seconds."""
    folder = tmp_path / "rules"
    folder.mkdir()
    names = (
        "unauthorized-install/privileged-container",
        "cluster-control/wildcard-role",
        "cluster-control/exec-reverse-shell",
        "cluster-control/security-service-stopped",
        "key-file-change/secrets-listed-cluster-wide",
        "key-file-change/cluster-credential-created",
        "key-file-change/configmap-with-credentials",
    )
    for name in names:
        for suffix in (".yml", ".cases.yml"):
            source = RULES / f"{name}{suffix}"
            text = source.read_text(encoding="utf-8")
            target = folder / source.parent.name / source.name
            target.parent.mkdir(exist_ok=True)
            target.write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def run(rules: Path, tmp_path: Path) -> Any:
    def run_policy(text: str | None, *arguments: str) -> Result:
        given = []
        if text is not None:
            file = tmp_path / "policy.yaml"
            file.write_text(text, encoding="utf-8")
            given = [str(file)]
        return CliRunner().invoke(app, [*given, "--rules", str(rules), *arguments])

    return run_policy


def log_of(tmp_path: Path, *bases: str) -> Path:
    log = tmp_path / "audit.log"
    lines = [orjson.dumps(orjson.loads((BASES / f"{name}.json").read_bytes())) for name in bases]
    log.write_bytes(b"\n".join(lines) + b"\n")
    return log


def test_people_get_a_table_the_changes_and_a_summary(run: Any) -> None:
    done: Result = run(METADATA)
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["verdict", "change", "rule,", "and", "why"]
    assert sum(line.startswith("blind") for line in lines) == 3
    assert sum(line.startswith("weakened") for line in lines) == 1
    assert not any(line.startswith("fires") for line in lines)
    words = " ".join(done.stdout.split())
    assert "Metadata by line 4, Request is needed: create, patch, update of pods," in words
    assert "no: secrets" in words
    assert "Change 2: insert before line 4 (level Metadata): 2 rules need it" in words
    assert "may hold credentials although they should not" in words
    assert "needed by: Credential written into a ConfigMap" in words
    assert lines[-1] == (
        "6 rules about API servers: 3 blind, 1 weakened, 2 fire. "
        "1 about machines and containers are not concerned."
    )
    assert "fires" in run(METADATA, "--all").stdout


def test_machines_get_the_same_as_json(run: Any) -> None:
    done: Result = run(METADATA, "--json")
    found = orjson.loads(done.stdout)
    assert found["summary"]["blind"] == 3
    assert found["not_concerned"] == 1
    blind = next(one for one in found["rules"] if one["verdict"] == "blind" and one["changes"])
    assert {loss["needed"] for loss in blind["lost"]} == {"Request"}
    assert {loss["line"] for loss in blind["lost"]} == {4}
    change = found["changes"][-1]
    assert (change["before_line"], change["events"]) == (4, None)
    assert change["rule"].startswith("- level: Request\n  verbs: ")
    assert blind["id"] in [id_ for one in found["changes"] for id_ in one["rules_that_need_it"]]


def test_with_the_suggested_policy_no_rule_is_blind_any_more(run: Any, tmp_path: Path) -> None:
    better = tmp_path / "better.yaml"
    for name in ("metadata", "documented", "quiet", "nothing matches"):
        done: Result = run(ALL[name], "--suggest", str(better), "--fail-on-blind")
        assert done.exit_code == 1, name
        assert f"Written: {better}" in done.stderr
        again: Result = run(better.read_text(encoding="utf-8"), "--fail-on-blind", "--json")
        assert again.exit_code == 0, name
        assert orjson.loads(again.stdout)["changes"] == []


def test_a_suggested_policy_keeps_the_file_and_says_why(run: Any, tmp_path: Path) -> None:
    better = tmp_path / "better.yaml"
    run(DOCUMENTED, "--suggest", str(better))
    text = better.read_text(encoding="utf-8")
    assert "# pods with all of it" in text
    assert "# Trailwarden: needed by " in text
    assert read_policy(better).rules


def test_where_nothing_is_blind_nothing_is_suggested_and_hints_still_are(run: Any) -> None:
    done: Result = run(EVERYTHING, "--fail-on-blind")
    assert done.exit_code == 0
    assert "No change is suggested." in done.stdout
    assert "line 5: RequestResponse writes the credentials in secrets into the log" in done.stdout


def test_a_stage_that_hides_failed_logins_is_to_be_taken_out(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(QUIET, encoding="utf-8")
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "refused.yml").write_text(
        "title: Refused\nid: 0a0a0a0a-0000-4000-8000-000000000001\n"
        "logsource: {product: kubernetes}\ndetection:\n"
        "  sel: {http.response.status_code: 401}\n  condition: sel\n"
    )
    (tmp_path / "rules" / "refused.cases.yml").write_text(
        "match:\n- {name: once, base: unauthenticated-list}\n"
        "no_match:\n- {name: in, base: secrets-list}\n"
    )
    done = CliRunner().invoke(app, [str(file), "--rules", str(tmp_path / "rules"), "--json"])
    found = orjson.loads(done.stdout)
    assert found["omit_stages_to_remove"] == ["ResponseStarted"]
    assert found["summary"]["blind"] == 1
    table = CliRunner().invoke(app, [str(file), "--rules", str(tmp_path / "rules")]).stdout
    assert "Take ResponseStarted out of omitStages on line 3." in table
    assert "omitStages" in table


def test_a_log_alone_says_what_is_logged(run: Any, tmp_path: Path) -> None:
    log = log_of(tmp_path, "exec-websocket", "secrets-list", "clusterrole-create")
    done: Result = run(None, "--observed", str(log), "--json")
    assert done.exit_code == 0
    found = orjson.loads(done.stdout)
    assert (found["policy"], found["events_observed"]) == (None, 3)
    assert found["summary"]["fires"] == 3
    assert found["summary"]["cannot tell"] == 3
    told: Result = run(None, "--observed", str(log))
    assert "Never seen, so it cannot be told" in " ".join(told.stdout.split())
    assert told.stdout.splitlines()[-1].startswith("3 audit events seen. 6 rules")


def test_a_log_without_bodies_makes_rules_blind(run: Any, tmp_path: Path) -> None:
    log = log_of(tmp_path, "clusterrole-create", "pod-create-privileged")
    lines = []
    for line in log.read_bytes().splitlines():
        record = orjson.loads(line) | {"level": "Metadata"}
        del record["requestObject"]
        lines.append(orjson.dumps(record))
    log.write_bytes(b"\n".join(lines))
    done: Result = run(None, "--observed", str(log), "--fail-on-blind")
    assert done.exit_code == 1
    words = " ".join(done.stdout.split())
    assert "Seen without body, Request is needed: create of clusterroles" in words
    assert orjson.loads(run(None, "--observed", str(log), "--json").stdout)["summary"]["blind"] == 2


def test_a_log_beside_a_policy_says_what_a_change_concerns(run: Any, tmp_path: Path) -> None:
    log = log_of(tmp_path, "clusterrole-create", "pod-create", "secrets-list")
    size = sum(len(line) for line in log.read_bytes().splitlines()[:2])
    done: Result = run(METADATA, "--observed", str(log), "--json")
    change = next(
        one for one in orjson.loads(done.stdout)["changes"] if not one["may_log_credentials"]
    )
    assert (change["events"], change["size_bytes"]) == (2, size)
    words = " ".join(run(METADATA, "--observed", str(log)).stdout.split())
    assert "In the log, 2 events are such requests" in words
    none = " ".join(run(ALL["nothing matches"], "--observed", str(log)).stdout.split())
    assert "The log cannot say how many events that makes" in none


def test_events_of_one_record_share_its_bytes(run: Any, tmp_path: Path) -> None:
    record = orjson.loads((BASES / "pod-create.json").read_bytes())
    items = [record, record | {"auditID": "0b0b"}]
    log = tmp_path / "audit.log"
    whole = {"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": items}
    log.write_bytes(orjson.dumps(whole))
    done: Result = run(METADATA, "--observed", str(log), "--json")
    change = next(
        one for one in orjson.loads(done.stdout)["changes"] if not one["may_log_credentials"]
    )
    assert change["events"] == 2
    assert change["size_bytes"] == len(log.read_bytes())


def test_wrong_usage_is_told(run: Any, tmp_path: Path) -> None:
    assert run(None).exit_code == 2
    assert run(None, "--observed", "x", "--suggest", "y").exit_code == 2
    assert run(METADATA, "--suggest", str(tmp_path / "policy.yaml")).exit_code == 2
    assert run(METADATA, "--suggest", str(tmp_path / "no" / "folder.yaml")).exit_code == 2
    assert (tmp_path / "policy.yaml").read_text(encoding="utf-8") == METADATA
    refused: Result = run(METADATA.replace("level", "levle"))
    assert refused.exit_code == 2
    assert "policy.yaml:4:" in refused.stderr
    assert "did you mean 'level'?" in refused.stderr
    nowhere = CliRunner().invoke(app, [str(tmp_path / "nowhere.yaml")])
    assert nowhere.exit_code == 2
    assert "cannot be read" in nowhere.stderr


def test_a_log_that_cannot_be_read_is_named(run: Any, tmp_path: Path) -> None:
    done: Result = run(METADATA, "--observed", str(tmp_path / "nowhere.log"))
    assert done.exit_code == 1
    assert "Not read: " in done.stderr
    assert "nowhere.log" in done.stderr


def test_help_loads_no_frames(root: Path) -> None:
    program = (
        "import sys; import trailwarden.commands.policy; "
        "print(sorted({'polars', 'pyarrow', 'detectors'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    shown = CliRunner().invoke(app, ["--help"])
    assert shown.exit_code == 0
    assert "trailwarden policy --observed eks-audit.json.gz" in shown.stdout
