"""A document's keys become what a rule or a correlation says about itself.

Separate from both, because they say it in the same words: title, level, references and so on, and
what stands under ``trailwarden:``. Nothing here touches events.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypedDict

from detectors.sigma import header
from detectors.sigma.rule import Category, Level, Message, Related, Status

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

    from detectors.sigma.errors import Problems
    from detectors.sigma.extension import Extension
    from detectors.sigma.strict_yaml import Mapping


OWN_RULESET: Final = "trailwarden"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a document comes from."""

    ours: bool
    """Whether it is installed with the program or was written for it."""
    folder: str
    """Name of the folder that was asked for when its file was found."""

    @property
    def ruleset(self) -> str:
        """Return what its findings name as the set of rules that it is of."""
        return OWN_RULESET if self.ours else self.folder


class About(TypedDict):
    """Fields that `detectors.sigma.rule.Rule` and `Correlation` have in common, by their names."""

    file: Path
    title: str
    id: str
    name: str | None
    related: tuple[Related, ...]
    status: Status | None
    description: str
    license: str | None
    references: tuple[str, ...]
    author: str | None
    date: dt.date | None
    modified: dt.date | None
    tags: tuple[str, ...]
    techniques: tuple[str, ...]
    tactics: tuple[str, ...]
    falsepositives: tuple[str, ...]
    level: Level
    category: Category
    catalogue: tuple[str, ...]
    message: Message | None
    next_steps: tuple[str, ...]
    blind_spots: tuple[str, ...]
    requires: tuple[str, ...]
    attempts: bool
    ours: bool
    ruleset: str


def read_about(
    document: Mapping, identifier: str, extension: Extension, origin: Origin, problems: Problems
) -> About:
    """Return what ``document`` says; where it is wrong, that is noted and a default stands instead.

    The id is given, because that of a base document follows from its correlation's.
    """
    attempt = problems.attempt
    tags = attempt((), header.tags, document)
    return About(
        file=problems.file,
        title=attempt("", header.title, document),
        id=identifier,
        name=attempt(None, header.text, document, "name"),
        related=attempt((), header.related, document),
        status=attempt(None, header.choice, document, "status", Status),
        description=attempt(None, header.text, document, "description") or "",
        license=attempt(None, header.text, document, "license"),
        references=attempt((), header.texts, document, "references"),
        author=attempt(None, header.text, document, "author"),
        date=attempt(None, header.day, document, "date"),
        modified=attempt(None, header.day, document, "modified"),
        tags=tags,
        techniques=tuple(found for tag in tags if (found := header.technique(tag))),
        tactics=tuple(found for tag in tags if (found := header.tactic(tag))),
        falsepositives=attempt((), header.texts, document, "falsepositives"),
        # Sigma leaves the level out of what a rule must say; the middle one claims least.
        level=attempt(None, header.choice, document, "level", Level) or Level.MEDIUM,
        category=extension.category,
        catalogue=extension.catalogue,
        message=extension.message,
        next_steps=extension.next_steps,
        blind_spots=extension.blind_spots,
        requires=extension.requires,
        attempts=extension.attempts,
        ours=origin.ours,
        ruleset=origin.ruleset,
    )
