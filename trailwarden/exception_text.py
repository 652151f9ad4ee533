"""A finding that was accepted becomes an exception to its rule, ready to be pasted and narrowed.

Separate from the verdict because it decides nothing: a verdict never silences a rule, an exception
does, and has an owner and an end (docs/site.md).
"""

from __future__ import annotations

from datetime import timedelta
from string import ascii_letters, digits
from typing import TYPE_CHECKING, Final

from detectors.anomaly.detector import UNUSUAL_IDENTITY

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

LASTS: Final = timedelta(days=90)
"""Long enough to mend the rule or the cause, short enough to be asked again."""

WHO: Final = ("user.name", "user.effective.name")
_PINS: Final = (*WHO, "orchestrator.namespace")
_LETTERS: Final = frozenset(ascii_letters + digits)
_PLAIN: Final = _LETTERS.union(":@._/-")
"""Without what means something in a pattern or in YAML: else it is not written for anybody."""


def exception_text(found: Mapping[str, object], author: str, note: str, today: date) -> str | None:
    """Return YAML of an exception for this rule, identity and namespace in this cluster.

    None where the finding names no identity in plain words, or is a profile's: of these the verdict
    itself says what is normal.

    Parameters
        found: the finding's document.
    """
    rule, cluster = (
        str(found.get(name) or "") for name in ("rule.id", "orchestrator.cluster.name")
    )
    held = {name: str(found[name]) for name in _PINS if found.get(name)}
    values = [rule, cluster, *held.values()]
    named = any(name in held for name in WHO)
    if rule == UNUSUAL_IDENTITY.id or not named or not all(map(_is_plain, values)):
        return None
    lines = [
        "exceptions:",
        f'  - rule: "{rule}"',
        f'    owner: "{_quoted(author)}"',
        f'    reason: "{_quoted(note or "accepted by a verdict")}"',
        f"    expires: {today + LASTS:%Y-%m-%d}",
        "    where:",
        *(f'      {name}: "{value}"' for name, value in held.items()),
        f'    clusters: ["{cluster}"]',
    ]
    return "\n".join(lines)


def _is_plain(value: str) -> bool:
    return value[:1] in _LETTERS and _PLAIN.issuperset(value)


def _quoted(text: str) -> str:
    """Return text for between double quotes; what could end or break them is left out."""
    plain = "".join(sign if " " <= sign <= "~" and sign not in '"\\' else " " for sign in text)
    return " ".join(plain.split())[:500] or "-"
