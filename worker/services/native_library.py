"""The one native library that an Elasticsearch node wants and no jar brings: zstd."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from worker.services.errors import ServiceError

FOLDERS: Final = ("/usr/lib", "/usr/lib64", "/lib", "/usr/local/lib")
NAME: Final = "libzstd.so.1"


def zstd_library(folders: tuple[str, ...] = FOLDERS) -> Path:
    """Return the system's zstd library.

    Raises
        ServiceError: there is none.
    """
    for folder in folders:
        direct = [Path(folder, NAME), *Path(folder).glob(f"*/{NAME}")]
        if found := next((file for file in direct if file.exists()), None):
            return found.resolve()
    raise ServiceError(
        f"{NAME} is not in {', '.join(folders)}; on Debian: apt-get install libzstd1"
    )
