"""Options that several commands take, and the levels some of them name, each said once.

Separate because the commands have modules of their own, and an option must not mean, or be said to
mean, something else from one to the next.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Level(StrEnum):
    """Levels of rules and findings, from least to most."""

    INFORMATIONAL = "informational"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


Config = Annotated[
    Path | None,
    typer.Option(metavar="FILE", envvar="TRAILWARDEN_CONFIG", help="File of settings, YAML."),
]
RuleFolders = Annotated[
    list[Path] | None,
    typer.Option(
        "--rules",
        metavar="DIR",
        help="Sigma rules to use instead of the shipped ones; may be repeated. "
        "The word `default` stands for the shipped ones.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object, for machines.")]
