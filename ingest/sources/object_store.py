"""A folder of an object store, or of this machine: which objects it holds, and their bytes.

Separate from the collector that empties it because it alone knows PyArrow's file systems: S3 and
what speaks its protocol, Google Cloud Storage, Azure Data Lake Storage, local folders. Credentials
are found as each cloud's own clients find them (environment, profile, instance role); none is in an
address. Source: Arrow's ``pyarrow.fs`` and its ``FileSystem.from_uri``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import urlsplit

import pyarrow as pa
from pyarrow import fs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

SCHEMES: Final = ("s3", "gs", "gcs", "abfs", "abfss", "file")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class BadAddressError(ValueError):
    """The address names no folder that can be read; the text says why, without credentials."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object: its path within the store, its size, and when it was last written (UTC)."""

    path: str
    size_bytes: int
    modified: datetime


class ObjectStore:
    """One folder. All that is in it, however deep."""

    def __init__(self, address: str) -> None:
        """Open no connection yet.

        Parameters
            address: ``s3://bucket/prefix``, ``gs://...``, ``abfss://container@account.../prefix``,
                ``file:///folder`` or a local path; options as Arrow takes them behind ``?``.

        Raises
            BadAddressError: it is none of these, or holds a password.
        """
        parts = urlsplit(address)
        if parts.scheme and parts.scheme not in SCHEMES:
            known = ", ".join(SCHEMES)
            raise BadAddressError(f"{parts.scheme}: is no scheme of an object store ({known})")
        if parts.password:
            raise BadAddressError("an address holds no credentials: leave them to the environment")
        self.name = parts._replace(query="").geturl()
        try:
            if parts.scheme:
                self._files, self._folder = fs.FileSystem.from_uri(address)
            else:
                self._files, self._folder = fs.LocalFileSystem(), address
        except (pa.ArrowException, OSError, ValueError) as error:
            raise BadAddressError(f"{self.name}: {error}") from error

    def objects(self) -> Iterator[StoredObject]:
        """Yield all objects, in no order. Raises OSError: the store does not answer."""
        chosen = fs.FileSelector(self._folder, recursive=True)
        for info in self._files.get_file_info(chosen):
            if info.type == fs.FileType.File:
                yield StoredObject(info.path, info.size or 0, info.mtime or _EPOCH)

    def open(self, path: str) -> BinaryIO:
        """Open an object for reading its bytes as they are stored. Raises OSError."""
        return cast("BinaryIO", self._files.open_input_file(path))
