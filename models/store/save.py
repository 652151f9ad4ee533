"""A manifest and tables in, a signed folder out that appears whole or not at all.

Separate from loading because only training has a private key. What is written was read back by the
same checks before: nothing is saved that would be refused.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from models.store import table
from models.store.folder import write_folder
from models.store.limits import FILE_BYTES, MANIFEST_BYTES, MODEL_BYTES
from models.store.load import MANIFEST, SIGNATURE, Model, expected
from models.store.manifest import SUFFIX, FileEntry, check, decode, encode
from models.store.refusal import ModelRefusedError, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import polars as pl
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from models.store.kind import Kind, Tables
    from models.store.manifest import Manifest


class ModelExistsError(Exception):
    """There is a folder of this name; a version is never written twice."""


def save_model(
    folder: Path,
    manifest: Manifest,
    tables: Tables,
    key: Ed25519PrivateKey,
    *,
    expect: Mapping[str, Kind],
) -> Model:
    """Write a model and return it as it would be loaded.

    Parameters
        folder: must not exist; its parents are made.
        manifest: its ``files`` are filled in here.
        tables: plain numbers and text, without nulls; categories are text, times are integers.
        expect: the kinds that this program has.

    Raises
        ModelRefusedError: what loading would refuse; nothing was written.
        ModelExistsError: the folder exists.
        OSError: the disk refused; nothing appeared.
    """
    written = {f"{name}{SUFFIX}": table.write(frame) for name, frame in tables.items()}
    entries = {name: _entry(name, data, tables) for name, data in written.items()}
    manifest = msgspec.structs.replace(manifest, files=entries)
    check(manifest)
    kind = expected(manifest, expect)
    data = encode(manifest)
    _check_sizes(data, written)
    read = {
        name.removesuffix(SUFFIX): table.read(name, held, entries[name])
        for name, held in written.items()
    }
    kind.check(manifest, read)
    try:
        write_folder(folder, {**written, MANIFEST: data, SIGNATURE: key.sign(data)})
    except FileExistsError as error:
        if not folder.is_dir():
            raise
        raise ModelExistsError(f"{folder} exists: a version is never written twice") from error
    return Model(decode(data), read, hashlib.sha256(data).hexdigest())


def _entry(name: str, data: bytes, tables: Mapping[str, pl.DataFrame]) -> FileEntry:
    frame = tables[name.removesuffix(SUFFIX)]
    return FileEntry(
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
        rows=frame.height,
        columns=table.shape_of(name, table.schema_of(data)),
    )


def _check_sizes(manifest: bytes, written: Mapping[str, bytes]) -> None:
    sizes = {name: len(data) for name, data in written.items()}
    limits = {MANIFEST: MANIFEST_BYTES, **dict.fromkeys(sizes, FILE_BYTES), "all": MODEL_BYTES}
    found = {**sizes, MANIFEST: len(manifest), "all": sum(sizes.values())}
    for name, size in found.items():
        if size > limits[name]:
            detail = f"{name}: {size} bytes, at most {limits[name]} may be"
            raise ModelRefusedError(Reason.OVERSIZED, detail)
