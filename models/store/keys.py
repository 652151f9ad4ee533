"""Ed25519 keys: a private one in a file of its owner, a public one as a line of text.

Separate because who may sign is decided by whoever runs the program, never by a model.
"""

from __future__ import annotations

import binascii
import os
import stat
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

PREFIX: Final = "ed25519:"
SIGNATURE_BYTES: Final = 64
_KEY_BYTES: Final = 32
_PEM_BYTES: Final = 4_096
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


class KeyUnusableError(Exception):
    """A key that cannot be used; the message names its file or says its fault, and holds no key."""


def make_key(path: Path) -> str:
    """Write a new private key (PEM, PKCS #8, mode 0600) and return its public key as text.

    Raises
        FileExistsError: the file exists; a key is never overwritten.
        OSError: it cannot be written.
    """
    key = Ed25519PrivateKey.generate()
    data = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    return public_text(key.public_key())


def read_private_key(path: Path) -> Ed25519PrivateKey:
    """Read a private key.

    Raises
        KeyUnusableError: it is missing, others may read it, or it is no Ed25519 key in PEM.
    """
    try:
        with path.open("rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            data = stream.read(_PEM_BYTES + 1)
    except OSError as error:
        raise KeyUnusableError(f"{path}: {error.strerror}") from error
    if mode & _OTHERS:
        raise KeyUnusableError(f"{path}: others may read this key: chmod 600")
    try:
        key = load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # not chained, it may hold the bytes
        raise KeyUnusableError(f"{path}: is no private key in PEM") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyUnusableError(f"{path}: is no Ed25519 key")
    return key


def public_text(key: Ed25519PublicKey) -> str:
    """Return a public key as settings hold it: ``ed25519:`` and base64."""
    return PREFIX + b64encode(key.public_bytes_raw()).decode()


def parse_public(text: str) -> Ed25519PublicKey:
    """Read a public key.

    Raises
        KeyUnusableError: it is none.
    """
    try:
        raw = b64decode(text.strip().removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if not text.strip().startswith(PREFIX) or len(raw) != _KEY_BYTES:
        raise KeyUnusableError(f"{text.strip()[:80]!r} is no public key: {PREFIX} and base64")
    return Ed25519PublicKey.from_public_bytes(raw)


def is_signed(data: bytes, signature: bytes, trusted: Iterable[Ed25519PublicKey]) -> bool:
    """Whether one of these keys signed these bytes."""
    for key in trusted:
        try:
            key.verify(signature, data)
        except InvalidSignature:
            continue
        return True
    return False
