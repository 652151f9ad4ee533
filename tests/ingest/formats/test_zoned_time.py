"""Times with a zone are what they would be without the shared work."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats.clock import from_text
from ingest.formats.zoned_time import from_zoned


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-11-21T18:21:51.120+0300", "2026-11-21T15:21:51.120000Z"),
        ("2026-11-21T18:21:51.120+03:00", "2026-11-21T15:21:51.120000Z"),
        ("2026-11-21T18:21:51.999-0330", "2026-11-21T21:51:51.999000Z"),
        ("2026-11-21T18:21:51.123456789+00:00", "2026-11-21T18:21:51.123456Z"),
        ("2026-11-21T18:21:51+0300", "2026-11-21T15:21:51.000000Z"),
        ("2026-11-21T18:21:51.5Z", "2026-11-21T18:21:51.500000Z"),
        ("2026-11-21T18:21:51", "2026-11-21T18:21:51.000000Z"),
        ("", None),
        (None, None),
    ],
)
def test_a_time_with_a_zone_is_in_utc(text: str | None, time: str | None) -> None:
    assert from_zoned(text) == time


ODD = [
    "2026-11-21T18:21:51.+0300",
    "2026-11-21T18:21:51.12x+0300",
    "2026-11-21T18:21:51.\u0661+0300",
    "2026-13-21T18:21:51.120+0300",
    "2026-11-21T18:21:51.120+9900",
    "2026-11-21 18:21:51.120+0300",
    "0001-01-01T00:00:00.120+0300",
    "9999-12-31T23:59:59.120-0300",
    "2026-11-21T18:21:51.120 +0300",
    "soon.120+0300",
    "+0300",
    "x" * 100_000,
]


@pytest.mark.parametrize("text", ODD)
def test_what_is_odd_is_as_without_the_shared_work(text: str) -> None:
    assert from_zoned(text) == from_text(text)


@given(
    st.datetimes(timezones=st.timezones()).map(lambda time: time.isoformat())
    | st.text(st.sampled_from("0123456789-+:.TZ "), max_size=40)
)
def test_every_text_is_as_without_the_shared_work(text: str) -> None:
    assert from_zoned(text) == from_text(text)
