"""An event of the Linux audit system as laurel writes it in, the one event that it tells out.

Separate from the raw form because all is decoded already, in laurel's own way: octal numbers are
``"0o100755"``, hexadecimal ones ``"0xc000003e"``, bytes that are no text are percent-encoded, and
so are ``%`` and ``+``. What it adds is the parent's program and the container's id.

Format: threathunters-io/laurel json-format.md, man/laurel-about.7.md, man/laurel.8.md
(``[transform]``, ``[enrich]``), src/coalesce.rs and src/testdata. ``SYSCALL``, ``EXECVE``, ``CWD``
and ``PROCTITLE`` are objects, other types lists of objects, messages of user space either.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_to_bytes

from ingest.formats.auditd_event import seen_of
from ingest.formats.auditd_fields import CALL_FIELDS, PATH_FIELDS, Values, values_of
from ingest.formats.auditd_parts import Named, Parts
from ingest.formats.reader import Reader
from ingest.formats.seen import NotThisFormatError
from ingest.formats.tolerant import as_json

if TYPE_CHECKING:
    from ingest.formats.reader import Document
    from ingest.formats.seen import Around, Fields, Seen

_PARENTS: Final = ("PPID", "PARENT_INFO")
_ADDED: Final = frozenset({"ID", "NODE", "CONTAINER_INFO", "PID", *_PARENTS})
_NAME: Final = ("name", "nametype", "objtype")
_FOLDER: Final = ("cwd",)
_ARGUMENTS: Final = ("a0", "a1", "a2", "a3")
_HEX_FIELDS: Final = frozenset({"arch", *_ARGUMENTS, "cap_fp", "cap_fi"})
_MARKS: Final = frozenset({"0", "("})
"""How a text begins that is not as it stands: ``0x``, ``0o``, ``(none)``."""

_TEXTS: Final = frozenset({str})
_DECISIONS: Final = ("denied", "granted")


def recognizes(document: Document) -> bool:
    """Whether a document has laurel's id and a type of audit records, which are in capitals."""
    event_id = document.get("ID")
    if not isinstance(event_id, str) or ":" not in event_id or "." not in event_id:
        return False
    return len(document) > 1 and "".join(document).isupper()


def decode(document: Document, around: Around) -> list[Seen]:  # noqa: ARG001 - laurel writes years
    """Return the one event of a document.

    Raises
        NotThisFormatError: nothing of it is a record.
    """
    read = Reader()
    parts = Parts(str(document.get("ID")), read.text(document, "NODE"), _name, _path)
    for kind, value in document.items():
        if kind not in _ADDED:
            _add(parts, kind, _records(kind, value, read), read)
    if not parts.lines:
        raise NotThisFormatError("no record of an audit event")
    seen = seen_of(parts)
    _fill_added(document, seen.fields, read)
    seen.issues += read.issues
    return [seen]


def _records(kind: str, value: Any, read: Reader) -> list[Document]:
    """Return the records of one type, which stands by itself or in a list."""
    if type(value) is dict:
        return [value]
    records = value if isinstance(value, list) else [value]
    found: list[Document] = [record for record in records if isinstance(record, dict)]
    if len(found) < len(records):
        read.issues.append(f"wrong-type:{kind}")
    return found


def _add(parts: Parts, kind: str, found: list[Document], read: Reader) -> None:
    """Take in the records of one type."""
    if not found:
        return
    if kind == "PATH":
        parts.path_lines = found
        parts.first_name = _name(found[0]).name
        parts.lines[kind] = {}
    elif kind == "EXECVE":
        parts.args, parts.command = _words(found[0], read)
        parts.lines[kind] = {}
    elif kind == "PROCTITLE":
        parts.title = [] if parts.args else _words(found[0], read)[0]
        parts.lines[kind] = {}
    elif kind == "CWD":
        parts.lines[kind] = _picked(found[0], _FOLDER)
    elif kind == "SYSCALL":
        parts.lines[kind] = _call(found[0], read)
    else:
        parts.lines[kind] = _values(found[0])
        if kind == "SOCKADDR":
            parts.address = _bytes(read.text(found[0], "saddr") or "")


def _name(record: Document) -> Named:
    name, kind = record.get("name"), record.get("nametype")
    if type(kind) is str and type(name) is str and "%" not in name and name[:1] not in _MARKS:
        return Named(name, kind, record)
    values = _picked(record, _NAME)
    return Named(values.get("name"), values.get("nametype") or values.get("objtype") or "", record)


def _path(record: Document) -> Values:
    return _picked(record, PATH_FIELDS)


def _picked(record: Document, wanted: tuple[str, ...]) -> Values:
    """Return some of the fields of a record of the kernel's, as ``_values`` but sooner."""
    values: Values = {}
    get = record.get
    for key in wanted:
        value: Any = get(key)
        kind = type(value)
        if kind is str:
            if "%" in value or value[:1] in _MARKS:
                value = _text(key, value)
            if value:
                values[key] = value
        elif kind is int:
            values[key] = str(value)
    return values


def _values(record: Document) -> Values:
    """Return the fields of a record as auditd's raw lines have them."""
    values: Values = {}
    for key, value in record.items():
        if isinstance(value, str):
            values[key] = _text(key, value) if value else value
        elif isinstance(value, int) and not isinstance(value, bool):
            values[key] = str(value)
        elif key == "msg" and isinstance(value, dict):
            values = _values(value) | values
    if (message := values.pop("msg", None)) is not None:
        values = values_of(message) | values
    for decision in _DECISIONS:
        if isinstance(words := record.get(decision), list):
            values["avc"] = " ".join([decision, *(str(word) for word in words)])
    return {key: value for key, value in values.items() if value}


def _text(key: str, value: str) -> str:
    if "%" in value:
        return _bytes(value).decode(errors="replace")
    if key == "mode":  # the one number that laurel writes in octal
        return value.replace("0o", "0", 1)
    if key in _HEX_FIELDS:
        return value.removeprefix("0x")
    return "" if value == "(none)" else value


def _bytes(text: str) -> bytes:
    """Undo percent-encoding; a percent sign that encodes nothing stands for itself."""
    if text.isascii():
        escaped = text.replace("\\", "\\\\").replace("%", "\\x")
        with suppress(UnicodeDecodeError):
            return escaped.encode().decode("unicode_escape").encode("latin-1")
    return unquote_to_bytes(text)


def _call(record: Document, read: Reader) -> Values:
    """Return the fields of a system call; its arguments are a list."""
    values = _picked(record, CALL_FIELDS)
    words = record.get("ARGV")
    if type(words) is not list or not _TEXTS.issuperset(map(type, words)):
        words = read.texts(record, "ARGV")
    for key, word in zip(_ARGUMENTS, words, strict=False):
        values.setdefault(key, word.removeprefix("0x"))
    return values


def _words(record: Document, read: Reader) -> tuple[list[str], str | None]:
    """Return a command's words, or the whole of it where laurel was told to join them."""
    value = record.get("ARGV")
    if isinstance(value, list):
        words = [word if type(word) is str else _other(word, read) for word in value]
        return [_text("", word) if "%" in word else word for word in words], None
    text = read.text(record, "ARGV_STR")
    return [], _text("", text) if text else None


def _other(word: Any, read: Reader) -> str:
    """Return an argument that is no text; null is one that the kernel did not log."""
    if word is None:
        return ""
    if not isinstance(word, int):
        read.issues.append("wrong-type:ARGV")
    return as_json(word) or ""


def _fill_added(document: Document, fields: Fields, read: Reader) -> None:
    """Fill what laurel knows beside the event."""
    if "CONTAINER_INFO" in document:
        fields["container.id"] = read.text(read.mapping(document, "CONTAINER_INFO"), "ID")
    call = document.get("SYSCALL")
    holder = call if type(call) is dict and "PPID" in call else document
    for key in _PARENTS:
        if key in holder:
            said = _picked(read.mapping(holder, key), ("comm", "exe"))
            fields["process.parent.name"] = said.get("comm")
            fields["process.parent.executable"] = said.get("exe")
            break
