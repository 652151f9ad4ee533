"""Exit codes: a contract, others script against them."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """How a command ended."""

    OK = 0
    INPUT_UNREADABLE = 1
    USAGE = 2
    FINDINGS = 3
