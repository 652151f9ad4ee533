"""A request's body in, its unpacked bytes out, within limits of size, time and memory.

Separate because whoever sends a body may lie about its length, send it for ever, or pack a gigabyte
into a megabyte: nothing is read or unpacked beyond the limit.
"""

from __future__ import annotations

import asyncio
import zlib
from typing import TYPE_CHECKING, Final

from aiohttp import ClientPayloadError, StreamReader, web
from aiohttp.http_exceptions import HttpProcessingError

from ingest.collectors.refusal import Refusal, RequestRefusedError

if TYPE_CHECKING:
    from ingest.collectors.http_limits import HeldShare, HttpLimits

_GZIP: Final = 16 + zlib.MAX_WBITS
_BROKEN: Final = (web.RequestPayloadError, ClientPayloadError, HttpProcessingError, ConnectionError)


async def read_body(
    content: StreamReader,
    size_bytes: int | None,
    encoding: str,
    limits: HttpLimits,
    held: HeldShare,
) -> bytes:
    """Read and unpack a body.

    Parameters
        size_bytes: what Content-Length says; None for a chunked body.
        encoding: Content-Encoding; empty, `identity` or `gzip`.

    Raises
        RequestRefusedError: too large (packed or unpacked), too slow, cut off, of another encoding,
            or no memory left for it now.
    """
    if (size_bytes or 0) > limits.body_bytes:
        raise RequestRefusedError(Refusal.TOO_LARGE)
    unpacker = _unpacker(encoding.strip().lower())
    body = bytearray()
    read_bytes = 0
    try:
        async with asyncio.timeout(limits.body_s):
            async for chunk in content.iter_any():
                read_bytes += len(chunk)
                piece = chunk if unpacker is None else _unpack(unpacker, chunk, limits, body)
                if max(read_bytes, len(body) + len(piece)) > limits.body_bytes:
                    raise RequestRefusedError(Refusal.TOO_LARGE)
                held.take(len(piece))
                body += piece
    except TimeoutError as error:
        raise RequestRefusedError(Refusal.SLOW) from error
    except _BROKEN as error:
        raise RequestRefusedError(Refusal.CUT_OFF) from error
    if unpacker is not None and not unpacker.eof:
        raise RequestRefusedError(Refusal.CUT_OFF)
    return bytes(body)


def _unpacker(encoding: str) -> zlib._Decompress | None:
    if encoding in {"", "identity"}:
        return None
    if encoding == "gzip":
        return zlib.decompressobj(wbits=_GZIP)
    raise RequestRefusedError(Refusal.ENCODING)


def _unpack(unpacker: zlib._Decompress, chunk: bytes, limits: HttpLimits, body: bytearray) -> bytes:
    """Unpack at most one byte more than there is room for; one gzip member, nothing behind it."""
    room = limits.body_bytes - len(body)
    try:
        piece = unpacker.decompress(chunk, room + 1)
    except zlib.error as error:
        raise RequestRefusedError(Refusal.CUT_OFF) from error
    if unpacker.unused_data:
        raise RequestRefusedError(Refusal.ENCODING)
    return piece
