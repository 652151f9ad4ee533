"""Stage 6, the public face: the command line, and the API that analysts import.

``import trailwarden as tw`` gives `tw.open` and `tw.scan`. They load Polars, so they are imported
when first used: the command line imports this package, and `--help` answers at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from trailwarden.api import Opened, ScanOutcome, open, scan  # noqa: A004 - read as tw.open

__version__: Final = "0.1.0.dev0"

__all__ = ["Opened", "ScanOutcome", "__version__", "open", "scan"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from trailwarden import api  # noqa: PLC0415 - loads Polars

    return getattr(api, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
