from __future__ import annotations

from base64 import b64encode
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.sigma.encoding import DASHES, encode
from detectors.sigma.pattern import Wild, parse, verbatim


def texts(value: str, *encodings: str) -> list[str | None]:
    return [form.literal for form in encode(parse(value), encodings)]


def test_base64_is_of_the_utf8_bytes() -> None:
    assert texts("foobar", "base64") == ["Zm9vYmFy"]
    assert texts("ä", "base64") == ["w6Q="]


def test_utf16_forms_put_a_nul_beside_each_character() -> None:
    assert texts("cmd", "wide") == ["c\0m\0d\0"]
    assert texts("cmd", "utf16le") == ["c\0m\0d\0"]
    assert texts("cmd", "utf16be") == ["\0c\0m\0d"]
    assert texts("cmd", "utf16") == ["\ufeffc\0m\0d\0"]


def test_encodings_apply_in_their_order() -> None:
    assert texts("cmd", "wide", "base64") == [b64encode("cmd".encode("utf-16-le")).decode()]
    assert texts("cmd", "utf16", "base64") == [b64encode(b"\xff\xfec\0m\0d\0").decode()]


def test_wildcards_survive_utf16() -> None:
    (form,) = encode(parse("a*"), ("wide",))

    assert form.parts == ("a\0", Wild.ANY)


@given(st.text(min_size=1, max_size=12), st.binary(max_size=5), st.binary(max_size=5))
def test_base64offset_is_found_wherever_the_value_stands(
    value: str, before: bytes, after: bytes
) -> None:
    whole = b64encode(before + value.encode() + after).decode()

    forms = [form.literal for form in encode(verbatim(value), ("base64offset",))]

    assert any(form in whole for form in forms if form is not None)
    assert len(forms) == 3


def test_windash_spells_the_dashes_that_begin_a_word() -> None:
    assert texts("-f a-b", "windash") == [f"{dash}f a-b" for dash in DASHES]
    both = [f"cmd {a}x {b}y" for a, b in product(DASHES, DASHES)]
    assert texts("cmd -x /y", "windash") == both
    assert texts("a - b", "windash") == ["a - b"]


@pytest.mark.parametrize(
    ("value", "encoding", "words"),
    [
        ("a*b", "base64", "wildcards"),
        ("a?b", "base64offset", "wildcards"),
        ("", "base64", "empty"),
        ("ä", "wide", "ASCII"),
        ("-a -b -c -d -e", "windash", "more than 1000 forms"),
    ],
)
def test_what_cannot_be_encoded_is_refused_with_the_reason(
    value: str, encoding: str, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        encode(parse(value), (encoding,))
