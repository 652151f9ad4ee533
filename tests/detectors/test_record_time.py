from __future__ import annotations

from datetime import UTC, datetime

import pytest

from detectors.json_path import Json
from detectors.record_time import START, TimeError, at, put_in_json, put_in_text

TIME = datetime(2026, 11, 21, 10, 0, 5, 250_000, tzinfo=UTC)
EPOCH_S = 1_795_255_205


def test_a_sequence_begins_at_its_start() -> None:
    assert datetime(2026, 11, 21, 10, tzinfo=UTC) == START == at(0)
    assert at(5_250_000) == TIME


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("2020-01-01T00:00:00Z", "2026-11-21T10:00:05Z"),
        ("2020-01-01T00:00:00.1Z", "2026-11-21T10:00:05.2Z"),
        ("2020-01-01T00:00:00.123456Z", "2026-11-21T10:00:05.250000Z"),
        ("2020-01-01T00:00:00.123456789Z", "2026-11-21T10:00:05.250000000Z"),
        ("2020-01-01T00:00:00.000+0000", "2026-11-21T10:00:05.250+0000"),
        ("2020-01-01T00:00:00.100000+00:00", "2026-11-21T10:00:05.250000+00:00"),
        (1_500_000_000, EPOCH_S),
        (1_500_000_000.5, EPOCH_S + 0.25),
        (1_500_000_000_000, EPOCH_S * 10**3 + 250),
        (1_500_000_000_000_000, EPOCH_S * 10**6 + 250_000),
        (1_500_000_000_000_000_000, EPOCH_S * 10**9 + 250_000_000),
    ],
)
def test_a_time_is_written_as_the_one_that_stood_there(old: Json, new: Json) -> None:
    record: Json = {"time": old, "other": old}

    put_in_json(record, TIME, 0, ())

    assert record == {"time": new, "other": old}


def test_an_audit_record_gets_both_times_and_an_id_of_its_own() -> None:
    record: Json = {
        "auditID": "x",
        "requestReceivedTimestamp": "2020-01-01T00:00:00.000000Z",
        "stageTimestamp": "2020-01-01T00:00:00.000001Z",
        "time": "2020-01-01T00:00:00Z",
    }

    put_in_json(record, TIME, 12, ())

    assert record == {
        "auditID": "00000000-0000-4000-8000-000000000012",
        "requestReceivedTimestamp": "2026-11-21T10:00:05.250000Z",
        "stageTimestamp": "2026-11-21T10:00:05.250000Z",
        "time": "2020-01-01T00:00:00Z",
    }


def test_a_record_may_have_its_time_where_the_case_says() -> None:
    record: Json = {"time": 0, "event": {"at": ["2020-01-01T00:00:00Z"]}}

    put_in_json(record, TIME, 0, [("event", "at", 0)])

    assert record == {"time": 0, "event": {"at": ["2026-11-21T10:00:05Z"]}}


@pytest.mark.parametrize(
    ("record", "paths", "words"),
    [
        ({"when": 1}, [], "nothing says where the time of this record is: name it in 'time_at'"),
        ({"when": 1}, [("then",)], "there is no 'then' in an object"),
        ({"when": True}, [("when",)], "True is no time"),
        ({"when": None}, [("when",)], "None is no time"),
        ({"when": "now"}, [("when",)], "'now' is no time as in 2026-11-21T10:00:00Z, in UTC"),
        ({"when": "2020-01-01T00:00:00+01:00"}, [("when",)], "is no time as in"),
        ({"time": -5}, [], "-5 is no time"),
        ([], [], "the record is no object"),
    ],
)
def test_a_record_without_a_known_time_is_refused(
    record: Json, paths: list[tuple[str, ...]], words: str
) -> None:
    with pytest.raises(TimeError) as caught:
        put_in_json(record, TIME, 0, paths)

    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("2020-01-01T00:00:00.1+00:00 h sshd[1]: x", "2026-11-21T10:00:05.2+00:00 h sshd[1]: x"),
        ("2020-01-01T00:00:00Z", "2026-11-21T10:00:05Z"),
        (
            '2020-01-01T00:00:00.100Z time="2020-01-01T00:00:00Z" level=info msg="a time=\\"b\\""',
            '2026-11-21T10:00:05.250Z time="2026-11-21T10:00:05Z" level=info msg="a time=\\"b\\""',
        ),
        (
            "type=A msg=audit(1.5:1): a=(b)\nmsg=audit(1.5:1): c",
            "type=A msg=audit(1795255205.250:10007): a=(b)\nmsg=audit(1795255205.250:10007): c",
        ),
    ],
)  # fmt: skip
def test_lines_have_their_time_in_front_or_where_auditd_writes_it(old: str, new: str) -> None:
    assert put_in_text(old, TIME, 7) == new


@pytest.mark.parametrize("text", ["Nov 21 10:00:00 h sshd[1]: x", "x", "", "type=A msg=audit(1.5"])
def test_lines_without_a_known_time_are_refused(text: str) -> None:
    with pytest.raises(TimeError):
        put_in_text(text, TIME, 0)
