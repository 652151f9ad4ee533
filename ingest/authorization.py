"""The authorizer's words become the binding and the role that allowed a request.

Separate because it is a small grammar of its own: ``RBAC: allowed by RoleBinding "view/shop" of
ClusterRole "view" to Group "dev"`` (kubernetes/kubernetes plugin/pkg/auth/authorizer/rbac).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

_ALLOWED: Final = "RBAC: allowed by "
_CACHE_SIZE: Final = 65_536

Grant = tuple[str | None, str | None]


@lru_cache(_CACHE_SIZE)
def granted_by(reason: str | None) -> Grant:
    """Return (binding, role) as ``Kind/name``, (None, None) where the reason names none.

    A RoleBinding's name is followed by its namespace in the reason (``name/namespace``) and kept
    so: ``RoleBinding/name/namespace``.
    """
    if not reason or not reason.startswith(_ALLOWED):
        return None, None
    kind, binding, rest = _named(reason.removeprefix(_ALLOWED))
    role_kind, role, _ = _named(rest)
    if binding is None or role is None:
        return None, None
    return f"{kind}/{binding}", f"{role_kind.removeprefix('of ').strip()}/{role}"


def _named(text: str) -> tuple[str, str | None, str]:
    r"""Split ``Kind "name" rest`` into kind, name and rest.

    The name is quoted as Go's ``%q`` does: a binding may be called ``x" of ClusterRole "view``.
    """
    kind, quote, rest = text.partition('"')
    name, position = "", 0
    while quote and position < len(rest):
        if rest[position] == '"':
            return kind.strip(), name, rest[position + 1 :]
        position += rest[position] == "\\"
        name += rest[position : position + 1]
        position += 1
    return kind.strip(), None, ""
