"""What this program takes of one kind of model: its tables, its features, and what must hold.

Separate from the list of kinds (models/kinds.py) because each kind's own module makes one of these
and the store reads nothing else of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import polars as pl

from models.store.manifest import ColumnType, Manifest

Tables: TypeAlias = Mapping[str, pl.DataFrame]
Check: TypeAlias = Callable[[Manifest, Tables], None]
"""Raises `ModelRefusedError` for tables that are typed well and mean nothing."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind.

    ``tables`` names each table's columns and their types, in their order; a model has exactly
    these. ``features`` are those that this program computes, in their order; None: the kind's
    features are values of its own tables.
    """

    name: str
    tables: Mapping[str, Mapping[str, ColumnType]]
    check: Check
    features: tuple[str, ...] | None = None
