"""Which names announce a secret: of fields, environment variables, flags and ConfigMap keys.

Separate because documents and command lines ask the same question.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

_SECRET_ENDINGS: Final = (
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "jwt",
    "bearer",
    "apikey",
    "accesskey",
    "accountkey",
    "secretkey",
    "secretaccesskey",
    "secretkeybase",
    "privatekey",
    "masterkey",
    "authkey",
    "signingkey",
    "encryptionkey",
    "clientkeydata",
    "credential",
    "authorization",
    "connectionstring",
    "dockerconfigjson",
    "dockercfg",
    "sessionid",
    "cookie",
    "dsn",
)
"""Endings of a name in lower case without - _ . and a plural's s, after which a value is a secret.
``secretName``, ``token-file`` and ``passwordSecretRef`` end otherwise and are kept."""

_PASS: Final = "pass"  # noqa: S105 - a name, not a secret
"""A secret where it is a whole word of the name: ``DB_PASS``, ``dbPass``, never ``bypass``."""

_AUTH: Final = "auth"
"""A secret where it is the whole name, as in registries' files; never ``--anonymous-auth``."""

_JOINERS: Final = str.maketrans("", "", "-_. ")
_APART: Final = str.maketrans("-.", "__")
_CACHE_SIZE: Final = 16_384
_TAIL: Final = 64
"""Characters of a name that are looked at: only its end counts, and clients write names."""


def names_a_secret(name: str) -> bool:
    """Whether a value under this name is taken for a secret.

    >>> names_a_secret("DB_PASSWORD"), names_a_secret("secretName")
    (True, False)
    """
    return _ends_as_a_secret(name[-_TAIL:])


@lru_cache(_CACHE_SIZE)
def _ends_as_a_secret(tail: str) -> bool:
    lower = tail.lower()
    if lower.translate(_JOINERS).rstrip("s").endswith(_SECRET_ENDINGS):
        return True
    if lower.translate(_APART).rpartition("_")[2] == _PASS or tail.endswith(_PASS.title()):
        return True
    return lower.strip("-_.") == _AUTH
