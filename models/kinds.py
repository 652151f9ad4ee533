"""The kinds of models that this program has: what runs is listed here and nowhere else.

Separate from the store, which knows no kind, and from the models, which know no list.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from models.learned import LEARNED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from models.store.kind import Kind

KINDS: Final[Mapping[str, Kind]] = MappingProxyType({**LEARNED})
