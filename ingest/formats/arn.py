"""An AWS identity as one text: the role, whoever took it on, or the user.

Separate because the authenticator's lines and the API server's events name the same caller, and are
joined by this. The authenticator logs `access granted` and `access denied` with the canonical ARN,
and maps roles to Kubernetes users by it; the ARN of a session changes with every session.
Source: kubernetes-sigs/aws-iam-authenticator, pkg/arn (Canonicalize) and pkg/server.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

_PARTS: Final = 6


_LENGTH_MAX: Final = 256
"""Characters of an ARN that is remembered: what is remembered must be bounded."""


def canonical_arn(arn: str) -> str:
    """Return the role of an assumed role's session; any other text as it is.

    ``arn:aws:sts::111122223333:assumed-role/dev/jane`` -> ``arn:aws:iam::111122223333:role/dev``.
    """
    return _remembered(arn) if len(arn) <= _LENGTH_MAX else _canonical(arn)


def _canonical(arn: str) -> str:
    parts = arn.split(":", _PARTS - 1)
    if len(parts) < _PARTS or parts[2] != "sts":
        return arn
    kind, _, name = parts[-1].partition("/")
    role, _, session = name.rpartition("/")
    if kind != "assumed-role" or not role or not session:
        return arn
    return f"{parts[0]}:{parts[1]}:iam::{parts[4]}:role/{role}"


_remembered = lru_cache(16_384)(_canonical)
