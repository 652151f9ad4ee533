"""Documents become lines of JSON: findings.ndjson and quarantine.ndjson.

Separate from what the documents say; a line is one document, written whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import orjson

from sinks.atomic_file import AtomicFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from ingest.record import Refused


class NdjsonFile:
    """Appends documents, one JSON object a line; the file appears when closed."""

    __slots__ = ("_file",)

    def __init__(self, path: Path) -> None:
        self._file = AtomicFile(path)

    def write(self, documents: Iterable[Mapping[str, Any]]) -> None:
        """Append documents."""
        for document in documents:
            self._file.stream.write(orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._file.__exit__(kind)


def quarantine_document(refused: Refused) -> dict[str, Any]:
    """Return a refused record as a quarantine document: never its bytes, see `Refused`."""
    return {
        "trailwarden.quarantine.stage": refused.stage.value,
        "trailwarden.quarantine.reason": refused.reason.value,
        "trailwarden.quarantine.detail": refused.detail,
        "log.file.path": refused.path,
        "log.offset": refused.offset,
        "trailwarden.quarantine.size_bytes": refused.size_bytes,
        "trailwarden.quarantine.sha256": refused.sha256,
        "trailwarden.quarantine.copy": refused.copy,
    }
