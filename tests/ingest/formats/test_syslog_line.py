"""Lines of every form of syslog come apart the same way."""

from datetime import UTC, datetime

import pytest

from ingest.formats.seen import Around
from ingest.formats.syslog_line import SyslogLine, is_syslog, read_line

AROUND = Around(datetime(2026, 11, 21, 12, tzinfo=UTC))
NO_ZONE = ("time-without-zone",)


def line(text: str, around: Around = AROUND) -> SyslogLine:
    found = read_line(text, around)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("stamp", "time", "issues"),
    [
        ("Oct 11 22:14:15", "2026-10-11T22:14:15.000000Z", NO_ZONE),
        ("Oct  1 22:14:15", "2026-10-01T22:14:15.000000Z", NO_ZONE),
        ("Oct 01 22:14:15", "2026-10-01T22:14:15.000000Z", NO_ZONE),
        ("Oct 1 22:14:15", "2026-10-01T22:14:15.000000Z", NO_ZONE),
        ("Dec  1 22:14:15", "2025-12-01T22:14:15.000000Z", NO_ZONE),
        ("Oct 11 22:14:15.123456", "2026-10-11T22:14:15.123456Z", NO_ZONE),
        ("Oct 11 2023 22:14:15", "2023-10-11T22:14:15.000000Z", NO_ZONE),
        ("Oct  1 2023 22:14:15", "2023-10-01T22:14:15.000000Z", NO_ZONE),
        ("Oct 11 2023 22:14:15:", "2023-10-11T22:14:15.000000Z", NO_ZONE),
        ("2023 Oct 11 22:14:15", "2023-10-11T22:14:15.000000Z", NO_ZONE),
        ("2026-10-11T22:14:15.003Z", "2026-10-11T22:14:15.003000Z", ()),
        ("2026-10-11T22:14:15.123456+01:00", "2026-10-11T21:14:15.123456Z", ()),
        ("2026-10-11T22:14:15-0500", "2026-10-12T03:14:15.000000Z", ()),
        ("2026-10-11T22:14:15", "2026-10-11T22:14:15.000000Z", NO_ZONE),
        ("Nov 31 22:14:15", None, (*NO_ZONE, "not-a-time")),
    ],
)
def test_every_way_of_writing_a_time_is_read(
    stamp: str, time: str | None, issues: tuple[str, ...]
) -> None:
    found = line(f"{stamp} host-1 sshd[12]: text of it")
    assert (found.time, found.issues) == (time, issues)
    assert (found.host, found.program, found.pid) == ("host-1", "sshd", 12)
    assert found.text == "text of it"


def test_a_time_without_a_year_is_none_where_nothing_completes_it() -> None:
    found = line("Oct 11 22:14:15 h sshd: x", Around())
    assert (found.time, found.issues) == (None, (*NO_ZONE, "time-without-year"))


@pytest.mark.parametrize(
    ("rest", "parts"),
    [
        ("h sshd[1]: a b", ("h", "sshd", 1, "a b")),
        ("h sudo:    alice : x", ("h", "sudo", None, "   alice : x")),
        ("sshd[1]: a", (None, "sshd", 1, "a")),
        ("su: a", (None, "su", None, "a")),
        ("h gdm-password][12]: a", ("h", "gdm-password]", 12, "a")),
        ("h (systemd): a", ("h", "(systemd)", None, "a")),
        ("h prog[x]: a", ("h", "prog", None, "a")),
        ("fe80::1 sshd[1]: a", ("fe80::1", "sshd", 1, "a")),
        ("h last message repeated 2 times", ("h", None, None, "last message repeated 2 times")),
        ("h sshd[1]:", ("h", "sshd", 1, "")),
        ("h  -- root[21]: ROOT LOGIN ON tty2", ("h", "login", 21, "ROOT LOGIN ON tty2")),
        ("h  -- root[21] x", ("h", None, None, " -- root[21] x")),
        ("h sshd[" + "9" * 30 + "]: a", ("h", "sshd", None, "a")),
        ("", (None, None, None, "")),
    ],
)
def test_host_and_program_are_told_apart(
    rest: str, parts: tuple[str | None, str | None, int | None, str]
) -> None:
    found = line(f"Oct 11 22:14:15 {rest}")
    assert (found.host, found.program, found.pid, found.text) == parts


@pytest.mark.parametrize(
    ("priority", "facility", "severity", "issues"),
    [("<0>", 0, 0, ()), ("<86>", 10, 6, ()), ("<192>", None, None, ("out-of-range:PRI",))],
)
def test_a_priority_is_facility_and_severity(
    priority: str, facility: int | None, severity: int | None, issues: tuple[str, ...]
) -> None:
    found = line(f"{priority}2026-10-11T22:14:15Z h sshd[1]: a")
    assert (found.facility, found.severity, found.issues) == (facility, severity, issues)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("- a b", "a b"),
        ("-", ""),
        ("[x@1] a", "a"),
        ('[x@1 k="v"][y@1] a', "a"),
        (r'[x@1 k="\"]" l="\\"] a', "a"),
        (r'[x@1 k="a]b\\\"]"] a', "a"),
        ("- \ufeffa", "a"),
        ('[x@1 k="never closed a', '[x@1 k="never closed a'),
        ("[x@1 never closed", "[x@1 never closed"),
    ],
)
def test_structured_data_is_skipped(data: str, text: str) -> None:
    found = line(f"<86>1 2026-10-11T22:14:15.5Z h sshd 12 ID47 {data}")
    assert found.text == text
    assert (found.time, found.host, found.program, found.pid) == (
        "2026-10-11T22:14:15.500000Z",
        "h",
        "sshd",
        12,
    )


@pytest.mark.parametrize("rest", ["", " ", "Jan", "abcd ", "2026 ", "-", ":"])
def test_what_follows_a_priority_may_be_anything(rest: str) -> None:
    assert line(f"<86>{rest}").time is None


def test_a_line_without_a_time_has_a_program() -> None:
    found = line("<86>sshd[12]: text")
    assert (found.time, found.host, found.program, found.pid) == (None, None, "sshd", 12)


def test_nil_values_are_none() -> None:
    found = line("<86>1 - - - - - - text")
    assert (found.time, found.host, found.program, found.pid) == (None, None, None, None)


def test_a_header_that_is_cut_off_is_no_line() -> None:
    assert read_line("<86>1 2026-10-11T22:14:15Z h", AROUND) is None


def test_the_length_of_a_framed_message_is_taken_away() -> None:
    found = line("83 <86>1 2026-10-11T22:14:15Z h sshd 1 - - text\n")
    assert (found.facility, found.program, found.text) == (10, "sshd", "text")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<",
        "<>Oct 11 22:14:15 h sshd: x",
        "<x>1 a",
        "<1234>Oct 11 22:14:15 h sshd: x",
        "{}",
        "October is a month: yes",
        "type=SYSCALL msg=audit(1795255200.123:4): arch=c000003e",
        "2026-10-11T22:14:15.000000000Z stdout F {}",
        "2026-10-11T22:14:15.000000000+01:00 container start 4f6d (image=alpine, name=x)",
        "2026-10-11 22:14:15 something else",
        "12 apples",
    ],
)
def test_other_logs_are_no_syslog(text: str) -> None:
    assert not is_syslog(text)
    assert read_line(text, AROUND) is None


def test_a_long_line_is_read_in_time_that_its_length_bounds() -> None:
    found = line("<86>1 - h sshd 1 - [x@1 " + r'k="\"]" ' * 50_000 + "] text")
    assert found.text == "text"
