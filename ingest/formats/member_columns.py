"""Members of a document become columns, as a table of a format says: one look at each member.

Separate because several formats have a dozen members that are just texts, and a call for each of
them costs more than all the rest. What is nothing fills no column: a column that no event of a
batch has costs nothing either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingest.formats.reader import NOTHING_LENGTH

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ingest.formats.reader import Document, Reader
    from ingest.formats.seen import Fields


def fill_texts(
    read: Reader, document: Document, columns: Mapping[str, str], fields: Fields
) -> None:
    """Lay the members of ``columns`` (key -> column) into their columns."""
    for key, column in columns.items():
        value = document.get(key)
        if type(value) is str and len(value) > NOTHING_LENGTH:
            fields[column] = value
        elif value is not None and (text := read.text(document, key)) is not None:
            fields[column] = text


def first_text(read: Reader, document: Document, keys: Iterable[str]) -> str | None:
    """Return the first of the members that is there."""
    for key in keys:
        if key in document and (text := read.text(document, key)) is not None:
            return text
    return None
