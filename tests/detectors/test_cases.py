from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import pytest

from detectors.cases import Case, load_cases
from detectors.sigma.errors import InvalidRulesError

if TYPE_CHECKING:
    from collections.abc import Callable

    Load = Callable[[str], tuple[Case, ...]]
    Refused = Callable[[str], list[tuple[int, int, str]]]

BASE = {"verb": "create", "objectRef": {"name": "a", "resource": "pods"}, "sourceIPs": ["::1"]}

GOOD = """\
match:
  - name: a privileged container
    base: pod-create
    set:
      requestObject.spec.containers[0].securityContext.privileged: true
      annotations['authorization.k8s.io/decision']: forbid
      verb: patch
    remove: [objectRef.name]
    evasion: 2
no_match:
  - name: as recorded
    base: pod-create
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    bases = tmp_path / "bases"
    bases.mkdir()
    (bases / "pod-create.json").write_bytes(orjson.dumps(BASE))
    (bases / "line.txt").write_text("sshd[1]: Failed for ann from 192.0.2.1\nand: a: line\n")
    (bases / "broken.json").write_text("{")
    (bases / "list.json").write_text("[]")
    (tmp_path / "outside.json").write_text("{}")
    return tmp_path


def test_a_case_is_a_base_record_with_changes(cases: Load) -> None:
    first, second = cases(GOOD)

    assert (first.name, first.expected, first.evasion) == ("a privileged container", True, 2)
    assert orjson.loads(first.raw) == {
        "verb": "patch",
        "objectRef": {"resource": "pods"},
        "sourceIPs": ["::1"],
        "requestObject": {"spec": {"containers": [{"securityContext": {"privileged": True}}]}},
        "annotations": {"authorization.k8s.io/decision": "forbid"},
    }
    assert (second.name, second.expected, second.evasion) == ("as recorded", False, None)
    assert orjson.loads(second.raw) == BASE
    assert b"\n" not in first.raw


def test_values_may_be_lists_and_mappings(cases: Load) -> None:
    text = GOOD.replace("verb: patch", "'sourceIPs': [10.0.0.1, {a: [1, null]}]")

    first, _ = cases(text)

    assert orjson.loads(first.raw)["sourceIPs"] == ["10.0.0.1", {"a": [1, None]}]


def test_removing_comes_before_setting(cases: Load) -> None:
    text = GOOD.replace("verb: patch", "objectRef.name: b")

    first, _ = cases(text)

    assert orjson.loads(first.raw)["objectRef"] == {"resource": "pods", "name": "b"}


def test_the_case_file_stands_beside_the_rule_and_is_named_after_it(folder: Path) -> None:
    (folder / "other.cases.yaml").write_text(GOOD)

    loaded = load_cases(folder / "other.yml", folder / "bases")

    assert loaded.rule == folder / "other.yml"
    assert [case.expected for case in loaded.cases] == [True, False]


def test_a_rule_without_a_case_file_is_refused(folder: Path) -> None:
    with pytest.raises(InvalidRulesError, match=r"none\.cases\.yml:1:1: cannot be read"):
        load_cases(folder / "none.yml", folder / "bases")


def test_a_base_of_text_is_changed_by_replacing(cases: Load) -> None:
    first, second = cases("""\
match:
  - name: changed
    base: line
    replace: {Failed for ann: Accepted for bob, 192.0.2.1: 198.51.100.7, "a:": "x: y:"}
no_match: [{name: as recorded, base: line}]
""")

    assert first.raw == b"sshd[1]: Accepted for bob from 198.51.100.7\nand: x: y: line"
    assert second.raw == b"sshd[1]: Failed for ann from 192.0.2.1\nand: a: line"


@pytest.mark.parametrize(
    ("keys", "column", "words"),
    [
        ("base: line, replace: {ben: x}", 47, "there is no 'ben' in the base"),
        ("base: line, replace: {'': x}", 47, "there is no '' in the base"),
        ("base: line, replace: {ann: 1}", 52, "'replace' must be a mapping of old text to new"),
        ("base: line, replace: [ann]", 46, "'replace' must be a mapping of old text to new"),
        ("base: line, set: {verb: x}", 37, "'set' is for bases of JSON"),
        ("base: line, remove: [verb]", 37, "'remove' is for bases of JSON"),
        ("base: pod-create, replace: {a: b}", 43, "'replace' is for bases of text"),
    ],
)
def test_a_base_is_changed_in_its_own_way_alone(
    bad_cases: Refused, keys: str, column: int, words: str
) -> None:
    found = bad_cases(f"match: [{{name: changed, {keys}}}]\nno_match: [{{name: b, base: line}}]\n")

    assert [(line, at) for line, at, _ in found] == [(1, column)]
    assert words in found[0][2]


@pytest.mark.parametrize(
    ("old", "new", "place", "words"),
    [
        ("no_match:", "nomatch:", (10, 1), "unknown key 'nomatch', did you mean 'no_match'?"),
        ("    evasion: 2", "    evasion: 0", (9, 14), "'evasion' must be a number"),
        ("    evasion: 2", "    evasion: '2'", (9, 14), "'evasion' must be a number"),
        ("    evasion: 2", "    evasion: true", (9, 14), "'evasion' must be a number"),
        ("    evasion: 2", "    evasions: 2", (9, 5), "unknown key 'evasions', did you mean"),
        ("name: a privileged container", "nam: a", (2, 5), "unknown key 'nam'"),
        ("name: a privileged container", "name: 1", (2, 11), "needs a text 'name'"),
        ("name: a privileged container", "name: as recorded", (11, 5), "is there twice"),
        ("base: pod-create\n    set", "base: pod\n    set", (3, 11), "no base record 'pod'"),
        ("base: pod-create\n    set", "base: ../outside\n    set", (3, 11), "without dots"),
        ("base: pod-create\n    set", "base: broken\n    set", (3, 11), "is no JSON"),
        ("base: pod-create\n    set", "base: list\n    set", (3, 11), "is no JSON object"),
        ("base: pod-create\n    set", "set", (2, 5), "needs a text 'base'"),
        ("verb: patch", "verb.x: patch", (7, 7), "cannot set 'verb.x': there is no 'x' in a value"),
        ("verb: patch", "verb..x: patch", (7, 12), "expected a name"),
        ("verb: patch", "'sourceIPs[2]': x", (7, 8), "there is no 2 in a list of 1"),
        ("[objectRef.name]", "[objectRef.nam]", (8, 14), "there is no 'nam' in an object"),
        ("[objectRef.name]", "['a[x]']", (8, 16), "expected [0] or ['name']"),
        ("[objectRef.name]", "objectRef.name", (8, 13), "'remove' must be a list of paths"),
        ("[objectRef.name]", "[]", (8, 13), "'remove' must be a list of paths"),
        ("[objectRef.name]", "[{a: b}]", (8, 13), "'remove' must be a list of paths"),
        ("verb: patch", "verb: *x", (7, 13), "alias"),
    ],
)
def test_a_wrong_case_is_refused_at_its_place(
    bad_cases: Refused, old: str, new: str, place: tuple[int, int], words: str
) -> None:
    found = bad_cases(GOOD.replace(old, new, 1))

    assert [message for *at, message in found if tuple(at) == place and words in message]


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("- a\n", [(1, 1, "a case file must be a mapping")]),
        (
            "match: []\nno_match: x\n",
            [
                (1, 8, "'match' must be a list of at least one case"),
                (2, 11, "'no_match' must be a list of at least one case"),
            ],
        ),
        (
            "match: [x]\n",
            [
                (1, 1, "'no_match' must be a list of at least one case"),
                (1, 9, "a case must be a mapping"),
            ],
        ),
        (
            "match: [{name: a, base: pod-create, set: [a]}]\nno_match: [{name: b, base: x}]\n",
            [
                (1, 42, "'set' must be a mapping of paths to values"),
                (2, 28, "no base record 'x' in "),
            ],
        ),
    ],
)
def test_both_kinds_of_case_are_required(
    bad_cases: Refused, text: str, problems: list[tuple[int, int, str]]
) -> None:
    found = bad_cases(text)

    assert [problem[:2] for problem in found] == [problem[:2] for problem in problems]
    for (_, _, message), (_, _, words) in zip(found, problems, strict=True):
        assert message.startswith(words)
