"""Why a request was not taken, and what its sender is told.

Separate because each step of taking a request may refuse it, and because the reasons are one closed
list: counters and the metric `refused` go by them.

The API server's audit backend retries after any answer but 2xx (`retryOnError` in its webhook.go),
five times in all with growing pauses; client-go waits as long as ``Retry-After`` says.
"""

from __future__ import annotations

from enum import StrEnum
from http import HTTPStatus
from typing import Final


class Refusal(StrEnum):
    """Reasons, as they are counted."""

    PATH = "path"
    METHOD = "method"
    UNAUTHORIZED = "unauthorized"
    CLUSTER = "cluster"
    ENCODING = "encoding"
    TOO_LARGE = "too-large"
    TOO_MANY = "too-many-events"
    SLOW = "slow"
    CUT_OFF = "cut-off"
    NOT_JSON = "not-json"
    MEMORY = "memory"
    QUEUE_FULL = "queue-full"
    NOT_ACKNOWLEDGED = "not-acknowledged"
    TLS = "tls"
    CONNECTIONS = "connections"
    BUG = "bug"


STATUS: Final = {
    Refusal.PATH: HTTPStatus.NOT_FOUND,
    Refusal.METHOD: HTTPStatus.METHOD_NOT_ALLOWED,
    Refusal.UNAUTHORIZED: HTTPStatus.UNAUTHORIZED,
    Refusal.CLUSTER: HTTPStatus.FORBIDDEN,
    Refusal.ENCODING: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    Refusal.TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Refusal.TOO_MANY: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Refusal.SLOW: HTTPStatus.REQUEST_TIMEOUT,
    Refusal.CUT_OFF: HTTPStatus.BAD_REQUEST,
    Refusal.NOT_JSON: HTTPStatus.BAD_REQUEST,
    Refusal.MEMORY: HTTPStatus.TOO_MANY_REQUESTS,
    Refusal.QUEUE_FULL: HTTPStatus.TOO_MANY_REQUESTS,
    Refusal.NOT_ACKNOWLEDGED: HTTPStatus.SERVICE_UNAVAILABLE,
    Refusal.BUG: HTTPStatus.INTERNAL_SERVER_ERROR,
}
"""What is not here was refused before HTTP began: the connection is closed without an answer."""

NOT_NOW: Final = frozenset({Refusal.MEMORY, Refusal.QUEUE_FULL, Refusal.NOT_ACKNOWLEDGED})
"""Nothing is wrong with the request: its sender is to come again."""


class RequestRefusedError(Exception):
    """A request that is not taken; `webhook` catches it and answers."""

    def __init__(self, reason: Refusal) -> None:
        """Refuse for ``reason``; the text never holds anything of the request."""
        super().__init__(reason.value)
        self.reason = reason
