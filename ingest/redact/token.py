"""A secret becomes a token: a keyed hash, so that equal secrets compare and none can be read.

Separate because structure, command lines, text patterns and quarantine all leave the same token.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from typing import Final

TOKEN_PATTERN: Final = r"\[redacted:[0-9a-f]{16}\]"  # noqa: S105 - the shape of a token
MASKED: Final = "[redacted]"
_HASH_BYTES: Final = 8


def _random_key() -> bytes:
    return secrets.token_bytes(32)


@dataclass(frozen=True, slots=True, eq=False)  # what is remembered for one is looked up by it
class Redactor:
    """Replaces secrets under one key.

    ``key`` is 1 to 64 bytes (BLAKE2b, RFC 7693). Tokens of one key compare; the default is a
    random key, so that tokens of two runs do not. Ids never depend on tokens (ingest/ids.py).
    """

    key: bytes = field(default_factory=_random_key, repr=False)

    def token(self, secret: str) -> str:
        """Return ``[redacted:<16 hex digits>]`` for a secret."""
        data = secret.encode(errors="surrogatepass")
        return (
            f"[redacted:{hashlib.blake2b(data, digest_size=_HASH_BYTES, key=self.key).hexdigest()}]"
        )
