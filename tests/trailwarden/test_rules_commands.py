"""`trailwarden rules`: what each subcommand prints, and its exit code."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner, Result

from trailwarden.commands.rules import app
from worker.settings import shipped_rules

COMMUNITY = Path(__file__).parent.parent / "detectors" / "sigma" / "community"
REFUSED = COMMUNITY.with_name("community_refused")

RULE = """\
title: {title}
id: 0a0a0a0a-0000-4000-8000-0000000000{number:02}
description: Somebody deletes something.
logsource: {{product: kubernetes, service: audit}}
detection:
  act: {{verb: delete, user.username|expand: '%admin_identities%'}}
  condition: act
level: high
tags: [attack.t1485]
author: Somebody
trailwarden:
  category: cluster-control
  catalogue: [D24]
  message: "{{user.name}} deleted."
  next_steps: [Ask.]
"""
CASES = """\
lists: {admin_identities: [root]}
match: [{name: an administrator, base: request, set: {verb: delete, user.username: root}}]
no_match:
  - {name: somebody else, base: request, set: {verb: delete}}
  - {name: a read, base: request, set: {user.username: root}}
"""


def run(*words: str | Path) -> Result:
    return CliRunner(env={"COLUMNS": "80"}).invoke(app, [str(word) for word in words])


def json(*words: str | Path) -> Any:
    done = run(*words, "--json")
    assert done.exit_code == 0, done.output
    return orjson.loads(done.stdout)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder with one rule, its cases and their base."""
    folder = tmp_path / "own"
    shutil.copytree(COMMUNITY / "bases", folder / "bases")
    write(folder, "admin-deletes", 1)
    return folder


def write(folder: Path, stem: str, number: int, title: str = "An administrator deletes") -> Path:
    (folder / f"{stem}.yml").write_text(RULE.format(number=number, title=title))
    (folder / f"{stem}.cases.yml").write_text(CASES)
    return folder / f"{stem}.yml"


def settings(folder: Path, text: str) -> Path:
    file = folder.parent / "trailwarden.yml"
    file.write_text(text)
    return file


def test_help_answers_without_loading_frames() -> None:
    program = (
        "import sys; from trailwarden.cli import app; sys.argv = ['tw', 'rules', '--help']\n"
        "try: app()\nexcept SystemExit: pass\n"
        "print(sorted({'polars', 'pyarrow'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.stdout.rstrip().endswith("[]"), done.stderr
    for name in ("list", "check", "test", "explain", "coverage", "import", "cost"):
        assert f" {name} " in done.stdout


def test_every_subcommand_shows_an_example_and_its_exit_codes() -> None:
    for name in ("list", "check", "test", "explain", "coverage", "import", "cost"):
        text = run(name, "--help").stdout
        assert f"trailwarden rules {name}" in text
        assert "Exit code:" in text


def test_list_tells_what_a_rule_waits_for(own: Path) -> None:
    (row,) = json("list", "--rules", own)
    assert row["waits_for"] is None
    (own / "admin-deletes.yml").write_text(
        (own / "admin-deletes.yml").read_text() + "  requires: [admin_identities]\n"
    )
    (row,) = json("list", "--rules", own)
    assert row["waits_for"] == "admin_identities"
    assert "waits for the site list" in run("list", "--rules", own).stdout.replace("\n", " ")
    config = settings(own, "site: {lists: {admin_identities: [root]}}\n")
    (row,) = json("list", "--rules", own, "--config", config)
    assert row["waits_for"] is None


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ((), 1),
        (("--level", "high"), 1),
        (("--level", "low"), 0),
        (("--level", "low", "--level", "high"), 1),
        (("--category", "cluster-control"), 1),
        (("--category", "abnormal-login"), 0),
        (("--catalogue", "d24"), 1),
        (("--catalogue", "D25"), 0),
    ],
)
def test_list_narrows(own: Path, options: tuple[str, ...], found: int) -> None:
    done = run("list", "--rules", own, "--json", *options)
    assert len(orjson.loads(done.stdout)) == found
    assert done.exit_code == (0 if found else 1)


def test_list_shows_bases_only_when_asked() -> None:
    quiet = json("list", "--rules", COMMUNITY / "event_count.yml")
    loud = json("list", "--rules", COMMUNITY / "event_count.yml", "--silent")
    assert [(row["type"], row["silent"]) for row in quiet] == [("event_count", False)]
    assert sorted((row["type"], row["silent"]) for row in loud) == [
        ("event_count", False),
        ("rule", True),
    ]


def test_a_table_fits_80_columns() -> None:
    lines = run("list", "--rules", COMMUNITY).stdout.splitlines()
    assert len(lines) > 80
    assert max(map(len, lines)) <= 80


def test_default_stands_for_the_shipped_rules(own: Path) -> None:
    rows = json("list", "--rules", "default", "--rules", own)
    assert len(rows) > 100
    assert "An administrator deletes" in [row["title"] for row in rows]


def test_a_folder_that_is_not_there_is_wrong_usage() -> None:
    assert run("list", "--rules", "no/such/folder").exit_code == 2


def test_refused_rules_are_told_all_at_once() -> None:
    done = run("list", "--rules", REFUSED)
    assert done.exit_code == 2
    assert len({line.split(":")[0] for line in done.stderr.splitlines()}) == 22


def test_check_finds_nothing_wrong_with_a_good_folder(own: Path) -> None:
    done = run("check", "--rules", own)
    assert (done.exit_code, done.stdout) == (0, "nothing is wrong\n")


def test_check_shows_refusals(own: Path) -> None:
    shutil.copy(REFUSED / "windows.yml", own)
    done = run("check", "--rules", own)
    assert done.exit_code == 1
    assert "windows.yml:4:" in done.stdout
    assert done.stdout.endswith("2 problems\n")


def test_check_shows_titles_techniques_and_cases(own: Path) -> None:
    write(own, "again", 2).with_suffix(".cases.yml").unlink()
    rule = own / "admin-deletes.yml"
    rule.write_text(rule.read_text().replace("t1485", "t9999"))
    found = {(Path(fault["place"]).name, fault["message"]) for fault in faults(own)}
    assert found == {
        ("admin-deletes.yml", "title 'An administrator deletes' is there twice"),
        ("again.yml", "title 'An administrator deletes' is there twice"),
        ("admin-deletes.yml", "unknown technique T9999"),
        ("again.yml", "has no cases beside it"),
    }


def faults(folder: Path, *more: str | Path) -> list[dict[str, str]]:
    done = run("check", "--rules", folder, "--json", *more)
    assert done.exit_code == 1, done.output
    found: list[dict[str, str]] = orjson.loads(done.stdout)
    return found


def test_check_asks_community_rules_for_no_cases(tmp_path: Path) -> None:
    shutil.copy(COMMUNITY / "cased.yml", tmp_path)
    assert run("check", "--rules", tmp_path).exit_code == 0


def test_check_shows_a_broken_case_file(own: Path) -> None:
    (own / "admin-deletes.cases.yml").write_text("match: []\nno_match: []\nmore: 1\n")
    assert len(faults(own)) == 3


EXCEPTION = """\
exceptions:
  - rule: admin-deletes
    owner: somebody
    reason: because
    expires: {expires}
    where: {{user.name: {user}}}
"""


def test_check_shows_exceptions_that_have_expired(own: Path) -> None:
    config = settings(own, EXCEPTION.format(expires="2020-01-01", user="dana@corp.example"))
    (fault,) = faults(own / "admin-deletes.yml", "--config", config)
    assert "expired on 2020-01-01" in fault["message"]


def test_check_shows_exceptions_that_hide_what_must_be_found(own: Path) -> None:
    config = settings(own, EXCEPTION.format(expires="2999-01-01", user="root"))
    (fault,) = faults(own / "admin-deletes.yml", "--config", config)
    assert fault["place"] == f"{config}:2"
    assert "hides it" in fault["message"]
    assert "'an administrator'" in fault["message"]
    config = settings(own, EXCEPTION.format(expires="2999-01-01", user="another"))
    assert run("check", "--rules", own / "admin-deletes.yml", "--config", config).exit_code == 0


def test_check_asks_the_memory_about_exceptions_to_rules_that_do(tmp_path: Path) -> None:
    rule = "exec-into-privileged-pod"
    shipped = shipped_rules() / "cluster-control"
    for file in (f"{rule}.yml", f"{rule}.cases.yml"):
        shutil.copy(shipped / file, tmp_path)
    shutil.copytree(shipped_rules() / "bases", tmp_path / "bases")
    where = "{{user.name: mallory*, trailwarden.recalled.target_pod.privileged: {user}}}"
    written = EXCEPTION.replace("admin-deletes", rule).replace("{{user.name: {user}}}", where)
    for value, hidden in (("true", True), ("false", False)):
        config = settings(tmp_path, written.format(expires="2999-01-01", user=value))
        found = run("check", "--rules", tmp_path / f"{rule}.yml", "--config", config)
        assert ("must match 'by a GET, each time anew'" in found.output) is hidden, found.output
        assert ("must match 'the memory of the node'" in found.output) is not hidden


def test_wrong_settings_are_wrong_usage(own: Path) -> None:
    config = settings(own, "site: {list: {}}\n")
    for name in ("list", "check", "test", "coverage"):
        assert run(name, "--rules", own, "--config", config).exit_code == 2


def test_test_runs_the_cases_with_the_lists_they_are_about(own: Path) -> None:
    done = run("test", "--rules", own)
    assert (done.exit_code, done.stdout) == (0, "1 rules, 3 cases: 0 failed\n")


def test_test_shows_what_a_failed_case_looks_like(own: Path) -> None:
    cases = own / "admin-deletes.cases.yml"
    cases.write_text(
        cases.read_text().replace(
            "- {name: a read, base: request, set: {",
            "- {name: a read, base: request, set: {verb: delete, ",
        )
    )
    done = run("test", "--rules", own)
    assert done.exit_code == 1
    assert f"{own / 'admin-deletes.yml'}: case 'a read' must not match, and does" in done.stdout
    assert "    kubernetes.audit.verb: delete" in done.stdout
    assert "    user.name: root" in done.stdout
    assert "log.offset" not in done.stdout
    assert "1 rules, 3 cases: 1 failed" in done.stdout


def test_test_takes_names_and_says_which_it_does_not_know(own: Path) -> None:
    assert run("test", "admin-deletes", "--rules", own).exit_code == 0
    assert run("test", "0a0a0a0a", "--rules", own).exit_code == 0
    assert run("test", "no-such-rule", "--rules", own).exit_code == 2


def test_a_rule_without_cases_is_a_failure(own: Path) -> None:
    (own / "admin-deletes.cases.yml").unlink()
    done = run("test", "--rules", own)
    assert done.exit_code == 1
    assert "has no cases" in done.stdout


def test_mutations_are_scored_and_survivors_named(own: Path) -> None:
    done = run("test", "--rules", own, "--mutations")
    assert done.exit_code == 0
    assert done.stdout.endswith("2 mutants: 2 noticed, 100.0 % (least 95 %)\n")
    rule = own / "admin-deletes.yml"
    rule.write_text(
        rule.read_text().replace(
            "condition: act", "f: {verb: purge, user.uid: x}\n  condition: act and not f"
        )
    )
    done = run("test", "--rules", own, "--mutations")
    assert done.exit_code == 1
    assert "admin-deletes: 4 of 6 noticed; not:" in done.stdout
    assert "test: f: kubernetes.audit.verb is 'purge' (line 7)" in done.stdout
    assert run("test", "--rules", own, "--mutations", "--least", "0.6").exit_code == 0


def test_mutants_of_a_rule_whose_cases_fail_are_not_counted(own: Path) -> None:
    cases = own / "admin-deletes.cases.yml"
    cases.write_text(cases.read_text().replace("user.username: root}}]", "user.username: eve}}]"))
    found = orjson.loads(run("test", "--rules", own, "--mutations", "--json").stdout)
    assert (found["mutants"], found["scores"]) == (0, [])
    assert [failure["case"] for failure in found["failures"]] == ["an administrator"]


def test_explain_says_a_rule_in_words(own: Path) -> None:
    done = run("explain", "admin-deletes", "--rules", own)
    assert done.exit_code == 0
    text = done.stdout
    for wanted in (
        "An administrator deletes",
        "Somebody deletes something.",
        "-> high (73)",
        "  act: all of\n    kubernetes.audit.verb is 'delete'\n",
        "user.name: who authenticated",
        "T1485 Data Destruction",
        "must match: an administrator",
        "author: Somebody",
        "Ask.",
    ):
        assert wanted in text
    assert max(map(len, text.splitlines()[2:])) <= 80


def test_explain_says_a_correlation_in_words() -> None:
    text = run("explain", "chain", "--rules", COMMUNITY).stdout
    assert "It joins: many_denied, reads_secret." in text
    assert "Events with the same user.name are a group, in each cluster." in text
    assert "It matches when all of them match in this order within 10 minutes." in text
    assert "within any 1 minute, the number of events is at least 5." in text
    assert "http.response.status_code is 403" in text


def test_explain_knows_ids_by_their_beginning_and_asks_for_one_rule(own: Path) -> None:
    assert run("explain", "0a0a0a0a", "--rules", own).exit_code == 0
    write(own, "again", 2)
    done = run("explain", "0a0a0a0a", "--rules", own)
    assert done.exit_code == 1
    assert "2 rules are called so: admin-deletes" in done.stderr
    assert run("explain", "nothing", "--rules", own).exit_code == 1


def test_explain_can_measure(own: Path, root: Path) -> None:
    done = run("explain", "cased", "--rules", COMMUNITY, "--log", log_of(own, root))
    assert "microseconds of CPU an event alone, on 200 events" in done.stdout


def log_of(folder: Path, root: Path) -> Path:
    base = orjson.loads((root / COMMUNITY / "bases" / "request.json").read_bytes())
    log = folder / "audit.log"
    lines = [orjson.dumps(base | {"auditID": f"{number}"}) for number in range(200)]
    log.write_bytes(b"\n".join(lines) + b"\n")
    return log


def test_cost_measures_each_rule_and_all(own: Path, root: Path) -> None:
    log = log_of(own, root)
    found = json("cost", log, "--rules", COMMUNITY, "--repeat", "1")
    assert found["events"] == 200
    assert found["rules_us_per_event"] > 0
    assert found["correlations_us_per_event"] > 0
    costs = [one["us_per_event"] for one in found["detections"]]
    assert costs == sorted(costs, reverse=True)
    assert min(costs) >= 0
    rows = json("list", "--rules", COMMUNITY, "--silent")
    assert len(costs) == len(rows)
    text = run("cost", log, "--rules", COMMUNITY, "--repeat", "1", "--top", "3").stdout
    assert f"{len(costs)} detections on 200 events" in text
    assert max(map(len, text.splitlines())) <= 80


def test_a_log_without_events_is_said(own: Path) -> None:
    done = run("cost", own / "admin-deletes.cases.yml", "--rules", own)
    assert done.exit_code == 1
    assert run("cost", own / "no.log", "--rules", own).exit_code == 1


def test_coverage_in_three_formats(own: Path) -> None:
    assert run("coverage", "--rules", own).stdout.startswith("# Coverage\n")
    found = orjson.loads(run("coverage", "--rules", own, "--format", "json").stdout)
    (hours,) = (one for one in found["catalogue"] if one["id"] == "A12")
    assert hours["detections"] == ["5f0c6f5e-7a0d-4b7b-9d35-0f6f6b1c4e21"]
    assert hours["without_rule"] is None
    assert found["techniques"] == {"T1485": ["0a0a0a0a-0000-4000-8000-000000000001"]}
    assert len(found["catalogue"]) == 168
    assert found["categories"]["cluster-control"]["high"] == 1
    layer = orjson.loads(run("coverage", "--rules", own, "--format", "navigator").stdout)
    assert [one["techniqueID"] for one in layer["techniques"]] == ["T1485"]
