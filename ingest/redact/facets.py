"""Facets lose what looks like a credential in the texts that a client can fill.

Separate from the columns because facets are few rows and many texts: all texts of a batch are
searched in one pass before they are laid into columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from ingest.redact.text import redact_texts

if TYPE_CHECKING:
    from ingest.redact.token import Redactor

ARGS: Final = "process.args"
BODY: Final = "kubernetes.audit.requestObject"
CLIENT_TEXTS: Final = frozenset(
    {
        BODY,
        ARGS,
        "process.command_line",
        "trailwarden.exec.decoded",
        "trailwarden.pod_spec.commands",
        "trailwarden.pod_spec.decoded_commands",
        "trailwarden.object.labels",
        "trailwarden.patch.paths",
        "trailwarden.webhook.urls",
    }
)
MARK: Final = "[redacted:"

Facet = dict[str, Any]


def redact_facets(facets: list[Facet], redactor: Redactor) -> dict[int, set[str]]:
    """Redact the client's texts of all facets in place.

    Returns
        kinds of secrets found, by position in ``facets``; ``structure`` where a text already
        held a token because the API's own structure said that it was a secret.
    """
    places: list[tuple[int, str, int]] = []
    texts: list[str] = []
    for at, facet in enumerate(facets):
        for column in facet.keys() & CLIENT_TEXTS:
            values = facet[column] if isinstance(facet[column], list) else [facet[column]]
            places += [(at, column, index) for index in range(len(values))]
            texts += values
    searched = pl.Series(texts, dtype=pl.String)
    kinds: dict[int, set[str]] = {}
    for position in searched.str.contains(MARK, literal=True).arg_true():
        kinds.setdefault(places[position][0], set()).add("structure")
    found: dict[int, set[str]] = {}
    redacted = redact_texts(searched, redactor, found)
    for position, names in found.items():
        at, column, index = places[position]
        kinds.setdefault(at, set()).update(names)
        if isinstance(facets[at][column], list):
            # Copied, not changed: facets of the same pod spec share their lists.
            texts_of_column = list(facets[at][column])
            texts_of_column[index] = redacted[position]
            facets[at][column] = texts_of_column
        else:
            facets[at][column] = redacted[position]
    return kinds
