"""A condition in words has the tests, the names and the joins of the compiled one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from detectors.sigma.strict_yaml import Mapping, parse
from detectors.sigma.tree import leaves
from detectors.sigma.words import lines, names_of, say
from trailwarden.rule_words import said_of, words_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from detectors.sigma.rule import Rule

    Load = Callable[[str], Rule]


def said(detection: str) -> list[str]:
    document = parse(f"detection:\n{detection}".encode())
    assert isinstance(document, Mapping)
    tree = say(document)
    assert tree is not None
    return list(lines(tree))


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ("user.username: x", "user.name is 'x'"),
        ("user.username: [x, y, z]", "user.name is 'x', 'y' or 'z'"),
        ("user.username|contains|all: [x, y]", "user.name contains 'x' and 'y'"),
        ("user.username|startswith: x", "user.name begins with 'x'"),
        ("user.username|endswith|cased: X", "user.name ends with 'X' (in this case)"),
        ("user.username|neq: x", "not (user.name is 'x')"),
        ("user.username: null", "user.name is nothing"),
        ("user.username|exists: true", "user.name has a value"),
        ("user.username|exists: false", "user.name has no value"),
        ("user.username|fieldref: user.uid", "user.name is the value of user.id"),
        ("user.username|re|i: '^a\\d'", "user.name matches /^a\\d/i"),
        ("responseStatus.code|gte: 400", "http.response.status_code >= 400"),
        ("'@timestamp|hour|lt': 6", "the hour of @timestamp < 6"),
        ("sourceIPs|cidr: 10.0.0.0/8", "source.address_chain is in 10.0.0.0/8"),
        (
            "userAgent|wide|base64offset|contains: x",
            "user_agent.original contains the base64offset form of the wide form of 'x'",
        ),
        ("verb: [a, b, c, d, e, f, g, h, i, j]", "'h' or 2 more"),
    ],
)
def test_a_test_in_words(item: str, words: str) -> None:
    assert said(f"  a: {{{item}}}\n  condition: a\n")[-1].strip().endswith(words)


def test_the_condition_is_indented_as_it_is_joined() -> None:
    detection = (
        "  a: {verb: get, user.username: x}\n  b:\n    - verb: list\n    - user.username: y\n"
        "  filter_c: {verb: watch}\n  condition: a and (b or not 1 of filter_*)\n"
    )
    assert said(detection) == [
        "all of",
        "  a: all of",
        "    kubernetes.audit.verb is 'get'",
        "    user.name is 'x'",
        "  one of",
        "    b: one of",
        "      kubernetes.audit.verb is 'list'",
        "      user.name is 'y'",
        "    not",
        "      one of",
        "        filter_c:",
        "          kubernetes.audit.verb is 'watch'",
    ]


def test_every_part_of_the_compiled_condition_has_its_name(load: Load) -> None:
    rule = load(
        "  a: {verb: get, user.username|neq: x}\n  b: [{verb: list}, {user.username: y}]\n"
        "  condition: a and not b\n"
    )
    tree = said_of(rule)
    assert tree is not None
    names = names_of(rule.tree, tree)
    named = [names[id(leaf)] for leaf, _ in leaves(rule.tree) if id(leaf) in names]
    assert named == [
        "a: kubernetes.audit.verb is 'get' (line 5)",
        "a: not (user.name is 'x') (line 5)",
        "b: kubernetes.audit.verb is 'list' (line 6)",
        "b: user.name is 'y' (line 6)",
    ]
    assert {"a", "b"} <= set(names.values())


def test_a_file_that_has_changed_since_costs_the_names_only(load: Load) -> None:
    rule = load("  a: {verb: get, user.username: x, user.uid: y}\n  condition: a\n")
    text = rule.file.read_text()
    rule.file.write_text(text.replace("verb: get, ", ""))
    assert words_of(rule) == {}
    rule.file.unlink()
    assert words_of(rule) == {}
