"""A folder in, a model out, or a refusal that says why.

Separate from its parts because the order is the protection: the signature is checked over the
manifest's bytes before anything is parsed, each file is measured before it is read, read once,
hashed, and only then parsed. Nothing that is read can be run.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from models.store import folder as files
from models.store import table
from models.store.keys import SIGNATURE_BYTES, is_signed
from models.store.limits import FILE_BYTES, MANIFEST_BYTES, MODEL_BYTES
from models.store.manifest import SUFFIX, decode
from models.store.refusal import ModelRefusedError, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import polars as pl
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from models.store.kind import Kind
    from models.store.manifest import FileEntry, Manifest

MANIFEST: Final = "manifest.json"
SIGNATURE: Final = "signature"


@dataclass(frozen=True, slots=True)
class Model:
    """A model that may be used. ``sha256`` is that of its manifest's bytes: it names all of it."""

    manifest: Manifest
    tables: Mapping[str, pl.DataFrame]
    sha256: str


def load_model(
    folder: Path, trusted_keys: Sequence[Ed25519PublicKey], *, expect: Mapping[str, Kind]
) -> Model:
    """Load a model.

    Parameters
        folder: holds manifest.json, signature, and the files that the manifest names.
        trusted_keys: whose signatures count.
        expect: the kinds that this program has, by name (models/kinds.py).

    Raises
        ModelRefusedError: anything is not as it must be.

    Cost: the size of the files, at most `models.store.limits.MODEL_BYTES`, once in memory.
    """
    with files.opened(folder) as opened:
        manifest, sha256 = _manifest(opened, trusted_keys)
        kind = expected(manifest, expect)
        _check_names(files.names_in(opened), manifest)
        tables = {
            name.removesuffix(SUFFIX): _table(opened, name, entry)
            for name, entry in sorted(manifest.files.items())
        }
    kind.check(manifest, tables)
    return Model(manifest, tables, sha256)


def expected(manifest: Manifest, expect: Mapping[str, Kind]) -> Kind:
    """Return the kind of a model, which has the features and the tables of this program's.

    Raises
        ModelRefusedError: it has not.
    """
    kind = expect.get(manifest.kind)
    if kind is None:
        detail = f"{manifest.kind!r}; known here: {', '.join(sorted(expect)) or 'none'}"
        raise ModelRefusedError(Reason.UNKNOWN_KIND, detail)
    if kind.features is not None and manifest.features != kind.features:
        raise ModelRefusedError(Reason.OTHER_FEATURES, _features(manifest.features, kind.features))
    held = {
        name.removesuffix(SUFFIX): {column.name: column.type for column in entry.columns}
        for name, entry in manifest.files.items()
    }
    for name in sorted(held.keys() | kind.tables.keys()):
        wanted = kind.tables.get(name)
        if wanted is None or list(held.get(name, {}).items()) != list(wanted.items()):
            detail = f"table {name!r} is not what kind {kind.name!r} has"
            raise ModelRefusedError(Reason.OTHER_TABLES, detail)
    return kind


def _manifest(opened: int, trusted_keys: Sequence[Ed25519PublicKey]) -> tuple[Manifest, str]:
    try:
        signature = files.read_file(opened, SIGNATURE, SIGNATURE_BYTES)
    except ModelRefusedError as error:
        if error.reason is not Reason.MISSING_FILE:
            raise
        raise ModelRefusedError(Reason.UNSIGNED, f"there is no file {SIGNATURE!r}") from error
    data = files.read_file(opened, MANIFEST, MANIFEST_BYTES)
    if not is_signed(data, signature, trusted_keys):
        detail = f"{MANIFEST} is signed by none of {len(trusted_keys)} trusted keys"
        raise ModelRefusedError(Reason.UNTRUSTED, detail)
    return decode(data), hashlib.sha256(data).hexdigest()


def _check_names(names: set[str], manifest: Manifest) -> None:
    wanted = {MANIFEST, SIGNATURE, *manifest.files}
    for name in sorted(wanted - names):
        raise ModelRefusedError(Reason.MISSING_FILE, f"{name}: the manifest names it")
    for name in sorted(names - wanted):
        raise ModelRefusedError(Reason.ADDITIONAL_FILE, f"{name}: the manifest does not name it")
    total = sum(entry.size_bytes for entry in manifest.files.values())
    if total > MODEL_BYTES:
        detail = f"{total} bytes in all, at most {MODEL_BYTES} may be"
        raise ModelRefusedError(Reason.OVERSIZED, detail)


def _table(opened: int, name: str, entry: FileEntry) -> pl.DataFrame:
    data = files.read_file(opened, name, min(entry.size_bytes, FILE_BYTES))
    if len(data) != entry.size_bytes or hashlib.sha256(data).hexdigest() != entry.sha256:
        raise ModelRefusedError(Reason.WRONG_HASH, f"{name}: other bytes than those signed")
    return table.read(name, data, entry)


def _features(held: tuple[str, ...], wanted: tuple[str, ...]) -> str:
    missing = [name for name in wanted if name not in held]
    unknown = [name for name in held if name not in wanted]
    if not missing and not unknown:
        return "the same features in another order"
    words = [f"{len(missing)} missing ({missing[0]!r} ...)"] if missing else []
    words += [f"{len(unknown)} unknown ({unknown[0]!r} ...)"] if unknown else []
    return ", ".join(words)
