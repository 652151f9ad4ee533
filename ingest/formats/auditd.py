"""The lines of one event of Linux' audit daemon in, the one event that they tell out.

Separate from what the lines mean (ingest/formats/auditd_event.py) because laurel writes the same
events in another form. Which lines are of one event is decided where a stream is cut into records
(ingest/sources/joining.py); here all lines are of the first one's.

Format: ``[node=NAME ]type=TYPE msg=audit(SECONDS.MILLISECONDS:SERIAL): fields``; linux-audit/
audit-documentation, audit-userspace docs, and the samples of elastic/go-libaudit
aucoalesce/testdata and threathunters-io/laurel src/testdata. EXECVE: ``a0`` to ``aN``, long ones as
``aN_len=`` and ``aN[0]=``, over several lines (kernel/auditsc.c, audit_log_execve_info).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ingest.formats.auditd_event import seen_of
from ingest.formats.auditd_fields import (
    CALL_FIELDS,
    PATH_FIELDS,
    Values,
    decoded,
    picked,
    text_in,
    values_of,
)
from ingest.formats.auditd_parts import Named, Parts
from ingest.formats.seen import NotThisFormatError

if TYPE_CHECKING:
    from ingest.formats.seen import Around, Seen

_MARK: Final = " msg=audit("
_TYPE_CHARACTERS: Final = 400
_ARGS_MAX: Final = 65_536
_DIGITS_MAX: Final = 6


def recognizes_text(line: str) -> bool:
    """Whether a text begins like a line of auditd."""
    return line.startswith(("type=", "node=")) and line.find(_MARK, 5, _TYPE_CHARACTERS) > 0


def decode_text(text: str, around: Around) -> list[Seen]:  # noqa: ARG001 - auditd writes years
    """Return the one event of lines that belong together.

    Raises
        NotThisFormatError: none of the lines has a type, an id and anything behind it.
    """
    parts: Parts | None = None
    words: dict[int, list[tuple[int, str]]] = {}
    for line in text.split("\n"):
        head, mark, rest = line.partition(_MARK)
        event_id, close, body = rest.partition("):")
        if not mark or not close:
            continue
        node, _, kind = head.rpartition("type=")
        if parts is None:
            parts = Parts(event_id, node.removeprefix("node=").strip() or None, _name, _path)
        if event_id == parts.event_id:
            _add(parts, kind.strip(), body.strip(), words)
    if parts is None or not parts.kind:
        raise NotThisFormatError("no line of an audit event")
    if words:
        parts.args = _arguments(words)
    elif title := parts.lines.get("PROCTITLE"):
        parts.title = [word for word in title.get("proctitle", "").split("\0") if word]
    return [seen_of(parts)]


def _add(parts: Parts, kind: str, body: str, words: dict[int, list[tuple[int, str]]]) -> None:
    """Take in one line."""
    if kind == "EXECVE":
        _add_arguments(body, words)
        parts.lines.setdefault(kind, {})
        return
    if kind == "PATH":
        if not parts.path_lines:
            parts.first_name = text_in(body, "name=")
        parts.path_lines.append(body)
        parts.lines.setdefault(kind, {})
        return
    values = picked(body, CALL_FIELDS) if kind == "SYSCALL" else values_of(body)
    first = parts.lines.setdefault(kind, values)
    if kind == "SOCKADDR" and first is values:
        parts.address = _bytes(values.get("saddr", ""))


def _name(body: str) -> Named:
    kind = text_in(body, " nametype=") or text_in(body, " objtype=") or ""
    return Named(text_in(body, "name="), kind, body)


def _path(body: str) -> Values:
    return picked(body, PATH_FIELDS)


def _bytes(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""


def _add_arguments(body: str, words: dict[int, list[tuple[int, str]]]) -> None:
    """Take in ``a3=...`` and ``a3[1]=...``; the first of a place counts."""
    for word in body.partition("\x1d")[0].split(" "):
        key, mark, value = word.partition("=")
        name, _, piece = key.partition("[")
        number, part = name[1:], piece.rstrip("]") or "0"
        if mark and name[:1] == "a" and _is_number(number) and _is_number(part):
            words.setdefault(int(number), []).append((int(part), value))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX


def _arguments(words: dict[int, list[tuple[int, str]]]) -> list[str]:
    """Return the words in order; each piece of a long one is encoded by itself."""
    found = []
    for number in sorted(words)[:_ARGS_MAX]:
        pieces = words[number]
        if len(pieces) == 1:
            found.append(_argument(pieces[0][1]))
        else:
            found.append("".join(_argument(value) for _, value in sorted(dict(pieces).items())))
    return found


def _argument(value: str) -> str:
    return "" if value in {"(null)", '""'} else decoded(value)
