from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest

from detectors.cases import Case, load_cases
from detectors.sigma.errors import InvalidRulesError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Load = Callable[[str], tuple[Case, ...]]
    Refused = Callable[[str], list[tuple[int, int, str]]]

AUDIT = {
    "auditID": "x",
    "requestReceivedTimestamp": "2020-01-01T00:00:00.000000Z",
    "stageTimestamp": "2020-01-01T00:00:00.000000Z",
    "verb": "get",
}
SECOND_US = 1_000_000
OTHER = "no_match: [{name: other, base: get}]\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    bases = tmp_path / "bases"
    bases.mkdir()
    (bases / "get.json").write_bytes(orjson.dumps(AUDIT))
    (bases / "own.json").write_bytes(orjson.dumps({"a": {"when": 1_500_000_000}, "b": ["x"]}))
    (bases / "line.txt").write_text("2020-01-01T00:00:00.0Z h sshd[1]: Failed for ann\n")
    (bases / "when.txt").write_text("Nov 21 10:00:00 h sshd[1]: Failed for ann\n")
    return tmp_path


@pytest.fixture
def bad(bad_cases: Refused) -> Refused:
    def refuse(item: str) -> list[tuple[int, int, str]]:
        """Refuse one record of a sequence; its line is the fourth, behind eight characters."""
        return bad_cases(f"match:\n  - name: a\n    sequence:\n      - {item}\n{OTHER}")

    return refuse


def sequence(cases: Load, *items: str, rest: str = "") -> Case:
    lines = "".join(f"      - {item}\n" for item in items)
    return cases(f"match:\n  - name: a\n    sequence:\n{lines}{rest}{OTHER}")[0]


def times(case: Case) -> list[float]:
    return [(record.time_us or 0) / SECOND_US for record in case.records]


def values(case: Case, key: str) -> list[Any]:
    return [orjson.loads(record.raw)[key] for record in case.records]


def test_records_follow_each_other_by_a_second(cases: Load) -> None:
    case = sequence(cases, "{base: get}", "{base: get, set: {verb: list}}")

    assert times(case) == [0, 1]
    assert values(case, "verb") == ["get", "list"]
    assert values(case, "stageTimestamp") == [
        "2026-11-21T10:00:00.000000Z",
        "2026-11-21T10:00:01.000000Z",
    ]
    assert values(case, "requestReceivedTimestamp") == values(case, "stageTimestamp")
    assert len(set(values(case, "auditID"))) == 2


def test_a_record_comes_several_times_and_after_what_was_before(cases: Load) -> None:
    case = sequence(
        cases,
        "{base: get, times: 3, every: 5s, after: 1m}",
        "{base: get, times: 2, after: 2h}",
        "{base: get, after: 0s}",
    )

    assert times(case) == [60, 65, 70, 7_270, 7_271, 7_271]
    assert len(set(values(case, "auditID"))) == 6


def test_a_number_stands_in_every_text_of_a_sequence(cases: Load) -> None:
    item = "set: {verb: 'a{n}b{n}', c: ['{n}', {d: '{n}'}], e: 5}"

    case = sequence(cases, f"{{base: get, times: 2, {item}}}", f"{{base: get, {item}}}")
    text = sequence(cases, "{base: line, times: 2, replace: {ann: 'u{n}'}}")

    assert values(case, "verb") == ["a0b0", "a1b1", "a0b0"]
    assert values(case, "c") == [["0", {"d": "0"}], ["1", {"d": "1"}], ["0", {"d": "0"}]]
    assert values(case, "e") == [5, 5, 5]
    assert [record.raw for record in text.records] == [
        b"2026-11-21T10:00:00.0Z h sshd[1]: Failed for u0",
        b"2026-11-21T10:00:01.0Z h sshd[1]: Failed for u1",
    ]


def test_outside_of_a_sequence_braces_are_braces(cases: Load) -> None:
    (first, *_) = cases(f"match: [{{name: a, base: get, set: {{verb: '{{n}}'}}}}]\n{OTHER}")

    assert values(first, "verb") == ["{n}"]
    assert values(first, "stageTimestamp") == ["2020-01-01T00:00:00.000000Z"]
    assert first.records[0].time_us is None
    assert first.raw == first.records[0].raw


def test_a_case_may_say_another_time_or_another_id(cases: Load) -> None:
    case = sequence(
        cases,
        "{base: get, remove: [requestReceivedTimestamp], set: {auditID: y, stageTimestamp: z}}",
    )

    assert orjson.loads(case.raw) == {"auditID": "y", "stageTimestamp": "z", "verb": "get"}


def test_a_record_says_where_its_time_is_and_of_which_cluster_it_is(cases: Load) -> None:
    case = sequence(cases, "{base: own, time_at: [a.when], cluster: blue}", "{base: get}")

    assert orjson.loads(case.raw)["a"] == {"when": 1_795_255_200}
    assert [record.cluster for record in case.records] == ["blue", None]


def test_a_case_says_how_many_findings_there_are_and_how_long_it_lasts(cases: Load) -> None:
    told = sequence(cases, "{base: get}", rest="    findings: 2\n    watch: 1h\n    evasion: 15\n")
    untold = sequence(cases, "{base: get}")

    assert (told.findings, told.watch_us, told.evasion) == (2, 3_600 * SECOND_US, 15)
    assert (untold.findings, untold.watch_us, untold.evasion) == (None, 0, None)


def test_a_case_file_may_say_what_the_lists_of_its_site_are(folder: Path, cases: Load) -> None:
    lists = "lists: {crown_jewel_secrets: [a, b], ci_identities: c}\n"
    cases(f"{lists}match: [{{name: a, base: get}}]\n{OTHER}")

    loaded = load_cases(folder / "rule.yml", folder / "bases")

    assert loaded.lists == {"crown_jewel_secrets": ("a", "b"), "ci_identities": ("c",)}


@pytest.mark.parametrize(
    ("item", "column", "words"),
    [
        ("x", 9, "a record of a sequence must be a mapping"),
        ("{base: get, time: 3}", 21, "unknown key 'time', did you mean 'times'?"),
        ("{base: get, name: a}", 21, "unknown key 'name'"),
        ("{base: get, times: 0}", 28, "'times' must be a number from 1 to 20000"),
        ("{base: get, times: 20001}", 28, "'times' must be a number from 1 to 20000"),
        ("{base: get, times: true}", 28, "'times' must be a number from 1 to 20000"),
        ("{base: get, every: 5}", 28, "'every' must be a number and one of s, m, h, d"),
        ("{base: get, after: 1M}", 28, "'after' must be a number and one of s, m, h, d"),
        ("{base: get, cluster: 5}", 30, "a case needs a text 'cluster'"),
        ("{base: none}", 16, "no base record 'none'"),
        ("{set: {verb: a}}", 9, "a case needs a text 'base'"),
        ("{base: own}", 16, "base 'own': nothing says where the time of this record is"),
        ("{base: own, time_at: a.when}", 30, "'time_at' must be a list of paths"),
        ("{base: own, time_at: []}", 30, "'time_at' must be a list of paths"),
        ("{base: own, time_at: [[a]]}", 30, "'time_at' must be a list of paths"),
        ("{base: own, time_at: [a..b]}", 33, "'time_at': path 'a..b': expected a name"),
        ("{base: own, time_at: [a.then]}", 16, "base 'own': there is no 'then' in an object"),
        ("{base: own, time_at: ['b[0]']}", 16, "base 'own': 'x' is no time"),
        ("{base: line, time_at: [a]}", 22, "'time_at' is for bases of JSON"),
        ("{base: when}", 16, "base 'when': 'Nov' is no time as in"),
        ("{base: get, times: 50, set: {verb.x: a}}", 38, "cannot set 'verb.x'"),
    ],
)
def test_a_wrong_record_is_refused_once_at_its_place(
    bad: Refused, item: str, column: int, words: str
) -> None:
    found = bad(item)

    assert [(line, at) for line, at, _ in found] == [(4, column)]
    assert words in found[0][2]


def test_a_sequence_has_a_largest_length(bad: Refused) -> None:
    found = bad("{base: get, times: 10001}\n      - {base: get, times: 10000}")

    assert [(line, column) for line, column, _ in found] == [(5, 9)]
    assert "the sequence has more than 20000 records" in found[0][2]


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("match: [{name: a, sequence: []}]\n", (1, 29), "'sequence' must be a list of at least"),
        ("match: [{name: a, sequence: x}]\n", (1, 29), "'sequence' must be a list of at least"),
        ("match: [{name: a, sequence: [{base: get}], base: get}]\n", (1, 44), "unknown key 'base'"),
        ("match: [{name: a, base: get, watch: 1h}]\n", (1, 30), "unknown key 'watch'"),
        ("match: [{name: a, base: get, times: 2}]\n", (1, 30), "unknown key 'times'"),
        ("match: [{name: a, base: get, findings: 0}]\n", (1, 40), "'findings' must be a number"),
        (
            "match: [{name: a, sequence: [{base: get}], watch: 0s}]\n",
            (1, 51),
            "'watch' must be at least 1s",
        ),
        ("lists: x\nmatch: [{name: a, base: get}]\n", (1, 8), "'lists' must be a mapping"),
        (
            "lists: {a: [[b]]}\nmatch: [{name: a, base: get}]\n",
            (1, 13),
            "'a' must be a list of texts",
        ),
    ],
)
def test_a_wrong_case_over_time_is_refused_at_its_place(
    cases: Load, text: str, place: tuple[int, int], words: str
) -> None:
    with pytest.raises(InvalidRulesError) as caught:
        cases(text + OTHER)

    (error,) = caught.value.errors
    assert (error.line, error.column) == place
    assert words in error.message


def test_where_nothing_may_match_there_is_no_number_of_findings(cases: Load) -> None:
    with pytest.raises(InvalidRulesError, match="2:43: 'findings' is for cases that match"):
        cases("match: [{name: a, base: get}]\nno_match: [{name: b, base: get, findings: 1}]\n")
