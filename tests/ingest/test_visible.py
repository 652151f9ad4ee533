"""What records say is shown on one line, and nothing in it is obeyed."""

from __future__ import annotations

import pytest

from ingest.visible import visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain [bold] naïve 名", "plain [bold] naïve 名"),
        ("two\nlines\r", "two\\u000alines\\u000d"),
        ("\x1b[31mred", "\\u001b[31mred"),
        ("right\u202eleft", "right\\u202eleft"),
        ("a" * 5000, "a" * 5000),
    ],
)
def test_what_cannot_be_seen_is_named(text: str, shown: str) -> None:
    assert visible(text) == shown
