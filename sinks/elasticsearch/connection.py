"""An address and credentials in, a client out that tries nothing again by itself.

Separate because every use of Elasticsearch goes through it: TLS is always verified, credentials
stay out of URLs (and so out of messages), and each answer is seen by the one who asked.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import urlsplit

import orjson
from elasticsearch import Elasticsearch

from sinks.elasticsearch.trusted_node import TrustedNode

if TYPE_CHECKING:
    from pathlib import Path

Client: TypeAlias = Elasticsearch
"""What the rest of the program calls it: no other folder imports the library."""

_FINGERPRINT_HEX: Final = 64


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who we are: a user with a password, or an encoded API key, or nobody. Prints no secret."""

    username: str | None = None
    password: str | None = field(default=None, repr=False)
    api_key: str | None = field(default=None, repr=False)


class _Json:
    """JSON by orjson; what is no JSON stays bytes, so that its HTTP status is not lost."""

    mimetype = "application/json"

    def loads(self, data: bytes) -> Any:
        try:
            return orjson.loads(data) if data else None
        except orjson.JSONDecodeError:
            return data

    def dumps(self, data: Any) -> bytes:
        return data if isinstance(data, bytes) else orjson.dumps(data)


_TYPES: Final = ("application/json", "application/*", "text/*", "image/*", "*/*", "", "/*")


def connect(
    url: str,
    credentials: Credentials = Credentials(),
    *,
    ca_file: Path | None = None,
    ca_fingerprint: str | None = None,
    timeout_s: float = 30.0,
) -> Elasticsearch:
    """Make a client; nothing is sent yet.

    Parameters
        url: ``http(s)://HOST[:PORT][/PREFIX]``, without credentials in it.
        ca_file: PEM of the only authority that is trusted; None: the public ones.
        ca_fingerprint: SHA-256 of that authority instead, hex, colons allowed.
        timeout_s: an answer later than this counts as none.

    Raises
        ValueError: an option that cannot be used; the message holds no secret.
        OSError: ``ca_file`` cannot be read (an ssl.SSLError is one).
    """
    secure = _checked(url, credentials, ca_file, ca_fingerprint)
    options: dict[str, Any] = {"max_retries": 0, "retry_on_status": (), "retry_on_timeout": False}
    if credentials.api_key is not None:
        options["api_key"] = credentials.api_key
    elif credentials.username is not None:
        options["basic_auth"] = (credentials.username, credentials.password or "")
    if secure and ca_file is not None:
        options |= {"ca_certs": str(ca_file), "node_class": TrustedNode}
    elif secure and ca_fingerprint is not None:
        options |= {"ssl_assert_fingerprint": ca_fingerprint, "node_class": TrustedNode}
    serializers: Any = dict.fromkeys(_TYPES, _Json())
    return Elasticsearch(
        _with_port(url), request_timeout=timeout_s, serializers=serializers, **options
    )


def _checked(
    url: str, credentials: Credentials, ca_file: Path | None, ca_fingerprint: str | None
) -> bool:
    """Return whether it is HTTPS."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("the URL of Elasticsearch must be http(s)://HOST:PORT")
    if parts.username is not None or parts.password is not None:
        raise ValueError("credentials of Elasticsearch belong into settings, not into its URL")
    if credentials.api_key is not None and credentials.username is not None:
        raise ValueError("Elasticsearch takes a user or an API key, not both")
    if ca_file is not None and ca_fingerprint is not None:
        raise ValueError("Elasticsearch's authority is named by file or by fingerprint, not both")
    if ca_fingerprint is not None:
        digits = ca_fingerprint.replace(":", "").lower()
        if len(digits) != _FINGERPRINT_HEX or set(digits) - set("0123456789abcdef"):
            raise ValueError("the fingerprint of Elasticsearch's authority must be SHA-256, hex")
    return parts.scheme == "https"


def _with_port(url: str) -> str:
    """Name the port, which the client asks for: without one it is that of the scheme."""
    parts = urlsplit(url)
    if parts.port is not None:
        return url
    port = 443 if parts.scheme == "https" else 80
    host = parts.hostname or ""
    netloc = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return parts._replace(netloc=netloc).geturl()
