"""Columns of texts that machines repeat lose what looks like a credential in them.

Separate from facets because these are whole columns, most of them full: they are searched as
columns, and only what is found is touched text by text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from ingest.column import TEXTS
from ingest.redact.facets import ARGS, MARK
from ingest.redact.text import redact_texts

if TYPE_CHECKING:
    from ingest.redact.frame import Kinds
    from ingest.redact.token import Redactor

SEARCHED: Final = (
    "process.command_line",
    "process.parent.command_line",
    "trailwarden.exec.decoded",
    "message",
    "trailwarden.session.reason",
    "trailwarden.tool.fields",
)


def redact_columns(columns: dict[str, pl.Series], redactor: Redactor) -> Kinds:
    """Redact the text columns among ``columns``, in their place in the mapping.

    Returns
        kinds of secrets found, by row; ``structure`` where a text already held a token because the
        words around it said that it was a secret.
    """
    kinds: Kinds = {}
    for name in SEARCHED:
        column = columns.get(name)
        if column is not None and column.null_count() < len(column):
            _mark_structure(column, pl.Series(range(len(column))), kinds)
            redacted = redact_texts(column, redactor, kinds)
            if redacted is not column:
                # Into memory of its own: a column of texts is views into buffers that still hold
                # what was replaced.
                columns[name] = pl.Series(name, redacted.to_arrow())
    if ARGS in columns:
        columns[ARGS] = _without_secret_words(columns[ARGS], redactor, kinds)
    return kinds


def _without_secret_words(args: pl.Series, redactor: Redactor, kinds: Kinds) -> pl.Series:
    words = pl.DataFrame({"row": range(len(args)), "word": args}).explode("word")
    rows = words["row"]
    _mark_structure(words["word"], rows, kinds)
    found: Kinds = {}
    redacted = redact_texts(words["word"], redactor, found)
    if not found:
        return args
    for at, names in found.items():
        kinds.setdefault(rows[at], set()).update(names)
    lists = (
        words.with_columns(redacted.alias("word"))
        .group_by("row", maintain_order=True)
        .agg(pl.col("word").drop_nulls())["word"]
    )
    lists = pl.Series(args.name, lists.to_arrow(), dtype=TEXTS)
    return lists.zip_with(args.is_not_null(), pl.Series([None] * len(args), dtype=TEXTS))


def _mark_structure(texts: pl.Series, rows: pl.Series, kinds: Kinds) -> None:
    held = texts.str.contains(MARK, literal=True).fill_null(value=False)
    for row in rows.filter(held).to_list():
        kinds.setdefault(row, set()).add("structure")
