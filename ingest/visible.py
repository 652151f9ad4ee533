"""A text as a terminal, a log line or a message may show it: one line, nothing in it obeyed.

Separate because what records, files and servers say is shown by every layer, and each would have to
know which letters move a cursor, turn the direction of writing or cannot be seen.
"""

from __future__ import annotations


def visible(text: str) -> str:
    """Return a text of any length on one line, with the number of each letter that is not seen."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)
