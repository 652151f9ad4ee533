"""Documents in, one bulk request out; its answer in, one answer per document out.

Separate from keeping documents and from waiting: this is the wire, where an answer that does not
answer each document counts as none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from sinks.elasticsearch.answers import NoAnswer
from sinks.elasticsearch.transport import Reply, ask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from elasticsearch import Elasticsearch

    from sinks.elasticsearch.documents import Document

_PARAMS: Final = {"filter_path": "error,items.*.status,items.*.error.type,items.*.error.reason"}
"""What is read of an answer; the rest (shards, versions, names) is several times as much."""

_OK: Final = 200
_OVERHEAD_BYTES: Final = 60
_RETRIES: Final = 5


def size_bytes(document: Document) -> int:
    """Return the bytes that a document takes in a request."""
    return len(document.source) + len(document.index) + len(document.id) + _OVERHEAD_BYTES


def send(client: Elasticsearch, documents: Sequence[Document]) -> Reply:
    """Send documents in one request.

    Returns
        the reply; where its status is 200, `item_replies` has one reply per document.
    """
    reply = ask(client, "POST", "/_bulk", _body(documents), params=_PARAMS, ndjson=True)
    if reply.status != _OK:
        return reply
    items = _items(reply.body)
    if items is None:
        return Reply(NoAnswer.UNREADABLE)
    return reply if len(items) == len(documents) else Reply(NoAnswer.INCOMPLETE)


def item_replies(reply: Reply) -> list[Reply]:
    """Return each document's own reply, in the order they were sent."""
    return [Reply(int(item["status"]), item) for item in _items(reply.body) or ()]


def _body(documents: Sequence[Document]) -> bytes:
    lines: list[bytes] = []
    for document in documents:
        place: dict[str, Any] = {"_index": document.index, "_id": document.id}
        if document.is_update:
            # People change the same document: their fields, at any time.
            action = {"update": {**place, "retry_on_conflict": _RETRIES}}
            lines += (orjson.dumps(action), b'{"doc":' + document.source + b"}")
        else:
            lines += (orjson.dumps({"create": place}), document.source)
    lines.append(b"")
    return b"\n".join(lines)


def _items(body: Any) -> list[dict[str, Any]] | None:
    """Return what is said of each document, None where the answer is no bulk answer."""
    items = body.get("items") if isinstance(body, dict) else None
    if not isinstance(items, list):
        return None
    found = [next(iter(item.values()), None) if isinstance(item, dict) else None for item in items]
    known = [one for one in found if isinstance(one, dict) and isinstance(one.get("status"), int)]
    return known if len(known) == len(found) else None
