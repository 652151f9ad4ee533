"""The body of one line of auditd in, its fields out, as texts.

Separate because quoting is where such lines are forged or misread. The kernel puts a string that
others chose in double quotes, or writes it in hexadecimal where it holds a blank, a quote or a
control character; so what stands between blanks is a field of its own, and the first of a name is
the kernel's. User space's messages stand in single quotes after the kernel's fields, and are read
by themselves. An enriched log has the names of numbers behind a group separator, in capitals.

SELinux writes ``avc:  denied  { read } for  pid=...``; that is the field ``avc`` here, ``denied
read``.

Formats: Linux kernel/audit.c (audit_log_untrustedstring), audit-userspace lib/audit_logging.c
(audit_encode_nv_string), docs of linux-audit/audit-documentation ("Audit Event Parsing Library
Specifications", "Writing Good Events"), auditd.conf(5) log_format.
"""

from __future__ import annotations

from typing import Final

Values = dict[str, str]
"""Field -> text without quotes; not there where the line says that there is nothing."""

ENRICHED: Final = "\x1d"

_NOTHING: Final = frozenset({"", "(null)", "(none)", "?", '"?"', '""', "(unknown)", '"(unknown)"'})
_ENCODED: Final = frozenset(
    {
        *("comm", "ocomm", "exe", "key", "name", "cwd", "acct", "cmd", "path", "dir", "watch"),
        *("proctitle", "new-acct", "sw", "root_dir", "grp", "new_group"),
    }
)
"""Fields that may stand in hexadecimal."""

_HEX: Final = frozenset("0123456789ABCDEFabcdef")
UNSET: Final = frozenset({"4294967295", "-1", "unset"})
"""Ids that mean that none was set."""


CALL_FIELDS: Final = (
    *("arch", "syscall", "success", "exit", "ppid", "pid", "auid", "uid", "euid", "tty", "ses"),
    *("comm", "exe", "key", "a0", "a1", "a2", "a3", "SYSCALL", "AUID", "UID", "EUID"),
)
"""What is read of a SYSCALL line."""

PATH_FIELDS: Final = (*("inode", "mode", "ouid", "ogid", "OUID", "OGID"),)
"""What is read of the PATH line of the file that matters, beside its name."""


def picked(body: str, wanted: tuple[str, ...]) -> Values:
    """Return some of the fields of a line of the kernel's, as ``values_of`` but sooner."""
    words = body.replace(ENRICHED, " ", 1).split(" ")
    try:
        found = dict([word.split("=", 1) for word in words])
    except ValueError:  # a word without a sign, or a field twice, which the first one wins
        found = {}
    if len(found) < len(words):
        values = values_of(body)
        return {key: values[key] for key in wanted if key in values}
    values = {}
    for key in wanted:
        value = found.get(key)
        if value is None or value in _NOTHING or value.startswith("(null)"):
            continue
        if value[0] == '"':
            values[key] = value[1:].partition('"')[0]
        else:
            values[key] = decoded(value) if key in _ENCODED else value
    return values


def values_of(body: str) -> Values:
    """Return the fields of a line behind its ``audit(...):``; never raises. Linear."""
    plain, mark, enriched = body.partition(ENRICHED)
    values: Values = {}
    if " msg='" in plain or plain.startswith("msg='"):
        plain, _, message = plain.partition("msg='")
        inner, quote, after = message.rpartition("'")
        if quote and after and not mark:
            enriched = after  # a shipper has dropped the separator
        values = _split(inner if quote else message)
    values |= _split(plain)
    if enriched:
        values |= {key: text for key, text in _split(enriched).items() if key.isupper()}
    return values


def decoded(text: str) -> str:
    """Return a string that the kernel has quoted or written in hexadecimal."""
    if text.startswith('"'):  # what stands behind the second quote is the next field's
        return text[1:].partition('"')[0]
    if len(text) % 2 == 0 and _HEX.issuperset(text):
        return bytes.fromhex(text).decode(errors="replace")
    return text


def text_in(body: str, mark: str) -> str | None:
    """Return one quoted, encoded or plain text of a line of the kernel's, without the others."""
    value = body.partition(mark)[2].partition(" ")[0].partition(ENRICHED)[0]
    return None if value in _NOTHING else decoded(value)


def set_id(text: str | None) -> str | None:
    """Return a user or session id, None for the one that means that none was set."""
    return None if text is None or text in UNSET else text


def account(text: str | None) -> str | None:
    """Return the name that enriching found for an id, None where it found none."""
    return None if text is None or text == "unset" or text.startswith("unknown(") else text


def _split(text: str) -> Values:
    """Split at blanks; a word that is no ``key=value`` goes on with the value before it."""
    values: Values = {}
    last = ""
    if text.startswith("avc:"):
        lead, _, text = text.removeprefix("avc:").partition(" for ")
        values["avc"] = " ".join(word for word in lead.split() if word not in {"{", "}"})
    for word in text.split(" "):
        key, mark, value = word.partition("=")
        if not mark:
            if word and last:
                values[last] += f" {word}"
        elif key in values:
            last = ""
        else:
            values[key], last = value, key
    return {key: _text(key, value) for key, value in values.items() if value not in _NOTHING}


def _text(key: str, value: str) -> str:
    if key in _ENCODED:
        return decoded(value)
    return decoded(value) if value.startswith('"') else value
