"""A body as facets read it: parsed once, patches turned into the fragment of object they set.

Separate because a JSON patch is a list of operations while merge, strategic and apply patches are
fragments of the object already; behind this module all of them are fragments.
Sources: RFC 6902 (JSON Patch), RFC 7396 (JSON Merge Patch), Kubernetes API concepts, "Patch types".
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_PATHS: Final = 64
"""Paths kept of one patch: enough for any change made by hand, and bounded for any other."""

_MAX_DEPTH: Final = 16
_STRATEGIC_MARKS: Final = (
    "$patch",
    "$setElementOrder/",
    "$retainKeys",
    "$deleteFromPrimitiveList/",
)
_END: Final = "-"
_SETTING: Final = frozenset({"add", "replace"})
_INDEX_DIGITS: Final = 9


@dataclass(frozen=True, slots=True)
class Patch:
    """What a patch body says: its type and the JSON pointers it sets or removes."""

    type: str
    paths: list[str]


def mapping(value: object) -> Mapping[str, Any]:
    """Return an object's members, or none for anything that is not an object."""
    return value if isinstance(value, dict) else {}


def items(value: object) -> list[Any]:
    """Return a list's elements, or none for anything that is not a list."""
    return value if isinstance(value, list) else []


def texts(value: object) -> list[str]:
    """Return the strings of a list, or none for anything that is not a list."""
    return [element for element in items(value) if isinstance(element, str)]


def text(value: object) -> str | None:
    """Return a non-empty string as it is, anything else as None."""
    return value if isinstance(value, str) and value else None


def fragment(document: object) -> Mapping[str, Any]:
    """Return the object, or the fragment of it, that a request body sets.

    For a JSON patch the fragment is built from the document's own values and may change them.
    """
    if isinstance(document, list):
        return _from_operations(document)
    return mapping(document)


def patch(document: object) -> Patch | None:
    """Describe a PATCH body, or None where it is neither a list nor an object."""
    if isinstance(document, list):
        paths = [p for op in document if (p := text(mapping(op).get("path"))) is not None]
        return Patch("json", list(dict.fromkeys(paths))[:MAX_PATHS])
    if not isinstance(document, dict):
        return None
    paths = []
    for path in _leaves(document, "", 0):
        paths.append(path)
        if len(paths) == MAX_PATHS:
            break
    return Patch(_type(document), paths)


def _type(document: Mapping[str, Any]) -> str:
    """Infer a patch's type: the record does not say its content type."""
    if "apiVersion" in document and "kind" in document:
        return "apply"
    return "strategic" if _has_marks(document, 0) else "merge"


def _has_marks(node: object, depth: int) -> bool:
    if depth > _MAX_DEPTH:
        return False
    if isinstance(node, dict):
        return any(
            key.startswith(_STRATEGIC_MARKS) or _has_marks(value, depth + 1)
            for key, value in node.items()
        )
    return isinstance(node, list) and any(_has_marks(value, depth + 1) for value in node)


def _leaves(node: object, path: str, depth: int) -> Iterator[str]:
    children: Iterator[tuple[str, object]] | None = None
    if isinstance(node, dict) and node and depth < _MAX_DEPTH:
        children = ((key.replace("~", "~0").replace("/", "~1"), node[key]) for key in node)
    elif isinstance(node, list) and node and depth < _MAX_DEPTH:
        children = ((str(index), value) for index, value in enumerate(node))
    if children is None:
        yield path
        return
    for key, value in children:
        yield from _leaves(value, f"{path}/{key}", depth + 1)


def _from_operations(operations: list[Any]) -> dict[str, Any]:
    fragment_of_patch = _Fragment()
    for operation in map(mapping, operations):
        op, path = operation.get("op"), operation.get("path")
        if isinstance(path, str) and isinstance(op, str) and op in _SETTING:
            fragment_of_patch.set(path, operation.get("value"))
    return fragment_of_patch.root


class _Fragment:
    """The part of an object that JSON pointers write into; values are used, not copied.

    Which element of an unseen list an index means cannot be known, only that the same index means
    the same one: two operations on one container or rule make one, not two halves.
    """

    __slots__ = ("_begun", "_named", "root")

    def __init__(self) -> None:
        self.root: dict[str, Any] = {}
        self._begun: dict[int, list[Any]] = {}  # lists of unseen elements, kept alive by id
        self._named: dict[tuple[int, str], int] = {}  # (id of list, index) -> place in it

    def set(self, pointer: str, value: object) -> None:
        """Set one value under a JSON pointer; an index or ``-`` makes a list element."""
        tokens = [
            token.replace("~1", "/").replace("~0", "~")
            for token in pointer.split("/")[1 : _MAX_DEPTH + 1]
        ]
        if not tokens:
            self.root.update(mapping(value))
            return
        node: Any = self.root
        for token, following in pairwise(tokens):
            node = self._descend(node, token, following)
        self._put(node, tokens[-1], value)

    def _descend(self, node: Any, token: str, following: str) -> Any:
        held = self._held(node, token)
        if isinstance(held, dict | list):
            return held
        child: Any = [] if _is_index(following) else {}
        if isinstance(child, list):
            self._begun[id(child)] = child
        self._put(node, token, child)
        return child

    def _held(self, node: Any, token: str) -> Any:
        if isinstance(node, dict):
            return node.get(token)
        place = self._named.get((id(node), token))
        if place is None and id(node) not in self._begun and token.isdecimal():
            place = int(token[:_INDEX_DIGITS])
        return node[place] if place is not None and place < len(node) else None

    def _put(self, node: Any, token: str, value: object) -> None:
        if isinstance(node, dict):
            node[token] = value
        else:
            self._named[id(node), token] = len(node)
            node.append(value)


def _is_index(token: str) -> bool:
    return token.isdecimal() or token == _END
