"""Certificate files in, the server's TLS context out.

Separate because it is what keeps strangers out before a byte of HTTP is read, and because a start
without it is refused where strangers could come.
"""

from __future__ import annotations

import ipaddress
import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class UnsafeListenerError(Exception):
    """TLS files that cannot be used, or an address that needs TLS without any."""


def listener_tls(
    host: str, certificate: Path | None, key: Path | None, client_ca: Path | None
) -> ssl.SSLContext | None:
    """Return the context to listen with, None for plain HTTP, which only loopback may have.

    TLS 1.2 or newer; with ``client_ca`` every client must show a certificate signed by it. No
    session tickets: each connection proves itself anew.

    Raises
        UnsafeListenerError: names the file or setting.
    """
    if certificate is None:
        if client_ca is not None:
            raise UnsafeListenerError("client_ca_file: needs certificate_file, too")
        if not is_loopback(host):
            raise UnsafeListenerError(f"host {host}: certificate_file is needed beyond loopback")
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION
    context.num_tickets = 0
    context.set_alpn_protocols(["http/1.1"])
    load_certificate(context, certificate, key)
    if client_ca is not None:
        _require_clients(context, client_ca)
    return context


def load_certificate(context: ssl.SSLContext, certificate: Path, key: Path | None) -> None:
    """Load the server's certificate; connections made later use it. Raises as `listener_tls`."""
    try:
        # An encrypted key must fail here: OpenSSL would ask the terminal for its password.
        context.load_cert_chain(certificate, key, password="")
    except (OSError, ValueError) as error:
        raise UnsafeListenerError(f"{certificate}, {key}: {_reason(error)}") from error


def _require_clients(context: ssl.SSLContext, client_ca: Path) -> None:
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        context.load_verify_locations(client_ca)
    except (OSError, ValueError) as error:
        raise UnsafeListenerError(f"{client_ca}: {_reason(error)}") from error


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches ``host``."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
