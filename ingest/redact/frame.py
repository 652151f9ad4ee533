"""Columns lose what looks like a credential in the texts that a client can fill.

Separate from the patterns because it knows the columns, and that the URI of an exec must not keep
what its arguments lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote_plus, unquote_plus

import polars as pl

from ingest.facets.exec import with_args
from ingest.redact.facets import ARGS, MARK
from ingest.redact.text import Redaction, may_hold_secret, redact_suspects, redact_texts

if TYPE_CHECKING:
    from ingest.redact.token import Redactor

URI: Final = "kubernetes.audit.requestURI"
_AGENT: Final = "user_agent.original"
_AGENT_NAME: Final = "user_agent.name"
_STRUCTURED: Final = ("kubernetes.audit.annotations", "kubernetes.audit.user.extra")
_SEARCHED: Final = (URI, "kubernetes.audit.responseStatus.message", *_STRUCTURED, _AGENT)
"""Free text that a client can fill, outside of facets."""

_ESCAPES: Final = ("%20", "%22", "%26", "%2C", "%2F", "%3A", "%3D", "%40", "%5F", "%7B")
_ESCAPED: Final = (" ", '"', "&", ",", "/", ":", "=", "@", "_", "{")
"""What clients encode: enough to see whether a URI is worth decoding."""

_ENCODED_LETTER: Final = "%(?:[46][1-9A-Fa-f]|[57][0-9Aa])"
"""What no client encodes, and what may be any name."""

Kinds = dict[int, set[str]]


def redact_frame(events: pl.DataFrame, redactor: Redactor) -> tuple[pl.DataFrame, Kinds]:
    """Redact the text columns of a frame whose facets are redacted already.

    Returns
        the frame, and per row the kinds of secrets found.
    """
    kinds: Kinds = {}
    rows = _suspects(events)
    encoded, decoded = _encoded(events[URI])
    texts = [events[name].gather(at).rename("") for name, at in rows.items()]
    found = redact_suspects(pl.concat([*texts, decoded]), redactor)
    columns = before = {name: events[name] for name in rows}
    start = 0
    for name, at in rows.items() if found else ():
        here = {at[p - start]: r for p, r in found.items() if start <= p < start + len(at)}
        columns = {**columns, name: _with_redactions(columns[name], here, kinds)}
        start += len(at)
    lost = {encoded[place - start]: r for place, r in found.items() if place >= start}
    uris = _without_encoded(columns[URI], lost, redactor, kinds)
    columns = {**columns, URI: _without_lost_words(uris, events[ARGS])}
    _mark_structure(events, kinds)
    changed = [_forgetful(s) for name, s in columns.items() if s is not before[name]]
    return events.with_columns(changed), kinds


def _forgetful(redacted: pl.Series) -> pl.Series:
    """Lay texts into memory of their own, some of which were replaced.

    A text column is views into shared buffers: the replaced texts would still be in those, and in
    whatever the frame is written to as it is (Arrow IPC, pickle).
    """
    return pl.Series(redacted.name, redacted.to_arrow())


def _suspects(events: pl.DataFrame) -> dict[str, pl.Series]:
    """Return, by column, the rows that may hold a credential; the agent's name is in the agent."""
    names = [name for name in _SEARCHED if events[name].null_count() < events.height]
    flags = events.select(may_hold_secret(name) for name in dict.fromkeys((URI, *names)))
    rows = {name: flags[name].arg_true() for name in flags.columns}
    if _AGENT in rows:
        rows[_AGENT_NAME] = rows[_AGENT]
    return rows


def _with_redactions(texts: pl.Series, found: dict[int, Redaction], kinds: Kinds) -> pl.Series:
    if not found:
        return texts
    for row, redaction in found.items():
        kinds.setdefault(row, set()).update(redaction.kinds)
    return texts.clone().scatter(list(found), [redaction.text for redaction in found.values()])


def _mark_structure(events: pl.DataFrame, kinds: Kinds) -> None:
    """Note the rows whose annotations or attributes lost something by its name already."""
    for name in _STRUCTURED:
        if events[name].null_count() < events.height:
            found = events[name].str.contains(MARK, literal=True).fill_null(value=False)
            for row in found.arg_true().to_list():
                kinds.setdefault(row, set()).add("structure")


def _encoded(uris: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Find what may be a credential only once decoded: ``x=https%3A%2F%2Fu%3Apw%40h``.

    Returns
        rows, and the decoded URIs of these rows.
    """
    rows = uris.str.contains("%", literal=True).fill_null(value=False).arg_true()
    suspects = uris.gather(rows).alias("uri").to_frame()
    readable = pl.col("uri").str.replace_many(list(_ESCAPES), list(_ESCAPED)).alias("readable")
    is_suspect = may_hold_secret("readable") | pl.col("readable").str.contains(_ENCODED_LETTER)
    flags = suspects.select(readable).select(is_suspect)["readable"]
    texts = suspects["uri"].filter(flags).to_list()
    return rows.filter(flags), pl.Series([unquote_plus(t) for t in texts], dtype=pl.String)


def _without_encoded(
    uris: pl.Series, found: dict[int, Redaction], redactor: Redactor, kinds: Kinds
) -> pl.Series:
    """Redact the URIs that hold something only once decoded, each part by itself."""
    redactions = {
        row: Redaction(_decoded_and_redacted(uris[row], redactor), redaction.kinds)
        for row, redaction in found.items()
    }
    return _with_redactions(uris, redactions, kinds)


def _decoded_and_redacted(uri: str, redactor: Redactor) -> str:
    """Redact each part of a URI by what it says decoded; the others stay as they were written."""
    path, mark, query = uri.partition("?")
    parts = [path, *(query.split("&") if mark else ())]
    decoded = [unquote_plus(part) for part in parts]
    redacted = redact_texts(pl.Series(decoded, dtype=pl.String), redactor).to_list()
    path, *parts = [
        part if new == old else quote_plus(new, safe="/=[]:")
        for part, old, new in zip(parts, decoded, redacted, strict=True)
    ]
    return f"{path}{mark}{'&'.join(parts)}"


def _without_lost_words(uris: pl.Series, args: pl.Series) -> pl.Series:
    """Write the arguments of an exec into its URI again where they lost a secret."""
    if args.null_count() == len(args):
        return uris
    rows = args.is_not_null().arg_true().to_list()
    changed = {
        row: words
        for row, words in zip(rows, args.drop_nulls().to_list(), strict=True)
        if any(MARK in word for word in words)
    }
    if not changed:
        return uris
    return uris.clone().scatter(
        list(changed), [with_args(uris[row], words) for row, words in changed.items()]
    )
