"""How large a model may be: looked at before anything of it is opened.

Separate because saving refuses what loading would, by the same numbers.
"""

from __future__ import annotations

from typing import Final

MANIFEST_BYTES: Final = 1 << 20
FILE_BYTES: Final = 256 << 20
"""A profile of a million rows takes some 100 MB."""

MODEL_BYTES: Final = 512 << 20
FILES: Final = 32
COLUMNS: Final = 1_024
FEATURES: Final = 4_096
NAME_LENGTH: Final = 64
TEXT_LENGTH: Final = 200
"""Characters of the name of a feature, a column or a metric."""

DEPTH: Final = 6
"""A manifest's deepest value is a column's name: files, file, columns, column."""
