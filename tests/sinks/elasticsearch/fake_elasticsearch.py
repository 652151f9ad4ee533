"""The part of Elasticsearch that a bulk writer sees, in memory, with scripted answers.

``create`` under an id that exists answers 409, ``update`` of one that does not 404, as the real one
does. Answers put into ``script``
are given instead, one per request; a callable gets the items and may keep or alter them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
from elastic_transport import ApiResponseMeta, HttpHeaders, NodeConfig
from elasticsearch import ApiError

Item = tuple[int, str]
"""Status and error type of one document."""

ItemScript = Callable[[str, str, bytes], Item | None]
"""(index, id, source) -> what to answer; None: do it."""


@dataclass(frozen=True, slots=True)
class Whole:
    """An answer to a whole request, given instead of carrying it out."""

    status: int
    error_type: str = ""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Lost:
    """The request is carried out, then this is raised: the answer is lost."""

    error: Exception


@dataclass(frozen=True, slots=True)
class Body:
    """The request is carried out, then this is answered with status 200."""

    body: Any


@dataclass(slots=True)
class FakeElasticsearch:
    """``documents`` by index and id; ``sent`` are the ids of each bulk in order."""

    script: list[Whole | Lost | Body | Exception] = field(default_factory=list)
    item: ItemScript = lambda index, identifier, source: None  # noqa: ARG005
    most_bytes: int | None = None
    documents: dict[tuple[str, str], bytes] = field(default_factory=dict)
    sent: list[list[str]] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    def perform_request(self, method: str, path: str, *, body: bytes, **_: Any) -> Any:
        assert (method, path) == ("POST", "/_bulk")
        lines = body.split(b"\n")
        assert lines.pop() == b""
        pairs = list(zip(lines[::2], lines[1::2], strict=True))
        actions = [next(iter(orjson.loads(action).items())) for action, _ in pairs]
        self.sent.append([place["_id"] for _, place in actions])
        self.sizes.append(len(body))
        planned = self.script.pop(0) if self.script else None
        if isinstance(planned, Exception):
            raise planned
        if isinstance(planned, Whole):
            raise _failed(planned)
        if self.most_bytes and len(body) > self.most_bytes:
            raise _failed(Whole(413))
        items = [
            {operation: self._write(operation, place["_index"], place["_id"], source)}
            for (operation, place), (_, source) in zip(actions, pairs, strict=True)
        ]
        if isinstance(planned, Lost):
            raise planned.error
        return _Answer(planned.body if isinstance(planned, Body) else {"items": items})

    def _write(self, operation: str, index: str, identifier: str, source: bytes) -> dict[str, Any]:
        write = self._update if operation == "update" else self._create
        status, kind = self.item(index, identifier, source) or write((index, identifier), source)
        error = {"error": {"type": kind, "reason": f"said {kind}"}} if kind else {}
        return {"status": status, **error}

    def _create(self, place: tuple[str, str], source: bytes) -> Item:
        if place in self.documents:
            return 409, "version_conflict_engine_exception"
        self.documents[place] = source
        return 201, ""

    def _update(self, place: tuple[str, str], source: bytes) -> Item:
        if place not in self.documents:
            return 404, "document_missing_exception"
        fields = orjson.loads(self.documents[place]) | orjson.loads(source)["doc"]
        self.documents[place] = orjson.dumps(fields)
        return 200, ""


@dataclass(frozen=True, slots=True)
class _Answer:
    body: Any

    @property
    def meta(self) -> ApiResponseMeta:
        return _meta(200, {})


def _failed(answer: Whole) -> ApiError:
    error = {"type": answer.error_type, "reason": "scripted"}
    return ApiError("scripted", _meta(answer.status, answer.headers), {"error": error})


def _meta(status: int, headers: dict[str, str]) -> ApiResponseMeta:
    node = NodeConfig("http", "fake", 9200)
    return ApiResponseMeta(status, "1.1", HttpHeaders(headers), 0.0, node)
