"""Changes as readable text."""

from __future__ import annotations

from sinks.change import LINES_SHOWN, Change, render_changes


def test_created_altered_removed_and_left_alone_read_differently() -> None:
    text = render_changes(
        [
            Change("topic", "raw", None, {"partitions": 64, "config": {"retention.ms": "9"}}),
            Change(
                "topic", "raw", {"retention.ms": "9", "same": 1}, {"retention.ms": "8", "same": 1}
            ),
            Change("index", "old", {"docs": 3}, None),
            Change("topic", "raw", {"partitions": 4}, {"partitions": 64}, "moves clusters"),
        ]
    )
    assert text == (
        "+ topic raw\n"
        "    partitions: 64\n"
        '    config.retention.ms: "9"\n'
        "~ topic raw\n"
        '    retention.ms: "9" -> "8"\n'
        "- index old\n"
        "    docs: 3\n"
        "! topic raw\n"
        "    partitions: 4 -> 64\n"
        "    left as it is: moves clusters"
    )


def test_members_that_come_and_go_are_shown() -> None:
    text = render_changes([Change("template", "t", {"a": 1, "b": None}, {"b": None, "c": [1]})])
    assert text == "~ template t\n    c: (none) -> [1]\n    a: 1 -> (none)"


def test_plain_values_have_no_path() -> None:
    assert render_changes([Change("alias", "a", "x", "y")]) == '~ alias a\n    "x" -> "y"'


def test_nothing_to_change_is_nothing_to_read() -> None:
    assert not render_changes([])


def test_a_large_change_is_cut_and_says_so() -> None:
    text = render_changes([Change("template", "t", None, {f"f{n}": n for n in range(100)})])
    assert len(text.splitlines()) == LINES_SHOWN + 2
    assert text.endswith("... and 60 lines more")


def test_a_servers_names_and_values_forge_no_line() -> None:
    text = render_changes([Change("topic", "a\n+ topic b", None, {"k\n": "v\n\x1b[0m"})])
    assert len(text.splitlines()) == 2
    assert "\x1b" not in text


def test_what_is_left_to_people_is_drift() -> None:
    assert Change("topic", "raw", 1, 2, "why").is_drift
    assert not Change("topic", "raw", 1, 2).is_drift
