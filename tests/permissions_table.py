"""The tables of docs/permissions.md as values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).resolve().parent.parent / "docs" / "permissions.md"
KINDS = {
    "topic": ("TOPIC", "LITERAL"),
    "topics with the prefix": ("TOPIC", "PREFIXED"),
    "group": ("GROUP", "LITERAL"),
}


@dataclass(frozen=True, slots=True)
class Right:
    """One operation on one topic, prefix or group for one role; ``row``: of the table."""

    row: int
    role: str
    resource: str
    pattern: str
    name: str
    operation: str

    def __str__(self) -> str:
        return f"{self.role}-{self.operation}-{self.name}"


@dataclass(frozen=True, slots=True)
class Privilege:
    """One privilege of one role of Elasticsearch; ``scope``: cluster or index."""

    role: str
    scope: str
    name: str

    def __str__(self) -> str:
        return f"{self.role}-{self.scope}-{self.name}"


def kafka_rights() -> list[Right]:
    """Return every right of the Kafka table, one operation on one name each."""
    return [
        Right(row, role, *KINDS[on], name, operation)
        for row, (role, on, names, operations, _) in enumerate(_rows("| Role | On |"))
        for name in _names(names)
        for operation in _names(operations)
    ]


def elasticsearch_privileges() -> list[Privilege]:
    """Return every privilege of the Elasticsearch table."""
    return [
        Privilege(role, scope, name)
        for role, scope, names, _ in _rows("| Role | Scope |")
        for name in _names(names)
    ]


def _names(cell: str) -> list[str]:
    return [name.strip(" `") for name in cell.split(",")]


def _rows(header: str) -> list[list[str]]:
    lines = PAGE.read_text().splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith(header)) + 2
    rows = []
    for line in lines[first:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows
