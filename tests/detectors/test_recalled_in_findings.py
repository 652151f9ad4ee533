"""What a rule asked the memory stands in its findings, and an exception to it may ask the same."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from detectors.correlation.released import Released
from detectors.entities.recalled import PREFIX
from detectors.exceptions import Exemption
from detectors.finding import recalled_fields
from detectors.ruleset import look, ruleset
from detectors.sigma.compiler import load_pack
from detectors.sigma.errors import Problems
from detectors.sigma.exception_file import read_exceptions
from detectors.sigma.pack import Pack
from detectors.sigma.strict_yaml import parse
from tests.detectors.entities.world import event, frame
from tests.detectors.test_possible import pack_of
from tests.detectors.test_recalling import STORY, entered, pod
from tests.detectors.test_recalling_over_time import BASE, OVER_TIME
from tests.detectors.test_recalling_over_time import STORY as STORY_OVER_TIME


def released(pack: Pack, written: str = "[]") -> Released:
    problems = Problems(Path("site.yml"))
    exceptions = read_exceptions(parse(written.encode()), problems, pack.rules, {})
    assert not problems.errors
    rules = ruleset(pack, exceptions=exceptions)
    state = rules.remembered()
    batch = frame(STORY)
    looked = look(batch, rules)
    assert not looked.reported.findings
    assert not looked.reported.excepted
    state.add(batch, looked.hits)
    return state.release(None)


def exception(where: str) -> str:
    return f"[{{rule: rule, owner: ann, reason: r, expires: 2027-01-01, where: {{{where}}}}}]"


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    return pack_of(tmp_path_factory.mktemp("rules"), "exec and privileged")


def told(found: Released) -> list[dict[str, object]]:
    return [recalled_fields(one.document) for one in found.findings]


def test_a_finding_says_what_its_rule_was_told_and_no_more(pack: Pack, tmp_path: Path) -> None:
    assert told(released(pack)) == [{PREFIX + "target_pod.privileged": True}] * 2
    either = released(pack_of(tmp_path, "exec and (privileged or on_node)"))
    assert told(either) == [{PREFIX + "target_pod.privileged": True}] * 2


def test_events_that_are_shown_for_it_say_it_too(pack: Pack) -> None:
    (shown,) = released(pack).evidence
    assert [name for name in shown.columns if name.startswith(PREFIX)] == [
        PREFIX + "target_pod.privileged"
    ]
    assert shown[PREFIX + "target_pod.privileged"].to_list() == [True, True]


def test_an_exception_may_name_what_its_rule_asks_and_what_it_does_not(pack: Pack) -> None:
    assert len(released(pack).findings) == 2
    for column, value in (("target_pod.privileged", "true"), ("pod_author", "ann")):
        found = released(pack, exception(f"user.name: bob, {PREFIX}{column}: {value}"))
        assert not found.findings
        assert found.excepted == {"site.yml:1": 2}
    for column, value in (("target_pod.privileged", "false"), ("pod_author", "ANN")):
        found = released(pack, exception(f"user.name: bob, {PREFIX}{column}: {value}"))
        assert len(found.findings) == 2
        assert not found.excepted


def test_an_exception_of_a_list_holds_only_if_all_of_it_is_named(tmp_path: Path) -> None:
    pack = pack_of(tmp_path, "exec and privileged")
    where = f"user.name: bob, {PREFIX}target_pod.host_access: ['host-path:/var/log']"
    rules = ruleset(
        pack,
        exceptions=read_exceptions(
            parse(exception(where).encode()), Problems(Path("site.yml")), pack.rules, {}
        ),
    )
    story = [
        pod(1, "one", privileged=True, host_paths=["/var/log"]),
        pod(2, "two", privileged=True, host_paths=["/var/log", "/"]),
        entered(3, "one"),
        entered(4, "two"),
    ]
    state = rules.remembered()
    state.add(frame(story), look(frame(story), rules).hits)
    (left,) = state.release(None).findings
    assert left.document["trailwarden.evidence.event_ids"] == [story[3]["event.id"]]


def test_what_is_not_known_is_left_out() -> None:
    asked = frame([event(0)]).with_columns(
        pl.lit(None, pl.Boolean).alias(PREFIX + "token_off_pod"),
        pl.lit(0, pl.Int64).alias(PREFIX + "dormant_days"),
    )
    assert recalled_fields(asked.row(0, named=True)) == {PREFIX + "dormant_days": 0}


def test_a_time_is_written_as_every_time_of_a_finding() -> None:
    asked = frame([event(0)]).rename({"event.created": PREFIX + "human.since"})
    asked = asked.with_columns(pl.col("@timestamp").alias(PREFIX + "human.since"))
    found = recalled_fields(asked.row(0, named=True))
    assert found == {PREFIX + "human.since": "2026-11-21T10:00:00.000000Z"}


PLAIN = """name: other
title: Other
logsource: {product: kubernetes, service: audit}
detection: {exec: {event.action: exec}, condition: exec}
---
"""


def over_time(folder: Path, text: str, written: str) -> tuple[Pack, tuple[Exemption, ...], str]:
    for number, one in enumerate(text.split("=====\n")):
        (folder / ("rule.yml" if not number else "also.yml")).write_text(one)
    pack = load_pack([folder])
    problems = Problems(Path("site.yml"))
    read = read_exceptions(parse(written.encode()), problems, pack.reporting, {})
    return pack, read, " ".join(error.message for error in problems.in_order())


def test_a_correlation_of_rules_that_ask_says_what_they_asked(tmp_path: Path) -> None:
    pack, _, _ = over_time(tmp_path, BASE + OVER_TIME, "[]")
    rules = ruleset(pack)
    state, batch = rules.remembered(), frame(STORY_OVER_TIME)
    state.add(batch, look(batch, rules).hits)
    assert told(state.release(None)) == [
        {PREFIX + "target_pod.privileged": True, PREFIX + "pod_author": "ann"}
    ]


SEES_ALL = (
    OVER_TIME.replace("entered", "other")
    .replace("a112", "a113")
    .replace("{trailwarden.recalled.pod_author}", "somebody")
)


@pytest.mark.parametrize(("author", "left"), [("ann", 0), ("eve", 1)])
@pytest.mark.parametrize("also", ["", "=====\n" + PLAIN + SEES_ALL.replace("Entered", "Seen")])
def test_an_exception_to_it_may_ask_the_same(
    tmp_path: Path, author: str, left: int, also: str
) -> None:
    """Whether or not another correlation keeps the same events, of which nothing was asked."""
    where = exception(f"user.name: bob, {PREFIX}target_pod.author: {author}").replace(
        "rule: rule", "rule: 7c1cf0b0-38a7-4a6f-9a0a-3a6a38f0a112"
    )
    pack, exceptions, wrong = over_time(tmp_path, BASE + OVER_TIME + also, where)
    assert not wrong
    rules = ruleset(pack, exceptions=exceptions)
    state, batch = rules.remembered(), frame(STORY_OVER_TIME)
    state.add(batch, look(batch, rules).hits)
    found = {
        one.document["rule.name"]: recalled_fields(one.document)
        for one in state.release(None).findings
    }
    assert found.pop("Seen over time", {}) == {}
    assert len(found) == left


def test_one_that_joins_a_rule_that_does_not_ask_has_no_such_exceptions(tmp_path: Path) -> None:
    mixed = OVER_TIME.replace("rules: [entered]", "rules: [entered, other]")
    where = exception(f"user.name: bob, {PREFIX}target_pod.author: ann")
    _, exceptions, wrong = over_time(tmp_path, BASE + PLAIN + mixed, where)
    assert not exceptions
    assert wrong.endswith("join rules that do not: 'rule'")
