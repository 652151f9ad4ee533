"""A line that has one word before an audit event becomes the event.

Separate from the envelopes, which are documents. Two tools write such lines: ``oc adm node-logs``
puts the node's name before each (OpenShift documentation, "Viewing audit logs"), CloudWatch Logs'
export to S3 the time. Only what begins as an audit event is taken, and only after one word: a log
that somebody else may write to has more before it.
"""

from __future__ import annotations

from typing import Final

_EVENT: Final = b'{"kind":"Event","apiVersion":"audit.k8s.io/'
_WORD_MAX: Final = 253
"""Letters of a node's name (RFC 1123)."""


def without_prefix(raw: bytes) -> bytes | None:
    """Return the audit event, None where the line is of another form."""
    word, _, rest = raw[: _WORD_MAX + len(_EVENT) + 1].partition(b" ")
    if not word or not rest.startswith(_EVENT) or b"{" in word or not word.isascii():
        return None
    return raw[len(word) + 1 :]
