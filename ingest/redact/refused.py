"""A record that was refused leaves a redacted copy, without anybody knowing what it is.

Separate because it must be more careful than the redaction of events: a Secret may stand there,
within a list whose items do not name their kind, or as text within the JSON of a log shipper.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import orjson
import polars as pl

from ingest.redact.document import redact_unknown
from ingest.redact.text import redact_texts

if TYPE_CHECKING:
    from ingest.record import Refused
    from ingest.redact.token import Redactor

_NAMES: Final = ("data", "stringData")
_OPENED_MAX: Final = 3
"""Levels of JSON within the texts of JSON that are opened: a shipper's, and one to spare."""


def structural_copy(raw: bytes, redactor: Redactor) -> str | None:
    """Return a copy of a record as JSON text, or None where it does not parse.

    It has lost what structure tells, not yet what only looks like a credential.
    """
    try:
        document = orjson.loads(raw.decode(errors="replace"))
    except (orjson.JSONDecodeError, RecursionError):
        return None
    return orjson.dumps(_opened(redact_unknown(document, redactor), redactor, 0)).decode()


def redact_refused(refused: list[Refused], redactor: Redactor) -> list[Refused]:
    """Take what looks like a credential out of copies and details, all in one pass."""
    if not refused:
        return refused
    texts = [text for record in refused for text in (record.detail, record.copy)]
    redacted = iter(redact_texts(pl.Series(texts, dtype=pl.String), redactor).to_list())
    return [
        replace(record, detail=detail, copy=copy)
        for record, detail, copy in zip(refused, redacted, redacted, strict=True)
    ]


def _opened(value: Any, redactor: Redactor, level: int) -> Any:
    """Redact the JSON that stands in texts; a text that seems to hold some and does not, goes."""
    if isinstance(value, dict):
        return {key: _opened(member, redactor, level) for key, member in value.items()}
    if isinstance(value, list):
        return [_opened(member, redactor, level) for member in value]
    if not isinstance(value, str) or "{" not in value or not any(n in value for n in _NAMES):
        return value
    head, brace, rest = value.partition("{")
    try:
        document = orjson.loads(brace + rest)
    except (orjson.JSONDecodeError, RecursionError):
        return redactor.token(value)
    if level == _OPENED_MAX:
        return redactor.token(value)
    inner = _opened(redact_unknown(document, redactor), redactor, level + 1)
    return head + orjson.dumps(inner).decode()
