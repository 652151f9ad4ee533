"""A rule in, its part of its file out, and how the parts of its condition are called.

Separate because both explaining a rule and telling of its mutants read the file once more: the
compiled rule keeps nothing of how it was written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from detectors.sigma.errors import RefusedError
from detectors.sigma.rule_file import read_bytes
from detectors.sigma.strict_yaml import Mapping, Scalar, parse_all
from detectors.sigma.words import names_of, say

if TYPE_CHECKING:
    from detectors.sigma.rule import Rule
    from detectors.sigma.words import SaidTree


def words_of(rule: Rule) -> dict[int, str]:
    """Return how the parts of a rule's tree are called, by ``id``; nothing, if it cannot be read.

    The file may have changed since the rule was loaded: names are no reason to fail.
    """
    said = said_of(rule)
    try:
        return names_of(rule.tree, said) if said else {}
    except ValueError:
        return {}


def said_of(rule: Rule) -> SaidTree | None:
    """Return the condition of a rule as its file says it."""
    try:
        documents = parse_all(read_bytes(rule.file))
        mine = [one for one in documents if isinstance(one, Mapping) and _is_of(rule, one)]
        return say(mine[0]) if mine else None
    except RefusedError:
        return None


def _is_of(rule: Rule, document: Mapping) -> bool:
    """Return whether a document is the rule's: a base document may have a name alone."""
    for key, own in (("id", rule.id), ("name", rule.name), ("title", rule.title)):
        node = document.get(key)
        if isinstance(node, Scalar) and own is not None:
            return node.text.strip().lower() == own.lower()
    return False
