from __future__ import annotations

import time
from typing import TYPE_CHECKING
from uuid import UUID, uuid5

import pytest

from detectors.sigma.compiler import load_pack, load_rules
from detectors.site import DEFAULT_LISTS, Site

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from detectors.sigma.pack import Pack

    LoadPack = Callable[..., Pack]
    PackProblems = Callable[..., list[tuple[str, int, int, str]]]

IDS = [f"0a0a0a0a-0000-4000-8000-00000000000{number}" for number in range(10)]
OURS = "trailwarden: {category: abnormal-login}\n"


def rule(name: str | None = None, identifier: str | None = None, rest: str = "") -> str:
    """A rule; its first line is that of its title, and its name is that of its user."""
    head = f"title: Rule {name}\n"
    head += f"name: {name}\n" if name else ""
    head += f"id: {identifier}\n" if identifier else ""
    detection = f"detection: {{sel: {{user.name: {name}}}, condition: sel}}\n"
    return f"{head}logsource: {{product: kubernetes}}\n{detection}{rest}"


def count(
    *rules: str, identifier: str | None = IDS[0], name: str | None = None, rest: str = ""
) -> str:
    """A correlation of one line and up to three before it."""
    head = f"title: Count {name}\n"
    head += f"id: {identifier}\n" if identifier else ""
    head += f"name: {name}\n" if name else ""
    section = f"rules: [{', '.join(rules)}], timespan: 1m, condition: {{gte: 2}}"
    return f"{head}correlation: {{type: event_count, {section}}}\n{rest}"


def file(*documents: str) -> str:
    return "---\n".join(documents)


def names(pack: Pack) -> list[str]:
    return [one.title.split()[1] for one in pack.correlations]


def test_a_file_holds_a_correlation_and_the_rules_it_joins(load_files: LoadPack) -> None:
    pack = load_files(x=file(rule("a"), count("a", "b"), rule("b", IDS[5])))

    (correlation,) = pack.correlations
    derived = str(uuid5(UUID(IDS[0]), "a"))
    assert [one.id for one in pack.rules] == [derived, IDS[5]]
    assert [(base.id, base.name) for base in correlation.bases] == [(derived, "a"), (IDS[5], "b")]
    assert pack.silent == {derived, IDS[5]}
    assert pack.reporting == (correlation,)
    assert {one.file for one in pack.rules} == {correlation.file}


def test_load_rules_returns_the_rules_of_the_pack(tmp_path: Path) -> None:
    written = tmp_path / "x.yml"
    written.write_text(file(rule("a"), count("a")))

    assert [one.title for one in load_rules([written])] == ["Rule a"]
    assert (load_pack([]).rules, load_pack([]).correlations) == ((), ())


def test_rules_are_found_by_name_and_id_in_any_file(load_files: LoadPack) -> None:
    pack = load_files(
        x=count("near", IDS[2].upper(), identifier=IDS[1]),
        y=rule("near", IDS[3]),
        z=rule("far", IDS[2]),
    )

    assert [base.id for base in pack.correlations[0].bases] == [IDS[3], IDS[2]]
    assert [base.name for base in pack.correlations[0].bases] == ["near", "far"]


def test_a_name_means_first_what_stands_in_the_same_file(load_files: LoadPack) -> None:
    pack = load_files(
        x=file(rule("denied", IDS[1]), count("denied", identifier=IDS[2])),
        y=file(rule("denied", IDS[3]), count("denied", identifier=IDS[4])),
    )

    assert [one.bases[0].id for one in pack.correlations] == [IDS[1], IDS[3]]


def test_a_correlation_stands_behind_those_it_builds_on(load_files: LoadPack) -> None:
    pack = load_files(
        a=count("second", identifier=IDS[1], name="third"),
        b=count("first", identifier=IDS[2], name="second"),
        c=file(rule("r"), count("r", identifier=IDS[3], name="first")),
        d=file(rule("r"), count("r", identifier=IDS[4], name="apart")),
    )

    assert names(pack) == ["first", "second", "third", "apart"]


def test_a_file_may_hold_correlations_that_its_correlation_builds_on(load_files: LoadPack) -> None:
    pack = load_files(
        x=file(
            count("many", identifier=IDS[1]),
            count("r", identifier=None, name="many"),
            rule("r"),
        )
    )

    inner = str(uuid5(UUID(IDS[1]), "many"))
    assert [one.id for one in pack.correlations] == [inner, IDS[1]]
    assert [one.id for one in pack.reporting] == [IDS[1]]
    assert pack.correlations[1].bases[0].id == inner


@pytest.mark.parametrize(
    ("texts", "silent"),
    [
        ({"x": file(rule("a", IDS[1]), count("a"))}, {IDS[1]}),
        ({"x": file(rule("a", IDS[1], OURS), count("a"))}, {IDS[1]}),
        ({"x": file(rule("a", IDS[1]), count("a", rest="generate: true\n"))}, set()),
        # A rule in a file of its own: Sigma's default silences it, unless it is written for us.
        ({"x": count("a"), "y": rule("a", IDS[1])}, {IDS[1]}),
        ({"x": count("a"), "y": rule("a", IDS[1], OURS)}, set()),
        ({"x": count("a", rest="generate: true\n"), "y": rule("a", IDS[1])}, set()),
        # Nothing joins it.
        ({"x": file(rule("a", IDS[1]), count("a")), "y": rule("b", IDS[2])}, {IDS[1]}),
        # Who asks for it by 'generate' gets it, whoever else joins it.
        (
            {
                "x": count("a"),
                "y": rule("a", IDS[1]),
                "z": count("a", identifier=IDS[2], rest="generate: true\n"),
            },
            set(),
        ),
        # A correlation of a file of its own that another builds on.
        (
            {
                "x": count("b"),
                "y": file(rule("a", IDS[1]), count("a", identifier=IDS[2], name="b", rest=OURS)),
            },
            {IDS[1]},
        ),
    ],
)
def test_what_only_serves_a_correlation_is_silent(
    load_files: LoadPack, texts: dict[str, str], silent: set[str]
) -> None:
    assert load_files(**texts).silent == silent


NEEDY = "trailwarden: {requires: [trusted_registries]}\n"
TOLD = Site({**DEFAULT_LISTS, "trusted_registries": ("registry.example.org",)})


def test_a_rule_waits_until_the_site_has_its_list(load_files: LoadPack) -> None:
    text = rule("a", IDS[1], NEEDY)

    waiting = load_files(x=text)
    active = load_files(TOLD, x=text)

    assert waiting.rules == ()
    assert waiting.inactive == ((IDS[1], "trusted_registries"),)
    assert [one.title for one in waiting.waiting] == ["Rule a"]
    assert [one.requires for one in active.rules] == [("trusted_registries",)]
    assert (active.inactive, active.waiting) == ((), ())


def test_what_builds_on_something_that_waits_waits_as_well(load_files: LoadPack) -> None:
    texts = {
        "a": count("many", identifier=IDS[1], name="more"),
        "b": file(
            rule("r", IDS[2], NEEDY),
            rule("s", IDS[3]),
            count("r", "s", identifier=IDS[4], name="many"),
        ),
        "c": rule("t", IDS[5]),
    }

    waiting = load_files(**texts)

    assert waiting.inactive == tuple((IDS[n], "trusted_registries") for n in (2, 4, 1))
    assert [one.id for one in waiting.rules] == [IDS[5]]  # s would serve nobody
    assert (waiting.correlations, waiting.silent) == ((), frozenset())
    assert len(load_files(TOLD, **texts).correlations) == 2


def test_a_correlation_that_waits_silences_nothing_and_leaves_what_others_use(
    load_files: LoadPack,
) -> None:
    pack = load_files(
        x=file(rule("a", IDS[1]), count("a", "far", identifier=IDS[2], rest=NEEDY)),
        y=rule("far", IDS[3]),
        z=count("a", identifier=IDS[4]),
    )

    assert pack.inactive == ((IDS[2], "trusted_registries"),)
    assert [one.id for one in pack.rules] == [IDS[1], IDS[3]]
    assert pack.silent == {IDS[1]}
    assert [one.id for one in pack.reporting] == [IDS[3], IDS[4]]


@pytest.mark.parametrize(
    ("texts", "problems"),
    [
        (
            {"x": file(rule("a", IDS[1]), rule("b", IDS[2]))},
            [("x", 7, 1, "a file holds one rule, or one correlation and the rules it joins")],
        ),
        (
            {"x": file(rule("a"), count("a"), rule("b"))},
            [("x", 10, 1, "the correlation of the file does not join this")],
        ),
        (
            {"x": file(rule("a"), count("a"), count("a", identifier=IDS[1]))},
            [("x", 10, 1, "a file holds one correlation, and those it builds on: this is another")],
        ),
        (
            {"x": file(rule("a"), count("a"), "[]\n")},
            [("x", 10, 1, "a rule must be a mapping")],
        ),
        (
            {"x": file(rule("a"), count("a"), "")},
            [("x", 10, 1, "a rule must be a mapping")],
        ),
        (
            {"x": file(rule("a"), count("a"), "filter: {rules: [a]}\n")},
            [("x", 10, 1, "Sigma filters are not supported: use exceptions")],
        ),
        (
            {"x": file("action: global\n", rule("a"))},
            [("x", 1, 1, "rule collections ('action') are not supported")],
        ),
        (
            {"x": file(rule("a"), rule("a"), count("a"))},
            [("x", 7, 7, "name 'a' is already on line 2")],
        ),
        (
            {"x": file(rule("a", IDS[1]), rule("b", IDS[1]), count("a", "b"))},
            [
                ("x", 9, 5, f"id {IDS[1]} is already that of the document on line 1"),
                ("x", 15, 45, "'rules': 'b' is there twice"),
            ],
        ),
        (
            {"x": file(rule("a"), count("a", identifier=None))},
            [("x", 6, 1, "a rule needs 'id'")],
        ),
        (
            {"x": file(rule("a", IDS[1]).replace("name: a\n", ""), count(IDS[1], "b"))},
            [("x", 8, 80, "there is no rule with name or id 'b'")],
        ),
        (
            {"x": count("denyed"), "y": rule("denied", IDS[1])},
            [("x", 3, 42, "no rule with name or id 'denyed', did you mean 'denied'?")],
        ),
        (
            {"x": count("a"), "y": rule("a", IDS[1]), "z": rule("a", IDS[2])},
            [("x", 3, 42, "name 'a' is ambiguous, it is in ")],
        ),
        (
            {"x": count("x", name="x")},
            [("x", 4, 42, "a correlation builds on itself: 'Count x -> Count x'")],
        ),
        (
            {"x": count("y", name="x"), "y": count("x", name="y", identifier=IDS[1])},
            [("y", 4, 42, "a correlation builds on itself: 'Count x -> Count y -> Count x'")],
        ),
        (
            {
                "x": count("gone"),
                "y": file(
                    rule("a"),
                    f"title: Gone\nname: gone\nid: {IDS[1]}\n"
                    "correlation: {type: absence, rules: [a], timespan: 1m}\n",
                ),
            },
            [("x", 3, 42, "'gone' is of type absence: no event completes it that could be joined")],
        ),
        (
            {
                "x": count("wide"),
                "y": file(
                    rule("a"),
                    count(
                        "a",
                        name="wide",
                        identifier=IDS[1],
                        rest="trailwarden: {across_clusters: true}\n",
                    ),
                ),
            },
            [("x", 3, 42, "'wide' is across clusters: its matches belong to none")],
        ),
        (
            {
                "x": count("many", rest="trailwarden: {across_clusters: true}\n"),
                "y": file(rule("a"), count("a", name="many", identifier=IDS[1])),
            },
            [("x", 3, 42, "'many' is a correlation: one across clusters joins rules alone")],
        ),
    ],
)
def test_what_does_not_hold_together_is_refused(
    refuse_files: PackProblems,
    texts: dict[str, str],
    problems: list[tuple[str, int, int, str]],
) -> None:
    found = refuse_files(**texts)

    assert [problem[:3] for problem in found] == [problem[:3] for problem in problems]
    for (*_, message), (*_, words) in zip(found, problems, strict=True):
        assert words in message


def test_a_rule_that_a_correlation_joins_needs_something_to_be_called_by(
    refuse_files: PackProblems,
) -> None:
    found = refuse_files(x=file(rule("a").replace("name: a\n", ""), count("a")))

    assert [message for *_, message in found] == ["the correlation of the file does not join this"]


def test_all_problems_of_a_correlation_and_its_rules_are_found_at_once(
    refuse_files: PackProblems,
) -> None:
    text = file(
        rule("a").replace("user.name", "usr.name"),
        count("a", "b", rest="level: worst\n").replace("timespan: 1m", "timespan: 1x"),
    )

    found = refuse_files(x=text)

    assert [(line, column) for _, line, column, _ in found] == [(4, 19), (8, 45), (8, 59), (9, 8)]


def test_a_chain_that_is_too_long_is_refused(refuse_files: PackProblems) -> None:
    ids = [f"0a0a0a0a-0000-4000-8000-0000000001{number:02}" for number in range(20)]
    texts = {f"x{n:02}": count(f"c{n + 1}", name=f"c{n}", identifier=ids[n]) for n in range(19)}

    found = refuse_files(**texts, x19=rule("c19", ids[19]))

    assert [m for *_, m in found if "more than 16 correlations build on each other" in m]


def test_an_id_of_another_file_is_refused(refuse_files: PackProblems) -> None:
    ((name, line, column, message),) = refuse_files(
        x=rule("a", IDS[1]), y=file(rule("b"), count("b", identifier=IDS[1]))
    )

    assert (name, line, column) == ("y", 7, 5)
    assert message.endswith("x.yml")


def test_many_documents_in_a_file_take_no_longer_than_they_must(refuse_files: PackProblems) -> None:
    text = "---\n".join(["{correlation: {rules: [a]}}\n"] * 20_000)
    started = time.process_time()

    found = refuse_files(x=text)

    assert len(found) == 1
    assert time.process_time() - started < 5


HASHED = file(rule("a"), count("a", rest="level: low\n"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("level: low", "level: high"),
        ("title: Count None", "title: Other"),
        ("title: Rule a", "title: Other"),
        ("{sel: {user.name: a}, condition: sel}", "{other: {user.name: a}, condition: other}"),
        ("{user.name: a}", "{user.username: a}"),
        ("level: low", "generate: true"),
    ],
)
def test_what_changes_no_match_keeps_the_content_hash(
    load_files: LoadPack, old: str, new: str
) -> None:
    assert old in HASHED

    changed = load_files(x=HASHED.replace(old, new)).correlations[0]

    assert changed.content_hash == load_files(x=HASHED).correlations[0].content_hash


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("{user.name: a}", "{user.name: b}"),
        ("{user.name: a}", "{user.name|contains: a}"),
        ("condition: sel}", "condition: not sel}"),
        ("product: kubernetes", "product: linux"),
        ("timespan: 1m", "timespan: 2m"),
        ("gte: 2", "gte: 3"),
        ("gte: 2", "gt: 2"),
        ("timespan: 1m", "timespan: 1m, group-by: [user.name]"),
        (IDS[0], IDS[1]),
        ("level: low", "trailwarden: {across_clusters: true}"),
        ("event_count, ", "value_count, "),
    ],
)
def test_what_changes_a_match_changes_the_content_hash(
    load_files: LoadPack, old: str, new: str
) -> None:
    assert old in HASHED
    text = HASHED.replace(old, new)
    if "value_count" in new:
        text = text.replace("{gte", "{field: user.name, gte")

    changed = load_files(x=text).correlations[0]

    assert changed.content_hash != load_files(x=HASHED).correlations[0].content_hash


def test_a_value_of_a_site_list_changes_the_content_hash(load_files: LoadPack) -> None:
    text = HASHED.replace("user.name: a", "'user.name|expand': '%ci_identities%'")
    sites = [Site({**DEFAULT_LISTS, "ci_identities": names}) for names in (("a",), ("b",), ("a",))]

    first, second, third = (load_files(site, x=text).correlations[0] for site in sites)

    assert first.content_hash == third.content_hash != second.content_hash


def test_a_change_below_reaches_what_is_built_above(load_files: LoadPack) -> None:
    texts = {
        "x": count("many", identifier=IDS[1]),
        "y": file(rule("a"), count("a", identifier=IDS[2], name="many")),
    }
    one = load_files(**texts)
    texts["y"] = texts["y"].replace("{user.name: a}", "{user.name: b}")

    other = load_files(**texts)

    assert one.correlations[1].content_hash != other.correlations[1].content_hash
    assert one.correlations[1].id == other.correlations[1].id == IDS[1]


def test_content_hashes_are_the_same_tomorrow(load_files: LoadPack) -> None:
    """State on disk is found by them: whatever changes them makes every window start anew."""
    assert load_files(x=HASHED).correlations[0].content_hash == "6d60dae5d758b116"


def test_the_example_of_the_page_loads(load_files: LoadPack, root: Path) -> None:
    page = (root / "docs" / "correlations.md").read_text()
    (example,) = [block for block in page.split("```yaml\n")[1:] if block.startswith("title:")]

    pack = load_files(x=example.partition("```")[0])

    assert [one.title for one in pack.correlations] == ["Many calls refused"]
    assert [one.title for one in pack.rules] == ["Refused call"]
