from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from detectors.sigma.encoding import ENCODINGS
from detectors.sigma.errors import Place
from detectors.sigma.modifiers import Modifiers, parse_key
from detectors.sigma.strict_yaml import Scalar

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl

    from detectors.sigma.rule import Rule

    Load = Callable[[str], Rule]
    Events = Callable[[list[dict[str, Any]]], pl.DataFrame]
    Matching = Callable[[str, str, list[Any]], list[bool]]
    Refused = Callable[[str], list[tuple[int, int, str]]]

TEXT = "user_agent.original"
LIST = "trailwarden.pod_spec.images"
NUMBER = "http.response.status_code"
PORTS = "trailwarden.pod_spec.host_ports"


@pytest.mark.parametrize(
    ("key", "value", "column_values", "expected"),
    [
        # No modifier: the whole text, without regard to case.
        (TEXT, "Curl", ["curl", "CURL", "curl/8", "", None], [True, True, False, False, False]),
        (TEXT, "'ÄRGER'", ["ärger", "Ärger", "arger"], [True, True, False]),
        (TEXT, "''", ["", "a", None], [True, False, False]),
        (TEXT, "'*'", ["", "a", None], [True, True, False]),
        (TEXT, "'a*C'", ["abc", "AC", "abcd", None], [True, True, False, False]),
        (TEXT, "'a?c'", ["abc", "ac"], [True, False]),
        (TEXT, r"'a\*c'", ["a*c", "abc"], [True, False]),
        (TEXT, "[a, 'B*', '*C', '*D*']", ["A", "bx", "xc", "xdx", "f"], [True] * 4 + [False]),
        (TEXT, "['*D*', 'e?', 'f?g', '*x*y*']", ["d", "ef", "fag", "xy"], [True] * 4),
        (f"{TEXT}|cased", "Curl", ["curl", "Curl"], [False, True]),
        (f"{TEXT}|cased", "'C*'", ["curl", "Curl"], [False, True]),
        (f"{TEXT}|contains", "OR", ["world", "WORLD", "wold", None], [True, True, False, False]),
        (f"{TEXT}|contains", "[x, OR]", ["world", "ax", "a", None], [True, True, False, False]),
        (f"{TEXT}|contains", "'a*b'", ["xaxbx", "ab", "ba"], [True, True, False]),
        (f"{TEXT}|contains", r"'\*'", ["a*b", "ab"], [True, False]),
        (f"{TEXT}|contains", "'(a'", ["x(A)", "a"], [True, False]),
        (f"{TEXT}|contains|cased", "OR", ["world", "WORLD"], [False, True]),
        (f"{TEXT}|startswith", "[Go-, curl/]", ["go-h", "CURL/8", "xcurl/"], [True, True, False]),
        (f"{TEXT}|endswith", "[.EXE, z]", ["a.exe", "aZ", "a.exe "], [True, True, False]),
        (f"{TEXT}|contains|all", "[a, b]", ["xbxa", "a", "b", None], [True, False, False, False]),
        (f"{TEXT}|all", "['*a*', '*b*']", ["xbxa", "a", None], [True, False, False]),
        (f"{TEXT}|all", "[ab, 'a*', AB]", ["ab", "a"], [True, False]),
        (f"{TEXT}|neq", "[a, b]", ["A", "c", None], [False, True, True]),
        (f"{TEXT}|contains|all|neq", "[a, b]", ["ab", "a", None], [False, True, True]),
        (f"{TEXT}|contains", "401", ["HTTP 401", "40"], [True, False]),
        (TEXT, "1.30", ["1.30", "1.3"], [True, False]),
        (TEXT, "true", ["TRUE", "1"], [True, False]),
        # Regular expressions: anywhere, with case.
        (f"{TEXT}|re", "'b+$'", ["abb", "abba", "ABB", None], [True, False, False, False]),
        (f"{TEXT}|re|i", "'b+$'", ["ABB"], [True]),
        (f"{TEXT}|re", "'^b.d'", ["a\nb\nd", "bcd", "b\nd"], [False, True, False]),
        (f"{TEXT}|re|m", "'^b$'", ["a\nb\nd"], [True]),
        (f"{TEXT}|re|s", "'^b.d'", ["b\nd"], [True]),
        (f"{TEXT}|re|i|s|m", "'^B.D$'", ["a\nb\nd\ne"], [True]),
        (f"{TEXT}|re", "['a+', 'b|c']", ["x", "a", "c"], [False, True, True]),
        (f"{TEXT}|re", "['(?i)A', 'b']", ["a", "b", "B"], [True, True, False]),
        (f"{TEXT}|re", "['(?x)a # b', 'c']", ["a", "c", "b"], [True, True, False]),
        (f"{TEXT}|re|all", "['a', 'b']", ["ab", "a"], [True, False]),
        (f"{NUMBER}|re", "'^4'", [401, 200, None], [True, False, False]),
        # Addresses.
        ("source.ip|cidr", "10.0.0.0/8", ["10.1.1.1", "11.1.1.1", "x", None], [True] + [False] * 3),
        ("source.ip|cidr", "['fd00::/8', 10.0.0.1]", ["FD00::1", "10.0.0.1"], [True, True]),
        ("sourceIPs|cidr", "10.0.0.0/8", [["x", "10.1.1.1"], [], None], [True, False, False]),
        # Numbers.
        (NUMBER, "401", [401, 403, None], [True, False, False]),
        (NUMBER, "'401'", [401, 403], [True, False]),
        (NUMBER, "[401, '403', '5*']", [401, 403, 503, 405], [True, True, True, False]),
        (NUMBER, "'4?3'", [403, 4003], [True, False]),
        (NUMBER, "'*'", [0, None], [True, False]),
        (f"{NUMBER}|startswith", "4", [404, 204], [True, False]),
        (f"{NUMBER}|lt", "300", [299, 300, None], [True, False, False]),
        (f"{NUMBER}|lte", "300", [300, 301], [True, False]),
        (f"{NUMBER}|gt", "299.5", [300, 299], [True, False]),
        (f"{NUMBER}|gte", "400", [400, 399, None], [True, False, False]),
        (f"{NUMBER}|lt", "100000000000000000000000", [1, None], [True, False]),
        (f"{NUMBER}|neq", "200", [200, 404, None], [False, True, True]),
        (f"{PORTS}|lt", "1024", [[8080, 22], [8080], [], None], [True] + [False] * 3),
        # Presence.
        (f"{TEXT}|exists", "true", ["a", "", None], [True, True, False]),
        (f"{TEXT}|exists", "false", ["a", "", None], [False, False, True]),
        (f"{LIST}|exists", "true", [["a"], [], None], [True, False, False]),
        (f"{LIST}|exists", "false", [["a"], [], None], [False, True, True]),
        (TEXT, "null", ["a", "", None], [False, False, True]),
        (LIST, "null", [["a"], [], None], [False, True, True]),
        (f"{TEXT}|neq", "null", ["a", "", None], [True, True, False]),
        (TEXT, "[a, null]", ["a", "b", None], [True, False, True]),
        (f"{TEXT}|neq", "[a, null]", ["a", "b", None], [False, True, False]),
        # Flags.
        ("trailwarden.dry_run", "true", [True, False, None], [True, False, False]),
        ("trailwarden.dry_run", "'False'", [True, False, None], [False, True, False]),
        ("trailwarden.dry_run", "'*'", [True, False, None], [True, True, False]),
        ("trailwarden.dry_run|neq", "true", [True, False, None], [False, True, True]),
        # Encodings.
        (f"{TEXT}|base64", "foo", ["Zm9v", "zm9V", "foo"], [True, True, False]),
        (f"{TEXT}|base64|cased", "foo", ["Zm9v", "zm9V"], [True, False]),
        (f"{TEXT}|base64offset|contains", "foobar", ["xZm9vYmFyx", "xmb29iYXx"], [True, True]),
        (f"{TEXT}|wide|base64offset|contains", "id", ["x" + "aQBkA" + "x", "id"], [True, False]),
        (f"{TEXT}|utf16le", "id", ["i\0d\0", "id"], [True, False]),
        (f"{TEXT}|utf16be", "id", ["\0i\0d", "id"], [True, False]),
        (f"{TEXT}|utf16", "id", ["\ufeffi\0d\0", "id"], [True, False]),
        (f"{TEXT}|contains|windash", "' -x'", ["a /X b", "a \u2015x", "a x"], [True, True, False]),
        (f"{TEXT}|windash|contains|all", "[' -x', ' -y']", ["a /x -y", "a /x"], [True, False]),
        # Lists: one element is enough; with all, one for each value.
        (LIST, "Nginx", [["a", "nginx"], ["a"], [], None, [None]], [True] + [False] * 4),
        (f"{LIST}|contains", "[x, gin]", [["a", "nginx"], ["a"]], [True, False]),
        (f"{LIST}|contains|all", "[x, gin]", [["x", "gin"], ["xgin"], ["x"]], [True, True, False]),
        (f"{LIST}|all", "[a, b]", [["b", "A", "c"], ["a"], None], [True, False, False]),
        (f"{LIST}|neq", "a", [["a", "b"], ["b"], [], None], [False, True, True, True]),
        (f"{LIST}|re", "'^n'", [["x", "nginx"], ["xn"]], [True, False]),
    ],
)  # fmt: skip
def test_each_modifier_matches_what_it_says(
    matching: Matching, key: str, value: str, column_values: list[Any], expected: list[bool]
) -> None:
    assert matching(key, value, column_values) == expected


def at(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 12, 31, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("modifiers", "value", "expected"),
    [
        ("minute", "59", [False, True, False]),
        ("hour", "[3, 4]", [True, False, False]),
        ("hour|gte", "23", [False, True, False]),
        ("hour|lt", "100", [True, True, False]),
        ("hour|neq", "3", [False, True, True]),
        ("day", "31", [True, True, False]),
        ("week", "53", [True, True, False]),  # ISO 8601: 2026 has 53 weeks
        ("month", "12", [True, True, False]),
        ("year|gt", "2025", [True, True, False]),
    ],
)
def test_time_parts_are_those_of_utc(
    matching: Matching, modifiers: str, value: str, expected: list[bool]
) -> None:
    found = matching(f"'@timestamp|{modifiers}'", value, [at(3), at(23, 59), None])

    assert found == expected


@pytest.mark.parametrize(
    ("key", "pair", "expected"),
    [
        ("user.name|fieldref", ("Ann", "ann"), True),
        ("user.name|fieldref", ("ann", "bob"), False),
        ("user.name|fieldref", ("ann", None), False),
        ("user.name|fieldref", (None, None), False),
        ("user.name|fieldref|cased", ("Ann", "ann"), False),
        ("user.name|fieldref|neq", ("ann", "bob"), True),
        ("user.name|fieldref|neq", ("ann", None), True),
        ("user.name|fieldref|contains", ("Joanna", "ann"), True),
        ("user.name|fieldref|startswith", ("Anna", "ann"), True),
        ("user.name|startswith|fieldref", ("Anna", "ann"), True),
        ("user.name|fieldref|endswith", ("Joann", "ann"), True),
        ("user.name|fieldref|endswith", ("Joanna", "ann"), False),
        ("user.name|fieldref|contains", ("a.b", "."), True),
        ("user.name|fieldref|contains", ("ab", "."), False),
        ("user.name|fieldref|contains", ("ab", None), False),
        ("user.name|fieldref|contains", (None, "a"), False),
    ],
)
def test_fieldref_compares_two_columns(
    load: Load, events: Events, key: str, pair: tuple[str | None, str | None], expected: bool
) -> None:
    rule = load(f"  sel:\n    {key}: user.effective.name\n  condition: sel\n")

    frame = events([{"user.name": pair[0], "user.effective.name": pair[1]}])

    assert frame.select(rule.condition).item() is expected
    assert rule.columns == {"event.dataset", "user.name", "user.effective.name"}


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"groups": ["a", "B"], "acted_as": ["b"], "name": "b"}, (True, True)),
        ({"groups": ["a"], "acted_as": ["b"], "name": "b"}, (False, True)),
        ({"groups": ["a"], "acted_as": [], "name": "b"}, (False, False)),
        ({"groups": [None], "acted_as": [None], "name": None}, (False, False)),
        ({"groups": None, "acted_as": ["b"], "name": "b"}, (False, True)),
    ],
)
def test_fieldref_finds_what_two_lists_share(
    load: Load, events: Events, row: dict[str, Any], expected: tuple[bool, bool]
) -> None:
    lists = load("  sel:\n    user.groups|fieldref: impersonatedUser.groups\n  condition: sel\n")
    scalar = load("  sel:\n    user.name|fieldref: impersonatedUser.groups\n  condition: sel\n")
    names = {
        "groups": "kubernetes.audit.user.groups",
        "acted_as": "kubernetes.audit.impersonatedUser.groups",
        "name": "user.name",
    }

    frame = events([{names[key]: value for key, value in row.items()}])

    found = (frame.select(lists.condition).item(), frame.select(scalar.condition).item())
    assert found == expected


@pytest.mark.parametrize(
    ("key", "value", "column", "words"),
    [
        (f"{TEXT}|containz", "a", 25, "unknown modifier 'containz', did you mean 'contains'?"),
        (f"{TEXT}|", "a", 25, "unknown modifier ''"),
        (f"{TEXT}|expand|fieldref", "'%a%'", 32, "'fieldref' cannot follow 'expand'"),
        (f"{TEXT}|expand|gte", "'%a%'", 32, "'gte' cannot follow 'expand'"),
        (f"{TEXT}|contains|contains", "a", 34, "is there twice"),
        (f"{TEXT}|contains|startswith", "a", 34, "'startswith' cannot follow 'contains'"),
        (f"{TEXT}|re|contains", "a", 28, "'contains' cannot follow 're'"),
        (f"{TEXT}|i", "a", 25, "'i' must follow 're'"),
        (f"{TEXT}|contains|base64", "a", 34, "'base64' cannot follow 'contains'"),
        (f"{TEXT}|lt|gt", "1", 28, "'gt' cannot follow 'lt'"),
        (f"{TEXT}|exists|neq", "true", 32, "'neq' cannot follow 'exists'"),
        (f"{TEXT}|cidr|cased", "::/0", 30, "'cased' cannot follow 'cidr'"),
        ("'|all'", "[a, b]", 5, "keywords without a field"),
    ],
)
def test_a_modifier_that_does_not_fit_is_refused_at_its_place(
    refused: Refused, key: str, value: str, column: int, words: str
) -> None:
    ((line, found, message),) = refused(f"  sel:\n    {key}: {value}\n  condition: sel\n")

    assert (line, found) == (6, column)
    assert words in message


@pytest.mark.parametrize(
    ("key", "value", "place", "words"),
    [
        (f"{TEXT}|all", "a", (6, 5), "'all' needs a list of two or more"),
        (f"{TEXT}|all", "[a]", (6, 5), "'all' needs a list of two or more"),
        (f"{TEXT}|all", "[a, A, b]", (6, 37), "can never match"),
        (f"{TEXT}|all|cased", "[a, A]", (6, 40), "can never match"),
        (f"{NUMBER}|all", "[1, 2]", (6, 40), "can never match"),
        (f"{TEXT}|lt", "1", (6, 5), "holds text: 'lt' compares numbers"),
        (f"{TEXT}|hour", "1", (6, 5), "not a time"),
        ("trailwarden.dry_run|contains", "t", (6, 5), "cannot be compared as text"),
        ("trailwarden.dry_run|re", "t", (6, 5), "cannot be compared as text"),
        ("trailwarden.dry_run", "1", (6, 26), "is true or false and never '1'"),
        ("trailwarden.dry_run", "maybe", (6, 26), "never 'maybe'"),
        (NUMBER, "ALLOW", (6, 32), "holds a number and is never 'ALLOW'"),
        (NUMBER, "'A*'", (6, 32), "without 'A' in it"),
        (NUMBER, "'0401'", (6, 32), "is never '0401'"),
        (NUMBER, "''", (6, 32), "is never ''"),
        (NUMBER, "1.5", (6, 32), "is never '1.5'"),
        (NUMBER, "true", (6, 32), "is never 'true'"),
        (NUMBER, "9223372036854775808", (6, 32), "is never"),
        (f"{NUMBER}|contains", "x", (6, 41), "without 'x' in it"),
        (f"{NUMBER}|base64", "1", (6, 5), "'base64' is for text"),
        (f"{NUMBER}|cidr", "::/0", (6, 5), "'cidr' is for text"),
        (f"{NUMBER}|gt", "'1'x", (6, 38), "not YAML"),
        (f"{NUMBER}|gt", "'1'", (6, 35), "expected a number, not '1'"),
        (f"{NUMBER}|gt", "true", (6, 35), "expected a number"),
        (f"{NUMBER}|gt", "9223372036854775807", (6, 35), "never gt"),
        (f"{NUMBER}|lt", "-9223372036854775808", (6, 35), "never lt"),
        ("'@timestamp'", "2026-01-01", (6, 5), "compare minute, hour, day"),
        ("'@timestamp|gt'", "1", (6, 5), "compare minute, hour, day"),
        ("'@timestamp|hour'", "24", (6, 24), "the hour of @timestamp is never equal to 24"),
        ("'@timestamp|hour'", "1.5", (6, 24), "never equal to 1.5"),
        ("'@timestamp|hour|gt'", "23", (6, 27), "never gt 23"),
        ("'@timestamp|week'", "54", (6, 24), "never equal to 54"),
        ("source.ip|cidr", "10.0.0.1/8", (6, 21), "host bits set"),
        ("source.ip|cidr", "['10.0.0.0/8', x]", (6, 36), "no network"),
        ("source.ip|cidr", "'10.*'", (6, 21), "no network"),
        (f"{TEXT}|exists", "'true'", (6, 33), "'exists' takes true or false"),
        (f"{TEXT}|exists", "[true, false]", (6, 34), "'exists' takes true or false"),
        (f"{TEXT}|contains", "null", (6, 5), "null goes with no modifier"),
        (f"{TEXT}|base64", "'a*'", (6, 33), "wildcards"),
        (f"{TEXT}|wide", "ä", (6, 31), "ASCII"),
        (f"{TEXT}|windash", "[a, '-a -b -c -d -e']", (6, 38), "more than 1000 forms"),
        (f"{TEXT}|fieldref", "user.nam", (6, 35), "did you mean 'user.name'?"),
        (f"{TEXT}|fieldref", NUMBER, (6, 35), "holds text and http.response.status_code holds"),
        (f"{TEXT}|fieldref|contains", "user.groups", (6, 44), "does not compare with a list"),
        (f"{NUMBER}|fieldref|contains", "log.offset", (6, 50), "'contains' compares text only"),
        (TEXT, "[]", (6, 26), "list of values is empty"),
        (TEXT, "{a: b}", (6, 26), "not a mapping"),
        (TEXT, "[[a]]", (6, 27), "expected a value, not a list"),
        (TEXT, "[{a: b}]", (6, 27), "expected a value, not a mapping"),
        ("usr.name", "a", (6, 5), "unknown field 'usr.name', did you mean 'user.name'?"),
        ("nothing_like_it", "a", (6, 5), "unknown field 'nothing_like_it'"),
        ("''", "a", (6, 5), "keywords without a field"),
    ],
)  # fmt: skip
def test_a_value_that_does_not_fit_is_refused_at_its_place(
    refused: Refused, key: str, value: str, place: tuple[int, int], words: str
) -> None:
    ((line, column, message),) = refused(f"  sel:\n    {key}: {value}\n  condition: sel\n")

    assert (line, column) == place
    assert words in message


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("(a", "unclosed group"),
        ("(?=a)", "look-around"),
        (r"(a)\1", "backreferences"),
        (r"(\w{100}){100}", "exceeds size limit"),
        ("a{1000}{1000}", "exceeds size limit"),
        (r"\p{Nothing}", "Unicode property not found"),
        ("x" * 1001, "more than 1000 characters"),
    ],
)
def test_a_regular_expression_that_polars_refuses_is_refused_at_load(
    refused: Refused, pattern: str, words: str
) -> None:
    ((line, column, message),) = refused(f"  sel:\n    {TEXT}|re: '{pattern}'\n  condition: sel\n")

    assert (line, column) == (6, 29)
    assert words in message
    assert len(message) < 200


def test_more_regular_expressions_than_a_rule_may_have_are_refused(refused: Refused) -> None:
    many = [f"a{number}" for number in range(51)]

    ((_, _, message),) = refused(f"  sel:\n    {TEXT}|re: {many}\n  condition: sel\n")

    assert message == "more than 50 regular expressions"


def test_a_million_forms_of_windash_are_refused_before_they_are_made(refused: Refused) -> None:
    values = ["-a -b -c -d"] * 1_600

    ((_, _, message),) = refused(f"  sel:\n    {TEXT}|windash: {values}\n  condition: sel\n")

    assert message == "the values have more than 10000 forms"


def test_wildcards_too_many_to_compile_are_refused(refused: Refused) -> None:
    ((_, _, message),) = refused(f"  sel:\n    {TEXT}: '{'?a' * 50_000}'\n  condition: sel\n")

    assert "wildcards are too many" in message


def test_networks_too_many_to_compile_are_refused(refused: Refused) -> None:
    networks = [f"fd00:{number:x}::/32" for number in range(2_000)]

    ((_, _, message),) = refused(f"  sel:\n    source.ip|cidr: {networks}\n  condition: sel\n")

    assert "too many networks" in message


def test_every_modifier_of_the_specification_is_known() -> None:
    # Sigma modifiers appendix 2.1.0
    alone = "all startswith endswith contains exists cased neq windash re base64 base64offset "
    alone += (
        "utf16le utf16be utf16 wide lt lte gt gte minute hour day week month year cidr fieldref "
        "expand"
    )
    for name in alone.split():
        parsed = parse_key(Scalar(f"a|{name}", f"a|{name}", Place(1, 1)))
        assert parsed[0] == "a"
        assert parsed[1] != Modifiers()
    assert set(ENCODINGS) <= set(alone.split())
