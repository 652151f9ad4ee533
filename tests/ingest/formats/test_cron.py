"""cron's messages give what ran as whom, and whose table was touched."""

import pytest

from ingest.formats.cron import cron_columns
from ingest.formats.seen import Action


@pytest.mark.parametrize(
    ("verb", "action"), [("CMD", Action.PROCESS_START), ("CMDEND", Action.PROCESS_END)]
)
def test_a_command_is_a_process(verb: str, action: Action) -> None:
    assert cron_columns(f"(alice) {verb} (cd / && (a) (b))", []) == {
        "event.action": action,
        "event.outcome": "success",
        "event.code": verb,
        "user.name": "alice",
        "process.command_line": "cd / && (a) (b)",
        "trailwarden.session.service": "cron",
    }


def test_a_table_that_is_replaced_has_an_owner() -> None:
    assert cron_columns("(root) REPLACE (alice)", []) == {
        "event.action": Action.OTHER,
        "event.outcome": "success",
        "event.code": "REPLACE",
        "user.name": "root",
        "user.target.name": "alice",
        "trailwarden.session.service": "cron",
    }


@pytest.mark.parametrize("text", ["(CRON) INFO (Running @reboot jobs)", "(*system*) RELOAD (/x)"])
def test_cron_itself_is_no_user(text: str) -> None:
    assert "user.name" not in cron_columns(text, [])


@pytest.mark.parametrize("text", ["", "x", "(a)", "(a) b", "a) CMD (b)"])
def test_what_is_of_no_known_form_is_other(text: str) -> None:
    found = cron_columns(text, [])
    assert found == {"event.action": Action.OTHER, "event.outcome": "unknown"}
