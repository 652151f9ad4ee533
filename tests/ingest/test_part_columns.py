from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

Build = Callable[..., dict[str, Any]]
Row = Callable[..., dict[str, Any]]

ARN = "trailwarden.identity.arn"
KEY = "trailwarden.identity.access_key_id"
ROLE = "arn:aws:iam::111122223333:role/dev"
SESSION = "arn:aws:sts::111122223333:assumed-role/dev/jane"


def user(**extra: Any) -> dict[str, Any]:
    return {"username": "jane", "groups": ["dev"], "extra": extra}


@pytest.mark.parametrize(
    ("extra", "arn", "key"),
    [
        ({"arn": [SESSION], "canonicalArn": [ROLE], "accessKeyId": ["AKIA1"]}, ROLE, "AKIA1"),
        ({"arn": [SESSION]}, ROLE, None),
        ({"arn": ["arn:aws:iam::1:user/eve"]}, "arn:aws:iam::1:user/eve", None),
        ({"canonicalarn": [ROLE], "accesskeyid": ["AKIA1"]}, ROLE, "AKIA1"),
        ({"canonicalArn": [], "arn": [SESSION]}, ROLE, None),
        ({"canonicalArn": [""], "accessKeyId": [""]}, None, None),
        ({}, None, None),
    ],
)
def test_who_calls_at_aws_joins_with_the_authenticators_lines(
    build: Build, row: Row, extra: dict[str, list[str]], arn: str | None, key: str | None
) -> None:
    found = row(build(user=user(**extra)))
    assert (found[ARN], found[KEY]) == (arn, key)


def test_what_has_a_column_is_not_kept_twice_and_the_session_is_kept(
    build: Build, row: Row
) -> None:
    extra = {"arn": [SESSION], "canonicalArn": [ROLE], "accessKeyId": ["AKIA1", "AKIA2"]}
    found = row(build(user=user(**extra, sessionName=["jane"])))
    rest = orjson.loads(found["kubernetes.audit.user.extra"])
    assert rest == {"arn": [SESSION], "accessKeyId": ["AKIA2"], "sessionName": ["jane"]}
