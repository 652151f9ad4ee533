"""Permission bits of every writing are one text; what is none is nothing, and not remembered."""

import pytest

from ingest.formats.file_mode import _mode, file_mode


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        *(("644", "0644"), ("0100644", "0644"), (" 0644 ", "0644"), ("rw-r--r--", "0644")),
        *(("-rwsr-xr-x", "4755"), ("rwxrwxrwT", "1776"), ("", None), ("898", None)),
        *(("rw-r--r-x-", None), ("x" * 9, None)),
    ],
)
def test_a_mode_is_octal_of_four_digits(text: str, mode: str | None) -> None:
    assert file_mode(text) == mode


def test_a_text_of_megabytes_is_not_remembered() -> None:
    before = _mode.cache_info().currsize
    assert file_mode("7" * 1_000_000) is None
    assert _mode.cache_info().currsize == before
