"""Audit logs become a folder of results: the scan of the command line, in a folder that goes away.

Separate because it owns that folder. A scan streams, so memory does not grow with the log; what is
collected afterwards is read from its Parquet file.
"""

from __future__ import annotations

import shutil
import warnings
import weakref
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

from detectors.message import printable
from worker.scan import ScanResult, scan

if TYPE_CHECKING:
    from worker.settings import ScanSettings


class UnreadInputWarning(UserWarning):
    """Some of the input could not be read; the rest was."""


class TemporaryFolder:
    """A folder that is removed when nothing refers to it any more, at the latest at exit."""

    __slots__ = ("__weakref__", "path")

    def __init__(self) -> None:
        self.path = Path(mkdtemp(prefix="trailwarden-"))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


def scan_aside(settings: ScanSettings) -> TemporaryFolder:
    """Scan into a folder of our own and return it."""
    folder = TemporaryFolder()
    scan_into(replace(settings, out=folder.path))
    return folder


def scan_into(settings: ScanSettings) -> ScanResult:
    """Scan, and warn of what could not be read."""
    result = scan(settings, 0, lambda _: None)
    for problem in result.accounts.problems:
        text = f"not read: {printable(problem.path)}: {printable(problem.message)}"
        warnings.warn(text, UnreadInputWarning, stacklevel=2)
    refused = result.accounts.refused
    if refused:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in refused.most_common())
        warnings.warn(f"quarantined: {reasons}", UnreadInputWarning, stacklevel=2)
    return result
