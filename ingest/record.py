"""What a source yields: raw records with their place, and what had to be refused.

Separate from the sources and the formats because both, the quarantine and the service speak of
these values, and a collector must be able to import them without Polars or PyArrow.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


class Stage(StrEnum):
    """Where on the path of a record it was refused."""

    READ = "read"
    FRAME = "frame"
    DECODE = "decode"
    NORMALIZE = "normalize"


class Reason(StrEnum):
    """Why a record is in quarantine. A closed list: metrics and documents count by it."""

    NOT_JSON = "not-json"
    TRUNCATED = "truncated"
    TOO_LARGE = "too-large"
    TOO_DEEP = "too-deep"
    NOT_AN_EVENT = "not-an-event"
    DECODER_FAILED = "decoder-failed"
    """A fault of ours, not of the record: whoever can write a record must not be able to stop a
    worker with it. Please report it."""

    NOT_WANTED = "not-wanted"
    """Sound, and about something else: another category of a cloud's log, another program's line.

    Counted, but put nowhere: nothing is wrong with it.
    """

    @property
    def is_fault(self) -> bool:
        """Whether something is wrong, so that the record belongs into quarantine."""
        return self is not Reason.NOT_WANTED


@dataclass(frozen=True, slots=True)
class Refused:
    """One record that did not become an event.

    ``offset`` counts bytes of the decompressed stream, ``size_bytes`` is the record's length,
    ``sha256`` the hash of its bytes. ``copy`` is a redacted copy (JSON text) where the record
    parses at all, else None: the original bytes are never kept, they may hold secrets.
    """

    stage: Stage
    reason: Reason
    path: str
    offset: int
    size_bytes: int
    sha256: str
    detail: str
    copy: str | None = None


@dataclass(frozen=True, slots=True)
class InputProblem:
    """An input that could not be read, or not to its end; what was read of it still counts."""

    path: str
    message: str


@dataclass(frozen=True, slots=True)
class Salvage:
    """What is missing from an event that could be kept only in part: it counts as truncated.

    ``dropped`` names the members left out as far as they could be read; ``size_bytes`` and
    ``sha256`` are those of the whole record as it stood in the input.
    """

    dropped: tuple[str, ...]
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Records:
    """A chunk of records of one file, in the order they were whole, and what was refused.

    ``raws[i]`` are the bytes of one record (one event, or a list of events on one line) and
    ``offsets[i]`` its place in the decompressed stream. ``problems`` say what ended the file
    early or kept it from being opened. ``salvaged[offset]`` stands for each raw that is not the
    record's own bytes but what was left of it. ``cluster`` is whose records they are where the
    messages that brought them said so; None leaves it to the settings. ``received[i]`` is when
    ``raws[i]`` was taken, or when its file was last written (UTC); empty if nobody knows.
    ``are_verdicts``: their envelopes say so; what is in a record never does.
    """

    path: str
    raws: list[bytes]
    offsets: list[int]
    refused: list[Refused] = field(default_factory=list)
    problems: list[InputProblem] = field(default_factory=list)
    salvaged: dict[int, Salvage] = field(default_factory=dict)
    cluster: str | None = None
    received: Sequence[datetime] = ()
    are_verdicts: bool = False


def sha256_hex(raw: bytes | memoryview) -> str:
    """Hash of a record's bytes, as a person can check it with ``sha256sum``."""
    return hashlib.sha256(raw).hexdigest()
