"""What a check found, as a value, and the closed list of what is checked.

Separate from the checks because the terminal, ``--json`` and the exit code read the same results.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class CheckName(StrEnum):
    """What `doctor` checks, in its order. A closed list: scripts go by these names."""

    SETTINGS = "settings"
    PACKAGES = "packages"
    RULES = "rules"
    SAMPLE = "sample"
    MODELS = "models"
    STORE = "store"
    KAFKA = "kafka"
    TOPICS = "topics"
    RIGHTS = "rights"
    WORKERS = "workers"
    SOURCES = "sources"
    CLOCKS = "clocks"
    QUARANTINE = "quarantine"
    ELASTICSEARCH = "elasticsearch"
    TEMPLATES = "templates"


class State(StrEnum):
    """How a check ended. Only ``failed`` makes the command fail."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Result:
    """One check: what was found, and what to do about it where something is to be done."""

    name: CheckName
    state: State
    detail: str
    advice: str = ""


def ok(name: CheckName, detail: str) -> Result:
    """Return a result that needs nothing."""
    return Result(name, State.OK, detail)


def warning(name: CheckName, detail: str, advice: str) -> Result:
    """Return a result that somebody should look at."""
    return Result(name, State.WARNING, detail, advice)


def failed(name: CheckName, detail: str, advice: str) -> Result:
    """Return a result that keeps the pipeline from working."""
    return Result(name, State.FAILED, detail, advice)


def skipped(name: CheckName, detail: str) -> Result:
    """Return a check that could not be made or was not asked for."""
    return Result(name, State.SKIPPED, detail)
