"""A file appears under its name only when it is whole.

Separate because every output of a scan wants it: a scan that was killed leaves no half file that
looks like a result.
"""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pathlib import Path


class AtomicFile:
    """Writes to ``NAME.partial`` and renames when closed without an error."""

    __slots__ = ("_path", "_temporary", "stream")

    def __init__(self, path: Path) -> None:
        self._path = path
        self._temporary = path.with_name(f"{path.name}.partial")
        self.stream: IO[bytes] = self._temporary.open("wb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.stream.close()
        if kind is None:
            os.replace(self._temporary, self._path)  # noqa: PTH105 - atomic by contract
        else:
            self._temporary.unlink(missing_ok=True)
