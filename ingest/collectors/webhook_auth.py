"""Path, token and certificate of a request in; the cluster it speaks for out.

Separate because this alone decides whose log a record enters. The name comes from the token, else
from the client certificate, else from the path, never from a body: whoever holds one cluster's
credential cannot write as another.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import string
from typing import TYPE_CHECKING, Any, Final

from ingest.collectors.refusal import Refusal, RequestRefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ROOT: Final = "/audit"
"""Path of the audit webhook, below which clusters are named."""

NAME_CHARACTERS: Final = 253
"""Longest cluster name: that of a DNS name."""

TOKEN_CHARACTERS: Final = 16
"""Shortest token that is taken: `openssl rand -hex 32` makes 64."""

_EDGE: Final = frozenset(string.ascii_letters + string.digits)
_INNER: Final = _EDGE | frozenset("-._")


class InvalidTokensError(Exception):
    """A tokens file that cannot be used; names the line, never the token."""


def is_cluster_name(name: str) -> bool:
    """Whether ``name`` is letters, digits, `-`, `.` and `_`, beginning and ending with neither."""
    return (
        0 < len(name) <= NAME_CHARACTERS
        and _INNER.issuperset(name)
        and name[0] in _EDGE
        and name[-1] in _EDGE
        and ".." not in name
    )


def read_tokens(path: Path) -> dict[bytes, str]:
    """Read `CLUSTER TOKEN` a line (blank lines and `#` are skipped): SHA-256 of token: cluster.

    A cluster may have several tokens, so that one can be replaced without a pause.

    Raises
        InvalidTokensError: unreadable, empty, or a line that is not so.
    """
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidTokensError(f"{path}: cannot be read") from error
    tokens: dict[bytes, str] = {}
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.lstrip().startswith("#"):
            cluster, token = _entry(line, f"{path}:{number}")
            if tokens.setdefault(_digest(token), cluster) != cluster:
                raise InvalidTokensError(f"{path}:{number}: token of two clusters")
    if not tokens:
        raise InvalidTokensError(f"{path}: no token in it")
    return tokens


def _entry(line: str, place: str) -> tuple[str, str]:
    words = line.split()
    if len(words) != len(("cluster", "token")) or not is_cluster_name(words[0]):
        raise InvalidTokensError(f"{place}: must be `CLUSTER TOKEN`")
    if len(words[1]) < TOKEN_CHARACTERS or not words[1].isascii():
        raise InvalidTokensError(f"{place}: token must have {TOKEN_CHARACTERS} ASCII characters")
    return words[0], words[1]


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()


class Senders:
    """Who may send, and as which cluster."""

    __slots__ = ("_certificates", "_root", "_tokens")

    def __init__(
        self, tokens: Mapping[bytes, str] | None, *, certificates: bool, root: str = ROOT
    ) -> None:
        """Take hashes of tokens as `read_tokens` returns them; None: no token is asked for.

        Parameters
            certificates: the TLS layer has verified a certificate of every client.
            root: path below which clusters are named.
        """
        self._tokens = None if tokens is None else dict(tokens)
        self._certificates = certificates
        self._root = root

    @property
    def clusters(self) -> frozenset[str]:
        """Clusters that are known before any of them has sent anything."""
        return frozenset((self._tokens or {}).values())

    def cluster_of(
        self, raw_path: str, authorization: str | None, certificate: Mapping[str, Any] | None
    ) -> str:
        """Return the cluster that a request speaks for.

        Parameters
            raw_path: as sent, with its query, nothing decoded.
            certificate: as `ssl.SSLSocket.getpeercert` returns it.

        Raises
            RequestRefusedError: no such path, no or a wrong credential, or one of another cluster.
        """
        named = _named(raw_path, self._root)
        proven = self._proven(authorization, certificate)
        if proven is not None and named not in {"", proven}:
            raise RequestRefusedError(Refusal.CLUSTER)
        cluster = named if proven is None else proven
        if not cluster:
            raise RequestRefusedError(Refusal.PATH)
        return cluster

    def _proven(
        self, authorization: str | None, certificate: Mapping[str, Any] | None
    ) -> str | None:
        if self._tokens is not None:
            return self._of_token(authorization)
        return _common_name(certificate) if self._certificates else None

    def _of_token(self, authorization: str | None) -> str:
        given = _digest(_token(authorization or ""))
        # All are compared, so that the time taken does not tell which one was close.
        found = [name for known, name in (self._tokens or {}).items() if _same(known, given)]
        if not found:
            raise RequestRefusedError(Refusal.UNAUTHORIZED)
        return found[0]


def _token(authorization: str) -> str:
    """Return the token of ``Bearer TOKEN``, or the password of ``Basic``; empty for anything else.

    Basic because Falco's http_output can send no header: `https://falco:TOKEN@HOST/falco`.
    """
    scheme, _, given = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return given.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(given.strip(), validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


def _same(known: bytes, given: bytes) -> bool:
    return hmac.compare_digest(known, given)


def _named(raw_path: str, root: str) -> str:
    """Return what follows `/audit/`; empty for `/audit` itself. Nothing is decoded: `%` is out."""
    path = raw_path.partition("?")[0]
    if path == root:
        return ""
    name = path.removeprefix(root + "/")
    if name == path or not is_cluster_name(name):
        raise RequestRefusedError(Refusal.PATH)
    return name


def _common_name(certificate: Mapping[str, Any] | None) -> str:
    pairs = [pair for names in (certificate or {}).get("subject", ()) for pair in names]
    found = [value for key, value in pairs if key == "commonName"]
    if len(found) != 1:
        raise RequestRefusedError(Refusal.UNAUTHORIZED)
    if not is_cluster_name(found[0]):
        raise RequestRefusedError(Refusal.CLUSTER)
    return str(found[0])
