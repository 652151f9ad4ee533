"""A client's HTTPS node that trusts one authority only: that of a file, or of a fingerprint.

Separate because the client's own options do less than they say (elastic-transport 9.4.2). Its
``ca_certs`` are trusted besides the system's authorities. Its ``ssl_assert_fingerprint`` turns
verification off and looks for the authority in the chain that the peer sent, without checking a
signature or the host: who appends the authority's public certificate to a chain of his own passes
(tests/sinks/elasticsearch/test_connection.py does it). Here the fingerprint picks the authority out
of the chain, and then the whole of TLS verification runs against that authority alone.
"""

from __future__ import annotations

import hashlib
import socket
import ssl
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from elastic_transport import ConnectionError as UnreachableError
from elastic_transport import TlsError, Urllib3HttpNode

if TYPE_CHECKING:
    from elastic_transport import NodeConfig

_DEFAULT_TIMEOUT_S: Final = 10.0


class TrustedNode:
    """Does what `elastic_transport.Urllib3HttpNode` does, over connections that are verified.

    ``config`` names the authority by ``ca_certs`` or by ``ssl_assert_fingerprint``. The chain is
    fetched with the first request, so that a client can be made while the server is down.
    """

    _CLIENT_META_HTTP_CLIENT = ("ur", "2")

    def __init__(self, config: NodeConfig) -> None:
        self.config = config
        self.base_url = f"https://{config.host}:{config.port}{config.path_prefix}"
        self.host = config.host
        self.port = config.port
        self._node: Urllib3HttpNode | None = None
        if config.ca_certs:
            self._node = _node(config, _context(cafile=config.ca_certs))

    def perform_request(self, *args: Any, **kwargs: Any) -> Any:
        """Send a request; raises what the inner node raises, and TlsError for another authority."""
        if self._node is None:
            self._node = _node(self.config, _context(cadata=_authority(self.config)))
        return self._node.perform_request(*args, **kwargs)

    def close(self) -> None:
        """Close all connections."""
        if self._node is not None:
            self._node.close()


def _context(cafile: str | None = None, cadata: bytes | None = None) -> ssl.SSLContext:
    """Return a context that verifies chain and host name, with no other authority in it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cafile=cafile, cadata=cadata)
    return context


def _node(config: NodeConfig, context: ssl.SSLContext) -> Urllib3HttpNode:
    inner = replace(config, ca_certs=None, ssl_assert_fingerprint=None, ssl_context=context)
    node = Urllib3HttpNode(inner)
    node.pool.ca_certs = None  # type: ignore[attr-defined]  # else certifi's are added to ours
    return node


def _authority(config: NodeConfig) -> bytes:
    """Return the certificate of the chain that has the pinned fingerprint, DER."""
    wanted = str(config.ssl_assert_fingerprint).replace(":", "").lower()
    try:
        chain = _chain(config.host, config.port, config.request_timeout or _DEFAULT_TIMEOUT_S)
    except ssl.SSLError as error:
        raise TlsError(f"{config.host}:{config.port}: {error}", errors=(error,)) from error
    except OSError as error:
        raise UnreachableError(f"{config.host}:{config.port}: {error}", errors=(error,)) from error
    for certificate in chain:
        if hashlib.sha256(certificate).hexdigest() == wanted:
            return certificate
    raise TlsError(
        f"{config.host}:{config.port}: its chain holds no certificate with the fingerprint {wanted}"
    )


def _chain(host: str, port: int, timeout_s: float) -> list[bytes]:
    """Fetch the certificates that a server shows; nothing is sent to it but the handshake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection((host, port), timeout_s) as plain,
        context.wrap_socket(plain, server_hostname=host) as encrypted,
    ):
        if hasattr(encrypted, "get_unverified_chain"):  # Python 3.13
            return list(encrypted.get_unverified_chain())
        found: Any = encrypted._sslobj  # type: ignore[attr-defined]  # noqa: SLF001
        return [one.public_bytes(_DER) for one in found.get_unverified_chain()]


_DER: Final = 2
"""``_ssl.ENCODING_DER``, which Python before 3.13 does not make public."""
