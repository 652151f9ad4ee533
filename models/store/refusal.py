"""Why a model is not loaded: one reason of a closed list, and a line that says the rest.

Separate because every check of the store gives one of these, and callers tell them apart.
"""

from __future__ import annotations

from enum import StrEnum

from ingest.visible import visible


class Reason(StrEnum):
    """What is wrong with a model. A closed list."""

    NOT_A_FOLDER = "not-a-folder"
    SYMLINK = "symlink"
    NOT_A_FILE = "not-a-file"
    UNREADABLE = "unreadable"
    MISSING_FILE = "missing-file"
    ADDITIONAL_FILE = "additional-file"
    OVERSIZED = "oversized"
    UNSIGNED = "unsigned"
    UNTRUSTED = "untrusted"
    """Signed by none of the trusted keys, or not over these bytes."""

    NOT_JSON = "not-json"
    TOO_DEEP = "too-deep"
    DUPLICATE_KEY = "duplicate-key"
    BAD_MANIFEST = "bad-manifest"
    OTHER_SCHEMA = "other-schema"
    UNKNOWN_KIND = "unknown-kind"
    OTHER_FEATURES = "other-features"
    OTHER_TABLES = "other-tables"
    WRONG_HASH = "wrong-hash"
    NOT_ARROW = "not-arrow"
    COMPRESSED = "compressed"
    WRONG_TYPE = "wrong-type"
    WRONG_SHAPE = "wrong-shape"
    MISSING_VALUE = "missing-value"
    NOT_FINITE = "not-finite"
    NEGATIVE = "negative"
    OUT_OF_RANGE = "out-of-range"
    OUT_OF_ORDER = "out-of-order"
    REPEATED = "repeated"
    BAD_TREE = "bad-tree"
    LENGTHS_DIFFER = "lengths-differ"
    NOT_PROMOTED = "not-promoted"
    """A registry names no such model, version or role, or what it names was exchanged."""


class ModelRefusedError(Exception):
    """A model that is not loaded; the message begins with the reason and is one line."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason.value}: {visible(detail)}")
        self.reason = reason
