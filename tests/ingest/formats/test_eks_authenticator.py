from __future__ import annotations

import random
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest

from ingest.formats.arn import canonical_arn
from ingest.formats.eks_authenticator import decode_text, recognizes_text
from ingest.formats.seen import Around, NotThisFormatError

GRANTED = (
    'time="2026-11-21T10:46:01Z" level=info msg="access granted" '
    'arn="arn:aws:iam::111122223333:role/dev" client="127.0.0.1:50252" groups="[dev ops]" '
    'method=POST path=/authenticate uid="aws-iam-authenticator:111122223333:AROAEXAMPLEID" '
    "username=jane"
)
STS = (
    'time="2026-11-21T10:46:01Z" level=info msg="STS response" accesskeyid=ASIAIOSFODNN7EXAMPLE '
    'arn="arn:aws:sts::111122223333:assumed-role/dev/jane" client="127.0.0.1:50252" session=jane'
)


def fields(line: str) -> dict[str, Any]:
    (seen,) = decode_text(line, Around())
    assert not seen.issues
    return seen.fields


@pytest.mark.parametrize(
    "line",
    [
        GRANTED,
        STS,
        "2023-03-23T15:00:41.719Z " + STS,
        'time="2026-11-21T10:46:01Z" level=info msg="listening on https://127.0.0.1:21362"',
    ],
)
def test_lines_of_logrus_are_recognized(line: str) -> None:
    assert recognizes_text(line)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "time=",
        'Nov 21 10:46:01 host sshd[1]: time="x" level=info msg="access granted"',
        'two words time="2026-11-21T10:46:01Z" level=info msg="x"',
        'xtime="2026-11-21T10:46:01Z" level=info msg="x"',
        'time="2026-11-21T10:46:01Z" something else',
        '{"kind":"Event","msg":"time=\\" level= msg="}',
        "I1121 10:46:01.305463       1 schedule_one.go:314] bound",
        "type=SYSCALL msg=audit(1.1:1): arch=c000003e",
    ],
)
def test_other_lines_are_not(line: str) -> None:
    assert not recognizes_text(line)


@pytest.mark.parametrize(
    ("message", "outcome"),
    [
        ("access granted", "success"),
        ("access denied", "failure"),
        ("access denied because ARN is not mapped", "failure"),
        ("STS response", "unknown"),
    ],
)
def test_the_message_is_the_outcome(message: str, outcome: str) -> None:
    found = fields(GRANTED.replace("access granted", message))
    assert found["event.outcome"] == outcome
    assert found["event.code"] == message
    assert found["trailwarden.session.reason"] == (message if outcome == "failure" else None)


@pytest.mark.parametrize(
    "message", ["access granted!", "", "unexpected request method", "mapping IAM role", "x" * 9_999]
)
def test_a_line_without_a_decision_is_refused(message: str) -> None:
    with pytest.raises(NotThisFormatError) as error:
        decode_text(GRANTED.replace("access granted", message), Around())
    assert len(str(error.value)) < 200


def test_a_line_does_not_depend_on_when_it_was_received() -> None:
    received = Around(datetime(2030, 1, 1, tzinfo=UTC))
    assert decode_text(GRANTED, received) == decode_text(GRANTED, Around())


def test_what_was_said_before_a_decision_names_the_same_role_and_the_key() -> None:
    name = "trailwarden.identity.arn"
    assert fields(STS)[name] == fields(GRANTED)[name] == "arn:aws:iam::111122223333:role/dev"
    assert fields(STS)["trailwarden.identity.access_key_id"] == "ASIAIOSFODNN7EXAMPLE"


@pytest.mark.parametrize(
    ("client", "address", "port"),
    [
        ("127.0.0.1:50252", "127.0.0.1", 50252),
        ("[::1]:443", "::1", 443),
        ("[::ffff:192.0.2.1]:443", "192.0.2.1", 443),
        ("192.0.2.1:99999", "192.0.2.1", None),
        ("192.0.2.1:x", "192.0.2.1", None),
        ("192.0.2.1:\u0663", "192.0.2.1", None),
        ("host:443", None, 443),
        ("192.0.2.1", None, None),
        ("", None, None),
    ],
)
def test_the_client_is_an_address_and_a_port(
    client: str, address: str | None, port: int | None
) -> None:
    found = fields(GRANTED.replace("127.0.0.1:50252", client))
    assert (found["source.ip"], found["source.port"]) == (address, port)


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ("[]", None),
        ("", None),
        ("[a]", ["a"]),
        ("[a b:c]", ["a", "b:c"]),
        ("a b", ["a", "b"]),
    ],
)
def test_groups_are_a_list_as_go_prints_it(groups: str, expected: list[str] | None) -> None:
    found = fields(GRANTED.replace("[dev ops]", groups))
    assert found["kubernetes.audit.user.groups"] == expected


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("2026-11-21T10:46:01Z", "2026-11-21T10:46:01.000000Z"),
        ("2026-11-21T11:46:01+01:00", "2026-11-21T10:46:01.000000Z"),
        ("2026-11-21T10:46:01.123456789Z", "2026-11-21T10:46:01.123456Z"),
        ("not a time", "not a time"),
        ("", None),
    ],
)
def test_the_time_is_rfc_3339(time: str, expected: str | None) -> None:
    assert fields(GRANTED.replace("2026-11-21T10:46:01Z", time))["@timestamp"] == expected


def test_nothing_but_a_refusal_is_raised_whatever_the_line() -> None:
    random_ = random.Random(9)
    for line in (GRANTED, STS):
        for cut in range(len(line)):
            attempt(line[:cut])
        for _ in range(2_000):
            place = random_.randrange(len(line))
            attempt(line[:place] + random_.choice('"\\= \n\x00[]{}:\u202e') + line[place + 1 :])
    attempt("time=" * 100_000)
    attempt('time="' + '\\"' * 500_000)


def attempt(line: str) -> None:
    recognizes_text(line)
    with suppress(NotThisFormatError):
        decode_text(line, Around())


@pytest.mark.parametrize(
    ("arn", "canonical"),
    [
        ("arn:aws:sts::1:assumed-role/dev/jane", "arn:aws:iam::1:role/dev"),
        ("arn:aws-cn:sts::1:assumed-role/dev/i-0123", "arn:aws-cn:iam::1:role/dev"),
        ("arn:aws:sts::1:assumed-role/path/to/dev/jane", "arn:aws:iam::1:role/path/to/dev"),
        ("arn:aws:sts::1:federated-user/jane", "arn:aws:sts::1:federated-user/jane"),
        ("arn:aws:iam::1:user/assumed-role/x/y", "arn:aws:iam::1:user/assumed-role/x/y"),
        ("arn:aws:iam::1:role/dev", "arn:aws:iam::1:role/dev"),
        ("arn:aws:sts::1:assumed-role/dev", "arn:aws:sts::1:assumed-role/dev"),
        ("arn:aws:sts::1:assumed-role//", "arn:aws:sts::1:assumed-role//"),
        ("", ""),
        ("::::::", "::::::"),
    ],
)
def test_the_arn_of_a_session_becomes_its_role(arn: str, canonical: str) -> None:
    assert canonical_arn(arn) == canonical
