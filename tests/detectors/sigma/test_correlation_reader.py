from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from detectors.sigma.correlation import Base, Bound, Comparison, CorrelationType, Learning
from detectors.sigma.rule import Category, Level, Message

if TYPE_CHECKING:
    from collections.abc import Callable

    from detectors.sigma.correlation import Correlation
    from detectors.sigma.pack import Pack

    LoadPack = Callable[..., Pack]
    PackProblems = Callable[..., list[tuple[str, int, int, str]]]

ID = "0a0a0a0a-0000-4000-8000-000000000001"
SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US


def base(name: str) -> str:
    return f"""\
title: Base {name}
name: {name}
logsource: {{product: kubernetes}}
detection: {{sel: {{user.name: {name}}}, condition: sel}}
---
"""


BASES = base("a") + base("b") + base("c")
"""Each five lines."""


def correlated(section: str, *names: str, rest: str = "") -> str:
    """A file whose section begins on the fourth line behind its bases, after two blanks."""
    lines = "".join(f"  {line}\n" for line in section.splitlines())
    bases = "".join(base(name) for name in names)
    return f"{bases}title: A correlation\nid: {ID}\ncorrelation:\n{lines}{rest}"


@pytest.fixture
def read(load_files: LoadPack) -> Callable[..., Correlation]:
    """Read a section ``correlation`` that joins rules of these names."""

    def read_section(section: str, *names: str, rest: str = "") -> Correlation:
        return load_files(x=correlated(section, *names, rest=rest)).correlations[-1]

    return read_section


@pytest.fixture
def refusals(refuse_files: PackProblems) -> Callable[..., list[tuple[int, int, str]]]:
    """Return line of the section, column and message of each problem."""

    def refuse_section(section: str, *names: str, rest: str = "") -> list[tuple[int, int, str]]:
        problems = refuse_files(x=correlated(section, *names, rest=rest))
        return [(line - 5 * len(names) - 3, column, words) for _, line, column, words in problems]

    return refuse_section


Read = Any


def test_everything_a_correlation_says_is_read(read: Read) -> None:
    found = read(
        "type: event_count\nrules: [a]\ngroup-by: [user.username, source.ip]\n"
        "timespan: 5m\ncondition: {gte: 10}\ngenerate: true",
        "a",
        rest="""\
name: many
status: test
description: Much of it.
references: [https://example.org/a]
author: The authors
tags: [attack.t1110, attack.credential-access]
falsepositives: [Clocks]
level: high
trailwarden:
  category: abnormal-login
  catalogue: [A05]
  message: "{user.name} {count} {values} in {window}, {history}"
  next_steps: [Look.]
  blind_spots: [Slow ones.]
  attempts: true
  across_clusters: true
""",
    )

    assert (found.title, found.id, found.name) == ("A correlation", ID, "many")
    assert found.type is CorrelationType.EVENT_COUNT
    assert [(one.name, one.group_by) for one in found.bases] == [("a", ("user.name", "source.ip"))]
    assert found.group_by == ("user.name", "source.ip")
    assert found.timespan_us == 300 * SECOND_US
    assert found.bounds == (Bound(Comparison.GTE, 10.0),)
    assert (found.fields, found.expression, found.percentile, found.peers) == ((), (), None, ())
    assert found.generate
    assert found.across_clusters
    assert found.attempts
    assert (found.level, found.category) == (Level.HIGH, Category.ABNORMAL_LOGIN)
    assert (found.techniques, found.tactics) == (("T1110",), ("credential-access",))
    assert found.falsepositives == ("Clocks",)
    assert found.message == Message(
        "{user.name} {count} {values} in {window}, {history}",
        ("", " ", " ", " in ", ", ", ""),
        ("user.name", "count", "values", "window", "history"),
    )
    assert (found.catalogue, found.next_steps) == (("A05",), ("Look.",))
    assert found.blind_spots == ("Slow ones.",)
    assert len(found.content_hash) == 16
    assert repr(found) == f"Correlation({ID}, 'A correlation')"


def test_what_a_correlation_leaves_out_has_a_default(read: Read) -> None:
    found = read("type: event_count\nrules: a\ntimespan: 1s\ncondition: {gte: 1}", "a")

    assert found.group_by == ()
    assert found.bases[0].group_by == ()
    assert (found.generate, found.across_clusters, found.attempts) == (False, False, False)
    assert (found.level, found.message, found.requires) == (Level.MEDIUM, None, ())


@pytest.mark.parametrize(
    ("text", "seconds"), [("1s", 1), ("90m", 5_400), ("2h", 7_200), ("90d", 7_776_000)]
)
def test_timespans(read: Read, text: str, seconds: int) -> None:
    found = read(f"type: event_count\nrules: [a]\ntimespan: {text}\ncondition: {{gte: 2}}", "a")

    assert found.timespan_us == seconds * SECOND_US


@pytest.mark.parametrize(
    ("condition", "bounds"),
    [
        ("gt: 9", [("gt", 9)]),
        ("gte: 10000", [("gte", 10_000)]),
        ("gt: 9999", [("gt", 9_999)]),
        ("lt: 3", [("lt", 3)]),
        ("lte: 1", [("lte", 1)]),
        ("eq: 7", [("eq", 7)]),
        ("neq: 7", [("neq", 7)]),
        ("lt: 20, gte: 10", [("gte", 10), ("lt", 20)]),
        ("gt: 5, neq: 6", [("gt", 5), ("neq", 6)]),
        ("gte: 10000, neq: 1", [("gte", 10_000), ("neq", 1)]),
    ],
)
def test_a_count_may_be_compared_in_every_way(
    read: Read, condition: str, bounds: list[tuple[str, float]]
) -> None:
    found = read(f"type: event_count\nrules: [a]\ntimespan: 1m\ncondition: {{{condition}}}", "a")

    assert found.bounds == tuple(Bound(Comparison(name), number) for name, number in bounds)


def test_values_are_counted_of_one_column_or_of_a_combination(read: Read) -> None:
    head = "type: value_count\nrules: [a, b]\ngroup-by: user.name\ntimespan: 1h\ncondition:"

    one = read(f"{head} {{field: objectRef.resource, gte: 5}}", "a", "b")
    two = read(
        f"{head} {{field: [orchestrator.namespace, sourceIPs], gte: 5}}".replace(
            "sourceIPs", "source.ip"
        ),
        "a",
        "b",
    )

    assert one.fields == ("orchestrator.resource.type",)
    assert two.fields == ("orchestrator.namespace", "source.ip")
    assert [one.name for one in two.bases] == ["a", "b"]


@pytest.mark.parametrize("kind", ["value_sum", "value_avg"])
def test_a_number_is_added_up_or_averaged(read: Read, kind: str) -> None:
    found = read(
        f"type: {kind}\nrules: [a]\ntimespan: 1h\n"
        "condition: {field: responseStatus.code, gt: 20000.5, lte: 30000}",
        "a",
    )

    assert found.type == kind
    assert found.fields == ("http.response.status_code",)
    assert found.bounds == (Bound(Comparison.GT, 20_000.5), Bound(Comparison.LTE, 30_000.0))


@pytest.mark.parametrize("percentile", [0, 95, 99.9, 100])
def test_a_percentile_of_a_number(read: Read, percentile: float) -> None:
    found = read(
        "type: value_percentile\nrules: [a]\ntimespan: 1h\n"
        f"condition: {{field: log.offset, percentile: {percentile}, lt: -1}}",
        "a",
    )

    assert (found.percentile, found.fields) == (percentile, ("log.offset",))
    assert found.bounds == (Bound(Comparison.LT, -1.0),)


def test_temporal_needs_all_rules_unless_its_condition_says_how_many_or_which(read: Read) -> None:
    head = "type: temporal\nrules: [a, b, c]\ntimespan: 1h\n"

    every = read(head, "a", "b", "c")
    two = read(head + "condition: {gte: 2}", "a", "b", "c")
    some = read(head + "condition: a and (b or c)", "a", "b", "c")

    assert (every.bounds, every.expression) == ((), ())
    assert (two.bounds, two.expression) == ((Bound(Comparison.GTE, 2.0),), ())
    assert (some.bounds, some.expression) == ((), (frozenset({0, 1}), frozenset({0, 2})))


def test_a_text_condition_names_the_rules_by_itself(read: Read) -> None:
    found = read("type: temporal\ntimespan: 1h\ncondition: b and (a or c) and b", "a", "b", "c")

    assert [one.name for one in found.bases] == ["b", "a", "c"]
    assert found.expression == (frozenset({0, 1}), frozenset({0, 2}))


@pytest.mark.parametrize("condition", ["", "condition: {gte: 2}", "condition: {eq: 2}"])
def test_temporal_ordered_keeps_the_order_of_its_rules(read: Read, condition: str) -> None:
    found = read(f"type: temporal_ordered\nrules: [b, a]\ntimespan: 1h\n{condition}", "a", "b")

    assert [one.name for one in found.bases] == ["b", "a"]
    assert (found.bounds, found.expression) == ((), ())


def test_an_alias_is_another_column_in_each_rule(read: Read) -> None:
    found = read(
        "type: temporal\nrules: [a, b]\ngroup-by: [who, source.ip]\ntimespan: 1h\n"
        "aliases: {who: {a: user.username, b: user.target.name}}",
        "a",
        "b",
    )

    assert found.group_by == ("who", "source.ip")
    assert [one.group_by for one in found.bases] == [
        ("user.name", "source.ip"),
        ("user.target.name", "source.ip"),
    ]


def test_first_seen_has_a_memory_and_learns_before_it_speaks(read: Read) -> None:
    head = "type: first_seen\nrules: [a]\ngroup-by: [user.name]\n"

    plain = read(f"{head}timespan: 30d\ncondition: {{field: source.ip}}", "a")
    told = read(
        f"{head}timespan: 30d\ncondition: {{field: [source.ip, user_agent.original]}}\n"
        "learning: {events: 5, time: 2h}\npeers: trailwarden.identity.type",
        "a",
    )
    short = read(f"{head}timespan: 1h\ncondition: {{field: source.ip}}", "a")
    at_once = read(
        f"{head}timespan: 1h\ncondition: {{field: source.ip}}\nlearning: {{events: 0, time: 0s}}",
        "a",
    )

    assert (plain.fields, plain.learning) == (("source.ip",), Learning(200, DAY_US))
    assert (plain.timespan_us, plain.bounds, plain.peers) == (30 * DAY_US, (), ())
    assert told.fields == ("source.ip", "user_agent.original")
    assert told.learning == Learning(5, 7_200 * SECOND_US)
    assert told.peers == ("trailwarden.identity.type",)
    assert short.learning == Learning(200, 3_600 * SECOND_US)  # no longer than its memory
    assert at_once.learning == Learning(0, 0)


@pytest.mark.parametrize("names", [("a",), ("a", "b")])
def test_absence_joins_one_rule_or_two(read: Read, names: tuple[str, ...]) -> None:
    found = read(f"type: absence\nrules: [{', '.join(names)}]\ntimespan: 10m", *names)

    assert [one.name for one in found.bases] == list(names)
    assert (found.bounds, found.fields) == ((), ())


def test_generate_may_stand_where_the_specification_has_it(read: Read) -> None:
    section = "type: event_count\nrules: [a]\ntimespan: 1m\ncondition: {gte: 2}"

    assert read(section, "a", rest="generate: true\n").generate
    assert not read(section, "a", rest="generate: false\n").generate


GOOD = "type: event_count\nrules: [a, b]\ngroup-by: [user.name]\ntimespan: 5m\ncondition: {gte: 10}"


@pytest.mark.parametrize(
    ("old", "new", "line", "column", "words"),
    [
        ("type: event_count", "typ: event_count", 1, 3, "unknown key 'typ' in 'correlation', did"),
        ("type: event_count\n", "", 1, 3, "a correlation needs a 'type'"),
        ("event_count", "event_counts", 1, 9, "did you mean 'event_count'?"),
        ("event_count", "[a]", 1, 9, "'type' must be text"),
        ("timespan: 5m\n", "", 1, 3, "a correlation needs a 'timespan', as in 5m"),
        ("5m", "5", 4, 13, "'timespan' must be a number and one of s, m, h, d, as in 5m, not '5'"),
        ("5m", "m", 4, 13, "must be a number and one of s, m, h, d"),
        ("5m", "5M", 4, 13, "must be a number and one of s, m, h, d"),
        ("5m", "1w", 4, 13, "must be a number and one of s, m, h, d"),
        ("5m", "1.5h", 4, 13, "must be a number and one of s, m, h, d"),
        ("5m", "-5m", 4, 13, "must be a number and one of s, m, h, d"),
        ("5m", "٣m", 4, 13, "must be a number and one of s, m, h, d"),
        ("5m", "[5m]", 4, 13, "not a list or a mapping"),
        ("5m", "0s", 4, 13, "'timespan' must be at least 1s, not '0s'"),
        ("5m", "91d", 4, 13, "'timespan' is longer than 90 d: '91d'"),
        ("5m", "7776001s", 4, 13, "'timespan' is longer than 90 d"),
        ("5m", "9" * 5000 + "s", 4, 13, "'timespan' is longer than 90 d"),
        ("rules: [a, b]\n", "", 1, 3, "a correlation needs 'rules': names or ids"),
        ("[a, b]", "[]", 2, 10, "a correlation needs 'rules': names or ids"),
        ("[a, b]", "[a, b, [c]]", 2, 17, "'rules' must be a list of names or ids"),
        ("[a, b]", "[a, b, '']", 2, 17, "'rules' must be a list of names or ids"),
        ("[a, b]", "[a, b, a]", 2, 17, "'rules': 'a' is there twice"),
        ("[a, b]", "[a, b, cc]", 2, 17, "there is no rule with name or id 'cc'"),
        ("[user.name]", "[usr.name]", 3, 14, "unknown field 'usr.name', did you mean"),
        ("[user.name]", "[user.name, 1]", 3, 25, "'group-by' must be a column or a list of"),
        ("[user.name]", "[user.name, user.username]", 3, 25, "user.name is there twice"),
        ("[user.name]", "[user.groups]", 3, 14, "kubernetes.audit.user.groups is a list"),
        ("[user.name]", "['@timestamp']", 3, 14, "'group-by': @timestamp is a time"),
        ("[user.name]", "{user.name: a}", 3, 13, "'group-by' must be a column or a list of"),
        ("{gte: 10}", "10", 5, 14, "'condition' must be a mapping as in {gte: 10}"),
        ("{gte: 10}", "a and b", 5, 14, "'condition' must be a mapping as in {gte: 10}"),
        ("\ncondition: {gte: 10}", "", 1, 3, "event_count needs a 'condition'"),
        ("{gte: 10}", "{}", 5, 14, "event_count needs one of gt, gte, lt, lte, eq, neq"),
        ("{gte: 10}", "{gte: 1, ge: 10}", 5, 23, "condition: unknown key 'ge'"),
        ("{gte: 10}", "{gte: 1, field: a}", 5, 23, "condition: event_count takes no 'field'"),
        ("{gte: 10}", "{gte: 1, percentile: 5}", 5, 23, "event_count takes no 'percentile'"),
        ("{gte: 10}", "{gte: x}", 5, 20, "'gte' must be a number, not 'x'"),
        ("{gte: 10}", "{gte: true}", 5, 20, "'gte' must be a number, not 'true'"),
        ("{gte: 10}", "{gte: [1]}", 5, 20, "'gte' must be a number, not a list or a mapping"),
        ("{gte: 10}", "{gte: 1.5}", 5, 20, "'gte' must be a whole number, 0 or more"),
        ("{gte: 10}", "{gte: -1}", 5, 20, "'gte' must be a whole number, 0 or more"),
        ("{gte: 10}", "{gte: .inf}", 5, 20, "'gte' must be a number, not '.inf'"),
        ("{gte: 10}", "{gte: 1" + "0" * 400 + "}", 5, 20, "'gte' must be a number, not '1000"),
        ("{gte: 10}", "{gte: 10001}", 5, 20, "'gte' is more than 10000"),
        ("{gte: 10}", "{gt: 10000}", 5, 19, "'gt' is more than 9999"),
        ("{gte: 10}", "{gte: 5, lt: 3}", 5, 14, "can never match: gte 5, lt 3"),
        ("{gte: 10}", "{gt: 5, lt: 6}", 5, 14, "can never match: gt 5, lt 6"),
        ("{gte: 10}", "{eq: 5, neq: 5}", 5, 14, "can never match: eq 5, neq 5"),
        ("{gte: 10}", "{lt: 1}", 5, 14, "can never match: lt 1, but an event that matches is one"),
        ("{gte: 10}", "{eq: 0}", 5, 14, "'absence' asks for none"),
        ("timespan: 5m", "timespan: 5m\nlearning: {events: 1}", 5, 3, "is for first_seen, not"),
        ("timespan: 5m", "timespan: 5m\npeers: user.name", 5, 3, "'peers' is for first_seen, not"),
        ("timespan: 5m", "timespan: 5m\ngenerate: 1", 5, 13, "'generate' must be true or false"),
        ("timespan: 5m", "timespan: 5m\naliases: [a]", 5, 12, "must be a mapping of names"),
    ],
)  # fmt: skip
def test_a_wrong_section_is_refused_at_its_place(
    refusals: Read, old: str, new: str, line: int, column: int, words: str
) -> None:
    assert old in GOOD

    found = refusals(GOOD.replace(old, new), "a", "b")

    assert [place for *place, message in found if words in message] == [[line, column]]


@pytest.mark.parametrize(
    ("kind", "condition", "column", "words"),
    [
        ("value_count", "{gte: 5}", 14, "the condition of value_count needs a 'field'"),
        ("value_count", "{field: user.groups, gte: 5}", 22, "kubernetes.audit.user.groups is"),
        ("value_count", "{field: event.start, gte: 5}", 22, "'field': event.start is a time"),
        ("value_count", "{field: usr.name, gte: 5}", 22, "unknown field 'usr.name', did you mean"),
        ("value_count", "{field: [], gte: 5}", 22, "'field' takes 1 to 8 columns"),
        ("value_count", "{field: [user.name, user.name], gte: 5}", 34, "user.name is there twice"),
        ("value_count", "{field: user.name}", 14, "the condition of value_count needs one of gt"),
        ("value_count", "{field: user.name, gte: 10001}", 38, "'gte' is more than 10000"),
        ("value_sum", "{field: user.name, gte: 1}", 22, "value_sum needs a number, user.name is"),
        ("value_sum", "{field: [log.offset, process.pid], gte: 1}", 22, "value_sum takes one col"),
        ("value_avg", "{gte: 1}", 14, "the condition of value_avg needs a 'field'"),
        ("value_avg", "{field: log.offset, gt: 2, lt: 2}", 14, "can never match: gt 2, lt 2"),
        ("value_avg", "{field: log.offset, percentile: 5, gt: 2}", 34, "takes no 'percentile'"),
        ("value_percentile", "{field: log.offset, gt: 2}", 14, "needs a 'percentile'"),
        ("value_percentile", "{field: log.offset, gt: 2, percentile: 101}", 53, "from 0 to 100"),
        ("value_percentile", "{field: log.offset, gt: 2, percentile: x}", 53, "must be a number"),
        ("first_seen", "{}", 14, "the condition of first_seen needs a 'field'"),
        ("first_seen", "source.ip", 14, "'condition' must be a mapping as in {field: source.ip}"),
        ("first_seen", "{field: source.ip, gte: 2}", 33, "condition: first_seen takes no 'gte'"),
        ("absence", "{gte: 1}", 14, "absence takes no 'condition'"),
        ("temporal", "{gte: 3}", 14, "can never match: gte 3, of 2 rules"),
        ("temporal", "{field: user.name, gte: 2}", 15, "condition: temporal takes no 'field'"),
        ("temporal", "[a, b]", 14, "'condition' must be a mapping as in {gte: 2}, or text as in"),
        ("temporal", "2", 14, "'condition' must be a mapping as in {gte: 2}, or text as in"),
        ("temporal_ordered", "{gte: 1}", 14, "temporal_ordered needs all its rules: leave"),
        ("temporal_ordered", "{gte: 3}", 14, "can never match: gte 3, of 2 rules"),
        ("temporal_ordered", "a and b", 14, "takes all its rules in their order"),
    ],
)  # fmt: skip
def test_each_type_has_its_own_conditions(
    refusals: Read, kind: str, condition: str, column: int, words: str
) -> None:
    section = f"type: {kind}\nrules: [a, b]\ntimespan: 5m\ncondition: {condition}"

    found = refusals(section, "a", "b")

    assert [place for *place, message in found if words in message] == [[4, column]]


@pytest.mark.parametrize(
    ("section", "names", "line", "column", "words"),
    [
        ("type: temporal\nrules: [a]", "a", 2, 10, "temporal needs at least 2 rules"),
        ("type: temporal\ncondition: a", "a", 1, 3, "temporal needs at least 2 rules"),
        ("type: temporal_ordered\nrules: [a]", "a", 2, 10, "temporal_ordered needs at least 2"),
        ("type: absence\nrules: [a, b, c]", "abc", 2, 10, "absence takes at most 2 rules"),
        ("type: first_seen\nrules: [a]", "a", 1, 3, "first_seen needs a 'condition'"),
        ("type: value_sum\nrules: [a]", "a", 1, 3, "value_sum needs a 'condition'"),
    ],
)
def test_each_type_has_its_number_of_rules(
    refusals: Read, section: str, names: str, line: int, column: int, words: str
) -> None:
    found = refusals(f"{section}\ntimespan: 5m", *names)

    assert [place for *place, message in found if words in message] == [[line, column]]


@pytest.mark.parametrize(
    ("aliases", "line", "column", "words"),
    [
        ("{user.name: {a: user.name, b: user.name}}", 4, 13, "user.name is the name of a column"),
        ("{was: {}, who: a}", 4, 13, "'was' is not used by 'group-by'"),
        ("{who: a}", 4, 18, "'who' must be a mapping of each rule to its column"),
        ("{who: {a: user.name}}", 4, 18, "'who' needs one column for 'b'"),
        ("{who: {a: user.name, b: x}}", 4, 36, "unknown field 'x'"),
        ("{who: {a: user.name, bb: user.name}}", 4, 33, "'bb' is not among the rules"),
        ("{who: {a: user.name, b: user.groups}}", 4, 36, "'aliases': kubernetes.audit.user.groups"),
    ],
)
def test_an_alias_covers_every_rule(
    refusals: Read, aliases: str, line: int, column: int, words: str
) -> None:
    section = f"type: temporal\nrules: [a, b]\ngroup-by: [who]\naliases: {aliases}\ntimespan: 5m"

    found = refusals(section, "a", "b")

    assert [place for *place, message in found if words in message] == [[line, column]]


@pytest.mark.parametrize(
    ("learning", "column", "words"),
    [
        ("5", 13, "'learning' must be a mapping as in {events: 200, time: 1d}"),
        ("{event: 5}", 14, "'learning': unknown key 'event', did you mean 'events'?"),
        ("{events: -1}", 22, "'events' must be a whole number from 0 to 10000"),
        ("{events: 10001}", 22, "'events' must be a whole number from 0 to 10000"),
        ("{events: true}", 22, "'events' must be a whole number"),
        ("{events: 1.0}", 22, "'events' must be a whole number"),
        ("{time: 5}", 20, "'time' must be a number and one of s, m, h, d"),
        ("{time: 2d}", 20, "'time' is longer than the timespan, which is the memory"),
    ],
)
def test_learning_that_cannot_be_is_refused(
    refusals: Read, learning: str, column: int, words: str
) -> None:
    section = "type: first_seen\nrules: [a]\ntimespan: 1d\ncondition: {field: source.ip}\n"

    found = refusals(f"{section}learning: {learning}", "a")

    assert [place for *place, message in found if words in message] == [[5, column]]


def test_peers_are_columns(refusals: Read) -> None:
    section = "type: first_seen\nrules: [a]\ntimespan: 1d\ncondition: {field: source.ip}\n"

    (found,) = refusals(f"{section}peers: [user.groups]", "a")

    assert found[:2] == (5, 11)
    assert "'peers': kubernetes.audit.user.groups is a list" in found[2]


def test_more_rules_or_columns_than_a_correlation_can_hold_are_refused(refusals: Read) -> None:
    names = [f"rule{number}" for number in range(33)]
    columns = [
        "user.name", "source.ip", "event.action", "event.outcome", "event.code", "host.name",
        "process.name", "file.path", "orchestrator.namespace",
    ]  # fmt: skip
    tail = "timespan: 5m\ncondition: {gte: 2}"

    many_rules = refusals(f"type: event_count\nrules: [{', '.join(names)}]\n{tail}", *names)
    many_columns = refusals(
        f"type: event_count\nrules: [a]\ngroup-by: [{', '.join(columns)}]\n{tail}", "a"
    )

    assert [m for *_, m in many_rules if "'rules' are more than 32" in m]
    assert [(place, m) for *place, m in many_columns] == [
        ([3, 13], "'group-by' takes at most 8 columns")
    ]


@pytest.mark.parametrize("key", ["detection: {a: {user.name: x}}", "logsource: {product: linux}"])
def test_a_correlation_has_no_keys_of_a_rule(refusals: Read, key: str) -> None:
    (found,) = refusals(GOOD, "a", "b", rest=f"{key}\n")

    assert found[:2] == (6, 1)
    assert "that is of the rules it joins" in found[2]


def test_a_section_must_be_a_mapping(refuse_files: PackProblems) -> None:
    (found,) = refuse_files(x=f"title: A\nid: {ID}\ncorrelation: [a]\n")

    assert found == ("x", 3, 14, "'correlation' must be a mapping")


def test_a_base_names_the_rule_it_is(load_files: LoadPack) -> None:
    other = "0a0a0a0a-0000-4000-8000-000000000009"
    rule = base("far").replace("name: far\n", f"id: {other}\n", 1).replace("---\n", "")
    text = correlated(
        f"type: event_count\nrules: [{other.upper()}]\ntimespan: 1m\ncondition: {{gte: 2}}"
    )

    pack = load_files(rule=rule, x=text)

    assert pack.correlations[0].bases == (Base(other, other, ()),)
