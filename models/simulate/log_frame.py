"""Lines of audit records in, a frame of what their distributions are compared by out.

Separate because a real log and a simulated one are told by the same few columns.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import orjson
import polars as pl

from models.simulate.audit_level import AuditLevel
from models.simulate.identities import ANONYMOUS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

COMPARED: Final[Mapping[str, pl.DataType]] = {
    "verb": pl.String(),
    "resource": pl.String(),
    "agent": pl.String(),
    "identity_type": pl.String(),
    "code": pl.String(),
    "level": pl.String(),
    "stage": pl.String(),
    "identity": pl.String(),
    "size_bytes": pl.Int64(),
    "time": pl.String(),
}
_CHUNK: Final = 20_000


def compared_columns(lines: Iterable[bytes]) -> pl.DataFrame:
    """Return a row a record under `COMPARED`, in the order of the log.

    What is no audit event with a stage is left out: this is statistics, not reading.
    """
    frames: list[pl.DataFrame] = []
    rows: list[tuple[Any, ...]] = []
    for line in lines:
        if (row := _row(line)) is not None:
            rows.append(row)
        if len(rows) >= _CHUNK:
            frames.append(_frame(rows))
            rows = []
    return pl.concat([*frames, _frame(rows)])


def _frame(rows: list[tuple[Any, ...]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=dict(COMPARED), orient="row")


def _row(line: bytes) -> tuple[Any, ...] | None:
    try:
        event = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(event, dict) or "stageTimestamp" not in event:
        return None
    ref = event.get("objectRef") or {}
    sub = ref.get("subresource")
    resource = ref.get("resource", "(none)") + (f"/{sub}" if sub else "")
    name = (event.get("user") or {}).get("username", "")
    agent = event.get("userAgent", "").partition("/")[0].partition(" ")[0]
    code = (event.get("responseStatus") or {}).get("code")
    return (
        event.get("verb"),
        resource,
        agent,
        identity_type(name),
        str(code),
        event.get("level", AuditLevel.METADATA),
        event.get("stage"),
        name,
        len(line),
        event["stageTimestamp"],
    )


def identity_type(name: str) -> str:
    """Return what kind of identity a name is."""
    kinds = chain(
        (("none", not name), ("anonymous", name == ANONYMOUS)),
        (
            ("node", name.startswith("system:node:")),
            ("controller", name.startswith("system:serviceaccount:kube-system:")),
            ("service account", name.startswith("system:serviceaccount:")),
            ("control plane", name.startswith("system:")),
            ("person", "@" in name),
        ),
    )
    return next((kind for kind, fits in kinds if fits), "other")
