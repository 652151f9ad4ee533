"""Rules in use, the hash of their files out: what findings and committed state rest on.

Separate because the report, the service and replay all name a rule pack by it.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detectors.sigma.rule import Rule


def pack_hash(rules: Sequence[Rule]) -> str:
    """Return the hash of the rules in use, 16 hex digits; their order does not matter."""
    digest = hashlib.blake2b(digest_size=8)
    for rule in sorted(rules, key=lambda one: one.id):
        digest.update(hashlib.sha256(rule.file.read_bytes()).digest())
    return digest.hexdigest()
