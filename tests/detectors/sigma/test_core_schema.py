from __future__ import annotations

import pytest

from detectors.sigma.core_schema import Value, resolve


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("NULL", None),
        ("nULL", "nULL"),
        ("true", True),
        ("False", False),
        ("tRUE", "tRUE"),
        ("0", 0),
        ("-0", 0),
        ("+5", 5),
        ("-12", -12),
        ("0x1F", 31),
        ("0o17", 15),
        ("0x", "0x"),
        ("0o8", "0o8"),
        ("1.5", 1.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("1e3", 1000.0),
        ("-1.5E-1", -0.15),
        ("1e", "1e"),
        ("e5", "e5"),
        (".", "."),
        ("-", "-"),
        ("1e999", "1e999"),
    ],
)
def test_plain_scalars_resolve_as_in_the_core_schema(text: str, value: Value) -> None:
    found = resolve(text)

    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        "0123",
        "00",
        "1:30",
        "2026-01-01",
        "1_000",
        "10.0.0.1",
        ".inf",
        ".nan",
        "1 2",
        "٣",  # a digit to str.isdigit, and to int()
        "9" * 41,
        "9" * 100_000,
    ],
)
def test_what_readers_disagree_about_stays_text(text: str) -> None:
    assert resolve(text) == text
