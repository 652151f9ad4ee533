from __future__ import annotations

import datetime as dt
import time
from typing import TYPE_CHECKING

import polars as pl
import pytest

from detectors.sigma.compiler import load_rules
from detectors.sigma.errors import InvalidRulesError, RuleError
from detectors.sigma.rule import (
    Category,
    Level,
    LogSource,
    Message,
    Related,
    Relation,
    Rule,
    Status,
)
from ingest.schema import DTYPES, EVENT_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Load = Callable[[str], Rule]

ID = "0a0a0a0a-0000-4000-8000-000000000001"
OTHER = "0a0a0a0a-0000-4000-8000-000000000002"

FULL = f"""\
title: Pod with a host path
id: {ID.upper()}
name: pod_host_path
related:
  - {{id: {OTHER}, type: similar}}
status: experimental
description: |
  Two lines
  of text.
license: Apache-2.0
references: [https://example.org/a, https://example.org/b]
author: The authors
date: 2026-11-21
modified: 2026/11/22
tags: [attack.t1611, attack.t1059.004, attack.privilege_escalation, attack.lateral-movement,
       cve.2024-1234, attack.g0139]
logsource: {{product: kubernetes, service: audit, category: application, definition: any}}
detection:
  sel: {{trailwarden.pod_spec.host_paths: '*'}}
  condition: sel
fields: [user.name]
falsepositives: Backup agents
level: high
scope: [server]
taxonomy: sigma
anything_else: [is, ignored]
trailwarden:
  category: key-file-change
  catalogue: [B01, B02]
  message: "{{user.name}} mounts {{trailwarden.pod_spec.host_paths}} {{{{sic}}}}"
  next_steps: [Look at the pod.]
  blind_spots: [Static pods.]
"""

SMALL = f"""\
title: A rule
id: {ID}
logsource: {{product: kubernetes}}
detection:
  sel: {{user.name: x}}
  condition: sel
"""


def write(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def problems(*files: Path) -> tuple[RuleError, ...]:
    with pytest.raises(InvalidRulesError) as caught:
        load_rules(files)
    return caught.value.errors


def test_everything_a_rule_says_is_read(tmp_path: Path) -> None:
    (rule,) = load_rules([write(tmp_path, "rule.yml", FULL)])

    assert rule.file == tmp_path / "rule.yml"
    assert (rule.title, rule.id, rule.name) == ("Pod with a host path", ID, "pod_host_path")
    assert rule.related == (Related(OTHER, Relation.SIMILAR),)
    assert rule.status is Status.EXPERIMENTAL
    assert rule.description == "Two lines\nof text."
    assert (rule.license, rule.author) == ("Apache-2.0", "The authors")
    assert rule.references == ("https://example.org/a", "https://example.org/b")
    assert (rule.date, rule.modified) == (dt.date(2026, 11, 21), dt.date(2026, 11, 22))
    assert len(rule.tags) == 6
    assert rule.techniques == ("T1611", "T1059.004")
    assert rule.tactics == ("privilege-escalation", "lateral-movement")
    assert rule.logsource == LogSource("kubernetes", "application", "audit")
    assert (rule.fields, rule.falsepositives) == (("user.name",), ("Backup agents",))
    assert (rule.level, rule.scope, rule.taxonomy) == (Level.HIGH, ("server",), "sigma")
    assert rule.category is Category.KEY_FILE_CHANGE
    assert rule.catalogue == ("B01", "B02")
    assert rule.next_steps == ("Look at the pod.",)
    assert rule.blind_spots == ("Static pods.",)
    assert rule.message == Message(
        "{user.name} mounts {trailwarden.pod_spec.host_paths} {{sic}}",
        ("", " mounts ", " {sic}"),
        ("user.name", "trailwarden.pod_spec.host_paths"),
    )
    assert rule.columns == {"event.dataset", "trailwarden.pod_spec.host_paths"}


def test_a_message_may_name_what_is_worked_out_of_several_columns(tmp_path: Path) -> None:
    text = SMALL + "trailwarden: {message: '{user.name} changed {file} with {program} {place}.'}\n"

    (rule,) = load_rules([write(tmp_path, "rule.yml", text)])

    assert rule.message is not None
    assert rule.message.columns == ("user.name", "file", "program", "place")


def test_what_a_rule_leaves_out_has_a_default(tmp_path: Path) -> None:
    (rule,) = load_rules([write(tmp_path, "rule.yml", SMALL)])

    assert rule.level is Level.MEDIUM
    assert rule.category is Category.CLUSTER_CONTROL
    assert rule.taxonomy == "sigma"
    assert (rule.status, rule.date, rule.message, rule.name) == (None, None, None, None)
    assert rule.tags == rule.techniques == rule.catalogue == rule.next_steps == ()


@pytest.mark.parametrize("category", list(Category))
def test_the_folder_is_the_category_unless_the_rule_says_otherwise(
    tmp_path: Path, category: Category
) -> None:
    text = SMALL + "trailwarden: {category: abnormal-login}\n"
    plain = write(tmp_path, f"{category}/a.yml", SMALL)
    own = write(tmp_path, f"{category}/b.yml", text.replace(ID, OTHER))

    one, other = load_rules([plain, own])

    assert one.category is category
    assert other.category is Category.ABNORMAL_LOGIN


@pytest.mark.parametrize(
    ("old", "new", "place", "words"),
    [
        ("title: A rule", "titel: A rule", (1, 1), "a rule needs 'title'"),
        ("title: A rule", "title: ''", (1, 8), "a rule needs 'title'"),
        ("title: A rule", "title: [a]", (1, 8), "'title' must be text"),
        ("title: A rule", f"title: {'x' * 257}", (1, 8), "more than 256 characters"),
        (f"id: {ID}", "", (1, 1), "a rule needs 'id'"),
        (f"id: {ID}", "id: 12", (2, 5), "must be a UUID, not '12'"),
        (f"id: {ID}", f"id: '{{{ID}}}'", (2, 5), f"must be a UUID written as '{ID}'"),
        ("{product: kubernetes}", "{product: windows}", (3, 22), "not 'windows'"),
        ("{product: kubernetes}", "{service: audit}", (3, 12), "there is no product"),
        ("{product: kubernetes}", "kubernetes", (3, 12), "a rule needs a mapping 'logsource'"),
        ("logsource: {product: kubernetes}", "", (1, 1), "a rule needs a mapping 'logsource'"),
        ("detection:\n", "detektion:\n", (1, 1), "a rule needs a mapping 'detection'"),
        ("detection:\n", "detection: 1\nx:\n", (4, 12), "a rule needs a mapping 'detection'"),
    ],
)
def test_a_rule_without_what_it_must_have_is_refused(
    tmp_path: Path, old: str, new: str, place: tuple[int, int], words: str
) -> None:
    (error,) = problems(write(tmp_path, "rule.yml", SMALL.replace(old, new)))

    assert (error.line, error.column) == place
    assert words in error.message


@pytest.mark.parametrize(
    ("line", "column", "words"),
    [
        ("level: hihg", 8, "not 'hihg', did you mean 'high'?"),
        ("status: done", 9, "'status' must be one of stable, test, experimental"),
        ("date: 21.11.2026", 7, "'date' must be a date"),
        ("modified: 2026-13-01", 11, "'modified' must be a date"),
        ("tags: [Attack.T1611]", 7, "is not 'namespace.name' in lower case"),
        ("tags: [attack]", 7, "is not 'namespace.name'"),
        ("tags: [attack.t161]", 7, "is no technique"),
        ("tags: [attack.t1059.4]", 7, "is no technique"),
        ("tags: {a: b}", 7, "'tags' must be a list of texts"),
        ("references: [[a]]", 14, "'references' must be a list of texts"),
        ("references: [a, '']", 17, "'references' must be a list of texts"),
        ("related: x", 10, "'related' must be a list"),
        ("related: [x]", 11, "'related' must be a list"),
        ("related: [{id: x, type: similar}]", 16, "must be a UUID"),
        (f"related: [{{id: {ID}, type: like}}]", 60, "'type' must be one of derived"),
        (f"description: '{'x' * 65_536}'", 14, "more than 65535 characters"),
        ("filter: {rules: [a]}", 1, "Sigma filters are not supported: use exceptions"),
        ("action: reset", 1, "rule collections ('action') are not supported"),
        ("action: global", 1, "rule collections ('action') are not supported"),
        ("trailwarden: x", 14, "'trailwarden' must be a mapping"),
        ("trailwarden: {categry: x}", 15, "unknown key 'categry' in 'trailwarden', did you mean"),
        ("trailwarden: {category: x}", 25, "'category' must be one of abnormal-login"),
        ("trailwarden: {catalogue: {a: b}}", 26, "'catalogue' must be a list of texts"),
        ("trailwarden: {next_steps: [[a]]}", 28, "'next_steps' must be a list of texts"),
        ("trailwarden: {message: [a]}", 24, "'message' must be text"),
        ("trailwarden: {message: 'a {usr.name}'}", 24, "'usr.name' is no column, did you mean"),
        ("trailwarden: {message: 'a {user.username}'}", 24, "'user.username' is no column"),
        ("trailwarden: {message: 'a {}'}", 24, "'' is no column"),
        ("trailwarden: {message: 'a {palce}'}", 24, "'palce' is no column, did you mean 'place'?"),
        ("trailwarden: {message: 'a {user.name!r}'}", 24, "'user.name' is no column"),
        ("trailwarden: {message: 'a {user.name:>9}'}", 24, "'user.name' is no column"),
        ("trailwarden: {message: 'a {user.name'}", 24, "message: expected '}'"),
        ("trailwarden: {message: 'a } b'}", 24, "message: Single '}'"),
        ("trailwarden: {message: 'a {count}'}", 24, "'count' is no column"),
        ("trailwarden: {attempts: 'true'}", 25, "'attempts' must be true or false"),
        ("trailwarden: {attempts: [true]}", 25, "'attempts' must be true or false"),
        ("trailwarden: {across_clusters: true}", 15, "'across_clusters' is for correlations"),
        ("trailwarden: {requires: {a: b}}", 25, "'requires' must be a list of texts"),
        ("trailwarden: {requires: [trusted_networs]}", 25, "did you mean 'trusted_networks'?"),
    ],
)
def test_a_key_with_a_wrong_value_is_refused_at_it(
    tmp_path: Path, line: str, column: int, words: str
) -> None:
    (error,) = problems(write(tmp_path, "rule.yml", f"{SMALL}{line}\n"))

    assert (error.line, error.column) == (7, column)
    assert words in error.message


def test_all_problems_of_all_files_are_found_at_once(tmp_path: Path) -> None:
    text = f"""\
title: A rule
id: {ID}
logsource: {{product: windows}}
level: worst
detection:
  sel:
    usr.name: a
    user.name|contain: b
    http.response.status_code: [1, x]
  also: {{verb|re: '('}}
  condition: sel and (
"""
    one = write(tmp_path, "b.yml", text)
    other = write(tmp_path, "a.yml", "- 1\n")

    errors = problems(one, other)

    assert [(error.file.name, error.line, error.column) for error in errors] == [
        ("a.yml", 1, 1),
        ("b.yml", 3, 22),
        ("b.yml", 4, 8),
        ("b.yml", 7, 5),
        ("b.yml", 8, 15),
        ("b.yml", 9, 36),
        ("b.yml", 10, 19),
    ]
    lines = str(InvalidRulesError(errors)).splitlines()
    assert lines[0] == f"{other}:1:1: a rule must be a mapping"
    assert lines[3] == f"{one}:7:5: unknown field 'usr.name', did you mean 'user.name'?"
    assert len(lines) == 7


def test_folders_are_searched_and_case_files_passed_over(tmp_path: Path) -> None:
    ids = [ID[:-1] + str(number) for number in range(4)]
    for name, own in zip(("b.yml", "a/c.yaml", "a/a.yml", "single.txt"), ids, strict=True):
        write(tmp_path, name, SMALL.replace(ID, own))
    for name in ("a/a.cases.yml", "a/c.cases.yaml", "a/readme.md", "x.yml.bak"):
        write(tmp_path, name, "not: a rule\n")

    rules = load_rules(
        [tmp_path, tmp_path / "a", tmp_path / "single.txt", tmp_path / "a.cases.yml"]
    )

    names = [str(rule.file.relative_to(tmp_path)) for rule in rules]
    assert names == ["a/a.yml", "a/c.yaml", "b.yml", "single.txt"]


def test_no_path_and_an_empty_folder_are_no_rules(tmp_path: Path) -> None:
    assert load_rules([]) == ()
    assert load_rules([tmp_path]) == ()


def test_a_file_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    (error,) = problems(tmp_path / "none.yml")

    assert str(error).endswith("none.yml:1:1: cannot be read: No such file or directory")


def test_an_id_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    first = write(tmp_path, "a.yml", SMALL)
    second = write(tmp_path, "b.yml", SMALL.replace(ID, ID.upper()))

    (error,) = problems(first, second)

    assert (error.file, error.line, error.column) == (second, 2, 5)
    assert error.message == f"id {ID} is already that of {first}"


def test_a_large_file_is_refused_without_being_read_to_the_end(tmp_path: Path) -> None:
    file = write(tmp_path, "a.yml", "x" * 10_000_000)
    started = time.process_time()

    (error,) = problems(file)

    assert "larger than 1000000 bytes" in error.message
    assert time.process_time() - started < 0.5


def test_thousands_of_mistakes_are_reported_up_to_a_limit_within_a_second(tmp_path: Path) -> None:
    fields = "".join(f"    user.nam{number}: a\n" for number in range(40_000))
    text = SMALL.replace("  sel: {user.name: x}\n", f"  sel:\n{fields}")
    started = time.process_time()

    errors = problems(write(tmp_path, "a.yml", text))

    assert len(errors) == 100
    assert time.process_time() - started < 2


def test_names_and_aliases_mean_the_same_column(load: Load) -> None:
    names: dict[str, str] = {}
    for column in EVENT_SCHEMA:
        for name in (column.name, *column.aliases):
            assert name not in names, f"{name} means two columns"
            names[name] = column.name
    for name, column_name in names.items():
        rule = load(f"  sel: {{'{name}|exists': true}}\n  condition: sel\n")
        assert rule.columns == {column_name, "event.dataset"}


def test_every_column_can_be_asked_for_in_every_general_way(load: Load) -> None:
    empty = pl.DataFrame(schema=DTYPES)
    for column in EVENT_SCHEMA:
        for test in ("|exists': true", "|exists': false", "': null", "|neq': null"):
            rule = load(f"  sel: {{'{column.name}{test}}}\n  condition: sel\n")
            assert empty.select(rule.condition).schema.dtypes() == [pl.Boolean()]


def test_rules_with_the_fields_of_community_rules_load(load: Load) -> None:
    # The field names and forms that SigmaHQ's rules for Kubernetes audit logs use.
    rule = load("""\
  selection:
    verb: create
    objectRef.resource: pods
    objectRef.namespace: kube-system
    objectRef.subresource: exec
    objectRef.apiGroup: ''
    apiGroup: apps
    hostPath: '*'
    capabilities: '*'
    responseStatus.code: [401, 403]
    requestURI|contains: ['%2fbin%2fsh']
    userAgent|contains: [kube-hunter]
  condition: selection
""")

    assert len(rule.columns) == 11
    assert rule.columns <= set(DTYPES)
