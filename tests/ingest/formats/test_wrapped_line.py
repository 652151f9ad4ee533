from __future__ import annotations

from typing import Any

import pytest

from ingest.formats.wrapped_line import unwrap


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_the_line_within_is_returned_as_it_was_written(ending: str) -> None:
    document = {
        "log": '{"a":"\\n"} \t' + ending,
        "stream": "stderr",
        "time": "2026-11-21T10:00:00Z",
    }
    assert unwrap(document) == b'{"a":"\\n"} \t'


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"log": "x"},
        {"log": "x", "stream": "stdout", "attrs": {"tag": "web"}, "time": "t"},
        {"log": "x", "stream": "stdout", "kubernetes": {"pod_name": "p"}},
    ],
)
def test_keys_of_runtimes_and_shippers_may_stand_beside_it(document: dict[str, Any]) -> None:
    assert unwrap(document) == (b"x" if document else None)


@pytest.mark.parametrize(
    "document",
    [
        {"log": {"level": "info"}, "stream": "stdout"},
        {"log": None, "stream": "stdout"},
        {"log": ["x"], "stream": "stdout"},
        {"log": "x", "stream": "audit", "kind": "Event"},
        {"log": "x", "stream": ["stdout"], "kind": "Event"},
        {"log": "x", "auditID": "y"},
        {"stream": "stdout", "time": "t"},
    ],
)
def test_other_documents_are_no_wrappers(document: dict[str, Any]) -> None:
    assert unwrap(document) is None


def test_a_line_that_is_no_text_does_not_raise() -> None:
    assert unwrap({"log": "a\ud800b", "stream": "stdout"}) == b"a?b"
