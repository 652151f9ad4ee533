"""What Elasticsearch (or a proxy before it) answered in, what that means out.

Separate because it is a table of the design, and because everything that is written rests on it: a
meaning read wrong loses a document or waits for ever. Pure functions of the status and the error
type, which are taken as they come.
"""

from __future__ import annotations

from enum import StrEnum
from http import HTTPStatus
from typing import Final


class Answer(StrEnum):
    """What to do with what was sent. A closed list."""

    DONE = "done"
    REPEATED = "repeated"
    NOT_NOW = "not-now"
    TOO_LARGE = "too-large"
    BISECT = "bisect"
    POISON = "poison"
    SET_UP_MISSING = "set-up-missing"
    CLOSED_DAY = "closed-day"
    NOT_ALLOWED = "not-allowed"


class NoAnswer(StrEnum):
    """Why there is no answer; whether the request was carried out is unknown."""

    TIMEOUT = "timeout"
    CONNECTION = "connection"
    TLS = "tls"
    UNREADABLE = "unreadable"
    INCOMPLETE = "incomplete"


BLOCKED: Final = "cluster_block_exception"
"""A block of an index or the cluster: the disk's flood stage, a read-only index, no master."""

MISSING_INDEX: Final = "index_not_found_exception"
CLOSED_INDEX: Final = "index_closed_exception"

_WAITING: Final = frozenset(
    {
        BLOCKED,
        "es_rejected_execution_exception",
        # An index cannot be made because the cluster has all the shards it may have: no fault of
        # the document, and a person or retention will make room.
        "validation_exception",
        "process_cluster_event_timeout_exception",
    }
)
_SET_UP: Final = frozenset(
    {
        MISSING_INDEX,
        "invalid_index_name_exception",
        "invalid_alias_name_exception",
        # The client's and the server's major versions do not fit: no document would ever pass.
        "media_type_header_exception",
    }
)
_UNSURE: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})
_RIGHTS: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


def request_answer(status: int | NoAnswer, error_type: str = "") -> Answer:
    """Return what the answer to a whole bulk request means.

    Parameters
        status: its HTTP status, or why there is none.
        error_type: ``error.type`` of its body, empty where it says none.

    Returns
        DONE where the items' own answers count, else what is true of all of them.
    """
    if isinstance(status, NoAnswer):
        return Answer.NOT_NOW
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return Answer.DONE
    if (general := _general(status, error_type)) is not None:
        return general
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return Answer.TOO_LARGE
    if status == HTTPStatus.BAD_REQUEST:
        return Answer.BISECT
    return Answer.SET_UP_MISSING  # a redirect, 404, 405 ...: whatever it is, no bulk API is there


def item_answer(status: int, error_type: str = "") -> Answer:
    """Return what the answer to one document of a bulk request means.

    Parameters
        status: the item's ``status``.
        error_type: the item's ``error.type``, empty where it was written.
    """
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return Answer.DONE
    if status == HTTPStatus.CONFLICT:
        return Answer.REPEATED
    if error_type == CLOSED_INDEX:
        return Answer.CLOSED_DAY
    return _general(status, error_type) or Answer.POISON


def _general(status: int, error_type: str) -> Answer | None:
    """Return what holds for requests and items alike, None where nothing does."""
    if status in _UNSURE or status >= HTTPStatus.INTERNAL_SERVER_ERROR or (error_type in _WAITING):
        return Answer.NOT_NOW
    if error_type in _SET_UP:
        return Answer.SET_UP_MISSING
    return Answer.NOT_ALLOWED if status in _RIGHTS else None
