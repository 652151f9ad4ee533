from __future__ import annotations

import pytest

from ingest.formats.prefixed_line import without_prefix

EVENT = b'{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"a b"}'


@pytest.mark.parametrize("word", [b"crc", b"master-0.example.com", b"2026-11-21T10:46:01.719Z"])
def test_one_word_before_an_event_is_taken_away(word: bytes) -> None:
    assert without_prefix(word + b" " + EVENT) == EVENT


@pytest.mark.parametrize(
    "raw",
    [
        EVENT,
        b" " + EVENT,
        b"two words " + EVENT,
        b"Nov 21 10:46:01 host sshd[1]: " + EVENT,
        b"{} " + EVENT,
        b"\xc3\xa9 " + EVENT,
        b"x" * 300 + b" " + EVENT,
        b'crc {"kind":"Other"}',
        b"crc  " + EVENT,
        b"crc",
        b"",
    ],
)
def test_any_other_line_is_left_alone(raw: bytes) -> None:
    assert without_prefix(raw) is None
