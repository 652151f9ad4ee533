"""Chunks of text as a file holds it in, chunks of UTF-8 out.

Separate because JSON is UTF-8 without a byte order mark (RFC 8259, section 8.1), and files are not:
editors write the mark, and PowerShell's redirection writes UTF-16. Only a mark at the very start
is believed; bytes that are not UTF-8 are left for the decoder, they cost their record alone.
"""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING, Final

from ingest.record import InputProblem

if TYPE_CHECKING:
    from collections.abc import Iterator

_UTF16: Final = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_LONGEST_MARK: Final = 3


def to_utf8(chunks: Iterator[bytes | InputProblem], path: str) -> Iterator[bytes | InputProblem]:
    """Drop a byte order mark and transcode UTF-16; everything else passes as it is.

    Half a surrogate pair stays half: it becomes bytes that are not UTF-8, and its record is judged
    by the decoder. Offsets of a transcoded file count the bytes of its UTF-8.
    """
    head = b""
    late: list[InputProblem] = []
    while len(head) < _LONGEST_MARK and not late and (chunk := next(chunks, None)) is not None:
        if isinstance(chunk, InputProblem):
            late.append(chunk)
        else:
            head += chunk
    if encoding := _UTF16.get(head[:2]):
        yield from _transcoded(head[2:], chunks, encoding, path)
    else:
        yield head.removeprefix(codecs.BOM_UTF8)
        yield from late
        yield from chunks
        return
    yield from late


def _transcoded(
    head: bytes, chunks: Iterator[bytes | InputProblem], encoding: str, path: str
) -> Iterator[bytes | InputProblem]:
    decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")
    yield decoder.decode(head).encode(errors="surrogatepass")
    for chunk in chunks:
        if isinstance(chunk, InputProblem):
            yield chunk
        else:
            yield decoder.decode(chunk).encode(errors="surrogatepass")
    if decoder.getstate()[0]:
        yield InputProblem(path, f"ends within a character of its {encoding} text")
