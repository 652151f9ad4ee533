"""A reference to an image, or its id, becomes the digest of what runs: ``sha256:...`` or nothing.

Separate because the kubelet's status and every sensor write it before or after something else:
``registry/name@sha256:...``, ``docker-pullable://name@sha256:...``, ``docker://sha256:...``
(Kubernetes API reference, ContainerStatus ``imageID``; grammar: distribution/reference).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_ALGORITHM: Final = "sha256:"
_DIGITS: Final = 64
_LENGTH: Final = len(_ALGORITHM) + _DIGITS
_HEX: Final = frozenset("0123456789abcdef")
_BEFORE: Final = ("", "@", "/")


def image_digest(reference: object) -> str | None:
    """Return the digest at the end of a reference; None for what is no text and names none."""
    if not isinstance(reference, str) or reference[-_LENGTH:-_DIGITS] != _ALGORITHM:
        return None
    digest, before = reference[-_LENGTH:], reference[-_LENGTH - 1 : -_LENGTH]
    return digest if before in _BEFORE and _HEX.issuperset(digest[-_DIGITS:]) else None


def image_digests(references: Iterable[object]) -> list[str]:
    """Return the digests of some references, each once, in their order."""
    found = {digest: None for reference in references if (digest := image_digest(reference))}
    return list(found)
