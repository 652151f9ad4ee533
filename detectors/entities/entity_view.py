"""A name and a time become all that was known of it then, for people to read.

Separate from enrichment, which asks for a few things of many: this asks for everything of one, and
looks through all rows for those that name it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import polars as pl

from detectors.entities.asof import every
from detectors.entities.enrich import ASKED
from detectors.entities.memory import part_of
from detectors.entities.minting import minted
from detectors.entities.process_facts import PARTS
from detectors.entities.recall_change import OF_RIGHTS
from detectors.entities.recall_process import sessions_of
from detectors.entities.recall_target import target_columns
from detectors.entities.recalled import PREFIX
from detectors.entities.relation import GONE_PREFIX, JOINT, KEEP_S, NUMBERS, Relation
from detectors.entities.rights import Book, rights_of

if TYPE_CHECKING:
    from detectors.entities.memory import EntityMemory

_SECOND_US: Final = 1_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_BY_NUMBER: Final = list(Relation)
_LIFE: Final = [
    NUMBERS[relation] for relation in (Relation.POD_UID, Relation.POD_ADDRESS, Relation.POD_NODE)
]
"""What ends with a pod."""
_TOLD_OTHERWISE: Final = [
    NUMBERS[relation] for relation in (Relation.POD_SESSION, Relation.PROCESS_PARENT)
]
"""Sessions have a list of their own; single processes tell people nothing."""


@dataclass(frozen=True, slots=True)
class Line:
    """One thing known: from when on it held, and when it was confirmed last."""

    relation: Relation
    name: str
    what: str
    since: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who entered a pod: by an exec, an attach or a container put into it (`debug`).

    ``container`` and ``command`` are empty where the request does not name them; ``ended`` is None
    where the end was not seen.
    """

    id: str
    user: str
    type: str
    manner: str
    container: str
    address: str
    command: str
    since: datetime
    ended: datetime | None


@dataclass(frozen=True, slots=True)
class EntityView:
    """What was known of a name at a time.

    Attributes
    ----------
    own, naming
        What was said of it, and what was said of others that names it.
    gone
        Of a pod that is no more: since when.
    author, minted
        Of a pod who is behind it, of a credential who minted it and what that took.
    rights
        Of an identity: what the bindings seen so far allow; groups of people are not known here.
    sessions
        Of a pod: who entered it within a day, the latest last.
    """

    name: str
    time: datetime
    own: tuple[Line, ...]
    naming: tuple[Line, ...]
    gone: datetime | None
    author: str | None
    minted: tuple[str, ...]
    rights: tuple[str, ...]
    sessions: tuple[Session, ...]

    def is_known(self) -> bool:
        """Whether anything was said of it, or names it."""
        return bool(self.own or self.naming or self.sessions)


def view_of(memory: EntityMemory, name: str, time_us: int) -> EntityView:
    """Return what was known at a time, what was said in that microsecond included."""
    rows = memory.about(pl.Series([name])).rows
    own = _lines(rows, time_us)
    is_identity = any(line.relation is Relation.IDENTITY_CALL for line in own)
    return EntityView(
        name,
        _time(time_us),
        own,
        _naming(memory, name, time_us),
        _gone(rows, time_us),
        _author(memory, name, time_us),
        _minted(memory, name, time_us),
        rights_of(_book(memory, time_us), name) if is_identity else (),
        _sessions(memory, name, time_us),
    )


def _naming(memory: EntityMemory, name: str, time_us: int) -> tuple[Line, ...]:
    """Return what then named it: what was said of the same subjects since counts as well."""
    said = memory.naming(name).select("name", "relation").unique()
    whole = memory.about(said["name"].unique()).rows.join(said, on=["name", "relation"], how="semi")
    return tuple(line for line in _lines(whole, time_us) if name in line.what.split(JOINT))


def _gone(rows: pl.DataFrame, time_us: int) -> datetime | None:
    """Return since when a pod is no more, None for what is there or is no pod."""
    known = rows.filter((pl.col("relation").is_in(_LIFE)) & (pl.col("time") <= time_us))
    newest = known.sort("time").group_by("relation").last()
    if newest.is_empty() or (newest["object"] != "").any():
        return None
    since = newest["time"].max()
    return _time(since) if isinstance(since, int) else None


def _sessions(memory: EntityMemory, name: str, time_us: int) -> tuple[Session, ...]:
    """Return who entered a pod, as far as it is remembered."""
    keys = pl.DataFrame({"at": [0], "key": [name], "time": [time_us]})
    held = memory.about(pl.Series([name]))
    told = sessions_of(every(held, Relation.POD_SESSION, keys, inclusive=True)).sort("since", "id")
    rows = told.select(*PARTS, "since", "ended").iter_rows(named=True)
    return tuple(
        Session(**row | {name: _time(row[name]) for name in _TIMES if row[name] is not None})
        for row in rows
    )


_TIMES: Final = ("since", "ended")


def _lines(rows: pl.DataFrame, time_us: int) -> tuple[Line, ...]:
    """Return what holds at a time: the newest of each part that is not forgotten or ended."""
    number = pl.col("relation")
    until = (pl.col("last").cast(pl.Int64) + pl.lit(KEEP_S).gather(number)) * _SECOND_US
    newest = (
        rows.filter(pl.col("time") <= time_us)
        .with_columns(part_of().alias("part"))
        .sort("time", "object")
        .group_by("name", "relation", "part", maintain_order=True)
        .last()
        .filter((until >= time_us) & (pl.col("object") != "") & ~number.is_in(_TOLD_OTHERWISE))
        .filter(~pl.col("object").str.starts_with(GONE_PREFIX) | (pl.col("object") == GONE_PREFIX))
        .sort("relation", "name", "object")
    )
    told = newest.select("relation", "name", "object", "time", "last")
    return tuple(
        Line(_BY_NUMBER[relation], name, what, _time(since), _time(max(last_s * _SECOND_US, since)))
        for relation, name, what, since, last_s in told.iter_rows()
    )


def _book(memory: EntityMemory, time_us: int) -> Book:
    rows = memory.of_relations(OF_RIGHTS).filter(pl.col("time") <= time_us)
    book = Book()
    for relation, name, what in rows.sort("time").select("relation", "name", "object").iter_rows():
        book.note(_BY_NUMBER[relation], name, what)
    return book


def _author(memory: EntityMemory, name: str, time_us: int) -> str | None:
    namespace, _, pod = name.partition("/")
    said: dict[str, object] = dict.fromkeys(ASKED)
    said |= {"row": 0, "time": time_us + 1, "type": "pods", "namespace": namespace, "name": pod}
    schema = {"row": pl.UInt32(), "time": pl.Int64(), **dict.fromkeys(ASKED, pl.String())}
    found = target_columns(pl.DataFrame([said], schema=schema), memory)
    author: str | None = found[PREFIX + "pod_author"].item()
    return author


def _minted(memory: EntityMemory, name: str, time_us: int) -> tuple[str, ...]:
    found = minted(pl.DataFrame({"credential": [name], "time": [time_us + 1]}), memory)
    chain = found[PREFIX + "credential.minted_chain"].to_list()[0]
    return tuple(chain or ())


def _time(time_us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=time_us)
