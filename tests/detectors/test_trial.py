from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from detectors.case_events import TrialError
from detectors.cases import Case, load_cases
from detectors.sigma.compiler import load_pack
from detectors.trial import findings_of, verdicts
from worker.settings import shipped_rules

if TYPE_CHECKING:
    from collections.abc import Callable

    from detectors.sigma.pack import Pack

    Tried = Callable[..., list[bool]]

ID = "0a0a0a0a-0000-4000-8000-000000000001"
BASES = shipped_rules() / "bases"
DENIED = """\
title: Denied
name: denied
logsource: {product: kubernetes}
detection: {sel: {responseStatus.code: 403}, condition: sel}
---
"""
GRANTED = """\
title: Granted
name: granted
logsource: {product: kubernetes}
detection: {sel: {responseStatus.code: 200}, condition: sel}
---
"""
READ = "base: clusterrole-delete, set: {responseStatus.code: %s, objectRef.name: 'r{n}'%s}"
NO = "{" + READ % (403, "") + "%s}"
YES = "{" + READ % (200, "") + "%s}"


def rule(section: str, rest: str = "") -> str:
    return f"title: Main\nid: {ID}\ncorrelation: {{{section}}}\n{rest}"


@pytest.fixture
def tried(tmp_path: Path) -> Tried:
    """Return the verdict of a rule file's last detection on each sequence of records."""

    def try_sequences(text: str, *sequences: list[str], rest: str = "") -> list[bool]:
        pack, cases = loaded(tmp_path, text, *sequences, rest=rest)
        return verdicts(pack, pack.reporting[-1], cases)

    return try_sequences


def loaded(
    folder: Path, text: str, *sequences: list[str], rest: str = ""
) -> tuple[Pack, tuple[Case, ...]]:
    (folder / "x.yml").write_text(text)
    items = "".join(
        f"  - name: number {number}\n    sequence: [{', '.join(records)}]\n{rest}"
        for number, records in enumerate(sequences)
    )
    other = "no_match: [{name: other, base: pod-create}]\n"
    (folder / "x.cases.yml").write_text(f"match:\n{items}{other}")
    cases = load_cases(folder / "x.yml", BASES).cases[: len(sequences)]
    return load_pack([folder / "x.yml"]), cases


def test_events_are_counted_in_a_window_by_group(tried: Tried) -> None:
    section = "type: event_count, rules: [denied], group-by: [user.name], timespan: 1m"
    text = DENIED + rule(f"{section}, condition: {{gte: 3}}")
    another = NO.replace("'r{n}'", "'r{n}', user.username: eve")

    found = tried(
        text,
        [NO % ", times: 3"],
        [NO % ", times: 2"],
        [NO % ", times: 3, every: 30s"],
        [NO % ", times: 3, every: 29s"],
        [NO % ", times: 2", another % ", times: 2"],
        [YES % ", times: 3"],
    )

    assert found == [True, False, False, True, False, False]


def test_an_episode_is_one_finding_and_a_case_may_say_how_many(tried: Tried) -> None:
    section = "type: event_count, rules: [denied], timespan: 1m, condition: {gte: 3}"
    once = [NO % ", times: 20"]
    twice = [NO % ", times: 5", NO % ", times: 5, after: 10m"]

    assert tried(DENIED + rule(section), once, twice, rest="    findings: 1\n") == [True, False]
    assert tried(DENIED + rule(section), once, twice, rest="    findings: 2\n") == [False, True]


def test_correlations_build_on_correlations(tried: Tried) -> None:
    many = (
        "title: Many\nname: many\ncorrelation: {type: event_count, rules: [denied], "
        "group-by: [user.name], timespan: 1m, condition: {gte: 3}}\n---\n"
    )
    text = DENIED + GRANTED + many
    text += rule("type: temporal_ordered, rules: [many, granted], timespan: 5m")

    found = tried(
        text,
        [NO % ", times: 3", YES % ""],
        [YES % "", NO % ", times: 3"],
        [NO % ", times: 2", YES % ""],
        [NO % ", times: 3", YES % ", after: 6m"],
    )

    assert found == [True, False, False, False]


def test_absence_is_seen_once_its_time_has_passed(tried: Tried) -> None:
    text = DENIED + GRANTED + rule("type: absence, rules: [denied, granted], timespan: 10m")
    sequences = [[NO % ""], [NO % "", YES % ", after: 5m"], [NO % "", YES % ", after: 15m"]]

    assert tried(text, *sequences, rest="    watch: 1h\n") == [True, False, True]
    assert tried(text, *sequences) == [False, False, True]


def test_across_clusters_groups_reach_over_them(tried: Tried) -> None:
    section = "type: event_count, rules: [denied], group-by: [user.name], timespan: 1m"
    text = DENIED + rule(f"{section}, condition: {{gte: 3}}")
    sequence = [NO % f", cluster: {name}" for name in ("blue", "green", "red")]

    assert tried(text, sequence, [NO % ", times: 3, cluster: blue"]) == [False, True]
    across = text + "trailwarden: {across_clusters: true}\n"
    assert tried(across, sequence) == [True]


def test_a_rule_needs_one_record_of_a_sequence(tried: Tried) -> None:
    text = DENIED.replace("name: denied", f"id: {ID}").replace("---\n", "")

    assert tried(text, [YES % "", NO % ""], [YES % ""]) == [True, False]
    assert tried(text, [NO % ", times: 2"], [NO % ""], rest="    findings: 2\n") == [True, False]


def test_a_silent_base_is_tried_by_itself_and_its_findings_are_no_one_elses(
    tmp_path: Path,
) -> None:
    section = "type: event_count, rules: [denied], timespan: 1m, condition: {gte: 3}"
    pack, cases = loaded(tmp_path, DENIED + rule(section), [NO % ", times: 2"], [YES % ""])

    assert pack.silent == {pack.rules[0].id}
    assert verdicts(pack, pack.rules[0], cases) == [True, False]
    assert verdicts(pack, pack.correlations[0], cases) == [False, False]


def test_findings_are_those_of_the_detection_that_is_asked_for(tmp_path: Path) -> None:
    section = "type: event_count, rules: [denied], timespan: 1m, condition: {gte: 3}"
    pack, (case,) = loaded(tmp_path, DENIED + rule(section), [NO % ", times: 3"])

    (found,) = findings_of(pack, pack.correlations[0], case)

    assert found.document["rule.id"] == ID
    assert len(found.document["trailwarden.evidence.event_ids"]) == 3
    assert len(findings_of(pack, pack.rules[0], case)) == 3


def test_records_that_are_one_event_are_no_sequence(tmp_path: Path) -> None:
    section = "type: event_count, rules: [denied], timespan: 1m, condition: {gte: 2}"
    same = NO.replace("'r{n}'", "r, auditID: y") % ", times: 2, every: 0s"
    pack, cases = loaded(tmp_path, DENIED + rule(section), [same])

    with pytest.raises(TrialError, match="'number 0': two records are the same event"):
        verdicts(pack, pack.correlations[0], cases)


def test_a_record_that_gives_no_event_is_named(tmp_path: Path) -> None:
    section = "type: event_count, rules: [denied], timespan: 1m, condition: {gte: 2}"
    broken = "{base: clusterrole-delete, set: {kind: Nothing}, remove: [auditID, verb]}"
    pack, cases = loaded(tmp_path, DENIED + rule(section), [NO % ""], [NO % "", broken])

    with pytest.raises(TrialError, match="case 'number 1': a record gives no event"):
        verdicts(pack, pack.correlations[0], cases)


def test_no_cases_have_no_verdicts(tmp_path: Path) -> None:
    section = "type: event_count, rules: [denied], timespan: 1m, condition: {gte: 2}"
    pack, _ = loaded(tmp_path, DENIED + rule(section), [NO % ""])

    assert verdicts(pack, pack.rules[0], []) == verdicts(pack, pack.correlations[0], []) == []
