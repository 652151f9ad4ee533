"""A command line becomes what it would run: quoting, escapes, $IFS, hex and base64 undone.

Separate because exec and container commands hide the same way (evasion 19 of the catalogue).
Nothing is executed or interpreted; a text is only unwrapped, a bounded number of times.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final

MAX_DECODED: Final = 16_384
"""Characters kept: an API server's request line is limited to about 1 MB, a hidden command is
short."""

_ROUNDS: Final = 3
_MIN_BASE64: Final = 8
_MIN_PADDED: Final = 3
"""Characters of a word that is taken for base64: words of prose are short, but not padded."""

_PRINTABLE_SHARE: Final = 0.9
_BASE64: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_")
_UNQUOTE: Final = str.maketrans("", "", "'\"\\`")
_SEPARATE: Final = str.maketrans(dict.fromkeys("'\"`|;&<>(){}$,:\n\t", " "))
_URL_SAFE: Final = str.maketrans("-_", "+/")


def decode_command(args: list[str]) -> str:
    """Return the command line unwrapped, followed by what was found encoded inside it.

    >>> decode_command(["sh", "-c", "w'g'et${IFS}evil"])
    "sh -c w'g'et evil wget"
    """
    line = " ".join(args)[:MAX_DECODED]
    found, newest = [line], [line]
    for _ in range(_ROUNDS):
        unwrapped = dict.fromkeys(new for text in newest for new in _unwrap(text))
        newest = [text for text in unwrapped if text not in found]
        found += newest
    return " ".join(_only_new(found))[:MAX_DECODED]


def _only_new(found: list[str]) -> list[str]:
    """Keep the line itself, then only words that no earlier text had: little is repeated."""
    first = found[0].replace("${IFS}", " ").replace("$IFS", " ")
    out = [first]
    seen = set(first.split())
    for text in found[1:]:
        words = text.split()
        if any(word not in seen for word in words):
            out.append(text if len(words) > 1 and text != first else " ".join(words))
            seen.update(words)
    return out


def _unwrap(text: str) -> list[str]:
    plain = text.replace("${IFS}", " ").replace("$IFS", " ")
    candidates = [plain, _escapes(plain), plain.translate(_UNQUOTE)]
    candidates += [
        decoded for word in plain.translate(_SEPARATE).split() if (decoded := _base64(word))
    ]
    return [candidate for candidate in dict.fromkeys(candidates) if candidate and candidate != text]


def _escapes(text: str) -> str:
    r"""Undo ``\x2f`` and ``\057`` as printf and $'...' do."""
    if "\\" not in text:
        return text
    parts = text.split("\\")
    return parts[0] + "".join(_escaped(part) for part in parts[1:])


def _escaped(part: str) -> str:
    for prefix, digits, base in (("x", part[1:3], 16), ("", part[:3], 8)):
        try:
            code = (
                int(digits, base)
                if part.startswith(prefix) and len(digits) == (2 if prefix else 3)
                else 0
            )
        except ValueError:
            continue
        if 0 < code < 128:  # noqa: PLR2004 - ASCII
            return chr(code) + part[len(prefix) + len(digits) :]
    return part


def _base64(word: str) -> str | None:
    """Decode a word that is base64 of readable text, else None."""
    bare = word.rstrip("=").rpartition("=")[2]  # `x=...;echo $x|base64 -d`
    minimum = _MIN_PADDED if word.endswith("=") else _MIN_BASE64
    if len(bare) < minimum or not _BASE64.issuperset(bare) or bare.isdigit():
        return None
    padded = bare.translate(_URL_SAFE) + "=" * (-len(bare) % 4)
    for charset in ("utf-8", "utf-16-le"):  # the latter is what PowerShell encodes
        try:
            text = base64.b64decode(padded, validate=True).decode(charset)
        except (binascii.Error, UnicodeDecodeError):
            continue
        readable = sum(character.isprintable() or character in "\n\t" for character in text)
        if text.isascii() and readable >= _PRINTABLE_SHARE * len(text):
            return text.strip()
    return None
