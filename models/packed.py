"""A frame of state becomes bytes that only its values decide, and a frame again.

Separate because every memory is saved so: equal states must give equal snapshots. Texts are written
as offsets into one buffer, since views point wherever they came from; what may be null, behind
which anything may stand, is for the caller to fill.
"""

from __future__ import annotations

from io import BytesIO

import polars as pl


def packed(frame: pl.DataFrame) -> bytes:
    """Return a frame as a compressed Arrow IPC file."""
    stream = BytesIO()
    frame.rechunk().write_ipc(stream, compression="zstd", compat_level=pl.CompatLevel.oldest())
    return stream.getvalue()


def unpacked(data: bytes) -> pl.DataFrame:
    """Return what `packed` gave."""
    return pl.read_ipc(BytesIO(data))
