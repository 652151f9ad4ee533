"""The scope of an exception: refused where it would let strangers pass, narrowed where it is loose.

Separate from reading exceptions because this is what decides whether one is safe: what an attacker
can choose freely, such as an image's name (``evil/sysdig/x`` passes for ``sysdig``), pins nothing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import polars as pl

from detectors.entities.recalled import RECALLED, RECALLED_DTYPES
from detectors.known_columns import KNOWN_DTYPES
from detectors.sigma.errors import RefusedError, shown
from detectors.sigma.expansion import expanded
from detectors.sigma.fields import column_named, is_list
from detectors.sigma.item import scalars
from detectors.sigma.modifiers import parse_key
from detectors.sigma.pattern import parse
from detectors.sigma.strict_yaml import Scalar, Sequence
from detectors.sigma.tree import And, Leaf, Not, Or
from ingest.column import TEXT, TEXTS
from ingest.schema import EVENT_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Mapping as Lists
    from collections.abc import Sequence as Names

    from detectors.sigma.modifiers import Modifiers
    from detectors.sigma.strict_yaml import Entry, Mapping
    from detectors.sigma.tree import Tree

IDENTITIES: Final = frozenset(
    {
        "user.name",
        "user.effective.name",
        "trailwarden.credential.id",
        "trailwarden.identity.arn",
    }
)
"""Who acts, given by an authenticator. Missing is the bare name of a service account: whoever owns
a namespace can make one of any name, and a pod can be told to run as any of its namespace."""

NAMESPACES: Final = frozenset(
    {"orchestrator.namespace", "trailwarden.identity.service_account.namespace"}
)
IMAGES: Final = frozenset({"container.image.name", "trailwarden.pod_spec.images"})
"""They hold digests where an image was asked for by its digest: ``name@sha256:...``."""
HASHES: Final = frozenset({"file.hash.sha256"})
"""MD5 and SHA-1 are missing: two files of one hash can be made."""

_IDENTITY_NAMES: Final = frozenset(
    name
    for column in EVENT_SCHEMA
    if column.name in IDENTITIES
    for name in (column.name, *column.aliases)
)
_RECALLED_NAMES: Final = frozenset(one.name for one in RECALLED if one.dtype in {TEXT, TEXTS})
_CASED: Final = _IDENTITY_NAMES | _RECALLED_NAMES
"""Identities; and what is recalled, which are names of identities, pods and nodes."""

_AS_WRITTEN: Final = frozenset({"contains", "startswith", "endswith", "all", "neq", "expand"})

_DIGEST: Final = "@sha256:"
_HEX: Final = frozenset("0123456789abcdef")
_DIGITS: Final = 64
_ANYBODY: Final = ("system:anonymous", "system:serviceaccount:", "system:node:")
"""What begins as many names do pins none of them."""

_WHY: Final = (
    "'where' must pin who acts (user.name, which is the full name of a service account, "
    "user.effective.name, trailwarden.credential.id, trailwarden.identity.arn), an image or file "
    "by its sha256 digest, or a namespace: anything else, such as the name of an image, can be "
    "chosen by an attacker, and a value that begins with a wildcard pins nothing"
)


def refuse_unpinned(where: Mapping, lists: Lists[str, tuple[str, ...]]) -> None:
    """Raise ``RefusedError`` unless one field of the scope pins it; a compiled one is expected."""
    if not any(_pins(entry, lists) for entry in where.entries.values()):
        raise RefusedError(where.place, _WHY)


def refuse_unasked(where: Mapping, columns: frozenset[str], strangers: Names[str]) -> None:
    """Raise ``RefusedError`` if the scope reads what is remembered, and not all its rules do.

    Parameters
        columns: all that the scope reads.
        strangers: the rules and correlations of the exception that do not ask the memory.
    """
    recalled = [column for column in RECALLED_DTYPES if column in columns]
    if recalled and strangers:
        raise RefusedError(
            where.place,
            f"{recalled[0]} is known only where a rule asks what is remembered; these do not, or "
            f"join rules that do not: {', '.join(map(shown, strangers))}",
        )


def narrowed(tree: Tree) -> Tree:
    """Return ``tree`` so that a test of a list column asks it of each of its values.

    A rule asks whether some value is bad; an exception has to know that all are good. Else a
    second, hostile container would pass beside the one that was meant.
    """
    if isinstance(tree, And | Or):
        return type(tree)(tuple(narrowed(part) for part in tree.parts))
    return tree if isinstance(tree, Not) else _of_each(tree)


def _of_each(leaf: Leaf) -> Leaf:
    if not isinstance(KNOWN_DTYPES[leaf.column], pl.List):
        return leaf
    held = pl.col(leaf.column).list.drop_nulls().list.len().fill_null(0)
    every = leaf.found.list.len().fill_null(0) == held
    return replace(leaf, test=leaf.test & every, elements=())


def cased(where: Mapping) -> Mapping:
    """Return the scope with identities compared as Kubernetes does: upper and lower case differ.

    A rule is right not to mind; an exception would let ``CI-Deployer`` pass for ``ci-deployer``.
    """
    return replace(where, entries={key: _cased(entry) for key, entry in where.entries.items()})


def _cased(entry: Entry) -> Entry:
    name, *modifiers = entry.key.text.split("|")
    values = entry.value.items if isinstance(entry.value, Sequence) else (entry.value,)
    texts = all(isinstance(one, Scalar) and one.value is not None for one in values)
    if name not in _CASED or not texts or not _AS_WRITTEN.issuperset(modifiers):
        return entry
    key = replace(entry.key, text=f"{entry.key.text}|cased", value=f"{entry.key.text}|cased")
    return replace(entry, key=key)


def _pins(entry: Entry, lists: Lists[str, tuple[str, ...]]) -> bool:
    name, modifiers = parse_key(entry.key)
    column = column_named(name, entry.key.place)
    values = scalars(entry.value)
    if modifiers.neq or modifiers.exists or modifiers.fieldref or modifiers.encodings:
        return False
    if modifiers.expand:
        values = expanded(values, modifiers, lists, entry.key.place).values
    if column.name in IMAGES:
        return all(_is_digest(value, modifiers) for value in values)
    if not modifiers.tests_equality and modifiers.around != "startswith":
        return False
    if column.name in HASHES:
        return all(_is_hash(value.text) for value in values)
    named = column.name in IDENTITIES | NAMESPACES
    if is_list(column) or not named:
        return False
    return all(_is_somebody(value, modifiers) for value in values)


def _is_somebody(value: Scalar, modifiers: Modifiers) -> bool:
    """Return whether a value stands for somebody, or for names of which somebody decides."""
    if value.value is None:
        return False
    form = parse(value.text)
    begins = form.parts[0] if form.parts else ""
    if not begins or not isinstance(begins, str):
        return False
    if form.literal is not None and modifiers.around is None:
        return begins.lower() not in _ANYBODY
    return not any(many.startswith(begins.lower()) for many in _ANYBODY)


def _is_digest(value: Scalar, modifiers: Modifiers) -> bool:
    """Return whether a value names an image by its content: whatever stands before is a name."""
    if not (modifiers.tests_equality or modifiers.around == "endswith"):
        return False
    parts = parse(value.text).parts
    last = parts[-1] if parts else ""
    _, at, digest = last.rpartition(_DIGEST) if isinstance(last, str) else ("", "", "")
    return bool(at) and _is_hash(digest)


def _is_hash(text: str) -> bool:
    return len(text) == _DIGITS and _HEX.issuperset(text.lower())
