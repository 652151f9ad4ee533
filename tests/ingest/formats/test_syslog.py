"""Lines of syslog give events, repeated ones as many as there were."""

from datetime import UTC, datetime

import pytest

from ingest.formats.seen import Action, Around, Dataset, NotThisFormatError, Seen
from ingest.formats.syslog import decode_text, recognizes_text

AROUND = Around(datetime(2026, 11, 21, 12, tzinfo=UTC))
HEAD = "Nov 21 10:15:42 node-1 "
FAILED = "Failed password for root from 192.0.2.1 port 5 ssh2"


def one(text: str) -> Seen:
    (seen,) = decode_text(text, AROUND)
    return seen


def test_what_is_around_a_message_comes_with_it() -> None:
    seen = one(f"{HEAD}sshd[9]: {FAILED}")
    assert seen.fields["event.dataset"] is Dataset.AUTH
    assert seen.fields["event.action"] is Action.LOGIN
    assert seen.fields["@timestamp"] == "2026-11-21T10:15:42.000000Z"
    assert seen.fields["host.name"] == "node-1"
    assert seen.fields["process.pid"] == 9
    assert seen.fields["message"] == FAILED
    assert seen.identity is None


@pytest.mark.parametrize(
    ("tag", "provider"),
    [
        ("/usr/sbin/sshd", "sshd"),
        ("sshd(pam_google_authenticator)", "sshd"),
        ("sshd-session", "sshd-session"),
    ],
)
def test_a_program_is_told_by_its_name_alone(tag: str, provider: str) -> None:
    assert one(f"{HEAD}{tag}[9]: {FAILED}").fields["event.provider"] == provider


def test_what_was_repeated_happened_as_often() -> None:
    found = decode_text(f"{HEAD}sshd[9]: message repeated 3 times: [ {FAILED}]", AROUND)
    assert [seen.fields["message"] for seen in found] == [FAILED] * 3
    assert len({seen.identity for seen in found}) == 3
    assert len({seen.act for seen in found}) == 1
    assert {seen.fields["trailwarden.tool.fields"] for seen in found} == {'{"repeated":3}'}


def test_a_repetition_keeps_what_the_message_left() -> None:
    text = "New session '1' of user 'x' with class 'user' and type 'tty'."
    found = decode_text(f"{HEAD}systemd-logind: message repeated 1 times: [ {text}]", AROUND)
    said = found[0].fields["trailwarden.tool.fields"]
    assert said == '{"class":"user","type":"tty","repeated":1}'


def test_a_forged_number_of_repetitions_does_not_flood() -> None:
    found = decode_text(f"{HEAD}sshd[9]: message repeated 999999999 times: [ {FAILED}]", AROUND)
    assert len(found) == 50
    assert "repeated-more-often" in found[0].issues


@pytest.mark.parametrize("count", ["x", "", "-1", "9" * 20, "\u0663"])
def test_what_is_no_number_repeats_nothing(count: str) -> None:
    seen = one(f"{HEAD}sshd[9]: message repeated {count} times: [ {FAILED}]")
    assert seen.fields["event.action"] is Action.OTHER


def test_a_repetition_of_nobody_knows_what_is_kept() -> None:
    seen = one(f"{HEAD}last message repeated 7 times")
    assert seen.fields["event.action"] is Action.OTHER
    assert seen.fields["trailwarden.tool.fields"] == '{"repeated":7}'
    assert "repeated-message-unknown" in seen.issues


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"{HEAD}kernel: usb 1-1", "'kernel'"),
        (f"{HEAD}{'x' * 9_000}: a", "'" + "x" * 64 + "'"),
        (f"{HEAD}text without a tag", "names no program"),
        (f"{HEAD}last message repeated many times", "names no program"),
        ("<86>1 - - - - - - text", "names no program"),
        ("no syslog at all", "no line"),
    ],
)
def test_other_lines_are_refused_by_their_reason(text: str, why: str) -> None:
    with pytest.raises(NotThisFormatError, match=why):
        decode_text(text, AROUND)


def test_pam_is_wanted_of_any_program() -> None:
    seen = one(f"{HEAD}vsftpd[9]: pam_unix(vsftpd:session): session closed for user bob")
    assert seen.fields["event.action"] is Action.SESSION_END
    assert seen.fields["event.provider"] == "vsftpd"


def test_a_line_is_recognized_whatever_its_program() -> None:
    assert recognizes_text(f"{HEAD}kernel: usb 1-1")
    assert not recognizes_text('{"MESSAGE": "Nov 21 10:15:42 node-1 sshd: x"}')


@pytest.mark.parametrize(
    "text",
    [
        *("sshd", "sshd-session", "sudo", "su", "login", "systemd-logind", "useradd", "passwd"),
        *("CRON", "pkexec", "runuser", "gpasswd"),
    ],
)
@pytest.mark.parametrize(
    "said",
    [
        "",
        " ",
        "\x00",
        "[preauth]",
        "pam_",
        "pam_unix(",
        "pam_unix(): ",
        ": ; = ' `",
        "( ) (",
        "n" * 99_999,
    ],
)
def test_a_text_of_no_form_is_an_event_of_no_kind(text: str, said: str) -> None:
    assert one(f"{HEAD}{text}[1]: {said}").fields["event.action"] is Action.OTHER
