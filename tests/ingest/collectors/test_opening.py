"""Whatever a foreign topic or an export holds is opened or handed on: nothing stops a collector."""

from __future__ import annotations

import pytest

from ingest.collectors.opening import opened
from tests.ingest.formats.test_bad_input import of_json, of_text
from tests.ingest.formats.test_goldens import CASES, raw_of


@pytest.mark.parametrize("name", CASES)
def test_nothing_that_becomes_of_a_record_raises(name: str) -> None:
    good = raw_of(CASES[name])
    for raw in (good, *of_json(good), *of_text(good)):
        assert list(opened(raw))


@pytest.mark.parametrize(
    "odd", [b'"\xff\xfe"', b'"\\ud800"', b"1e999", b"9" * 40, b"[" * 1_500 + b"]" * 1_500]
)
def test_a_wrapper_with_an_odd_member_is_opened_or_handed_on(odd: bytes) -> None:
    line = b"Oct 11 22:14:15 web-1 sshd[7]: Invalid user x from 192.0.2.7 port 7"
    value = b'{"odd":' + odd + b',"log":"' + line + b'"}'
    (found,) = opened(value)
    assert found.raw in {line, value}
