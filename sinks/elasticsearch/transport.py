"""One request out, its status and body in; a missing answer is a value too.

Separate because the client tells some answers by exception, others by value, and the bulk writer
and the set-up must see every one of them: nothing is tried again below here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from elastic_transport import ConnectionTimeout, SerializationError, TlsError, TransportError
from elasticsearch import ApiError
from elasticsearch.exceptions import UnsupportedProductError

from sinks.elasticsearch.answers import Answer, NoAnswer, request_answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from elasticsearch import Elasticsearch

REASON_MAX: Final = 500
"""Characters kept of a server's words: it repeats field values in them."""

_KINDS: Final = (
    (ConnectionTimeout, NoAnswer.TIMEOUT),
    (SerializationError, NoAnswer.UNREADABLE),
    (TlsError, NoAnswer.TLS),
    (TransportError, NoAnswer.CONNECTION),
)


class SetupMissingError(Exception):
    """Elasticsearch is not set up for us; the text says what is missing and what to run."""


class NotAllowedError(Exception):
    """Elasticsearch refuses who we are or what we do; the text says which right is missing."""


class UnavailableError(Exception):
    """Elasticsearch does not answer now; the text says what it said instead."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: an HTTP status with a body, or why there is none."""

    status: int | NoAnswer
    body: Any = None
    retry_after_s: float | None = None

    @property
    def error_type(self) -> str:
        """Elasticsearch's name of the error, empty where it says none."""
        return str(_error(self.body).get("type") or "")

    @property
    def reason(self) -> str:
        """Say what came back in a line."""
        if isinstance(self.status, NoAnswer):
            return str(self.body or f"no answer: {self.status.value}")[:REASON_MAX]
        detail = f"{self.error_type}: {_error(self.body).get('reason', '')}".strip(": ")
        return f"HTTP {self.status} {detail}".strip()[:REASON_MAX]


def ask(
    client: Elasticsearch,
    method: str,
    path: str,
    body: Any = None,
    *,
    params: Mapping[str, str] | None = None,
    ndjson: bool = False,
) -> Reply:
    """Send one request; never raises for what the network or the server does."""
    headers = {"accept": "application/json"}
    if body is not None:
        headers["content-type"] = f"application/{'x-ndjson' if ndjson else 'json'}"
    try:
        answer = client.perform_request(method, path, headers=headers, body=body, params=params)
    except UnsupportedProductError:
        return Reply(404, {"error": {"type": "not_elasticsearch", "reason": "another product"}})
    except ApiError as error:
        return Reply(error.meta.status, error.body, _retry_after_s(error.meta.headers))
    except TransportError as error:
        return _unanswered(error)
    return Reply(answer.meta.status, answer.body)


def require(client: Elasticsearch, method: str, path: str, body: Any = None) -> Any:
    """Return the body of an answer that must succeed; None for 404, where that is no error.

    Raises
        NotAllowedError, SetupMissingError, UnavailableError: what kept it from succeeding.
    """
    reply = ask(client, method, path, body)
    if reply.status == 404 and method in {"GET", "HEAD"}:  # noqa: PLR2004 - HTTP's own number
        return None
    answer = request_answer(reply.status, reply.error_type)
    if answer is Answer.DONE:
        return reply.body
    text = f"{method} {path}: {reply.reason}"
    if answer is Answer.NOT_ALLOWED:
        raise NotAllowedError(text)
    if answer is Answer.NOT_NOW:
        raise UnavailableError(text)
    raise SetupMissingError(text)


def _unanswered(error: TransportError) -> Reply:
    """Name the kind; the text of what cannot be read is left out: it repeats what came."""
    kind = next(kind for known, kind in _KINDS if isinstance(error, known))
    if kind is NoAnswer.UNREADABLE:
        return Reply(kind)
    return Reply(kind, f"{type(error).__name__}: {error.message}")


def _error(body: Any) -> Mapping[str, Any]:
    error = body.get("error") if isinstance(body, dict) else None
    return error if isinstance(error, dict) else {}


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Read seconds; a date is not worth a clock here."""
    text = headers.get("retry-after") or ""
    return float(text) if text.isascii() and text.isdigit() else None
